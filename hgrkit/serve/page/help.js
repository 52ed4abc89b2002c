/** What the page can do and which keys it has, in a dialog; and the theme. */

import { byId, el, fillDialog, icon } from "./dom.js";

const KEYS = [
  ["/", "Go to the question"],
  ["Enter", "Search; on a hit: play it from its moment"],
  ["↓ ↑", "From the question to the hits, and among them"],
  ["Space", "Play or pause"],
  ["← →", "On a hit: one second back or forth"],
  ["M", "On a hit: more like this"],
  ["R", "On a hit: repeat its moment"],
  ["F", "On a hit: filter and options"],
  ["Delete", "On a phrase of the graph: leave it out, or count it again"],
  ["Escape", "Close what is open; back to the hits, then to the question"],
  ["?", "This help"],
];

const HINTS = {
  "Ask with a sentence.":
    "Say who does what, and where. “A woman throws a ball to a dog” and “a dog brings a ball to a woman” are " +
    "different questions.",
  "Correct how it was read.":
    "The graph shows the sentence, its actions, and its phrases with the role that each plays. Press one to " +
    "leave it out, to say that it must not show, or to change its role.",
  "Ask by picture.":
    "Drop a picture or a short clip anywhere, paste one, or press “More like this”. Words and a picture work " +
    "together.",
  "Read the answer.":
    "“Sure” is how likely a hit is what you mean. Under the player, each strip shows which frames bear on a " +
    "phrase.",
  "Share it.": "The address holds the question. “Copy link” copies it, for others who reach this server.",
};

/** What the browser remembers; nothing where it is told not to. */
const kept = {
  get: (name) => {
    try {
      return localStorage.getItem(`hgrkit-${name}`);
    } catch {
      return null;
    }
  },
  set: (name, value) => {
    try {
      localStorage.setItem(`hgrkit-${name}`, value);
    } catch {
      /* nothing is kept then */
    }
  },
};

/** Whether single keys such as `/` do something. */
export const hasKeys = () => kept.get("keys") !== "off";

/** Fill the help, and give its button and the theme's something to do. */
export function setUpHelp() {
  const dialog = byId("help");
  const keys = el("input", {
    type: "checkbox",
    id: "keys",
    checked: hasKeys(),
    on: { change: (event) => kept.set("keys", event.target.checked ? "on" : "off") },
  });
  const row = ([key, words]) =>
    el(
      "div",
      {},
      el(
        "dt",
        {},
        key.split(" ").map((each) => el("kbd", {}, each)),
      ),
      el("dd", {}, words),
    );
  fillDialog(
    dialog,
    "help-title",
    "Help",
    el(
      "ul",
      { className: "hints" },
      Object.entries(HINTS).map(([title, words]) => el("li", {}, el("strong", {}, title), ` ${words}`)),
    ),
    el("h3", {}, "Keys"),
    el("dl", { className: "keys" }, KEYS.map(row)),
    el(
      "p",
      { className: "field check" },
      keys,
      el("label", { for: "keys" }, "Single keys (letters, / and ?) do these things"),
    ),
  );
  byId("help-open").addEventListener("click", () => dialog.showModal());
  setUpTheme();
}

function setUpTheme() {
  const root = document.documentElement;
  const button = byId("theme");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : dark.matches);
  const draw = () => {
    const words = isDark() ? "Light theme" : "Dark theme";
    button.title = words;
    button.replaceChildren(icon(isDark() ? "sun" : "moon"), el("span", { className: "unseen" }, words));
  };
  button.addEventListener("click", () => {
    const next = isDark() ? "light" : "dark";
    if ((next === "dark") === dark.matches) delete root.dataset.theme;
    else root.dataset.theme = next;
    kept.set("theme", root.dataset.theme ?? "");
    draw();
  });
  dark.addEventListener("change", draw);
  draw();
}
