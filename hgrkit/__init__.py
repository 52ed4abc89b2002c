"""hgrkit: search video with sentences, by hierarchical graph reasoning.

Names are loaded when they are first used, so that `import hgrkit` takes no time.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hgrkit.errors import HgrkitError
    from hgrkit.graph import Edge, Node, RoleGraph, Span
    from hgrkit.indexing.report import IndexReport
    from hgrkit.levels import Level, PerLevel
    from hgrkit.matching.losses import HingeLoss, InfoNCE
    from hgrkit.matching.matcher import Matcher
    from hgrkit.model.checkpoint import load_model, save_model
    from hgrkit.model.hgr_model import HgrModel
    from hgrkit.model.text.graph_batch import GraphBatch
    from hgrkit.model.text.sentence_encoder import SentenceTextEncoder
    from hgrkit.model.text.text_encoder import TextEncoder
    from hgrkit.model.text.vocabulary import Vocabulary
    from hgrkit.model.video.features import VideoFeatures
    from hgrkit.model.video.video_encoder import VideoEncoder
    from hgrkit.research.datasets.catalogue import benchmark
    from hgrkit.research.evaluation.evaluate import evaluate
    from hgrkit.research.training.clips import CaptionedClips
    from hgrkit.research.training.config import TrainConfig
    from hgrkit.research.training.trainer import Trainer
    from hgrkit.results import Hit, Phrase, SearchResult
    from hgrkit.retriever import Retriever

__version__ = "0.1.0"

__all__ = [
    "CaptionedClips",
    "Edge",
    "GraphBatch",
    "HgrModel",
    "HgrkitError",
    "HingeLoss",
    "Hit",
    "IndexReport",
    "InfoNCE",
    "Level",
    "Matcher",
    "Node",
    "PerLevel",
    "Phrase",
    "Retriever",
    "RoleGraph",
    "SearchResult",
    "SentenceTextEncoder",
    "Span",
    "TextEncoder",
    "TrainConfig",
    "Trainer",
    "VideoEncoder",
    "VideoFeatures",
    "Vocabulary",
    "__version__",
    "benchmark",
    "evaluate",
    "load_model",
    "save_model",
]

_HOMES = {
    "CaptionedClips": "hgrkit.research.training.clips",
    "Edge": "hgrkit.graph",
    "GraphBatch": "hgrkit.model.text.graph_batch",
    "HgrModel": "hgrkit.model.hgr_model",
    "HgrkitError": "hgrkit.errors",
    "HingeLoss": "hgrkit.matching.losses",
    "Hit": "hgrkit.results",
    "IndexReport": "hgrkit.indexing.report",
    "InfoNCE": "hgrkit.matching.losses",
    "Level": "hgrkit.levels",
    "Matcher": "hgrkit.matching.matcher",
    "Node": "hgrkit.graph",
    "PerLevel": "hgrkit.levels",
    "Phrase": "hgrkit.results",
    "Retriever": "hgrkit.retriever",
    "RoleGraph": "hgrkit.graph",
    "SearchResult": "hgrkit.results",
    "SentenceTextEncoder": "hgrkit.model.text.sentence_encoder",
    "Span": "hgrkit.graph",
    "TextEncoder": "hgrkit.model.text.text_encoder",
    "TrainConfig": "hgrkit.research.training.config",
    "Trainer": "hgrkit.research.training.trainer",
    "VideoEncoder": "hgrkit.model.video.video_encoder",
    "VideoFeatures": "hgrkit.model.video.features",
    "Vocabulary": "hgrkit.model.text.vocabulary",
    "benchmark": "hgrkit.research.datasets.catalogue",
    "evaluate": "hgrkit.research.evaluation.evaluate",
    "load_model": "hgrkit.model.checkpoint",
    "save_model": "hgrkit.model.checkpoint",
}


_ROOMS = frozenset({"parsing", "testing"})
"""Folders that plugins use by name: `hgrkit.testing.ParserContract`."""


def __getattr__(name: str) -> object:
    if name in _ROOMS:
        return import_module(f"hgrkit.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'hgrkit' has no attribute {name!r}")
    value: object = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
