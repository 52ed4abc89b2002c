"""Which PropBank role a verb gives to its subject, object or preposition: counts, and rules above them."""

from __future__ import annotations

import functools
import gzip
from collections.abc import Mapping
from importlib import resources

import attrs

from hgrkit.graph import Role
from hgrkit.parsing.lexicon import members

__all__ = ["RoleTable"]

_PRIOR_WEIGHT = 2.0
_OF_ALL_VERBS = frozenset({"subject", "subject+object", "passive subject", "passive by", "object", "recipient"})


@attrs.frozen
class RoleTable:
    """Roles of grammatical functions, by verb.

    Attributes:
        counts: (verb, function) to how often each role was seen; verb `*` is any verb.
        frames: (verb, function) to the role that the annotation guidelines of captions fix.
    """

    counts: Mapping[tuple[str, str], Mapping[Role, int]] = attrs.field(repr=False)
    frames: Mapping[tuple[str, str], Role] = attrs.field(repr=False)

    @classmethod
    @functools.cache
    def load(cls) -> RoleTable:
        """The table that hgrkit carries, read once."""
        folder = resources.files("hgrkit.parsing")
        counts = {}
        for line in gzip.decompress(folder.joinpath("roles.txt.gz").read_bytes()).decode("utf-8").splitlines():
            verb, function, *pairs = line.split("\t")
            counts[verb, function] = {pairs[at]: int(pairs[at + 1]) for at in range(0, len(pairs), 2)}
        return cls(counts, _read_frames(folder.joinpath("frames.txt").read_text(encoding="utf-8")))

    def role(self, verb: str, function: str, noun: str = "") -> Role | None:
        """The likeliest role, or `None` if the function was never seen.

        Args:
            verb: the verb's lemma.
            function: `subject`, `subject+object` (of a verb with an object), `passive subject`, `passive by`,
                `object`, `recipient`, `attribute`, `complement`, `purpose`, `adverb` or a preposition.
            noun: the noun or adverb itself, which tells times from places.

        >>> RoleTable.load().role("put", "on")
        'ARG2'
        """
        fixed = self.frames.get((verb, function))
        if fixed is not None:
            return fixed
        seen = self.counts.get((verb, function), {})
        scores: dict[Role, float] = dict(seen)
        prior = self.counts.get(("*", f"{function}/{noun}")) or self.counts.get(("*", function))
        if prior:
            total = sum(prior.values())
            for role, count in prior.items():
                if seen or role.startswith("ARGM") or function in _OF_ALL_VERBS:
                    scores[role] = scores.get(role, 0.0) + _PRIOR_WEIGHT * count / total
        return max(sorted(scores), key=scores.__getitem__) if scores else None

    def seen(self, verb: str, function: str) -> Role | None:
        """The role that this very verb gave most often, or `None`; no other verb speaks for it."""
        counts = self.counts.get((verb, function), {})
        return max(sorted(counts), key=counts.__getitem__) if counts else None

    def of_any_verb(self) -> RoleTable:
        """The table without what it knows of single verbs, for languages whose verbs it does not list."""
        shared = {(verb, function): roles for (verb, function), roles in self.counts.items() if verb == "*"}
        return RoleTable(shared, {})


def _read_frames(text: str) -> dict[tuple[str, str], Role]:
    frames: dict[tuple[str, str], Role] = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        heads, _, pairs = line.partition(": ")
        verbs = [verb for head in heads.split() for verb in (members(head[1:]) if head[0] == "@" else [head])]
        for pair in pairs.split(", "):
            function, role = pair.split()
            wanted = (
                sorted(members(function))
                if function in {"directional", "static"}
                else [function.replace("passive_", "passive ")]
            )
            for verb in verbs:
                for name in wanted:
                    frames[verb, name] = role
    return frames
