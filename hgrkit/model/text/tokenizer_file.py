"""Tokenisers in `tokenizer.json`: looked at before they are loaded, since parts can be made to grow or hang."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from hgrkit.errors import CheckpointError
from hgrkit.storage.json_file import read_json

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["load_tokenizer", "rust_errors"]

_MOST_BYTES = 64 << 20  # Gemma's, the largest in use, has 34 MB
_MOST_PARTS = 32  # of a sequence; published ones have up to six
_MOST_PIECES = 16  # that are put around a text
_MOST_GROWTH = 8  # characters that stand for one

_PARTS: Mapping[str, Sequence[str]] = {
    "normalizer": "BertNormalizer Lowercase NFC NFD NFKC NFKD Nmt Prepend Replace Strip StripAccents".split(),
    "pre_tokenizer": (
        "BertPreTokenizer ByteLevel CharDelimiterSplit Digits Metaspace Punctuation Split UnicodeScripts "
        "Whitespace WhitespaceSplit"
    ).split(),
    "post_processor": "BertProcessing ByteLevel RobertaProcessing TemplateProcessing".split(),
    "model": "BPE Unigram WordLevel WordPiece".split(),
}
"""What a tokeniser may be made of, by where it stands; `Sequence` joins several. None of these calls a program."""

_UNTOLD = {"model": "BPE"}  # files of before 2021 do not tell their model's type
_SEQUENCES = {"normalizer": "normalizers", "pre_tokenizer": "pretokenizers", "post_processor": "processors"}
_PATTERNS = {
    r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+",
    r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+",
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    r"\s+",
    r"\s",
    r" {2,}",
}
"""Regular expressions of CLIP, GPT-2 and SentencePiece's kind; others could take for ever on some text."""

_WORD_CHARS = 1000  # that WordPiece takes for one word, in steps of their square

T = TypeVar("T")


def load_tokenizer(path: Path) -> Tokenizer:
    """Load a tokeniser, without padding and truncation.

    Args:
        path: a `tokenizer.json`.

    Raises:
        CheckpointError: if it cannot be read, or has parts that could hang or grow without limit.
    """
    if path.is_file() and path.stat().st_size > _MOST_BYTES:
        raise CheckpointError(
            f"{path} has {path.stat().st_size >> 20} MB; tokenisers have up to {_MOST_BYTES >> 20}."
        )
    record = read_json(path, dict, error=CheckpointError, expected="a tokeniser")
    if (problem := next(_problems(record), None)) is not None:
        raise CheckpointError(f"{path} is not used: {problem}.")
    from tokenizers import Tokenizer

    tokenizer = rust_errors(lambda: Tokenizer.from_file(str(path)), f"{path} cannot be loaded")
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def rust_errors(call: Callable[[], T], what: str) -> T:
    """Call into a library in Rust, whose panics are no `Exception`.

    Args:
        call: what is called.
        what: how the message begins.

    Raises:
        CheckpointError: if it fails.
    """
    try:
        return call()
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise CheckpointError(f"{what}: {reason[:300]}") from error


def _problems(record: Mapping[str, Any]) -> Iterator[str]:
    for place, allowed in _PARTS.items():
        parts = [*_flat(record.get(place), place)]
        if len(parts) > _MOST_PARTS:
            yield f"its {place} has more than {_MOST_PARTS} parts"
        for part in parts:
            if not isinstance(part, dict) or part.get("type", _UNTOLD.get(place)) not in allowed:
                yield f"its {place} has a part of the type {_kind(part)}, of {', '.join(allowed)}"
            elif (problem := _problem(part)) is not None:
                yield f"its {place} {problem}"


def _flat(part: Any, place: str, depth: int = 0) -> Iterator[Any]:
    """The parts of a part, which may be a sequence of sequences."""
    is_sequence = isinstance(part, dict) and part.get("type") == "Sequence" and place in _SEQUENCES
    below = part.get(_SEQUENCES[place]) if is_sequence else None
    if isinstance(below, list) and depth < _MOST_PARTS:
        for one in below:
            yield from _flat(one, place, depth + 1)
    elif part is not None:
        yield part


def _problem(part: Mapping[str, Any]) -> str | None:
    """What is wrong with one part, if anything is."""
    if (problem := _replacement_problem(part)) is not None:
        return problem
    if any(isinstance(part.get(name), list) and len(part[name]) > _MOST_PIECES for name in ("single", "pair")):
        return f"puts more than {_MOST_PIECES} pieces around a text"
    if any(_pieces(special) > _MOST_PIECES for special in _values(part.get("special_tokens"))):
        return f"has a special token of more than {_MOST_PIECES} pieces"
    longest = part.get("max_input_chars_per_word", 0)
    if not isinstance(longest, int) or longest > _WORD_CHARS:
        return f"takes words of more than {_WORD_CHARS} characters"
    return None


def _replacement_problem(part: Mapping[str, Any]) -> str | None:
    pattern = part.get("pattern")
    if isinstance(pattern, dict) and "Regex" in pattern and pattern["Regex"] not in _PATTERNS:
        return f"has the regular expression {str(pattern['Regex'])[:80]!r}, which is not one of the known ones"
    if pattern is not None and not (isinstance(pattern, dict) and set(pattern) <= {"Regex", "String"}):
        return "has a pattern that is neither text nor a regular expression"
    replaced = pattern.get("String") if pattern is not None else " "
    grown = [str(part.get(name) or "") for name in ("content", "prepend")]
    if replaced == "" or max(map(len, grown)) > max(1, len(str(replaced))) * _MOST_GROWTH:
        return f"puts more than {_MOST_GROWTH} characters in the place of one"
    return None


def _values(table: Any) -> list[Any]:
    return [*table.values()] if isinstance(table, dict) else []


def _pieces(special: Any) -> int:
    return len(special["ids"]) if isinstance(special, dict) and isinstance(special.get("ids"), list) else 0


def _kind(part: Any) -> str:
    return repr(part.get("type"))[:60] if isinstance(part, dict) else type(part).__name__
