/** Draws what is asked: the graph of its words, what it is to be like, what must not show, how levels count. */

import { thumbnail } from "./api.js";
import { byId, clock, el, icon } from "./dom.js";
import { drawGraph } from "./graph-view.js";
import { isEdited } from "./graph.js";
import { asks, isWeighed, LEVELS } from "./question.js";
import { inForce } from "./refine.js";

const LEVEL_WORDS = { event: "The whole sentence", action: "Its actions", entity: "Its phrases" };

/**
 * Draw the question.
 *
 * @param question as it is now.
 * @param graph of its words, or null as long as they were not read.
 * @param put is called with what of the question changes.
 */
export function drawQuestion(question, graph, put) {
  const isShown = asks(question) || Boolean(graph);
  byId("question").hidden = !isShown;
  byId("graph").hidden = !graph;
  if (graph && isShown) drawGraph(byId("graph"), graph, question.edits, (edits) => put({ edits }));
  drawLike(question.like, put);
  drawWithout(question.without, put);
  byId("without").hidden = !graph && !question.without.length;
  drawInForce(question, put);
  byId("reset").hidden = !(isEdited(question.edits) || question.without.length || isWeighed(question));
  byId("weigh-open").hidden = !question.text && !graph;
  if (!byId("weights").hidden) drawWeights(question.weights, put);
}

function removeButton(label, remove) {
  return el(
    "button",
    { type: "button", className: "plain small", title: "Remove", aria: { label }, on: { click: remove } },
    icon("cross"),
  );
}

function drawLike(like, put) {
  const place = byId("like");
  place.hidden = !like;
  if (!like) return;
  const source = like.video ? thumbnail(like.video, like.start ?? 0, 60) : like.picture;
  const when = like.video && like.start !== null ? ` ${clock(like.start)}` : "";
  const remove = () => {
    put({ like: null });
    byId("text").focus();
  };
  place.replaceChildren(
    source ? el("img", { src: source, alt: "" }) : icon("film"),
    el("span", {}, el("span", { className: "unseen" }, "Like "), `${like.name}${when}`),
    removeButton(`Not like ${like.name}`, remove),
  );
}

function drawWithout(without, put) {
  const input = byId("without-text");
  byId("without-list").replaceChildren(
    ...without.map((phrase) =>
      el(
        "li",
        {},
        el("s", {}, phrase),
        removeButton(`${phrase} may show`, () => put({ without: without.filter((other) => other !== phrase) })),
      ),
    ),
  );
  byId("without").onsubmit = (event) => {
    event.preventDefault();
    const phrase = input.value.trim();
    input.value = "";
    if (phrase && !without.includes(phrase)) put({ without: [...without, phrase] });
  };
}

function drawInForce(question, put) {
  const chips = inForce(question);
  byId("narrowed").replaceChildren(
    ...chips.map(([words, part]) =>
      el(
        "li",
        { className: "chip" },
        el("span", {}, words),
        removeButton(`Remove: ${words}`, () => put(part)),
      ),
    ),
  );
  byId("refine-open").classList.toggle("on", chips.length > 0);
  byId("weigh-open").classList.toggle("on", isWeighed(question));
}

/** Draw the sliders that weigh levels, unless one is being moved. */
export function drawWeights(weights, put) {
  const place = byId("weights");
  if (place.contains(document.activeElement)) return;
  const now = [...weights];
  const sliders = LEVELS.map((level, at) => {
    const id = `weight-${level}`;
    const shown = el("output", { for: id, className: "soft" }, weightWords(now[at]));
    const move = (event) => {
      now[at] = Number(event.target.value);
      shown.textContent = weightWords(now[at]);
      if (now.some(Boolean)) put({ weights: [...now] });
    };
    const slider = el("input", {
      type: "range",
      id,
      className: level,
      min: 0,
      max: 2,
      step: 0.25,
      value: now[at],
      on: { input: move },
    });
    return el("p", { className: "weight" }, el("label", { for: id }, LEVEL_WORDS[level]), slider, shown);
  });
  const about =
    "How much each level counts in the score. While levels are weighed, hits have a score and no confidence.";
  place.replaceChildren(...sliders, el("p", { className: "soft small-print" }, about));
}

const weightWords = (weight) => (weight === 0 ? "not at all" : weight === 1 ? "as usual" : `× ${weight}`);
