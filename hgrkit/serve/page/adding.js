/** The dialog in which a folder is added, and what it says while videos are indexed. */

import * as api from "./api.js";
import { byId, count, el, fillDialog, length, nameOf, say } from "./dom.js";

const POLL_MS = 600;
const POLL_AFTER_ERROR_MS = 2400;
const ABOUT =
  "A path on the machine where the server runs; the folders in it are read, too. Videos stay where they are. " +
  "What is indexed already is not read again.";
const COUNTS = {
  indexed: "indexed",
  unchanged: "known already",
  moved: "moved",
  duplicate: "duplicates",
  failed: "failed",
};

const isRunning = ({ state }) => state === "running" || state === "stopping";

export class Adding {
  /** `changed` is called when videos were added. */
  constructor(changed) {
    this.changed = changed;
    this.dialog = byId("add");
    this.opener = byId("add-open");
    this.last = null; // what the server said before
    this.opener.addEventListener("click", () => this.open());
    this.build();
  }

  build() {
    this.folder = el("input", {
      type: "text",
      id: "folder",
      required: true,
      autocomplete: "off",
      spellcheck: false,
      placeholder: "/home/me/Videos",
      maxLength: 4096,
      aria: { describedby: "folder-about add-problem" },
    });
    this.start = el("button", { type: "submit", className: "main" }, "Index");
    this.stop = el(
      "button",
      { type: "button", hidden: true, on: { click: () => this.send(api.stopIndexing) } },
      "Stop",
    );
    this.problem = el("p", { id: "add-problem", className: "problem", role: "alert" });
    this.progress = el("div", { className: "progress" });
    const submit = (event) => {
      event.preventDefault();
      this.send(() => api.index(this.folder.value.trim()));
    };
    const form = el(
      "form",
      { on: { submit } },
      el("label", { for: "folder" }, "Folder of videos, or one video"),
      el("div", { className: "field-row" }, this.folder, this.start, this.stop),
      el("p", { id: "folder-about", className: "soft small-print" }, ABOUT),
      this.problem,
    );
    fillDialog(this.dialog, "add-title", "Add videos", form, this.progress);
  }

  open() {
    this.dialog.showModal();
    this.folder.focus();
    this.watch();
  }

  async send(call) {
    this.problem.textContent = "";
    try {
      this.show(await call());
      this.watch();
    } catch (error) {
      this.problem.textContent = error.message;
    }
  }

  /** Ask how far it is, again and again while videos are indexed. */
  async watch() {
    clearTimeout(this.polling);
    try {
      const status = await api.indexing();
      this.show(status);
      if (isRunning(status)) this.polling = setTimeout(() => this.watch(), POLL_MS);
    } catch (error) {
      this.problem.textContent = error.message;
      this.polling = setTimeout(() => this.watch(), POLL_AFTER_ERROR_MS);
    }
  }

  show(status) {
    const { last } = this;
    this.last = status;
    this.showControls(status, isRunning(status));
    this.progress.replaceChildren(...(status.state === "idle" ? [] : report(status)));
    if (!last) return;
    if (isRunning(last) && !isRunning(status)) say(ending(status));
    if (last.counts.indexed !== status.counts.indexed) this.changed();
  }

  showControls(status, running) {
    if (!status.may_index) this.problem.textContent = `Videos cannot be added here: ${status.why_not}`;
    for (const input of [this.folder, this.start]) input.disabled = running || !status.may_index;
    this.stop.hidden = !running;
    this.stop.disabled = status.state === "stopping";
    this.opener.classList.toggle("running", running);
    this.opener.querySelector("span").textContent = running ? `Indexing ${soFar(status)}` : "Add videos";
  }
}

const soFar = ({ done, total }) => (total === null ? count(done, "video") : `${done} of ${total}`);

/** What a screen reader is told at the end. */
function ending({ state, error, counts }) {
  if (state === "failed") return `Indexing failed: ${error}`;
  const failed = counts.failed ? `, ${counts.failed} failed` : "";
  const how = state === "stopped" ? "stopped" : "is done";
  return `Indexing ${how}: ${count(counts.indexed, "video")} indexed${failed}.`;
}

function titleOf({ state, done, total, error }) {
  if (state === "running") return total === null ? "Looking for videos…" : `Indexing ${done} of ${total}`;
  if (state === "stopping") return "Stopping after the videos that are being read…";
  if (state === "failed") return `Failed: ${error}`;
  return state === "stopped" ? "Stopped; what was finished is kept" : "Done";
}

function report(status) {
  const { counts, total, done } = status;
  const running = isRunning(status);
  const numbers = Object.entries(COUNTS)
    .filter(([name]) => counts[name])
    .map(([name, words]) =>
      el("li", { className: name }, el("strong", {}, counts[name].toLocaleString("en")), ` ${words}`),
    );
  const isOpenEnded = running && total === null;
  return [
    el(
      "div",
      { className: "progress-head" },
      el("h3", {}, titleOf(status)),
      el("span", { className: "soft" }, running ? timeLeft(status) : ""),
    ),
    el("progress", {
      max: total || 1,
      ...(isOpenEnded ? {} : { value: total ? done : 1 }),
      aria: { label: "Videos indexed" },
    }),
    el("ul", { className: "counts" }, numbers),
    running && status.at_work.length
      ? el("p", { className: "soft at-work" }, `Reading ${status.at_work.map(nameOf).join(", ")}`)
      : "",
    status.failures.length ? failuresOf(status) : "",
  ];
}

function timeLeft({ done, total, seconds }) {
  return done && total ? `about ${length(Math.max(1, (seconds / done) * (total - done)))} left` : "";
}

function failuresOf({ counts, failures }) {
  return el(
    "div",
    { className: "failures" },
    el("h3", {}, `${count(counts.failed, "video")} failed`),
    el(
      "ul",
      {},
      failures.map(({ path, reason }) => el("li", {}, el("strong", { title: path }, nameOf(path)), `: ${reason}`)),
    ),
  );
}
