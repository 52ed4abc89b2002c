"""First step of the Lark parser: text to lower-cased tokens, as gold captions are cut, in linear time."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hgrkit.checks.arguments import shown
from hgrkit.errors import GraphError

__all__ = ["MINUS", "check_tokens", "tokenize"]

MINUS = "\u2212"
"""Excludes the word behind it."""

_UNSEEN = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\ud800-\udfff]+"
)
_EXCLUDES = re.compile(r"(?<!\S)-(?=\"?[^\W\d_]{2})")
"""The hyphen of `football -soccer -"red car"`, as search engines take it."""

_TOKEN = re.compile(
    r"""
    n['\u2019]t\b                                                # the end of "don't"
    | ['\u2019](?:s|re|ve|ll|d|m)\b                              # other clitics
    | \w+?(?=n['\u2019]t\b)                                      # what "n't" leaves
    | can(?=not\b)
    | \d+(?:[.,]\d+)+(?:[-/&]\w+)*                          # 2.5, 1,000
    | \w+(?:[-/&]\w+)*                                      # words, with hyphens inside
    | \S                                                    # every other mark alone
    """,
    re.VERBOSE,
)


def tokenize(text: str) -> list[str]:
    """Split a text into the tokens of a role graph.

    Lower-cased; every punctuation mark is a token; hyphens, slashes and ampersands inside a word and decimal
    points are kept; clitics are split; the hyphen that excludes a word, as in "football -soccer", becomes a minus
    sign. Invisible characters (control characters, lone surrogates,
    zero-width marks) separate tokens and are left out.

    >>> tokenize("A man's dog doesn't catch the 2.5 kg frisbee-disc.")
    ['a', 'man', "'s", 'dog', 'does', "n't", 'catch', 'the', '2.5', 'kg', 'frisbee-disc', '.']

    Raises:
        GraphError: if the text is not a string or holds nothing that can be a token.
    """
    if not isinstance(text, str):
        raise GraphError(f"a sentence must be a string, got {type(text).__name__}.")
    tokens = _TOKEN.findall(_EXCLUDES.sub(MINUS, _UNSEEN.sub(" ", text)).lower())
    if not tokens:
        raise GraphError(f"nothing to parse in {shown(text)}; a sentence needs at least one visible character.")
    return tokens


def check_tokens(tokens: Sequence[str], parser: str, *, most: int) -> None:
    """Refuse a sentence that is too long or too empty for a neural parser.

    Args:
        tokens: its words.
        parser: the parser's name, for the message.
        most: words that the parser reads.

    Raises:
        GraphError: if there is no word, an empty one, or more than that.
    """
    if not tokens:
        raise GraphError("nothing to parse: expected at least one token, got none.")
    if len(tokens) > most:
        raise GraphError(
            f"a sentence of {len(tokens)} words is too long for the {parser} parser, which reads up to {most}; "
            "shorten it, or use the lark parser."
        )
    for position, token in enumerate(tokens):
        if not token.strip():
            raise GraphError(f"token {position} must be a word, got {token!r}.")
