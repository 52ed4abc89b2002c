/** A filter as conditions that are chosen, and as the SQL that they make. Pure: knows no page. */

const TIMES = ["modified", "indexed"];

/** By kind of column: the comparisons that it can be asked for, and their words. */
export const OPERATORS = {
  text: { "=": "is", "<>": "is not", LIKE: "contains" },
  number: { "=": "is", "<>": "is not", ">=": "at least", "<=": "at most", ">": "more than", "<": "less than" },
  boolean: { "=": "is" },
  time: { ">=": "since", "<": "before" },
};

/** The kind of a column: one of `OPERATORS`. */
export function kindOf(column) {
  if (TIMES.includes(column.name)) return "time";
  return column.type in OPERATORS ? column.type : "text";
}

/** A first condition on a column: one of its values, or none yet. */
export function firstCondition(column) {
  const kind = kindOf(column);
  const [value] = column.values;
  if (value !== undefined) return { column: column.name, operator: "=", value: `${value.value}` };
  if (kind === "boolean") return { column: column.name, operator: "=", value: "true" };
  return { column: column.name, operator: kind === "text" ? "LIKE" : ">=", value: "" };
}

const literal = (text) => `'${text.replaceAll("'", "''")}'`;

function sqlOf({ column, operator, value }, kind) {
  if (operator === "LIKE") {
    const pattern = value.replace(/[\\%_]/g, "\\$&");
    return `${column} LIKE ${literal(`%${pattern}%`)}${pattern === value ? "" : " ESCAPE '\\'"}`;
  }
  const isBare =
    kind === "boolean" ? /^(true|false)$/.test(value) : kind === "number" && /^-?\d+(\.\d+)?$/.test(value);
  return `${column} ${operator} ${isBare ? value : literal(value)}`;
}

/** The SQL of the conditions that have a value; `columns` tells their kinds. */
export function whereOf(conditions, columns) {
  const kinds = new Map(columns.map((column) => [column.name, kindOf(column)]));
  const asked = conditions.filter(({ value }) => value !== "");
  return asked.map((condition) => sqlOf(condition, kinds.get(condition.column))).join(" AND ");
}

const CONDITION =
  /^([A-Za-z_]\w*) (=|<>|>=|<=|>|<|LIKE) ('(?:[^']|'')*'|-?\d+(?:\.\d+)?|true|false)(?: ESCAPE '\\')?$/;
const VALUE_OR_AND = /'(?:[^']|'')*'| AND /g;
const BREAK = "\0"; // stands in no SQL

/** The conditions that made an SQL expression; `null` of one that was written by hand. */
export function conditionsOf(where) {
  if (!where) return [];
  const pieces = where.replace(VALUE_OR_AND, (part) => (part === " AND " ? BREAK : part)).split(BREAK);
  const found = pieces.map((piece) => piece.match(CONDITION));
  if (found.some((each) => !each)) return null;
  return found.map(([, column, operator, written]) => {
    const value = written.startsWith("'") ? written.slice(1, -1).replaceAll("''", "'") : written;
    return {
      column,
      operator,
      value: operator === "LIKE" ? value.replace(/^%|%$/g, "").replace(/\\([\\%_])/g, "$1") : value,
    };
  });
}
