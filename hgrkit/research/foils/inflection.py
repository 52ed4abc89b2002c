"""Forms of verbs and nouns for a changed sentence: rules of English spelling, and lists of what is irregular."""

from __future__ import annotations

import functools
from typing import Literal

from hgrkit.parsing.lexicon import table_lines

__all__ = ["VerbForm", "inflect", "plural", "with_article"]

VerbForm = Literal["VB", "VBP", "VBZ", "VBG", "VBD", "VBN"]

_VOWELS = frozenset("aeiou")
_DOUBLED = frozenset(
    "begin forget prefer refer occur admit commit permit submit omit regret control patrol equip kidnap handicap "
    "propel compel expel rebel repel transfer confer defer deter incur unzip babysit "
    "emit upset unwrap unplug overlap backstab zigzag quiz".split()
)
_HISSING = ("s", "x", "z", "ch", "sh")
_AN_BEFORE = ("hour", "honest", "honor", "honour", "heir")
_A_BEFORE = ("uni", "use", "usu", "eu", "one", "once", "ufo", "ukulele", "urin", "utensil")


@functools.cache
def _irregular(kind: str) -> dict[str, list[str]]:
    """The rows of a table by their first word: a noun and its plural, or a verb, its past and its participle."""
    return {row[0]: row for row in map(str.split, table_lines(f"irregular_{kind}.txt", __package__))}


@functools.cache
def inflect(lemma: str, form: VerbForm) -> str:
    """Inflect a verb.

    >>> [inflect("cut", form) for form in ("VBZ", "VBG", "VBD")], inflect("carry", "VBD"), inflect("ride", "VBN")
    (['cuts', 'cutting', 'cut'], 'carried', 'ridden')
    """
    if form in ("VB", "VBP"):
        return "are" if (lemma, form) == ("be", "VBP") else lemma
    if form == "VBZ":
        return {"be": "is", "have": "has"}.get(lemma) or _with_s(lemma)
    if form == "VBG":
        return _stem(lemma, "ing") + "ing"
    irregular = _irregular("verbs").get(lemma)
    return _stem(lemma, "ed") + "ed" if irregular is None else irregular[1 if form == "VBD" else -1]


@functools.cache
def plural(noun: str) -> str:
    """Form the plural of a noun.

    >>> plural("woman"), plural("puppy"), plural("fox"), plural("fireman")
    ('women', 'puppies', 'foxes', 'firemen')
    """
    if noun in _irregular("plurals"):
        return _irregular("plurals")[noun][-1]
    if noun.endswith("man") and noun not in {"human", "german", "roman", "doberman"}:
        return noun[:-2] + "en"
    return _with_s(noun)


def with_article(word: str) -> str:
    """Choose the indefinite article that a word takes.

    >>> with_article("onion"), with_article("unicycle"), with_article("hour")
    ('an', 'a', 'an')
    """
    lowered = word.lower()
    if lowered.startswith(_AN_BEFORE):
        return "an"
    if lowered.startswith(_A_BEFORE) and not lowered.startswith(("unin", "unim", "unid")):
        return "a"
    return "an" if lowered[:1] in _VOWELS else "a"


def _with_s(word: str) -> str:
    if word.endswith(_HISSING) or word in {"go", "do", "undergo", "echo", "veto"}:
        return word + ("zes" if word == "quiz" else "es")
    if word.endswith("y") and word[-2:-1] not in _VOWELS:
        return word[:-1] + "ies"
    return word + "s"


def _stem(lemma: str, ending: str) -> str:
    """A verb before `ing` or `ed`."""
    if lemma.endswith("ie"):
        return lemma[:-2] + "y" if ending == "ing" else lemma[:-1]
    if lemma.endswith(("ee", "oe", "ye")):
        return lemma if ending == "ing" else lemma[:-1]
    if lemma.endswith("e") and len(lemma) > 2:
        return lemma[:-1]
    if lemma.endswith("y") and lemma[-2:-1] not in _VOWELS and ending == "ed":
        return lemma[:-1] + "i"
    if lemma.endswith("ic"):
        return lemma + "k"
    return lemma + lemma[-1] if _doubles(lemma) else lemma


def _doubles(lemma: str) -> bool:
    if lemma in _DOUBLED:
        return True
    if len(lemma) < 3 or lemma[-1] in "aeiouwxyh" or lemma[-2] not in _VOWELS:
        return False
    before = lemma[:-2].replace("qu", "q")
    return not any(letter in "aeiouy" for letter in before.lstrip("y"))
