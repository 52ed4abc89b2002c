"""Damage: what disks, tools and people do to a file of a library."""

from __future__ import annotations

from pathlib import Path

import numpy as np

KINDS = ("bit", "bytes", "truncate", "empty", "delete", "swap", "append", "zero")

CLASSES = (
    "database",
    "log",
    "log index",
    "clips",
    "frames",
    "ANN index",
    "ANN description",
    "features",
    "lock",
    "marker of the log",
    "other",
)


def class_of(path: Path) -> str:
    """What kind of file of a library this is."""
    if path.parent.name == "features":
        return "features"
    names = {
        "library.sqlite": "database",
        "library.sqlite-wal": "log",
        "library.sqlite-shm": "log index",
        "writer.lock": "lock",
        "newest.txt": "marker of the log",
    }
    suffixes = {".hnsw": "ANN index", ".json": "ANN description"}
    array = path.name.split("-")[0] if path.parent.name == "arrays" else "other"
    return names.get(path.name) or suffixes.get(path.suffix, array)


def damage(path: Path, kind: str, random: np.random.Generator) -> str:
    """Damage a file of a library in a way of `KINDS`; says what was done."""
    if kind == "delete":
        path.unlink()
        return "deleted"
    content = path.read_bytes()
    if kind == "swap":
        library = next(parent for parent in path.parents if (parent / "library.sqlite").exists())
        others = sorted(other for other in library.rglob("*") if other.is_file() and other != path)
        other = others[int(random.integers(len(others)))]
        path.write_bytes(other.read_bytes())
        other.write_bytes(content)
        return f"swapped with {other.name}"
    damaged, what = _damaged(content, kind, random)
    path.write_bytes(damaged)
    return what


def _damaged(content: bytes, kind: str, random: np.random.Generator) -> tuple[bytes, str]:
    changed = bytearray(content)
    size = len(changed)
    # The first bytes, where lengths and offsets are, are hit often.
    at = int(random.integers(min(size, 128) if random.random() < 0.3 else size)) if size else 0
    length = min(size - at, int(random.integers(1, 4097)))
    if kind == "bit" and size:
        bit = int(random.integers(8))
        changed[at] ^= 1 << bit
        return bytes(changed), f"bit {bit} of byte {at} flipped"
    if kind == "bytes" and size:
        changed[at : at + length] = random.bytes(length)
        return bytes(changed), f"{length} random bytes at {at}"
    if kind == "zero" and size:
        changed[at : at + length] = bytes(length)
        return bytes(changed), f"{length} zeros at {at}"
    if kind == "truncate" and size:
        return content[:at], f"cut to {at} of {size} bytes"
    if kind == "empty":
        return b"", "emptied"
    added = int(random.integers(1, 5000))
    return content + random.bytes(added), f"{added} random bytes appended"
