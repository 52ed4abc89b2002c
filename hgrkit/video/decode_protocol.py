"""What a decode worker and its owner say to each other: a line of JSON, then the raw bytes that it announces."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from hgrkit.errors import HgrkitError

__all__ = [
    "CHUNK_BYTES",
    "CHUNK_FRAMES",
    "BrokenOffError",
    "Header",
    "ProtocolError",
    "finite",
    "read_array",
    "read_header",
    "write_message",
]

Header = dict[str, Any]
"""A message's `kind` and what belongs to it.

Owner to worker: `hello` (once: `sys_path`, `parent`, `limits`), `video` (`path`, `frame_size`), `times` (`count`;
then that many float64, none to be spared the pictures); or, instead of the last two, `cut` (`path`, `start_s`,
`end_s`, `exact`).

Worker to owner: `ready` (once), `progress` (about once a second), `opened` (`begin_s`, `duration_s`), `frames`
(`count`; then as many float64 times and RGB pictures), and last `done` (`decoded_frames`) or `failed` (`reason`,
`lasting`, `fit`, `decoded_frames`). After `cut`, instead of `frames`: `bytes` (`at`, `count`; then that many bytes
of the clip) and `restart`, where those so far are to be forgotten; `done` then has what `CutClip` has.
"""

CHUNK_FRAMES = 16
"""The most pictures in one message: 3.2 MB at 260 x 260."""

CHUNK_BYTES = 1 << 20
"""The most bytes of a clip in one message."""

_LONGEST_LINE = 1 << 20


class ProtocolError(HgrkitError, RuntimeError):
    """The other side said what is no message; never leaves `hgrkit`."""


class BrokenOffError(ProtocolError):
    """The other side ended."""


def write_message(stream: BinaryIO, header: Mapping[str, Any], *arrays: npt.NDArray[Any]) -> None:
    """Send a header and arrays.

    Raises:
        BrokenOffError: if nobody reads.
    """
    try:
        stream.write(json.dumps(header).encode() + b"\n")
        stream.writelines(np.ascontiguousarray(array).data.cast("B") for array in arrays if array.size)
        stream.flush()
    except OSError as error:
        raise BrokenOffError("nobody reads.") from error


def read_header(stream: BinaryIO) -> Header:
    """The next message's header.

    Raises:
        ProtocolError: if the other side ended, or the line is none.
    """
    line = stream.readline(_LONGEST_LINE)
    if len(line) < _LONGEST_LINE and not line.endswith(b"\n"):
        raise BrokenOffError("the stream ended.")
    try:
        header = json.loads(line)
    except ValueError as error:
        raise ProtocolError(f"no header: {line[:80]!r}.") from error
    if not isinstance(header, dict) or not isinstance(header.get("kind"), str):
        raise ProtocolError(f"no header: {line[:80]!r}.")
    return header


def finite(header: Header, key: str) -> float:
    """A number in a header.

    Raises:
        ProtocolError: if there is none.
    """
    value = header.get(key)
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise ProtocolError(f"{key} is {value!r}.")
    return value


def read_array(stream: BinaryIO, dtype: npt.DTypeLike, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """One array that the header announced.

    Raises:
        BrokenOffError: if the other side ended.
    """
    array = np.empty(shape, dtype)
    if array.size:
        view = array.data.cast("B")
        filled = 0
        while filled < len(view):
            count = stream.readinto(view[filled:])  # type: ignore[attr-defined]
            if not count:
                raise BrokenOffError("the stream ended.")
            filled += count
    return array
