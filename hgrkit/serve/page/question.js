/** The question that is asked, and how the page's address holds it. Pure: knows no page. */

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

/** The body of a search. The graph is sent only where it was changed; otherwise the server reads the text. */
export function bodyOf(question, graph) {
  const { text, edits, where, like, k, perVideo, exact, without } = question;
  const isGraph = text && graph && isEdited(edits);
  return {
    ...(isGraph ? { graph: edited(graph, edits), off: edits.off } : { query: text || null }),
    ...weightsOrLeast(question),
    like: like && likeOf(like),
    where: where || null,
    k,
    per_video: perVideo,
    exact,
    without,
  };
}

/** Confidence is of sentences alone: there is none while levels are weighed, and none of a picture. */
function weightsOrLeast(question) {
  const { weights, least, text, like } = question;
  if (isWeighed(question))
    return { level_weights: Object.fromEntries(LEVELS.map((level, at) => [level, weights[at]])) };
  return least && text && !like ? { min_confidence: least } : {};
}

const likeOf = ({ example, video, start, end }) => (example ? { example } : { video, start_s: start, end_s: end });

/** What an address need not hold. */
const AT_FIRST = { weights: "1,1,1", k: `${DEFAULT_K}`, moments: "1", least: "0", exact: "0", hit: "0" };

/** The question as the part of the address behind `#`. */
export function toHash(question, chosen = 0) {
  const { edits, without, like } = question;
  const parts = {
    q: question.text,
    off: edits.off.join(","),
    not: edits.not.join(","),
    yes: edits.yes.join(","),
    roles: Object.entries(edits.roles)
      .map(([key, role]) => `${key}:${role}`)
      .join(","),
    weights: question.weights.join(","),
    where: question.where,
    k: question.k,
    moments: question.perVideo,
    least: question.least,
    exact: Number(question.exact),
    hit: chosen,
  };
  const changed = Object.entries(parts).filter(([name, value]) => `${value}` !== (AT_FIRST[name] ?? ""));
  const hash = new URLSearchParams(changed);
  without.forEach((phrase) => hash.append("without", phrase));
  if (like?.video) {
    hash.set("like", like.start === null ? like.video : `${like.video}@${like.start}-${like.end}`);
    hash.set("called", like.name);
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
