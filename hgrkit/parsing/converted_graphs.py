"""Graphs of other programs: semantic role labellers in AllenNLP's format, and the released HGR code."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hgrkit.errors import GraphError, MissingPathError
from hgrkit.graph import ACTION_ROLE, NOUN_ROLE, Edge, Node, Role, RoleGraph, Span
from hgrkit.parsing.graph_file import json_objects
from hgrkit.parsing.lark.parser import LarkParser
from hgrkit.storage.json_file import read_json

__all__ = [
    "read_released_graphs",
    "read_role_labelling",
    "released_graph",
    "role_labelling_graph",
    "tagged_spans",
]

# output of semantic role labellers, by the rules of the HGR paper ---------------------------------------------

_OUTSIDE = "O"


def read_role_labelling(path: Path) -> Iterator[tuple[str, RoleGraph | GraphError]]:
    """Yield every sentence of the file with its graph, or with the reason why it has none.

    The file has one JSON object a line, as `allennlp predict` writes it, or is one JSON object that maps sentences
    to such objects: `{"words": [...], "verbs": [{"tags": ["B-ARG0", "I-ARG0", "B-V", ...]}]}`.

    Raises:
        MissingPathError: if there is no such file.
        GraphError: if it is neither.
    """
    if not path.is_file():
        raise MissingPathError(
            f"there is no file {str(path)!r}; give the role labeller's output, one JSON object a line."
        )
    for caption, record in _records(path):
        try:
            graph = role_labelling_graph(record)
        except GraphError as error:
            yield caption, GraphError(f"{caption!r}: {error}")
        else:
            yield caption or graph.text, graph


def role_labelling_graph(output: Mapping[str, Any]) -> RoleGraph:
    """The graph of one sentence.

    The rules are those of the paper's own conversion: a verb is an action if it has one span and at least one
    argument; verbs that share a phrase in the same role share its node, and a phrase that has several roles is a
    node for each; a sentence that is left without any node gets its noun phrases and bare verbs.

    Args:
        output: `words`, and `verbs` with `tags`, one of `B-ROLE`, `I-ROLE` and `O` for each word.

    Raises:
        GraphError: if the output lacks them, or tags and words differ in number.
    """
    words, verbs = output.get("words"), output.get("verbs")
    if not isinstance(words, list) or not isinstance(verbs, list) or not words:
        raise GraphError("a role labeller's output must have the lists 'words' and 'verbs'.")
    nodes: dict[tuple[Span, Role], Node] = {}
    edges: list[Edge] = []
    for verb in verbs:
        spans = tagged_spans(_tags(verb, len(words)))
        actions = [span for role, span in spans if role == ACTION_ROLE]
        arguments = [(span, role) for role, span in spans if role != ACTION_ROLE]
        if len(actions) != 1 or not arguments or (actions[0], ACTION_ROLE) in nodes:
            continue
        action = _node(nodes, actions[0], ACTION_ROLE)
        edges += [Edge(action.id, _node(nodes, span, role).id, role) for span, role in arguments]
    if not nodes:
        return _bare_graph(words)
    return RoleGraph(tokens=words, nodes=nodes.values(), edges=edges)


def tagged_spans(tags: Sequence[str]) -> list[tuple[Role, Span]]:
    """Collect the phrases of a sequence of tags; an `I-` that continues nothing begins a phrase.

    >>> tagged_spans(["B-ARG0", "I-ARG0", "B-V", "O", "I-ARG1"])
    [('ARG0', Span(start=0, stop=2)), ('V', Span(start=2, stop=3)), ('ARG1', Span(start=4, stop=5))]
    """
    spans: list[tuple[Role, Span]] = []
    for position, tag in enumerate(tags):
        if tag == _OUTSIDE:
            continue
        role = tag[2:]
        continued = bool(spans) and spans[-1][0] == role and spans[-1][1].stop == position
        if continued and not tag.startswith("B"):
            spans[-1] = (role, Span(spans[-1][1].start, position + 1))
        else:
            spans.append((role, Span(position, position + 1)))
    return spans


def _node(nodes: dict[tuple[Span, Role], Node], span: Span, role: Role) -> Node:
    return nodes.setdefault((span, role), Node(len(nodes) + 1, role, span))


def _tags(verb: Any, size: int) -> list[str]:
    tags = verb.get("tags") if isinstance(verb, dict) else None
    if not isinstance(tags, list) or len(tags) != size:
        raise GraphError(f"a verb of a role labeller's output must have {size} tags, one for each word.")
    return [str(tag) for tag in tags]


def _bare_graph(words: Sequence[str]) -> RoleGraph:
    """Noun phrases and verbs of a sentence in which the labeller found no arguments, without edges."""
    phrases, verbs = LarkParser().phrases(words)
    nodes = [Node(number, NOUN_ROLE, span) for number, span in enumerate(phrases, 1)]
    nodes += [Node(number, ACTION_ROLE, span) for number, span in enumerate(verbs, len(nodes) + 1)]
    return RoleGraph(tokens=words, nodes=nodes)


def _records(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    text = path.read_text(encoding="utf-8", errors="replace")
    try:
        whole = json.loads(text)
    except ValueError:
        whole = None
    if isinstance(whole, dict) and "words" not in whole:
        yield from whole.items()
        return
    for _, record in json_objects(text.splitlines(), path):
        yield str(record.get("sentence") or " ".join(map(str, record.get("words", [])))), record


# graphs of the released HGR code (`sent2rolegraph.augment.json`) ---------------------------------------------

_ROOT = "ROOT"


def read_released_graphs(path: Path) -> Iterator[tuple[str, RoleGraph | GraphError]]:
    """Yield every caption of the file with its graph, or with the reason why it has none.

    Raises:
        MissingPathError: if there is no such file.
        GraphError: if the file is not a JSON object of captions.
    """
    expected = "the released code's sent2rolegraph.augment.json, which maps captions to graphs"
    captions = read_json(path, dict, error=GraphError, expected=expected, missing=MissingPathError)
    for caption, record in captions.items():
        try:
            yield caption, released_graph(caption, record)
        except GraphError as error:
            yield caption, error


def released_graph(caption: str, record: Any) -> RoleGraph:
    """Convert one caption's graph, over the tokens `caption.split()`.

    The root is left out; a node's span reaches from its first token to its last one.

    Args:
        caption: the sentence.
        record: `[{node: {"role", "spans"}}, [[action, entity, role]]]`; spans are lists of token indices.

    Raises:
        GraphError: if it is no such record or breaks a rule of role graphs.
    """
    try:
        nodes, edges = record
        kept = [(key, node) for key, node in nodes.items() if node["role"] != _ROOT]
        numbers = {key: number for number, (key, _) in enumerate(kept, 1)}
        return RoleGraph(
            tokens=caption.split(),
            nodes=[Node(numbers[key], str(node["role"]), _span(node["spans"])) for key, node in kept],
            edges=[
                Edge(numbers[str(action)], numbers[str(entity)], str(role))
                for action, entity, role in edges
                if str(action) in numbers and str(entity) in numbers
            ],
        )
    except GraphError as error:
        raise GraphError(f"the graph of {caption!r}: {error}") from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise GraphError(
            f"the graph of {caption!r} is invalid: {type(error).__name__}: {error}; expected "
            "[{node: {role, spans}}, [[action, entity, role]]]."
        ) from error


def _span(tokens: Any) -> Span:
    listed = [int(token) for token in tokens]
    return Span(min(listed), max(listed) + 1)
