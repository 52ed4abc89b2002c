/** Takes a picture or a clip that is dropped, pasted or picked. */

import { byId } from "./dom.js";

/** Listen to all ways in which a file can come; `take(file)` gets it. */
export function setUpFiles(take) {
  setUpDrop(take);
  document.addEventListener("paste", (event) => {
    const [file] = event.clipboardData?.files ?? [];
    if (!file) return;
    event.preventDefault();
    take(file);
  });
  byId("pick").addEventListener("click", () => byId("picked").click());
  byId("picked").addEventListener("change", (event) => {
    const [file] = event.target.files;
    if (file) take(file);
    event.target.value = ""; // so that the same file can be picked again
  });
}

function setUpDrop(take) {
  const holdsFile = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  let depth = 0; // of the elements that a dragged file has entered: it leaves one after it entered the next
  const show = (now) => {
    depth = Math.max(0, now);
    byId("drop").hidden = depth === 0;
  };
  document.addEventListener("dragenter", (event) => holdsFile(event) && show(depth + 1));
  document.addEventListener("dragleave", (event) => holdsFile(event) && show(depth - 1));
  document.addEventListener("dragover", (event) => holdsFile(event) && event.preventDefault());
  document.addEventListener("drop", (event) => {
    if (!holdsFile(event)) return;
    event.preventDefault();
    show(0);
    const [file] = event.dataTransfer.files;
    if (file) take(file);
  });
}
