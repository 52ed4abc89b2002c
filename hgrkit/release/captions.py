"""Captions and their role graphs as the released code reads them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs

from hgrkit.errors import ReleaseError
from hgrkit.graph import ACTION_ROLE
from hgrkit.release.layout import ReleaseFolder, Split, read_json
from hgrkit.text.graph_selection import GraphLimits, SelectedGraph, SelectedNode

__all__ = ["ReleaseCaptions", "read_captions", "read_graph"]

_ROOT_ROLE = "ROOT"


@attrs.frozen(kw_only=True, eq=False, repr=False)
class ReleaseCaptions:
    """The captions of a split's videos and the file of role graphs.

    Attributes:
        names: the videos, in the order of the list of names.
        captions: each video's captions, in the file's order.
        graphs: role graphs as they stand in the file, by caption.
    """

    names: tuple[str, ...]
    captions: tuple[tuple[str, ...], ...]
    graphs: Mapping[str, Any]

    def pairs(self) -> list[tuple[int, str]]:
        """Position of a video and one of its captions: the videos in order, each one's captions in order."""
        return [(video, caption) for video, captions in enumerate(self.captions) for caption in captions]

    def unique(self) -> list[str]:
        """The different captions, sorted."""
        return sorted({caption for captions in self.captions for caption in captions})

    def select(self, captions: Iterable[str], limits: GraphLimits) -> list[SelectedGraph]:
        """What of each caption's graph enters the encoder.

        Raises:
            ReleaseError: if a caption has no graph or no word, or its graph is not one.
        """
        return [self._select(caption, limits) for caption in captions]

    def _select(self, caption: str, limits: GraphLimits) -> SelectedGraph:
        if caption not in self.graphs:
            raise ReleaseError(f"sent2rolegraph.augment.json has no role graph of the caption {caption!r}.")
        return read_graph(caption, self.graphs[caption], limits)

    def __repr__(self) -> str:
        return f"ReleaseCaptions(videos={len(self.names)}, pairs={len(self.pairs())})"


def read_captions(folder: ReleaseFolder, split: Split) -> ReleaseCaptions:
    """Read the captions and graphs of a split.

    Raises:
        ReleaseError: if a file is missing or broken, or a video has no list of captions.
    """
    names = folder.names(split)
    path = folder.annotation("ref_captions.json")
    listed = read_json(path)
    missing = [name for name in names if name not in listed]
    if missing:
        raise ReleaseError(
            f"{path} has no captions of {len(missing)} videos of the split {split}: {_few(missing)}."
        )
    broken = [name for name in names if not _is_text_list(listed[name])]
    if broken:
        raise ReleaseError(f"{path} must list captions for each video; it does not for {_few(broken)}.")
    return ReleaseCaptions(
        names=tuple(names),
        captions=tuple(tuple(listed[name]) for name in names),
        graphs=read_json(folder.annotation("sent2rolegraph.augment.json")),
    )


def read_graph(caption: str, record: Any, limits: GraphLimits) -> SelectedGraph:
    """One caption's graph under the released reader's rules.

    Tokens are `caption.split()`. Only the role exactly `V` is an action, `ROOT` is skipped, everything else is an
    entity with its node's own role; edges lead from an action to an entity.

    Args:
        caption: the sentence.
        record: `[{node: {"role", "spans"}}, [[node, node, role]]]`; spans are lists of token indices.
        limits: how much is kept.

    Raises:
        ReleaseError: if the caption has no word or the record is no graph.
    """
    words = caption.split()
    if not words:
        raise ReleaseError(f"the caption {caption!r} has no word; take it out of ref_captions.json.")
    try:
        nodes, edges = record
        read = [
            (key, SelectedNode(position, str(node["role"]), _tokens(node["spans"])))
            for position, (key, node) in enumerate(nodes.items())
            if node["role"] != _ROOT_ROLE
        ]
        ids = {key: node.id for key, node in read}
        pairs = [(str(edge[0]), str(edge[1])) for edge in edges]
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise ReleaseError(
            f"the role graph of {caption!r} is none: {type(error).__name__}: {error}; expected "
            "[{node: {role, spans}}, [[action, entity, role]]] with at least one token in each span."
        ) from error
    return SelectedGraph.from_nodes(
        words,
        actions=[node for _, node in read if node.role == ACTION_ROLE],
        entities=[node for _, node in read if node.role != ACTION_ROLE],
        edges=[(ids[first], ids[second]) for first, second in pairs if first in ids and second in ids],
        limits=limits,
    )


def _tokens(spans: Sequence[int]) -> tuple[int, ...]:
    tokens = tuple(int(token) for token in spans)
    if not tokens or min(tokens) < 0:
        raise ValueError(f"spans are {list(tokens)}")
    return tokens


def _is_text_list(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _few(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:5])) + (", ..." if len(names) > 5 else "")
