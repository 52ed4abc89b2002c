"""The messages between a decode worker and its owner: a line of JSON, then the raw bytes that it announces."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, BinaryIO

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.errors import HgrkitError
from hgrkit.video.preparation import FrameSize, PictureScaling

__all__ = [
    "CHUNK_BYTES",
    "CHUNK_FRAMES",
    "BrokenOffError",
    "Header",
    "ProtocolError",
    "finite",
    "one_line",
    "read_array",
    "read_bytes",
    "read_frames",
    "read_header",
    "size_of_record",
    "size_record",
    "write_message",
]

Header = dict[str, Any]
"""A message's `kind` and its fields.

Owner to worker: `hello` (once: `sys_path`, `parent`, `limits`), `video` (`path`, `frame_size`), `times` (`count`;
then that many float64; with none, no pictures are sent); or, instead of the last two, `cut` (`path`, `start_s`,
`end_s`, `exact`, `web`), `picture` (`path`, `frame_size`) or `web_play` (`path`).

Worker to owner: `ready` (once), `progress` (about once a second), `opened` (`begin_s`, `duration_s`), `frames`
(`count`, `height`, `width`; then as many float64 times and RGB pictures), and last `done` (`decoded_frames`) or
`failed` (`reason`, `lasting`, `fit`, `decoded_frames`). After `picture` nothing is `opened`. After `cut`, instead
of `frames`: `bytes` (`at`, `count`; then that many bytes of the clip) and `restart`, which discards those so far;
`done` then also has the fields of `CutClip`. After `web_play` only `done`, with the fields of `WebPlay`.
"""

CHUNK_FRAMES = 16
"""The most pictures in one message: 3.2 MB at 260 x 260."""

CHUNK_BYTES = 1 << 20
"""The most bytes of a clip in one message."""

_LONGEST_LINE = 1 << 20
_LONGEST_REASON = 1000
_LARGEST = 2.0**62  # seconds, counts and bytes are below; float and int64 hold it


class ProtocolError(HgrkitError, RuntimeError):
    """The other side sent something that is no message; never leaves `hgrkit`."""


class BrokenOffError(ProtocolError):
    """The other side ended."""


def write_message(stream: BinaryIO, header: Mapping[str, Any], *arrays: npt.NDArray[Any]) -> None:
    """Send a header and arrays.

    Args:
        stream: the pipe.
        header: what announces the arrays.
        *arrays: sent as raw bytes, in order.

    Raises:
        BrokenOffError: if the other side no longer reads.
    """
    try:
        stream.write(json.dumps(header).encode() + b"\n")
        stream.writelines(np.ascontiguousarray(array).data.cast("B") for array in arrays if array.size)
        stream.flush()
    except OSError as error:
        raise BrokenOffError("the other side no longer reads.") from error


def read_header(stream: BinaryIO) -> Header:
    """Read the next message's header.

    Raises:
        ProtocolError: if the other side ended, or the line is no header.
    """
    line = stream.readline(_LONGEST_LINE)
    if len(line) < _LONGEST_LINE and not line.endswith(b"\n"):
        raise BrokenOffError("the stream ended.")
    try:
        header = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"no header: {line[:80]!r}.") from error
    if not isinstance(header, dict) or not isinstance(header.get("kind"), str):
        raise ProtocolError(f"no header: {line[:80]!r}.")
    return header


def finite(header: Header, key: str) -> float:
    """Return a number from a header.

    Raises:
        ProtocolError: if it is no finite number, or so large that nothing here can be meant.
    """
    value = header.get(key)
    if not isinstance(value, int | float) or not -_LARGEST < value < _LARGEST:
        raise ProtocolError(f"{key} is no number below {_LARGEST:g}.")
    return value


def one_line(text: str) -> str:
    """What a worker says, which may be in a stranger's hands: a line that can be shown."""
    return "".join(character if character.isprintable() else " " for character in text[:_LONGEST_REASON])


def read_array(stream: BinaryIO, dtype: npt.DTypeLike, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """Read one array that the header announced.

    Args:
        stream: the pipe.
        dtype: the array's type.
        shape: the array's shape.

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


def size_record(frame_size: FrameSize | int) -> int | list[int] | dict[str, Any]:
    """What pictures are decoded to, as it stands in a header."""
    if isinstance(frame_size, int):
        return frame_size
    return list(frame_size) if isinstance(frame_size, tuple) else attrs.asdict(frame_size)


def size_of_record(record: Any) -> FrameSize | int:
    """Read what `size_record` wrote."""
    if isinstance(record, int):
        return record
    return PictureScaling(**record) if isinstance(record, dict) else (record[0], record[1])


def read_frames(
    stream: BinaryIO, header: Header, frame_size: tuple[int, int] | None, most_pixels: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.uint8]]:
    """Read the body of `frames`: times in seconds [B], and pictures [B, H, W, 3].

    Args:
        stream: the pipe.
        header: of kind `frames`.
        frame_size: height and width of the pictures; `None` where the header has them.
        most_pixels: of the pictures of one message, where the header has their size.

    Raises:
        ProtocolError: if the worker sends too many or too large ones, or times that are not finite.
    """
    count = int(finite(header, "count"))
    if not 0 < count <= CHUNK_FRAMES:
        raise ProtocolError(f"{count} pictures at once.")
    times_s = read_array(stream, np.float64, (count,))
    if not np.isfinite(times_s).all():
        raise ProtocolError(f"pictures at {times_s}.")
    height, width = frame_size or (int(finite(header, "height")), int(finite(header, "width")))
    if min(height, width) < 1 or (frame_size is None and count * height * width > most_pixels):
        raise ProtocolError(f"{count} pictures of {height} x {width}.")
    return times_s, read_array(stream, np.uint8, (count, height, width, 3))


def read_bytes(stream: BinaryIO, header: Header) -> tuple[int, bytes]:
    """Read the body of `bytes`, and the position in the clip where they belong.

    Raises:
        ProtocolError: if the worker sends too many, or the position is below 0.
    """
    count, at = int(finite(header, "count")), int(finite(header, "at"))
    if not 0 < count <= CHUNK_BYTES or at < 0:
        raise ProtocolError(f"{count} bytes at once.")
    return at, read_array(stream, np.uint8, (count,)).tobytes()
