"""The part of `hgrkit evaluate` that sets figures beside their neighbours: chance, event level, baselines."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.cli.output import stderr
from hgrkit.cli.ruler import Ruler
from hgrkit.errors import ConfigError

if TYPE_CHECKING:
    from hgrkit.model.hgr_model import HgrModel
    from hgrkit.research.evaluation.measures import RetrievalMeasures
    from hgrkit.research.evaluation.rank_file import QueryRank

__all__ = ["BaselineRun", "Evaluated", "Features", "Subject"]

Features = Mapping[str, npt.NDArray[np.float32]]
ScoreTexts = Callable[[Sequence[str]], npt.NDArray[np.float32]]


class Evaluated(Protocol):
    """What an evaluation gives."""

    @property
    def measures(self) -> RetrievalMeasures:
        """Both directions."""
        ...

    @property
    def query_ranks(self) -> tuple[QueryRank, ...]:
        """Every query's rank."""
        ...


class Subject(Protocol):
    """What was evaluated, and can be evaluated again with other scores."""

    def event_only(self) -> Evaluated:
        """By the model's event level alone."""
        ...

    def model(self) -> HgrModel:
        """The model, whose sentence vectors the baselines take."""
        ...

    def videos(self) -> Sequence[str]:
        """The V videos that captions are scored with."""
        ...

    def features(self) -> Features:
        """Frame features of these videos, as far as they were kept."""
        ...

    def scored(self, score: ScoreTexts) -> Evaluated:
        """By other scores, videos in the order of `videos`."""
        ...


@attrs.frozen(kw_only=True)
class BaselineRun:
    """What `--baselines` was asked to do.

    Attributes:
        train: captions and features to learn from; without them only chance and the event level are shown.
        features: frame features of the evaluated videos; those that were kept unless given.
        ruler: how figures are reported.
    """

    train: tuple[Path, Path] | None
    features: Path | None
    ruler: Ruler

    @classmethod
    def asked(
        cls, wanted: bool, *, train: tuple[Path, Path] | None, features: Path | None, ruler: Ruler
    ) -> Self | None:
        """The run, if `--baselines` was given.

        Raises:
            ConfigError: if only `--baselines-train` was.
        """
        if train is not None and not wanted:
            raise ConfigError("--baselines-train goes with --baselines.")
        return cls(train=train, features=features, ruler=ruler) if wanted else None

    def beside(self, evaluated: Evaluated, subject: Subject) -> dict[str, Any]:
        """The same queries, answered by each baseline: what `hgrkit evaluate` reports of each.

        Raises:
            BenchmarkError: if captions or features do not fit.
        """
        found = {"chance": chance_measures(evaluated.query_ranks)}
        with stderr().status("scoring with the baselines"):
            found["event_only"] = self._reported(subject.event_only())
            for name, score in self._trained(subject):
                found[name] = self._reported(subject.scored(score))
        return found

    def _reported(self, evaluated: Evaluated) -> dict[str, Any]:
        return self.ruler.with_intervals(evaluated.measures.to_dict(), evaluated.query_ranks)

    def _trained(self, subject: Subject) -> Iterator[tuple[str, ScoreTexts]]:
        from hgrkit.research.evaluation.baselines import TrainingPairs, fit_baselines, video_vectors
        from hgrkit.research.evaluation.captions import read_captions
        from hgrkit.research.evaluation.sentence_vectors import sentence_vectors
        from hgrkit.video.feature_file import FeatureFile

        if self.train is None:
            return
        captions, names = read_captions(self.train[0]), subject.videos()
        with self._features(subject) as features:
            videos = video_vectors(features, names)
        with FeatureFile(self.train[1]) as training:
            pairs = TrainingPairs.read(captions, training, evaluated=names)
        vectors = sentence_vectors(subject.model(), [text for own in captions.values() for text in own])
        for name, baseline in fit_baselines(pairs, vectors).items():
            yield name, baseline.scorer(videos)

    @contextmanager
    def _features(self, subject: Subject) -> Iterator[Features]:
        from hgrkit.video.feature_file import FeatureFile

        if self.features is None:
            yield subject.features()
            return
        with FeatureFile(self.features) as features:
            yield features


def chance_measures(rows: Sequence[QueryRank]) -> dict[str, Any]:
    """What is expected of random order, in the shape of what `hgrkit evaluate` reports."""
    from hgrkit.research.evaluation.chance import chance
    from hgrkit.research.evaluation.rank_measure import CUTOFFS

    intervals = chance(rows)
    found: dict[str, Any] = {}
    for direction in dict.fromkeys(row.direction for row in rows):
        names = (*(f"R@{k}" for k in CUTOFFS), "MedR", "MeanR")
        found[direction] = {name: intervals[direction][name]["value"] for name in names}
        found[direction]["queries"] = sum(row.direction == direction for row in rows)
    if "Rsum" in intervals:
        found["Rsum"] = intervals["Rsum"]["value"]
    return {**found, "intervals": intervals}
