"""Measures of ranks, as values that parse from the string they print: `R@1`, `MedR`, `Rsum`."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any, Self, final

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.checks.arguments import check_sequence, check_text, shown
from hgrkit.errors import BenchmarkError, ConfigError
from hgrkit.research.evaluation.ranking import Ranks, Relevance, rank, real_table

__all__ = [
    "CUTOFFS",
    "DEFAULT_MEASURES",
    "DirectionMeasures",
    "RankMeasure",
    "RetrievalMeasures",
    "measure",
    "parse_measures",
]

CUTOFFS = (1, 5, 10)

REPORTED = (*(f"R@{k}" for k in CUTOFFS), "MedR", "MeanR")
"""What papers report of one direction."""

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
            # Whole hundreds, so that sums are exact and a figure does not depend on the order of the queries.
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


@attrs.frozen(kw_only=True, eq=False, repr=False)
class DirectionMeasures:
    """One direction's ranks and what is reported of them.

    Attributes:
        ranks: each query's rank, int64 [Q].
    """

    ranks: Ranks

    def recall(self, k: int) -> float:
        """R@k in per cent."""
        return self[f"R@{k}"]

    def __getitem__(self, name: str | RankMeasure) -> float:
        """A measure by its name, such as `R@50` or `mRR`; of `Rsum`, this direction's part.

        Raises:
            ConfigError: if there is no measure of that name.
        """
        return (name if isinstance(name, RankMeasure) else RankMeasure(name)).of(self.ranks)

    def to_dict(self) -> dict[str, float | int]:
        """R@1, R@5 and R@10 in per cent, MedR, MeanR and the number of queries."""
        return {**{name: self[name] for name in REPORTED}, "queries": len(self.ranks)}

    def __repr__(self) -> str:
        recalls = ", ".join(f"R@{k}={self.recall(k):.1f}" for k in CUTOFFS)
        return f"DirectionMeasures({recalls}, queries={len(self.ranks)})"


@attrs.frozen(kw_only=True, eq=False)
class RetrievalMeasures:
    """Both directions.

    Attributes:
        text_to_video: captions are the queries, clips the candidates.
        video_to_text: the other way round.
    """

    text_to_video: DirectionMeasures
    video_to_text: DirectionMeasures

    @property
    def rsum(self) -> float:
        """Rsum: R@1, R@5 and R@10 of both directions added, at most 600."""
        return self.text_to_video["Rsum"] + self.video_to_text["Rsum"]

    def to_dict(self) -> Mapping[str, Any]:
        """What `hgrkit evaluate` reports."""
        return {
            "text_to_video": self.text_to_video.to_dict(),
            "video_to_text": self.video_to_text.to_dict(),
            "Rsum": self.rsum,
        }


def measure(scores: npt.ArrayLike, positives: npt.ArrayLike | Relevance) -> RetrievalMeasures:
    """Measures of both directions.

    Args:
        scores: [V, C], clips by captions.
        positives: whether the caption describes the clip, bool [V, C], or the pairs of clip and caption.

    Raises:
        BenchmarkError: if there is no clip or no caption, the shapes differ, or a score is not a number.
    """
    table = real_table(scores, "fiub", "scores")
    if not table.size:
        raise BenchmarkError(f"there is nothing to measure: scores are {list(table.shape)}.")
    right = positives if isinstance(positives, Relevance) else Relevance.from_table(positives)
    return RetrievalMeasures(
        text_to_video=DirectionMeasures(ranks=rank(table.T, right.transposed).ranks),
        video_to_text=DirectionMeasures(ranks=rank(table, right).ranks),
    )
