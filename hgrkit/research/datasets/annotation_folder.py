"""Finds and reads the files that a benchmark was published as, wherever in a folder they lie."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import attrs
import numpy as np

from hgrkit.errors import BenchmarkError, MissingPathError
from hgrkit.storage import json_file

__all__ = [
    "AnnotationFolder",
    "expected_shape",
    "listed",
    "parse_lines",
    "problem",
    "read_json",
    "read_lines",
    "read_names",
]

T = TypeVar("T")
Content = TypeVar("Content", dict[str, Any], list[Any])

_SUBFOLDERS = frozenset(("annotations", "annotation", "captions", "data", "splits", "publicsplit", "ret"))
_DEPTH = 3


@attrs.frozen(kw_only=True)
class AnnotationFolder:
    """The folders that are searched for a benchmark's files, the nearest first.

    Attributes:
        benchmark: whose files they are, for messages.
        folders: the folder that the user named, and those below it that bear the data set's name or a usual one
            such as `annotations`, three levels deep.
    """

    benchmark: str
    folders: tuple[Path, ...]

    @classmethod
    def open(cls, path: Path, *, benchmark: str, names: frozenset[str]) -> AnnotationFolder:
        """Collect the folders to search; a file stands for its own folder.

        Args:
            path: the folder, its parent, or a file in it.
            benchmark: whose files are looked for.
            names: names of the data set's folder, in small letters and digits only, such as `msrvtt`.

        Raises:
            MissingPathError: if there is nothing at that path.
        """
        root = path.parent if path.is_file() else path
        if not root.is_dir():
            raise MissingPathError(
                f"there is no folder {str(path)!r}; expected the annotation files of {benchmark}."
            )
        wanted = names | _SUBFOLDERS
        found = level = [root]
        for _ in range(_DEPTH):
            level = [child for folder in level for child in _children(folder) if _plain(child.name) in wanted]
            level.sort(key=lambda child: (_plain(child.name) not in names, child))
            found = found + level
        return cls(benchmark=benchmark, folders=tuple(found))

    def find(self, *names: str) -> Path | None:
        """Find the first file of these names; an earlier name is preferred to a nearer folder."""
        candidates = (folder / name for name in names for folder in self.folders)
        return next((path for path in candidates if path.is_file()), None)

    def require(self, *names: str) -> Path:
        """Find a file as `find` does, or fail.

        Raises:
            MissingPathError: if there is no such file; the message says what was looked for, and where.
        """
        path = self.find(*names)
        if path is None:
            folders = ", ".join(map(str, self.folders))
            raise MissingPathError(f"{self.benchmark} needs {' or '.join(names)}; looked in {folders}")
        return path


def read_json(path: Path, shape: type[Content]) -> Content:
    """Read a JSON object or list.

    Raises:
        BenchmarkError: if the file holds something else.
    """
    return json_file.read_json(path, shape, error=BenchmarkError, expected="annotations of a benchmark")


@contextmanager
def expected_shape(path: Path, expected: str, part: str = "it") -> Iterator[None]:
    """Turn errors of a block that reads a file's content into one about the file's shape.

    Args:
        path: the file.
        expected: the shape that it must have.
        part: the part of it that the block reads.

    Raises:
        BenchmarkError: if it has another shape; the message says which part, and what is wrong with it.
    """
    try:
        yield
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else error
        raise BenchmarkError(f"{path} must hold {expected}; {part} does not ({reason}).") from error


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the numbers and the stripped text of the lines that are not blank.

    Raises:
        BenchmarkError: if the file is not text.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise BenchmarkError(f"{path} is not UTF-8 text: {error}.") from error
    return ((number, line.strip(" \r")) for number, line in enumerate(text.split("\n"), 1) if line.strip())


def parse_lines(path: Path, parse: Callable[[str], T]) -> tuple[list[T], list[str]]:
    """Parse every line of a file; return the results, and a problem that names the lines that failed.

    Raises:
        BenchmarkError: if the file is not text.
    """
    found, broken = [], []
    for number, line in read_lines(path):
        try:
            found.append(parse(line))
        except (AttributeError, KeyError, TypeError, ValueError):
            broken.append(str(number))
    return found, problem(f"lines of {path.name} that cannot be read", broken)


def problem(what: str, items: Iterable[str]) -> list[str]:
    """Describe items that should not be there; nothing if there are none.

    >>> problem("videos that are missing", ["b"]), problem("videos that are missing", [])
    (['videos that are missing: b'], [])
    """
    names = list(items)
    return [f"{what}: {listed(names)}"] if names else []


def listed(items: Iterable[str], limit: int = 5) -> str:
    """List the first few items, and how many more there are.

    >>> listed(["a", "b", "c"], limit=2)
    'a, b and 1 more'
    """
    names = list(items)
    more = len(names) - limit
    return ", ".join(names[:limit]) + (f" and {more:,} more" if more > 0 else "")


def read_names(path: Path) -> list[str]:
    """Read a list of videos: one a line, or a numpy array of text (`.npy`).

    Raises:
        BenchmarkError: if the file is neither.
    """
    if path.suffix != ".npy":
        return [line for _, line in read_lines(path)]
    try:
        names = np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise BenchmarkError(f"{path} is not a plain array of names: {error}.") from error
    if names.ndim != 1 or names.dtype.kind not in "US":
        raise BenchmarkError(f"{path} must hold a list of names, got {names.dtype} {list(names.shape)}.")
    return [str(name, "utf-8") if isinstance(name, bytes) else str(name) for name in names.tolist()]


def _children(folder: Path) -> list[Path]:
    try:
        return [child for child in folder.iterdir() if child.is_dir()]
    except OSError:  # a folder that cannot be listed has no files for us
        return []


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
