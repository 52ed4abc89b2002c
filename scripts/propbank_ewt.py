"""What the scripts that build the parser's tables share: PropBank EWT with its tags, and writing a table."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

__all__ = ["PARSING", "read_sentences", "tagged", "write_table"]

PARSING = Path(__file__).resolve().parents[1] / "hgrkit" / "parsing"
"""The folder of the tables."""

_AUXILIARIES = {"be": "BE", "have": "HAVE", "do": "DO"}
_BY_UPOS = {
    "NOUN": "NOUN",
    "PROPN": "NOUN",
    "PRON": "PRON",
    "DET": "DET",
    "NUM": "NUM",
    "ADJ": "ADJ",
    "ADV": "ADV",
    "ADP": "PREP",
    "SCONJ": "SUB",
    "CCONJ": "CC",
    "PUNCT": "PUNCT",
    "SYM": "PUNCT",
    "X": "NOUN",
    "INTJ": "ADV",
}
_BY_XPOS = {
    "NNS": "NOUNS",
    "NNPS": "NOUNS",
    "MD": "MD",
    "RP": "PRT",
    "POS": "POS",
    "EX": "EX",
    "WDT": "REL",
    "WP": "REL",
    "WP$": "DET",
    "WRB": "WH",
    "PRP$": "DET",
    "VB": "VB",
    "VBP": "VB",
    "VBZ": "VBZ",
    "VBD": "VBD",
    "VBN": "VBN",
    "VBG": "VBG",
}


def read_sentences(path: Path) -> Iterator[dict[str, Any]]:
    """The records of one gzipped file of JSON lines."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def write_table(name: str, lines: Iterable[str]) -> int:
    """Write a gzipped table of `PARSING`, and return its bytes; the same lines give the same bytes."""
    content = gzip.compress("".join(f"{line}\n" for line in lines).encode("utf-8"), mtime=0)
    return (PARSING / name).write_bytes(content)


def tagged(record: dict[str, Any]) -> list[tuple[str, str]]:
    """A sentence's lower-cased tokens with their tags; participles that head no clause are adjectives or nouns."""
    tree = record["tree"]
    predicates = {node["head"] for node in record["nodes"] if node["role"] == "V"}
    return [
        (token.lower(), _tag(tree, position, position in predicates))
        for position, token in enumerate(record["tokens"])
    ]


def _tag(tree: dict[str, Any], position: int, predicate: bool) -> str:
    upos, xpos = tree["upos"][position], tree["xpos"][position]
    lemma, deprel = tree["lemma"][position], tree["deprel"][position]
    verbal = xpos in {"VBN", "VBG", "VBD"}
    if upos in {"AUX", "VERB"} and lemma in _AUXILIARIES:
        tag = _AUXILIARIES[lemma]
    elif upos == "PART":
        tag = {"to": "TO", "not": "NEG"}.get(lemma, "POS" if xpos == "POS" else "ADV")
    elif deprel == "amod" and verbal and (not predicate or position < tree["head"][position]):
        tag = "ADJ"
    elif xpos == "VBG" and deprel == "compound":
        tag = "NOUN"
    else:
        tag = _BY_XPOS.get(xpos) or _BY_UPOS.get(upos, "NOUN")
    return tag
