"""Build `hgrkit/parsing/lexicon.txt.gz`: word forms, their possible tags in order of likelihood, verb lemmas.

Forms and lemmas come from the lemminflect package (MIT; needed only here), the order of a form's tags from counts
over PropBank EWT (CC BY-SA 4.0; see `hgrkit/parsing/NOTICE`).

    python scripts/build_lexicon.py ../shared/data/srl/propbank_ewt_train.jsonl.gz
"""

from __future__ import annotations

import csv
import gzip
import io
import sys
from collections import Counter, defaultdict
from importlib import resources
from pathlib import Path

from propbank_ewt import PARSING, read_sentences, tagged, write_table

VERB_TAGS = ("VB", "VBZ", "VBD", "VBN", "VBG")
OPEN_TAGS = {"NOUN", "NOUNS", "ADJ", "ADV", *VERB_TAGS}
AUXILIARIES = {"be", "have", "do"}
MINIMUM_SHARE, MINIMUM_COUNT, DOMINANT_SHARE = 0.03, 2, 0.85
FORM_WEIGHT, LEMMA_WEIGHT = 1.0, 0.2


def inflections() -> tuple[dict[str, set[str]], dict[str, str], dict[tuple[str, str], str]]:
    """Tags of each form, verb lemma of each verb form, and the lemma that each (form, tag) belongs to."""
    tags: dict[str, set[str]] = defaultdict(set)
    lemmas: dict[str, str] = {}
    owners: dict[tuple[str, str], str] = {}
    source = resources.files("lemminflect") / "resources" / "infl_lu.csv.gz"
    rows = csv.reader(io.StringIO(gzip.decompress(source.read_bytes()).decode("utf-8")))
    for lemma, kind, *cells in rows:
        word = lemma.lower()
        for form, tag in _tagged_forms(word, kind, [cell.lower().split("/") for cell in cells]):
            tags[form].add(tag)
            owners.setdefault((form, tag), word)
            if tag in VERB_TAGS and (form not in lemmas or len(word) < len(lemmas[form])):
                lemmas[form] = word
    return tags, lemmas, owners


def _tagged_forms(word: str, kind: str, columns: list[list[str]]) -> list[tuple[str, str]]:
    if kind == "verb":
        past, participle, *others = columns
        forms = dict(
            zip(
                ("VBD", "VBN", "VBG", "VBZ"), (past, participle if any(participle) else past, *others), strict=True
            )
        )
        return [(word, "VB"), *((form, tag) for tag, column in forms.items() for form in column if form)]
    tag = {"noun": "NOUN", "adj": "ADJ", "adv": "ADV"}.get(kind)
    if tag is None:
        return []
    inflected = "NOUNS" if tag == "NOUN" else tag
    return [(word, tag), *((form, inflected) for column in columns for form in column if form not in ("", word))]


def closed_words() -> set[str]:
    """The words of `closed_classes.txt`, whose tags that file decides."""
    lines = (PARSING / "closed_classes.txt").read_text(encoding="utf-8").splitlines()
    return {word for line in lines if not line.startswith("# ") for word in line.partition(": ")[2].split()}


class Usage:
    """How often a form, and a lemma, has each tag in PropBank EWT."""

    def __init__(self, train: Path, lemmas: dict[str, str], owners: dict[tuple[str, str], str]) -> None:
        self.owners = owners
        self.occurrences: Counter[str] = Counter()
        self.by_form: dict[str, Counter[str]] = defaultdict(Counter)
        self.by_lemma: Counter[tuple[str, str]] = Counter()
        for record in read_sentences(train):
            for (word, tag), lemma in zip(tagged(record), record["tree"]["lemma"], strict=True):
                self.occurrences[word] += 1
                if tag in OPEN_TAGS:
                    self.by_form[word][tag] += 1
                    self.by_lemma[owners.get((word, tag), word), _kind(tag)] += 1
                    if tag in VERB_TAGS:
                        lemmas.setdefault(word, lemma.lower())

    def observed(self, word: str) -> set[str]:
        """The open-class tags that a form has often enough to be believed."""
        total = self.occurrences[word]
        enough = MINIMUM_COUNT if total >= 10 else 1
        return {
            tag
            for tag, count in self.by_form.get(word, Counter()).items()
            if count >= max(enough, MINIMUM_SHARE * total)
        }

    def weight(self, word: str, tag: str) -> float:
        """How much speaks for a tag: the form's own count, and a share of its lemma's."""
        own = self.by_form[word][tag] if word in self.by_form else 0
        return FORM_WEIGHT * own + LEMMA_WEIGHT * self.by_lemma[self.owners.get((word, tag), word), _kind(tag)]


def build(train: Path) -> list[str]:
    """The lexicon: one form a line, `form<TAB>tags<TAB>verb lemma`, sorted; `!` marks a dominant tag."""
    tags, lemmas, owners = inflections()
    usage = Usage(train, lemmas, owners)
    closed = closed_words()
    lines = []
    for word in sorted(tags.keys() | usage.by_form.keys()):
        possible = usage.observed(word) | (set() if word in closed else tags.get(word, set()))
        if possible & {"VBN", "VBG"} and word not in closed:
            possible = possible | {"ADJ"}
        if lemmas.get(word) in AUXILIARIES:
            possible -= set(VERB_TAGS)
        if possible and word.isprintable() and " " not in word and any(map(str.isalpha, word)):
            lines.append(_line(word, possible, usage, lemmas.get(word, "")))
    return lines


def _line(word: str, possible: set[str], usage: Usage, lemma: str) -> str:
    weights = {tag: usage.weight(word, tag) for tag in possible}
    ordered = sorted(possible, key=lambda tag: (-weights[tag], tag))
    mass = sum(weights.values())
    dominant = mass >= 3 and weights[ordered[0]] >= DOMINANT_SHARE * mass and len(ordered) > 1
    verb = lemma if possible & set(VERB_TAGS) else ""
    return "\t".join([word, " ".join(ordered) + "!" * dominant, verb]).rstrip("\t")


def _kind(tag: str) -> str:
    return "V" if tag in VERB_TAGS else tag.removesuffix("S")


def main() -> None:
    """Write the lexicon; the same inputs give the same bytes."""
    lines = build(Path(sys.argv[1]))
    write_table("lexicon.txt.gz", lines)
    sys.stdout.write(f"{len(lines)} forms\n")


if __name__ == "__main__":
    main()
