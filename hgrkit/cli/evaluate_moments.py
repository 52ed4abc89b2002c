"""The part of `hgrkit evaluate` that measures partially relevant retrieval: moments of untrimmed videos."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from hgrkit.cli.evaluate_benchmark import BenchmarkRun, tell_problems
from hgrkit.cli.evaluate_report import ReportRun
from hgrkit.cli.output import echo, stderr
from hgrkit.cli.ruler import Ruler
from hgrkit.errors import ConfigError

if TYPE_CHECKING:
    from hgrkit.model.hgr_model import HgrModel
    from hgrkit.research.datasets.benchmark import Benchmark
    from hgrkit.research.evaluation.long_video_search import TimedFeatures

__all__ = ["MomentRun"]


@attrs.frozen(kw_only=True)
class MomentRun:
    """A benchmark of moments, as it was asked for.

    Attributes:
        run: which benchmark, and where its videos are.
        ruler: how figures are reported.
        page: the report to write, if one was asked for.
    """

    run: BenchmarkRun
    ruler: Ruler
    page: ReportRun | None = None

    def measured(self, *, baselines: bool) -> dict[str, Any]:
        """What `hgrkit evaluate` prints, fixed windows beside it as a baseline.

        Raises:
            ConfigError: if other baselines or another protocol were asked for, or it was not said where the
                videos' features come from.
            BenchmarkError: if something is missing and that is not allowed.
        """
        from hgrkit.research.evaluation.partially_relevant import evaluate_moments

        run = self.run
        if baselines or run.protocol != "standard":
            raise ConfigError(
                f"{run.name} is partially relevant retrieval: fixed windows stand beside it without --baselines, "
                "and --protocol is 'standard'."
            )
        asked = run.benchmark()
        with self._model_and_frames(asked) as (model, frames), stderr().status("scoring windows") as status:
            found = evaluate_moments(
                model,
                asked,
                frames,
                parser=run.parser,
                allow_missing=run.allow_missing,
                resamples=self.ruler.resamples,
                seed=self.ruler.seed,
                on_progress=lambda done: status.update(f"scoring windows of video {done:,} of {len(frames):,}"),
            )
        tell_problems(asked, found.missing, found.parser_failures)
        if found.figures.right_video is None:
            echo(
                "not all videos' lengths are known, so that moments and fixed windows were not measured; "
                "--videos DIR gives them.",
                err=True,
            )
        measured = self.ruler.report(found.to_dict(), found.query_ranks)
        if self.page is not None:
            self.page.write_benchmark(measured, found.query_ranks, run, clips=False)
        return measured

    @contextmanager
    def _model_and_frames(self, benchmark: Benchmark) -> Iterator[tuple[HgrModel, Mapping[str, TimedFeatures]]]:
        """The model, and frame features from a file, a library, or the videos themselves."""
        from hgrkit.model.loaded import LoadedModel
        from hgrkit.research.evaluation.long_video_search import FeatureFrames
        from hgrkit.video.feature_file import FeatureFile

        run = self.run
        if run.features is not None:
            with FeatureFile(run.features) as table:
                model = LoadedModel.load(run.model or "default", device=run.device).model
                yield model, FeatureFrames(table)
            return
        with nullcontext() if run.library is not None else tempfile.TemporaryDirectory() as folder:
            path = run.library if run.library is not None else Path(str(folder)) / "library"
            if run.videos is not None:
                run.index(benchmark, path, feature_cache=True)
            with run.open(path) as retriever:
                yield retriever.model, _kept(path, retriever.library)


def _kept(folder: Path, library: Any) -> Mapping[str, TimedFeatures]:
    """Frame features that the library kept, with the frames' times and the videos' lengths."""
    from hgrkit.indexing.feature_cache import kept_frames
    from hgrkit.research.evaluation.long_video_search import TimedFeatures

    return {
        path: TimedFeatures(cached.features, times_s=cached.times_s, duration_s=cached.duration_s)
        for path, cached in kept_frames(library, folder).items()
    }
