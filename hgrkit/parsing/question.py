"""Questions as statements, which every parser reads better: "what did I put in the bowl" as "what I put ..."."""

from __future__ import annotations

import re
from collections.abc import Sequence

import attrs

from hgrkit.graph import Role
from hgrkit.parsing.lexicon import Lexicon, candidates, is_animate
from hgrkit.parsing.query_part import QueryPart, Word, is_word, joined

__all__ = ["likely_tag", "statement"]

_ASKS = re.compile(
    r"(?P<phrase>(?:(?:in|on|at|to|from|for|with|during|under|by) )?(?:what|which|whose|how many|how much)"
    r"(?: (?!(?:is|are|was|were|do|does|did|can|will|has|have) )[^ ]+){0,4}|who|whom|where|when|why|"
    r"how(?: (?:long|often|far|fast|soon))?) (?:is|are|was|were|do|does|did|can|will|has|have)(?= )"
)
_YES_NO = re.compile(r"(?:(?:is|are|was|were) there|does|did|do|(?:is|are|was|were|has|can|will)(?=.* \?$))(?= )")
_NOUNS = frozenset({"NOUN", "NOUNS", "PRON"})
_OPENING = frozenset({"DET", "PRON", "NUM", "NOUN", "NOUNS", "ADJ", "REL"})
_PREPOSITIONS = frozenset("in on at to from for with during under by".split())
_WHEN = frozenset({"when", "long", "often", "time", "day", "year", "hour", "date", "month"})
_PROPERTIES = frozenset(
    "color colour size shape brand make model name number kind type text time temperature".split()
)
_VERB_FORMS = {"be": {"VBG", "VBN", "VBD", "DO"}, "have": {"VBN", "VBD"}, "do": {"VB"}, "modal": {"VB"}}
_AUXILIARIES = dict.fromkeys(("is", "are", "was", "were"), "be") | dict.fromkeys(("do", "does", "did"), "do")
_AUXILIARIES |= {"has": "have", "have": "have", "can": "modal", "will": "modal"}


def likely_tag(word: str) -> str:
    """A word's first tag in the lexicon."""
    return candidates(Lexicon.load().reading(word))[0]


def statement(words: Sequence[Word]) -> QueryPart:
    """Put a question as a statement; other words stay as they are.

    A question word with its noun becomes "something" or "someone" in the place that it asks for. One that asks
    for a time, a place or a manner is kept apart, as a phrase of the verb.

    >>> statement([Word(text, at, at + 1, at) for at, text in enumerate("what color is the car".split())]).text
    'the car is something'
    """
    text = joined(words)
    asks, pause = _ASKS.match(text), text.find(" , ")
    if asks is None and pause > 0 and _ASKS.match(text, pause + 3):  # "according to the sign, what is the limit?"
        count = text.count(" ", 0, pause) + 2
        asked = statement(words[count:])
        return attrs.evolve(asked, words=(*words[:count], *asked.words))
    if asks is None:
        return QueryPart(_yes_or_no(words) if _YES_NO.match(text) else words)
    after = text.count(" ", 0, asks.end())
    phrase, auxiliary, rest = words[:after], words[after], words[after + 1 :]
    if rest and likely_tag(rest[0].text) in _OPENING:
        return _inverted(phrase, auxiliary, rest)
    if phrase[0].text == "how" and len(phrase) == 1:
        return QueryPart(words)
    return QueryPart((_one_word(phrase), auxiliary, *rest))  # "how many people are sitting"


def _inverted(phrase: Sequence[Word], auxiliary: Word, rest: Sequence[Word]) -> QueryPart:
    """As in "what is the man holding", "when did he leave" and "what color is the shirt"."""
    kind = _AUXILIARIES[auxiliary.text]
    property_asked = phrase[-1].text in _PROPERTIES
    verb = None if property_asked else _main_verb(rest, kind, bare=len(phrase) == 1)
    if verb is None and kind == "be":  # what follows is said of what is asked
        said, ending = [word for word in rest if is_word(word)], [word for word in rest if not is_word(word)]
        if _is_adverbial(phrase):
            return QueryPart((*said, auxiliary, *ending), question=_whole(phrase), role="ARG2")
        return QueryPart((*said, auxiliary, _one_word(phrase), *ending))
    at = 0 if verb is None else verb
    helper = [] if kind == "do" else [auxiliary]
    stated = (*rest[:at], *helper, *rest[at:])
    if _is_adverbial(phrase):
        return QueryPart(stated, question=_whole(phrase), role=_adverbial_role(phrase))
    return QueryPart((attrs.evolve(_whole(phrase), text="what"), *stated))


def _yes_or_no(words: Sequence[Word]) -> Sequence[Word]:
    if words[1].text == "there":
        return [words[1], words[0], *words[2:]]
    kind = _AUXILIARIES[words[0].text]
    if kind == "do":
        return words[1:]
    verb = _main_verb(words[1:], kind)
    return words if verb is None else [*words[1 : verb + 1], words[0], *words[verb + 1 :]]


def _is_adverbial(phrase: Sequence[Word]) -> bool:
    first, counts = phrase[0].text, {"many", "much"} & {word.text for word in phrase[1:2]}
    return first in {"where", "when", "why"} or (first == "how" and not counts) or first in _PREPOSITIONS


def _whole(phrase: Sequence[Word]) -> Word:
    return Word(joined(phrase), phrase[0].start, phrase[-1].stop, phrase[-1].head)


def _one_word(phrase: Sequence[Word]) -> Word:
    """The phrase "which red car" as the one word "something"."""
    person = phrase[0].text in {"who", "whom"} or is_animate(phrase[-1].text)
    return attrs.evolve(_whole(phrase), text="someone" if person else "something")


def _main_verb(words: Sequence[Word], kind: str, *, bare: bool = True) -> int | None:
    """Index of the verb of "(is) the man holding", behind its subject; if `bare`, a subject may have a place."""
    for at in range(1, len(words)):
        tag = likely_tag(words[at].text)
        possible = set(Lexicon.load().reading(words[at].text).removesuffix("!").split())
        before = likely_tag(words[at - 1].text)
        if possible & _VERB_FORMS[kind] and before in _NOUNS and (tag not in _NOUNS or kind in {"do", "modal"}):
            return at
        if tag not in _OPENING and tag != "POS" and (tag != "PREP" or not bare):
            return None
    return None


def _adverbial_role(phrase: Sequence[Word]) -> Role:
    texts = {word.text for word in phrase}
    if texts & _WHEN:
        return "ARGM-TMP"
    return "ARGM-PRP" if "why" in texts else "ARGM-MNR" if "how" in texts else "ARGM-LOC"
