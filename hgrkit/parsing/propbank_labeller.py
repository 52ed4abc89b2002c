"""Roles as plain PropBank gives them to the phrases of a clause, for trees of running text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hgrkit.graph import Role
from hgrkit.parsing.dependency_tree import DependencyTree
from hgrkit.parsing.phrase import Phrase
from hgrkit.parsing.role_features import role_features, role_phrases
from hgrkit.parsing.role_model import NO_ROLE, RoleModel

__all__ = ["PropbankLabeller"]

_ONCE = frozenset({"ARG0", "ARG1", "ARG2", "ARG3", "ARG4"})
_FIXED = {"modal": "ARGM-MOD", "negation": "ARGM-NEG"}


class PropbankLabeller:
    """Roles for the phrases of a clause, the surest first; a numbered role is given once.

    Args:
        words: the sentence's lower-cased tokens.
        tree: their tree.
        model: weighs the features.
    """

    def __init__(self, words: Sequence[str], tree: DependencyTree, model: RoleModel) -> None:
        self._words, self._tree, self._model = words, tree, model

    def roles(self, clause: Phrase) -> Iterator[tuple[Phrase, Role]]:
        """A clause's phrases with their roles, the subject first, and a relative clause's noun last."""
        phrases = role_phrases(clause)
        ranked = {
            at: self._model.ranked(role_features(self._words, self._tree, clause, phrase))
            for at, phrase in enumerate(phrases)
            if phrase.relation not in _FIXED or phrase is clause.subject
        }
        chosen: dict[int, Role] = {}
        for at in sorted(ranked, key=lambda at: -_margin(ranked[at])):
            used = _ONCE & set(chosen.values())
            chosen[at] = next(role for _, role in ranked[at] if role not in used)
        for at, phrase in enumerate(phrases):
            role = chosen.get(at) or _FIXED[phrase.relation]
            if role != NO_ROLE:
                yield phrase, role


def _margin(ranked: Sequence[tuple[float, Role]]) -> float:
    """How far the best role is ahead of the next."""
    return ranked[0][0] - ranked[1][0]
