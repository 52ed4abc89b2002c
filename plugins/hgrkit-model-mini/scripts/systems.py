"""What `what_pays.py` asks: a trained model, one that looks at regions too, or one with a second tower of text."""

from __future__ import annotations

from typing import Protocol, cast

import attrs
import torch
from experiment import SENTENCES_AT_ONCE
from indices import Indices
from regions import score_regions
from sentences import Sentences
from torch import Tensor

from hgrkit.levels import LEVELS, PerLevel
from hgrkit.matching.embeddings import TextEmbeddings
from hgrkit.matching.matcher import Matcher
from hgrkit.model.hgr_model import HgrModel
from hgrkit.model.text.sentence_encoder import SentenceTextEncoder
from hgrkit.model.video import VideoFeatures

__all__ = ["OneModel", "RegionModel", "System", "TwoTowers"]


class System(Protocol):
    """Anything that scores sentences against clips."""

    @property
    def model(self) -> HgrModel:
        """The model whose matcher weighs the levels."""
        ...

    def levels(
        self, matcher: Matcher, features: VideoFeatures, sentences: Sentences, which: Indices
    ) -> PerLevel[Tensor]:
        """Each level's scores, [V, C], of some of the sentences."""
        ...


@attrs.frozen(eq=False)
class OneModel:
    """A model as it was trained."""

    model: HgrModel

    @torch.inference_mode()
    def levels(
        self, matcher: Matcher, features: VideoFeatures, sentences: Sentences, which: Indices
    ) -> PerLevel[Tensor]:
        """Scores, as `System` says."""
        video = self.model.video(features)
        parts = [matcher(video, text).levels for text in texts(self.model, sentences, which)]
        return PerLevel(**{level: torch.cat([part[level] for part in parts], dim=1) for level in LEVELS})


@attrs.frozen(eq=False)
class RegionModel:
    """A model that was taught with regions, for features that have them."""

    model: HgrModel

    def levels(
        self, matcher: Matcher, features: VideoFeatures, sentences: Sentences, which: Indices
    ) -> PerLevel[Tensor]:
        """Scores, as `System` says."""
        return score_regions(self.model, matcher, features, texts(self.model, sentences, which))


@attrs.frozen(eq=False)
class TwoTowers:
    """A model whose event is the mean of its own score and a second model's."""

    model: HgrModel
    second: HgrModel

    @torch.inference_mode()
    def levels(
        self, matcher: Matcher, features: VideoFeatures, sentences: Sentences, which: Indices
    ) -> PerLevel[Tensor]:
        """Scores, as `System` says."""
        own = OneModel(self.model).levels(matcher, features, sentences, which)
        other = OneModel(self.second).levels(matcher, features, sentences.without_nodes(), which)
        return attrs.evolve(own, event=(own.event + other.event) / 2)


@torch.inference_mode()
def texts(model: HgrModel, sentences: Sentences, which: Indices) -> list[TextEmbeddings]:
    """Some of the sentences, embedded some at a time."""
    text = cast("SentenceTextEncoder", model.text)
    return [
        text.encode(*sentences.batch(which[start : start + SENTENCES_AT_ONCE], text))
        for start in range(0, len(which), SENTENCES_AT_ONCE)
    ]
