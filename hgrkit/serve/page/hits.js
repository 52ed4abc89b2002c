/** The list of hits: a picture, when and how sure, and what was seen of each phrase. */

import { thumbnail } from "./api.js";
import { clock, el, folderOf, icon, nameOf, percent } from "./dom.js";

const LEAST_TOP = 0.5; // so that a page of poor hits looks like one

const UNLIKELY = 0.1; // below this much confidence hits come after a line

/** The similarity that a whole bar stands for: the highest of some hits, at least 0.5. */
export const topOf = (hits) =>
  Math.max(LEAST_TOP, ...hits.flatMap((hit) => [...Object.values(hit.levels ?? {}), ...hit.phrases.map((phrase) => phrase.similarity)]));

/** A bar that is filled so much, from 0 to 1. */
export function bar(share, kind) {
  return el("span", { className: `bar-line ${kind}`, style: { "--share": Math.max(0, Math.min(1, share)).toFixed(3) } });
}

/** A picture of a video that shows when it cannot be had. */
export function picture(id, seconds, { height = 180, alt = "" } = {}) {
  const image = el("img", {
    src: thumbnail(id, seconds, height), alt, loading: "lazy", decoding: "async",
    on: { error: () => image.replaceWith(el("span", { className: "no-picture" }, icon("film"))) },
  });
  return image;
}

/** Where in a moment its picture is taken: near the beginning, which plays first. */
export const shownAt = (hit) => hit.start_s + (hit.end_s - hit.start_s) * 0.4;

/**
 * Fill the list.
 *
 * @param list its element.
 * @param result of a search.
 * @param on `open(hit)` plays one, `alike(hit)` searches by one.
 */
export function drawHits(list, result, on) {
  const top = topOf(result.hits);
  const names = result.hits.map((hit) => nameOf(hit.video));
  const twice = new Set(names.filter((name, place) => result.hits.some((hit, other) => names[other] === name && hit.video !== result.hits[place].video)));
  const cards = result.hits.map((hit, place) => card(hit, { top, on, first: place === 0, folder: twice.has(names[place]) }));
  const likely = result.hits.findLastIndex((hit) => hit.confidence === null || hit.confidence >= UNLIKELY);
  const unlikely = likely + 1;
  if (0 < unlikely && unlikely < cards.length) cards.splice(unlikely, 0, el("li", { className: "divider" }, "Less likely"));
  list.replaceChildren(...cards);
}

function card(hit, { top, on, first, folder }) {
  const when = `${clock(hit.start_s)} – ${clock(hit.end_s)}`;
  const sure = hit.confidence === null ? scored(hit) : confident(hit.confidence);
  const said = `${hit.rank}. ${nameOf(hit.video)}, ${clock(hit.start_s)} to ${clock(hit.end_s)}, ${sure.title}. Play`;
  const open = el("button", {
    type: "button", className: "open", tabIndex: first ? 0 : -1, aria: { label: said }, on: { click: () => on.open(hit) },
  }, nameOf(hit.video));
  return el("li", { className: "hit", data: { rank: hit.rank } },
    el("div", { className: "thumb", on: { click: () => on.open(hit) } }, picture(hit.id, shownAt(hit)), el("span", { className: "over" }, icon("play")), el("span", { className: "when" }, when)),
    el("div", { className: "about" },
      el("h3", {}, open),
      folder ? el("p", { className: "soft folder" }, folderOf(hit.video)) : null,
      sure),
    el("ul", { className: "seen", aria: { label: "How much of each phrase was seen" } }, [
      ...hit.phrases.map((phrase) => el("li", { className: phrase.level, title: `${phrase.text}: ${phrase.similarity.toFixed(2)}` }, el("span", {}, phrase.text), bar(phrase.similarity / top, phrase.level))),
      ...hit.excluded.map((phrase) => el("li", { className: "excluded", title: `${phrase.text}: ${phrase.similarity.toFixed(2)}` }, el("span", {}, el("s", {}, phrase.text)), bar(phrase.similarity / top, "bad"))),
    ]),
    el("button", { type: "button", className: "plain small alike", title: "More like this", aria: { label: `More like hit ${hit.rank}` }, on: { click: () => on.alike(hit) } }, icon("alike")));
}

function confident(confidence) {
  const kind = confidence >= 0.6 ? "good" : confidence >= 0.25 ? "fair" : "poor";
  return el("p", { className: `sure ${kind}`, title: `${percent(confidence)} sure` }, bar(confidence, kind), el("span", {}, `${percent(confidence)} sure`));
}

function scored(hit) {
  const [what, value] = hit.likeness !== null && !hit.phrases.length ? ["alike", hit.likeness] : ["score", hit.score];
  return el("p", { className: "sure", title: `${what} ${value.toFixed(2)}` }, bar(value, "event"), el("span", {}, `${what} ${value.toFixed(2)}`));
}

/** Mark the hit that plays. */
export function markChosen(list, rank) {
  for (const item of list.children) {
    const chosen = Number(item.dataset.rank) === rank;
    item.classList.toggle("chosen", chosen);
    const open = item.querySelector(".open");
    if (chosen) open?.setAttribute("aria-current", "true");
    else open?.removeAttribute("aria-current");
  }
}

/** Move the focus among the list's buttons; `null` where the key does not. */
export function stepFrom(list, key) {
  const items = [...list.querySelectorAll(".open")];
  const at = items.indexOf(document.activeElement);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[key];
  if (at < 0 || to === undefined) return null;
  return to < 0 ? "before" : focusItem(items, Math.min(to, items.length - 1));
}

/** Focus one of the list's buttons, which then is the one that Tab reaches. */
export function focusItem(items, place) {
  items.forEach((item, other) => (item.tabIndex = other === place ? 0 : -1));
  items[place]?.focus();
  items[place]?.closest("li").scrollIntoView({ block: "nearest" });
  return "moved";
}

/** Grey places where hits will be. */
export const waiting = (number) =>
  Array.from({ length: number }, () => el("li", { className: "hit ghost", aria: { hidden: "true" } }, el("div", { className: "thumb" }), el("div", { className: "about" }, el("span"), el("span"), el("span"))));
