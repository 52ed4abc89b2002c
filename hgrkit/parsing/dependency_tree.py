"""A Universal Dependencies tree: what dependency parsers put out and the labeller reads."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from hgrkit.arguments import check_sequence, check_whole, shown
from hgrkit.errors import GraphError

__all__ = ["DependencyTree"]

_BRACKETS = {")": "(", "]": "[", "}": "{"}
_COLUMNS = ("upos", "xpos", "lemma", "feats", "head", "deprel")


def _words(values: Sequence[str]) -> tuple[str, ...]:
    return tuple(check_sequence("a column of a dependency tree", values, str, of="strings", error=GraphError))


def _numbers(values: Sequence[int]) -> tuple[int, ...]:
    whole = functools.partial(check_whole, least=None, error=GraphError)
    return tuple(check_sequence("head", values, int, of="token numbers", error=GraphError, each=whole))


@attrs.frozen(kw_only=True)
class DependencyTree:
    """Tokens with their tags, features, governors and relations (universaldependencies.org, version 2).

    Attributes:
        upos: [T] universal part-of-speech tags.
        xpos: [T] the treebank's own tags, such as Penn's; may be empty strings.
        lemma: [T] lemmas.
        feats: [T] features such as `Tense=Past|VerbForm=Fin`, `_` for none.
        head: [T] each token's governor, -1 for a root.
        deprel: [T] relation to the governor.

    Raises:
        GraphError: if the columns differ in length, a governor does not exist, or the arcs form a circle.
    """

    upos: tuple[str, ...] = attrs.field(converter=_words)
    xpos: tuple[str, ...] = attrs.field(converter=_words)
    lemma: tuple[str, ...] = attrs.field(converter=_words)
    feats: tuple[str, ...] = attrs.field(converter=_words)
    head: tuple[int, ...] = attrs.field(converter=_numbers)
    deprel: tuple[str, ...] = attrs.field(converter=_words)

    def __attrs_post_init__(self) -> None:
        sizes = {len(getattr(self, name)) for name in _COLUMNS}
        if len(sizes) != 1:
            raise GraphError(f"the columns of a dependency tree must be of one length, got {sorted(sizes)}.")
        for token, head in enumerate(self.head):
            if not -1 <= head < len(self.head) or head == token:
                raise GraphError(f"token {token} of a dependency tree is governed by {head}, which cannot be.")
        reached = len(self._top_down)
        if reached != len(self.head):
            raise GraphError(f"{len(self.head) - reached} tokens of a dependency tree hang on no root.")

    @classmethod
    def from_dict(cls, record: Mapping[str, Sequence[Any]]) -> DependencyTree:
        """The tree of a record with the columns as keys.

        Raises:
            GraphError: if a column is missing, beside the rules of the class.
        """
        if not isinstance(record, Mapping):
            raise GraphError(f"a dependency tree needs the columns {', '.join(_COLUMNS)}; got {shown(record)}.")
        missing = [name for name in _COLUMNS if name not in record]
        if missing:
            raise GraphError(f"a dependency tree needs the columns {', '.join(_COLUMNS)}; it lacks {missing}.")
        return cls(**{name: record[name] for name in _COLUMNS})

    def __len__(self) -> int:
        """T, the number of tokens."""
        return len(self.head)

    def children(self, token: int, *relations: str) -> list[int]:
        """A token's dependents in order; of these relations (subtypes too, unless one is named), or all."""
        found = self._children.get(token, [])
        return [child for child in found if not relations or self.is_a(child, *relations)]

    def child(self, token: int, *relations: str) -> int | None:
        """The first dependent of these relations."""
        return next(iter(self.children(token, *relations)), None)

    def is_a(self, token: int, *relations: str) -> bool:
        """Whether a token's relation is one of these; `nsubj` includes `nsubj:pass`."""
        relation = self.deprel[token]
        return relation in relations or relation.partition(":")[0] in relations

    def has(self, token: int, feature: str) -> bool:
        """Whether a token has a feature, such as `Voice=Pass`."""
        return feature in self.feats[token].split("|")

    def extent(self, token: int) -> tuple[int, int]:
        """First token and end of a token's subtree, punctuation at its edges left out."""
        return self._extents[token]

    @functools.cached_property
    def _children(self) -> dict[int, list[int]]:
        children: dict[int, list[int]] = {}
        for token, head in enumerate(self.head):
            children.setdefault(head, []).append(token)
        return children

    @functools.cached_property
    def _top_down(self) -> list[int]:
        order = list(self._children.get(-1, []))
        for token in order:
            order.extend(self._children.get(token, []))
        return order

    @functools.cached_property
    def _extents(self) -> list[tuple[int, int]]:
        extents = [(token, token + 1) for token in range(len(self))]
        for token in reversed(self._top_down):
            head = self.head[token]
            if head >= 0 and self.upos[token] != "PUNCT":
                start, stop = extents[head]
                extents[head] = (min(start, extents[token][0]), max(stop, extents[token][1]))
        return [self._with_closing(start, stop) for start, stop in extents]

    def _with_closing(self, start: int, stop: int) -> tuple[int, int]:
        """A bracket that is opened inside is closed inside."""
        inside = self.lemma[start:stop]
        if stop < len(self) and self.lemma[stop] in _BRACKETS:
            opening = _BRACKETS[self.lemma[stop]]
            stop += inside.count(opening) > inside.count(self.lemma[stop])
        return start, stop
