"""Reads files of foils: lines as `hgrkit foils` writes them, and the JSON of SugarCrepe, VALSE and ViLMA."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

from hgrkit.errors import BenchmarkError, MissingPathError

__all__ = ["FoilPair", "read_foils"]

_SHAPE = '{"video", "caption", "foil", "type"}'
_VIDEO_KEYS = ("video", "video_file", "image_file", "filename", "image")
_FOIL_KEYS = ("foil", "foils", "negative_caption")
_TYPE_KEYS = ("type", "linguistic_phenomena", "kind", "category")


@attrs.frozen(kw_only=True)
class FoilPair:
    """One choice.

    Attributes:
        video: the video's name.
        caption: the right sentence.
        foil: the wrong one.
        type: what was changed; any name.
    """

    video: str
    caption: str
    foil: str
    type: str


def read_foils(path: Path) -> tuple[FoilPair, ...]:
    """Read a file of foils.

    A file of one JSON object `{id: record}` or one list of records is taken as well as one record a line. A
    record names its video `video`, `video_file`, `image_file`, `image` or `filename`, its foil `foil`, `foils` (a
    list) or `negative_caption`, and its type `type`, `linguistic_phenomena`, `kind` or `category`; without a type
    it has the name of the file.

    Raises:
        MissingPathError: if there is no such file.
        BenchmarkError: if it is not UTF-8 or not of such a shape, or holds no foil.
    """
    if not path.is_file():
        raise MissingPathError(f"there is no file {str(path)!r}; expected JSON lines of {_SHAPE}.")
    pairs = tuple(
        pair for place, record in _records(path) for pair in _pairs(record, f"{path}, {place}", path.stem)
    )
    if not pairs:
        raise BenchmarkError(f"{path} holds no foil; expected JSON lines of {_SHAPE}.")
    return pairs


def _records(path: Path) -> Iterator[tuple[str, Any]]:
    """Each record with its place in the file."""
    text = _utf8(path)
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError):
        yield from _lines(text, path)
        return
    if isinstance(whole, dict) and "caption" not in whole:
        yield from ((f"record {name!r}", record) for name, record in whole.items())
    elif isinstance(whole, list):
        yield from ((f"record {number}", record) for number, record in enumerate(whole))
    else:
        yield "line 1", whole


def _utf8(path: Path) -> str:
    content = path.read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BenchmarkError(f"{path}, line {line} is not UTF-8; save the file as UTF-8.") from error


def _lines(text: str, path: Path) -> Iterator[tuple[str, Any]]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                yield f"line {number}", json.loads(line)
            except (ValueError, RecursionError) as error:
                raise BenchmarkError(f"{path}, line {number} is not JSON: {error}") from error


def _pairs(record: object, place: str, default_type: str) -> Iterator[FoilPair]:
    """The choices of one record; several if it has several foils."""
    if not isinstance(record, dict):
        raise BenchmarkError(f"{place} must be an object of {_SHAPE}, got {type(record).__name__}.")
    video, caption = _text(record, _VIDEO_KEYS, place), _text(record, ("caption",), place)
    kind = _text(record, _TYPE_KEYS, place) if any(key in record for key in _TYPE_KEYS) else default_type
    listed = record.get("foils")
    foils = listed if isinstance(listed, list) else [_text(record, _FOIL_KEYS, place)]
    for foil in foils:
        if not isinstance(foil, str):
            raise BenchmarkError(f"{place} must have sentences for foils, got {foil!r}.")
        yield FoilPair(video=video, caption=caption, foil=foil, type=kind)


def _text(record: Mapping[str, Any], keys: tuple[str, ...], place: str) -> str:
    key = next((key for key in keys if key in record), None)
    if key is None:
        raise BenchmarkError(f"{place} has no {keys[0]!r}; expected an object of {_SHAPE}.")
    value = record[key]
    if not isinstance(value, str):
        raise BenchmarkError(f"{place} must have a string for {key!r}, got {type(value).__name__}.")
    return value
