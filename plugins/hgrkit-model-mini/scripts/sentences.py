"""Sentences as the transformer reads them, read once: captions, other captions of a clip, foils of a caption."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

import attrs
import numpy as np
import torch
from cache_file import cache_file, file_digest, short_digest
from indices import Indices
from rich.progress import track
from torch import Tensor

from hgrkit.graph import RoleGraph
from hgrkit.levels import PerLevel
from hgrkit.model.text.graph_batch import GraphBatch
from hgrkit.model.text.sentence_encoder import SentenceTextEncoder
from hgrkit.model.text.sentence_reader import SentenceReader
from hgrkit.parsing.lark.parser import LarkParser
from hgrkit.parsing.protocol import GraphParser
from hgrkit.research.foils.generate import FoilType, make_foils
from hgrkit.research.training.clips import read_graphs

__all__ = ["Foils", "Paraphrases", "Sentences", "read_clip_captions"]


@attrs.frozen(kw_only=True, eq=False)
class Sentences:
    """Sentences that were parsed and read.

    Attributes:
        graphs: their role graphs.
        states: what the transformer says of their nodes; actions and entities end to end.
        starts: where each sentence's actions and entities begin, and where the last one's end.
        fingerprint: changes with the graphs and with what reads them.
    """

    graphs: tuple[RoleGraph, ...]
    states: PerLevel[Tensor]
    starts: PerLevel[Indices]
    fingerprint: str

    @classmethod
    def read(
        cls, texts: Sequence[str], encoder: SentenceTextEncoder, cache: Path, *, parser: GraphParser | None = None
    ) -> Sentences:
        """Parse and read; sentences that cannot be parsed keep their words and have no nodes."""
        graphs, _ = read_graphs(parser or LarkParser(), texts)
        fingerprint = short_digest(_reader_fingerprint(encoder.reader), [graph.to_json() for graph in graphs])
        path = cache_file(cache, "sentences.npz", fingerprint)
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
                fingerprint=fingerprint,
            )

    def batch(self, which: Indices, encoder: SentenceTextEncoder) -> tuple[PerLevel[Tensor], GraphBatch]:
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

    def without_nodes(self) -> Sentences:
        """The same sentences, of which only the event level is used."""
        none = np.zeros(len(self.graphs) + 1, np.int64)
        return attrs.evolve(
            self,
            graphs=tuple(RoleGraph(tokens=graph.tokens) for graph in self.graphs),
            states=PerLevel(event=self.states.event, action=self.states.action[:0], entity=self.states.entity[:0]),
            starts=PerLevel(event=self.starts.event, action=none, entity=none),
        )

    def _padded(self, level: str, which: Indices, mask: Tensor) -> Tensor:
        states, starts = getattr(self.states, level), getattr(self.starts, level)
        padded = torch.zeros(*mask.shape, states.shape[1])
        padded[mask] = torch.cat([states[starts[number] : starts[number + 1]] for number in which])
        return padded


@attrs.frozen(kw_only=True, eq=False)
class Paraphrases:
    """Captions by the clip that they describe: two of one clip mean the same.

    Attributes:
        sentences: the captions' words, without nodes: only the event level is taught.
        clips: positions of each clip's captions, at least two.
    """

    sentences: Sentences
    clips: tuple[Indices, ...]

    @classmethod
    def of(cls, captions: Mapping[str, Sequence[str]], text: SentenceTextEncoder, cache: Path) -> Paraphrases:
        """Read the captions of each clip."""
        sentences = Sentences.read([caption for own in captions.values() for caption in own], text, cache)
        ends = np.cumsum([len(own) for own in captions.values()])
        return cls(
            sentences=sentences.without_nodes(),
            clips=tuple(part for part in np.split(np.arange(ends[-1]), ends[:-1]) if len(part) > 1),
        )

    def pairs(self, number: int, rng: np.random.Generator) -> Indices:
        """Two captions of each of that many clips, [2, B]."""
        clips = rng.permutation(len(self.clips))[:number]
        return np.array([rng.choice(self.clips[clip], 2, replace=False) for clip in clips]).T


@attrs.frozen(kw_only=True, eq=False)
class Foils:
    """Sentences that are wrong where a caption is right, or that say less of the event.

    Attributes:
        sentences: the foils.
        of: positions of a caption's foils, by the caption's position; not every caption has one.
    """

    sentences: Sentences
    of: Mapping[int, Indices]

    @classmethod
    def make(
        cls,
        captions: Mapping[str, Sequence[tuple[int, str]]],
        text: SentenceTextEncoder,
        cache: Path,
        *,
        most: Mapping[FoilType, int],
    ) -> Foils:
        """Make foils of the captions of each photograph, `(position, caption)`; at most so many of each type."""
        texts = {name: [caption for _, caption in own] for name, own in captions.items()}
        rng, made = Random(0), make_foils(texts, LarkParser(), seed=0).foils
        chosen = []
        for kind, number in most.items():
            own = [foil for foil in made if foil.type == kind]
            chosen += rng.sample(own, min(number, len(own)))
        position = {(name, text): where for name, own in captions.items() for where, text in own}
        of: dict[int, list[int]] = {}
        for number, foil in enumerate(chosen):
            of.setdefault(position[foil.video, foil.caption], []).append(number)
        return cls(
            sentences=Sentences.read([foil.foil for foil in chosen], text, cache),
            of={where: np.array(numbers) for where, numbers in of.items()},
        )

    def draw(self, captions: Indices, rng: np.random.Generator) -> tuple[Indices, Indices]:
        """Which of B captions have a foil, and one foil of each of those."""
        rows = np.array([row for row, caption in enumerate(captions) if caption in self.of], np.int64)
        return rows, np.array([rng.choice(self.of[captions[row]]) for row in rows], np.int64)


def read_clip_captions(path: Path, left_out: Path) -> dict[str, list[str]]:
    """Captions of each clip, `{name: [captions]}`; clips named in another such file are left out."""
    excluded = {Path(name).stem for name in json.loads(left_out.read_text(encoding="utf-8"))}
    captions = json.loads(path.read_text(encoding="utf-8"))
    return {name: sorted(set(texts)) for name, texts in captions.items() if Path(name).stem not in excluded}


def _reader_fingerprint(reader: SentenceReader) -> list[Any]:
    """The files of a transformer, and how much of its states is heard."""
    return [*map(file_digest, reader.files), reader.hidden_size]


def _read_states(graphs: Sequence[RoleGraph], encoder: SentenceTextEncoder) -> dict[str, Any]:
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
    stored: dict[str, Any] = {"event": events}
    for level, arrays in nodes.items():
        stored[level] = np.concatenate(arrays)
        stored[f"{level}_starts"] = np.cumsum([0, *map(len, arrays)])
    return stored
