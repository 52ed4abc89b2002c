"""Writes the report of an evaluation: breakdowns and the worst queries, gathered for the page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hgrkit.errors import ConfigError, GraphError
from hgrkit.graph import RoleGraph
from hgrkit.parsing.protocol import GraphParser
from hgrkit.parsing.registry import parse_each
from hgrkit.research.evaluation.benchmark_evaluation import BenchmarkEvaluation
from hgrkit.research.evaluation.bootstrap import DEFAULT_BOOTSTRAP, Bootstrap
from hgrkit.research.evaluation.breakdown import by_actions, by_length, by_role
from hgrkit.research.evaluation.failure import Failure, worst_queries
from hgrkit.research.evaluation.partially_relevant import MomentEvaluation
from hgrkit.research.evaluation.rank_file import QueryRank
from hgrkit.research.evaluation.report_page import Report, report_page
from hgrkit.research.evaluation.retrieval import Retrieval
from hgrkit.research.evaluation.video_source import VideoSource

__all__ = ["Evaluated", "require_folder", "write_report"]

_WORST_CAPTIONS, _WORST_VIDEOS = 12, 12


Evaluated = Retrieval | BenchmarkEvaluation | MomentEvaluation
"""What can be reported."""


def require_folder(path: Path) -> None:
    """Refuse a page that could not be written, before anything is measured.

    Raises:
        ConfigError: if there is no folder to write it into.
    """
    if not path.parent.is_dir():
        raise ConfigError(f"there is no folder {str(path.parent)!r} to write the report into.")


def write_report(
    path: Path,
    evaluation: Evaluated,
    source: VideoSource,
    *,
    title: str,
    explain: bool = True,
    bootstrap: Bootstrap = DEFAULT_BOOTSTRAP,
) -> None:
    """Write one page of measures, charts, breakdowns and the worst queries.

    Args:
        path: the page, `.html`.
        evaluation: what to show.
        source: where its videos came from; reads the captions again.
        title: what was evaluated.
        explain: show the scores of the right and the preferred video, and not only their names.
        bootstrap: how intervals are found.

    Raises:
        ConfigError: if the page cannot be written.
    """
    require_folder(path)
    page = _page(evaluation, source, title, bootstrap, explain=explain)
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"the report cannot be written to {path}: {error.strerror}.") from error


def _page(evaluation: Evaluated, source: VideoSource, title: str, bootstrap: Bootstrap, *, explain: bool) -> str:
    rows = evaluation.query_ranks
    captions = [row for row in rows if row.direction == "text_to_video"]
    graphs = _graphs(source.parser, captions)
    failures = [
        source.explain(row, graphs[row.caption])
        if explain and row.caption in graphs
        else Failure(row=row, graph=graphs.get(row.caption))
        for row in worst_queries(captions, _WORST_CAPTIONS)
    ]
    videos = max((row.candidates or 0 for row in captions), default=0)
    counts = [f"{len(captions):,} captions", *([f"{videos:,} videos"] if videos else [])]
    return report_page(
        Report(
            title=title,
            about=[f"model {source.name}", *counts, f"parser {source.parser.name}"],
            measured=evaluation.to_dict(),
            rows=rows,
            breakdowns={
                "By role": by_role(captions, graphs, bootstrap=bootstrap),
                "By number of words": by_length(captions, bootstrap=bootstrap),
                "By number of actions": by_actions(captions, graphs, bootstrap=bootstrap),
            },
            failures=failures,
            worst_videos=worst_queries(rows, _WORST_VIDEOS, "video_to_text"),
            captions={row.query: row.caption for row in captions},
        )
    )


def _graphs(parser: GraphParser, rows: Sequence[QueryRank]) -> dict[str, RoleGraph]:
    """How captions are read, by their words; those that cannot be are left out."""
    texts = list(dict.fromkeys(row.caption for row in rows))
    read = zip(texts, parse_each(parser, texts), strict=True)
    return {text: graph for text, graph in read if not isinstance(graph, GraphError)}
