"""Makes the foils of a set of captions: every type is tried on every caption, and what came of it is counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from random import Random

import attrs

from hgrkit.arguments import check_captions, check_sequence, check_whole
from hgrkit.errors import ConfigError
from hgrkit.graph import RoleGraph
from hgrkit.parsing.protocol import GraphParser
from hgrkit.parsing.registry import load_parser, parse_each
from hgrkit.research.foils.admission import is_plain
from hgrkit.research.foils.evidence import Evidence, gather_evidence, word_forms
from hgrkit.research.foils.foil import FOIL_TYPES, Draft, Foil, FoilType
from hgrkit.research.foils.incomplete_event import incomplete_event
from hgrkit.research.foils.replace_action import replace_action
from hgrkit.research.foils.replace_person import replace_person
from hgrkit.research.foils.replace_scene import replace_scene
from hgrkit.research.foils.sentence import Sentence, read_sentence
from hgrkit.research.foils.switch_roles import switch_roles

__all__ = ["FoilSet", "make_foils"]


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

    def to_dict(self) -> dict[str, object]:
        """Counts, for people and for JSON."""
        counts = Counter(foil.type for foil in self.foils)
        return {
            "captions": self.captions,
            "refused": self.refused,
            "foils": {kind: counts[kind] for kind in self.without},
            "without": dict(self.without),
        }


Make = Callable[[Sentence, Evidence, Random, Mapping[str, int]], Iterator[Draft]]

_MAKERS: Mapping[FoilType, Make] = {
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
    """Make foils; the same captions, parser and seed give the same foils, whichever types are asked for.

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
        evidence = gather_evidence(_graphs(sentences))
        for place, sentence in enumerate(sentences):
            if sentence is None or not is_plain(sentence):
                refused += 1
                continue
            for kind in kinds:
                random = Random(f"{seed}|{video}|{place}|{kind}")  # noqa: S311
                drafts = islice(_MAKERS[kind](sentence, evidence, random, frequency), per_caption)
                made = [_foil(video, sentence.caption, draft, kind) for draft in drafts]
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


def _foil(video: str, caption: str, draft: Draft, kind: FoilType) -> Foil:
    return Foil(video=video, caption=caption, foil=draft.text, type=kind, was=draft.was, now=draft.now)
