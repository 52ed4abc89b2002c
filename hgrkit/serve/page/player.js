/** The player: a video from the hit's moment, over a timeline that moves with it. */

import { play as askToPlay, thumbnail } from "./api.js";
import { byId, clock, el, folderOf, icon, iconButton, length, nameOf, percent, signed } from "./dom.js";
import { bar, topOf } from "./hits.js";
import { Axis } from "./strips.js";
import { overview, Timeline } from "./timeline.js";

const LONGEST_S = 300; // of what the server prepares for a browser at once
const SHOW_WAIT_MS = 250;
const BEFORE_END_S = 0.02; // a video at its very end shows no frame
const LEVELS = { event: "sentence", action: "actions", entity: "phrases" };
const ABOUT_STRIPS =
  "Columns say how much each frame bears on a phrase. The dashed line is an even share, the dark column the " +
  "best frame. Click a strip to go there.";

export class Player {
  /** `on.alike(hit)`, `on.choose(hit)`, `on.close()` and `on.link()` are what its buttons do. */
  constructor(on) {
    this.on = on;
    this.place = byId("watch");
    this.video = el("video", {
      controls: true,
      playsInline: true,
      preload: "auto",
      tabIndex: 0,
      on: this.listeners(),
    });
    this.hit = null;
    this.serial = 0; // of what is shown: answers for what was shown before are dropped
    this.offset = 0; // of the video that is played, in seconds of the file
    this.repeats = false;
  }

  listeners() {
    const tick = () => this.tick();
    const busy = (is) => () => this.stage?.classList.toggle("busy", is);
    return {
      play: () => this.follow(),
      pause: tick,
      seeking: tick,
      seeked: tick,
      timeupdate: tick,
      loadedmetadata: () => this.ready(),
      error: () => this.failed(),
      waiting: busy(true),
      playing: busy(false),
      canplay: busy(false),
    };
  }

  /** The time of the file that is shown, in seconds from its beginning. */
  get now() {
    return this.loaded ? this.offset + this.video.currentTime : this.seekTo;
  }

  get isOpen() {
    return !this.place.hidden;
  }

  /**
   * Show a hit, or a video as if it were one.
   *
   * @param hit with `id`, `video`, `start_s`, `end_s`, `phrases`, `excluded`; a video has no `rank`.
   * @param others hits of the same video.
   * @param play whether to play it at once.
   */
  show(hit, { others = [], play = false } = {}) {
    this.unload();
    Object.assign(this, { hit, others, wants: play, seekTo: hit.start_s, axis: axisOf(hit) });
    this.draw();
    this.tick();
    if (play) this.load();
  }

  unload() {
    this.serial += 1;
    Object.assign(this, { loading: false, loaded: false });
    this.video.pause();
    this.video.removeAttribute("src");
    this.video.load();
  }

  /** Ask for the video, which may have to be prepared; nothing is asked for before somebody wants to see it. */
  async load() {
    if (this.loading || this.loaded) return;
    this.loading = true;
    const { serial, axis, hit } = this;
    this.stage.classList.remove("idle");
    this.say("");
    const slow = setTimeout(() => this.stage.classList.add("busy"), SHOW_WAIT_MS);
    try {
      const end = Math.max(Math.min(axis.end, hit.duration_s ?? Infinity), axis.start + 0.1);
      const answer = await askToPlay(hit.id, axis.start.toFixed(2), end.toFixed(2));
      if (serial === this.serial) this.take(answer);
    } catch (error) {
      if (serial !== this.serial) return;
      this.loading = false;
      this.say(error.message);
    } finally {
      clearTimeout(slow);
    }
  }

  take(made) {
    this.made = made;
    this.offset = made.offset_s;
    this.video.src = made.url;
    if (made.how === "encoded") this.note.textContent = `Converted for this browser: ${made.why}.`;
  }

  ready() {
    this.stage.classList.remove("busy");
    Object.assign(this, { loading: false, loaded: true });
    this.seek(this.seekTo);
    if (this.wants) this.start();
  }

  failed() {
    if (!this.video.getAttribute("src")) return;
    const what = this.made.how === "original" ? "the file" : "what the server made of it";
    this.say(`This browser cannot play ${what}. It is at ${this.hit.video}`);
  }

  /** Say on the picture why nothing is played. */
  say(words) {
    this.stage.classList.remove("busy");
    this.stageNote.textContent = words;
    this.stageNote.hidden = !words;
  }

  start() {
    this.wants = true;
    if (!this.loaded) this.load();
    else this.video.play().catch(() => this.tick()); // a browser may want a click first
  }

  /** Go to a time of the file. */
  seek(seconds) {
    this.seekTo = seconds;
    if (this.loaded) {
      const last = Number.isFinite(this.video.duration) ? this.video.duration - BEFORE_END_S : Infinity;
      this.video.currentTime = Math.max(0, Math.min(seconds - this.offset, last));
    } else {
      this.load();
    }
    this.tick();
  }

  playMoment() {
    this.seek(this.hit.start_s);
    this.start();
  }

  toggle() {
    if (this.video.paused) this.start();
    else this.video.pause();
  }

  close() {
    this.unload();
    this.hit = null;
    this.place.hidden = true;
  }

  /** Follow the playhead while the video plays. */
  follow() {
    const step = () => {
      this.tick();
      if (!this.video.paused && !this.video.ended) requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }

  tick() {
    if (!this.hit) return;
    if (this.repeats && !this.video.paused && this.now > this.hit.end_s) this.seek(this.hit.start_s);
    this.timeline.moveTo(this.now);
    this.clock.textContent = clock(this.now);
  }

  draw() {
    const { hit, axis } = this;
    this.timeline = new Timeline(hit, axis, (seconds) => this.seek(seconds));
    this.note = el("p", { className: "soft small-print" });
    const parts = [
      this.head(),
      this.drawStage(),
      this.tools(),
      overview(hit, this.others, axis, (other) => (other === hit ? this.playMoment() : this.on.choose(other))),
      this.timeline.element,
      hit.phrases.length ? why(hit) : null,
      this.note,
    ];
    this.place.replaceChildren(...parts.filter(Boolean));
    this.place.hidden = false;
  }

  drawStage() {
    const { hit } = this;
    this.video.poster = thumbnail(hit.id, hit.start_s, 480);
    this.video.setAttribute("aria-label", `Video ${nameOf(hit.video)}`);
    this.stageNote = el("p", { className: "stage-note", role: "alert", hidden: true });
    const begin = el(
      "button",
      { type: "button", className: "begin", aria: { label: "Play" }, on: { click: () => this.playMoment() } },
      icon("play"),
    );
    this.stage = el(
      "div",
      { className: "stage idle" },
      this.video,
      begin,
      el("span", { className: "spinner", aria: { hidden: "true" } }),
      this.stageNote,
    );
    return this.stage;
  }

  head() {
    const { hit } = this;
    const about = [
      hit.rank ? `Hit ${hit.rank}` : null,
      `${clock(hit.start_s)} to ${clock(hit.end_s)}`,
      isSure(hit) ? `${percent(hit.confidence)} sure` : null,
    ];
    return el(
      "div",
      { className: "watch-head" },
      el(
        "div",
        {},
        el("h2", { title: hit.video }, nameOf(hit.video)),
        el("p", { className: "soft" }, about.filter(Boolean).join(" · ")),
        el("p", { className: "soft folder" }, folderOf(hit.video)),
      ),
      iconButton("cross", "Close the player", () => this.on.close(), { title: "Close (Escape)" }),
    );
  }

  tools() {
    const { hit } = this;
    const tool = (name, words, click, more = {}) =>
      el("button", { type: "button", ...more, on: { click } }, icon(name), el("span", {}, words));
    this.clock = el("span", { className: "now-clock" }, clock(hit.start_s));
    return el(
      "div",
      { className: "watch-tools" },
      tool("play", hit.rank ? "Play the moment" : "Play", () => this.playMoment(), { className: "main" }),
      tool("repeat", "Repeat", (event) => this.toggleRepeat(event.currentTarget), {
        aria: { pressed: String(this.repeats) },
        title: "Play the moment again and again",
      }),
      tool("alike", "More like this", () => this.on.alike(hit)),
      tool("link", "Copy link", () => this.on.link()),
      el(
        "p",
        { className: "times" },
        this.clock,
        hit.duration_s ? el("span", { className: "soft" }, ` of ${length(hit.duration_s)}`) : null,
      ),
    );
  }

  toggleRepeat(button) {
    this.repeats = !this.repeats;
    button.setAttribute("aria-pressed", String(this.repeats));
    if (this.repeats) this.playMoment();
  }
}

const isSure = ({ confidence }) => confidence !== null && confidence !== undefined;

/** The span of time that is shown: the clip that a hit lies in, or a whole video, if neither is too long. */
function axisOf(hit) {
  const shown = hit.phrases[0] ?? hit.excluded[0];
  const end = Math.min(hit.duration_s ?? hit.end_s, LONGEST_S);
  const axis = shown ? Axis.of(shown.times_s) : new Axis(0, Math.max(end, hit.end_s));
  return axis.length > LONGEST_S ? new Axis(hit.start_s, hit.end_s) : axis;
}

function why(hit) {
  const top = topOf([hit]);
  const levels = Object.entries(LEVELS)
    .filter(([level]) => hit.levels[level] !== null)
    .map(([level, words]) =>
      el(
        "li",
        {},
        el("span", {}, words),
        bar(hit.levels[level] / top, level),
        el("span", { className: "value" }, signed(hit.levels[level])),
      ),
    );
  return el(
    "div",
    { className: "why" },
    el("ul", { aria: { label: "How similar each level is" } }, levels),
    el("p", { className: "soft small-print" }, ABOUT_STRIPS),
  );
}
