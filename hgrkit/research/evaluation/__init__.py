"""Evaluation of retrieval, foils and parsers, for programs: all that `hgrkit evaluate` and `compare` do.

Names are loaded when they are first used: comparing two runs needs no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hgrkit.research.evaluation.bootstrap import Bootstrap
    from hgrkit.research.evaluation.captions import read_captions
    from hgrkit.research.evaluation.comparison import compare_ranks
    from hgrkit.research.evaluation.evaluate import Baselines, choose_foils, evaluate_benchmark, evaluate_library
    from hgrkit.research.evaluation.foil_choice import read_foils
    from hgrkit.research.evaluation.parser_report import errors_page, read_records, report_parser
    from hgrkit.research.evaluation.partially_relevant import evaluate_moments
    from hgrkit.research.evaluation.rank_file import read_ranks, write_rank_file
    from hgrkit.research.evaluation.report import write_report
    from hgrkit.research.evaluation.video_source import FeatureSource, LibrarySource, open_source

__all__ = [
    "Baselines",
    "Bootstrap",
    "FeatureSource",
    "LibrarySource",
    "choose_foils",
    "compare_ranks",
    "errors_page",
    "evaluate_benchmark",
    "evaluate_library",
    "evaluate_moments",
    "open_source",
    "read_captions",
    "read_foils",
    "read_ranks",
    "read_records",
    "report_parser",
    "write_rank_file",
    "write_report",
]

_HOMES = {
    "bootstrap": ("Bootstrap",),
    "captions": ("read_captions",),
    "comparison": ("compare_ranks",),
    "evaluate": ("Baselines", "choose_foils", "evaluate_benchmark", "evaluate_library"),
    "foil_choice": ("read_foils",),
    "parser_report": ("errors_page", "read_records", "report_parser"),
    "partially_relevant": ("evaluate_moments",),
    "rank_file": ("read_ranks", "write_rank_file"),
    "report": ("write_report",),
    "video_source": ("FeatureSource", "LibrarySource", "open_source"),
}


def __getattr__(name: str) -> object:
    home = next((module for module, names in _HOMES.items() if name in names), None)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{home}"), name)
    return value
