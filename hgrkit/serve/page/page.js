/** The page: keeps the question, asks the server, and gives each part what it shows. */

import * as api from "./api.js";
import { byId, clock, count, el, icon, later, nameOf, notice, percent, say } from "./dom.js";
import { drawGraph } from "./graph-view.js";
import { fitting, isEdited, noEdits } from "./graph.js";
import { setUpHelp } from "./help.js";
import { drawHits, focusItem, markChosen, waiting } from "./hits.js";
import { setUpKeys } from "./keys.js";
import { Adding, asHit, Gallery } from "./library.js";
import { Player } from "./player.js";
import { asks, bodyOf, fromHash, isWeighed, LEVELS, nothing, refinements, toHash } from "./question.js";
import { inForce, Refine } from "./refine.js";

const NOTHING_MATCHES = "Nothing here seems to match";
const HEALTH_MS = 5000;
const wide = matchMedia("(min-width: 62rem)");

const state = { question: nothing(), graph: null, graphOf: "", result: null, chosen: 0, health: null, asked: null };

const player = new Player({
  alike: (hit) => alike(hit),
  choose: (hit) => choose(hit, { play: true }),
  close: () => closePlayer(),
  link: () => copyLink(),
});
const gallery = new Gallery({ open: (video) => watch(video), alike: (video) => alike(asHit(video)), add: () => adding.open() });
const adding = new Adding(() => checkHealth());
const refine = new Refine({ get: () => state.question, change: (part) => put(part), columns: api.columns });
const parseLater = later(parse, 220);
const runLater = later(run, 160);

// the question ------------------------------------------------------------------------------------------------

/** Change the question and search again. */
function put(part, { push = false } = {}) {
  state.question = { ...state.question, ...part };
  address(push);
  drawQuestion();
  if (asks(state.question)) runLater();
  else showLibrary();
}

/** Write the question into the page's address. */
function address(push = false) {
  const hash = toHash(state.question, state.chosen);
  if (hash === location.hash.slice(1)) return;
  const target = hash ? `#${hash}` : location.pathname + location.search;
  if (push) history.pushState(null, "", target);
  else history.replaceState(null, "", target);
  document.title = state.question.text ? `${state.question.text} · hgrkit` : "hgrkit";
}

function readAddress() {
  const { question, chosen } = fromHash(location.hash);
  Object.assign(state, { question, chosen, graph: null, graphOf: "" });
  byId("text").value = question.text;
  runLater.cancel();
  drawQuestion();
  if (asks(question)) run();
  else showLibrary();
}

/** The words were changed: read them, and forget what was changed of the graph before. */
function typed() {
  const text = byId("text").value.trim();
  if (text === state.question.text && state.graphOf === text) return;
  if (text) parseLater(text);
  else {
    parseLater.cancel();
    Object.assign(state, { graph: null, graphOf: "" });
    drawQuestion();
  }
}

async function parse(text) {
  parse.control?.abort();
  parse.control = new AbortController();
  try {
    const graph = await api.parse(text, parse.control.signal);
    if (byId("text").value.trim() === text) haveGraph(graph, text);
  } catch {
    // The search says what is wrong; while one types, nothing is.
  }
}

function haveGraph(graph, text) {
  if (text !== state.question.text) state.question = { ...state.question, edits: noEdits() };
  Object.assign(state, { graph, graphOf: text });
  state.question.edits = fitting(graph, state.question.edits);
  drawQuestion();
}

function submit(event) {
  event.preventDefault();
  const text = byId("text").value.trim();
  const edits = text === state.graphOf || text === state.question.text ? state.question.edits : noEdits();
  state.chosen = 0;
  const again = text === state.question.text;
  put({ text, edits }, { push: !again });
  if (asks(state.question)) {
    runLater.cancel();
    run();
  }
}

/** Search by a moment of a video. */
function alike(hit) {
  const whole = !hit.rank;
  state.chosen = 0;
  byId("text").value = "";
  Object.assign(state, { graph: null, graphOf: "" });
  put({
    ...nothing(), where: state.question.where, k: state.question.k, perVideo: state.question.perVideo,
    like: { video: hit.id, start: whole ? null : hit.start_s, end: whole ? null : hit.end_s, name: nameOf(hit.video) },
  }, { push: true });
  byId("text").focus();
}

/** Search by a picture or a clip that was dropped, pasted or picked. */
async function byFile(file) {
  if (!/^(image|video)\//.test(file.type)) {
    notice(`${file.name} is neither a picture nor a video.`);
    return;
  }
  if (state.health && file.size > state.health.limits.upload_bytes) {
    notice(`${file.name} is too large: at most ${Math.floor(state.health.limits.upload_bytes / 2 ** 20)} MB.`);
    return;
  }
  byId("ask").classList.add("busy");
  try {
    const { token, name, kind } = await api.example(file);
    state.chosen = 0;
    put({ like: { example: token, name, picture: kind === "picture" ? URL.createObjectURL(file) : null } });
  } catch (error) {
    trouble(error, () => byFile(file));
  } finally {
    byId("ask").classList.remove("busy");
  }
}

// drawing the question ----------------------------------------------------------------------------------------

function drawQuestion() {
  const { question, graph } = state;
  const shown = asks(question) || Boolean(graph);
  byId("question").hidden = !shown;
  byId("graph").hidden = !graph;
  if (graph && shown) drawGraph(byId("graph"), graph, question.edits, (edits) => put({ edits }));
  drawLike();
  drawWithout();
  drawNarrowed();
  byId("reset").hidden = !(isEdited(question.edits) || question.without.length || isWeighed(question));
  byId("weigh-open").hidden = !question.text && !graph;
  if (!byId("weights").hidden) drawWeights();
}

function drawLike() {
  const { like } = state.question;
  const place = byId("like");
  place.hidden = !like;
  if (!like) return;
  const source = like.video ? api.thumbnail(like.video, like.start ?? 0, 60) : like.picture;
  const when = like.video && like.start !== null ? ` ${clock(like.start)}` : "";
  place.replaceChildren(
    source ? el("img", { src: source, alt: "" }) : icon("film"),
    el("span", {}, el("span", { className: "unseen" }, "Like "), `${like.name}${when}`),
    el("button", { type: "button", className: "plain small", aria: { label: `Not like ${like.name}` }, title: "Remove", on: { click: () => { put({ like: null }); byId("text").focus(); } } }, icon("cross")),
  );
}

function drawWithout() {
  const { graph, question } = state;
  byId("without")?.remove();
  if (!graph && !question.without.length) return;
  const input = el("input", { type: "text", id: "without-text", maxLength: 300, placeholder: "a car", autocomplete: "off", aria: { label: "What must not show" } });
  const add = (event) => {
    event.preventDefault();
    const phrase = input.value.trim();
    if (phrase && !question.without.includes(phrase)) put({ without: [...question.without, phrase] });
    byId("without-text").focus();
  };
  const chips = question.without.map((phrase) => el("li", {}, el("s", {}, phrase),
    el("button", { type: "button", className: "plain small", title: "Remove", aria: { label: `${phrase} may show` }, on: { click: () => put({ without: question.without.filter((other) => other !== phrase) }) } }, icon("cross"))));
  const place = el("form", { id: "without", className: "without", on: { submit: add } }, el("span", { className: "soft" }, "Must not show"), el("ul", {}, chips), input,
    el("button", { type: "submit", className: "plain small", aria: { label: "Add what must not show" }, title: "Add" }, icon("plus")));
  byId("bar").insertBefore(place, byId("narrowed"));
}

function drawNarrowed() {
  const { question } = state;
  byId("narrowed").replaceChildren(...inForce(question).map(([words, part]) =>
    el("span", { className: "chip" }, el("span", {}, words), el("button", { type: "button", className: "plain small", title: "Remove", aria: { label: `Remove: ${words}` }, on: { click: () => { put(part); redrawRefine(); } } }, icon("cross")))));
  byId("refine-open").classList.toggle("on", refinements(question) > 0);
  byId("weigh-open").classList.toggle("on", isWeighed(question));
}

function redrawRefine() {
  if (!byId("refine").hidden) refine.draw();
}

const LEVEL_WORDS = { event: "The whole sentence", action: "Its actions", entity: "Its phrases" };

function drawWeights() {
  const { weights } = state.question;
  const sliders = LEVELS.map((level, place) => {
    const shown = el("output", { for: `weight-${level}` }, said(weights[place]));
    const input = el("input", {
      type: "range", id: `weight-${level}`, className: level, min: 0, max: 2, step: 0.25, value: weights[place],
      on: { input: (event) => {
        const next = [...state.question.weights];
        next[place] = Number(event.target.value);
        shown.textContent = said(next[place]);
        if (next.some(Boolean)) put({ weights: next });
      } },
    });
    return el("p", { className: "field" }, el("label", { for: `weight-${level}` }, LEVEL_WORDS[level]), input, shown);
  });
  const place = byId("weights");
  if (place.contains(document.activeElement) && place.children.length) return; // a slider that is being moved stays
  place.replaceChildren(...sliders, el("p", { className: "soft small-print" }, "How much each level counts in the score. Hits are not told with a confidence while levels are weighed."));
}

const said = (weight) => (weight === 0 ? "not at all" : weight === 1 ? "as usual" : `× ${weight}`);

function toggle(button, panel, open) {
  const shown = panel.hidden;
  panel.hidden = !shown;
  button.setAttribute("aria-expanded", String(shown));
  if (shown) open();
}

// searching ---------------------------------------------------------------------------------------------------

async function run() {
  const { question } = state;
  run.control?.abort();
  const control = (run.control = new AbortController());
  parseLater.cancel();
  showAnswer();
  try {
    if (question.text && state.graphOf !== question.text && isEdited(question.edits)) {
      haveGraph(await api.parse(question.text, control.signal), question.text); // what was shared is a change of this graph
    }
    const asked = state.question;
    const result = await api.search(bodyOf(asked, state.graph), control.signal, (seconds) => status(`The server is busy; asking again in ${count(seconds, "second")}…`));
    if (control !== run.control) return;
    state.asked = asked;
    if (asked.text && state.graphOf !== asked.text && result.graph) haveGraph(result.graph, asked.text);
    answer(result);
  } catch (error) {
    if (control === run.control && error.name !== "AbortError") trouble(error, run);
  }
}

function status(words) {
  byId("status").replaceChildren(words);
}

function showAnswer() {
  byId("library").hidden = true;
  byId("answer").hidden = false;
  const list = byId("hits");
  list.setAttribute("aria-busy", "true");
  byId("answer").classList.add("stale");
  if (!state.result) {
    status("Looking…");
    list.replaceChildren(...waiting(4));
  }
}

function answer(result) {
  state.result = result;
  state.seen = state.health?.library.token;
  byId("answer").classList.remove("stale");
  const list = byId("hits");
  list.setAttribute("aria-busy", "false");
  const { hits } = result;
  const milliseconds = el("span", { className: "soft" }, ` in ${Math.max(1, Math.round(result.elapsed_ms))} ms`);
  byId("status").replaceChildren(hits.length ? count(hits.length, "hit") : "No hits", milliseconds, result.exact ? "" : el("span", { className: "soft" }, " among the nearest clips"));
  verdict(result);
  const notes = result.notes.filter((note) => hits.length || !/^No video matches/.test(note));
  byId("notes").hidden = !notes.length;
  byId("notes").replaceChildren(...notes.map((note) => el("li", {}, note)));
  drawHits(list, result, { open: (hit) => choose(hit, { play: true }), alike });
  byId("more").hidden = hits.length < state.question.k || state.question.k >= 100;
  byId("more").textContent = "Show more hits";
  tellAnswer(result);
  const again = hits.find((hit) => hit.rank === state.chosen) ?? (wide.matches ? hits[0] : null);
  if (again) choose(again);
  else closePlayer({ focus: false });
}

function tellAnswer({ hits, matched, notes }) {
  const first = hits[0];
  const sure = first && first.confidence !== null ? `, ${percent(first.confidence)} sure` : "";
  const said = [matched ? null : `${NOTHING_MATCHES}.`, hits.length ? `${count(hits.length, "hit")}. First: ${nameOf(first.video)}, ${clock(first.start_s)} to ${clock(first.end_s)}${sure}.` : "No hits.", ...notes];
  say(said.filter(Boolean).join(" "));
}

/** What is said of an answer before its hits. */
function verdict({ hits, matched, notes }) {
  const { question } = state;
  const none = notes.find((note) => /^No video matches/.test(note));
  if (!hits.length && none) tell("none", none, "", ["Take the filter away", () => { put({ where: "" }); redrawRefine(); }]);
  else if (!hits.length && question.least) tell("none", `${NOTHING_MATCHES}.`, `No video is at least ${Math.round(question.least * 100)}% sure.`, ["Show what is nearest", () => { put({ least: 0 }); redrawRefine(); }]);
  else if (!hits.length && state.health?.indexed === 0) tell("none", "There are no videos yet.", "Add some; then ask again.", ["Add videos", () => adding.open()]);
  else if (!hits.length) tell("none", "No hits.", "Ask in other words, or leave a phrase out.");
  else if (!matched) tell("none", `${NOTHING_MATCHES}.`, "What follows is only what is nearest.");
  else byId("verdict").hidden = true;
}

function tell(kind, title, words, action) {
  const place = byId("verdict");
  place.className = `verdict ${kind}`;
  place.hidden = false;
  place.replaceChildren(icon(kind === "bad" ? "warn" : "search"), el("p", {}, el("strong", {}, title), words ? ` ${words}` : ""), action ? el("button", { type: "button", on: { click: action[1] } }, action[0]) : "");
}

/** Say what went wrong, and what to do. */
function trouble(error, again) {
  byId("answer").classList.remove("stale");
  byId("hits").setAttribute("aria-busy", "false");
  if (error.status === 401) return askForToken();
  if (error.gone) isGone(again);
  state.result = null;
  byId("library").hidden = true;
  byId("answer").hidden = false;
  byId("hits").replaceChildren();
  for (const id of ["notes", "more"]) byId(id).hidden = true;
  closePlayer({ focus: false });
  status("No answer");
  const filtered = error.status === 400 && state.question.where && /where|filter|column/i.test(error.message);
  const action = filtered ? ["Take the filter away", () => { put({ where: "" }); redrawRefine(); }] : ["Try again", again];
  tell("bad", error.busy ? "The server is busy." : error.gone ? "The server does not answer." : "This cannot be searched for.", error.gone ? "" : error.message, action);
  say(error.message);
}

// playing -----------------------------------------------------------------------------------------------------

function choose(hit, { play = false } = {}) {
  state.chosen = hit.rank;
  markChosen(byId("hits"), hit.rank);
  byId("found").classList.add("watching");
  const others = state.result?.hits.filter((other) => other.id === hit.id && other !== hit) ?? [];
  player.show(hit, { others, play });
  address();
  if (play && !wide.matches) byId("watch").scrollIntoView({ block: "start" });
}

function watch(video) {
  state.chosen = 0;
  byId("found").classList.add("watching");
  player.show(asHit(video), { play: true });
  if (!wide.matches) byId("watch").scrollIntoView({ block: "start" });
}

function closePlayer({ focus = true } = {}) {
  const { chosen } = state;
  state.chosen = 0;
  player.close();
  byId("found").classList.remove("watching");
  markChosen(byId("hits"), 0);
  address();
  if (focus) (byId("hits").querySelector(`[data-rank="${chosen}"] .open`) ?? byId("text")).focus();
}

async function copyLink() {
  address();
  try {
    await navigator.clipboard.writeText(location.href);
    notice(state.question.like?.example ? "The link is copied; the picture itself is not in it." : "The link is copied.");
  } catch {
    notice("The link is in the address bar.");
  }
}

// the library and the server ----------------------------------------------------------------------------------

async function showLibrary() {
  run.control?.abort();
  state.result = null;
  byId("answer").hidden = true;
  byId("library").hidden = false;
  closePlayer({ focus: false });
  try {
    await gallery.load();
  } catch (error) {
    if (error.status === 401) askForToken();
    else isGone(showLibrary);
  }
}

async function checkHealth() {
  try {
    const health = await api.health();
    const before = state.health;
    state.health = health;
    refine.calibrated = health.calibrated;
    if (!byId("gone").hidden) isBack();
    if (before && before.library.token !== health.library.token) libraryChanged();
  } catch (error) {
    if (error.status === 401) askForToken();
    else if (error.gone) isGone();
  }
}

function libraryChanged() {
  if (!byId("library").hidden) gallery.load().catch(() => {});
  else if (state.result && state.seen !== state.health.library.token && !byId("status").querySelector("button")) {
    byId("status").append(el("button", { type: "button", className: "plain", on: { click: () => run() } }, "The library has changed: search again"));
  }
}

let retry = null;

function isGone(again) {
  retry = again ?? retry;
  const place = byId("gone");
  if (!place.hidden) return;
  place.hidden = false;
  place.replaceChildren(icon("warn"), el("p", {}, el("strong", {}, "The server does not answer."), " Is ", el("code", {}, "hgrkit serve"), " still running? This page asks again every few seconds."), el("button", { type: "button", on: { click: () => checkHealth() } }, "Ask now"));
}

function isBack() {
  byId("gone").hidden = true;
  notice("The server is back.");
  const again = retry;
  retry = null;
  again?.();
}

function askForToken() {
  const dialog = byId("key");
  if (dialog.open) return;
  const input = el("input", { type: "password", id: "token", required: true, autocomplete: "current-password" });
  const enter = (event) => {
    event.preventDefault();
    location.assign(`./?token=${encodeURIComponent(input.value.trim())}${location.hash}`);
  };
  dialog.replaceChildren(el("div", { className: "dialog-head" }, el("h2", { id: "key-title" }, "This server wants its token")),
    el("form", { on: { submit: enter } }, el("label", { for: "token" }, "The token that `hgrkit serve --token` was started with"), el("div", { className: "field-row" }, input, el("button", { type: "submit", className: "main" }, "Go on"))));
  dialog.showModal();
}

// the beginning -----------------------------------------------------------------------------------------------

function setUpDrop() {
  const drop = byId("drop");
  const holdsFile = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  let depth = 0;
  const show = (shown) => (drop.hidden = !shown);
  document.addEventListener("dragenter", (event) => holdsFile(event) && show((depth += 1) > 0));
  document.addEventListener("dragleave", (event) => holdsFile(event) && show((depth = Math.max(0, depth - 1)) > 0));
  document.addEventListener("dragover", (event) => holdsFile(event) && event.preventDefault());
  document.addEventListener("drop", (event) => {
    if (!holdsFile(event)) return;
    event.preventDefault();
    show((depth = 0) > 0);
    const [file] = event.dataTransfer.files;
    if (file) byFile(file);
  });
  document.addEventListener("paste", (event) => {
    const [file] = event.clipboardData?.files ?? [];
    if (!file) return;
    event.preventDefault();
    byFile(file);
  });
  byId("pick").addEventListener("click", () => byId("picked").click());
  byId("picked").addEventListener("change", (event) => {
    const [file] = event.target.files;
    if (file) byFile(file);
    event.target.value = "";
  });
}

function setUp() {
  byId("ask").addEventListener("submit", submit);
  byId("text").addEventListener("input", typed);
  byId("home").addEventListener("click", (event) => {
    event.preventDefault();
    byId("text").value = "";
    Object.assign(state, { graph: null, graphOf: "", chosen: 0 });
    put(nothing(), { push: true });
    redrawRefine();
  });
  byId("reset").addEventListener("click", () => {
    put({ edits: noEdits(), without: [], weights: [1, 1, 1] });
    byId("text").focus();
  });
  byId("refine-open").addEventListener("click", (event) => toggle(event.currentTarget, byId("refine"), () => refine.open()));
  byId("weigh-open").addEventListener("click", (event) => toggle(event.currentTarget, byId("weights"), drawWeights));
  byId("more").addEventListener("click", () => {
    const place = state.result?.hits.length ?? 0;
    put({ k: Math.min(100, state.question.k * 2) });
    redrawRefine();
    focusItem([...byId("hits").querySelectorAll(".open")], place - 1);
  });
  addEventListener("popstate", readAddress);
  addEventListener("hashchange", readAddress);
  addEventListener("resize", later(() => state.graph && drawQuestion(), 120));
  setUpDrop();
  setUpHelp();
  setUpKeys({ state, player, closePlayer, alike, hits: byId("hits"), openRefine: () => byId("refine-open").click() });
}

setUp();
checkHealth().then(() => adding.watch());
setInterval(checkHealth, HEALTH_MS);
readAddress();
