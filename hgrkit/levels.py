"""The three levels at which a sentence and a clip are compared: event, action, entity (HGR, section 3)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, Literal, TypeVar, get_args

import attrs

from hgrkit.checks.arguments import check_choice

__all__ = ["LEVELS", "Level", "PerLevel"]

Level = Literal["event", "action", "entity"]
LEVELS: tuple[Level, ...] = get_args(Level)

T = TypeVar("T")
U = TypeVar("U")


@attrs.frozen(kw_only=True, eq=False)
class PerLevel(Generic[T]):
    """One value for each level, in the order event, action, entity.

    >>> similarity = PerLevel(event=0.5, action=0.1, entity=0.3)
    >>> similarity.map(lambda value: value * 10).action
    1.0
    """

    event: T
    action: T
    entity: T

    def __getitem__(self, level: Level) -> T:
        """The value of one level, by its name.

        Raises:
            ConfigError: if there is no such level.
        """
        check_choice("a level", level, LEVELS)
        value: T = getattr(self, level)
        return value

    def __iter__(self) -> Iterator[T]:
        """The three values, event first."""
        return iter((self.event, self.action, self.entity))

    def map(self, function: Callable[[T], U]) -> PerLevel[U]:
        """Apply a function to each level's value."""
        return PerLevel(event=function(self.event), action=function(self.action), entity=function(self.entity))
