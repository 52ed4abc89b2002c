"""What `hgrkit evaluate --baselines` evaluates again: captions against a library, or a benchmark."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, cast

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.cli.baselines import Features
from hgrkit.cli.evaluate_benchmark import EVENT_ONLY, BenchmarkRun
from hgrkit.errors import ConfigError

if TYPE_CHECKING:
    from hgrkit.evaluation.benchmark_evaluation import BenchmarkEvaluation, BenchmarkProtocol
    from hgrkit.evaluation.captions import CaptionEvaluation, Captions
    from hgrkit.model import HgrModel
    from hgrkit.query.captions import EmbeddedCaptions
    from hgrkit.retriever import Retriever

__all__ = ["BenchmarkSubject", "LibrarySubject"]

ScoreTexts = Callable[[Sequence[str]], npt.NDArray[np.float32]]


@attrs.frozen(kw_only=True, eq=False, slots=False)
class LibrarySubject:
    """Captions and the library that they are evaluated against; sentences are read once.

    Attributes:
        retriever: the open library.
        folder: where it is.
        captions: what is asked.
    """

    retriever: Retriever
    folder: Path
    captions: Captions
    _read: dict[tuple[str, ...], EmbeddedCaptions] = attrs.field(factory=dict, init=False, repr=False)

    def evaluated(self) -> CaptionEvaluation:
        """By the model's own score."""
        return self.scored(lambda texts: self.retriever.scores(self._reading(texts), less_background=True))

    def event_only(self) -> CaptionEvaluation:
        """By the event level alone."""
        return self.scored(
            lambda texts: self.retriever.scores(
                self._reading(texts), level_weights=EVENT_ONLY, less_background=True
            )
        )

    def model(self) -> HgrModel:
        """The library's model."""
        return self.retriever.model

    def videos(self) -> tuple[str, ...]:
        """The library's videos."""
        return self.retriever.library.indexed_paths()

    def features(self) -> Features:
        """What the library kept."""
        from hgrkit.indexing.kept_frames import kept_features

        return kept_features(self.retriever.library, self.folder)

    def scored(self, score: ScoreTexts) -> CaptionEvaluation:
        """By other scores."""
        from hgrkit.evaluation.captions import evaluate_captions

        return evaluate_captions(self.captions, self.videos(), score)

    def _reading(self, texts: Sequence[str]) -> EmbeddedCaptions:
        key = tuple(texts)
        if key not in self._read:
            self._read[key] = self.retriever.read(texts)
        return self._read[key]


@attrs.frozen(kw_only=True, eq=False, slots=False)
class BenchmarkSubject:
    """A benchmark as it was measured.

    Attributes:
        run: what was asked.
        measured: what came of it.
    """

    run: BenchmarkRun
    measured: BenchmarkEvaluation

    def event_only(self) -> BenchmarkEvaluation:
        """By the event level alone.

        Raises:
            ConfigError: if the videos were decoded for this run only.
        """
        if self.run.features is None and self.run.library is None:
            raise ConfigError("--baselines look at the videos again; add --library LIB, where they are indexed.")
        return attrs.evolve(self.run, videos=None, event_only=True).run()

    def model(self) -> HgrModel:
        """The model that was measured."""
        from hgrkit.loaded_model import LoadedModel

        if self.run.library is None:
            return LoadedModel.load(self.run.model or "default", device=self.run.device).model
        with self.run.open(self.run.library) as retriever:
            return retriever.model

    def videos(self) -> tuple[str, ...]:
        """The benchmark's videos that were there and have captions."""
        return tuple(row.query for row in self.measured.query_ranks if row.direction == "video_to_text")

    def features(self) -> Features:
        """What the library kept, by the benchmark's names."""
        return self._kept

    @cached_property
    def _kept(self) -> Features:
        from hgrkit.evaluation.video_names import match_names
        from hgrkit.indexing.kept_frames import kept_features

        if self.run.library is None:
            raise ConfigError("there are no frame features of the evaluated videos; give --features FILE.")
        with self.run.open(self.run.library) as retriever:
            kept = kept_features(retriever.library, self.run.library)
        return {name: kept[path] for name, path in match_names(self.videos(), kept).items()}

    def scored(self, score: ScoreTexts) -> BenchmarkEvaluation:
        """By other scores."""
        from hgrkit.evaluation.benchmark_evaluation import CaptionScores, evaluate_scores

        return evaluate_scores(
            self.measured.benchmark,
            self.videos(),
            lambda texts: CaptionScores(scores=score(texts)),
            protocol=cast("BenchmarkProtocol", self.run.protocol),
            allow_missing=True,
        )
