"""A folder that is held open: what is read, written and deleted through it lies in it, whatever its path leads to.

Names are relative to the folder, with `/` between them. No link on the way is followed, at the end neither: where
the system has them, names are looked up from the folder's handle (`openat`), so that nobody can put a link in
their way meanwhile. Windows has no such calls: there every part of a name is looked at first, and used by its
path.
"""

# Names are looked up from handles, which `pathlib` cannot do.
# ruff: noqa: PTH100, PTH116, PTH208

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from hgrkit.errors import DamagedLibraryError, LibraryError

__all__ = ["Identity", "OpenFolder"]

Identity = tuple[int, int]
"""Device and number of a file: what a path leads to, as long as these two are the same."""

_HANDLES = {os.open, os.stat, os.unlink, os.rename, os.mkdir} <= os.supports_dir_fd and hasattr(os, "O_DIRECTORY")
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0)
_FILE = getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0) | _NO_LINK  # opening a pipe must not wait
_PARTS = frozenset({"", ".", ".."})
_REPARSE_POINT = getattr(stat, "FILE_ATTRIBUTE_REPARSE_POINT", 0)  # links and junctions of Windows


class OpenFolder:
    """A folder, held open until `close`; a forked child has it, too.

    Attributes:
        path: where it was when it was opened, absolute.
        identity: which folder it is.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Open a folder; links that lead to it are followed.

        Raises:
            OSError: if there is none.
        """
        self._handle = -1
        self.path = Path(os.path.abspath(path))
        if _HANDLES:
            self._handle = os.open(self.path, _FOLDER)
        self.identity: Identity = _identity(os.fstat(self._handle) if _HANDLES else os.stat(self.path))

    def require_same(self) -> None:
        """Refuse to go on once another folder, or none, is at the path.

        Raises:
            LibraryError: if it was moved, replaced or deleted.
        """
        try:
            same = _identity(os.stat(self.path)) == self.identity
        except OSError:
            same = False
        if not same:
            raise LibraryError(f"{self.path} was moved, replaced or deleted while it was in use; open it again.")

    def open(self, name: str, flags: int = os.O_RDONLY, mode: int = 0o666) -> int:
        """Open a file, and return its descriptor.

        Raises:
            FileNotFoundError: if there is none.
            DamagedLibraryError: if it is a link, a pipe, a device or a folder.
        """
        with self._place(name) as (handle, last):
            found = self.status(name)
            if found is not None and not stat.S_ISREG(found.st_mode):
                raise self._no_file(name)
            try:
                descriptor = os.open(last, flags | _FILE, mode, dir_fd=handle)
            except OSError as error:
                error.filename = os.fspath(self.path / name)
                raise
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):  # it came between the two
                os.close(descriptor)
                raise self._no_file(name)
            return descriptor

    def read(self, name: str, most: int) -> bytes | None:
        """Read a small file; `None` if there is none.

        Raises:
            DamagedLibraryError: if it is a link, a pipe, a device or a folder.
        """
        try:
            descriptor = self.open(name)
        except FileNotFoundError:
            return None
        with os.fdopen(descriptor, "rb") as file:
            return file.read(most)

    def write(self, name: str, content: bytes, *, mode: int = 0o666, durable: bool = True) -> None:
        """Write a file that exists whole or not at all; a durable one survives a crash once this returns."""
        self._parts(name)
        temporary = f"{name}.tmp"
        try:
            self.unlink(temporary)
            descriptor = self.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            try:
                while content:
                    content = content[os.write(descriptor, content) :]
                if durable:
                    os.fsync(descriptor)
            finally:
                os.close(descriptor)
            self.replace(temporary, name)
            if durable:
                self.sync(os.path.dirname(name))  # noqa: PTH120
        except OSError:
            with suppress(OSError):
                self.unlink(temporary)
            raise

    def status(self, name: str) -> os.stat_result | None:
        """What is known of what has a name, which may be a link; `None` if nothing has."""
        try:
            with self._place(name) as (handle, last):
                return os.stat(last, dir_fd=handle, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def is_file(self, name: str) -> bool:
        """Whether a name is that of a file, and no link."""
        try:
            found = self.status(name)
        except DamagedLibraryError:
            return False
        return found is not None and stat.S_ISREG(found.st_mode)

    def names(self, folder: str = "") -> list[str]:
        """What a folder below this one, or this one, holds, in order; nothing if there is no such folder.

        Raises:
            DamagedLibraryError: if it is a link.
        """
        try:
            with self._place(f"{folder}/x" if folder else "x") as (handle, last):
                at: int | str = os.path.dirname(last) if handle is None else handle  # noqa: PTH120
                return sorted(os.listdir(at))
        except FileNotFoundError:
            return []

    def make(self, folder: str) -> bool:
        """Make a folder unless there is one; whether it was made. The folders above it must be there.

        Raises:
            DamagedLibraryError: if its name is that of a link or a file.
        """
        with self._place(folder) as (handle, last):
            try:
                os.mkdir(last, dir_fd=handle)
            except FileExistsError:
                with self._place(f"{folder}/x"):
                    return False
        self.sync(os.path.dirname(folder))  # noqa: PTH120
        return True

    def unlink(self, name: str) -> None:
        """Delete a file, or a link itself; what is not there is no matter."""
        with suppress(FileNotFoundError), self._place(name) as (handle, last):
            os.unlink(last, dir_fd=handle)

    def remove(self, folder: str) -> None:
        """Delete a folder that is empty; any other stays."""
        with suppress(OSError), self._place(folder) as (handle, last):
            os.rmdir(last, dir_fd=handle)

    def replace(self, name: str, new: str) -> None:
        """Give a file another name; who has it already is replaced."""
        with self._place(name) as (handle, last), self._place(new) as (other, target):
            os.replace(last, target, src_dir_fd=handle, dst_dir_fd=other)

    def sync(self, folder: str = "") -> None:
        """Make the names in a folder below, or in this one, durable; Windows does so by itself."""
        if _HANDLES:
            with self._place(f"{folder}/x" if folder else "x") as (handle, _):
                os.fsync(handle or 0)

    def another_handle(self) -> int:
        """Open this folder once more, such as to lock it; -1 where folders cannot be opened."""
        return os.open(".", _FOLDER, dir_fd=self._handle) if _HANDLES else -1

    def close(self) -> None:
        """Let go of the folder; a second call does nothing."""
        handle, self._handle = self._handle, -1
        if handle >= 0:
            os.close(handle)

    def __enter__(self) -> OpenFolder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    @contextmanager
    def _place(self, name: str) -> Iterator[tuple[int | None, str]]:
        """The handle of the folder that a name's last part lies in, and that part; without handles, the path."""
        *above, last = self._parts(name)
        if not _HANDLES:
            yield None, os.fspath(self._looked_at(above) / last)
            return
        opened: list[int] = []
        handle = self._handle
        try:
            for part in above:
                try:
                    handle = os.open(part, _FOLDER | _NO_LINK, dir_fd=handle)
                except NotADirectoryError:
                    raise self._no_folder(part) from None
                except OSError as error:
                    if error.errno == errno.ELOOP:
                        raise self._no_folder(part) from None
                    raise
                opened.append(handle)
            yield handle, last
        finally:
            for each in opened:
                os.close(each)

    def _parts(self, name: str) -> list[str]:
        """The parts of a name, none of which leads elsewhere."""
        parts = name.split("/")
        if _PARTS.intersection(parts) or "\0" in name or (os.sep != "/" and os.sep in name):
            raise DamagedLibraryError(f"{name!r} is no name of a file in {self.path}.")
        return parts

    def _looked_at(self, above: list[str]) -> Path:
        path = self.path
        for part in above:
            path = path / part
            found = os.lstat(path)
            is_link = stat.S_ISLNK(found.st_mode) or getattr(found, "st_file_attributes", 0) & _REPARSE_POINT
            if is_link or not stat.S_ISDIR(found.st_mode):
                raise self._no_folder(part)
        return path

    def _no_folder(self, name: str) -> DamagedLibraryError:
        return DamagedLibraryError(
            f"{self.path / name} is a link or no folder, and no link in a library is followed; put a folder there."
        )

    def _no_file(self, name: str) -> DamagedLibraryError:
        return DamagedLibraryError(
            f"{self.path / name} is a link or no file, and no link in a library is followed; put a file there."
        )


def _identity(found: os.stat_result) -> Identity:
    return found.st_dev, found.st_ino
