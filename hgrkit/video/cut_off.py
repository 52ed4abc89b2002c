"""Whether a file stops before it should: what containers say of their size, where time stamps do not tell."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO

__all__ = ["is_cut_off"]

_HEAD_BYTES = 1 << 14
_TAIL_BYTES = 1 << 20
_TS_BYTES, _TS_SYNC, _TS_CHAIN = 188, 0x47, 5
_TS_SPACINGS = (188, 192, 204)  # plain, with a time stamp before each packet, with error correction behind it


def is_cut_off(path: str, container: str) -> bool:
    """Whether a file's own structure shows that bytes are missing at its end.

    Args:
        path: the file.
        container: FFmpeg's name of its format. `False` is all that can be known of formats without such structure,
            and of a file that was cut where one of its packets ends.
    """
    check = _CHECKS.get(container)
    if check is None:
        return False
    with Path(path).open("rb") as file:
        return check(file, os.fstat(file.fileno()).st_size)


def _matroska(file: BinaryIO, size: int) -> bool:
    """Whether the segment is smaller than it says (RFC 8794, sections 4 to 6; RFC 9559, 5.1)."""
    head = file.read(_HEAD_BYTES)
    at = head.find(bytes.fromhex("18538067"))  # the segment's id, then its size
    if at < 0 or len(head) < at + 12 or not head[at + 4]:
        return False
    num_bytes = 9 - head[at + 4].bit_length()
    size_at = at + 4
    stated_bytes = int.from_bytes(head[size_at : size_at + num_bytes], "big") & ((1 << 7 * num_bytes) - 1)
    is_unknown = stated_bytes == (1 << 7 * num_bytes) - 1  # as live recordings have it
    return not is_unknown and size < size_at + num_bytes + stated_bytes


def _asf(file: BinaryIO, size: int) -> bool:
    """Whether the file is smaller than its file properties object says (ASF specification, section 3.2)."""
    head = file.read(_HEAD_BYTES)
    at = head.find(bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365"))
    if at < 0 or len(head) < at + 92:
        return False
    stated_bytes = int.from_bytes(head[at + 40 : at + 48], "little")
    is_broadcast = head[at + 88] & 1
    return not is_broadcast and size < stated_bytes


def _gif(file: BinaryIO, _: int) -> bool:
    """Whether the blocks end before the trailer (GIF89a specification, sections 17 to 27)."""
    head = file.read(13)
    if len(head) < 13:
        return True
    file.seek(_colour_table_bytes(head[10]), os.SEEK_CUR)
    while kind := file.read(1):
        if kind == b"\x3b":  # the trailer
            return False
        if kind == b"\x21":  # an extension: a label, then data
            file.seek(1, os.SEEK_CUR)
        elif kind == b"\x2c":  # a picture: its place, its colours, the width of its codes, then data
            descriptor = file.read(9)
            file.seek(1 + _colour_table_bytes(descriptor[-1] if len(descriptor) == 9 else 0), os.SEEK_CUR)
        else:
            return False
        while length := file.read(1):
            if length == b"\x00":
                break
            file.seek(length[0], os.SEEK_CUR)
    return True


def _colour_table_bytes(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _transport_stream(file: BinaryIO, size: int) -> bool:
    """Whether the last packet is shorter than its 188 bytes (ISO/IEC 13818-1, section 2.4.3.2).

    Packets are told by the bytes that begin them, counted from the end, so that bytes that were lost in the middle
    do not matter.
    """
    tail = _tail(file, size)
    for spacing in _TS_SPACINGS:
        for begin in range(len(tail) - 1, len(tail) - 1 - 2 * spacing, -1):
            chain = range(begin, begin - _TS_CHAIN * spacing, -spacing)
            if chain[-1] >= 0 and all(tail[at] == _TS_SYNC for at in chain):
                return begin + _TS_BYTES > len(tail)
    return False


def _program_stream(file: BinaryIO, size: int) -> bool:
    """Whether the last pack holds a packet that states more bytes than there are (ISO/IEC 13818-1, 2.5)."""
    tail = _tail(file, size)
    begin = tail.find(b"\x00\x00\x01\xba")
    while begin >= 0:
        at = _end_of_packets(tail, begin)
        if at is not None:
            return at > len(tail)
        begin = tail.find(b"\x00\x00\x01\xba", begin + 4)
    return False


def _end_of_packets(data: bytes, at: int) -> int | None:
    """Where the packets from a pack header on end, beyond the data if they are cut; `None` if they break off."""
    while at < len(data):
        code = data[at : at + 4]
        if not b"\x00\x00\x01".startswith(code[:3]):
            return None
        if len(code) < 4:
            return len(data) + 1
        if code[3] == 0xB9:  # the end
            at += 4
        elif code[3] == 0xBA:
            at += _pack_header_bytes(data[at : at + 14])
        elif code[3] > 0xBA:
            at += 6 + int.from_bytes(data[at + 4 : at + 6], "big")
        else:
            return None
    return at


def _pack_header_bytes(header: bytes) -> int:
    """14 bytes and stuffing in MPEG-2, 12 bytes in MPEG-1."""
    if len(header) > 4 and header[4] & 0xC0 != 0x40:
        return 12
    return 14 + (header[13] & 7 if len(header) == 14 else 0)


def _tail(file: BinaryIO, size: int) -> bytes:
    file.seek(max(0, size - _TAIL_BYTES))
    return file.read(_TAIL_BYTES)


_CHECKS: Mapping[str, Callable[[BinaryIO, int], bool]] = {
    "asf": _asf,
    "gif": _gif,
    "matroska,webm": _matroska,
    "mpeg": _program_stream,
    "mpegts": _transport_stream,
}
