/** Keys: the same everywhere, and none that a form field or a button needs for itself. */

import { byId } from "./dom.js";
import { hasKeys } from "./help.js";
import { focusItem, stepFrom } from "./hits.js";

const WRITES = "input:not([type=range]):not([type=checkbox]):not([type=radio]), textarea, select";

/** Listen to the keyboard for the whole page. */
export function setUpKeys({ state, player, closePlayer, alike, hits, openRefine }) {
  const list = () => [...document.querySelectorAll("#answer:not([hidden]) .open, #library:not([hidden]) .video .open")];
  const focused = () => state.result?.hits.find((hit) => `${hit.rank}` === document.activeElement?.closest?.(".hit")?.dataset.rank);

  const single = {
    "/": () => { byId("text").focus(); byId("text").select(); },
    "?": () => byId("help").showModal(),
    m: () => { const hit = focused() ?? (inPlayer() ? player.hit : null); if (hit) alike(hit); return Boolean(hit); },
    r: () => { const known = focused() || inPlayer(); if (known && player.isOpen) player.playMoment(); return Boolean(known); },
    f: () => { const known = focused() || inPlayer(); if (known) openRefine(); return Boolean(known); },
  };
  const inPlayer = () => byId("watch").contains(document.activeElement);

  function escape() {
    if (document.querySelector("dialog[open], [popover]:popover-open")) return false;
    if (player.isOpen && (inPlayer() || document.activeElement?.closest(".hit, .video"))) closePlayer();
    else if (document.activeElement === byId("text")) return false; // the browser empties the field
    else byId("text").focus();
    return true;
  }

  function space() {
    const { activeElement } = document;
    const chosen = activeElement?.closest(".hit.chosen");
    if (activeElement?.closest("button, a, summary, input, video") && !chosen) return false;
    if (!player.isOpen) return false;
    player.toggle();
    return true;
  }

  function arrows(event) {
    const { activeElement } = document;
    if (activeElement === byId("text")) return event.key === "ArrowDown" && list().length > 0 && Boolean(focusItem(list(), firstPlace(list())));
    if (activeElement?.closest(".hit .open") && player.isOpen && /^Arrow(Left|Right)$/.test(event.key)) {
      player.seek(player.now + (event.key === "ArrowLeft" ? -1 : 1));
      return true;
    }
    const moved = stepFrom(hits, event.key);
    if (moved === "before") byId("text").focus();
    return moved !== null;
  }

  const firstPlace = (items) => Math.max(0, items.findIndex((item) => item.getAttribute("aria-current")));

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const inDialog = event.target.closest?.("dialog, [popover]");
    let done = false;
    if (event.key === "Escape") done = escape();
    else if (inDialog) return;
    else if (/^Arrow|^Home$|^End$/.test(event.key)) done = arrows(event);
    else if (event.target.closest?.(WRITES)) return;
    else if (event.key === " ") done = space();
    else if (hasKeys() && event.key in single) done = single[event.key]() !== false;
    if (done) event.preventDefault();
  });
}
