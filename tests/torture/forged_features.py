"""Files of frame features as someone who means harm makes them."""

from __future__ import annotations

import io
import os
import tempfile
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

import av
import h5py
import numpy as np

from tests.torture.forged_models import DIM, FEATURES, any_of, damage_bytes, template
from tests.torture.strangers import Case, generator

NAME = "clip.mp4"


@cache
def video() -> bytes:
    """A video of a second."""
    path = Path(tempfile.mkdtemp(prefix="forged-")) / NAME
    with av.open(path, "w") as container:
        stream = container.add_stream("mpeg4", rate=8)
        stream.width = stream.height = 32
        for number in range(8):
            picture = np.full((32, 32, 3), 20 * number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        container.mux(stream.encode())
    return path.read_bytes()


def indexing(room: Path, features: Path) -> Case:
    """Index a video with features of a file."""
    videos = room / "videos"
    videos.mkdir()
    (videos / NAME).write_bytes(video())
    words = ["index", str(videos), "--library", str(room / "library"), "--model", str(template("sentence"))]
    return Case([*words, "--features", str(features)])


def numbers(rng: np.random.Generator, frames: int = 4) -> Any:
    """Sound features."""
    return rng.random((frames, FEATURES)).astype(np.float32)


@generator
def features_elsewhere(rng: np.random.Generator, room: Path) -> Case:
    """External storage, virtual data sets and links, to files that are nobody else's business."""
    outside, path = room.parent / "outside", room / "features.h5"
    with h5py.File(room / "other.h5", "w") as file:
        file[NAME] = numbers(rng)
    with h5py.File(path, "w") as file:
        kind = int(rng.integers(5))
        if kind == 0:
            target = str(any_of(rng, (outside / "precious.txt", "/etc/passwd", "/dev/zero")))
            file.create_dataset(NAME, (4, FEATURES), np.float32, external=[(target, 0, 4 * 4 * FEATURES)])
        elif kind == 1:
            layout = h5py.VirtualLayout((4, FEATURES), np.float32)
            layout[:] = h5py.VirtualSource(str(room / "other.h5"), NAME, (4, FEATURES))
            file.create_virtual_dataset(NAME, layout)
        elif kind == 2:
            file[NAME] = h5py.ExternalLink(str(room / "other.h5"), NAME)
        elif kind == 3:
            file["door"] = h5py.ExternalLink(str(any_of(rng, (room / "other.h5", "/dev/zero"))), "/")
            file[NAME] = h5py.SoftLink(f"/door/{NAME}")
        else:
            file[NAME] = h5py.SoftLink(f"/{NAME}")
    return indexing(room, path)


@generator
def features_that_grow(rng: np.random.Generator, room: Path) -> Case:
    """Kilobytes that stand for gigabytes, in both kinds of files."""
    path = room / str(any_of(rng, ("features.h5", "features.npz")))
    frames = int(any_of(rng, (1 << 16, 1 << 22, 1 << 25, 1 << 40)))
    if path.suffix == ".h5":
        with h5py.File(path, "w") as file:
            chunks = any_of(rng, ((1, 1), (1 << 10, FEATURES), (1 << 20, FEATURES), (1 << 24, FEATURES)))
            chunks = (min(chunks[0], frames), chunks[1])
            made = file.create_dataset(NAME, (frames, FEATURES), np.float32, chunks=chunks, compression="gzip")
            if frames < 1 << 20:
                made[:10] = 1
        return indexing(room, path)
    header = io.BytesIO()
    record = {"descr": "<f4", "fortran_order": bool(rng.random() < 0.5), "shape": (frames, FEATURES)}
    np.lib.format.write_array_header_1_0(header, record)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open(f"{NAME}.npy", "w") as member:
        member.write(header.getvalue())
        for _ in range(min(40, frames * 4 * FEATURES >> 20)):
            member.write(bytes(1 << 20))
    return indexing(room, path)


@generator
def features_damaged(rng: np.random.Generator, room: Path) -> Case:
    """Bytes of sound files that were changed."""
    path = room / str(any_of(rng, ("features.h5", "features.npz")))
    if path.suffix == ".h5":
        with h5py.File(path, "w", libver=str(any_of(rng, ("earliest", "latest")))) as file:
            settings = {"chunks": (2, FEATURES), "compression": any_of(rng, ("gzip", "lzf"))}
            file.create_dataset(NAME, data=numbers(rng, 50), **(settings if rng.random() < 0.7 else {}))
    else:
        save = np.savez_compressed if rng.random() < 0.5 else np.savez
        save(path, **{NAME: numbers(rng, 50)})
    damage_bytes(rng, path)
    return indexing(room, path)


@generator
def features_of_another_kind(rng: np.random.Generator, room: Path) -> Case:
    """Arrays that are no features, headers that are programs, names without end, and what is no file."""
    path, header = room / "features.npz", b"\x93NUMPY\x01\x00"
    texts = (
        b"{'descr': '|O', 'fortran_order': False, 'shape': (4, 5)}",
        b"{'descr': '<f4', 'fortran_order': False, 'shape': (4, -5)}",
        b"{'descr': '<f4', 'fortran_order': False, 'shape': (" + b"1," * 4000 + b")}",
        b"(" * 9000 + b"1" + b")" * 9000,
        b"__import__('os').system('touch owned')",
        b"{'descr': [('a', '<f4', (1000000000, 1000))], 'fortran_order': False, 'shape': (4, 5)}",
        b"{'descr': '<U1000000000', 'fortran_order': False, 'shape': (4, 5)}",
    )
    kind = int(rng.integers(len(texts) + 4))
    if kind < len(texts):
        text = texts[kind]
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(f"{NAME}.npy", header + len(text).to_bytes(2, "little") + text + bytes(1000))
    elif kind == len(texts):
        np.savez(path, **{NAME: np.full((4, FEATURES), any_of(rng, (np.nan, np.inf, 1e300)))})
    elif kind == len(texts) + 1:
        np.savez(path, **{NAME: np.ones((4, FEATURES + DIM))})
    elif kind == len(texts) + 2:
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    return indexing(room, path)
