"""Looks at a checkpoint of torch before torch reads it: tensors by name, no larger than the file, nothing else.

torch's reader of weights runs no code of a file, but calls some forty functions that a file may name, with sizes
that it may state, and a checkpoint is a zip archive whose members could be packed. What is let through here are
dictionaries with names as keys, and tensors.
"""

from __future__ import annotations

import os
import pickletools
import zipfile
from pathlib import Path
from typing import BinaryIO, Never, final

from hgrkit.errors import ReleaseError
from hgrkit.storage.regular_file import open_regular

__all__ = ["look_at_checkpoint"]

_MOST_MEMBERS = 10_000  # of an archive; a checkpoint has one a tensor, some 30
_MOST_PICKLE_BYTES = 16 << 20  # a released one has some 5 kB
_MOST_STEPS = 1_000_000
_LEGACY_PICKLES = 5  # a magic number, a version, the machine, the tensors, the names of their bytes
_LEGACY_START = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."

_KINDS = "BFloat16 Bool Byte Char Double Float Half Int Long Short"
_GLOBALS = {
    "collections OrderedDict",
    "torch._utils _rebuild_parameter",
    "torch._utils _rebuild_tensor",
    "torch._utils _rebuild_tensor_v2",
    *(f"torch {kind}Storage" for kind in _KINDS.split()),
}
_PUSHED = {
    "EMPTY_DICT",
    "EMPTY_LIST",
    "EMPTY_TUPLE",
    "BININT",
    "BININT1",
    "BININT2",
    "LONG1",
    "NEWTRUE",
    "NEWFALSE",
}
_PUSHED |= {"NONE", "BINFLOAT", "GLOBAL"}
_TAKEN = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3, "REDUCE": 2, "BINPERSID": 1}
_DROPPED = {"BUILD": 1, "APPEND": 1}


def look_at_checkpoint(path: Path) -> int:
    """Refuse a checkpoint that holds anything but tensors by name; nothing of it is computed.

    Returns:
        The size of the file, in bytes, which all its tensors together cannot exceed.

    Raises:
        ReleaseError: if it cannot be read, is packed, or its pickle does what a checkpoint's need not do.
    """
    try:
        with os.fdopen(open_regular(path), "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if file.read(len(_LEGACY_START)) == _LEGACY_START:
                _look_at_legacy(path, file)
            else:
                _look_at_archive(path, file)
    except OSError as error:
        raise ReleaseError(f"{path} cannot be read: {error.strerror or error}.") from error
    return size


def _look_at_archive(path: Path, file: BinaryIO) -> None:
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            names = [info.filename for info in members]
            pickles = [info for info in members if info.filename.rpartition("/")[2] == "data.pkl"]
            if len(members) > _MOST_MEMBERS or len({*names}) < len(names) or len(pickles) != 1:
                _refuse(path, "is no archive of one pickle and of tensors")
            if any(info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1 for info in members):
                _refuse(path, "is packed or encrypted, which torch's own are not")
            if pickles[0].file_size > _MOST_PICKLE_BYTES:
                _refuse(path, f"has a pickle of {pickles[0].file_size} bytes")
            with archive.open(pickles[0]) as pickle:
                _Look(path).read(pickle)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, UnicodeError) as error:
        _refuse(path, f"is no sound archive ({error})")


def _look_at_legacy(path: Path, file: BinaryIO) -> None:
    """What torch wrote before 1.6: pickles one after the other, then the bytes of the tensors."""
    for _ in range(_LEGACY_PICKLES - 1):
        _Look(path).read(file)


@final
class _Look:
    """Follows a pickle step by step with what is a text on its stack, and nothing of what else stands there.

    Keys are texts: those of tuples, nested some forty times, would take for ever to be hashed.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stack: list[bool] = []  # whether each is a text
        self._marks: list[int] = []
        self._memo: dict[int, bool] = {}

    def read(self, file: object) -> None:
        """Read one pickle from where the file stands."""
        try:
            for steps, (code, argument, _) in enumerate(pickletools.genops(file)):  # type: ignore[arg-type]
                if steps > _MOST_STEPS:
                    _refuse(self._path, f"has a pickle of more than {_MOST_STEPS} steps")
                self._step(code.name, argument)
        except ReleaseError:
            raise
        except (ValueError, IndexError, KeyError, MemoryError, OverflowError) as error:
            _refuse(self._path, f"has a damaged pickle ({str(error)[:100]})")

    def _step(self, name: str, argument: object) -> None:
        if name == "GLOBAL" and argument not in _GLOBALS:
            _refuse(self._path, f"names {str(argument)[:80]!r}, which no checkpoint needs")
        if name in ("BINUNICODE", "SHORT_BINUNICODE"):
            self._stack.append(True)
        elif name in _PUSHED:
            self._stack.append(False)
        elif name in _TAKEN:
            self._drop(_TAKEN[name])
            self._stack.append(False)
        elif name in _DROPPED:
            self._drop(_DROPPED[name])
        elif isinstance(argument, int) and name.endswith("BINPUT"):
            self._memo[argument] = self._stack[-1]
        elif isinstance(argument, int) and name.endswith("BINGET"):
            self._stack.append(self._memo[argument])
        else:
            self._mark_step(name)

    def _mark_step(self, name: str) -> None:
        if name == "MARK":
            self._marks.append(len(self._stack))
        elif name in ("TUPLE", "APPENDS", "SETITEMS"):
            items = self._drop(len(self._stack) - self._marks.pop())
            self._check_keys(items if name == "SETITEMS" else [])
            self._stack += [False] if name == "TUPLE" else []
        elif name == "SETITEM":
            self._check_keys(self._drop(2))
        elif name not in ("PROTO", "STOP"):
            _refuse(self._path, f"has a pickle with the step {name}")

    def _drop(self, count: int) -> list[bool]:
        if not 0 <= count <= len(self._stack):
            raise IndexError("it takes what is not there")
        dropped = self._stack[len(self._stack) - count :]
        del self._stack[len(self._stack) - count :]
        return dropped

    def _check_keys(self, items: list[bool]) -> None:
        if not all(items[::2]):
            _refuse(self._path, "has keys that are no names")


def _refuse(path: Path, what: str) -> Never:
    raise ReleaseError(f"{path} {what}; expected a checkpoint of weights only, as torch.save(state) writes it.")
