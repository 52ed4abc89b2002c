"""Part of the labeller for dependency trees: what a clause's verb is said of, wherever that stands."""

from __future__ import annotations

from collections.abc import Sequence

from hgrkit.parsing.dependency_phrase import PhraseReader
from hgrkit.parsing.dependency_tree import DependencyTree
from hgrkit.parsing.dependency_verb import VerbReader
from hgrkit.parsing.phrase import Phrase

__all__ = ["SubjectReader"]

_SUBJECT_CONTROL = frozenset({"promise", "threaten"})
_LINKED_MARKERS = frozenset("to while when by after before about between for from without".split())


class SubjectReader:
    """Finds subjects, shared and controlled ones too, and the nouns that relative clauses leave out.

    Args:
        words: the lower-cased tokens.
        tree: their tree.
        verbs: says which tokens head clauses.
        phrases: makes phrases of nouns.
    """

    def __init__(
        self, words: Sequence[str], tree: DependencyTree, verbs: VerbReader, phrases: PhraseReader
    ) -> None:
        self._words, self._tree, self._verbs, self._phrases = words, tree, verbs, phrases
        self._found: dict[int, Phrase | None] = {}

    def subject(self, token: int) -> Phrase | None:
        """What a clause's verb is said of: its own subject, a shared one, or the controller's.

        Existential "there" is a phrase of the kind `mark`.
        """
        waiting = []
        while token not in self._found:
            found, above = self._own(token)
            if above is None:
                self._found[token] = found
                break
            waiting.append(token)
            token = above
        for below in waiting:
            self._found[below] = self._found[token]
        return self._found[token]

    def gap(self, clause: Phrase, token: int) -> Phrase | None:
        """The noun that a relative clause with a subject of its own leaves out: "the ball that he throws"."""
        tree = self._tree
        first = token
        while tree.is_a(first, "conj") and self._verbs.heads_clause(tree.head[first]):
            first = tree.head[first]
        if not tree.is_a(first, "acl:relcl") or clause.subject is None or clause.find("object") is not None:
            return None
        relative = next((child for child in tree.children(first) if self._phrases.is_relative(child)), None)
        missing = relative is None or tree.is_a(relative, "obj", "obl")
        return self._phrases.antecedent(tree.head[first]) if missing else None

    def _own(self, token: int) -> tuple[Phrase | None, int | None]:
        """The subject, or the clause above whose subject it is."""
        tree = self._tree
        there = tree.child(token, "expl")
        if there is not None and self._words[there] == "there":
            return self._phrases.phrase("mark", there), None
        own = tree.children(token, "nsubj:outer", "csubj:outer") or tree.children(token, "nsubj", "csubj")
        if own and not self._phrases.is_relative(own[0]):
            return self._phrases.noun(own[0]), None
        head = tree.head[token]
        if head < 0:
            return None, None
        if tree.is_a(token, "acl", "amod") and self._is_said_of_noun(token):
            return self._phrases.antecedent(head), None
        if not self._takes_over(token):
            return None, None
        return self._controller(head) if tree.is_a(token, "xcomp") else (None, head)

    def _is_said_of_noun(self, token: int) -> bool:
        """Whether a clause that modifies a noun has the noun as its subject."""
        tree = self._tree
        if tree.is_a(token, "acl:relcl"):
            subject = tree.child(token, "nsubj")
            return subject is not None and self._phrases.is_relative(subject)
        return tree.child(token, "mark") is None

    def _takes_over(self, token: int) -> bool:
        tree = self._tree
        if not self._verbs.heads_clause(tree.head[token]):
            return False
        if tree.is_a(token, "conj", "xcomp"):
            return True
        finite = tree.has(token, "VerbForm=Fin") and tree.xpos[token] != "VBG"
        marks = {self._words[mark] for mark in tree.children(token, "mark", "case")}
        linked = marks <= _LINKED_MARKERS or tree.has(token, "VerbForm=Inf")
        return tree.is_a(token, "advcl") and linked and not finite

    def _controller(self, head: int) -> tuple[Phrase | None, int | None]:
        if self._verbs.lemma(head) not in _SUBJECT_CONTROL:
            things = self._tree.children(head, "obj") or self._tree.children(head, "iobj")
            if things and not self._phrases.is_relative(things[0]):
                return self._phrases.noun(things[0]), None
        return None, head
