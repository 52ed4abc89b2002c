"""The compiled kernel, where there is one: `kernel.c` as a shared library, called by its addresses.

It knows nothing of Python: one build serves every Python, and threads run side by side, without its lock.
`HGRKIT_KERNEL` names the variant to use, such as `numpy`; without it the processor's fastest is used.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.errors import ConfigError

__all__ = ["LIBRARY", "VARIABLE", "Kernel", "MappedFile", "chosen_kernel", "kernel_names", "store_halves"]

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]

VARIABLE = "HGRKIT_KERNEL"

LIBRARY = Path(__file__).with_name("libkernel.dll" if sys.platform == "win32" else "libkernel.so")
"""Where `hatch_build.py` puts the compiled kernel."""

_VERSION = 4
"""`hgrkit_kernel_version` of the library that this module can call."""

_LANES = 16
"""Numbers in the longest vector: the rows of nodes are filled up to a multiple."""

_WORTH_A_THREAD = 1 << 21
"""Products of frames and nodes that take about 0.1 ms, twice what a thread takes to start."""


class _Rows(ctypes.Structure):
    _fields_ = (
        ("data", ctypes.c_void_p),
        ("stride", ctypes.c_ssize_t),
        ("dim", ctypes.c_ssize_t),
        ("half", ctypes.c_int32),
    )


class _Units(ctypes.Structure):
    _fields_ = (("data", ctypes.c_void_p), ("count", ctypes.c_ssize_t), ("width", ctypes.c_ssize_t))


class _Settings(ctypes.Structure):
    _fields_ = (("sharpness", ctypes.c_float), ("embed", ctypes.c_int32))


@attrs.frozen
class Kernel:
    """One variant of the compiled kernel. It checks nothing: arguments that do not fit read foreign memory.

    Attributes:
        name: such as `avx2`.
    """

    name: str

    def similarities(
        self,
        frames: npt.NDArray[Any],
        starts: IntArray,
        counts: IntArray,
        units: FloatArray,
        *,
        sharpness: float,
        embed: bool,
        num_threads: int | None,
        weights: FloatArray | None = None,
    ) -> FloatArray:
        """Similarities [V, P] of clips and unit nodes [P, D], as `clip_similarities` says.

        Where `weights` is given, it is filled with the frames' weights, each clip's [P, F], end to end.
        """
        similarities = np.empty((len(starts), len(units)), np.float32)
        padded = _padded(units)
        rows, nodes, settings = _rows(frames), _units(padded, len(units)), _Settings(sharpness, embed)
        offsets = np.cumsum(counts) - counts

        def fill(part: slice) -> None:
            _check(
                _library().hgrkit_similarities(
                    self.name.encode(),
                    ctypes.byref(rows),
                    starts[part].ctypes.data,
                    counts[part].ctypes.data,
                    part.stop - part.start,
                    ctypes.byref(nodes),
                    ctypes.byref(settings),
                    similarities[part].ctypes.data,
                    offsets[part].ctypes.data,
                    None if weights is None else weights.ctypes.data,
                )
            )

        _in_threads(fill, offsets + counts, padded.size, num_threads)
        return similarities

    def cosines(self, rows: npt.NDArray[Any], unit: FloatArray, *, num_threads: int | None) -> FloatArray:
        """Cosines [N] of rows [N, D] and a unit node [D]."""
        cosines = np.empty(len(rows), np.float32)
        padded = _padded(unit[None])
        node = _units(padded, 1)

        def fill(part: slice) -> None:
            some = _rows(rows[part])
            _check(
                _library().hgrkit_cosines(
                    self.name.encode(),
                    ctypes.byref(some),
                    part.stop - part.start,
                    ctypes.byref(node),
                    cosines[part].ctypes.data,
                )
            )

        _in_threads(fill, np.arange(1, len(rows) + 1), padded.size, num_threads)
        return cosines

    def scenes(self, gram: FloatArray, *, penalty: float, shortest: int) -> IntArray:
        """Where the last scene of each first part begins, [F + 1], from inner products [F, F] of unit frames."""
        gram, previous = np.ascontiguousarray(gram), np.empty(len(gram) + 1, np.int64)
        _check(_library().hgrkit_scenes(gram.ctypes.data, len(gram), penalty, shortest, previous.ctypes.data))
        return previous


def store_halves(kernel: Kernel | None, values: FloatArray, halves: npt.NDArray[np.float16]) -> float:
    """Round numbers [N, D] to float16, into rows that may lie apart, and return the largest magnitude.

    Where it is compiled, that takes a tenth of numpy's time, which goes number by number.
    """
    if kernel is not None and values.flags.c_contiguous and halves.strides[1] == halves.itemsize:
        places = values.ctypes.data, *values.shape, halves.ctypes.data, halves.strides[0]
        largest: float = _library().hgrkit_rounded(kernel.name.encode(), *places)
        if largest >= 0:
            return largest
    with np.errstate(over="ignore"):
        halves[:] = values
    return float(np.abs(values).max(initial=0))


class MappedFile:
    """The first bytes of a file, mapped: `numpy.asarray` makes an array [N] of uint8 that keeps the mapping.

    What the file loses meanwhile, and what its disk cannot read, reads as zeros, and `is_lost` tells. Where
    nothing is compiled the file's size is looked at instead: what it loses between that and the reading ends the
    process.
    """

    def __init__(self, descriptor: int, size: int) -> None:
        """Map a file that is open, which may be closed afterwards; `size` is at least 1."""
        library = _library()
        self._place: int = -1 if library is None else library.hgrkit_map(descriptor, size)
        self._size, self._map = size, None
        if self._place < 0:
            self._map = mmap.mmap(descriptor, size, access=mmap.ACCESS_READ)

    @property
    def __array_interface__(self) -> dict[str, Any]:
        """Where the bytes are."""
        data = np.frombuffer(self._map, np.uint8) if self._map is not None else None
        address = _library().hgrkit_mapped(self._place) if data is None else data.ctypes.data
        return {"shape": (self._size,), "typestr": "|u1", "data": (address, True), "version": 3}

    @property
    def is_lost(self) -> bool:
        """Whether something that was read was not there, or may not be."""
        if self._map is not None:
            return self._map.size() < self._size
        return bool(_library().hgrkit_lost(self._place))

    def release(self, first: int, size: int) -> None:
        """Let the system take back the memory of some bytes; they are read again when they are wanted."""
        if self._map is None:
            _library().hgrkit_release(self._place, first, size)
        elif hasattr(mmap, "MADV_DONTNEED"):
            start = first // mmap.PAGESIZE * mmap.PAGESIZE
            self._map.madvise(mmap.MADV_DONTNEED, start, first + size - start)

    def __del__(self) -> None:
        if self._place >= 0:
            _library().hgrkit_unmap(self._place)
            self._place = -1


def chosen_kernel(environment: Mapping[str, str] = os.environ) -> Kernel | None:
    """The variant to use; `None` is numpy, where nothing is compiled or `HGRKIT_KERNEL` says so.

    Raises:
        ConfigError: if `HGRKIT_KERNEL` names what does not run here.
    """
    names, wanted = kernel_names(), environment.get(VARIABLE, "")
    name = wanted or names[0]
    if name not in names:
        listed = ", ".join(map(repr, names))
        raise ConfigError(f"{VARIABLE} is {wanted!r}, which does not run here; set it to one of: {listed}.")
    return None if name == "numpy" else Kernel(name)


@cache
def kernel_names() -> tuple[str, ...]:
    """The variants that run here, the fastest first; the last is `numpy`."""
    library = _library()
    names: list[str] = []
    while library is not None and (name := library.hgrkit_kernel_name(len(names))) is not None:
        names.append(name.decode())
    return (*names, "numpy")


@cache
def _library() -> Any:
    """The compiled kernel, or `None` if there is none that this module can call."""
    try:
        library = ctypes.CDLL(os.fspath(LIBRARY))
        if library.hgrkit_kernel_version() != _VERSION:
            return None
    except (OSError, AttributeError):
        return None
    pointer, number, text = ctypes.c_void_p, ctypes.c_int64, ctypes.c_char_p
    library.hgrkit_kernel_name.restype = text
    library.hgrkit_kernel_name.argtypes = [ctypes.c_int32]
    library.hgrkit_similarities.argtypes = [text, pointer, pointer, pointer, number, *[pointer] * 5]
    library.hgrkit_cosines.argtypes = [text, pointer, number, pointer, pointer]
    library.hgrkit_scenes.argtypes = [pointer, number, ctypes.c_double, number, pointer]
    library.hgrkit_map.argtypes = [ctypes.c_int32, number]
    library.hgrkit_mapped.restype = pointer
    library.hgrkit_mapped.argtypes = [ctypes.c_int32]
    library.hgrkit_lost.argtypes = [ctypes.c_int32]
    library.hgrkit_release.argtypes = [ctypes.c_int32, number, number]
    library.hgrkit_unmap.argtypes = [ctypes.c_int32]
    library.hgrkit_release.restype = library.hgrkit_unmap.restype = None
    library.hgrkit_rounded.restype = ctypes.c_float
    library.hgrkit_rounded.argtypes = [text, pointer, number, number, pointer, number]
    return library


def _check(status: int) -> None:
    if status:
        raise MemoryError("there is no memory to compare clips")


def _rows(array: npt.NDArray[Any]) -> _Rows:
    return _Rows(array.ctypes.data, array.strides[0], array.shape[1], array.dtype == np.float16)


def _units(padded: FloatArray, count: int) -> _Units:
    return _Units(padded.ctypes.data, count, padded.shape[1])


def _padded(units: FloatArray) -> FloatArray:
    """Rows filled up with zeros, so that whole vectors can be read."""
    padded = np.zeros((len(units), -(-units.shape[1] // _LANES) * _LANES), np.float32)
    padded[:, : units.shape[1]] = units
    return padded


def _in_threads(fill: Callable[[slice], None], frames: IntArray, products: int, num_threads: int | None) -> None:
    """Fill in parts of clips at the same time, each with about as many frames as the others.

    Args:
        fill: does one part.
        frames: of each clip and all before it, [V].
        products: what one frame takes.
        num_threads: at most so many.
    """
    if not len(frames):
        return
    worth = int(frames[-1]) * products // _WORTH_A_THREAD
    count = min(num_threads or num_cores(), worth) if worth > 1 else 1
    if count == 1:
        fill(slice(0, len(frames)))
        return
    edges = np.searchsorted(frames, np.linspace(0, int(frames[-1]), count + 1)[1:-1], side="right")
    cuts = [0, *edges.tolist(), len(frames)]
    parts = [slice(*pair) for pair in pairwise(cuts) if pair[0] < pair[1]]
    with ThreadPoolExecutor(len(parts)) as pool:
        for _ in pool.map(fill, parts):
            pass


def num_cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
