"""The user's own values of videos, by which searches are filtered: how they are checked, written and read."""

# Paths are compared as absolute ones without following links, as `os.path` does it.
# ruff: noqa: PTH100

from __future__ import annotations

import csv
import json
import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path, PurePath
from typing import Any, Final

import attrs

from hgrkit.checks.arguments import plain, shown
from hgrkit.errors import ConfigError, LibraryError, MissingPathError
from hgrkit.library.filters import TAG_NAME, TAKEN_NAMES, is_utf8
from hgrkit.library.library import Library
from hgrkit.library.records import VideoRecord
from hgrkit.library.store import Rename

__all__ = [
    "MetadataLine",
    "TagReport",
    "Tags",
    "is_tag",
    "read_metadata",
    "read_tag",
    "tag_lines",
    "tag_video",
    "tag_videos",
]

Tags = Mapping[str, object]
"""By its name the value of a tag; `None` takes it away."""

_MOST_TAGS = 256
_LONGEST_TEXT = 10_000
_INTEGERS = 1 << 63

_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
"""As in JSON: `007` and `1.` are texts."""


@attrs.frozen
class MetadataLine:
    """What a file of metadata says of one video.

    Attributes:
        line: of the file, from 1.
        path: the video, as it is called there.
        tags: its values.
    """

    line: int
    path: str
    tags: Tags


@attrs.frozen(kw_only=True)
class TagReport:
    """What became of a file of metadata.

    Attributes:
        file: that was read.
        tagged: videos that have its values now.
        unknown: lines that name no video of the library, or several: number, name and reason.
    """

    file: str
    tagged: int
    unknown: tuple[tuple[int, str, str], ...]

    def to_dict(self) -> dict[str, Any]:
        """Return everything, as JSON holds it."""
        unknown = [{"line": line, "path": path, "reason": reason} for line, path, reason in self.unknown]
        return {"file": self.file, "tagged": self.tagged, "unknown": unknown}


def tag_videos(library: Library, changes: Iterable[tuple[VideoRecord, Tags]]) -> None:
    """Give videos tags, or take some away, in one commit, all or none; durable when this returns.

    Args:
        library: open for writing.
        changes: videos as the library has them, and their new values.

    Raises:
        ConfigError: if a name or a value cannot be stored, or a video would have more than 256 tags.
        LibraryError: if the library is open for reading only, or the disk fails; nothing is then changed.
    """
    found: dict[str, VideoRecord] = {}
    for record, tags in changes:
        found[record.path] = _tagged(found.get(record.path, record), tags)
    library.update(rename=[Rename(path, record) for path, record in found.items()])


def tag_video(library: Library, path: str, tags: Tags) -> None:
    """Give one video tags, or take some away; durable when this returns.

    Args:
        library: open for writing.
        path: the video, absolute or from the current folder.
        tags: whole numbers of 64 bits, other finite numbers, texts, truth values, dates (kept as ISO 8601 text),
            or `None` to take a tag away. Names are the same in capitals and small letters.

    Raises:
        LibraryError: if the library has no such video, or as `tag_videos` does.
        ConfigError: as `tag_videos` does.
    """
    record = library.video(path)
    if record is None:
        raise LibraryError(f"the library has no video {path!r}; index it first.")
    tag_videos(library, [(record, tags)])


def tag_lines(library: Library, lines: Sequence[MetadataLine], file: Path) -> TagReport:
    """Give videos the tags of a file; a line that names no video costs nothing but itself.

    Args:
        library: open for writing.
        lines: of the file. A video is named by its path, absolute, from the current folder or from that of the
            file, or by the end of it, such as its base name, if no other video's path ends so.
        file: where they were read.

    Raises:
        LibraryError: as `tag_videos` does.
    """
    records = {record.path: record for record in library.videos()}
    places = {os.path.abspath(path): path for path in records}  # earlier versions kept paths as they were typed
    by_name: dict[str, list[str]] = {}
    for path in records:
        by_name.setdefault(PurePath(path).name, []).append(path)
    changes, unknown = [], []
    for line in lines:
        named = (places.get(os.path.abspath(base / line.path)) for base in (Path(), file.parent))
        place, parts = next(filter(None, named), None), PurePath(line.path).parts
        alike = by_name.get(PurePath(line.path).name, ())
        found = [place] if place else [path for path in alike if PurePath(path).parts[-len(parts) :] == parts]
        if len(found) == 1:
            changes.append((records[found[0]], line.tags))
        else:
            reason = (
                f"{len(found)} videos are called so; give a path" if found else "the library has no such video"
            )
            unknown.append((line.line, line.path, reason))
    tag_videos(library, changes)
    return TagReport(file=str(file), tagged=len({record.path for record, _ in changes}), unknown=tuple(unknown))


def is_tag(word: str) -> bool:
    """Whether a word is a tag such as `camera=front`; a path with a `=` in it needs a folder: `./a=b.mp4`."""
    return "=" in word and word[: word.index("=")].isidentifier()


def read_tag(words: str) -> tuple[str, object]:
    """Read what is typed for a tag; numbers, `true` and `false` are what they look like, quotes make them text.

    >>> read_tag("camera=front"), read_tag("year=2026"), read_tag("lens='50'"), read_tag("camera=")
    (('camera', 'front'), ('year', 2026), ('lens', '50'), ('camera', None))
    """
    name, _, value = words.partition("=")
    return name, _value_of(value)


def read_metadata(path: Path) -> list[MetadataLine]:
    """Read a file of metadata: CSV with a header, or JSON lines with an object each; `path` names the video.

    A cell of CSV is read as `read_tag` does; an empty one says nothing. A `null` of JSON takes a tag away.

    Raises:
        MissingPathError: if there is no such file.
        ConfigError: if it is neither, or has what no tag can be.
    """
    if path.suffix.lower() not in (".csv", ".jsonl"):
        raise ConfigError(f"metadata is a file that ends in .csv or .jsonl, got {path.name!r}.")
    if not path.is_file():
        raise MissingPathError(f"there is no file {str(path)!r} to read metadata from.")
    read = _csv_rows if path.suffix.lower() == ".csv" else _json_rows
    lines = []
    number = 0
    try:
        for number, row in read(path):
            name = row.pop("path", None)
            if not isinstance(name, str) or not name:
                raise ConfigError(f"a video is named by its `path`, got {shown(name)}.")
            lines.append(MetadataLine(number, name, _checked(row)))
    except (ConfigError, ValueError, csv.Error, RecursionError) as error:
        where = f"after line {number}" if not isinstance(error, ConfigError) else f"line {number}"
        raise ConfigError(f"{path}, {where}: {error}") from error
    return lines


# values --------------------------------------------------------------------------------------------------------


def _tagged(record: VideoRecord, tags: Tags) -> VideoRecord:
    """A record with new values; a name in other letters is the same tag."""
    checked = _checked(tags)
    kept = {key: value for key, value in record.metadata.items() if key.lower() not in checked}
    values = {**kept, **{name: value for name, value in checked.items() if value is not None}}
    if len(values) > _MOST_TAGS:
        raise ConfigError(f"a video has at most {_MOST_TAGS} tags, {record.path!r} would have {len(values)}.")
    return attrs.evolve(record, metadata=values)


def _checked(tags: Tags) -> dict[str, Any]:
    """Tags by their names in lower case, with values that a filter knows.

    Raises:
        ConfigError: if a name or a value cannot be stored.
    """
    checked = {}
    for name, value in tags.items():
        if not isinstance(name, str) or TAG_NAME.fullmatch(name) is None:
            raise ConfigError(f"a tag's name consists of letters, digits and _, got {shown(name)}.")
        if name.lower() in TAKEN_NAMES:
            raise ConfigError(
                f"a tag cannot be called {name!r}, which filters have a use for; choose another name."
            )
        if name.lower() in checked:
            raise ConfigError(f"the tag {name!r} has two values; give it one.")
        checked[name.lower()] = _checked_value(name, value)
    return checked


def _checked_value(name: str, value: object) -> bool | int | float | str | None:
    value = plain(value)
    if isinstance(value, date):  # also one with a time
        value = value.isoformat()
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and -_INTEGERS <= value < _INTEGERS:
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, str) and len(value) <= _LONGEST_TEXT and "\0" not in value and is_utf8(value):
        return str(value)
    raise ConfigError(
        f"the tag {name!r} must be a number of at most 64 bits, a text of at most {_LONGEST_TEXT:,} characters in "
        f"UTF-8, True, False or None, got {shown(value)}."
    )


def _value_of(text: str) -> object:
    """The value that a text stands for; `None` for an empty one."""
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        return text[1:-1]
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    found = _NUMBER.fullmatch(text)
    if found is None:
        return text
    if found[2] or found[3]:
        return float(text) if math.isfinite(float(text)) else text
    # A longer row of digits is a name, such as a serial number, and must keep all of them.
    return int(text) if len(text) < 20 and -_INTEGERS <= int(text) < _INTEGERS else text


_WORDS: Final[Mapping[str, bool | None]] = {"true": True, "false": False, "": None}


# files ---------------------------------------------------------------------------------------------------------


def _csv_rows(path: Path) -> Iterator[tuple[int, dict[str, object]]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, strict=True)
        names = reader.fieldnames or ()
        if "path" not in names or len({*names}) < len(names):
            raise ConfigError(
                f"a CSV file begins with the names of its columns, `path` and others, got {shown(names)}."
            )
        for row in reader:
            if None in row:
                raise ConfigError(f"it has more cells than the header after line {reader.line_num - 1}.")
            values = {name: _value_of(cell) for name, cell in row.items() if cell}
            yield reader.line_num, {**values, "path": row["path"]}


def _json_rows(path: Path) -> Iterator[tuple[int, dict[str, object]]]:
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                row = json.loads(line)
                if not isinstance(row, dict):
                    raise ConfigError(f"line {number} is not a JSON object: {shown(row)}")
                yield number, row
