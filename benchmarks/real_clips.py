"""Real embeddings for benchmarks of searching: MSR-VTT's frames, Flickr8k's photographs, and human captions.

Pictures are encoded once, by the default model's frame encoder, and their features are kept in a folder. A clip
of 20 frames is made of the two to four that there are of a video: between two of them it goes evenly from one to
the other, and every frame leans by up to 15 % towards a frame of one of the ten nearest videos, as frames of a
scene differ. A photograph is a clip of one picture, made alike. The first 4,097 clips are the videos, the next
8,091 are photographs.

Larger libraries repeat these clips: a made one goes 20 to 50 % of the way to one of its ten nearest. So clips of
one subject stay together, and no direction appears that real clips do not span; but a large library is denser
than a real one of its size, and right answers have closer rivals in it, which makes recall harder to reach.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import attrs
import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from rich.progress import track

from hgrkit.library import ClipEmbeddings
from hgrkit.matching.frame_weights import unit_vectors
from hgrkit.model.hgr_model import HgrModel
from hgrkit.model.video import VideoFeatures
from hgrkit.video.frame_encoder import FrameEncoder, encode_frames, frame_size_of, load_frame_encoder

__all__ = ["RealClips", "picture_features", "read_captions_of_videos", "videos_of"]

NUM_FRAMES = 20
PICTURES_AT_ONCE, CLIPS_AT_ONCE = 32, 500
NEAREST, LEAN, WAY = 10, 0.15, (0.2, 0.5)
SECONDS = 10.0

Float32 = npt.NDArray[np.float32]


@attrs.frozen(eq=False)
class RealClips:
    """Pictures of R videos and photographs, embedded.

    Attributes:
        views: [T, D] of all pictures at the levels event, action and entity.
        logits: [T] how much a picture counts in an event.
        starts: [R] each item's first picture.
        counts: [R] its number of pictures.
        nearest: [R, 10] the nearest items of each by event.
    """

    views: tuple[Float32, Float32, Float32]
    logits: Float32
    starts: npt.NDArray[np.int64]
    counts: npt.NDArray[np.int64]
    nearest: npt.NDArray[np.int64]

    @classmethod
    def read(cls, data: Path, cache: Path, model: HgrModel, encoder: str) -> RealClips:
        """Read what is encoded, encode the rest, and embed all of it.

        Args:
            data: the folder with `msrvtt_frames` and `flickr8k`.
            cache: a folder for features.
            model: embeds them.
            encoder: the frame encoder's name.
        """
        cache.mkdir(parents=True, exist_ok=True)
        loaded = load_frame_encoder(encoder, device="cpu")
        features, counts = [], list[int]()
        for part in ("test", "train"):
            videos = videos_of(data, part)
            names = [name for video in videos for name in video["frames"]]
            archive = data / f"msrvtt_frames/frames_{part}.zip"
            features.append(picture_features(archive, names, cache / f"msrvtt_{part}.npz", loaded))
            counts += [len(video["frames"]) for video in videos]
        archive = data / "flickr8k/images_224.zip"
        with zipfile.ZipFile(archive) as opened:
            names = sorted(name for name in opened.namelist() if name.endswith(".jpg"))
        features.append(picture_features(archive, names, cache / "flickr8k.npz", loaded))
        return cls.embed(model, np.concatenate(features), counts + [1] * len(names))

    @classmethod
    def embed(cls, model: HgrModel, features: Float32, counts: Sequence[int]) -> RealClips:
        """Embed pictures, [T, K], of which each item has so many."""
        with torch.inference_mode():
            frames = model.video.frame_views(VideoFeatures.from_arrays([features]))
            logits = model.video.attention_logits(frames.event)[0].numpy()
        views = tuple(level[0].numpy() for level in (frames.event, frames.action, frames.entity))
        starts = np.cumsum([0, *counts[:-1]])
        events = unit_vectors(np.add.reduceat(views[0], starts, axis=0))
        nearest = np.empty((len(events), NEAREST), np.int64)
        for first in range(0, len(events), 1000):
            distances = -(events[first : first + 1000] @ events.T)
            np.fill_diagonal(distances[:, first:], np.inf)  # an item is no neighbour of itself
            nearest[first : first + 1000] = np.argpartition(distances, NEAREST, axis=1)[:, :NEAREST]
        return cls((views[0], views[1], views[2]), logits, starts, np.array(counts), nearest)

    def clips(self, count: int, seed: int) -> Iterator[ClipEmbeddings]:
        """Make so many clips; those of a smaller library are the first of a larger one."""
        rng = np.random.default_rng(seed)
        for first in range(0, count, CLIPS_AT_ONCE):
            yield from self._some(np.arange(first, first + CLIPS_AT_ONCE), rng)[: count - first]

    def _some(self, numbers: npt.NDArray[np.int64], rng: np.random.Generator) -> list[ClipEmbeddings]:
        shape = (len(numbers), NUM_FRAMES)
        items, is_made = numbers % len(self.starts), numbers >= len(self.starts)
        position = np.linspace(0, 1, NUM_FRAMES) * (self.counts[items] - 1)[:, None]
        lower = np.minimum(position.astype(np.int64), np.maximum(self.counts[items] - 2, 0)[:, None])
        upper = np.minimum(lower + 1, (self.counts[items] - 1)[:, None])
        share = position - lower
        # A made clip goes towards one other; a frame of a real one leans towards any of those that are near.
        partner = self.nearest[items[:, None], rng.integers(NEAREST, size=shape)]
        partner = np.where(is_made[:, None], partner[:, :1], partner)
        lean = rng.uniform(0, LEAN, shape) + np.where(is_made, rng.uniform(*WAY, len(numbers)), 0)[:, None]
        picture = self.starts[partner] + (rng.random(shape) * self.counts[partner]).astype(np.int64)
        first = self.starts[items][:, None]
        parts = [
            (first + lower, (1 - lean) * (1 - share)),
            (first + upper, (1 - lean) * share),
            (picture, lean),
        ]

        def mixed(values: Float32) -> Float32:
            """Embeddings of pictures, and what is linear in them, mixed; [V, F, ...]."""
            total = np.zeros((*shape, *values.shape[1:]), np.float32)
            for rows, weights in parts:
                total += values[rows] * weights.astype(np.float32).reshape(*shape, *[1] * (values.ndim - 1))
            return total

        event, action, entity = map(mixed, self.views)
        logits = mixed(self.logits)
        weights = np.exp(logits - logits.max(axis=1, keepdims=True))
        pooled = np.einsum("vf,vfd->vd", weights / weights.sum(axis=1, keepdims=True), event)
        times_s = (np.arange(NUM_FRAMES) + 0.5) * SECONDS / NUM_FRAMES
        return [
            ClipEmbeddings(
                start_s=0, end_s=SECONDS, times_s=times_s, event=pooled[v], action=action[v], entity=entity[v]
            )
            for v in range(len(numbers))
        ]


def read_captions_of_videos(data: Path, count: int, seed: int) -> list[str]:
    """Captions of different test videos, drawn at random, one a video; of 714 videos."""
    videos = videos_of(data, "test")
    rng = np.random.default_rng(seed)
    drawn = rng.permutation(len(videos))[:count]
    return [str(rng.choice(videos[place]["captions"])) for place in drawn]


def videos_of(data: Path, part: str) -> list[dict[str, list[str]]]:
    """What is known of MSR-VTT's videos of a file, `train` or `test`."""
    lines = (data / f"msrvtt_frames/{part}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def picture_features(archive: Path, names: Sequence[str], cached: Path, encoder: FrameEncoder) -> Float32:
    """Encode pictures in an archive, [T, K]; from the cache if it has those of this encoder."""
    if cached.exists():
        with np.load(cached) as kept:
            if str(kept["encoder"]) == encoder.fingerprint and len(kept["features"]) == len(names):
                return kept["features"].astype(np.float32)
    height, width = frame_size_of(encoder)
    encoded = []
    with zipfile.ZipFile(archive) as opened:
        for first in track(range(0, len(names), PICTURES_AT_ONCE), description=cached.stem):
            pictures = [
                Image.open(io.BytesIO(opened.read(name))).convert("RGB").resize((width, height))
                for name in names[first : first + PICTURES_AT_ONCE]
            ]
            encoded.append(encode_frames(encoder, np.stack([np.asarray(picture) for picture in pictures])))
    np.savez(cached, features=np.concatenate(encoded).astype(np.float16), encoder=encoder.fingerprint)
    return np.concatenate(encoded)
