"""Foils of a set of captions: every type is tried on every caption, and what came of it is counted."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any, Literal, get_args

import attrs

from hgrkit.checks.arguments import check_captions, check_sequence, check_whole
from hgrkit.errors import ConfigError
from hgrkit.graph import RoleGraph
from hgrkit.parsing.protocol import GraphParser
from hgrkit.parsing.registry import load_parser, parse_each
from hgrkit.research.foils.admission import is_plain
from hgrkit.research.foils.evidence import Evidence, gather_evidence, word_forms
from hgrkit.research.foils.incomplete_event import incomplete_event
from hgrkit.research.foils.replace_action import replace_action
from hgrkit.research.foils.replace_person import replace_person
from hgrkit.research.foils.replace_scene import replace_scene
from hgrkit.research.foils.sentence import Draft, Sentence, read_sentence
from hgrkit.research.foils.switch_roles import switch_roles
from hgrkit.storage.atomic_file import writing

__all__ = ["FOIL_TYPES", "Foil", "FoilSet", "FoilType", "make_foils", "write_foils"]

FoilType = Literal["switch_roles", "replace_action", "replace_person", "replace_scene", "incomplete_event"]
FOIL_TYPES: tuple[FoilType, ...] = get_args(FoilType)


@attrs.frozen(kw_only=True)
class Foil:
    """One choice between two sentences.

    Attributes:
        video: the video's name, as the captions have it.
        caption: the true sentence.
        foil: the wrong one.
        type: what was changed.
        was: the words of the caption that were changed.
        now: what stands for them in the foil; empty if they were left out.
    """

    video: str
    caption: str
    foil: str
    type: FoilType
    was: str
    now: str

    def to_json(self) -> str:
        """One line of a foil file."""
        return json.dumps(attrs.asdict(self), ensure_ascii=False)


def write_foils(foils: Iterable[Foil], path: Path) -> None:
    """Write one JSON line a foil."""
    with writing(path), path.open("w", encoding="utf-8") as file:
        for foil in foils:
            file.write(foil.to_json() + "\n")


@attrs.frozen(kw_only=True)
class FoilSet:
    """What was made.

    Attributes:
        foils: video by video, caption by caption, type by type.
        captions: how many captions there were.
        refused: captions that cannot carry a foil: not plain sentences, or not read by the parser.
        without: for each type, how many captions took none.
    """

    foils: tuple[Foil, ...]
    captions: int
    refused: int
    without: Mapping[FoilType, int]

    def to_dict(self) -> dict[str, Any]:
        """The counts as plain JSON types."""
        counts = Counter(foil.type for foil in self.foils)
        return {
            "captions": self.captions,
            "refused": self.refused,
            "foils": {kind: counts[kind] for kind in self.without},
            "without": dict(self.without),
        }


_MAKERS: Mapping[FoilType, Callable[[Sentence, Evidence, Random], Iterator[Draft]]] = {
    "switch_roles": switch_roles,
    "replace_action": replace_action,
    "replace_person": replace_person,
    "replace_scene": replace_scene,
    "incomplete_event": incomplete_event,
}


def make_foils(
    captions: Mapping[str, Sequence[str]],
    parser: str | GraphParser,
    *,
    seed: int = 0,
    types: Sequence[str] = FOIL_TYPES,
    per_caption: int = 1,
) -> FoilSet:
    """Make foils; the same captions, parser and seed give the same foils of a type, whatever other types are made.

    Args:
        captions: `{video: captions}`; the captions of a video are taken to be true of it.
        parser: reads the captions.
        seed: of every choice.
        types: what may be changed.
        per_caption: the most foils of one type that a caption gets.

    Raises:
        ConfigError: if a type is unknown or given twice, none is given, or `per_caption` is less than 1.
    """
    kinds = _checked(types)
    per_caption, seed = check_whole("per_caption", per_caption), check_whole("seed", seed, least=None)
    captions, parser = check_captions("captions", captions), load_parser(parser)
    read = _read(captions, parser)
    frequency = _frequency(graph for sentences in read.values() for graph in _graphs(sentences))
    foils: list[Foil] = []
    refused, without = 0, dict.fromkeys(kinds, 0)
    for video, sentences in read.items():
        evidence = gather_evidence(_graphs(sentences), frequency)
        for place, sentence in enumerate(sentences):
            if sentence is None or not is_plain(sentence):
                refused += 1
                continue
            for kind in kinds:
                # of its own, so that a type's foils do not depend on which others are asked for
                rng = Random(f"{seed}|{video}|{place}|{kind}")  # noqa: S311
                drafts = islice(_MAKERS[kind](sentence, evidence, rng), per_caption)
                made = [
                    Foil(video=video, caption=sentence.caption, type=kind, foil=one.text, was=one.was, now=one.now)
                    for one in drafts
                ]
                without[kind] += not made
                foils += made
    return FoilSet(foils=tuple(foils), captions=sum(map(len, read.values())), refused=refused, without=without)


def _checked(types: Sequence[str]) -> list[FoilType]:
    types = check_sequence("types", types, str, of=f"types, some of {', '.join(FOIL_TYPES)}")
    kinds = [kind for name in types for kind in FOIL_TYPES if kind == name]
    if not kinds or len(set(kinds)) < len(types):
        raise ConfigError(
            f"types must be some of {', '.join(FOIL_TYPES)}, each once; got {', '.join(types) or 'none'}."
        )
    return kinds


def _read(captions: Mapping[str, Sequence[str]], parser: GraphParser) -> dict[str, list[Sentence | None]]:
    """The sentences of each video; `None` for one that the parser cannot read."""
    texts = [text for own in captions.values() for text in own]
    sentences = (
        read_sentence(text, graph) if isinstance(graph, RoleGraph) else None
        for text, graph in zip(texts, parse_each(parser, texts), strict=True)
    )
    return {video: list(islice(sentences, len(own))) for video, own in captions.items()}


def _graphs(sentences: Iterable[Sentence | None]) -> list[RoleGraph]:
    return [sentence.graph for sentence in sentences if sentence is not None]


def _frequency(graphs: Iterable[RoleGraph]) -> Mapping[str, int]:
    """How often each word occurs in the captions, under all its plainer forms."""
    frequency: Counter[str] = Counter()
    for word, count in Counter(token.lower() for graph in graphs for token in graph.tokens).items():
        for form in word_forms(word):
            frequency[form] += count
    return frequency
