"""Foils in which another place stands for the one where the caption's event happens."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import attrs

from hgrkit.research.foils.evidence import Evidence, word_forms
from hgrkit.research.foils.inflection import with_article
from hgrkit.research.foils.sentence import NOMINAL, Draft, Sentence
from hgrkit.research.foils.word_list import Place, places

__all__ = ["replace_scene"]

_STATIC = frozenset({"in", "on", "at", "inside", "outside", "by", "near", "beside"})
_LOOKING = frozenset(
    {"look", "stare", "gaze", "point", "bark", "shout", "yell", "glance", "aim", "smile", "throw"}
)
_PARTS = frozenset({"side", "middle", "edge", "corner", "back", "top", "front", "end", "bank", "center"})
_DETERMINERS = frozenset({"a", "an", "the"})
_PUTTING = frozenset({"put", "place", "pour", "add", "dip", "set", "lay", "get", "jump", "fall", "throw", "dive"})
_PLURALS = frozenset({"streets", "fields", "roads", "trees", "rocks", "mountains", "hills", "bushes", "stores"})
_WAYS = frozenset({"through", "into", "across", "along", "down", "up"})
_WITHOUT_STAGE = frozenset({"kitchen", "bathroom", "supermarket", "elevator", "cave", "swamp", "river", "desert"})
_VESSELS = frozenset(
    {"bowl", "pan", "pot", "skillet", "saucepan", "frying pan", "wok", "sink", "refrigerator", "oven"}
)


@attrs.frozen(kw_only=True)
class _Location:
    """A phrase that says where: its tokens, the place, its first preposition and its determiner."""

    start: int
    stop: int
    place: Place
    preposition: str
    determiner: str


def replace_scene(sentence: Sentence, evidence: Evidence, rng: Random) -> Iterator[Draft]:
    """Yield a foil if there is one place that can be replaced, drawn by the places' frequency in the captions."""
    found = [_location(sentence, at) for at in range(1, sentence.stop - 1)]
    locations = [location for location in found if location is not None]
    if len(locations) != 1:
        return
    location = locations[0]
    fitting = [place for place in places().values() if _fits(location, place, evidence)]
    if fitting:
        (place,) = rng.choices(fitting, [evidence.weight(place.noun) for place in fitting])
        yield sentence.replaced(location.start, location.stop, *_phrase(location, place))


def _location(sentence: Sentence, at: int) -> _Location | None:
    """The place that a preposition at this token begins."""
    words = sentence.words
    directions = words[at] not in _STATIC
    if directions and words[at] not in _WAYS:
        return None
    governed = sentence.tags[at - 1][0] in {"PREP", "TO", "DET", "BE"} or words[at - 1] in _PUTTING
    if governed or _is_inside_noun(sentence, at):
        return None
    noun_at = at + 1
    if words[noun_at] == "the" and not _PARTS.isdisjoint(words[noun_at + 1 : noun_at + 2]):
        if words[noun_at + 2 : noun_at + 3] != ("of",):
            return None
        noun_at += 3
    determiner = words[noun_at] if noun_at < sentence.stop and words[noun_at] in _DETERMINERS else ""
    noun_at += bool(determiner)
    stop = _noun_phrase_end(sentence, noun_at)
    place = _place(sentence, noun_at, stop)
    if place is None or (directions and place.noun in _VESSELS):
        return None
    if stop < sentence.stop and not _may_follow(sentence, stop):
        return None
    return _Location(start=at, stop=stop, place=place, preposition=words[at], determiner=determiner)


def _is_inside_noun(sentence: Sentence, at: int) -> bool:
    """Whether the preposition belongs to the words before it: `a fenced in yard`, `looks at`."""
    if sentence.words[at] == "into" and "turn" in word_forms(sentence.words[at - 1]):
        return True
    if sentence.words[at] == "at" and not _LOOKING.isdisjoint(word_forms(sentence.words[at - 1])):
        return True
    return at > 1 and sentence.tags[at - 2][0] == "DET" and sentence.tags[at - 1][0] in {"VBN", "VBD", "ADJ"}


def _noun_phrase_end(sentence: Sentence, start: int) -> int:
    """The end of at most five nouns and what describes them."""
    inside = NOMINAL | {"ADJ", "NUM", "VBG", "VBN"}
    limit = min(start + 5, sentence.stop)
    return next((at for at in range(start, limit) if sentence.tags[at][0] not in inside), max(start, limit))


def _place(sentence: Sentence, start: int, stop: int) -> Place | None:
    """The place that the last one or two words name."""
    if stop <= start:
        return None
    last = sentence.words[stop - 1]
    pair = f"{sentence.words[stop - 2]} {last}" if stop - start > 1 else ""
    return places().get(pair) or places().get(last) or (places().get(last[:-1]) if last in _PLURALS else None)


def _may_follow(sentence: Sentence, at: int) -> bool:
    tag, word = sentence.tag(at), sentence.words[at]
    return tag in {"PREP", "CC", "PUNCT", "SUB", "TO", "ADV"} and word not in {"of", "or", "full", "'s"}


def _fits(location: _Location, place: Place, evidence: Evidence) -> bool:
    """Whether a foil may name the place: elsewhere, and no caption suggests it."""
    if not place.preposition or not _elsewhere(location.place, place) or not evidence.excludes(place.near):
        return False
    return location.preposition in _STATIC or location.preposition in place.directions


def _elsewhere(here: Place, there: Place) -> bool:
    """Whether nothing can be at both places; a stage may stand nearly anywhere."""
    return there.noun in _WITHOUT_STAGE if here.zone == "any" else here.zone != there.zone


def _phrase(location: _Location, place: Place) -> list[str]:
    preposition = place.preposition if location.preposition in _STATIC else location.preposition
    determiner = "the" if location.determiner == "the" else with_article(place.noun)
    return [preposition, determiner, *place.noun.split()]
