# The public names and where they live: read by type checkers, and by lazy_loader when hgrkit is imported.

from . import parsing as parsing
from . import testing as testing
from .errors import HgrkitError as HgrkitError
from .graph import Edge as Edge
from .graph import Node as Node
from .graph import RoleGraph as RoleGraph
from .graph import Span as Span
from .indexing.report import IndexReport as IndexReport
from .levels import Level as Level
from .levels import PerLevel as PerLevel
from .library.duplicates import DuplicateGroup as DuplicateGroup
from .library.tuning import Tuning as Tuning
from .matching.losses import HingeLoss as HingeLoss
from .matching.losses import InfoNCE as InfoNCE
from .matching.matcher import Matcher as Matcher
from .model.checkpoint import load_model as load_model
from .model.checkpoint import save_model as save_model
from .model.hgr_model import HgrModel as HgrModel
from .model.text.graph_batch import GraphBatch as GraphBatch
from .model.text.sentence_encoder import SentenceTextEncoder as SentenceTextEncoder
from .model.text.text_encoder import TextEncoder as TextEncoder
from .model.text.vocabulary import Vocabulary as Vocabulary
from .model.video import VideoEncoder as VideoEncoder
from .model.video import VideoFeatures as VideoFeatures
from .research.datasets.catalogue import benchmark as benchmark
from .research.evaluation.evaluate import evaluate as evaluate
from .research.training.calibrate import calibrate as calibrate
from .research.training.clips import CaptionedClips as CaptionedClips
from .research.training.config import TrainConfig as TrainConfig
from .research.training.trainer import Trainer as Trainer
from .results import Description as Description
from .results import Excluded as Excluded
from .results import Hit as Hit
from .results import Phrase as Phrase
from .results import RankedSentence as RankedSentence
from .results import SearchResult as SearchResult
from .retriever import Retriever as Retriever

__all__ = [
    "CaptionedClips",
    "Description",
    "DuplicateGroup",
    "Edge",
    "Excluded",
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
    "RankedSentence",
    "Retriever",
    "RoleGraph",
    "SearchResult",
    "SentenceTextEncoder",
    "Span",
    "TextEncoder",
    "TrainConfig",
    "Trainer",
    "Tuning",
    "VideoEncoder",
    "VideoFeatures",
    "Vocabulary",
    "__version__",
    "benchmark",
    "calibrate",
    "evaluate",
    "load_model",
    "save_model",
]

__version__: str
