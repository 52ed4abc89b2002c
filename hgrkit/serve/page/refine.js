/** The filter and the options: conditions to choose, the SQL that they make, and what else a search may be told. */

import { byId, el, icon, later } from "./dom.js";
import { DEFAULT_K } from "./question.js";

const LABELS = {
  name: "file name", folder: "folder", path: "path", duration_s: "length (seconds)", modified: "file changed", indexed: "indexed",
};
const TIMES = ["modified", "indexed"];
const OPERATORS = {
  text: [["=", "is"], ["<>", "is not"], ["LIKE", "contains"]],
  number: [["=", "is"], ["<>", "is not"], [">=", "at least"], ["<=", "at most"], [">", "more than"], ["<", "less than"]],
  boolean: [["=", "is"]],
  time: [[">=", "since"], ["<", "before"]],
};

const kindOf = (column) => (TIMES.includes(column.name) ? "time" : column.type in OPERATORS ? column.type : "text");

const literal = (text) => `'${text.replaceAll("'", "''")}'`;

/** The SQL of one condition. */
export function sqlOf({ column, operator, value }, kind) {
  const isNumber = /^-?\d+(\.\d+)?$/.test(value.trim());
  if (operator === "LIKE") {
    const pattern = value.replace(/[\\%_]/g, "\\$&");
    return `${column} LIKE ${literal(`%${pattern}%`)}${pattern === value ? "" : " ESCAPE '\\'"}`;
  }
  const plain = kind === "boolean" ? /^(true|false)$/.test(value) : kind === "number" && isNumber;
  return `${column} ${operator} ${plain ? value.trim() : literal(value)}`;
}

const CONDITION = /^([A-Za-z_]\w*) (=|<>|>=|<=|>|<|LIKE) ('(?:[^']|'')*'|-?\d+(?:\.\d+)?|true|false)(?: ESCAPE '\\')?$/;

/** The conditions of an SQL expression that conditions made; `null` of one that was written by hand. */
export function conditionsOf(where) {
  if (!where) return [];
  const pieces = where.match(/(?:'(?:[^']|'')*'|(?! AND )[^'])+/g) ?? [];
  const found = pieces.map((piece) => piece.replace(/^ AND /, "").match(CONDITION));
  if (found.some((each) => !each)) return null;
  return found.map(([, column, operator, written]) => {
    let value = written.startsWith("'") ? written.slice(1, -1).replaceAll("''", "'") : written;
    if (operator === "LIKE") value = value.replace(/^%|%$/g, "").replace(/\\([\\%_])/g, "$1");
    return { column, operator, value };
  });
}

/** The panel; `get` gives the question, `change` takes what of it has changed. */
export class Refine {
  constructor({ get, change, columns }) {
    Object.assign(this, { get, change, loadColumns: columns, columns: null, conditions: [] });
    this.place = byId("refine");
    this.typed = later(() => this.apply(), 400);
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

  draw() {
    const { where } = this.get();
    this.conditions = conditionsOf(where);
    const conditions = el("fieldset", { className: "conditions" }, el("legend", {}, "Only videos where"), ...this.conditionRows());
    this.place.replaceChildren(conditions, this.options());
  }

  conditionRows() {
    if (this.problem) return [el("p", { className: "soft" }, this.problem)];
    if (!this.columns) return [el("p", { className: "soft" }, "Looking at what is known of the videos…")];
    const rows = this.conditions?.map((condition, place) => this.row(condition, place)) ?? [
      el("p", { className: "soft" }, "This filter was written by hand."),
    ];
    const add = el("button", { type: "button", className: "plain add", on: { click: () => this.add() } }, icon("plus"), "Add a condition");
    const clear = el("button", { type: "button", className: "plain", on: { click: () => this.put("") } }, "Take the filter away");
    return [...rows, el("div", { className: "buttons" }, this.conditions ? add : null, this.get().where ? clear : null), this.written()];
  }

  row(condition, place) {
    const column = this.columns.find(({ name }) => name === condition.column) ?? { name: condition.column, type: "text", values: [] };
    const kind = kindOf(column);
    const put = (part) => {
      this.conditions[place] = { ...condition, ...part };
      Object.assign(condition, part);
    };
    const number = place + 1;
    const columns = el("select", {
      aria: { label: `Column of condition ${number}` },
      on: { change: (event) => { this.conditions[place] = this.start(event.target.value); this.apply(true); } },
    }, this.columns.map(({ name, videos }) => el("option", { value: name, selected: name === column.name }, (LABELS[name] ?? name) + (videos === undefined ? "" : ` (${videos})`))));
    const operators = el("select", {
      aria: { label: `Comparison of condition ${number}` },
      on: { change: (event) => { put({ operator: event.target.value }); this.apply(true); } },
    }, OPERATORS[kind].map(([sign, words]) => el("option", { value: sign, selected: sign === condition.operator }, words)));
    const remove = el("button", {
      type: "button", className: "plain small", title: "Remove", aria: { label: `Remove condition ${number}` },
      on: { click: () => { this.conditions.splice(place, 1); this.apply(true); } },
    }, icon("cross"));
    return el("div", { className: "condition" }, columns, operators, this.valueOf(column, kind, condition, put, number), remove);
  }

  valueOf(column, kind, condition, put, number) {
    const label = { label: `Value of condition ${number}` };
    const offered = column.values ?? [];
    if (["=", "<>"].includes(condition.operator) && (kind === "boolean" || offered.length)) {
      const values = offered.length ? offered.map(({ value, videos }) => [`${value}`, ` (${videos})`]) : [["true", ""], ["false", ""]];
      if (!values.some(([value]) => value === condition.value)) values.unshift([condition.value, ""]);
      return el("select", { aria: label, on: { change: (event) => { put({ value: event.target.value }); this.apply(); } } },
        values.map(([value, videos]) => el("option", { value, selected: value === condition.value }, value + videos)));
    }
    const hints = { time: "2026-03", number: "60", text: "" };
    return el("input", {
      type: kind === "number" ? "number" : "text", step: "any", value: condition.value, placeholder: hints[kind] ?? "", aria: label,
      on: { input: (event) => { put({ value: event.target.value }); this.typed(); } },
    });
  }

  written() {
    const { where } = this.get();
    const text = el("textarea", { id: "where", rows: 2, spellcheck: false, value: where, maxLength: 10000, placeholder: "duration_s > 60 AND name LIKE '%garden%'" });
    const use = el("button", { type: "button", on: { click: () => this.put(text.value.trim()) } }, "Use this");
    const names = this.columns.map(({ name }) => name).join(", ");
    return el("details", { className: "sql", open: this.sqlOpen || this.conditions === null, on: { toggle: (event) => (this.sqlOpen = event.target.open) } },
      el("summary", {}, "As SQL"),
      el("label", { for: "where", className: "unseen" }, "Filter as an SQL expression"), text,
      el("p", { className: "soft small-print" }, `Columns: ${names}.`), use);
  }

  start(name) {
    const column = this.columns.find((each) => each.name === name);
    const kind = kindOf(column);
    const operator = kind === "text" && !column.values.length ? "LIKE" : kind === "number" && !column.tag ? ">=" : OPERATORS[kind][0][0];
    const value = operator === "=" ? `${column.values[0]?.value ?? (kind === "boolean" ? "true" : "")}` : "";
    return { column: name, operator, value };
  }

  add() {
    const column = this.columns.find(({ tag }) => tag) ?? this.columns.find(({ name }) => name === "name") ?? this.columns[0];
    this.conditions.push(this.start(column.name));
    this.apply(true);
    [...this.place.querySelectorAll(".condition select:first-child")].at(-1)?.focus();
  }

  /** Make the SQL of the conditions that have a value, and search with it. */
  apply(redraw = false) {
    this.typed.cancel();
    const kinds = new Map(this.columns.map((column) => [column.name, kindOf(column)]));
    const said = this.conditions.filter(({ value }) => value !== "").map((each) => sqlOf(each, kinds.get(each.column)));
    const where = said.join(" AND ");
    const conditions = this.conditions;
    if (where !== this.get().where) this.change({ where });
    if (redraw) {
      this.draw();
      this.conditions = conditions;
      this.place.querySelector(".conditions").replaceChildren(el("legend", {}, "Only videos where"), ...this.conditionRows());
    } else {
      const written = byId("where");
      if (written) written.value = where;
    }
  }

  put(where) {
    this.change({ where });
    this.draw();
    byId("refine-open").focus();
  }

  options() {
    const { k, perVideo, least, exact } = this.get();
    const choose = (name, values, now, said) =>
      el("select", { id: `option-${name}`, on: { change: (event) => this.change({ [name]: Number(event.target.value) }) } },
        (values.includes(now) ? values : [...values, now]).map((value) => el("option", { value, selected: value === now }, said(value))));
    const field = (name, words, control) => el("p", { className: "field" }, el("label", { for: `option-${name}` }, words), control);
    return el("fieldset", { className: "options" }, el("legend", {}, "Options"),
      field("k", "Hits", choose("k", [6, DEFAULT_K, 24, 48, 100], k, (value) => `up to ${value}`)),
      field("perVideo", "Moments a video", choose("perVideo", [1, 2, 3, 5, 10], perVideo, (value) => (value === 1 ? "the best one" : `up to ${value}`))),
      this.calibrated ? field("least", "Show only", choose("least", [0, 0.2, 0.5, 0.8], least, (value) => (value ? `at least ${Math.round(value * 100)}% sure` : "everything"))) : null,
      el("p", { className: "field check" }, el("input", { type: "checkbox", id: "option-exact", checked: exact, on: { change: (event) => this.change({ exact: event.target.checked }) } }),
        el("label", { for: "option-exact" }, "Compare every clip (slower in large libraries)")));
  }
}

/** What of the filter and the options is in force, each with the change that takes it away. */
export function inForce(question) {
  return [
    question.where && [question.where, { where: "" }],
    question.perVideo > 1 && [`${question.perVideo} moments a video`, { perVideo: 1 }],
    question.least > 0 && [`at least ${Math.round(question.least * 100)}% sure`, { least: 0 }],
    question.k !== DEFAULT_K && [`up to ${question.k} hits`, { k: DEFAULT_K }],
    question.exact && ["every clip compared", { exact: false }],
  ].filter(Boolean);
}
