/** A question's graph, and the changes that a reader makes to it. Pure: knows no page. */

/** What each role asks, in words. */
export const ROLES = {
  ARG0: "who",
  ARG1: "what, whom",
  ARG2: "to, for, with what",
  ARG3: "from what",
  ARG4: "where to",
  "ARGM-LOC": "where",
  "ARGM-TMP": "when",
  "ARGM-DIR": "which way",
  "ARGM-MNR": "how",
  "ARGM-COM": "with whom",
  "ARGM-PRP": "why",
  "ARGM-PRD": "being what",
  "ARGM-ADV": "besides",
  "ARGM-MOD": "can, will",
};

const MORE_ROLES = {
  "ARGM-CAU": "why",
  "ARGM-EXT": "how much",
  "ARGM-NEG": "not",
  NOUN: "",
  V: "action",
};

/** A role in words: none for what no action governs, and the role itself if it has none here. */
export const roleWords = (role) => ROLES[role] ?? MORE_ROLES[role] ?? role.replace("ARGM-", "").toLowerCase();

/** A node's words. */
export const phraseOf = (graph, node) => graph.tokens.slice(...node.span).join(" ");

export const isAction = (node) => node.role === "V";

/** Nodes in the order of reading. */
export const inOrder = (nodes) => [...nodes].sort((a, b) => a.span[0] - b.span[0] || a.span[1] - b.span[1]);

/**
 * Changes of a graph as it was read.
 *
 * @typedef {{off: number[], not: number[], yes: number[], roles: Object<string, string>}} Edits
 * `off` are nodes left out; `not` are excluded that were not, `yes` are wanted that were excluded; `roles` has new
 * roles by "action.entity", or by "entity" of one that no action governs.
 */
export const noEdits = () => ({ off: [], not: [], yes: [], roles: {} });

export const isEdited = (edits) =>
  edits.off.length + edits.not.length + edits.yes.length + Object.keys(edits.roles).length > 0;

/** What a node is to the search: `wanted`, `off` or `excluded`. */
export function stateOf(graph, edits, id) {
  if (edits.off.includes(id)) return "off";
  if (edits.not.includes(id)) return "excluded";
  return graph.excluded.includes(id) && !edits.yes.includes(id) ? "excluded" : "wanted";
}

/** The edits after a node became `wanted`, `off` or `excluded`. */
export function withState(graph, edits, id, state) {
  const others = (ids) => ids.filter((other) => other !== id);
  const next = { ...edits, off: others(edits.off), not: others(edits.not), yes: others(edits.yes) };
  const was = graph.excluded.includes(id);
  if (state === "off") next.off.push(id);
  if (state === "excluded" && !was) next.not.push(id);
  if (state === "wanted" && was) next.yes.push(id);
  return next;
}

/** The role of an edge, or of an entity that no action governs, after the edits. */
export const roleAt = (edits, key, role) => edits.roles[key] ?? role;

/** The edits after a role was chosen; choosing what was read takes the edit away. */
export function withRole(edits, key, role, read) {
  const roles = { ...edits.roles };
  delete roles[key];
  if (role !== read) roles[key] = role;
  return { ...edits, roles };
}

/** Every role of an entity: the key of its edit, the action that governs it, and what was read. */
export function rolesOf(graph, node) {
  const edges = graph.edges.filter(([, entity]) => entity === node.id);
  if (!edges.length) return [{ key: `${node.id}`, action: null, role: node.role }];
  return edges.map(([action, entity, role]) => ({ key: `${action}.${entity}`, action, role }));
}

/** Edits that this graph can take; those of nodes and edges that it does not have go. */
export function fitting(graph, edits) {
  const ids = new Set(graph.nodes.map((node) => node.id));
  const keys = new Set(
    graph.nodes.filter((node) => !isAction(node)).flatMap((node) => rolesOf(graph, node).map(({ key }) => key)),
  );
  const known = (list) => list.filter((id) => ids.has(id));
  const roles = Object.fromEntries(Object.entries(edits.roles).filter(([key]) => keys.has(key)));
  return { off: known(edits.off), not: known(edits.not), yes: known(edits.yes), roles };
}

/** The graph to ask with: roles and exclusions changed. What is left out goes beside it, as `off`. */
export function edited(graph, edits) {
  return {
    tokens: graph.tokens,
    nodes: graph.nodes.map((node) =>
      isAction(node) ? node : { ...node, role: roleAt(edits, `${node.id}`, node.role) },
    ),
    edges: graph.edges.map(([action, entity, role]) => [
      action,
      entity,
      roleAt(edits, `${action}.${entity}`, role),
    ]),
    excluded: graph.nodes.map((node) => node.id).filter((id) => stateOf(graph, edits, id) === "excluded"),
  };
}
