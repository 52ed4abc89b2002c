"""What the model is trained on, read once: features of photographs, sentences as the transformer reads them."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path

import attrs
import numpy as np
import torch
from PIL import Image
from rich.progress import track
from torch import Tensor

from hgrkit.errors import GraphError
from hgrkit.graph import RoleGraph
from hgrkit.levels import PerLevel
from hgrkit.parsing.lark_parser import LarkParser
from hgrkit.text.graph_batch import GraphBatch
from hgrkit.text.sentence_encoder import SentenceTextEncoder
from hgrkit.video.frame_encoder import FrameEncoder

SPLITS = ("train", "dev", "test")


@attrs.frozen(kw_only=True, eq=False)
class Photographs:
    """Flickr8k: photographs, their captions and the official split.

    Attributes:
        names: file names.
        features: of each photograph and of its mirror image, [2, N, K].
        captions: of each photograph.
        split: positions of the photographs of each part.
    """

    names: tuple[str, ...]
    features: Tensor
    captions: tuple[tuple[str, ...], ...]
    split: dict[str, np.ndarray]

    @classmethod
    def read(cls, folder: Path, encoder: FrameEncoder, cache: Path) -> Photographs:
        """Read the data set; a photograph that the archive lacks is left out."""
        captions: dict[str, list[str]] = {}
        with (folder / "Flickr8k.token.txt").open(encoding="utf-8") as file:
            for name, caption in csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
                captions.setdefault(name.split("#")[0], []).append(caption)
        with zipfile.ZipFile(folder / "images_224.zip") as archive:
            files = {Path(name).name: name for name in archive.namelist() if name.endswith(".jpg")}
            names = tuple(sorted(files.keys() & captions.keys()))
            features = _cached(
                cache / f"photographs-{encoder.fingerprint.rsplit(':', 1)[-1]}.npy",
                lambda: _photograph_features(archive, [files[name] for name in names], encoder),
            )
        position = {name: number for number, name in enumerate(names)}
        split = {}
        for part in SPLITS:
            listed = (folder / f"Flickr_8k.{part}Images.txt").read_text(encoding="utf-8").split()
            split[part] = np.array([position[name] for name in listed if name in position])
        return cls(
            names=names,
            features=torch.from_numpy(features),
            captions=tuple(tuple(captions[name]) for name in names),
            split=split,
        )


@attrs.frozen(kw_only=True, eq=False)
class Sentences:
    """Sentences that were parsed and read.

    Attributes:
        graphs: their role graphs.
        states: what the transformer says of their nodes; actions and entities end to end.
        starts: where each sentence's actions and entities begin, and where the last one's end.
    """

    graphs: tuple[RoleGraph, ...]
    states: PerLevel[Tensor]
    starts: PerLevel[np.ndarray]

    @classmethod
    def read(cls, texts: Sequence[str], encoder: SentenceTextEncoder, cache: Path) -> Sentences:
        """Parse and read; sentences that cannot be parsed keep their words and have no nodes."""
        parser = LarkParser()
        graphs = tuple(_graph(parser, text) for text in texts)
        key = hashlib.sha256("\n".join(graph.to_json() for graph in graphs).encode()).hexdigest()[:16]
        path = cache / f"sentences-{key}.npz"
        if not path.is_file():
            np.savez(path, **_read_states(graphs, encoder))
        with np.load(path) as stored:
            return cls(
                graphs=graphs,
                states=PerLevel(
                    **{level: torch.from_numpy(stored[level]) for level in ("event", "action", "entity")}
                ),
                starts=PerLevel(
                    event=np.arange(len(graphs) + 1),
                    action=stored["action_starts"],
                    entity=stored["entity_starts"],
                ),
            )

    def batch(self, which: np.ndarray, encoder: SentenceTextEncoder) -> tuple[PerLevel[Tensor], GraphBatch]:
        """Some sentences as `SentenceTextEncoder.encode` takes them."""
        batch = encoder.batch([self.graphs[number] for number in which])
        return (
            PerLevel(
                event=self.states.event[torch.from_numpy(which)],
                action=self._padded("action", which, batch.action_mask),
                entity=self._padded("entity", which, batch.entity_mask),
            ),
            batch,
        )

    def _padded(self, level: str, which: np.ndarray, mask: Tensor) -> Tensor:
        states, starts = getattr(self.states, level), getattr(self.starts, level)
        padded = torch.zeros(*mask.shape, states.shape[1])
        padded[mask] = torch.cat([states[starts[number] : starts[number + 1]] for number in which])
        return padded


def read_clip_captions(path: Path, left_out: Path) -> dict[str, list[str]]:
    """Captions of each clip, `{name: [captions]}`; clips named in another such file are left out."""
    excluded = {Path(name).stem for name in json.loads(left_out.read_text(encoding="utf-8"))}
    captions = json.loads(path.read_text(encoding="utf-8"))
    return {name: sorted(set(texts)) for name, texts in captions.items() if Path(name).stem not in excluded}


def _cached(path: Path, make: object) -> np.ndarray:
    if not path.is_file():
        np.save(path, make())
    return np.load(path)


def _photograph_features(archive: zipfile.ZipFile, files: Sequence[str], encoder: FrameEncoder) -> np.ndarray:
    features = np.empty((2, len(files), encoder.feature_dim), np.float32)
    for start in track(range(0, len(files), 32), description="photographs"):
        pictures = [Image.open(io.BytesIO(archive.read(name))) for name in files[start : start + 32]]
        batch = np.stack([np.asarray(picture.convert("RGB")) for picture in pictures])
        features[0, start : start + 32] = encoder.encode(batch)
        features[1, start : start + 32] = encoder.encode(np.ascontiguousarray(batch[:, :, ::-1]))
    return features


def _graph(parser: LarkParser, text: str) -> RoleGraph:
    try:
        return parser.parse_batch([text])[0]
    except GraphError:
        return RoleGraph(tokens=text.lower().split() or ["?"])


def _read_states(graphs: Sequence[RoleGraph], encoder: SentenceTextEncoder) -> dict[str, np.ndarray]:
    events = np.empty((len(graphs), encoder.reader.hidden_size), np.float32)
    nodes: dict[str, list[np.ndarray]] = {level: [np.empty(0)] * len(graphs) for level in ("action", "entity")}
    by_length = np.argsort([len(graph.tokens) for graph in graphs], kind="stable")
    for start in track(range(0, len(graphs), 256), description="sentences"):
        which = by_length[start : start + 256]
        batch = encoder.batch([graphs[number] for number in which])
        states = encoder.read(batch)
        events[which] = states.event.numpy()
        for row, number in enumerate(which):
            nodes["action"][number] = states.action[row][batch.action_mask[row]].numpy()
            nodes["entity"][number] = states.entity[row][batch.entity_mask[row]].numpy()
    stored = {"event": events}
    for level, arrays in nodes.items():
        stored[level] = np.concatenate(arrays)
        stored[f"{level}_starts"] = np.cumsum([0, *map(len, arrays)])
    return stored
