"""Small classes of words that decide attachment and roles in the Lark parser, from `word_classes.txt`."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from importlib import resources

__all__ = ["in_class", "is_animate", "members"]


@functools.cache
def _classes() -> Mapping[str, frozenset[str]]:
    text = resources.files("hgrkit.parsing").joinpath("word_classes.txt").read_text(encoding="utf-8")
    lines = (line.partition(": ") for line in text.splitlines() if not line.startswith("# "))
    return {name: frozenset(words.split()) for name, _, words in lines}


def in_class(word: str, name: str) -> bool:
    """Whether a word is listed in a class.

    >>> in_class("walk", "manner_of_motion")
    True
    """
    return word in _classes().get(name, frozenset())


def is_animate(noun: str) -> bool:
    """Whether a noun names a person or an animal, in singular or plural."""
    animate = _classes()["animate"]
    return noun in animate or (noun.endswith("s") and (noun[:-1] in animate or noun.removesuffix("es") in animate))


def members(name: str) -> frozenset[str]:
    """All the words of a class."""
    return _classes()[name]
