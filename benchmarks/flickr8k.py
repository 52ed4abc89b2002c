"""Flickr8k for benchmarks: captions of a split, and its photographs as videos of one frame."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import attrs
import numpy as np
import numpy.typing as npt
from PIL import Image
from rich.progress import track

from hgrkit.research.datasets.clips import Split, read_flickr8k_captions
from hgrkit.research.evaluation.captions import Captions
from hgrkit.video.frame_encoder import FrameEncoder, encode_frames, frame_size_of, load_frame_encoder

__all__ = ["Part", "read_part"]

PHOTOGRAPHS_AT_ONCE = 32


@attrs.frozen(kw_only=True, eq=False)
class Part:
    """One split of Flickr8k: captions, and features [1, K] of each photograph."""

    captions: Captions
    features: dict[str, npt.NDArray[np.float32]]


def read_part(folder: Path, part: Split, frame_encoder: str | FrameEncoder) -> Part:
    """Encode the photographs of one split; those that the archive lacks are left out."""
    captions = read_flickr8k_captions(folder, part)
    encoder = load_frame_encoder(frame_encoder, device="cpu")
    features: dict[str, npt.NDArray[np.float32]] = {}
    with zipfile.ZipFile(folder / "images_224.zip") as archive:
        files = {Path(name).name: name for name in archive.namelist() if name.endswith(".jpg")}
        names = [name for name in captions if name in files]
        for start in track(range(0, len(names), PHOTOGRAPHS_AT_ONCE), description=f"{part} photographs"):
            chunk = names[start : start + PHOTOGRAPHS_AT_ONCE]
            pictures = [_picture(archive.read(files[name]), frame_size_of(encoder)) for name in chunk]
            encoded = encode_frames(encoder, np.stack(pictures))
            features |= {name: row[None] for name, row in zip(chunk, encoded, strict=True)}
    return Part(captions={name: captions[name] for name in names}, features=features)


def _picture(data: bytes, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    picture = Image.open(io.BytesIO(data)).convert("RGB")
    return np.asarray(picture.resize(size[::-1], Image.Resampling.BICUBIC))
