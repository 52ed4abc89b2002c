/** All videos of the library. */

import { videos as askForVideos } from "./api.js";
import { byId, count, el, icon, iconButton, length, nameOf } from "./dom.js";
import { openButtons, picture } from "./hits.js";

const AT_ONCE = 60;
const SHOWN_AT = 1 / 3; // of a video: its beginning is often black
const MOST_TAGS = 4;

/** A video as the player shows it: no hit, but from its beginning to its end. */
export const asHit = (video) => ({
  id: video.id,
  video: video.path,
  duration_s: video.duration_s,
  start_s: 0,
  end_s: video.duration_s ?? 1,
  phrases: [],
  excluded: [],
});

/** The list of all videos. */
export class Gallery {
  /** `on.open(video)` plays one, `on.alike(video)` searches by one, `on.add()` opens the dialog to add some. */
  constructor(on) {
    this.on = on;
    this.list = byId("videos");
    this.shown = 0;
    byId("videos-more").addEventListener("click", () => this.more());
  }

  /** Show the first videos, or as many as are shown already. */
  async load() {
    const { videos, total } = await askForVideos(Math.max(AT_ONCE, this.shown), 0);
    this.list.replaceChildren();
    this.add(videos, total);
  }

  async more() {
    const { videos, total } = await askForVideos(AT_ONCE, this.shown);
    const first = this.shown;
    this.add(videos, total);
    openButtons(this.list)[first]?.focus();
  }

  add(videos, total) {
    this.list.append(...videos.map((video) => this.card(video)));
    this.shown = this.list.children.length;
    byId("videos-more").hidden = this.shown >= total;
    byId("library-title").textContent = total ? count(total, "video") : "No videos yet";
    byId("library-hint").hidden = total === 0;
    byId("empty").hidden = total > 0;
    if (!total) this.fillEmpty();
  }

  fillEmpty() {
    byId("empty").replaceChildren(
      icon("folder"),
      el("p", {}, "Add a folder of videos. Each is watched once; then you can ask for what happens in it."),
      el(
        "button",
        { type: "button", className: "main", on: { click: () => this.on.add() } },
        icon("plus"),
        "Add videos",
      ),
      el(
        "p",
        { className: "soft" },
        "Or on the command line: ",
        el("code", {}, "hgrkit index FOLDER --library LIB"),
      ),
    );
  }

  /** The button of a video, by its path; undefined if it is not shown. */
  buttonOf(path) {
    return openButtons(this.list).find((button) => button.title === path);
  }

  card(video) {
    const name = nameOf(video.path);
    if (video.state === "failed") return failedCard(video, name);
    const duration = video.duration_s ? length(video.duration_s) : "";
    const tags = Object.entries(video.tags ?? {})
      .slice(0, MOST_TAGS)
      .map(([tag, value]) => `${tag}: ${value}`);
    const on = { click: () => this.on.open(video) };
    const open = el(
      "button",
      { type: "button", className: "open", title: video.path, aria: { label: `${name}, ${duration}. Play` }, on },
      name,
    );
    return el(
      "li",
      { className: "video" },
      el(
        "div",
        { className: "thumb", on },
        picture(video.id, (video.duration_s ?? 0) * SHOWN_AT),
        el("span", { className: "over" }, icon("play")),
        duration ? el("span", { className: "when" }, duration) : null,
      ),
      el(
        "div",
        { className: "video-foot" },
        el("p", { className: "name" }, open),
        iconButton("alike", "More like this", () => this.on.alike(video), {
          aria: { label: `More like ${name}` },
        }),
      ),
      tags.length ? el("p", { className: "soft tags" }, tags.join(", ")) : null,
    );
  }
}

function failedCard({ path, reason }, name) {
  return el(
    "li",
    { className: "video failed" },
    el("div", { className: "thumb" }, el("span", { className: "no-picture" }, icon("warn"))),
    el("p", { className: "name", title: path }, name),
    el("p", { className: "reason" }, `Not indexed: ${reason}`),
  );
}
