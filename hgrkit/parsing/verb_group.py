"""What a verb group says about its clause: main verb, form, voice, and the words inside it that get roles."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from hgrkit.parsing.chunker import Chunk
from hgrkit.parsing.lexicon import VERB_TAGS

__all__ = ["VerbGroup", "read_verb_group"]

_LEMMAS = {"BE": "be", "HAVE": "have", "DO": "do"}
_NON_FINITE = {
    "being": "gerund",
    "having": "gerund",
    "doing": "gerund",
    "been": "participle",
    "done": "participle",
}
_FORMS = {"VBZ": "finite", "VBD": "finite", "VBG": "gerund", "VBN": "participle", "VB": "base"}


@attrs.frozen(kw_only=True)
class VerbGroup:
    """A verb group, read.

    Attributes:
        main: token of the verb that names the action.
        lemma: lemma of an auxiliary used as main verb, else empty.
        form: `finite`, `infinitive`, `gerund`, `participle` or `base`.
        passive: whether the main verb is a passive participle.
        bare: whether there are auxiliaries only (a copula, or half of a question).
        inner: modals, negations and adverbs inside, as (token, tag).
    """

    main: int
    lemma: str
    form: str
    passive: bool
    bare: bool
    inner: tuple[tuple[int, str], ...]


def read_verb_group(chunk: Chunk, words: Sequence[str]) -> VerbGroup:
    """Read a chunk of kind `verb_group`."""
    tokens = list(zip(range(chunk.start, chunk.stop), chunk.tags, strict=True))
    verbs = [(token, tag) for token, tag in tokens if tag in VERB_TAGS]
    auxiliaries = [(token, tag) for token, tag in tokens if tag in _LEMMAS or tag == "MD"]
    full = [pair for pair in auxiliaries if pair[1] in _LEMMAS]
    main, tag = (verbs or full or auxiliaries or tokens)[-1]
    helpers = [pair for pair in auxiliaries if pair[0] != main]
    be_before = any(helper == "BE" for _, helper in helpers)
    return VerbGroup(
        main=main,
        lemma="" if verbs else _LEMMAS.get(tag, ""),
        form=_form(chunk, words, helpers, main, tag),
        passive=bool(verbs) and ((tag in {"VBN", "VBD"} and be_before) or (tag == "VBN" and not helpers)),
        bare=not verbs,
        inner=tuple((token, kind) for token, kind in tokens if kind in {"MD", "NEG", "INNER"} and token != main),
    )


def _form(chunk: Chunk, words: Sequence[str], helpers: Sequence[tuple[int, str]], main: int, tag: str) -> str:
    if chunk.tags[0] == "TO":
        return "infinitive"
    if helpers:
        first, kind = helpers[0]
        if kind == "MD":
            return "finite"
        return _NON_FINITE.get(words[first], "base" if words[first] == "be" else "finite")
    if tag in _FORMS:
        return _FORMS[tag]
    return _NON_FINITE.get(words[main], "base" if words[main] in {"be", "have", "do"} else "finite")
