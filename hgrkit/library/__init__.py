"""The library: videos and their clips as vectors, kept durably on disk and searched by sentence embeddings."""

from __future__ import annotations

from hgrkit.library.export import ExportReport, export_library
from hgrkit.library.findings import Damage, Note, RepairReport, VerifyReport
from hgrkit.library.library import CompactReport, Counts, Library
from hgrkit.library.manifest import FORMAT_VERSION, Manifest
from hgrkit.library.moments import Moment, cut_moment
from hgrkit.library.records import ClipEmbeddings, QueryEmbeddings, VideoRecord
from hgrkit.library.repair import repair_library
from hgrkit.library.scoring import SearchSettings
from hgrkit.library.search import ClipMatch
from hgrkit.library.sqlite_store import SqliteStore
from hgrkit.library.store import Entry, Rename, Snapshot, Store, Usage, Version
from hgrkit.library.verify import verify_library

__all__ = [
    "FORMAT_VERSION",
    "ClipEmbeddings",
    "ClipMatch",
    "CompactReport",
    "Counts",
    "Damage",
    "Entry",
    "ExportReport",
    "Library",
    "Manifest",
    "Moment",
    "Note",
    "QueryEmbeddings",
    "Rename",
    "RepairReport",
    "SearchSettings",
    "Snapshot",
    "SqliteStore",
    "Store",
    "Usage",
    "VerifyReport",
    "Version",
    "VideoRecord",
    "cut_moment",
    "export_library",
    "repair_library",
    "verify_library",
]
