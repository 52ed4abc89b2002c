/** The list of hits: a picture, when and how sure, and what was seen of each phrase. */

import { thumbnail } from "./api.js";
import { clock, el, folderOf, icon, iconButton, nameOf, percent } from "./dom.js";

const LEAST_TOP = 0.5; // so that a page of poor hits looks like one
const UNLIKELY = 0.1; // below this much confidence hits come after a line
const FAINT = 0.25; // and below this much they are written softly

/** The similarity that a whole bar stands for: the highest of some hits, at least 0.5. */
export const topOf = (hits) =>
  Math.max(
    LEAST_TOP,
    ...hits.flatMap((hit) => [
      ...Object.values(hit.levels ?? {}),
      ...hit.phrases.map((phrase) => phrase.similarity),
    ]),
  );

/** A bar that is filled so much, from 0 to 1. */
export function bar(share, kind) {
  return el("span", {
    className: `bar-line ${kind}`,
    style: { "--share": Math.max(0, Math.min(1, share)).toFixed(3) },
  });
}

/** A picture of a video that shows when it cannot be had. */
export function picture(id, seconds, height = 180) {
  const image = el("img", {
    src: thumbnail(id, seconds, height),
    alt: "",
    loading: "lazy",
    decoding: "async",
    on: { error: () => image.replaceWith(el("span", { className: "no-picture" }, icon("film"))) },
  });
  return image;
}

/** Where in a moment its picture is taken: near the beginning, which plays first. */
const shownAt = (hit) => hit.start_s + (hit.end_s - hit.start_s) * 0.4;

/**
 * Fill the list.
 *
 * @param list its element.
 * @param result of a search.
 * @param on `open(hit)` plays one, `alike(hit)` searches by one.
 */
export function drawHits(list, { hits }, on) {
  const top = topOf(hits);
  const cards = hits.map((hit, place) => {
    const isTwice = hits.some((other) => other.video !== hit.video && nameOf(other.video) === nameOf(hit.video));
    return card(hit, { top, on, isFirst: place === 0, folder: isTwice ? folderOf(hit.video) : "" });
  });
  const likely = hits.findLastIndex((hit) => hit.confidence === null || hit.confidence >= UNLIKELY) + 1;
  if (likely && likely < hits.length) cards.splice(likely, 0, el("li", { className: "divider" }, "Less likely"));
  list.replaceChildren(...cards);
}

function card(hit, { top, on, isFirst, folder }) {
  const name = nameOf(hit.video);
  const sure = hit.confidence === null ? scored(hit) : confident(hit.confidence);
  const label = `${hit.rank}. ${name}, ${clock(hit.start_s)} to ${clock(hit.end_s)}, ${sure.title}. Play`;
  const tabIndex = isFirst ? 0 : -1; // one of the hits is reached by Tab, the others by arrows
  const open = { click: () => on.open(hit) };
  return el(
    "li",
    { className: "hit", data: { rank: hit.rank } },
    el(
      "div",
      { className: "thumb", on: open },
      picture(hit.id, shownAt(hit)),
      el("span", { className: "over" }, icon("play")),
      el("span", { className: "when" }, `${clock(hit.start_s)} – ${clock(hit.end_s)}`),
    ),
    el(
      "div",
      { className: "about" },
      el("h3", {}, el("button", { type: "button", className: "open", tabIndex, aria: { label }, on: open }, name)),
      folder ? el("p", { className: "soft folder" }, folder) : null,
      sure,
    ),
    seen(hit, top),
    iconButton("alike", "More like this", () => on.alike(hit), {
      className: "alike",
      tabIndex,
      title: "More like this (M)",
      aria: { label: `More like hit ${hit.rank}` },
    }),
  );
}

/** How similar each phrase is. */
function seen(hit, top) {
  const row = (phrase, className, words, kind) =>
    el(
      "li",
      { className, title: `${phrase.text}: ${phrase.similarity.toFixed(2)}` },
      el("span", {}, words),
      bar(phrase.similarity / top, kind),
    );
  return el(
    "ul",
    { className: "seen", aria: { label: "How much of each phrase was seen" } },
    hit.phrases.map((phrase) => row(phrase, phrase.level, phrase.text, phrase.level)),
    hit.excluded.map((phrase) => row(phrase, "excluded", el("s", {}, phrase.text), "bad")),
  );
}

function confident(confidence) {
  const words = `${percent(confidence)} sure`;
  const className = confidence < FAINT ? "sure faint" : "sure";
  return el("p", { className, title: words }, bar(confidence, "confidence"), el("span", {}, words));
}

function scored(hit) {
  const [what, value] =
    hit.likeness !== null && !hit.phrases.length ? ["likeness", hit.likeness] : ["score", hit.score];
  const words = `${what} ${value.toFixed(2)}`;
  return el("p", { className: "sure", title: words }, bar(value, "event"), el("span", {}, words));
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

/** The buttons that open the entries of a list. */
export const openButtons = (list) => [...list.querySelectorAll(".open")];

/** Move the focus among the hits: true if the key did, "before" if to before the first, `null` if it does not. */
export function stepFrom(list, key) {
  const buttons = openButtons(list);
  const at = buttons.indexOf(document.activeElement);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: buttons.length - 1 }[key];
  if (at < 0 || to === undefined) return null;
  if (to < 0) return "before";
  focusItem(buttons, Math.min(to, buttons.length - 1));
  return true;
}

/** Focus one of some hits, which then is the one that Tab reaches. */
export function focusItem(buttons, place) {
  buttons.forEach((button, other) => {
    for (const each of button.closest("li").querySelectorAll("button")) each.tabIndex = other === place ? 0 : -1;
  });
  buttons[place]?.focus();
  buttons[place]?.closest("li").scrollIntoView({ block: "nearest" });
}

/** Grey places where hits will be. */
export const waiting = (number) =>
  Array.from({ length: number }, () =>
    el(
      "li",
      { className: "hit ghost", aria: { hidden: "true" } },
      el("div", { className: "thumb" }),
      el("div", { className: "about" }, el("span"), el("span"), el("span")),
    ),
  );
