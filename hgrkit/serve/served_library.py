"""The libraries that a server searches: the newest version of them, and their videos by id."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Any, TypeVar, final

import attrs

from hgrkit.errors import LibraryMismatchError
from hgrkit.library.filters import COLUMNS, TAG_NAME
from hgrkit.library.records import Version, VideoRecord, path_bytes
from hgrkit.retriever import Retriever
from hgrkit.serve.answers import RefusedError
from hgrkit.serve.settings import ServeSettings

__all__ = ["Listing", "ServedLibrary", "id_of"]

T = TypeVar("T")

_VALUES = 20
"""Values of a tag that are listed, the most frequent ones."""

_QUICK_S = 0.5
"""A list of videos that takes less of a processor than this is read again whenever there is a new version."""

_REST = 5
"""Another is read again after at most this many times as long: a large library that is being indexed has a new
version every second, and a pass over 200,000 videos takes several."""


def id_of(path: str) -> str:
    """The id of a video: of its path, so that it stays the same in every version and after a restart.

    >>> id_of("/videos/a.mp4")
    '60114635e30807ccfd91a9b9'
    """
    return hashlib.blake2b(path_bytes(path), digest_size=12).hexdigest()


@attrs.frozen(eq=False)
class Listing:
    """The videos of one version.

    Attributes:
        version: which one.
        videos: in the order of their paths.
        by_id: the same, by the id of each.
        read_at: when it was read, by `time.monotonic`.
        took_s: how many seconds of a processor that took.
    """

    version: Version
    videos: tuple[VideoRecord, ...]
    by_id: Mapping[str, VideoRecord]
    read_at: float
    took_s: float


@final
class ServedLibrary:
    """Answers questions from the version that was committed last, from any thread.

    Args:
        settings: of the server.
    """

    def __init__(self, settings: ServeSettings) -> None:
        self._lock = threading.Lock()
        self._retriever = Retriever.open(
            settings.libraries, parser=settings.parser, device=settings.device, follow=True, trust=settings.trust
        )
        self._listing: Listing | None = None

    @property
    def model_fingerprint(self) -> str:
        """Of the model that made what is searched; another one after an upgrade."""
        return self._retriever.library.manifest.model_fingerprint

    def ask(self, question: Callable[[Retriever], T]) -> T:
        """Answer a question from the newest version, after an upgrade with the new model."""
        try:
            return question(self._retriever)
        except LibraryMismatchError:
            self._retriever.refresh()
            return question(self._retriever)

    def listing(self) -> Listing:
        """The videos; of a large library whose versions follow each other quickly, a little late."""
        known = self._listing
        if known is not None and self._is_fresh(known):
            return known
        with self._lock:
            known = self._listing
            if known is None or not self._is_fresh(known):
                known = self._listing = self._read_listing()
            return known

    def record(self, video: str) -> VideoRecord:
        """The video of an id.

        Raises:
            RefusedError: if the library has none.
        """
        listed = self.listing().by_id.get(video) or self._newest().by_id.get(video)
        found = None if listed is None else self.ask(lambda retriever: retriever.library.video(listed.path))
        if found is None:
            raise RefusedError(404, f"the library has no video with the id {video!r}.")
        return found

    def indexed(self, video: str) -> VideoRecord:
        """The video of an id, whose file was decoded to its end and may be shown.

        Raises:
            RefusedError: if the library has none, or it failed.
        """
        found = self.record(video)
        if found.state != "indexed":
            raise RefusedError(404, f"the video {video!r} could not be indexed: {found.reason}")
        return found

    def columns(self) -> list[dict[str, Any]]:
        """What videos can be filtered by: every library's columns, and the tags with their commonest values."""
        found: dict[str, Counter[Any]] = {}
        for record in self.listing().videos:
            for name, value in record.metadata.items():
                if TAG_NAME.fullmatch(name) and name.lower() not in COLUMNS and _is_plain(value):
                    found.setdefault(name.lower(), Counter())[(type(value).__name__, value)] += 1
        own: list[dict[str, Any]] = [
            {"name": name, "type": "number" if name == "duration_s" else "text", "tag": False, "values": []}
            for name in COLUMNS
        ]
        return own + [_column(name, values) for name, values in sorted(found.items())]

    def close(self) -> None:
        """Let go of the libraries."""
        self._retriever.close()

    def _newest(self) -> Listing:
        with self._lock:
            if self._listing is None or not self._is_newest(self._listing):
                self._listing = self._read_listing()
            return self._listing

    def _is_fresh(self, listing: Listing) -> bool:
        rests = listing.took_s > _QUICK_S and time.monotonic() - listing.read_at < _REST * listing.took_s
        return rests or self._is_newest(listing)

    def _is_newest(self, listing: Listing) -> bool:
        return self._retriever.library.version == listing.version

    def _read_listing(self) -> Listing:
        started = time.thread_time()
        version = self._retriever.library.version  # before the videos, which may be newer: it is then read again
        videos = self._retriever.library.videos()
        by_id = {id_of(record.path): record for record in videos}
        return Listing(version, videos, by_id, read_at=time.monotonic(), took_s=time.thread_time() - started)


def described(record: VideoRecord) -> dict[str, Any]:
    """A video as the API lists it."""
    at = record.indexed_ns
    return {
        "id": id_of(record.path),
        "path": record.path,
        "name": PurePath(record.path).name,
        "state": record.state,
        "reason": record.reason,
        "duration_s": record.duration_s,
        "clips": record.clips,
        "tags": {name: value for name, value in record.metadata.items() if _is_plain(value)},
        "size": record.size,
        "indexed_at": None if at is None else datetime.fromtimestamp(at / 1e9, UTC).isoformat(timespec="seconds"),
    }


def _is_plain(value: object) -> bool:
    return isinstance(value, bool | int | float | str)


def _column(name: str, values: Counter[tuple[str, Any]]) -> dict[str, Any]:
    kinds = {{"int": "number", "float": "number", "bool": "boolean", "str": "text"}[kind] for kind, _ in values}
    commonest = sorted(values.items(), key=lambda item: (-item[1], str(item[0][1])))[:_VALUES]
    return {
        "name": name,
        "type": kinds.pop() if len(kinds) == 1 else "mixed",
        "tag": True,
        "videos": values.total(),
        "values": [{"value": value, "videos": count} for (_, value), count in commonest],
    }
