"""98 MSVD clips as they are asked about: frame features, captions, and foils of the captions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import numpy as np
from cache_file import cache_file, file_digest, short_digest
from indices import Indices
from sentences import Sentences

from hgrkit.model.text.sentence_encoder import SentenceTextEncoder
from hgrkit.model.video import VideoFeatures
from hgrkit.parsing.lark.parser import LarkParser
from hgrkit.parsing.protocol import GraphParser
from hgrkit.research.evaluation.captions import read_captions
from hgrkit.research.evaluation.foil_choice import FoilPair
from hgrkit.research.foils.generate import make_foils
from hgrkit.video.efficientnet_lite import EfficientNetLite
from hgrkit.video.frame_encoder import encode_frames
from hgrkit.video.reader import VideoReader
from hgrkit.video.sampling import parse_sampling

__all__ = ["Clips"]


@attrs.frozen(kw_only=True, eq=False)
class Clips:
    """MSVD-98 and what is asked about it.

    Attributes:
        names: of the clips.
        features: of their frames, by the published encoder.
        sentences: the captions, then the foils.
        captions: the captions' words.
        owners: position of each caption's clip.
        foils: the choices; their sentences follow the captions in `sentences`.
        fingerprint: changes with the clips, how they are sampled and the encoder.
    """

    names: tuple[str, ...]
    features: VideoFeatures
    sentences: Sentences
    captions: tuple[str, ...]
    owners: Indices
    foils: tuple[FoilPair, ...]
    fingerprint: str

    @classmethod
    def read(
        cls, folder: Path, encoder: EfficientNetLite, text: SentenceTextEncoder, cache: Path, *, sampling: str
    ) -> Clips:
        """Decode, encode and parse."""
        captions = read_captions(folder / "captions.json")
        names = tuple(sorted(captions))
        files = [[name, file_digest(folder / "videos" / name)] for name in names]
        fingerprint = short_digest(encoder.fingerprint, sampling, files)
        path = cache_file(cache, "msvd.npz", fingerprint)
        if not path.is_file():
            found: dict[str, Any] = {
                name: clip_features(folder / "videos" / name, encoder, sampling) for name in names
            }
            np.savez(path, **found)
        with np.load(path) as stored:
            features = VideoFeatures.from_arrays([stored[name] for name in names])
        texts = [caption for name in names for caption in captions[name]]
        made = make_foils(captions, LarkParser(), seed=0).foils
        return cls(
            names=names,
            features=features,
            sentences=Sentences.read([*texts, *(foil.foil for foil in made)], text, cache),
            captions=tuple(texts),
            owners=np.repeat(np.arange(len(names)), [len(captions[name]) for name in names]),
            foils=tuple(FoilPair(video=f.video, caption=f.caption, foil=f.foil, type=f.type) for f in made),
            fingerprint=fingerprint,
        )

    def parsed_by(self, parser: GraphParser, text: SentenceTextEncoder, cache: Path) -> Clips:
        """The same questions with the graphs of another parser."""
        texts = [*self.captions, *(pair.foil for pair in self.foils)]
        return attrs.evolve(self, sentences=Sentences.read(texts, text, cache, parser=parser))


def clip_features(path: Path, encoder: EfficientNetLite, sampling: str) -> np.ndarray:
    """Frame features of a clip, [F, K]."""
    frames = VideoReader(path, encoder.frame_size).sample(parse_sampling(sampling))
    return encode_frames(encoder, np.stack([frame.image for frame in frames]))
