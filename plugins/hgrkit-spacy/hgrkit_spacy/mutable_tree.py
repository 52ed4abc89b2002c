"""The tree while it is converted."""

from __future__ import annotations

import attrs

__all__ = ["MutableTree"]


@attrs.define(kw_only=True)
class MutableTree:
    """A sentence's tokens with governors and labels that may change.

    Attributes:
        words: lower-cased words.
        tags: Penn's tags.
        lemmas: lower-cased lemmas.
        upos: universal tags.
        heads: each token's governor, -1 for a root.
        labels: relations to the governors, spaCy's until the end.
    """

    words: list[str]
    tags: list[str]
    lemmas: list[str]
    upos: list[str]
    heads: list[int]
    labels: list[str]

    def __len__(self) -> int:
        """Number of tokens."""
        return len(self.words)

    def children(self, token: int, *labels: str) -> list[int]:
        """A token's dependents in order, of these labels or all."""
        return [
            child
            for child, head in enumerate(self.heads)
            if head == token and (not labels or self.labels[child] in labels)
        ]

    def attach(self, token: int, head: int, label: str) -> None:
        """Hang a token on another one."""
        self.heads[token], self.labels[token] = head, label
