"""Measures as values that parse from the string they print: `R@1`, `MedR`, `Rsum`; each sums up ranks."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Literal, Self, final

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.arguments import check_sequence, check_text, shown
from hgrkit.errors import BenchmarkError, ConfigError
from hgrkit.research.evaluation.ranking import Ranks, real_table

__all__ = ["CUTOFFS", "DEFAULT_MEASURES", "Direction", "RankMeasure", "parse_measures"]

Direction = Literal["text_to_video", "video_to_text"]

CUTOFFS = (1, 5, 10)

_SUMS = {"Rsum": CUTOFFS, "SumR": (*CUTOFFS, 100)}
_NAMES = ("MedR", "MeanR", "mRR", *_SUMS)
_RECALL = re.compile(r"R@([1-9][0-9]{0,8})", re.ASCII)


@final
@attrs.frozen
class RankMeasure:
    """What is reported of many queries' ranks.

    >>> RankMeasure("R@5"), str(RankMeasure("SumR"))
    (RankMeasure('R@5'), 'SumR')
    >>> RankMeasure("mRR").of(np.array([1, 2, 4]))
    58.333333333333336

    Attributes:
        name: `R@k` (per cent of the queries with a positive among the first k), `MedR`, `MeanR` (median and mean
            rank), `mRR` (mean of 1 / rank, in per cent), `SumR` (R@1 + R@5 + R@10 + R@100 of one direction) or
            `Rsum` (R@1 + R@5 + R@10 of both directions).

    Raises:
        ConfigError: if there is no measure of that name.
    """

    name: str = attrs.field()

    @name.validator
    def _known(self, _: object, name: str) -> None:
        if check_text("a measure", name, hint="such as 'R@5'") in _NAMES or _RECALL.fullmatch(name):
            return
        close = difflib.get_close_matches(name, [*_NAMES, *(f"R@{k}" for k in CUTOFFS)], n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise ConfigError(f"no measure named {name!r}; there are R@k, {', '.join(_NAMES)}.{hint}")

    @classmethod
    def parse(cls, text: str) -> Self:
        """The measure of that name; spaces around it do not count."""
        return cls(check_text("a measure", text, hint="such as 'R@5'").strip())

    @property
    def both_directions(self) -> bool:
        """Whether the figures of both directions are added: `Rsum`."""
        return self.name == "Rsum"

    @property
    def higher_is_better(self) -> bool:
        """Whether more is better: not so for `MedR` and `MeanR`."""
        return self.name not in ("MedR", "MeanR")

    @property
    def is_mean(self) -> bool:
        """Whether the measure is the mean of its `gains`: all but `MedR`."""
        return self.name != "MedR"

    def gains(self, ranks: Ranks) -> npt.NDArray[np.float64]:
        """What each query brings, float64 [Q]; the measure is their mean, for `MedR` their median."""
        if self.name in ("MedR", "MeanR"):
            return ranks.astype(np.float64)
        if self.name == "mRR":
            return 100 / ranks.astype(np.float64)
        cutoffs = _SUMS.get(self.name) or (int(self.name[2:]),)
        gains = np.zeros(len(ranks))
        for k in cutoffs:
            gains += 100.0 * (ranks <= k)
        return gains

    def of(self, ranks: Ranks) -> float:
        """The measure of one direction's ranks, int64 [Q]; `Rsum` is the sum of this over both directions.

        Not a number if there is no query.
        """
        ranks = real_table(ranks, "iu", "ranks")
        if ranks.ndim != 1:
            raise BenchmarkError(f"ranks must be whole numbers [Q], got {shown(ranks)}.")
        if not len(ranks):
            return float("nan")
        return float(np.mean(self.gains(ranks)) if self.is_mean else np.median(ranks))

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"RankMeasure({self.name!r})"


DEFAULT_MEASURES = tuple(
    RankMeasure(name) for name in (*(f"R@{k}" for k in CUTOFFS), "R@100", "MedR", "MeanR", "mRR", "SumR", "Rsum")
)
"""What evaluating reports with intervals."""


def parse_measures(text: str | Iterable[str]) -> tuple[RankMeasure, ...]:
    """Measures from names, or from one string of names between commas; each once.

    >>> [str(measure) for measure in parse_measures("R@1, MedR")]
    ['R@1', 'MedR']

    Raises:
        ConfigError: if there is none, or no measure has that name.
    """
    names = text.split(",") if isinstance(text, str) else check_sequence("measures", text, str, of="names")
    measures = tuple(dict.fromkeys(RankMeasure.parse(name) for name in names))
    if not measures:
        raise ConfigError("name at least one measure, such as 'R@1,R@5'.")
    return measures
