"""The library: videos and their clips as vectors, kept durably on disk and searched by sentence embeddings.

Names are loaded when they are first used, so that a search does not wait for what repairs and exports.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hgrkit.library.backup import BackupReport, backup_library
    from hgrkit.library.duplicates import DuplicateGroup, find_duplicates
    from hgrkit.library.examination import Damage
    from hgrkit.library.export import ExportReport, export_library
    from hgrkit.library.library import Library
    from hgrkit.library.manifest import FORMAT_VERSION, Manifest
    from hgrkit.library.moments import Moment, cut_moment
    from hgrkit.library.recall import Recall, measure_recall
    from hgrkit.library.records import ClipEmbeddings, CompactReport, Counts, QueryEmbeddings, VideoRecord
    from hgrkit.library.repair import RepairReport, repair_library
    from hgrkit.library.scoring import SearchSettings
    from hgrkit.library.search import ClipMatch
    from hgrkit.library.sqlite_store import SqliteStore
    from hgrkit.library.store import Entry, Rename, Snapshot, Store, Usage, Version
    from hgrkit.library.verify import Note, VerifyReport, verify_library

__all__ = [
    "FORMAT_VERSION",
    "BackupReport",
    "ClipEmbeddings",
    "ClipMatch",
    "CompactReport",
    "Counts",
    "Damage",
    "DuplicateGroup",
    "Entry",
    "ExportReport",
    "Library",
    "Manifest",
    "Moment",
    "Note",
    "QueryEmbeddings",
    "Recall",
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
    "backup_library",
    "cut_moment",
    "export_library",
    "find_duplicates",
    "measure_recall",
    "repair_library",
    "verify_library",
]

_NAMES = {
    "manifest": ("FORMAT_VERSION", "Manifest"),
    "backup": ("BackupReport", "backup_library"),
    "records": ("ClipEmbeddings", "CompactReport", "Counts", "QueryEmbeddings", "VideoRecord"),
    "search": ("ClipMatch",),
    "duplicates": ("DuplicateGroup", "find_duplicates"),
    "examination": ("Damage",),
    "store": ("Entry", "Rename", "Snapshot", "Store", "Usage", "Version"),
    "export": ("ExportReport", "export_library"),
    "library": ("Library",),
    "moments": ("Moment", "cut_moment"),
    "verify": ("Note", "VerifyReport", "verify_library"),
    "recall": ("Recall", "measure_recall"),
    "repair": ("RepairReport", "repair_library"),
    "scoring": ("SearchSettings",),
    "sqlite_store": ("SqliteStore",),
}
_HOMES = {name: module for module, names in _NAMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
