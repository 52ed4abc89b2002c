"""Libraries as someone who means harm makes them, sealed as hgrkit does, with links, lies and bombs inside."""

from __future__ import annotations

import json
import math
import os
import shutil
import sqlite3
import struct
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from functools import cache
from pathlib import Path
from typing import Any

import attrs
import numpy as np

from hgrkit import Retriever
from hgrkit.library import ClipEmbeddings, Entry, Library, VideoRecord
from hgrkit.library.arrays import BLOCK_CLIPS, checksum, clip_type, frame_type
from hgrkit.library.tables import BLOCKS, HEAD, MANIFEST, REMOVED, SUMS, VIDEOS, VIDEOS_A_SUM, RowSum, SealedTable
from tests.torture.damage import KINDS, damage
from tests.torture.strangers import Case, generator

DATABASE = "library.sqlite"

READING = (
    ("search", "a dog runs", "--library"),
    ("search", "a dog runs", "--json", "--exact-search", "--library"),
    ("info", "--videos", "--library"),
    ("verify",),
    ("duplicates",),
)
WRITING = (
    ("index", "../config", "--library"),
    ("repair",),
    ("compact",),
    ("index", "--upgrade", "--clip-seconds", "7", "--library"),
)

FILES = (
    DATABASE,
    f"{DATABASE}-wal",
    f"{DATABASE}-shm",
    f"{DATABASE}-journal",
    f"{DATABASE}.tmp",
    "writer.lock",
    "newest.txt",
    "arrays",
    "arrays/clips-1.bin",
    "arrays/frames-1.bin",
    "arrays/clips-2.bin",
    "arrays/frames-2.bin",
    "cache",
    "cache/ann.hnsw",
    "cache/ann.hnsw.tmp",
    "cache/ann.json",
    "cache/features",
    "cache/features/" + "0" * 32 + ".safetensors",
    "segments",
    "segments/" + "0" * 32 + ".safetensors",
    "damaged",
    "damaged/1",
    "upgrade",
)
"""What a library has, or may get."""

HOSTILE = (
    "\x1b]0;owned\x07\x1b[2J",
    "\u202efdp.exe",
    "..",
    "/etc/passwd",
    "a\nhgrkit: all is well",
    "\x9b31m",
    "x" * 5000,
)
NUMBERS = (0, -1, 1, 1 << 31, (1 << 63) - 1, -(1 << 63), 10**12)
FLOATS = (0.0, -1.0, 1e-9, 1e9, 1e300, math.inf, -math.inf, math.nan, 5e-324)


@cache
def template() -> Path:
    """A library of a dozen videos with random vectors, made with the default model."""
    folder = Path(tempfile.mkdtemp(prefix="forged-")) / "library"
    rng = np.random.default_rng(0)
    with Retriever.create(folder, device="cpu") as retriever:
        dim = retriever.library.manifest.embed_dim
    with Library.open(folder, "w") as library:
        for number in range(12):
            clips = [_clip(rng, dim, 30.0 * place) for place in range(1 + number % 3)]
            record = VideoRecord(path=f"/videos/{number}.mp4", content=f"sha256:{number}", size=1, mtime_ns=1)
            library.add_all([Entry(attrs.evolve(record, duration_s=90.0), clips)])
    return folder


def _clip(rng: np.random.Generator, dim: int, start_s: float) -> ClipEmbeddings:
    frames = int(rng.integers(2, 6))
    return ClipEmbeddings(
        start_s=start_s,
        end_s=start_s + 30,
        times_s=start_s + np.arange(frames) + 0.5,
        event=rng.normal(size=dim),
        action=rng.normal(size=(frames, dim)),
        entity=rng.normal(size=(frames, dim)),
    )


class Forgery:
    """A copy of the template that is changed, and sealed again so that every digest fits."""

    def __init__(self, room: Path, library: Path | None = None) -> None:
        """Copy it, or another library whose arrays were never rewritten."""
        self.folder = room / "library"
        shutil.copytree(library or template(), self.folder)
        self.rows: dict[str, list[list[Any]]] = {}
        with closing(sqlite3.connect(self.folder / DATABASE)) as connection:
            for table in _TABLES:
                query = f"SELECT {', '.join(table.columns)} FROM {table.name}"
                self.rows[table.name] = [list(row) for row in connection.execute(query)]
        self.manifest = json.loads(self.rows["manifest"][0][1])
        dim = self.manifest["embed_dim"]
        self.clips, self.frames = (
            np.fromfile(self.folder / "arrays" / f"{name}-1.bin", kind)
            for name, kind in (("clips", clip_type(dim)), ("frames", frame_type(dim)))
        )

    def seal(self) -> None:
        """Write it all, every sum over what is there."""
        self._seal_clips()
        for name in ("clips", "frames"):
            getattr(self, name).tofile(self.folder / "arrays" / f"{name}-1.bin")
        if isinstance(self.manifest, dict):
            self.rows["manifest"][0][1] = json.dumps(self.manifest)
        sums: dict[int, RowSum] = {}
        for row in self.rows["videos"]:
            sums.setdefault(row[0] // VIDEOS_A_SUM, RowSum()).add(VIDEOS._digest(row))
        self.rows["sums"] = [[bucket, total.content] for bucket, total in sums.items()]
        total = RowSum()
        for table in (SUMS, BLOCKS, REMOVED):
            total.add(*map(table._digest, self.rows[table.name]))
        self.head("rows", total.content)
        with closing(sqlite3.connect(self.folder / DATABASE)) as connection:
            for table in _TABLES:
                connection.execute(f"DELETE FROM {table.name}")
                table._write(connection, "INSERT", [(*row, table._digest(row)) for row in self.rows[table.name]])
            connection.commit()

    def head(self, column: str, value: Any) -> None:
        """Set a column of the head."""
        self.rows["head"][0][HEAD.columns.index(column)] = value

    def _seal_clips(self) -> None:
        for record in self.clips:
            first, count = int(record["first_frame"]), int(record["num_frames"])
            if 0 <= first <= first + count <= len(self.frames):
                record["checksum"] = checksum(self.frames[first : first + count])
        full = len(self.clips) // BLOCK_CLIPS
        parts = [self.clips[block * BLOCK_CLIPS : (block + 1) * BLOCK_CLIPS] for block in range(full + 1)]
        sealed = [checksum(part).to_bytes(8, "little") for part in parts if len(part)]
        self.rows["blocks"] = [[0, b"".join(sealed[:full])]] if full else []
        self.head("tail", b"".join(sealed[full:]))
        self.head("clips", len(self.clips))
        self.head("frames", len(self.frames))


_TABLES: tuple[SealedTable, ...] = (MANIFEST, HEAD, VIDEOS, SUMS, BLOCKS, REMOVED)


def command(
    rng: np.random.Generator, folder: Path, among: Sequence[Sequence[str]] = (*READING, *WRITING)
) -> list[str]:
    """A command on a library."""
    return [*among[int(rng.integers(len(among)))], str(folder)]


def any_of(rng: np.random.Generator, values: Sequence[Any]) -> Any:
    """One of some values."""
    return values[int(rng.integers(len(values)))]


@generator
def links(rng: np.random.Generator, room: Path) -> list[str]:
    """A link to what is precious in the place of something that hgrkit writes, reads or deletes."""
    forged, outside = Forgery(room), room.parent / "outside"
    forged.seal()
    for name in rng.choice(FILES, size=int(rng.integers(1, 3)), replace=False).tolist():
        place = forged.folder / name
        if any(above.is_symlink() for above in place.parents if above != room):
            continue
        if place.is_dir():
            shutil.rmtree(place)
        place.unlink(missing_ok=True)
        place.parent.mkdir(parents=True, exist_ok=True)
        targets = ["precious.txt", "clips-1.bin", "videos", ".", "missing.txt", ".bashrc"]
        place.symlink_to(outside / any_of(rng, targets))
    return command(rng, forged.folder, (*WRITING, *WRITING, *READING))


@generator
def folders_of_others(rng: np.random.Generator, room: Path) -> list[str]:
    """Files that are no library's, in the places where a library keeps its own."""
    forged = Forgery(room)
    forged.seal()
    for name in ("upgrade", "segments", "damaged", "arrays", "cache"):
        (forged.folder / name).mkdir(exist_ok=True)
        (forged.folder / name / any_of(rng, ("mine.txt", "clips-.bin", "clips-9999.bin"))).write_text("mine")
    return command(rng, forged.folder, WRITING)


@generator
def special_files(rng: np.random.Generator, room: Path) -> list[str]:
    """Pipes, folders and loops in the place of files: opening one must not wait."""
    forged = Forgery(room)
    forged.seal()
    place = forged.folder / any_of(rng, FILES)
    if place.is_dir():
        shutil.rmtree(place)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.unlink(missing_ok=True)
    kind = any_of(rng, ("pipe", "folder", "loop", "huge"))
    if kind == "pipe":
        os.mkfifo(place)
    elif kind == "folder":
        place.mkdir()
    elif kind == "loop":
        place.symlink_to(place.name)
    else:
        with place.open("wb") as file:
            file.truncate(1 << int(rng.integers(30, 42)))
    return command(rng, forged.folder)


@generator
def manifests(rng: np.random.Generator, room: Path) -> list[str]:
    """A manifest of absurd numbers and names."""
    forged = Forgery(room)
    name = any_of(rng, (*forged.manifest, "clip_seconds", "embed_dim"))
    values = (*NUMBERS, *FLOATS, *HOSTILE, None, True, [], {}, "clip:/etc", "1" * 4000, [[]] * 9)
    forged.manifest[name] = any_of(rng, values)
    if rng.random() < 0.2:
        forged.manifest = None
        forged.rows["manifest"][0][1] = any_of(rng, ("[" * 50_000, "1" * 100_000, '{"a":' * 30_000, "NaN", ""))
    forged.seal()
    return command(rng, forged.folder)


@generator
def models_by_path(rng: np.random.Generator, room: Path) -> Case:
    """A manifest that names a model of the library's own: nothing of it may be loaded unasked."""
    forged = Forgery(room)
    inside = forged.folder / "model"
    inside.mkdir()
    (inside / "config.json").write_text("{" + "[" * 10)
    name = any_of(
        rng, (str(inside), os.path.relpath(inside, room.parent / "outside" / "videos"), f"clip:{inside}")
    )
    forged.manifest[any_of(rng, ("model", "frame_encoder"))] = name
    forged.seal()
    words = command(rng, forged.folder, (READING[0], READING[1], WRITING[0]))
    return Case(
        words, lambda status, printed: "a model that the library brought was used" if status == 0 else None
    )


@generator
def rows(rng: np.random.Generator, room: Path) -> list[str]:
    """Rows of videos with absurd values."""
    forged = Forgery(room)
    for _ in range(int(rng.integers(1, 4))):
        row = any_of(rng, forged.rows["videos"])
        column = any_of(rng, VIDEOS.columns[1:])
        place = VIDEOS.columns.index(column)
        row[place] = {
            "path": lambda: any_of(rng, HOSTILE).encode() + bytes(rng.integers(128, 255, 3).tolist()),
            "content": lambda: any_of(rng, (*HOSTILE, "x" * 800_000)),
            "state": lambda: any_of(rng, ("failed", "indexed", *HOSTILE)),
            "reason": lambda: any_of(rng, (*HOSTILE, "r" * 900_000, "r" * 30_000_000)),
            "duration_s": lambda: any_of(rng, FLOATS),
            "metadata": lambda: any_of(
                rng, ("[]", "{", '{"a":' * 50_000, '{"a": "' + "\\u001b" * 90_000 + '"}', "1e999")
            ),
        }.get(column, lambda: any_of(rng, NUMBERS))()
    forged.seal()
    return command(rng, forged.folder)


@generator
def many_reasons(rng: np.random.Generator, room: Path) -> list[str]:
    """Videos that failed for 300 MB of reasons."""
    forged = Forgery(room)
    rest = forged.rows["videos"][0][2:]
    for number in range(1000, 1000 + 330):
        forged.rows["videos"].append([number, b"/failed/%d" % number, *rest])
        forged.rows["videos"][-1][5:9] = ["failed", "r" * 890_000, None, 0]
    forged.head("videos", len(forged.rows["videos"]))
    forged.head("next_video", 2000)
    forged.seal()
    return command(rng, forged.folder)


@generator
def heads(rng: np.random.Generator, room: Path) -> list[str]:
    """A head of absurd counts, and clips that were removed nowhere."""
    forged = Forgery(room)
    if rng.random() < 0.4:
        forged.rows["removed"] = [[int(any_of(rng, NUMBERS)), int(any_of(rng, NUMBERS))] for _ in range(2)]
        forged.rows["removed"] = [
            list(pair) for pair in {row[0]: tuple(row) for row in forged.rows["removed"]}.values()
        ]
    seal = forged.seal
    column = any_of(rng, HEAD.columns[1:])
    value = (
        any_of(rng, ("../../outside/x", "\x1b[2J", "t" * 900_000)) if column == "token" else any_of(rng, NUMBERS)
    )
    if column in ("tail", "rows"):
        value = bytes(int(rng.integers(0, 900_000)))
    forged.head(column, value)
    seal()
    with closing(sqlite3.connect(forged.folder / DATABASE)) as connection:  # what sealing has put right
        forged.head(column, value)
        HEAD.replace(connection, tuple(forged.rows["head"][0]))
        connection.commit()
    return command(rng, forged.folder)


@generator
def arrays(rng: np.random.Generator, room: Path) -> Case:
    """Clips and frames of absurd values, under checksums that fit."""
    forged = Forgery(room)
    wild = np.array([math.nan, math.inf, -math.inf, 65504.0])
    kind = any_of(
        rng, ("event", "action", "entity", "time_s", "start_s", "end_s", "first_frame", "num_frames", "video")
    )
    records = forged.frames if kind in ("action", "entity", "time_s") else forged.clips
    some = rng.choice(len(records), size=int(rng.integers(1, 4)), replace=False)
    for place in some.tolist():
        if kind in ("event", "action", "entity"):
            records[kind][place, : int(rng.integers(1, 512))] = any_of(rng, wild[:3])
        elif kind in ("time_s", "start_s", "end_s"):
            records[kind][place] = any_of(rng, (*FLOATS, 1e15))
        else:
            records[kind][place] = any_of(rng, (*NUMBERS, len(forged.frames)))
    forged.seal()
    words = command(rng, forged.folder)
    wrong = kind in ("event", "action", "entity") and words[0] in ("search", "verify")

    def judge(status: int, printed: str) -> str | None:
        return "vectors that are no numbers were taken" if wrong and status == 0 else None

    return Case(words, judge)


@generator
def shared_frames(rng: np.random.Generator, room: Path) -> list[str]:
    """Many clips that share the same frames: a small file that would be compared as a large one."""
    forged = Forgery(room)
    clips = np.repeat(forged.clips[:1], 20_000)
    clips["first_frame"], clips["num_frames"] = 0, len(forged.frames)
    clips["key"] = np.arange(1, 1 + len(clips))
    forged.clips = clips
    row = forged.rows["videos"][0]
    clips["video"], forged.rows["videos"] = row[0], [row]
    row[VIDEOS.columns.index("clips")], row[VIDEOS.columns.index("first_clip")] = len(clips), 0
    forged.head("videos", 1)
    forged.head("next_clip", 100_000)
    forged.seal()
    return command(rng, forged.folder)


@generator
def schemas(rng: np.random.Generator, room: Path) -> list[str]:
    """Tables that are views, triggers that write, rows without end."""
    forged, outside = Forgery(room), room.parent / "outside"
    forged.seal()
    statements = any_of(
        rng,
        (
            ["ALTER TABLE videos RENAME TO v", "CREATE VIEW videos AS SELECT * FROM v"],
            ["CREATE TRIGGER t AFTER UPDATE ON head BEGIN DELETE FROM videos; END"],
            ["CREATE TABLE more (a)"],
            [
                "DROP TABLE removed",
                "CREATE VIEW removed AS WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT 1 FROM n) SELECT 1",
            ],
            [f"ATTACH '{outside / 'attached.sqlite'}' AS other"],
            ["PRAGMA writable_schema = ON", "UPDATE sqlite_master SET rootpage = 2"],
            ["PRAGMA writable_schema = ON", "UPDATE sqlite_master SET sql = 'CREATE TABLE ' || name || '(a, b)'"],
            ["PRAGMA writable_schema = ON", "INSERT INTO sqlite_master SELECT * FROM sqlite_master"],
        ),
    )
    with closing(sqlite3.connect(forged.folder / DATABASE)) as connection:
        with suppress(sqlite3.Error):
            for statement in statements:
                connection.execute(statement)
        connection.commit()
    (outside / "attached.sqlite").unlink(missing_ok=True)
    return command(rng, forged.folder)


@generator
def journals(rng: np.random.Generator, room: Path) -> list[str]:
    """A journal or log beside the database that tells SQLite to write or to delete something."""
    forged, outside = Forgery(room), room.parent / "outside"
    forged.seal()
    name = os.fsencode(outside / "precious.txt")
    total = sum(name)
    magic = bytes.fromhex("d9d505f920a163d7")
    header = magic + struct.pack(">IIIII", int(rng.integers(0, 9)), 1, 20, 512, 4096)
    tail = struct.pack(">I", 0) + name + struct.pack(">II", len(name), total) + magic
    journal = header + bytes(512 - len(header)) + bytes(int(rng.integers(0, 3)) * 4104) + tail
    kind = any_of(rng, ("journal", "wal", "shm"))
    (forged.folder / f"{DATABASE}-{kind}").write_bytes(journal if kind == "journal" else rng.bytes(40_000))
    return command(rng, forged.folder)


@generator
def trees(rng: np.random.Generator, room: Path) -> list[str]:
    """Pages of the database that point at each other."""
    forged = Forgery(room)
    forged.seal()
    content = bytearray((forged.folder / DATABASE).read_bytes())
    pages = len(content) // 4096
    for _ in range(int(rng.integers(1, 20))):
        at = 4096 * int(rng.integers(0, pages)) + (100 if rng.random() < 0.1 else 0)
        if rng.random() < 0.3:
            content[at] = any_of(rng, (2, 5, 10, 13))
        at += int(rng.integers(0, 64))
        content[at : at + 4] = struct.pack(">I", int(rng.integers(0, pages + 2)))
    (forged.folder / DATABASE).write_bytes(content)
    return command(rng, forged.folder)


@generator
def flipped_bytes(rng: np.random.Generator, room: Path) -> list[str]:
    """Any file, damaged anywhere."""
    forged = Forgery(room)
    forged.seal()
    files = sorted(path for path in forged.folder.rglob("*") if path.is_file() and path.stat().st_size)
    damage(any_of(rng, files), any_of(rng, KINDS), rng)
    return command(rng, forged.folder)


@generator
def caches(rng: np.random.Generator, room: Path) -> list[str]:
    """An HNSW index and cached features that are no such thing."""
    forged = Forgery(room)
    forged.seal()
    cache, features = forged.folder / "cache", forged.folder / "cache" / "features"
    features.mkdir(parents=True)
    (cache / "ann.hnsw").write_bytes(struct.pack("<12q", *rng.integers(0, 1 << 40, 12)) + rng.bytes(2000))
    described = {"format": 3, "clips": len(forged.clips), "embed_dim": 512, "built_from": "", "seal": "0" * 128}
    (cache / "ann.json").write_text(any_of(rng, (json.dumps(described), "[" * 60_000, "1" * 5000)))
    header = any_of(
        rng,
        (
            {"features": {"dtype": "F16", "shape": [1 << 40, 1 << 20], "data_offsets": [0, 16]}},
            {"__metadata__": {"features": "[" * 9000, "sha256": ""}},
            {"__metadata__": {"features": json.dumps({"content": HOSTILE[0]}), "sha256": "0"}},
        ),
    )
    text = json.dumps(header).encode()
    size = any_of(rng, (len(text), 1 << 40, (1 << 64) - 1))
    (features / f"{'0' * 32}.safetensors").write_bytes(struct.pack("<Q", size) + text + bytes(16))
    return command(rng, forged.folder)


@generator
def small_files(rng: np.random.Generator, room: Path) -> list[str]:
    """What a lock and the number of the newest version may say."""
    forged = Forgery(room)
    forged.seal()
    lies = ("[" * 4000, '{"pid": 1, "host": "\\u001b[2J"}', "9" * 5000, "\x00", "-1", '{"pid": 1e999, "host": 1}')
    (forged.folder / any_of(rng, ("writer.lock", "newest.txt"))).write_text(any_of(rng, lies))
    return command(rng, forged.folder)


@generator
def names_on_terminals(rng: np.random.Generator, room: Path) -> list[str]:
    """Videos whose names and tags a terminal would obey."""
    forged = Forgery(room)
    for row in forged.rows["videos"]:
        row[1] = f"/videos/{row[0]}{any_of(rng, HOSTILE[:-1])}.mp4".encode()
        row[VIDEOS.columns.index("metadata")] = json.dumps({"title": any_of(rng, HOSTILE[:-1])}, sort_keys=True)
    forged.seal()
    return command(
        rng,
        forged.folder,
        (*READING, ("export", "--to", "npz", "--out", str(room / "out.npz")), WRITING[0], WRITING[2]),
    )


@generator
def earlier_formats(rng: np.random.Generator, room: Path) -> list[str]:
    """A library of an earlier format, damaged or with a link for a segment."""
    kept = Path(__file__).parents[1] / "library" / any_of(rng, ("format_1", "format_2")) / "library"
    folder = room / "library"
    shutil.copytree(kept, folder)
    segments = sorted((folder / "segments").iterdir())
    change: Callable[[], Any] = any_of(
        rng,
        (
            lambda: damage(any_of(rng, segments), any_of(rng, KINDS), rng),
            lambda: damage(folder / DATABASE, any_of(rng, KINDS), rng),
            lambda: (segments[0].unlink(), segments[0].symlink_to(room.parent / "outside" / "precious.txt")),
            lambda: (folder / "segments" / f"{'f' * 32}.safetensors").symlink_to(
                room.parent / "outside" / ".bashrc"
            ),
        ),
    )
    change()
    return command(rng, folder, (*READING[2:4], *WRITING[1:3]))


@generator
def files_that_shrink(rng: np.random.Generator, room: Path) -> list[str]:
    """An array that is cut short while a command reads it."""
    forged = Forgery(room)
    forged.seal()
    array, delay_s = forged.folder / "arrays" / any_of(rng, ("clips-1.bin", "frames-1.bin")), float(rng.random())
    first = os.fork()
    if first == 0:
        if os.fork() == 0:
            time.sleep(delay_s)
            with suppress(OSError):
                os.truncate(array, 0)
        os._exit(0)
    os.waitpid(first, 0)
    return command(rng, forged.folder, (READING[1], READING[1], READING[3]))
