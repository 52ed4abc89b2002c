/** Draws the graph of a question: the sentence above its actions, and they above their phrases. */

import { byId, el, svg } from "./dom.js";
import {
  inOrder,
  isAction,
  phraseOf,
  roleAt,
  roleWords,
  rolesOf,
  ROLES,
  stateOf,
  withRole,
  withState,
} from "./graph.js";

const STATES = [
  ["wanted", "Counts"],
  ["off", "Left out"],
  ["excluded", "Must not show"],
];
const SAID = { wanted: "counts", off: "left out", excluded: "must not show" };

/**
 * Draw a graph into its place.
 *
 * @param place the element that it fills.
 * @param graph as it was read.
 * @param edits what the reader changed; see `graph.js`.
 * @param change is called with new edits.
 */
export function drawGraph(place, graph, edits, change) {
  const drawing = { place, graph, edits, change };
  const actions = inOrder(graph.nodes.filter(isAction));
  const entities = inOrder(graph.nodes.filter((node) => !isAction(node)));
  const lines = svg("svg", { class: "lines", "aria-hidden": "true" });
  const rows = el(
    "div",
    { className: "rows" },
    lines,
    el("p", { className: "row" }, sentence(drawing)),
    actions.length
      ? el(
          "ul",
          { className: "row", aria: { label: "Actions" } },
          actions.map((node) => item(drawing, node)),
        )
      : null,
    entities.length
      ? el(
          "ul",
          { className: "row", aria: { label: "Phrases" } },
          entities.map((node) => item(drawing, node)),
        )
      : null,
  );
  place.replaceChildren(rows);
  place.classList.remove("as-list");
  if (rows.scrollWidth > place.clientWidth + 1) {
    place.classList.add("as-list");
    place.replaceChildren(asList(drawing, actions, entities));
  } else {
    drawLines(drawing, lines, rows);
  }
}

function sentence({ graph, edits }) {
  const state = new Array(graph.tokens.length).fill("wanted");
  for (const node of graph.nodes) {
    const now = stateOf(graph, edits, node.id);
    if (now !== "wanted") state.fill(now, ...node.span);
  }
  const runs = [];
  graph.tokens.forEach((token, position) => {
    if (runs.at(-1)?.state === state[position]) runs.at(-1).words.push(token);
    else runs.push({ state: state[position], words: [token] });
  });
  const words = runs.flatMap((run, position) => [
    position ? " " : null,
    el("span", { className: run.state }, run.words.join(" ")),
  ]);
  return el("span", { className: "node event" }, words);
}

function item(drawing, node, key = null) {
  const { graph, edits } = drawing;
  const roles = isAction(node) ? [] : rolesOf(graph, node).filter((each) => key === null || each.key === key);
  const labels = roles.map((each) => {
    const role = roleAt(edits, each.key, each.role);
    const classes = ["role", role === each.role ? "" : "changed", each.action === null ? "loose" : ""];
    return el("span", { className: classes.join(" "), data: { key: each.key }, title: role }, roleWords(role));
  });
  return el(
    "li",
    {},
    labels.length ? el("span", { className: "roles", aria: { hidden: "true" } }, labels) : null,
    button(drawing, node, roles),
  );
}

function button(drawing, node, roles) {
  const { graph, edits } = drawing;
  const state = stateOf(graph, edits, node.id);
  const kind = isAction(node) ? "action" : "entity";
  const asked = roles.map((each) => roleWords(roleAt(edits, each.key, each.role)));
  const said = asked.filter(Boolean).join("; ") || (kind === "action" ? "action" : "phrase");
  const made = el(
    "button",
    {
      type: "button",
      className: `node ${kind} ${state}`,
      data: { node: node.id },
      title: "Leave out, exclude or change",
      aria: { haspopup: "dialog", label: `${phraseOf(graph, node)}: ${said}, ${SAID[state]}. Change` },
      on: {
        click: () => openMenu(drawing, node, made),
        keydown: (event) => {
          if (event.key !== "Delete" && event.key !== "Backspace") return;
          event.preventDefault();
          drawing.change(withState(graph, edits, node.id, state === "off" ? "wanted" : "off"));
          focusNode(drawing.place, node.id);
        },
      },
    },
    phraseOf(graph, node),
  );
  return made;
}

const focusNode = (place, id) => place.querySelector(`[data-node="${id}"]`)?.focus();

/** The graph on a narrow page: each action with its phrases below it. */
function asList(drawing, actions, entities) {
  const { graph } = drawing;
  const loose = entities.filter((node) => rolesOf(graph, node)[0].action === null);
  const groups = actions.map((action) => {
    const own = entities.flatMap((node) =>
      rolesOf(graph, node)
        .filter((each) => each.action === action.id)
        .map(({ key }) => [node, key]),
    );
    return el(
      "li",
      { className: "group" },
      button(drawing, action, []),
      el(
        "ul",
        {},
        own.map(([node, key]) => item(drawing, node, key)),
      ),
    );
  });
  return el(
    "div",
    { className: "tree" },
    sentence(drawing),
    el(
      "ul",
      {},
      groups,
      loose.map((node) => item(drawing, node)),
    ),
  );
}

function drawLines({ graph, edits }, lines, rows) {
  const frame = rows.getBoundingClientRect();
  lines.setAttribute("viewBox", `0 0 ${frame.width} ${frame.height}`);
  lines.setAttribute("width", frame.width);
  lines.setAttribute("height", frame.height);
  const at = (element, side) => {
    const box = element.getBoundingClientRect();
    return [box.left - frame.left + box.width / 2, box[side] - frame.top];
  };
  const event = rows.querySelector(".event");
  const node = (id) => rows.querySelector(`[data-node="${id}"]`);
  const faded = (...ids) => (ids.some((id) => stateOf(graph, edits, id) === "off") ? "faded" : "");
  const draw = ([x1, y1], [x2, y2], kind) => {
    const middle = (y1 + y2) / 2;
    lines.append(svg("path", { d: `M${x1} ${y1}C${x1} ${middle} ${x2} ${middle} ${x2} ${y2}`, class: kind }));
  };
  for (const action of graph.nodes.filter(isAction))
    draw(at(event, "bottom"), at(node(action.id), "top"), faded(action.id));
  for (const label of rows.querySelectorAll(".role")) {
    const [action, entity] = label.dataset.key.split(".").map(Number);
    const loose = entity === undefined;
    const kind = [loose ? "loose" : "", loose ? faded(action) : faded(action, entity)].join(" ");
    draw(at(loose ? event : node(action), "bottom"), at(label, "top"), kind);
  }
}

/** What may be changed of a node, beside it. */
function openMenu(drawing, node, opener) {
  const { graph, place } = drawing;
  const menu = byId("node");
  let edits = drawing.edits;
  const change = (next) => drawing.change((edits = next));
  const states = STATES.map(([state, words]) =>
    el(
      "label",
      { className: `choice ${state}` },
      el("input", {
        type: "radio",
        name: "state",
        value: state,
        checked: stateOf(graph, edits, node.id) === state,
        on: { change: () => change(withState(graph, edits, node.id, state)) },
      }),
      words,
    ),
  );
  const roles = isAction(node)
    ? []
    : rolesOf(graph, node).map(({ key, action, role }) =>
        roleChoice(graph, edits, { key, action, role }, (chosen) => change(withRole(edits, key, chosen, role))),
      );
  menu.replaceChildren(
    el("p", { className: "menu-title" }, phraseOf(graph, node)),
    el("fieldset", {}, el("legend", { className: "unseen" }, "How it counts"), states),
    ...roles,
  );
  menu.ontoggle = ({ newState }) => {
    const isLost = document.activeElement === document.body || menu.contains(document.activeElement);
    if (newState === "closed" && isLost) focusNode(place, node.id);
  };
  menu.showPopover();
  putBeside(menu, opener);
  menu.querySelector("input:checked").focus();
}

function roleChoice(graph, edits, { key, action, role }, chosen) {
  const now = roleAt(edits, key, role);
  const known = Object.keys(ROLES).includes(now) ? [] : [now];
  const options = [...known, ...Object.keys(ROLES)].map((name) =>
    el(
      "option",
      { value: name, selected: name === now },
      `${roleWords(name) || "none"} (${name.replace("ARGM-", "")})`,
    ),
  );
  const verb = graph.nodes.find((node) => node.id === action);
  return el(
    "label",
    { className: "role-choice" },
    el("span", {}, verb ? `Its role in “${phraseOf(graph, verb)}”` : "Its role (no action has it)"),
    el("select", { on: { change: (event) => chosen(event.target.value) } }, options),
  );
}

/** Put a popover below its opener, or above where there is no room, and within the window. */
function putBeside(popover, opener) {
  const [anchor, box] = [opener.getBoundingClientRect(), popover.getBoundingClientRect()];
  const left = Math.max(8, Math.min(anchor.left + anchor.width / 2 - box.width / 2, innerWidth - box.width - 8));
  const below = anchor.bottom + 8;
  const top = below + box.height < innerHeight ? below : Math.max(8, anchor.top - box.height - 8);
  popover.style.setProperty("left", `${left}px`);
  popover.style.setProperty("top", `${top}px`);
}
