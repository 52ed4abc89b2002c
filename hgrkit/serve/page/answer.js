/** Shows what a search found, or why it found nothing. */

import { byId, clock, count, el, icon, nameOf, percent, say } from "./dom.js";
import { drawHits, waiting } from "./hits.js";
import { MOST_HITS } from "./question.js";

const NOTHING_MATCHES = "Nothing here seems to match";
const GHOSTS = 4;

/** Say in a few words how the search stands. */
export const status = (...words) => byId("status").replaceChildren(...words);

/** Show that a search is under way: hits of the one before stay, but pale. */
export function showWaiting(isFirst) {
  byId("library").hidden = true;
  byId("answer").hidden = false;
  byId("answer").classList.add("stale");
  byId("hits").setAttribute("aria-busy", "true");
  if (!isFirst) return;
  status("Looking…");
  byId("hits").replaceChildren(...waiting(GHOSTS));
}

function isShown() {
  byId("answer").classList.remove("stale");
  byId("hits").setAttribute("aria-busy", "false");
}

/**
 * Show an answer.
 *
 * @param result of a search.
 * @param question that was asked.
 * @param on `open(hit)` plays one, `alike(hit)` searches by one, `put(part)` changes the question, `add()` adds
 * videos, `isEmpty()` tells whether there are none.
 */
export function showAnswer(result, question, on) {
  isShown();
  const { hits, elapsed_ms: milliseconds, exact } = result;
  status(
    hits.length ? count(hits.length, "hit") : "No hits",
    el(
      "span",
      { className: "soft" },
      ` in ${Math.max(1, Math.round(milliseconds))} ms${exact ? "" : " among the nearest clips"}`,
    ),
  );
  showVerdict(verdictOf(result, question, on));
  const notes = result.notes.filter((note) => hits.length || !isAboutFilter(note));
  byId("notes").hidden = !notes.length;
  byId("notes").replaceChildren(...notes.map((note) => el("li", {}, note)));
  drawHits(byId("hits"), result, on);
  byId("more").hidden = hits.length < question.k || question.k >= MOST_HITS;
  tell(result);
}

const isAboutFilter = (note) => note.startsWith("No video matches");

/** Tell a screen reader what was found. */
function tell({ hits, matched, notes }) {
  const [first] = hits;
  const sure = first && first.confidence !== null ? `, ${percent(first.confidence)} sure` : "";
  const best = first
    ? `First: ${nameOf(first.video)}, ${clock(first.start_s)} to ${clock(first.end_s)}${sure}.`
    : "";
  const said = [
    matched ? "" : `${NOTHING_MATCHES}.`,
    hits.length ? `${count(hits.length, "hit")}.` : "No hits.",
    best,
    ...notes,
  ];
  say(said.filter(Boolean).join(" "));
}

/** What is said before the hits; null where they speak for themselves. */
function verdictOf({ hits, matched, notes }, question, on) {
  if (hits.length) return matched ? null : { title: `${NOTHING_MATCHES}.`, words: "These are only the nearest." };
  const filtered = notes.find(isAboutFilter);
  if (filtered) return { title: filtered, action: ["Remove the filter", () => on.put({ where: "" })] };
  if (question.least) {
    const words = `No video is at least ${Math.round(question.least * 100)}% sure.`;
    return { title: `${NOTHING_MATCHES}.`, words, action: ["Show the nearest", () => on.put({ least: 0 })] };
  }
  if (on.isEmpty())
    return {
      title: "There are no videos yet.",
      words: "Add some; then ask again.",
      action: ["Add videos", on.add],
    };
  return { title: "No hits.", words: "Ask in other words, or leave a phrase out." };
}

function showVerdict(verdict) {
  const place = byId("verdict");
  place.hidden = !verdict;
  if (!verdict) return;
  const { title, words, action, isBad } = verdict;
  place.className = isBad ? "verdict bad" : "verdict";
  place.replaceChildren(
    icon(isBad ? "warn" : "search"),
    el("p", {}, el("strong", {}, title), words ? ` ${words}` : ""),
    action ? el("button", { type: "button", on: { click: action[1] } }, action[0]) : "",
  );
}

/**
 * Say why there is no answer, and what to do.
 *
 * @param error a `Failure` of `api.js`.
 * @param question that was asked.
 * @param on `put(part)` changes the question, `again()` asks once more.
 */
export function showTrouble(error, question, on) {
  byId("library").hidden = true;
  byId("answer").hidden = false;
  isShown();
  byId("hits").replaceChildren();
  for (const id of ["notes", "more"]) byId(id).hidden = true;
  status("No answer");
  const isFilter = error.status === 400 && question.where && /where|filter|column/i.test(error.message);
  const action = isFilter ? ["Remove the filter", () => on.put({ where: "" })] : ["Try again", on.again];
  const title = error.busy ? "The server is busy." : "This cannot be searched for.";
  showVerdict(error.gone ? null : { title, words: error.message, action, isBad: true }); // else the banner says it
  say(error.message);
}

/** Offer to search again, beside the hits. */
export function offerAgain(again) {
  const place = byId("status");
  if (place.querySelector("button")) return;
  place.append(
    el(
      "button",
      { type: "button", className: "plain", on: { click: again } },
      "The library has changed: search again",
    ),
  );
}
