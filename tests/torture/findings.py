"""Problems that were found, alike ones together."""

from __future__ import annotations

import re

import attrs

_KINDS = 25


@attrs.define
class Findings:
    """Problems by kind; of each kind, how often it came up and where it did first."""

    _kinds: dict[str, list[str]] = attrs.field(factory=dict)

    def note(self, problem: str, where: str) -> None:
        """Take down one; `where` is what it takes to see it again."""
        kind = re.sub(r"[0-9a-f]{16,}|\d+", "#", problem)
        self._kinds.setdefault(kind, []).append(f"{problem} [{where}]")

    def lines(self) -> list[str]:
        """A line a kind, the most frequent first."""
        kinds = sorted(self._kinds.values(), key=len, reverse=True)[:_KINDS]
        return [f"{len(found)} x {found[0]}" for found in kinds]
