/** The question that is asked: kept here, written into the page's address and read from it. Pure: knows no page. */

import { edited, isEdited, noEdits } from "./graph.js";

export const LEVELS = ["event", "action", "entity"];
export const DEFAULT_K = 12;
export const MOST_HITS = 100;

/** A question that asks nothing. */
export const nothing = () => ({
  text: "",
  edits: noEdits(),
  without: [],
  weights: [1, 1, 1],
  like: null,
  where: "",
  k: DEFAULT_K,
  perVideo: 1,
  least: 0,
  exact: false,
});

/** Whether there is something to search for. */
export const asks = (question) => Boolean(question.text || question.like);

export const isWeighed = (question) => question.weights.some((weight) => weight !== 1);

/** The body of a search. The graph is sent only where it was changed: otherwise the server reads the text itself. */
export function bodyOf(question, graph) {
  const body = { k: question.k, per_video: question.perVideo, exact: question.exact, without: question.without };
  if (question.text && graph && isEdited(question.edits)) {
    Object.assign(body, { graph: edited(graph, question.edits), off: question.edits.off });
  } else if (question.text) {
    body.query = question.text;
  }
  if (question.where) body.where = question.where;
  if (question.like) body.like = likeOf(question.like);
  if (isWeighed(question))
    body.level_weights = Object.fromEntries(LEVELS.map((level, place) => [level, question.weights[place]]));
  else if (question.least && question.text && !question.like) body.min_confidence = question.least;
  return body;
}

const likeOf = (like) =>
  like.example
    ? { example: like.example }
    : { video: like.video, start_s: like.start ?? undefined, end_s: like.end ?? undefined };

/** The question as the part of the address behind `#`. */
export function toHash(question, chosen = 0) {
  const { edits } = question;
  const parts = {
    q: question.text,
    off: edits.off.join(","),
    not: edits.not.join(","),
    yes: edits.yes.join(","),
    roles: Object.entries(edits.roles)
      .map(([key, role]) => `${key}:${role}`)
      .join(","),
    weights: isWeighed(question) ? question.weights.join(",") : "",
    where: question.where,
    k: question.k === DEFAULT_K ? "" : question.k,
    moments: question.perVideo === 1 ? "" : question.perVideo,
    least: question.least || "",
    exact: question.exact ? 1 : "",
    hit: chosen || "",
  };
  const hash = new URLSearchParams(Object.entries(parts).filter(([, value]) => value !== ""));
  question.without.forEach((phrase) => hash.append("without", phrase));
  if (question.like?.video) {
    const { video, start, end, name } = question.like;
    hash.set("like", start === null ? video : `${video}@${start}-${end}`);
    hash.set("called", name);
  }
  return hash.toString();
}

/** The question of an address, and which hit was chosen. What does not fit is taken as if it were not there. */
export function fromHash(hash) {
  const parts = new URLSearchParams(hash.replace(/^#/, ""));
  const text = (name) => parts.get(name) ?? "";
  const ids = (name) => text(name).split(",").filter(Boolean).map(Number).filter(Number.isInteger);
  const number = (name, least, most, otherwise) => {
    const value = Number(text(name));
    return text(name) && value >= least && value <= most ? value : otherwise;
  };
  const weights = text("weights").split(",").map(Number);
  const roles = text("roles")
    .split(",")
    .map((each) => each.match(/^(\d+(?:\.\d+)?):(.+)$/))
    .filter(Boolean);
  return {
    chosen: number("hit", 1, 1000, 0),
    question: {
      ...nothing(),
      text: text("q").slice(0, 2000),
      edits: {
        off: ids("off"),
        not: ids("not"),
        yes: ids("yes"),
        roles: Object.fromEntries(roles.map(([, key, role]) => [key, role])),
      },
      without: parts.getAll("without").filter(Boolean).slice(0, 20),
      weights: weights.length === 3 && weights.every((weight) => weight >= 0 && weight <= 2) ? weights : [1, 1, 1],
      like: likeFrom(text("like"), text("called")),
      where: text("where"),
      k: Math.round(number("k", 1, MOST_HITS, DEFAULT_K)),
      perVideo: Math.round(number("moments", 1, 20, 1)),
      least: number("least", 0, 1, 0),
      exact: text("exact") === "1",
    },
  };
}

function likeFrom(text, name) {
  const found = text.match(/^([^@]+)(?:@([\d.]+)-([\d.]+))?$/);
  if (!found) return null;
  const [, video, start, end] = found;
  return {
    video,
    start: start === undefined ? null : Number(start),
    end: end === undefined ? null : Number(end),
    name: name || "a video",
  };
}
