/** All videos of the library, and the dialog in which more are added. */

import * as api from "./api.js";
import { byId, count, el, icon, length, nameOf, say } from "./dom.js";
import { picture } from "./hits.js";

const PAGE = 60;
const POLL_MS = 600;

/** A video as the player shows it: no hit, but from its beginning to its end. */
export const asHit = (video) => ({
  id: video.id, video: video.path, duration_s: video.duration_s, start_s: 0, end_s: video.duration_s ?? 1, phrases: [], excluded: [],
});

/** The list of all videos. */
export class Gallery {
  /** `on.open(video)` plays one, `on.alike(video)` searches by one, `on.add()` opens the dialog. */
  constructor(on) {
    this.on = on;
    this.shown = 0;
    byId("videos-more").addEventListener("click", () => this.more());
  }

  /** Show the first videos; while this is under way the others stay. */
  async load() {
    const number = Math.max(PAGE, this.shown);
    const { videos, total } = await api.videos(number, 0);
    this.shown = videos.length;
    byId("videos").replaceChildren(...videos.map((video) => this.card(video)));
    this.said(total, videos);
  }

  async more() {
    const { videos, total } = await api.videos(PAGE, this.shown);
    const first = byId("videos").children.length;
    this.shown += videos.length;
    byId("videos").append(...videos.map((video) => this.card(video)));
    this.said(total, videos);
    byId("videos").children[first]?.querySelector("button")?.focus();
  }

  said(total, videos) {
    byId("library-about").textContent = total ? count(total, "video") : "";
    byId("videos-more").hidden = this.shown >= total;
    const empty = byId("empty");
    empty.hidden = total > 0;
    byId("library-title").textContent = total ? "All videos" : "No videos yet";
    if (total || videos.length) return;
    empty.replaceChildren(
      icon("folder"),
      el("p", {}, "Add a folder of videos. Each is watched once; then you can ask for what happens in it."),
      el("button", { type: "button", className: "main", on: { click: () => this.on.add() } }, icon("plus"), "Add videos"),
      el("p", { className: "soft" }, "Or on the command line: ", el("code", {}, "hgrkit index FOLDER --library LIB")),
    );
  }

  card(video) {
    if (video.state === "failed") {
      return el("li", { className: "video failed" }, el("div", { className: "thumb" }, el("span", { className: "no-picture" }, icon("warn"))),
        el("p", { className: "name", title: video.path }, nameOf(video.path)), el("p", { className: "reason" }, `Not indexed: ${video.reason}`));
    }
    const tags = Object.entries(video.tags ?? {}).slice(0, 4).map(([name, value]) => `${name}: ${value}`).join(", ");
    const duration = video.duration_s ? length(video.duration_s) : "";
    return el("li", { className: "video" },
      el("div", { className: "thumb", on: { click: () => this.on.open(video) } }, picture(video.id, (video.duration_s ?? 0) / 3), el("span", { className: "over" }, icon("play")), duration ? el("span", { className: "when" }, duration) : null),
      el("p", { className: "name" }, el("button", { type: "button", className: "open", title: video.path, aria: { label: `${nameOf(video.path)}, ${duration}. Play` }, on: { click: () => this.on.open(video) } }, nameOf(video.path))),
      tags ? el("p", { className: "soft tags" }, tags) : null,
      el("button", { type: "button", className: "plain small alike", title: "More like this", aria: { label: `More like ${nameOf(video.path)}` }, on: { click: () => this.on.alike(video) } }, icon("alike")));
  }
}

/** The dialog in which a folder is added, and what it says while videos are indexed. */
export class Adding {
  /** `changed` is called when videos were added. */
  constructor(changed) {
    this.changed = changed;
    this.dialog = byId("add");
    this.opener = byId("add-open");
    this.polling = 0;
    this.ended = null;
    this.opener.addEventListener("click", () => this.open());
    this.dialog.addEventListener("click", (event) => event.target === this.dialog && this.dialog.close());
    this.build();
  }

  build() {
    this.folder = el("input", { type: "text", id: "folder", required: true, autocomplete: "off", spellcheck: false, placeholder: "/home/me/Videos", maxLength: 4096, aria: { describedby: "folder-hint add-problem" } });
    this.start = el("button", { type: "submit", className: "main" }, "Index");
    this.stop = el("button", { type: "button", on: { click: () => this.send(api.stopIndexing) }, hidden: true }, "Stop");
    this.problem = el("p", { id: "add-problem", className: "problem", role: "alert" });
    this.progress = el("div", { className: "progress" });
    this.form = el("form", { on: { submit: (event) => { event.preventDefault(); this.send(() => api.index(this.folder.value.trim())); } } },
      el("label", { for: "folder" }, "Folder of videos, or one video"),
      el("div", { className: "field-row" }, this.folder, this.start, this.stop),
      el("p", { id: "folder-hint", className: "soft small-print" }, "A path on the machine where the server runs. Folders in it are looked through, too. Videos stay where they are; what is indexed already is not read again."),
      this.problem);
    this.dialog.replaceChildren(
      el("div", { className: "dialog-head" }, el("h2", { id: "add-title" }, "Add videos"),
        el("button", { type: "button", className: "plain small", aria: { label: "Close" }, title: "Close (Escape)", on: { click: () => this.dialog.close() } }, icon("cross"))),
      this.form, this.progress);
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
      if (["running", "stopping"].includes(status.state)) this.polling = setTimeout(() => this.watch(), POLL_MS);
    } catch (error) {
      this.problem.textContent = error.message;
      this.polling = setTimeout(() => this.watch(), 4 * POLL_MS);
    }
  }

  show(status) {
    const running = ["running", "stopping"].includes(status.state);
    this.form.classList.toggle("closed", !status.may_index);
    if (!status.may_index) this.problem.textContent = `Videos cannot be added here: ${status.why_not ?? "the server only reads"}`;
    for (const input of [this.folder, this.start]) input.disabled = running || !status.may_index;
    this.stop.hidden = !running;
    this.stop.disabled = status.state === "stopping";
    this.opener.classList.toggle("running", running);
    const so_far = status.total === null ? count(status.done, "video") : `${status.done} of ${status.total}`;
    this.opener.querySelector("span").textContent = running ? `Indexing ${so_far}` : "Add videos";
    this.progress.replaceChildren(...(status.state === "idle" ? [] : this.report(status, running)));
    if (this.ended === false && !running) this.tell(status);
    if (status.counts.indexed !== this.indexed && status.state !== "idle") this.changed();
    this.indexed = status.counts.indexed;
    if (running || this.ended !== null) this.ended = !running;
  }

  tell(status) {
    const failed = status.counts.failed ? `, ${status.counts.failed} failed` : "";
    say(status.state === "failed" ? `Indexing failed: ${status.error}` : `Indexing ${status.state === "stopped" ? "stopped" : "is done"}: ${count(status.counts.indexed, "video")} indexed${failed}.`);
  }

  report(status, running) {
    const { counts, total, done, failures } = status;
    const words = { indexed: "indexed", unchanged: "known already", moved: "moved", duplicate: "duplicates", failed: "failed" };
    const title = {
      running: total === null ? "Looking for videos…" : `Indexing ${done} of ${total}`, stopping: "Stopping after the videos that are being read…",
      done: "Done", stopped: "Stopped; what was finished is kept", failed: `Failed: ${status.error ?? ""}`,
    }[status.state];
    const numbers = Object.entries(words).filter(([name]) => counts[name]).map(([name, said]) => el("li", { className: name }, el("strong", {}, counts[name].toLocaleString("en")), ` ${said}`));
    const now = running && status.at_work?.length ? el("p", { className: "soft at-work" }, `Reading ${status.at_work.map(nameOf).join(", ")}`) : null;
    const left = running && done && total ? (status.seconds / done) * (total - done) : null;
    return [
      el("div", { className: "progress-head" }, el("h3", {}, title), el("span", { className: "soft" }, left === null ? "" : `about ${length(Math.max(1, left))} left`)),
      el("progress", { max: total ?? 1, ...(total === null && running ? {} : { value: total ? done : 1 }), aria: { label: "Videos indexed" } }),
      el("ul", { className: "counts" }, numbers), now,
      failures.length ? el("div", { className: "failures" }, el("h3", {}, `${count(counts.failed, "video")} failed`),
        el("ul", {}, failures.map(({ path, reason }) => el("li", {}, el("strong", { title: path }, nameOf(path)), ` ${reason}`)))) : null,
    ].filter(Boolean);
  }
}
