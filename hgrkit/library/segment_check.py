"""One segment examined: whether it is, byte for byte, what the database says, and its vectors can be searched."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hgrkit.errors import DamagedLibraryError
from hgrkit.library.commit_log import SEGMENT_FOLDER, SEGMENT_NAME
from hgrkit.library.commit_record import read_logged_segment
from hgrkit.library.contents import ClipPlace
from hgrkit.library.segment import Segment, SegmentRecord
from hgrkit.storage.tensor_file import TensorFile, read_file

__all__ = ["problem_of", "segment_problem"]

_ROWS_AT_ONCE = 1 << 16


def segment_problem(
    folder: Path,
    record: SegmentRecord,
    places: Iterable[ClipPlace],
    *,
    embed_dim: int,
    format_version: int,
    found: SegmentRecord | None,
) -> str | None:
    """What is wrong with a segment that the database names; `None` if it is whole.

    Args:
        folder: the library's folder.
        record: what the database says of it.
        places: where the database's clips lie in it.
        embed_dim: D of the library.
        format_version: the layout on disk; segments of format 1 have no commit record.
        found: what was found when the file was read without the database, if it was and was whole.
    """
    path = folder / SEGMENT_FOLDER / record.file
    if not SEGMENT_NAME.fullmatch(record.file):
        return "it is no name of a segment"
    if found == record:
        return _unsound(path, places)
    try:
        Segment(path, record, embed_dim=embed_dim)
        if format_version > 1:
            read_logged_segment(path)
    except DamagedLibraryError as error:
        return problem_of(error)
    return _unsound(path, places)


def problem_of(error: Exception) -> str:
    """What an error says is wrong, without the file's name before and the advice behind it."""
    message = str(error).split(" is damaged: ", 1)[-1]
    return message.split("; run `hgrkit repair`", 1)[0].removesuffix(".")


def _unsound(path: Path, places: Iterable[ClipPlace]) -> str | None:
    """Vectors that are what was written and yet cannot be searched; whoever wrote them was not hgrkit."""
    try:
        file = TensorFile.parse(read_file(path))
        tensors = {name: _tensor(file, name) for name in ("times_s", "event", "action", "entity")}
    except (DamagedLibraryError, ValueError, LookupError, TypeError) as error:
        return problem_of(error)
    for name, tensor in tensors.items():
        for start in range(0, len(tensor), _ROWS_AT_ONCE):
            if not np.isfinite(tensor[start : start + _ROWS_AT_ONCE]).all():
                return f"its tensor {name} holds what is no finite number"
    times_s = tensors["times_s"]
    if any((np.diff(times_s[place.frames]) < 0).any() for place in places):
        return "the times of a clip's frames decrease"
    return None


def _tensor(file: TensorFile, name: str) -> npt.NDArray[Any]:
    entry = file.header[name]
    return file.tensor(name, entry["shape"], entry["dtype"])
