"""Fifth step of the Lark parser: chunks to a tree of phrases and clauses, from left to right, in linear time."""

from __future__ import annotations

from collections.abc import Sequence

from hgrkit.parsing.chunker import Chunk
from hgrkit.parsing.lexicon import Lexicon
from hgrkit.parsing.noun_phrases import Adverbials, ClauseOpeners, NounPhrases
from hgrkit.parsing.sentence_state import Phrase, SentenceState, close_spans
from hgrkit.parsing.verb_phrases import VerbPhrases

__all__ = ["build_clauses"]


def build_clauses(
    words: Sequence[str], tags: Sequence[str], chunks: Sequence[Chunk], lexicon: Lexicon
) -> list[Phrase]:
    """The clauses of a sentence in order, each with its subject and what hangs on it, spans closed.

    Args:
        words: the lower-cased tokens.
        tags: their refined tags.
        chunks: the grammar's groups of them.
        lexicon: for the verbs' lemmas.
    """
    state = SentenceState(words=words, tags=tags, chunks=chunks, lexicon=lexicon)
    nouns = NounPhrases(state)
    openers = ClauseOpeners(state, nouns)
    adverbials = Adverbials(state, nouns, openers)
    handlers = {
        "noun_group": nouns.noun_group,
        "verb_group": VerbPhrases(state).verb_group,
        "preposition": adverbials.preposition,
        "adverb": adverbials.adverb,
        "CC": openers.conjunction,
        "SUB": openers.subordinator,
        "REL": openers.relative_pronoun,
        "WH": openers.question_word,
        "EX": openers.existential,
        "PUNCT": openers.punctuation,
    }
    for index, chunk in enumerate(chunks):
        handler = handlers.get(chunk.kind)
        if handler is not None and index > state.skipped:
            handler(index, chunk)
    close_spans(state.phrases)
    return state.clauses
