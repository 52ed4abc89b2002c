"""The library: videos and their clips as vectors, kept durably on disk and searched by sentence embeddings."""

from __future__ import annotations

from hgrkit.library.library import Counts, Library
from hgrkit.library.manifest import FORMAT_VERSION, Manifest
from hgrkit.library.moments import Moment, cut_moment
from hgrkit.library.records import ClipEmbeddings, QueryEmbeddings, VideoRecord
from hgrkit.library.scoring import SearchSettings
from hgrkit.library.search import ClipMatch
from hgrkit.library.sqlite_store import SqliteStore
from hgrkit.library.store import Entry, Snapshot, Store, Version

__all__ = [
    "FORMAT_VERSION",
    "ClipEmbeddings",
    "ClipMatch",
    "Counts",
    "Entry",
    "Library",
    "Manifest",
    "Moment",
    "QueryEmbeddings",
    "SearchSettings",
    "Snapshot",
    "SqliteStore",
    "Store",
    "Version",
    "VideoRecord",
    "cut_moment",
]
