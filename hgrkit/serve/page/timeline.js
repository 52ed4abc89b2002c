/** What lies under the player: the film, the moment, a strip for each phrase, and a playhead over all of them. */

import { clock, count, el, length, signed } from "./dom.js";
import { roleWords } from "./graph.js";
import { picture } from "./hits.js";
import { Axis, bestTime, bracket, sharesAt, strip, topWeight } from "./strips.js";

const FILM_FRAMES = 8;
const NOW = 1.1; // even shares: from here on a phrase counts as seen under the playhead

/** The timeline of one hit. */
export class Timeline {
  /**
   * @param hit that is shown; see `Player.show`.
   * @param axis the span of time.
   * @param seek is called with a time to go to, in seconds.
   */
  constructor(hit, axis, seek) {
    Object.assign(this, { hit, axis, seek });
    this.element = this.draw();
  }

  /** Put the playhead at a time, and mark the phrases that are seen there. */
  moveTo(now) {
    const at = this.axis.at(now);
    this.element.style.setProperty("--at", Math.max(0, Math.min(1, at)).toFixed(5));
    this.element.classList.toggle("outside", at < 0 || at > 1);
    if (document.activeElement !== this.scrub) this.scrub.value = now;
    const frame = this.axis.frame(now);
    for (const { row, phrase } of this.rows) row.classList.toggle("now", sharesAt(phrase, frame) >= NOW);
  }

  draw() {
    const { hit } = this;
    const phrases = [
      ...hit.phrases.map((phrase) => [phrase, phrase.level]),
      ...hit.excluded.map((phrase) => [phrase, "excluded"]),
    ];
    const top = topWeight(phrases.map(([phrase]) => phrase));
    this.rows = phrases.map(([phrase, kind]) => ({ phrase, row: this.row(phrase, kind, top) }));
    this.scrub = this.slider();
    const label = (words) => (phrases.length ? el("span", { className: "label soft" }, words) : null);
    return el(
      "div",
      { className: phrases.length ? "timeline" : "timeline bare" },
      el("div", { className: "line" }, label("the moment"), el("div", {}, this.film(), this.moment())),
      this.rows.map(({ row }) => row),
      el("div", { className: "line" }, label(""), this.scrub),
      el("div", { className: "playhead", aria: { hidden: "true" } }),
    );
  }

  /** A part of the timeline that takes the video to where it is clicked; with keys the slider does. */
  track(className, ...content) {
    const click = (event) => {
      const box = event.currentTarget.getBoundingClientRect();
      this.seek(this.axis.time((event.clientX - box.left) / box.width));
    };
    return el("div", { className: `track ${className}`, on: { click } }, ...content);
  }

  film() {
    const { hit, axis } = this;
    const times = Array.from({ length: FILM_FRAMES }, (_, place) => axis.time((place + 0.5) / FILM_FRAMES));
    return this.track(
      "film",
      times.map((time) => picture(hit.id, Math.min(time, hit.duration_s ?? time), 90)),
    );
  }

  moment() {
    return this.track("moments", this.hit.rank ? bracket(this.axis, this.hit.start_s, this.hit.end_s) : "");
  }

  slider() {
    const { axis, hit } = this;
    return el("input", {
      type: "range",
      className: "scrub",
      min: axis.start,
      max: axis.end,
      step: 0.1,
      value: hit.start_s,
      aria: { label: "Position in the clip, in seconds" },
      on: { input: (event) => this.seek(Number(event.target.value)) },
    });
  }

  row(phrase, kind, top) {
    const best = bestTime(phrase);
    const goes = `Go to ${clock(best)}, where it is seen best`;
    const role = kind === "excluded" ? "must not show" : roleWords(phrase.role);
    const asked = [phrase.text, role].filter(Boolean).join(", ");
    const said = `${asked}: similarity ${phrase.similarity.toFixed(2)}. ${goes}`;
    const label = el(
      "button",
      {
        type: "button",
        className: `node ${kind}`,
        title: goes,
        aria: { label: said },
        on: { click: () => this.seek(best) },
      },
      phrase.text,
    );
    return el(
      "div",
      { className: `line phrase ${kind}` },
      el("span", { className: "label" }, label, el("span", { className: "value" }, signed(phrase.similarity))),
      this.track("", strip(phrase, this.axis, top)),
    );
  }
}

/**
 * Where a clip lies in a longer video, and the other moments found there; null where there is no more to see.
 *
 * @param hit that is shown.
 * @param others hits of the same video.
 * @param axis the clip's span of time.
 * @param choose is called with the hit that is pressed.
 */
export function overview(hit, others, axis, choose) {
  const { duration_s: duration } = hit;
  if (!duration || (duration < axis.length * 1.1 && !others.length)) return null;
  const whole = new Axis(0, duration);
  const marks = [hit, ...others].map((other) => {
    const when = `${clock(other.start_s)} to ${clock(other.end_s)}`;
    const label = `${other === hit ? "This moment" : `Hit ${other.rank}`}: ${when}`;
    return bracket(whole, other.start_s, other.end_s, {
      type: "button",
      className: other === hit ? "this" : "",
      title: when,
      aria: { label },
      on: { click: () => choose(other) },
    });
  });
  const clip = { "--left": whole.at(axis.start).toFixed(4), "--wide": (axis.length / whole.length).toFixed(4) };
  const words = others.length
    ? `${count(others.length + 1, "moment")} found in ${length(duration)}`
    : `${clock(axis.start)} to ${clock(axis.end)} of ${length(duration)}`;
  return el(
    "div",
    { className: "overview" },
    el("p", { className: "soft" }, words),
    el("div", { className: "whole" }, el("span", { className: "part", style: clip }), marks),
  );
}
