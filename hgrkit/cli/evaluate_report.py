"""The part of `hgrkit evaluate` that writes a report: a page of measures, charts and the worst queries."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from hgrkit.cli.evaluate_benchmark import BenchmarkRun
from hgrkit.cli.output import stderr
from hgrkit.errors import ConfigError, GraphError

if TYPE_CHECKING:
    from hgrkit.graph import RoleGraph
    from hgrkit.parsing.protocol import GraphParser
    from hgrkit.research.evaluation.failure import Failure
    from hgrkit.research.evaluation.rank_file import QueryRank
    from hgrkit.retriever import Retriever

__all__ = ["Explain", "ReportRun", "explain_by_library"]

Explain = Callable[["QueryRank", "RoleGraph"], "Failure"]

_WORST_CAPTIONS, _WORST_VIDEOS = 12, 12


@attrs.frozen(kw_only=True)
class ReportRun:
    """What `--report` was asked to do.

    Attributes:
        path: the page.
        resamples: of the intervals.
        seed: of the intervals.

    Raises:
        ConfigError: if there is no folder to write it into.
    """

    path: Path
    resamples: int
    seed: int

    def __attrs_post_init__(self) -> None:
        if not self.path.parent.is_dir():
            raise ConfigError(f"there is no folder {str(self.path.parent)!r} to write the report into.")

    def write(
        self,
        measured: Mapping[str, Any],
        rows: Sequence[QueryRank],
        *,
        title: str,
        about: Sequence[str],
        parser: GraphParser,
        explain: Explain | None = None,
    ) -> None:
        """Read the captions as graphs, and write the page.

        Args:
            measured: what is printed.
            rows: every query's rank.
            title: what was evaluated.
            about: facts for the line below it.
            parser: reads the captions.
            explain: scores of a caption's right and preferred video; without it only their names are shown.

        Raises:
            ConfigError: if the page cannot be written.
        """
        from hgrkit.research.evaluation.breakdown import by_actions, by_length, by_role
        from hgrkit.research.evaluation.failure import Failure, worst_queries
        from hgrkit.research.evaluation.report_page import Report, report_page

        captions = [row for row in rows if row.direction == "text_to_video"]
        with stderr().status("writing the report"):
            graphs = _graphs(parser, captions)
            failures = [
                explain(row, graphs[row.caption])
                if explain is not None and row.caption in graphs
                else Failure(row=row, graph=graphs.get(row.caption))
                for row in worst_queries(captions, _WORST_CAPTIONS)
            ]
            settings = {"resamples": self.resamples, "seed": self.seed}
            page = report_page(
                Report(
                    title=title,
                    about=about,
                    measured=measured,
                    rows=rows,
                    breakdowns={
                        "By role": by_role(captions, graphs, **settings),
                        "By number of words": by_length(captions, **settings),
                        "By number of actions": by_actions(captions, graphs, **settings),
                    },
                    failures=failures,
                    worst_videos=worst_queries(rows, _WORST_VIDEOS, "video_to_text"),
                    captions={row.query: row.caption for row in captions},
                )
            )
        try:
            self.path.write_text(page, encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"the report cannot be written to {self.path}: {error.strerror}.") from error

    def write_library(
        self, measured: Mapping[str, Any], rows: Sequence[QueryRank], retriever: Retriever, title: str
    ) -> None:
        """The page of captions against a library.

        Raises:
            ConfigError: if the page cannot be written.
        """
        self.write(
            measured,
            rows,
            title=title,
            about=[f"model {retriever.library.manifest.model}", *_counts(rows), f"parser {retriever.parser.name}"],
            parser=retriever.parser,
            explain=explain_by_library(retriever),
        )

    def write_benchmark(
        self, measured: Mapping[str, Any], rows: Sequence[QueryRank], run: BenchmarkRun, *, clips: bool = True
    ) -> None:
        """The page of a benchmark; phrases have scores where the videos' features came from a file.

        Args:
            measured: what is printed.
            rows: every query's rank.
            run: what was asked.
            clips: whether a video scored as one clip of all its frames.

        Raises:
            ConfigError: if the page cannot be written.
        """
        from hgrkit.model.loaded import LoadedModel
        from hgrkit.parsing.registry import load_parser
        from hgrkit.research.evaluation.feature_answers import FeatureAnswers
        from hgrkit.video.feature_file import FeatureFile

        about = [f"model {run.model or 'default'}", *_counts(rows), f"parser {run.parser}"]
        write = partial(self.write, measured, rows, title=run.name, about=about, parser=load_parser(run.parser))
        if run.features is None or not clips:
            write()
            return
        with FeatureFile(run.features) as features:
            model = LoadedModel.load(run.model or "default", device=run.device).model
            write(explain=FeatureAnswers(model, features).explain)


def _counts(rows: Sequence[QueryRank]) -> list[str]:
    """How many queries and candidates there are, in words."""
    captions = [row for row in rows if row.direction == "text_to_video"]
    videos = max((row.candidates or 0 for row in captions), default=0)
    return [f"{len(captions):,} captions", *([f"{videos:,} videos"] if videos else [])]


def explain_by_library(retriever: Retriever) -> Explain:
    """Scores of captions by a library's clips: what a search among the two videos says."""

    def explain(row: QueryRank, graph: RoleGraph) -> Failure:
        from hgrkit.research.evaluation.failure import Answer, Failure, PhraseScores

        if row.positive is None or row.top is None:
            return Failure(row=row, graph=graph)
        ((right,), (preferred,)) = (
            retriever.search(graph, 1, videos=[video]).hits for video in (row.positive, row.top)
        )
        return Failure(
            row=row,
            graph=graph,
            right=Answer(video=right.video, score=right.score, levels=right.levels),
            preferred=Answer(video=preferred.video, score=preferred.score, levels=preferred.levels),
            phrases=tuple(
                PhraseScores(text=ours.text, role=ours.role, right=ours.similarity, preferred=theirs.similarity)
                for ours, theirs in zip(right.phrases, preferred.phrases, strict=True)
            ),
        )

    return explain


def _graphs(parser: GraphParser, rows: Sequence[QueryRank]) -> dict[str, RoleGraph]:
    """How captions are read, by their words; those that cannot be are left out."""
    from hgrkit.parsing.registry import parse_each

    texts = list(dict.fromkeys(row.caption for row in rows))
    return {
        text: graph
        for text, graph in zip(texts, parse_each(parser, texts), strict=True)
        if not isinstance(graph, GraphError)
    }
