"""The commit record: what a commit did, carried by its segment file, so that the segments are a log."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from hgrkit.errors import HgrkitError
from hgrkit.library.manifest import Manifest
from hgrkit.library.records import VideoRecord
from hgrkit.library.segment import SegmentRecord, describe_segment, segment_metadata, segment_tensors
from hgrkit.library.store import Rename
from hgrkit.library.video_row import path_bytes, row_from_record
from hgrkit.storage.tensor_file import TensorFile, damaged, read_file, tensor_header

__all__ = ["ClipSpan", "CommitRecord", "LoggedSegment", "PutRecord", "read_commit_record", "read_logged_segment"]

_INTEGERS = 1 << 63
_TOKEN_DIGITS = frozenset("0123456789abcdef")

_RECORD_TYPES: Mapping[str, tuple[type, ...]] = {
    "path": (str,),
    "content": (str,),
    "size": (int,),
    "mtime_ns": (int,),
    "state": (str,),
    "reason": (str, type(None)),
    "duration_s": (int, float, type(None)),
    "metadata": (dict,),
}


@attrs.frozen
class ClipSpan:
    """One clip of a video that was put; its vectors follow those of the clip before.

    Attributes:
        start_s: where the clip begins, in seconds.
        end_s: where it ends.
        frames: F, its frames.
    """

    start_s: float
    end_s: float
    frames: int


@attrs.frozen(kw_only=True)
class PutRecord:
    """One video that was put.

    Attributes:
        number: the video's row; its clips' keys are `number + 1` and so on, so that keys outlive the database.
        record: the video; `record.clips` is the number of its clips.
        clips: in the order of the segment's rows.
    """

    number: int
    record: VideoRecord
    clips: tuple[ClipSpan, ...]


@attrs.frozen(kw_only=True)
class CommitRecord:
    """What one commit did, or a part of what a large one did.

    Attributes:
        number: the version that it made.
        token: that version's token.
        parent: the token of the version before.
        manifest: what made the library.
        whole: this commit is the whole library; everything before it is superseded.
        part: which of the commit's segments this is, from 0.
        parts: how many there are.
        segment: the number of this segment's row.
        next_number: the number that the next row of any table takes after the whole commit.
        put: videos put, their clips in the order of the segment's rows.
        remove: paths removed, before anything is renamed or put.
        rename: videos that went on as another record, after removals and before anything is put.
    """

    number: int
    token: str
    parent: str
    manifest: Manifest
    whole: bool = False
    part: int = 0
    parts: int = 1
    segment: int
    next_number: int
    put: tuple[PutRecord, ...] = ()
    remove: tuple[str, ...] = ()
    rename: tuple[Rename, ...] = ()

    @property
    def num_clips(self) -> int:
        """V, the clips in this segment."""
        return sum(len(put.clips) for put in self.put)

    @property
    def num_frames(self) -> int:
        """The frames of all of them."""
        return sum(clip.frames for put in self.put for clip in put.clips)

    def to_json(self) -> str:
        """One line of ASCII, keys sorted; bytes in paths that are no UTF-8 stay surrogate escapes."""
        values = {
            **{name: getattr(self, name) for name in ("number", "token", "parent", "whole", "part", "parts")},
            "segment": self.segment,
            "next": self.next_number,
            "manifest": attrs.asdict(self.manifest),
            "put": [
                {
                    "number": put.number,
                    **_record_values(put.record),
                    "clips": [[clip.start_s, clip.end_s, clip.frames] for clip in put.clips],
                }
                for put in self.put
            ],
            "remove": list(self.remove),
            "rename": [{"from": rename.path, "record": _record_values(rename.record)} for rename in self.rename],
        }
        return json.dumps(values, sort_keys=True, allow_nan=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> CommitRecord:
        """The record that `to_json` wrote.

        Raises:
            ValueError: if the text is none.
        """
        try:
            values = json.loads(text)
            return cls(
                number=_integer(values["number"]),
                token=_token(values["token"]),
                parent=_token(values["parent"]),
                part=_integer(values["part"]),
                parts=_integer(values["parts"]),
                segment=_integer(values["segment"]),
                next_number=_integer(values["next"]),
                manifest=Manifest.from_json(json.dumps(values["manifest"])),
                whole=_of_type(values["whole"], bool),
                put=tuple(map(_put, _of_type(values["put"], list))),
                remove=tuple(map(_path, _of_type(values["remove"], list))),
                rename=tuple(map(_rename, _of_type(values["rename"], list))),
            )
        except (LookupError, TypeError, RecursionError, HgrkitError) as error:
            raise ValueError(f"it holds no commit record ({type(error).__name__}: {error})") from error


@attrs.frozen
class LoggedSegment:
    """A segment file that was read and checked without the database.

    Attributes:
        commit: what it says of its commit.
        segment: what the database should say of the file.
    """

    commit: CommitRecord
    segment: SegmentRecord


def read_commit_record(path: Path) -> CommitRecord:
    """Read and check one segment file without the database: its commit record, and every byte of its tensors.

    Raises:
        DamagedLibraryError: if it is missing or not, to the last byte of record and tensors, what was written.
    """
    return read_logged_segment(path).commit


def read_logged_segment(path: Path) -> LoggedSegment:
    """The same, with what the database should say of the file.

    Raises:
        DamagedLibraryError: if it is missing or not, to the last byte of record and tensors, what was written.
    """
    data = read_file(path)
    try:
        file = TensorFile.parse(data)
        commit = CommitRecord.from_json(file.metadata.get("commit", ""))
        tensors = segment_tensors(
            file, clips=commit.num_clips, frames=commit.num_frames, embed_dim=commit.manifest.embed_dim
        )
        metadata = segment_metadata(tensors, file.metadata["commit"])
        if file.metadata != metadata or data[: file.body] != tensor_header(tensors, metadata):
            raise ValueError("its commit record and tensors are not what was written")
    except ValueError as error:
        raise damaged(path, str(error)) from error
    described = describe_segment(path.name, [data], clips=commit.num_clips, frames=commit.num_frames)
    return LoggedSegment(commit, described)


def _record_values(record: VideoRecord) -> dict[str, Any]:
    return {name: getattr(record, name) for name in _RECORD_TYPES} | {"metadata": dict(record.metadata)}


def _record(values: Any, *, clips: int) -> VideoRecord:
    for name, types in _RECORD_TYPES.items():
        if type(values[name]) not in types:
            raise TypeError(f"{name} is {type(values[name]).__name__}")
    for name in ("size", "mtime_ns"):
        if not -_INTEGERS <= values[name] < _INTEGERS:
            raise ValueError(f"{name} is {values[name]}")
    record = VideoRecord(clips=clips, **{name: values[name] for name in _RECORD_TYPES})
    row_from_record(0, record, clips)  # what no database can hold was never written
    return record


def _put(values: Any) -> PutRecord:
    clips = tuple(_clip(*_of_type(clip, list)) for clip in _of_type(values["clips"], list))
    return PutRecord(number=_integer(values["number"]), record=_record(values, clips=len(clips)), clips=clips)


def _clip(start_s: Any, end_s: Any, frames: Any) -> ClipSpan:
    if not {type(start_s), type(end_s)} <= {int, float} or not float("-inf") < start_s <= end_s < float("inf"):
        raise ValueError(f"a clip lies from {start_s!r} to {end_s!r}")
    if not _integer(frames):
        raise ValueError("a clip has no frame")
    return ClipSpan(float(start_s), float(end_s), frames)


def _rename(values: Any) -> Rename:
    return Rename(_path(values["from"]), _record(values["record"], clips=0))


def _path(value: Any) -> str:
    path_bytes(_of_type(value, str))
    return str(value)


def _integer(value: Any) -> int:
    if type(value) is not int or not 0 <= value < _INTEGERS:
        raise ValueError(f"it holds no commit record: {value!r:.40} is no number")
    return value


def _token(value: Any) -> str:
    if not isinstance(value, str) or len(value) != 32 or not _TOKEN_DIGITS.issuperset(value):
        raise ValueError(f"it holds no commit record: {value!r:.40} is no token")
    return value


def _of_type(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise TypeError(f"{value!r:.40} is no {kind.__name__}")
    return value
