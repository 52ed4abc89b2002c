"""Part of the Lark parser's tagging: a clause that was left without a verb gets the word that can be its verb."""

from __future__ import annotations

from collections.abc import Sequence

from hgrkit.parsing.word_classes import is_animate

__all__ = ["restore_verbs"]

_FINITE = frozenset({"BE", "HAVE", "DO", "MD", "VBZ", "VBD", "VB"})
_NOMINAL = frozenset({"NOUN", "NOUNS"})
_OBJECT_STARTS = frozenset({"DET", "PRON"})
_STARTS = frozenset({"DET", "PRON", "PREP", "ADV", "PRT", "TO"})
_ARTICLES = frozenset({"a", "an", "the", "his", "its", "their", "my", "your", "our"})


def restore_verbs(words: Sequence[str], readings: Sequence[str], tags: Sequence[str]) -> list[str]:
    """The tags, with verbs that cannot be nouns again and with a finite verb in clauses that have none.

    The word that becomes a verb must follow a noun and stand before what follows verbs, as in "a man in black
    [swings] a sword". Clauses end at full stops, semicolons and conjunctions such as "while".

    >>> restore_verbs("a woman shops online".split(), ["DET", "NOUN", "NOUNS VBZ", "ADV"],
    ...               ["DET", "NOUN", "NOUNS", "ADV"])
    ['DET', 'NOUN', 'VBZ', 'ADV']
    """
    restored = list(tags)
    start = 0
    for position in range(len(tags) + 1):
        if position == len(tags) or tags[position] == "SUB" or words[position] in {".", ";", "!", "?", "END"}:
            _nouns_after_articles(words, restored, start, position)
            if not any(tag in _FINITE for tag in restored[start:position]):
                _restore(words, readings, restored, start, position)
            else:
                _past_or_participle(words, readings, restored, start, position)
            _coordinated(readings, restored, start, position)
            start = position + 1
    return restored


def _nouns_after_articles(words: Sequence[str], tags: list[str], start: int, stop: int) -> None:
    for position in range(start + 1, stop):
        if tags[position] in {"VB", "VBZ"}:
            article = position - 1 if tags[position - 1] != "ADJ" else position - 2
            if article >= start and words[article] in _ARTICLES:
                tags[position] = "NOUN" if tags[position] == "VB" else "NOUNS"


def _past_or_participle(
    words: Sequence[str], readings: Sequence[str], tags: list[str], start: int, stop: int
) -> None:
    """In "a man armed with a gun fires the weapon" the past form is a participle."""
    finite = [position for position in range(start, stop) if tags[position] in _FINITE]
    if len(finite) != 1 or tags[finite[0]] != "VBD" or "VBN" not in readings[finite[0]]:
        return
    for position in range(finite[0] + 1, stop):
        after = tags[position + 1] if position + 1 < stop else "END"
        sure = after in _OBJECT_STARTS or readings[position].startswith("VBZ")
        if sure and _possible_verb(words, readings, tags, position, plural=False) == "VBZ":
            tags[finite[0]], tags[position] = "VBN", "VBZ"
            return


def _coordinated(readings: Sequence[str], tags: list[str], start: int, stop: int) -> None:
    """In "she styles her hair and smiles at him" the last verb is no noun."""
    seen: set[str] = set()
    for position in range(start, stop):
        seen.add(tags[position])
        if tags[position] != "CC" or position + 1 >= stop or tags[position + 1] not in _NOMINAL:
            continue
        after = tags[position + 2] if position + 2 < stop else "END"
        reading = readings[position + 1]
        possible = reading.removesuffix("!").split()
        if "VBG" in seen and "VBG" in possible and after in _STARTS:
            tags[position + 1] = "VBG"
        elif "VBZ" in seen and "VBZ" in possible and (after in _OBJECT_STARTS or possible[0] == "VBZ"):
            tags[position + 1] = "VBZ"


def _restore(words: Sequence[str], readings: Sequence[str], tags: list[str], start: int, stop: int) -> None:
    if start + 1 < stop and "VB" in readings[start].split() and tags[start + 1] in {"DET", "PRT"}:
        tags[start] = "VB"
        return
    verbal = bool({"VBG", "VBN"} & set(tags[start:stop]))
    if not verbal and (
        _restore_participle(words, readings, tags, start, stop) or _restore_last(readings, tags, start, stop)
    ):
        return
    plural = _has_plural_subject(tags, start, stop)
    best, verb = -1, ""
    for position in range(start + 1, stop):
        found = _possible_verb(words, readings, tags, position, plural=plural)
        if found is None:
            continue
        after = tags[position + 1] if position + 1 < stop else "END"
        if after in _OBJECT_STARTS:
            best, verb = position, found
            break
        if best < 0 and (not verbal or readings[position].startswith("VB")):
            best, verb = position, found
    if best >= 0:
        tags[best] = verb


def _restore_last(readings: Sequence[str], tags: list[str], start: int, stop: int) -> bool:
    """In "running" and "a woman, then a man, dancing" the form in -ing that ends the clause is a verb."""
    last = stop - 1
    while last > start and readings[last] == "END":
        last -= 1
    if last >= start and "VBG" in readings[last] and (last == start or tags[last - 1] == "PUNCT"):
        tags[last] = "VBG"
        return True
    return False


def _restore_participle(
    words: Sequence[str], readings: Sequence[str], tags: list[str], start: int, stop: int
) -> bool:
    """In "a woman riding on a horse" the form in -ing is a verb: someone precedes it, or an object follows."""
    for position in range(start + 1, stop):
        if tags[position] not in {"NOUN", "ADJ"} or "VBG" not in readings[position]:
            continue
        after = tags[position + 1] if position + 1 < stop else "END"
        acts = is_animate(words[position - 1]) and after not in {"END", "PUNCT"}
        if acts or (tags[position - 1] in _NOMINAL and after in _OBJECT_STARTS | {"PREP"}):
            tags[position] = "VBG"
            if tags[position - 1] == "ADJ":
                tags[position - 1] = "NOUN"
            return True
    return False


def _has_plural_subject(tags: Sequence[str], start: int, stop: int) -> bool:
    first = next((position for position in range(start, stop) if tags[position] in _NOMINAL), None)
    return first is not None and (tags[first] == "NOUNS" or "CC" in tags[start:stop])


def _possible_verb(
    words: Sequence[str], readings: Sequence[str], tags: Sequence[str], position: int, *, plural: bool
) -> str | None:
    own, before = readings[position], tags[position - 1]
    after = tags[position + 1] if position + 1 < len(tags) else "END"
    last = after in {"END", "PUNCT"} and (own.startswith("VBZ") or is_animate(words[position - 1]))
    if tags[position] not in {"NOUN", "NOUNS", "ADJ"} or (after not in _STARTS and not last):
        return None
    colour = before == "ADJ" and position > 1 and tags[position - 2] in {"PREP", "VBG"} and after in _OBJECT_STARTS
    separated = before == "PUNCT" and own.startswith("VBZ")
    if before not in {"NOUN", "NOUNS", "ADV", "PRON"} and not colour and not separated:
        return None
    possible = own.removesuffix("!").split()
    bare = own.startswith("VB ") and is_animate(words[position - 1])  # "a girl sleep in a bed"
    wanted = ("VB", "VBD", "VBZ") if plural else ("VBZ", "VBD", "VB") if bare else ("VBZ", "VBD")
    found = next((tag for tag in wanted if tag in possible), None)
    dominated = own.endswith("!") and possible[0] in {"NOUN", "NOUNS", "ADJ"}
    return None if dominated and after not in _OBJECT_STARTS else found
