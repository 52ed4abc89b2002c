/** Strips under the player: how much each frame bears on each phrase, over the time of the clip. */

import { clock, el, svg } from "./dom.js";

const HEIGHT = 24;
const WIDTH = 1000;
const MORE_THAN_EVEN = 1.25; // of a frame's even share: what is drawn strong, as on the page that explains hits
const LEAST_SHARES = 2; // so that frames that are all alike fill half of their columns

/** The span of time that strips show, and where each frame's column begins and ends. */
export class Axis {
  constructor(start, end, edges = []) {
    Object.assign(this, { start, end, edges });
  }

  /** Of frames at some times: each has the time that is nearer to it than to the others. */
  static of(times) {
    const between = times.slice(1).map((time, place) => (time + times[place]) / 2);
    const half = times.length > 1 ? [between[0] - times[0], times.at(-1) - between.at(-1)] : [0.5, 0.5];
    const edges = [Math.max(0, times[0] - half[0]), ...between, times.at(-1) + half[1]];
    return new Axis(edges[0], edges.at(-1), edges);
  }

  get length() {
    return Math.max(0.001, this.end - this.start);
  }

  /** Where a time lies, from 0 to 1; outside of that if it is not in the span. */
  at(seconds) {
    return (seconds - this.start) / this.length;
  }

  /** The time at a place from 0 to 1. */
  time(place) {
    return this.start + Math.max(0, Math.min(1, place)) * this.length;
  }

  /** The frame whose column has a time; -1 if none has. */
  frame(seconds) {
    return this.edges.findIndex(
      (edge, place) => place + 1 < this.edges.length && edge <= seconds && seconds < this.edges[place + 1],
    );
  }
}

/** One phrase's columns. `top` is the weight that a whole column stands for. */
export function strip(phrase, axis, top) {
  const even = 1 / phrase.weights.length;
  const best = phrase.weights.indexOf(Math.max(...phrase.weights));
  const shares = (phrase.weights[best] / even).toFixed(1);
  const seen = `${phrase.text}: most at ${clock(phrase.times_s[best])}, ${shares} times an even share`;
  const drawing = svg("svg", {
    class: "strip",
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
    preserveAspectRatio: "none",
    role: "img",
    "aria-label": seen,
  });
  phrase.weights.forEach((weight, place) => {
    const kind = place === best ? "best" : weight >= MORE_THAN_EVEN * even ? "more" : "plain";
    const [left, right] = [axis.at(axis.edges[place]) * WIDTH, axis.at(axis.edges[place + 1]) * WIDTH];
    const tall = HEIGHT * Math.min(1, weight / top);
    drawing.append(
      svg("rect", {
        class: kind,
        x: left.toFixed(1),
        y: (HEIGHT - tall).toFixed(1),
        width: Math.max(0.5, right - left - 1.5).toFixed(1),
        height: tall.toFixed(1),
      }),
    );
  });
  const line = HEIGHT * (1 - even / top);
  drawing.append(svg("line", { class: "even", x2: WIDTH, y1: line.toFixed(1), y2: line.toFixed(1) }));
  return drawing;
}

/** The weight that a whole column stands for, of phrases that are shown together. */
export const topWeight = (phrases) =>
  Math.max(LEAST_SHARES / (phrases[0]?.weights.length ?? 1), ...phrases.flatMap((phrase) => phrase.weights));

/** The time at which a phrase is seen best. */
export const bestTime = (phrase) => phrase.times_s[phrase.weights.indexOf(Math.max(...phrase.weights))];

/** A frame's weight in even shares. */
export const sharesAt = (phrase, frame) => (phrase.weights[frame] ?? 0) * phrase.weights.length;

/** A span of time as a bracket on an axis. */
export function bracket(axis, start, end, properties = {}) {
  const [left, right] = [Math.max(0, axis.at(start)), Math.min(1, axis.at(end))];
  return el(properties.on ? "button" : "span", {
    ...properties,
    className: `bracket ${properties.className ?? ""}`,
    style: { "--left": left.toFixed(4), "--wide": Math.max(0.004, right - left).toFixed(4) },
  });
}
