"""Build `hgrkit/parsing/lexicon.txt.gz`: word forms, their possible tags in order of likelihood, verb lemmas.

Forms and lemmas come from the lemminflect package (MIT; needed only here), the order of a form's tags from counts over
PropBank EWT (CC BY-SA 4.0; see `hgrkit/parsing/NOTICE`).

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

from propbank_ewt import read_sentences, tagged

PACKAGE = Path(__file__).resolve().parents[1] / "hgrkit" / "parsing"
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
    lines = (PACKAGE / "closed_classes.txt").read_text(encoding="utf-8").splitlines()
    return {word for line in lines if not line.startswith("# ") for word in line.partition(": ")[2].split()}


def build(train: Path) -> str:
    """The lexicon's text: one form a line, `form<TAB>tags<TAB>verb lemma`, sorted; `!` marks a dominant tag."""
    tags, lemmas, owners = inflections()
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    occurrences: Counter[str] = Counter()
    for record in read_sentences(train):
        for (word, tag), lemma in zip(tagged(record), record["tree"]["lemma"], strict=True):
            occurrences[word] += 1
            if tag in OPEN_TAGS:
                counts[word][tag] += 1
                if tag in VERB_TAGS:
                    lemmas.setdefault(word, lemma.lower())
    by_lemma: dict[tuple[str, str], float] = Counter()
    for word, seen in counts.items():
        for tag, count in seen.items():
            by_lemma[owners.get((word, tag), word), _kind(tag)] += count
    closed = closed_words()
    lines = []
    for word in sorted(tags.keys() | counts.keys()):
        if not word.isprintable() or " " in word or not any(map(str.isalpha, word)):
            continue
        seen = counts.get(word, Counter())
        total = occurrences[word]
        observed = {
            tag
            for tag, count in seen.items()
            if count >= MINIMUM_SHARE * total and (count >= MINIMUM_COUNT or total < 10)
        }
        possible = observed if word in closed else tags.get(word, set()) | observed
        if lemmas.get(word) in AUXILIARIES:
            possible = possible - set(VERB_TAGS)
        if possible & {"VBN", "VBG"} and word not in closed:
            possible = possible | {"ADJ"}
        if not possible:
            continue
        weight = {
            tag: FORM_WEIGHT * seen[tag]
            + LEMMA_WEIGHT * by_lemma.get((owners.get((word, tag), word), _kind(tag)), 0)
            for tag in possible
        }
        ordered = sorted(possible, key=lambda tag: (-weight[tag], tag))
        mass = sum(weight.values())
        dominant = mass >= 3 and weight[ordered[0]] >= DOMINANT_SHARE * mass and len(ordered) > 1
        lemma = lemmas.get(word, "") if set(ordered) & set(VERB_TAGS) else ""
        lines.append("\t".join([word, " ".join(ordered) + "!" * dominant, lemma]).rstrip("\t"))
    return "\n".join(lines) + "\n"


def _kind(tag: str) -> str:
    return "V" if tag in VERB_TAGS else tag.removesuffix("S")


def main() -> None:
    """Write the lexicon; the same inputs give the same bytes."""
    text = build(Path(sys.argv[1]))
    (PACKAGE / "lexicon.txt.gz").write_bytes(gzip.compress(text.encode("utf-8"), mtime=0))
    sys.stdout.write(f"{text.count(chr(10))} forms\n")


if __name__ == "__main__":
    main()
