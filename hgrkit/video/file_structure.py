"""Reads from a file's structure what time stamps do not show: whether it is cut off or holds several films."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from typing import BinaryIO

from hgrkit.video.given_file import VideoPath, opened

__all__ = ["SEVERAL_RECORDINGS", "count_avi_chunks", "holds_several_recordings", "is_cut_off"]

SEVERAL_RECORDINGS = (
    "the file holds several recordings end to end that cannot be read as one; put each into a file of its own"
)
"""Why files of which `holds_several_recordings` is true are refused."""

Check = Callable[[BinaryIO, int], bool]
"""Takes an open file and its size in bytes."""

# How much of a file is searched for headers at its beginning, and for packets at its end.
_HEAD_BYTES = 1 << 14
_TAIL_BYTES = 1 << 20
_ASF_HEADER = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_AVI_DEPTH = 3  # file, list of the movie, list of a record
_EBML, _EBML_ID = b"\x1a\x45\xdf\xa3", 4  # the mark of a header; the most bytes of a mark
_MATROSKA_SEGMENT = bytes.fromhex("18538067")  # its id, which its size follows
_FLV_HEADER, _FLV_TAG, _FLV_BACK = 9, 11, 4
_MXF_HEADER = bytes.fromhex("060e2b34020501010d0102010102")
_OGG_HEADER = 27
_TS_BYTES, _TS_SYNC, _TS_CHAIN = 188, 0x47, 5
_TS_PROGRAMS = re.compile(rb"\x47[\x40\x60]\x00[\x10-\x1f]\x00\x00([\xb0-\xbf].)", re.DOTALL)  # to its length
_TS_TABLE_HEAD, _TS_CHECKSUM = 5, 4
_TS_SPACINGS = (188, 192, 204)  # plain, with a time stamp before each packet, with error correction behind it


def is_cut_off(path: VideoPath, container: str) -> bool:
    """Whether a file's own structure shows that bytes are missing at its end.

    False for formats without such structure, and for a file that was cut where one of its packets ends.

    Args:
        path: the file.
        container: FFmpeg's name of its format.
    """
    return _passes(_CUT_OFF, path, container)


def holds_several_recordings(path: VideoPath, container: str) -> bool:
    """Whether other recordings follow the one that FFmpeg reads, as `cat` and some recorders leave them.

    Those of MPEG, AVI, DV and GIF files, and of TS files by the same numbers, are read one after the other.

    Args:
        path: the file.
        container: FFmpeg's name of its format.
    """
    return _passes(_SEVERAL, path, container)


def _passes(checks: Mapping[str, Check], path: VideoPath, container: str) -> bool:
    check = checks.get(container)
    if check is None:
        return False
    with opened(path) as file:
        return check(file, os.fstat(file.fileno()).st_size)


def count_avi_chunks(path: VideoPath, stream: int) -> int:
    """Count the chunks of one stream of an AVI file, the empty ones included (AVI RIFF file reference)."""
    with opened(path) as file:
        size = os.fstat(file.fileno()).st_size
        number = b"%02d" % stream
        return sum(name[:2] == number and name[2:] in (b"dc", b"db") for name in _avi_chunks(file, 0, size))


def _avi_chunks(file: BinaryIO, at: int, end: int, depth: int = 0) -> Iterator[bytes]:
    """Yield the names of the chunks that are whole, also of those in lists of pictures and sound."""
    while at + 8 <= end and depth <= _AVI_DEPTH:
        file.seek(at)
        head = file.read(12)
        length = int.from_bytes(head[4:8], "little")
        if head[:4] == b"RIFF" or (head[:4] == b"LIST" and head[8:12] in (b"movi", b"rec ")):
            yield from _avi_chunks(file, at + 12, min(end, at + 8 + length), depth + 1)
        elif at + 8 + length <= end:
            yield head[:4]
        at += 8 + length + length % 2


def _several_movies(file: BinaryIO, size: int) -> bool:
    """Whether more than one file begins (`ftyp`) or is described (`moov`); FFmpeg plays only the first.

    ISO/IEC 14496-12, sections 4.3 and 8.2.1. A box that exceeds the file is other data that follows it.
    """
    begun, movies, at = 0, 0, 0
    while at + 8 <= size:
        file.seek(at)
        head = file.read(16)
        length = int.from_bytes(head[:4], "big")
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        if length < 8 or at + length > size:  # 0: the last box
            break
        begun += head[4:8] == b"ftyp"
        movies += head[4:8] == b"moov"
        at += length
    return max(begun, movies) > 1


def _several_asf(file: BinaryIO, size: int) -> bool:
    """Whether a second header follows where the first one says that the file ends (ASF specification, 3.1)."""
    stated_bytes = _asf_bytes(file)
    if stated_bytes is None or stated_bytes >= size:
        return False
    file.seek(stated_bytes)
    return file.read(len(_ASF_HEADER)) == _ASF_HEADER


def _several_flv(file: BinaryIO, size: int) -> bool:
    """Whether a second header stands where a tag should (FLV specification, E.2 to E.4)."""
    at = _FLV_HEADER + _FLV_BACK
    while at + _FLV_TAG <= size:
        file.seek(at)
        tag = file.read(_FLV_TAG)
        if tag[0] & 0x1F not in (8, 9, 18):  # sound, pictures, data
            return tag.startswith(b"FLV\x01")
        at += _FLV_TAG + int.from_bytes(tag[1:4], "big") + _FLV_BACK
    return False


def _several_matroska(file: BinaryIO, size: int) -> bool:
    """Whether a second EBML header follows (RFC 8794, section 11.2); FFmpeg mistakes its streams.

    A live recording does not state the size of its segment and clusters; their content is read element by element.
    """
    at, begun = 0, False
    while at < size:
        file.seek(at)
        head = file.read(12)
        if head.startswith(_EBML) and begun:
            return True
        begun = True
        id_bytes = 9 - head[0].bit_length()
        length_bytes = 9 - head[id_bytes].bit_length() if id_bytes <= _EBML_ID and len(head) > id_bytes else 9
        if length_bytes > 8:  # junk
            break
        length = _ebml_length(head[id_bytes : id_bytes + length_bytes])
        at += id_bytes + length_bytes + (length or 0)
    return False


def _ebml_length(data: bytes) -> int | None:
    """Return the size of an element (RFC 8794, section 6); `None` if it is unknown, as in live recordings."""
    bits = 7 * len(data)
    length = int.from_bytes(data, "big") & ((1 << bits) - 1)
    return None if length == (1 << bits) - 1 else length


def _several_ogg(file: BinaryIO, size: int) -> bool:
    """Whether a stream begins behind pages of data: a chained file (RFC 3533, sections 4 and 6)."""
    at, begun = 0, False
    while at + _OGG_HEADER <= size:
        file.seek(at)
        head = file.read(_OGG_HEADER + 255)
        if not head.startswith(b"OggS"):
            break
        begins = bool(head[5] & 2)
        if begins and begun:
            return True
        begun |= not begins
        at += _ogg_page_bytes(head)
    return False


def _ogg_page_bytes(head: bytes) -> int:
    segments = head[_OGG_HEADER - 1] if len(head) >= _OGG_HEADER else 0
    return _OGG_HEADER + segments + sum(head[_OGG_HEADER : _OGG_HEADER + segments])


def _several_mxf(file: BinaryIO, size: int) -> bool:
    """Whether a second header partition follows (SMPTE ST 377-1, sections 6.3 and 7.2)."""
    headers, at = 0, 0
    while at + 17 <= size:
        file.seek(at)
        head = file.read(26)
        headers += head.startswith(_MXF_HEADER)
        size_bytes = head[16] & 0x7F if head[16] & 0x80 else 0
        length = int.from_bytes(head[17 : 17 + size_bytes], "big") if size_bytes else head[16]
        at += 17 + size_bytes + length
    return headers > 1


def _several_programs(file: BinaryIO, size: int) -> bool:
    """Whether a transport stream ends with other programs than it begins with (ISO/IEC 13818-1, 2.4.4.3).

    Pictures of the same program under another number are recognised by the order of packets.
    """
    first, last = _programs(file.read(_TAIL_BYTES)), _programs(_tail(file, size))
    return bool(first and last) and not first[0] & last[-1]


def _programs(data: bytes) -> list[set[bytes]]:
    """Return the programs, with the packets that describe them, of each association table."""
    tables = []
    for match in _TS_PROGRAMS.finditer(data):
        end = match.end() + int.from_bytes(match[1], "big") % (1 << 12) - _TS_CHECKSUM
        entries = data[match.end() + _TS_TABLE_HEAD : end]
        tables.append({entries[at : at + 4] for at in range(0, len(entries) - 3, 4) if any(entries[at : at + 2])})
    return [table for table in tables if table]


def _cut_dv(file: BinaryIO, size: int) -> bool:
    """Whether the last frame is not whole: they are all of one length (IEC 61834-2: 120,000 or 144,000 bytes)."""
    is_625_50 = (file.read(4) + bytes(4))[3] & 0x80
    return size % (144_000 if is_625_50 else 120_000) != 0


def _cut_ogg(file: BinaryIO, size: int) -> bool:
    """Whether the last page is longer than the bytes that are left (RFC 3533, section 6)."""
    tail = _tail(file, size)
    at = tail.rfind(b"OggS")
    return at >= 0 and at + _ogg_page_bytes(tail[at : at + _OGG_HEADER + 255]) > len(tail)


def _cut_matroska(file: BinaryIO, size: int) -> bool:
    """Whether the segment is smaller than it says (RFC 8794, sections 4 to 6; RFC 9559, 5.1)."""
    head = file.read(_HEAD_BYTES)
    at = head.find(_MATROSKA_SEGMENT) + len(_MATROSKA_SEGMENT)
    if at < len(_MATROSKA_SEGMENT) or len(head) < at + 8 or not head[at]:
        return False
    end = at + 9 - head[at].bit_length()
    stated_bytes = _ebml_length(head[at:end])
    return stated_bytes is not None and size < end + stated_bytes


def _cut_asf(file: BinaryIO, size: int) -> bool:
    """Whether the file is smaller than it says."""
    stated_bytes = _asf_bytes(file)
    return stated_bytes is not None and size < stated_bytes


def _asf_bytes(file: BinaryIO) -> int | None:
    """Return the size in the file properties object (ASF specification, section 3.2); `None` if it is unknown."""
    head = file.read(_HEAD_BYTES)
    at = head.find(_ASF_PROPERTIES)
    if at < 0 or len(head) < at + 92:
        return None
    is_broadcast = head[at + 88] & 1
    return None if is_broadcast else int.from_bytes(head[at + 40 : at + 48], "little")


def _cut_gif(file: BinaryIO, _: int) -> bool:
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


def _cut_transport_stream(file: BinaryIO, size: int) -> bool:
    """Whether the last packet is shorter than its 188 bytes (ISO/IEC 13818-1, section 2.4.3.2).

    Packets are recognised by the bytes that begin them, counted from the end, so that bytes that were lost in the
    middle do not matter.
    """
    tail = _tail(file, size)
    for spacing in _TS_SPACINGS:
        for begin in range(len(tail) - 1, len(tail) - 1 - 2 * spacing, -1):
            chain = range(begin, begin - _TS_CHAIN * spacing, -spacing)
            if chain[-1] >= 0 and all(tail[at] == _TS_SYNC for at in chain):
                return begin + _TS_BYTES > len(tail)
    return False


def _cut_program_stream(file: BinaryIO, size: int) -> bool:
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
    """Return where the packets after a pack header end, beyond the data if cut; `None` if they break off."""
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
    """Return its length: 14 bytes and stuffing in MPEG-2, 12 bytes in MPEG-1."""
    if len(header) > 4 and header[4] & 0xC0 != 0x40:
        return 12
    return 14 + (header[13] & 7 if len(header) == 14 else 0)


def _tail(file: BinaryIO, size: int) -> bytes:
    file.seek(max(0, size - _TAIL_BYTES))
    return file.read(_TAIL_BYTES)


_CUT_OFF: Mapping[str, Check] = {
    "asf": _cut_asf,
    "dv": _cut_dv,
    "gif": _cut_gif,
    "matroska,webm": _cut_matroska,
    "mpeg": _cut_program_stream,
    "mpegts": _cut_transport_stream,
    "ogg": _cut_ogg,
}
_SEVERAL: Mapping[str, Check] = {
    "asf": _several_asf,
    "flv": _several_flv,
    "matroska,webm": _several_matroska,
    "mov,mp4,m4a,3gp,3g2,mj2": _several_movies,
    "mpegts": _several_programs,
    "mxf": _several_mxf,
    "ogg": _several_ogg,
}
