/** The page: keeps the question, asks the server, and gives each part what it shows. */

import { Adding } from "./adding.js";
import { offerAgain, showAnswer, showTrouble, showWaiting, status } from "./answer.js";
import * as api from "./api.js";
import { Connection } from "./connection.js";
import { byId, count, later, nameOf, notice } from "./dom.js";
import { setUpFiles } from "./files.js";
import { fitting, isEdited, noEdits } from "./graph.js";
import { asHit, Gallery } from "./gallery.js";
import { setUpHelp } from "./help.js";
import { focusItem, markChosen, openButtons } from "./hits.js";
import { Keys } from "./keys.js";
import { Player } from "./player.js";
import { drawQuestion, drawWeights } from "./question-view.js";
import { asks, bodyOf, fromHash, MOST_HITS, nothing, toHash } from "./question.js";
import { Refine } from "./refine.js";

const PARSE_AFTER_MS = 220;
const SEARCH_AFTER_MS = 160;
const DRAW_AFTER_MS = 120;
const wide = matchMedia("(min-width: 62rem)"); // as in page.css: the player beside the hits

// `graph` is of the words `graphOf`; `chosen` is the rank of the hit that the player shows, 0 for none;
// `seen` is the library's version that `result` was found in; `focusOn` is the place of the hit that takes the
// focus with the next answer.
const state = { question: nothing(), graph: null, graphOf: "", result: null, chosen: 0, seen: null, focusOn: 0 };

const connection = new Connection({
  health: ({ calibrated }) => (refine.calibrated = calibrated),
  changed: () => libraryChanged(),
});
const player = new Player({
  alike: (hit) => alike(hit),
  choose: (hit) => choose(hit, { play: true }),
  close: () => closePlayer(),
  link: () => copyLink(),
});
const gallery = new Gallery({
  open: (video) => watch(video),
  alike: (video) => alike(asHit(video)),
  add: () => adding.open(),
});
const adding = new Adding(() => connection.check());
const refine = new Refine({ get: () => state.question, change: (part) => put(part), columns: api.columns });
const parseLater = later(parse, PARSE_AFTER_MS);
const runLater = later(run, SEARCH_AFTER_MS);

// the question ------------------------------------------------------------------------------------------------

/** The words in the field, whether or not they were searched for. */
const typedText = () => byId("text").value.trim();

/**
 * Change the question and search again, with the words as they stand in the field.
 *
 * @param part what changes; changes of a graph are of those words.
 * @param push whether to make a new entry of the browser's history.
 */
function put(part, { push = false } = {}) {
  const text = typedText();
  const edits = text === state.question.text ? state.question.edits : noEdits();
  state.question = { ...state.question, text, edits, ...part };
  writeAddress(push);
  draw();
  if (asks(state.question)) runLater();
  else showLibrary();
}

/** Change what the filter's panel shows from elsewhere. */
function putAndDraw(part) {
  put(part);
  if (!byId("refine").hidden) refine.draw();
}

const draw = () => drawQuestion(state.question, state.graph, putAndDraw);

function writeAddress(push = false) {
  document.title = state.question.text ? `${state.question.text} · hgrkit` : "hgrkit";
  const hash = toHash(state.question, state.chosen);
  if (hash === location.hash.slice(1)) return;
  const target = hash ? `#${hash}` : location.pathname + location.search;
  if (push) history.pushState(null, "", target);
  else history.replaceState(null, "", target);
}

function readAddress() {
  const { question, chosen } = fromHash(location.hash);
  Object.assign(state, { question, chosen, graph: null, graphOf: "" });
  byId("text").value = question.text;
  runLater.cancel();
  draw();
  if (asks(question)) run();
  else showLibrary();
}

/** The words were changed: read them. */
function typed() {
  const text = typedText();
  if (text === state.question.text && state.graphOf === text) return;
  if (text) {
    parseLater(text);
    return;
  }
  parseLater.cancel();
  forgetGraph();
  draw();
}

async function parse(text) {
  parse.control?.abort();
  parse.control = new AbortController();
  try {
    const graph = await api.parse(text, parse.control.signal);
    if (typedText() === text) haveGraph(graph, text);
  } catch {
    // The search says what is wrong; while one types, nothing is.
  }
}

/** The words were read: what was changed of another graph is forgotten. */
function haveGraph(graph, text) {
  const edits = text === state.question.text ? fitting(graph, state.question.edits) : noEdits();
  state.question = { ...state.question, edits };
  Object.assign(state, { graph, graphOf: text });
  draw();
}

const forgetGraph = () => Object.assign(state, { graph: null, graphOf: "" });

function submit(event) {
  event.preventDefault();
  state.chosen = 0;
  put({}, { push: typedText() !== state.question.text });
  if (!asks(state.question)) return;
  runLater.cancel();
  run();
}

/** Search by a moment of a video, or by a whole one, which has no rank. */
function alike(hit) {
  const { where, k, perVideo } = state.question;
  const [start, end] = hit.rank ? [hit.start_s, hit.end_s] : [null, null];
  state.chosen = 0;
  byId("text").value = "";
  forgetGraph();
  put(
    { ...nothing(), where, k, perVideo, like: { video: hit.id, start, end, name: nameOf(hit.video) } },
    { push: true },
  );
  byId("text").focus();
}

/** Search by a picture or a clip. */
async function alikeFile(file) {
  const most = connection.health?.limits.upload_bytes ?? Infinity;
  if (!/^(image|video)\//.test(file.type)) notice(`${file.name} is neither a picture nor a video.`);
  else if (file.size > most) notice(`${file.name} is too large: at most ${Math.floor(most / 2 ** 20)} MB.`);
  else await send(file);
}

async function send(file) {
  byId("ask").classList.add("busy");
  try {
    const { token, name, kind } = await api.example(file);
    state.chosen = 0;
    put({ like: { example: token, name, picture: kind === "picture" ? URL.createObjectURL(file) : null } });
  } catch (error) {
    trouble(error, () => send(file));
  } finally {
    byId("ask").classList.remove("busy");
  }
}

// the search --------------------------------------------------------------------------------------------------

async function run() {
  run.control?.abort();
  const control = (run.control = new AbortController());
  parseLater.cancel();
  showWaiting(!state.result);
  try {
    const result = await answerOf(control.signal);
    if (control === run.control) answer(result);
  } catch (error) {
    if (control === run.control && error.name !== "AbortError") trouble(error, run);
  }
}

async function answerOf(signal) {
  const { text, edits } = state.question;
  if (text && state.graphOf !== text && isEdited(edits)) {
    haveGraph(await api.parse(text, signal), text); // an address has the changes of a graph, not the graph
  }
  const waits = (seconds) => status(`The server is busy; asking again in ${count(seconds, "second")}…`);
  const result = await api.search(bodyOf(state.question, state.graph), signal, waits);
  if (text && state.graphOf !== text && result.graph) haveGraph(result.graph, text);
  return result;
}

function answer(result) {
  // Where nothing matches, how sure a hit is says only which of the wrong ones it would be.
  const hits = result.matched ? result.hits : result.hits.map((hit) => ({ ...hit, confidence: null }));
  state.result = { ...result, hits };
  state.seen = connection.health?.library.token;
  showAnswer(state.result, state.question, {
    open: (hit) => choose(hit, { play: true }),
    alike,
    put: putAndDraw,
    add: () => adding.open(),
    isEmpty: () => connection.health?.indexed === 0,
  });
  const again = hits.find((hit) => hit.rank === state.chosen) ?? (wide.matches ? hits[0] : null);
  if (again) choose(again);
  else closePlayer({ focus: false });
  if (state.focusOn) focusItem(openButtons(byId("hits")), Math.min(state.focusOn, hits.length - 1));
  state.focusOn = 0;
}

function trouble(error, again) {
  connection.failed(error, again);
  if (error.status === 401) return;
  state.result = null;
  closePlayer({ focus: false });
  showTrouble(error, state.question, { put: putAndDraw, again });
  const { text } = state.question;
  if (text && state.graphOf !== text && !error.gone) parse(text);
}

function showMore() {
  state.focusOn = state.result.hits.length;
  putAndDraw({ k: Math.min(MOST_HITS, state.question.k * 2) });
}

// playing -----------------------------------------------------------------------------------------------------

function choose(hit, { play = false } = {}) {
  state.chosen = hit.rank;
  markChosen(byId("hits"), hit.rank);
  const others = state.result?.hits.filter((other) => other.id === hit.id && other !== hit) ?? [];
  show(hit, { others, play });
  writeAddress();
}

function watch(video) {
  state.chosen = 0;
  show(asHit(video), { play: true });
}

function show(hit, options) {
  byId("found").classList.add("watching");
  player.show(hit, options);
  if (options.play && !wide.matches) byId("watch").scrollIntoView({ block: "start" });
}

function closePlayer({ focus = true } = {}) {
  const { chosen } = state;
  const { video } = player.hit ?? {};
  state.chosen = 0;
  player.close();
  byId("found").classList.remove("watching");
  markChosen(byId("hits"), 0);
  writeAddress();
  if (focus)
    (
      byId("hits").querySelector(`[data-rank="${chosen}"] .open`) ??
      gallery.buttonOf(video) ??
      byId("text")
    ).focus();
}

async function copyLink() {
  writeAddress();
  try {
    await navigator.clipboard.writeText(location.href);
    notice(
      state.question.like?.example
        ? "The link is copied; the picture itself is not in it."
        : "The link is copied.",
    );
  } catch {
    notice("The link is in the address bar.");
  }
}

// the library -------------------------------------------------------------------------------------------------

async function showLibrary() {
  run.control?.abort();
  state.result = null;
  byId("answer").hidden = true;
  byId("library").hidden = false;
  closePlayer({ focus: false });
  try {
    await gallery.load();
  } catch (error) {
    connection.failed(error, showLibrary);
  }
}

function libraryChanged() {
  if (!byId("library").hidden) gallery.load().catch((error) => connection.failed(error, showLibrary));
  else if (state.result && state.seen !== connection.health.library.token) offerAgain(run);
}

function goHome(event) {
  event.preventDefault();
  byId("text").value = "";
  forgetGraph();
  state.chosen = 0;
  put(nothing(), { push: true });
}

// the beginning -----------------------------------------------------------------------------------------------

/** Let a button open and close a panel, which is drawn as it opens. */
function setUpPanel(button, panel, drawPanel) {
  button.addEventListener("click", () => {
    panel.hidden = !panel.hidden;
    button.setAttribute("aria-expanded", String(!panel.hidden));
    if (!panel.hidden) drawPanel();
  });
}

/** Go to the videos, and leave the address to the question. */
function skip(event) {
  event.preventDefault();
  byId("found").focus();
}

function undoChanges() {
  put({ edits: noEdits(), without: [], weights: [1, 1, 1] });
  byId("text").focus();
}

function setUp() {
  byId("ask").addEventListener("submit", submit);
  byId("text").addEventListener("input", typed);
  byId("home").addEventListener("click", goHome);
  byId("skip").addEventListener("click", skip);
  byId("reset").addEventListener("click", undoChanges);
  byId("more").addEventListener("click", showMore);
  setUpPanel(byId("refine-open"), byId("refine"), () => refine.open());
  setUpPanel(byId("weigh-open"), byId("weights"), () => drawWeights(state.question.weights, put));
  addEventListener("popstate", readAddress);
  addEventListener("resize", later(draw, DRAW_AFTER_MS));
  setUpFiles(alikeFile);
  setUpHelp();
  new Keys({ state, player, closePlayer, alike });
  connection.start().then(() => adding.watch());
  readAddress();
}

setUp();
