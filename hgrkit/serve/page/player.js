/** The player: a video from the hit's moment, with strips of its phrases that move with the playhead. */

import { play as askToPlay, thumbnail } from "./api.js";
import { byId, clock, count, el, folderOf, icon, length, nameOf, percent, signed } from "./dom.js";
import { roleWords } from "./graph.js";
import { bar, picture, topOf } from "./hits.js";
import { Axis, bestTime, bracket, sharesAt, strip, topWeight } from "./strips.js";

const FILM_FRAMES = 8;
const LONGEST_S = 300; // of what the server prepares for a browser at once
const NOW = 1.1; // even shares: from here on a phrase counts as seen under the playhead
const SHOW_WAIT_MS = 250;

export class Player {
  /** `on.alike(hit)`, `on.choose(hit)`, `on.close()` and `on.link()` are what its buttons do. */
  constructor(on) {
    this.on = on;
    this.place = byId("watch");
    this.video = el("video", { controls: true, playsInline: true, preload: "auto", tabIndex: 0, on: this.listeners() });
    this.serial = 0;
    this.offset = 0;
  }

  listeners() {
    const tick = () => this.tick();
    return {
      play: () => this.follow(), pause: tick, seeking: tick, seeked: tick, timeupdate: tick,
      loadedmetadata: () => this.ready(), error: () => this.failed(), waiting: () => this.stage?.classList.add("busy"),
      playing: () => this.stage?.classList.remove("busy"), canplay: () => this.stage?.classList.remove("busy"),
    };
  }

  /** The time of the video that is shown, in seconds from its beginning. */
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
   * @param others hits of the same video, which are marked on its timeline.
   */
  show(hit, { others = [], play = false } = {}) {
    this.unload();
    Object.assign(this, { hit, others, wants: play, seekTo: hit.start_s });
    const shown = hit.phrases[0] ?? hit.excluded[0];
    const end = Math.min(hit.duration_s ?? hit.end_s, LONGEST_S);
    this.axis = shown ? Axis.of(shown.times_s) : new Axis(Math.min(0, hit.start_s), Math.max(end, hit.end_s));
    if (this.axis.length > LONGEST_S) this.axis = new Axis(hit.start_s, hit.end_s);
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
    const { serial } = this;
    this.stage.classList.remove("idle");
    this.say("");
    const slow = setTimeout(() => this.stage.classList.add("busy"), SHOW_WAIT_MS);
    try {
      const end = Math.min(this.axis.end, this.hit.duration_s ?? Infinity);
      const answer = await askToPlay(this.hit.id, this.axis.start.toFixed(2), Math.max(end, this.axis.start + 0.1).toFixed(2));
      if (serial !== this.serial) return;
      this.offset = answer.offset_s;
      this.made = answer;
      this.video.src = answer.url;
      if (answer.how === "encoded") this.note.textContent = `Converted for this browser: ${answer.why}.`;
    } catch (error) {
      if (serial !== this.serial) return;
      this.loading = false;
      this.say(error.message);
    } finally {
      clearTimeout(slow);
    }
  }

  ready() {
    this.stage.classList.remove("busy");
    Object.assign(this, { loading: false, loaded: true });
    this.seek(this.seekTo);
    if (this.wants) this.start();
    this.tick();
  }

  failed() {
    if (!this.video.getAttribute("src")) return;
    this.say(`This browser cannot play ${this.made?.how === "original" ? "the file" : "what the server made of it"}. It is at ${this.hit.video}`);
  }

  say(words) {
    this.stage.classList.toggle("failed", Boolean(words));
    this.stage.classList.remove("busy");
    this.stageNote.textContent = words;
    this.stageNote.hidden = !words;
  }

  start() {
    this.wants = true;
    if (!this.loaded) this.load();
    else this.video.play().catch(() => this.tick()); // a browser may want a click first
  }

  /** Go to a time of the video. */
  seek(seconds) {
    this.seekTo = seconds;
    this.tick();
    if (!this.loaded) {
      this.load();
      return;
    }
    const last = Number.isFinite(this.video.duration) ? this.video.duration - 0.02 : Infinity;
    this.video.currentTime = Math.max(0, Math.min(seconds - this.offset, last));
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
    if (!this.hit || !this.timeline) return;
    const { now } = this;
    if (this.repeats && !this.video.paused && now > this.hit.end_s) this.seek(this.hit.start_s);
    const at = this.axis.at(now);
    this.timeline.style.setProperty("--at", Math.max(0, Math.min(1, at)).toFixed(5));
    this.timeline.classList.toggle("outside", at < 0 || at > 1);
    this.clock.textContent = clock(now);
    if (document.activeElement !== this.scrub) this.scrub.value = now;
    const frame = this.axis.frame(now);
    for (const { row, phrase } of this.rows) row.classList.toggle("now", sharesAt(phrase, frame) >= NOW);
  }

  draw() {
    const { hit } = this;
    this.place.hidden = false;
    this.stageNote = el("p", { className: "stage-note", role: "alert", hidden: true });
    this.note = el("p", { className: "soft small-print" });
    this.video.poster = thumbnail(hit.id, hit.start_s, 480);
    this.video.setAttribute("aria-label", `Video ${nameOf(hit.video)}`);
    const begin = el("button", { type: "button", className: "begin", aria: { label: "Play" }, on: { click: () => this.playMoment() } }, icon("play"));
    this.stage = el("div", { className: "stage idle" }, this.video, begin, el("span", { className: "spinner", aria: { hidden: "true" } }), this.stageNote);
    this.place.replaceChildren(this.head(), this.stage, this.tools(), this.drawTimeline(), ...this.why(), this.note);
  }

  head() {
    const { hit } = this;
    const sure = hit.confidence === null || hit.confidence === undefined ? "" : ` · ${percent(hit.confidence)} sure`;
    const rank = hit.rank ? `Hit ${hit.rank} · ` : "";
    return el("div", { className: "watch-head" },
      el("div", {}, el("h2", { title: hit.video }, nameOf(hit.video)),
        el("p", { className: "soft" }, `${rank}${clock(hit.start_s)} to ${clock(hit.end_s)}${sure}`, el("span", { className: "folder" }, folderOf(hit.video)))),
      el("button", { type: "button", className: "plain small close", title: "Close (Escape)", aria: { label: "Close the player" }, on: { click: () => this.on.close() } }, icon("cross")));
  }

  tools() {
    const { hit } = this;
    const tool = (name, words, click, more = {}) => el("button", { type: "button", ...more, on: { click } }, icon(name), el("span", {}, words));
    const repeat = tool("repeat", "Repeat", (event) => {
      this.repeats = !this.repeats;
      event.currentTarget.setAttribute("aria-pressed", String(this.repeats));
      if (this.repeats) this.playMoment();
    }, { aria: { pressed: String(Boolean(this.repeats)) }, title: "Play the moment again and again" });
    this.clock = el("span", { className: "now-clock" }, clock(hit.start_s));
    return el("div", { className: "watch-tools" },
      tool("play", hit.rank ? "Play the moment" : "Play", () => this.playMoment(), { className: "main" }), repeat,
      tool("alike", "More like this", () => this.on.alike(hit)), tool("link", "Copy link", () => this.on.link()),
      el("p", { className: "times" }, this.clock, hit.duration_s ? el("span", { className: "soft" }, ` of ${length(hit.duration_s)}`) : null));
  }

  drawTimeline() {
    const { hit, axis } = this;
    const seekAt = (event) => {
      const box = event.currentTarget.getBoundingClientRect();
      this.seek(axis.time((event.clientX - box.left) / box.width));
    };
    const frames = Array.from({ length: FILM_FRAMES }, (_, place) => axis.time((place + 0.5) / FILM_FRAMES));
    const film = el("div", { className: "film track", aria: { hidden: "true" }, on: { click: seekAt } }, frames.map((time) => picture(hit.id, Math.min(time, hit.duration_s ?? time), { height: 90 })));
    const moments = el("div", { className: "track moments", aria: { hidden: "true" }, on: { click: seekAt } }, bracket(axis, hit.start_s, hit.end_s));
    this.scrub = el("input", {
      type: "range", className: "scrub", min: axis.start, max: axis.end, step: 0.1, value: hit.start_s,
      aria: { label: "Position in the clip, in seconds" }, on: { input: (event) => this.seek(Number(event.target.value)) },
    });
    this.rows = [];
    const phrases = [...hit.phrases.map((phrase) => [phrase, phrase.level]), ...hit.excluded.map((phrase) => [phrase, "excluded"])];
    const top = topWeight(phrases.map(([phrase]) => phrase));
    const rows = phrases.map(([phrase, kind]) => this.row(phrase, kind, top, seekAt));
    const label = rows.length ? el("span", { className: "label soft" }, hit.rank ? "the moment" : "") : null;
    this.timeline = el("div", { className: `timeline ${rows.length ? "" : "bare"}` },
      el("div", { className: "line" }, label, el("div", { className: "tracks" }, film, moments)),
      ...rows, el("div", { className: "line" }, rows.length ? el("span", { className: "label" }) : null, this.scrub),
      el("div", { className: "playhead", aria: { hidden: "true" } }));
    return el("div", { className: "under" }, this.overview(), this.timeline);
  }

  row(phrase, kind, top, seekAt) {
    const best = bestTime(phrase);
    const said = kind === "excluded" ? `${phrase.text}, must not show` : `${phrase.text}, ${roleWords(phrase.role)}`;
    const label = el("button", {
      type: "button", className: `node ${kind}`, title: `Go to ${clock(best)}, where it is seen best`,
      aria: { label: `${said}: similarity ${phrase.similarity.toFixed(2)}. Go to ${clock(best)}, where it is seen best` },
      on: { click: () => this.seek(best) },
    }, phrase.text);
    const row = el("div", { className: `line phrase ${kind}` },
      el("span", { className: "label" }, label, el("span", { className: "value" }, signed(phrase.similarity))),
      el("div", { className: "track", on: { click: seekAt } }, strip(phrase, this.axis, top)));
    this.rows.push({ row, phrase });
    return row;
  }

  /** Where the clip lies in a longer video, and the video's other moments. */
  overview() {
    const { hit, axis, others } = this;
    if (!hit.duration_s || (hit.duration_s < axis.length * 1.1 && !others.length)) return null;
    const whole = new Axis(0, hit.duration_s);
    const marks = [hit, ...others].map((other) => bracket(whole, other.start_s, other.end_s, {
      type: "button", className: other === hit ? "this" : "", on: { click: () => (other === hit ? this.playMoment() : this.on.choose(other)) },
      title: `${clock(other.start_s)} to ${clock(other.end_s)}`, aria: { label: `${other === hit ? "This moment" : `Hit ${other.rank}`}: ${clock(other.start_s)} to ${clock(other.end_s)}` },
    }));
    const words = others.length ? `${count(others.length + 1, "moment")} found in ${length(hit.duration_s)}` : `${clock(axis.start)} to ${clock(axis.end)} of ${length(hit.duration_s)}`;
    return el("div", { className: "overview" }, el("p", { className: "soft" }, words),
      el("div", { className: "whole" }, el("span", { className: "part", style: { "--left": whole.at(axis.start).toFixed(4), "--wide": (axis.length / whole.length).toFixed(4) } }), marks));
  }

  why() {
    const { hit } = this;
    if (!hit.levels || !hit.phrases.length) return [];
    const top = topOf([hit]);
    const words = { event: "sentence", action: "actions", entity: "phrases" };
    const levels = Object.entries(words).filter(([level]) => hit.levels[level] !== null).map(([level, name]) =>
      el("li", {}, el("span", {}, name), bar(hit.levels[level] / top, level), el("span", { className: "value" }, signed(hit.levels[level]))));
    return [el("div", { className: "why" }, el("ul", { aria: { label: "How similar it is" } }, levels),
      el("p", { className: "soft small-print" }, "Columns say how much each frame bears on a phrase; the dashed line is an even share, the dark column the best frame. Click a strip to go there."))];
  }
}
