"""What the library stores and is asked with: rows of videos, embeddings of clips and of queries (numpy only)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.checks.arguments import check_number, check_text, check_whole, shown
from hgrkit.errors import ConfigError, ShapeError

__all__ = [
    "ClipEmbeddings",
    "CompactReport",
    "Counts",
    "Float32",
    "Float64",
    "QueryEmbeddings",
    "Version",
    "VideoRecord",
    "VideoState",
    "float64_array",
    "path_bytes",
]

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
VideoState = Literal["indexed", "failed"]


def _float32(values: npt.ArrayLike) -> Float32:
    with np.errstate(over="ignore"):
        return _real(values).astype(np.float32, copy=False)


def float64_array(values: npt.ArrayLike) -> Float64:
    """Real numbers as an array.

    Raises:
        ShapeError: if they are none.
    """
    return _real(values).astype(np.float64, copy=False)


def path_bytes(path: str) -> bytes:
    """The key of a path; bytes that are no UTF-8 come and go as Python's surrogate escapes.

    Raises:
        ConfigError: if the path holds what no file system gave.
    """
    try:
        return path.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise ConfigError(f"the path {path!r} cannot be stored: {error.reason}.") from None


def _real(values: npt.ArrayLike) -> npt.NDArray[Any]:
    try:
        array = np.asarray(values)
    except ValueError:  # rows of unequal length
        array = np.empty(0, object)
    if array.dtype.kind not in "fiu":
        raise ShapeError(f"times and embeddings must be arrays of real numbers, got {shown(values)}.")
    return array


def _seconds(value: float) -> float:
    return check_number("start_s and end_s of a clip", value, error=ShapeError)


@attrs.frozen
class Version:
    """A committed state of a store.

    Attributes:
        number: 0 for an empty store, one more with every commit.
        token: random; two copies of a library that went different ways never share it.
    """

    number: int
    token: str


@attrs.frozen(kw_only=True)
class VideoRecord:
    """One video of the library: what file it was when it was read, and what came of it.

    Attributes:
        path: where the file is, as indexing keeps it absolute, links not resolved; bytes that are no UTF-8 are
            surrogate escapes.
        content: a hash of the file's bytes; a failed file is known again by it.
        size: the file's size in bytes.
        mtime_ns: the file's modification time in nanoseconds.
        state: `indexed`, or `failed` (no clips).
        reason: why it failed; `None` for an indexed video.
        duration_s: the video's length in seconds, if it is known.
        clips: number of clips; the store counts them itself when a video is added.
        metadata: the user's own values, anything that JSON can hold; those of `hgrkit.library.tags` can be
            filtered by.
        indexed_ns: when its clips were made, in nanoseconds since 1970; `None` if nobody noted it. It says nothing
            of what the video is: records that differ in it alone are equal.

    Raises:
        ConfigError: if the state is unknown or does not agree with the reason, or the duration is no length.
    """

    path: str
    content: str
    size: int
    mtime_ns: int
    state: VideoState = "indexed"
    reason: str | None = None
    duration_s: float | None = None
    clips: int = 0
    metadata: Mapping[str, Any] = attrs.field(factory=dict, hash=False)
    indexed_ns: int | None = attrs.field(default=None, eq=False)

    def __attrs_post_init__(self) -> None:
        check_text("a video's path", self.path)
        check_text(f"the content hash of {self.path!r}", self.content)
        for name in ("size", "mtime_ns", "clips"):
            check_whole(f"{name} of {self.path!r}", getattr(self, name), least=None)
        if self.indexed_ns is not None:
            check_whole(f"indexed_ns of {self.path!r}", self.indexed_ns, least=None)
        if not isinstance(self.metadata, Mapping):
            raise ConfigError(f"metadata of {self.path!r} must be a mapping, got {shown(self.metadata)}.")
        if self.state not in get_args(VideoState):
            raise ConfigError(
                f"a video's state must be 'indexed' or 'failed', got {self.state!r} for {self.path!r}."
            )
        if self.duration_s is not None:
            check_number(f"the duration of {self.path!r}, in seconds,", self.duration_s, "[0, inf)")
        if (self.state == "failed") != (self.reason is not None):
            raise ConfigError(
                f"a failed video needs a reason and an indexed one has none; {self.path!r} is {self.state} "
                f"with reason {self.reason!r}."
            )


@attrs.frozen(kw_only=True, eq=False, repr=False)
class ClipEmbeddings:
    """One clip of a video, embedded at the three levels.

    Attributes:
        start_s: where the clip begins in its video, in seconds.
        end_s: where it ends.
        times_s: [F] the frames' times in seconds, from the video's beginning, never decreasing.
        event: [D] the whole clip.
        action: [F, D] one vector a frame.
        entity: [F, D] one vector a frame.

    Raises:
        ShapeError: if the arrays do not fit together, or hold what is no finite number.
    """

    start_s: float = attrs.field(converter=_seconds)
    end_s: float = attrs.field(converter=_seconds)
    times_s: Float64 = attrs.field(converter=float64_array)
    event: Float32 = attrs.field(converter=_float32)
    action: Float32 = attrs.field(converter=_float32)
    entity: Float32 = attrs.field(converter=_float32)

    def __attrs_post_init__(self) -> None:
        if self.times_s.ndim != 1 or self.times_s.size == 0 or self.event.ndim != 1:
            raise ShapeError(
                f"a clip needs times_s [F] with F >= 1 and event [D], got {list(self.times_s.shape)} and "
                f"{list(self.event.shape)}."
            )
        expected = (self.times_s.size, self.event.size)
        if self.action.shape != expected or self.entity.shape != expected:
            raise ShapeError(
                f"a clip's action and entity embeddings must be {list(expected)} as its times_s and event say, "
                f"got {list(self.action.shape)} and {list(self.entity.shape)}."
            )
        if not all(np.isfinite(part).all() for part in (self.times_s, self.event, self.action, self.entity)):
            raise ShapeError("a clip's times and embeddings must be finite numbers, got NaN or infinity.")
        ordered = np.isfinite([self.start_s, self.end_s]).all() and self.start_s <= self.end_s
        if not ordered or (np.diff(self.times_s) < 0).any():
            raise ShapeError(
                f"a clip must have finite start_s <= end_s and frame times that never decrease, got "
                f"[{self.start_s}, {self.end_s}] and {self.times_s.tolist()}."
            )

    @property
    def num_frames(self) -> int:
        """F, at least 1."""
        return self.times_s.size

    def __repr__(self) -> str:
        return (
            f"ClipEmbeddings({self.start_s:g}-{self.end_s:g} s, num_frames={self.num_frames}, "
            f"embed_dim={self.event.size})"
        )


@attrs.frozen(kw_only=True, eq=False, repr=False)
class QueryEmbeddings:
    """A sentence, embedded at the three levels; a level without nodes has no rows.

    Attributes:
        event: [D] the whole sentence.
        action: [A, D] one vector an action; A may be 0.
        entity: [E, D] one vector an entity; E may be 0.
        excluded: what takes away from clips that show it, each a question of its own.
        like: an example that clips should be like as well: its event and some of its frames.

    Raises:
        ShapeError: if the arrays do not share D, or anything is no finite number.
    """

    event: Float32 = attrs.field(converter=_float32)
    action: Float32 = attrs.field(converter=_float32)
    entity: Float32 = attrs.field(converter=_float32)
    excluded: tuple[QueryEmbeddings, ...] = ()
    like: QueryEmbeddings | None = None

    def __attrs_post_init__(self) -> None:
        fits = self.event.ndim == 1 and all(
            nodes.ndim == 2 and nodes.shape[1] == self.event.size for nodes in (self.action, self.entity)
        )
        if not fits:
            raise ShapeError(
                f"a query must be event [D], action [A, D] and entity [E, D], got {list(self.event.shape)}, "
                f"{list(self.action.shape)} and {list(self.entity.shape)}."
            )
        if not all(np.isfinite(part).all() for part in (self.event, self.action, self.entity)):
            raise ShapeError("a query's embeddings must be finite numbers, got NaN or infinity.")
        for part in (*self.excluded, *(() if self.like is None else (self.like,))):
            if part.event.size != self.event.size:
                raise ShapeError(
                    f"what a query excludes or gives as an example must have its embed_dim {self.event.size}, got "
                    f"{part.event.size}."
                )

    @classmethod
    def nothing(cls, embed_dim: int) -> QueryEmbeddings:
        """A question without words: every clip fits it alike."""
        empty = np.zeros((0, embed_dim), np.float32)
        return cls(event=np.zeros(embed_dim, np.float32), action=empty, entity=empty)

    @property
    def has_no_words(self) -> bool:
        """Whether the event is of length 0, and there are no nodes: clips are told by the rest."""
        return not (self.event.any() or len(self.action) or len(self.entity))

    @property
    def only_excludes(self) -> bool:
        """Whether nothing is asked for."""
        return self.has_no_words and self.like is None

    def __repr__(self) -> str:
        return (
            f"QueryEmbeddings(actions={len(self.action)}, entities={len(self.entity)}, "
            f"embed_dim={self.event.size})"
        )


@attrs.frozen(kw_only=True)
class Counts:
    """How much a library holds.

    Attributes:
        videos: all videos, failed ones included.
        indexed: those that can be found.
        failed: those that could not be read.
        clips: clips of all indexed videos.
    """

    videos: int
    indexed: int
    failed: int
    clips: int


@attrs.frozen(kw_only=True)
class CompactReport:
    """What a compaction did.

    Attributes:
        bytes_before: what database and arrays took.
        bytes_after: what they take now.
    """

    bytes_before: int
    bytes_after: int
