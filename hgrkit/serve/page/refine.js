/** The panel of the filter and the options. */

import { byId, el, icon, iconButton, later } from "./dom.js";
import { DEFAULT_K, MOST_HITS } from "./question.js";
import { conditionsOf, firstCondition, kindOf, OPERATORS, whereOf } from "./where.js";

const TYPED_MS = 400;
const COLUMN_WORDS = {
  name: "file name",
  folder: "folder",
  path: "path",
  duration_s: "length (seconds)",
  modified: "file changed",
  indexed: "indexed",
};
const EXAMPLES = { time: "2026-03", number: "60" };
const SQL_EXAMPLE = "duration_s > 60 AND name LIKE '%garden%'";

const hitWords = (k) => `up to ${k}`;
const momentWords = (number) => (number === 1 ? "the best one" : `up to ${number}`);
const leastWords = (share) => (share ? `at least ${Math.round(share * 100)}% sure` : "everything");

export class Refine {
  /** `get()` gives the question, `change(part)` takes what of it has changed, `columns()` asks for the columns. */
  constructor({ get, change, columns }) {
    Object.assign(this, { get, change, loadColumns: columns });
    this.columns = null;
    this.problem = "";
    this.calibrated = false; // whether the library's model tells how sure it is
    this.place = byId("refine");
    this.applyLater = later(() => this.apply(), TYPED_MS);
  }

  /** Show the panel as the question is now. */
  async open() {
    this.draw();
    try {
      this.columns = (await this.loadColumns()).columns;
      this.problem = "";
    } catch (error) {
      this.problem = error.message;
    }
    this.draw();
  }

  /** Draw the panel anew, after the question was changed elsewhere. */
  draw() {
    this.conditions = conditionsOf(this.get().where);
    this.filter = el("fieldset", { className: "conditions" });
    this.drawFilter();
    this.place.replaceChildren(this.filter, this.options());
  }

  drawFilter() {
    this.filter.replaceChildren(el("legend", {}, "Only videos where"), ...this.filterParts());
  }

  filterParts() {
    if (this.problem) return [el("p", { className: "soft" }, this.problem)];
    if (!this.columns) return [el("p", { className: "soft" }, "Looking at what is known of the videos…")];
    const { where } = this.get();
    const button = (words, click, ...before) =>
      el("button", { type: "button", className: "plain", on: { click } }, ...before, words);
    return [
      ...(this.conditions?.map((_, place) => this.row(place)) ?? [
        el("p", { className: "soft" }, "This filter was written by hand."),
      ]),
      el(
        "div",
        { className: "buttons" },
        this.conditions ? button("Add a condition", () => this.add(), icon("plus")) : null,
        where ? button("Remove the filter", () => this.put("")) : null,
      ),
      this.sql(where),
    ];
  }

  /** One condition: a column, a comparison and a value. */
  row(place) {
    const condition = this.conditions[place];
    const column = this.columnOf(condition.column);
    const label = (part) => ({ label: `${part} of condition ${place + 1}` });
    const set = (next) => {
      this.conditions[place] = next;
      this.apply();
      this.drawFilter();
    };
    const columns = this.columns.map(({ name, videos }) => [
      name,
      (COLUMN_WORDS[name] ?? name) + (videos === undefined ? "" : ` (${videos})`),
    ]);
    return el(
      "div",
      { className: "condition" },
      select(columns, condition.column, (name) => set(firstCondition(this.columnOf(name))), {
        aria: label("Column"),
      }),
      select(
        Object.entries(OPERATORS[kindOf(column)]),
        condition.operator,
        (operator) => set({ ...condition, operator }),
        { aria: label("Comparison") },
      ),
      this.value(condition, column, { aria: label("Value") }),
      iconButton("cross", "Remove", () => this.remove(place), {
        aria: { label: `Remove condition ${place + 1}` },
      }),
    );
  }

  columnOf(name) {
    return this.columns.find((column) => column.name === name) ?? { name, type: "text", values: [] };
  }

  /** A field for a condition's value: a choice where the values are known. */
  value(condition, column, properties) {
    const kind = kindOf(column);
    const known =
      kind === "boolean"
        ? [
            ["true", "true"],
            ["false", "false"],
          ]
        : column.values.map(({ value, videos }) => [`${value}`, `${value} (${videos})`]);
    const put = (value) => (condition.value = value);
    if (known.length && ["=", "<>"].includes(condition.operator)) {
      const given = [condition.value, condition.value];
      const choices = known.some(([value]) => value === condition.value) ? known : [given, ...known];
      return select(
        choices,
        condition.value,
        (value) => {
          put(value);
          this.apply();
        },
        properties,
      );
    }
    const input = (event) => {
      put(event.target.value.trim());
      this.applyLater();
    };
    const type = kind === "number" ? "number" : "text";
    return el("input", {
      type,
      step: "any",
      value: condition.value,
      placeholder: EXAMPLES[kind] ?? "",
      on: { input },
      ...properties,
    });
  }

  add() {
    const asked = this.conditions.map(({ column }) => column);
    const column = this.columns.find(({ name, tag }) => tag && !asked.includes(name)) ?? this.columnOf("name");
    this.conditions.push(firstCondition(column));
    this.apply();
    this.drawFilter();
    [...this.filter.querySelectorAll(".condition")].at(-1).querySelector("select").focus();
  }

  remove(place) {
    this.conditions.splice(place, 1);
    this.apply();
    this.drawFilter();
    this.filter.querySelector("button").focus();
  }

  /** Search with the conditions as they are. */
  apply() {
    this.applyLater.cancel();
    const where = whereOf(this.conditions, this.columns);
    if (where !== this.get().where) this.change({ where });
    byId("where").value = where;
  }

  put(where) {
    this.change({ where });
    this.draw();
    byId("refine-open").focus();
  }

  sql(where) {
    const text = el("textarea", {
      id: "where",
      rows: 2,
      spellcheck: false,
      value: where,
      maxLength: 10000,
      placeholder: SQL_EXAMPLE,
    });
    const toggle = (event) => (this.isSqlOpen = event.target.open);
    return el(
      "details",
      { className: "sql", open: this.isSqlOpen || this.conditions === null, on: { toggle } },
      el("summary", {}, "As SQL"),
      el("label", { for: "where", className: "unseen" }, "Filter as an SQL expression"),
      text,
      el("p", { className: "soft small-print" }, `Columns: ${this.columns.map(({ name }) => name).join(", ")}.`),
      el("button", { type: "button", on: { click: () => this.put(text.value.trim()) } }, "Use this"),
    );
  }

  options() {
    const question = this.get();
    const field = (name, words, values, say) => {
      const now = question[name];
      const choices = (values.includes(now) ? values : [...values, now]).map((value) => [value, say(value)]);
      const control = select(choices, now, (value) => this.change({ [name]: Number(value) }), {
        id: `option-${name}`,
      });
      return el("p", { className: "field" }, el("label", { for: `option-${name}` }, words), control);
    };
    const change = (event) => this.change({ exact: event.target.checked });
    return el(
      "fieldset",
      { className: "options" },
      el("legend", {}, "Options"),
      field("k", "Hits", [6, DEFAULT_K, 24, 48, MOST_HITS], hitWords),
      field("perVideo", "Moments a video", [1, 2, 3, 5, 10], momentWords),
      this.calibrated ? field("least", "Show only", [0, 0.2, 0.5, 0.8], leastWords) : null,
      el(
        "p",
        { className: "field check" },
        el("input", { type: "checkbox", id: "option-exact", checked: question.exact, on: { change } }),
        el("label", { for: "option-exact" }, "Compare every clip (slower in large libraries)"),
      ),
    );
  }
}

/** A field of choices, each a value and its words. */
function select(choices, now, chosen, properties) {
  return el(
    "select",
    { ...properties, on: { change: (event) => chosen(event.target.value) } },
    choices.map(([value, words]) => el("option", { value, selected: value === now }, words)),
  );
}

/** What of the filter and the options is in force, each with the change that takes it away. */
export function inForce({ where, perVideo, least, k, exact }) {
  return [
    where && [where, { where: "" }],
    perVideo > 1 && [`${perVideo} moments a video`, { perVideo: 1 }],
    least > 0 && [leastWords(least), { least: 0 }],
    k !== DEFAULT_K && [`${hitWords(k)} hits`, { k: DEFAULT_K }],
    exact && ["every clip compared", { exact: false }],
  ].filter(Boolean);
}
