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
from frame_halves import first_tuned_block
from onnx import TensorProto, helper
from PIL import Image, ImageEnhance, ImageFilter
from rich.progress import track
from torch import Tensor

from hgrkit.video.efficientnet_layout import Layout

__all__ = ["FrameNetwork", "Photographs"]

SPLITS = ("train", "dev", "test")
PICTURES_AT_ONCE = 16

Pictures = npt.NDArray[np.uint8]


@attrs.frozen(kw_only=True, eq=False)
class View:
    """One look at every photograph.

    Attributes:
        features: of the frame encoder as it was published, float32 [N, K].
        middle: what enters the blocks that are tuned, float16 [N, C, H, W]; mapped from disk.
    """

    features: Tensor
    middle: npt.NDArray[np.float16]


@attrs.frozen(kw_only=True, eq=False)
class Photographs:
    """Flickr8k: photographs, their captions and the official split.

    Attributes:
        names: file names.
        views: looks at each photograph: as it is, mirrored, then as many that are cropped and spoilt at random.
        captions: of each photograph.
        split: positions of the photographs of each part.
    """

    names: tuple[str, ...]
    views: tuple[View, ...]
    captions: tuple[tuple[str, ...], ...]
    split: dict[str, npt.NDArray[np.int64]]

    @classmethod
    def read(cls, folder: Path, network: FrameNetwork, cache: Path, *, spoilt_views: int) -> Photographs:
        """Read the data set; a photograph that the archive lacks is left out."""
        captions: dict[str, list[str]] = {}
        with (folder / "Flickr8k.token.txt").open(encoding="utf-8") as file:
            for name, caption in csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
                captions.setdefault(name.split("#")[0], []).append(caption)
        with zipfile.ZipFile(folder / "images_224.zip") as archive:
            files = {Path(name).name: name for name in archive.namelist() if name.endswith(".jpg")}
            names = tuple(sorted(files.keys() & captions.keys()))
            listed = [files[name] for name in names]
            looks = ["as-it-is", "mirrored", *(f"spoilt-{number}" for number in range(1, spoilt_views + 1))]
            views = tuple(_view(archive, listed, look, network, cache) for look in looks)
        position = {name: number for number, name in enumerate(names)}
        split = {}
        for part in SPLITS:
            own = (folder / f"Flickr_8k.{part}Images.txt").read_text(encoding="utf-8").split()
            split[part] = np.array([position[name] for name in own if name in position])
        return cls(names=names, views=views, captions=tuple(tuple(captions[name]) for name in names), split=split)

    def pairs(self, part: str) -> npt.NDArray[np.int64]:
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
        (middle,) = (node.input[0] for node in model.graph.node if f"{first.name}.weight" in node.input)
        self.shape = (first.in_channels, first.in_size, first.in_size)
        self.feature_dim = layout.head.out_channels
        self.frame_size = layout.stem.in_size
        self.key = fingerprint.rsplit(":", 1)[-1]
        model.graph.output.append(helper.make_tensor_value_info(middle, TensorProto.FLOAT, ["B", *self.shape]))
        self._outputs = ["features", middle]
        self._session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])

    def read(self, pictures: Pictures) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Features [B, K] and middle [B, C, H, W] of pictures [B, S, S, 3]."""
        features, middle = self._session.run(self._outputs, {"pictures": pictures})
        return features, middle


def _view(archive: zipfile.ZipFile, files: Sequence[str], look: str, network: FrameNetwork, cache: Path) -> View:
    features_path, middle_path = (cache / f"{look}-{kind}-{network.key}.npy" for kind in ("features", "middle"))
    if not features_path.is_file():
        features = np.empty((len(files), network.feature_dim), np.float32)
        middle = np.lib.format.open_memmap(middle_path, "w+", np.float16, (len(files), *network.shape))
        for start in track(range(0, len(files), PICTURES_AT_ONCE), description=f"photographs, {look}"):
            batch = slice(start, start + PICTURES_AT_ONCE)
            pictures = np.stack(
                [_picture(archive.read(name), look, network.frame_size, name) for name in files[batch]]
            )
            features[batch], middle[batch] = network.read(pictures)
        middle.flush()
        np.save(features_path, features)
    return View(features=torch.from_numpy(np.load(features_path)), middle=np.load(middle_path, mmap_mode="r"))


def _picture(data: bytes, look: str, size: int, name: str) -> Pictures:
    """A photograph as a frame: [S, S, 3]."""
    picture = Image.open(io.BytesIO(data)).convert("RGB")
    if look.startswith("spoilt"):
        seed = json.dumps([look, name]).encode()
        return np.asarray(spoilt(picture, size, np.random.default_rng(list(seed))))
    picture = picture.resize((size, size), Image.Resampling.BICUBIC)
    if look == "mirrored":
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return np.asarray(picture)


def spoilt(picture: Image.Image, size: int, chance: np.random.Generator) -> Image.Image:
    """What a frame of a clip may show of it: a part, mirrored, in other light, blurred, made small, compressed."""
    area, shape = chance.uniform(0.45, 1), np.exp(chance.uniform(np.log(0.75), np.log(1.33)))
    across, down = min(1, np.sqrt(area * shape)), min(1, np.sqrt(area / shape))
    left, top = chance.uniform(0, 1 - across) * picture.width, chance.uniform(0, 1 - down) * picture.height
    box = (left, top, left + across * picture.width, top + down * picture.height)
    picture = picture.resize((size, size), Image.Resampling.BICUBIC, box=box)
    if chance.random() < 0.5:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    for enhance in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        picture = enhance(picture).enhance(chance.uniform(0.7, 1.3))
    kind = chance.random()
    if kind < 0.35:
        small = int(chance.uniform(0.35, 0.8) * size)
        picture = picture.resize((small, small), Image.Resampling.BILINEAR)
        picture = picture.resize((size, size), Image.Resampling.BILINEAR)
    elif kind < 0.5:
        picture = picture.filter(ImageFilter.GaussianBlur(chance.uniform(0.5, 1.5)))
    if chance.random() < 0.5:
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=int(chance.integers(15, 60)))
        picture = Image.open(file).convert("RGB")
    return picture
