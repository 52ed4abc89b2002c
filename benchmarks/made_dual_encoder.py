"""A dual encoder of parts at hand, and what it is trained, chosen and reported on.

The default model's frozen transformer (MiniLM) for sentences, EfficientNet-Lite2 with ImageNet weights for frames,
and a linear map on each side that learns from sentences and whole clips alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self

import attrs
import numpy as np
import numpy.typing as npt
import torch
from msvd_98 import for_choosing, for_reporting
from real_clips import picture_features, read_videos
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from hgrkit.library.scoring import LevelWeights
from hgrkit.matching.config import MatcherConfig
from hgrkit.matching.frame_weights import unit_vectors
from hgrkit.matching.losses import InfoNCE
from hgrkit.model.checkpoint import head_on
from hgrkit.model.config import HgrModelConfig, VideoConfig
from hgrkit.model.dual_encoder import PLUGIN_KIND, DualEncoder
from hgrkit.model.hgr_model import HgrModel
from hgrkit.model.query.phrase_encoder import PhraseConfig
from hgrkit.model.registry import model_folder
from hgrkit.model.text.sentence_reader import SentenceReader
from hgrkit.parsing.lark.parser import LarkParser
from hgrkit.research.datasets.clips import read_flickr8k_captions
from hgrkit.research.foils.generate import make_foils
from hgrkit.research.training.clips import CaptionedClips
from hgrkit.research.training.config import TrainConfig
from hgrkit.research.training.foils import CaptionFoils
from hgrkit.research.training.records import TrainingRun
from hgrkit.research.training.trainer import Trainer
from hgrkit.video.frame_encoder import FrameEncoder, encode_frames, frame_size_of
from hgrkit.video.reader import VideoReader
from hgrkit.video.sampling import parse_sampling

__all__ = ["Captions", "Clips", "Data", "HeadMaterial", "MadeDualEncoder", "Part", "Sentences", "train_head"]

Float32 = npt.NDArray[np.float32]
Captions = Mapping[str, Sequence[str]]
Part = Literal["dev", "test"]

EMBED_DIM, EPOCHS, BATCH, RATE, DECAY, TEMPERATURE = 256, 2, 512, 2e-3, 1e-2, 0.07
"""Of the linear maps: chosen by their R@1 on the validation videos."""
FRAMES_OF_A_CLIP = 6
TEXTS_AT_ONCE = 256
CAPTIONS_OF_A_CLIP, DEV_CAPTIONS_OF_A_CLIP = 2, 5
"""That a head is trained and measured on: all twenty take ten times as long."""
HEAD_TRAINING: dict[str, Any] = {
    "epochs": 4,
    "batch_size": 256,
    "learning_rate": 3e-4,
    "weight_decay": 0.1,
    "foil_weight": 0.5,
    "foil_levels": ("event", "action", "entity"),
    "keep_start": True,
}
HEAD_LOSS: dict[str, Any] = {"temperature": 0.05}


class Sentences:
    """Sentence vectors of the frozen transformer, [T, 384], kept in a folder in 16 bits."""

    def __init__(self, cache: Path) -> None:
        self._names, self._vectors = cache / "sentences.json", cache / "sentences.npy"
        self._reader = SentenceReader.from_folder(model_folder("default"))
        self._kept: list[Float32] = []
        self._row: dict[str, int] = {}
        if self._names.exists():
            self._row = {text: row for row, text in enumerate(json.loads(self._names.read_text()))}
            self._kept = list(np.load(self._vectors))

    def vectors(self, texts: Sequence[str]) -> Float32:
        """Of these texts; what is new is read in batches of like length."""
        new = sorted({text for text in texts if text not in self._row}, key=lambda text: (len(text), text))
        for start in range(0, len(new), TEXTS_AT_ONCE):
            part = new[start : start + TEXTS_AT_ONCE]
            states = self._reader.read([text.split() for text in part]).sentence
            self._row |= {text: len(self._kept) + place for place, text in enumerate(part)}
            self._kept += list(unit_vectors(states[:, : self._reader.last_layer_size]).astype(np.float16))
        return np.stack([self._kept[self._row[text]] for text in texts]).astype(np.float32)

    def save(self) -> None:
        """Keep what was read."""
        np.save(self._vectors, np.stack(self._kept))
        self._names.write_text(json.dumps(list(self._row)))


@attrs.frozen(kw_only=True, eq=False)
class MappedTexts:
    """The text side, as a plugin would be: sentence vectors through a linear map."""

    sentences: Sentences
    weight: Float32
    bias: Float32
    fingerprint: str = "minilm-mapped"

    @property
    def embed_dim(self) -> int:
        """D."""
        return len(self.bias)

    def encode(self, texts: Sequence[str]) -> Float32:
        """Texts to [B, D]."""
        mapped: Float32 = self.sentences.vectors(texts) @ self.weight.T + self.bias
        return mapped


@attrs.frozen(kw_only=True, eq=False)
class Clips:
    """Frame features of clips, [F, 1280] each, and captions of some of them."""

    features: Mapping[str, Float32]
    captions: Captions


@attrs.frozen(kw_only=True, eq=False)
class Data:
    """What is trained on, chosen on and reported on."""

    folder: Path
    cache: Path
    encoder: FrameEncoder

    @cached_property
    def _msvd_features(self) -> dict[str, Float32]:
        kept = self.cache / "msvd.npz"
        if not kept.exists():
            sampling = parse_sampling(f"uniform:{FRAMES_OF_A_CLIP}")
            found = {}
            for path in sorted((self.folder / "msvd/videos").iterdir()):
                frames = VideoReader(path, frame_size_of(self.encoder)).sample(sampling)
                found[path.name] = encode_frames(self.encoder, np.stack([frame.image for frame in frames]))
            np.savez(kept, **found)  # type: ignore[arg-type]
        with np.load(kept) as read:
            return dict(read)

    def msr_vtt(self, part: Literal["train", "val", "test"]) -> Clips:
        """Videos of MSR-VTT, two to four frames each."""
        archive = "test" if part == "test" else "train"
        videos: list[Any] = read_videos(self.folder, archive)
        names = [name for video in videos for name in video["frames"]]
        features = picture_features(
            self.folder / f"msrvtt_frames/frames_{archive}.zip",
            names,
            self.cache / f"msrvtt_{archive}.npz",
            self.encoder,
        )
        each = np.split(features, np.cumsum([len(video["frames"]) for video in videos])[:-1])
        own = [(video, rows) for video, rows in zip(videos, each, strict=True) if video["part"] == part]
        return Clips(
            features={video["video"]: rows for video, rows in own},
            captions={video["video"]: video["captions"] for video, _ in own},
        )

    def photographs(self) -> Clips:
        """The training photographs of Flickr8k, clips of one frame."""
        captions = read_flickr8k_captions(self.folder / "flickr8k", "train")
        archive = self.folder / "flickr8k/images_224.zip"
        names = list(captions)
        features = picture_features(archive, names, self.cache / "flickr_train.npz", self.encoder)
        rows = dict(zip(captions, features[:, None], strict=True))
        return Clips(features=rows, captions=captions)

    def msvd(self, part: Part) -> Clips:
        """All 98 clips, with the captions of one half."""
        captions = json.loads((self.folder / "msvd/captions.json").read_text())
        own = (for_choosing if part == "dev" else for_reporting)(captions)
        return Clips(features=self._msvd_features, captions={name: captions[name] for name in own})


@attrs.frozen(kw_only=True, eq=False)
class MadeDualEncoder:
    """Frames and texts in one space.

    Attributes:
        frame_map: of frame features.
        texts: the text side.
    """

    frame_map: nn.Linear
    texts: MappedTexts

    @classmethod
    def train(cls, parts: Sequence[Clips], sentences: Sentences, *, seed: int) -> Self:
        """Train both maps."""
        frame_map, text_map = train_maps(parts, sentences, seed)
        weight, bias = text_map.weight.numpy(), text_map.bias.numpy()
        return cls(frame_map=frame_map, texts=MappedTexts(sentences=sentences, weight=weight, bias=bias))

    def frames(self, features: Float32) -> Float32:
        """Frame features, [F, 1280], to [F, D]."""
        mapped: Float32 = self.frame_map(torch.from_numpy(features)).numpy()
        return mapped

    def untrained_head(self, weights: LevelWeights) -> HgrModel:
        """A head that scores as the dual encoder does."""
        size = {"feature_dim": EMBED_DIM, "embed_dim": EMBED_DIM}
        config = HgrModelConfig(
            text_kind=PLUGIN_KIND,
            text={},
            video=VideoConfig(**size),
            matcher=MatcherConfig(level_weights=weights),
        )
        return head_on(DualEncoder(config=config, phrases=PhraseConfig(name="made"), text=self.texts))


@attrs.frozen(kw_only=True, eq=False)
class HeadMaterial:
    """The training videos' first captions, foils of them, and the validation videos."""

    train: CaptionedClips
    dev: CaptionedClips
    foils: CaptionFoils

    @classmethod
    def read(cls, dual: MadeDualEncoder, data: Data) -> Self:
        """Parse the captions and make the foils."""
        parser, parts = LarkParser(), dict[str, CaptionedClips]()
        for name, most in (("train", CAPTIONS_OF_A_CLIP), ("val", DEV_CAPTIONS_OF_A_CLIP)):
            clips = data.msr_vtt("train" if name == "train" else "val")
            captions = {clip: list(own[:most]) for clip, own in clips.captions.items()}
            features = {clip: dual.frames(rows) for clip, rows in clips.features.items()}
            parts[name] = CaptionedClips.of(captions, features, parser=parser)
            if name == "train":
                made = make_foils(captions, parser, seed=0).foils
        foils = CaptionFoils.of(made, parts["train"], parser=parser)
        return cls(train=parts["train"], dev=parts["val"], foils=foils)


def train_head(dual: MadeDualEncoder, material: HeadMaterial, weights: LevelWeights, seed: int) -> TrainingRun:
    """A head; the best epoch on the validation videos, or the untrained one if none is better."""
    config = TrainConfig(seed=seed, device="cpu", **HEAD_TRAINING)
    trainer = Trainer(dual.untrained_head(weights), loss=InfoNCE(**HEAD_LOSS), config=config)
    return trainer.fit(material.train, material.dev, foils=material.foils)


def train_maps(parts: Sequence[Clips], sentences: Sentences, seed: int) -> tuple[nn.Linear, nn.Linear]:
    """Linear maps of frames and of sentences, by InfoNCE over sentences and clips' first and last frames."""
    clips = [rows[[0, -1]] for part in parts for name, rows in part.features.items() if name in part.captions]
    captions = [part.captions[name] for part in parts for name in part.features if name in part.captions]
    owners = np.repeat(np.arange(len(captions)), list(map(len, captions)))
    texts = torch.from_numpy(sentences.vectors([text for own in captions for text in own]))
    frames = torch.from_numpy(np.stack(clips))  # [V, 2, K]
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    frame_map, text_map = nn.Linear(frames.shape[2], EMBED_DIM), nn.Linear(texts.shape[1], EMBED_DIM)
    with torch.no_grad():
        for linear in (frame_map, text_map):
            linear.weight.normal_(0, linear.in_features**-0.5)
        frame_map.bias.copy_(-frame_map.weight @ frames.mean(dim=(0, 1)))
        text_map.bias.zero_()
    weights = [*frame_map.parameters(), *text_map.parameters()]
    optimizer = torch.optim.AdamW(weights, lr=RATE, weight_decay=DECAY)
    steps = EPOCHS * (len(owners) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps + 1)
    for _ in range(EPOCHS):
        order = rng.permutation(len(owners))
        for start in range(0, len(order) - BATCH + 1, BATCH):
            batch = order[start : start + BATCH]
            own = torch.from_numpy(owners[batch])
            events = normalize(normalize(frame_map(frames[own]), dim=2).sum(dim=1), dim=1)
            value = contrast(normalize(text_map(texts[batch]), dim=1) @ events.T, own)
            optimizer.zero_grad()
            value.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
    return frame_map.requires_grad_(False), text_map.requires_grad_(False)


def contrast(similarities: Tensor, owners: Tensor) -> Tensor:
    """InfoNCE in both directions; sentences of one clip are no negatives of each other."""
    same = owners[:, None] == owners
    same.fill_diagonal_(False)
    logits = (similarities / TEMPERATURE).masked_fill(same, -torch.inf)
    right = torch.arange(len(owners))
    return cross_entropy(logits, right) + cross_entropy(logits.T, right)
