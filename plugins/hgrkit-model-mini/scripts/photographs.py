"""Flickr8k's photographs as the frame encoder sees them: whole, and half way through it."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path

import attrs
import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import torch
from cache_file import cache_file, short_digest
from frame_halves import first_tuned_block
from indices import Indices
from onnx import TensorProto, helper
from PIL import Image, ImageEnhance, ImageFilter
from rich.progress import track
from torch import Tensor

from hgrkit.video.efficientnet_layout import Layout

__all__ = ["FrameNetwork", "Photographs", "View", "augmented"]

SPLITS = ("train", "dev", "test")
PICTURES_AT_ONCE = 16
AS_IT_IS, MIRRORED, AUGMENTED = "as-it-is", "mirrored", "spoilt"
"""Names of looks; what is drawn for an altered one is drawn with its name."""

Pictures = npt.NDArray[np.uint8]


@attrs.frozen(kw_only=True, eq=False)
class View:
    """One look at every photograph.

    Attributes:
        features: of the frame encoder as it was published, float32 [N, K].
        block_input: what enters the blocks that are tuned, float16 [N, C, H, W]; mapped from disk.
        fingerprint: changes with the photographs, the look and the frame encoder.
    """

    features: Tensor
    block_input: npt.NDArray[np.float16]
    fingerprint: str


@attrs.frozen(kw_only=True, eq=False)
class Photographs:
    """Flickr8k: photographs, their captions and the official split.

    Attributes:
        names: file names.
        views: looks at each photograph: as it is, mirrored unless left out, then as many that are cropped and
            altered at random.
        captions: of each photograph.
        split: positions of the photographs of each part.
    """

    names: tuple[str, ...]
    views: tuple[View, ...]
    captions: tuple[tuple[str, ...], ...]
    split: dict[str, Indices]

    @classmethod
    def read(
        cls, folder: Path, network: FrameNetwork, cache: Path, *, augmented_views: int, mirrored: bool = True
    ) -> Photographs:
        """Read the data set; a photograph that the archive lacks is left out."""
        captions: dict[str, list[str]] = {}
        with (folder / "Flickr8k.token.txt").open(encoding="utf-8") as file:
            for name, caption in csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
                captions.setdefault(name.split("#")[0], []).append(caption)
        with zipfile.ZipFile(folder / "images_224.zip") as archive:
            files = {Path(name).name: name for name in archive.namelist() if name.endswith(".jpg")}
            names = tuple(sorted(files.keys() & captions.keys()))
            listed = [archive.getinfo(files[name]) for name in names]
            looks = [AS_IT_IS, *([MIRRORED] if mirrored else [])]
            looks += [f"{AUGMENTED}-{number}" for number in range(1, augmented_views + 1)]
            views = tuple(_view(archive, listed, look, network, cache) for look in looks)
        position = {name: number for number, name in enumerate(names)}
        split = {}
        for part in SPLITS:
            own = (folder / f"Flickr_8k.{part}Images.txt").read_text(encoding="utf-8").split()
            split[part] = np.array([position[name] for name in own if name in position])
        return cls(names=names, views=views, captions=tuple(tuple(captions[name]) for name in names), split=split)

    @property
    def texts(self) -> list[str]:
        """All captions, photograph by photograph."""
        return [caption for own in self.captions for caption in own]

    @property
    def fingerprint(self) -> str:
        """What changes with anything that is said here."""
        split = {part: own.tolist() for part, own in self.split.items()}
        return short_digest(self.names, [view.fingerprint for view in self.views], self.captions, split)

    def pairs(self, part: str) -> Indices:
        """Photograph and caption of every pair of one part, [P, 2]; captions are numbered in `captions`' order."""
        owners = np.repeat(np.arange(len(self.captions)), [len(own) for own in self.captions])
        pairs = np.stack([owners, np.arange(len(owners))], axis=1)
        return pairs[np.isin(owners, self.split[part])]


class FrameNetwork:
    """The published frame encoder, which also tells what enters the blocks that are tuned.

    Args:
        graph: its ONNX graph.
        layout: its convolutions.
        fingerprint: of its weights.
    """

    def __init__(self, graph: Path, layout: Layout, fingerprint: str) -> None:
        model = onnx.load(graph)  # with the weights beside it
        first = layout.blocks[first_tuned_block(layout)].convolutions[0]
        (entry,) = (node.input[0] for node in model.graph.node if f"{first.name}.weight" in node.input)
        self.shape = (first.in_channels, first.in_size, first.in_size)
        self.feature_dim = layout.head.out_channels
        self.frame_size = layout.stem.in_size
        self.fingerprint = fingerprint
        model.graph.output.append(helper.make_tensor_value_info(entry, TensorProto.FLOAT, ["B", *self.shape]))
        self._outputs = ["features", entry]
        self._session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])

    def read(self, pictures: Pictures) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Features [B, K] and what enters the tuned blocks, [B, C, H, W], of pictures [B, S, S, 3]."""
        features, block_input = self._session.run(self._outputs, {"pictures": pictures})
        return features, block_input


def _view(
    archive: zipfile.ZipFile, files: Sequence[zipfile.ZipInfo], look: str, network: FrameNetwork, cache: Path
) -> View:
    fingerprint = short_digest(network.fingerprint, look, [[file.filename, file.CRC] for file in files])
    features_path, block_input_path = (
        cache_file(cache, f"{look}-{kind}.npy", fingerprint) for kind in ("features", "block-input")
    )
    if not features_path.is_file():
        features = np.empty((len(files), network.feature_dim), np.float32)
        block_input = np.lib.format.open_memmap(block_input_path, "w+", np.float16, (len(files), *network.shape))
        for start in track(range(0, len(files), PICTURES_AT_ONCE), description=f"photographs, {look}"):
            batch = slice(start, start + PICTURES_AT_ONCE)
            pictures = np.stack(
                [_picture(archive.read(file), look, network.frame_size, file.filename) for file in files[batch]]
            )
            features[batch], block_input[batch] = network.read(pictures)
        block_input.flush()
        np.save(features_path, features)
    return View(
        features=torch.from_numpy(np.load(features_path)),
        block_input=np.load(block_input_path, mmap_mode="r"),
        fingerprint=fingerprint,
    )


def _picture(data: bytes, look: str, size: int, name: str) -> Pictures:
    """A photograph as a frame: [S, S, 3]."""
    picture = Image.open(io.BytesIO(data)).convert("RGB")
    if look.startswith(AUGMENTED):
        seed = json.dumps([look, name]).encode()
        return np.asarray(augmented(picture, size, np.random.default_rng(list(seed))))
    picture = picture.resize((size, size), Image.Resampling.BICUBIC)
    if look == MIRRORED:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return np.asarray(picture)


def augmented(picture: Image.Image, size: int, rng: np.random.Generator) -> Image.Image:
    """What a frame of a clip may show of it: a part, mirrored, in other light, blurred, made small, compressed."""
    area, shape = rng.uniform(0.45, 1), np.exp(rng.uniform(np.log(0.75), np.log(1.33)))
    across, down = min(1, np.sqrt(area * shape)), min(1, np.sqrt(area / shape))
    left, top = rng.uniform(0, 1 - across) * picture.width, rng.uniform(0, 1 - down) * picture.height
    box = (left, top, left + across * picture.width, top + down * picture.height)
    picture = picture.resize((size, size), Image.Resampling.BICUBIC, box=box)
    if rng.random() < 0.5:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    for enhance in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        picture = enhance(picture).enhance(rng.uniform(0.7, 1.3))
    kind = rng.random()
    if kind < 0.35:
        small = int(rng.uniform(0.35, 0.8) * size)
        picture = picture.resize((small, small), Image.Resampling.BILINEAR)
        picture = picture.resize((size, size), Image.Resampling.BILINEAR)
    elif kind < 0.5:
        picture = picture.filter(ImageFilter.GaussianBlur(rng.uniform(0.5, 1.5)))
    if rng.random() < 0.5:
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=int(rng.integers(15, 60)))
        picture = Image.open(file).convert("RGB")
    return picture
