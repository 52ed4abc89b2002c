"""Opens files that somebody else may have put there: regular ones, and never one that is waited for."""

from __future__ import annotations

import errno
import os
import stat

__all__ = ["open_regular", "require_regular"]

_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}
# O_NONBLOCK: a pipe is opened at once, and refused. Windows has none of these, and no named pipes in folders.
_FLAGS = sum(getattr(os, name, 0) for name in ("O_BINARY", "O_CLOEXEC", "O_NOCTTY", "O_NONBLOCK"))


def open_regular(path: str | os.PathLike[str], *, follow_links: bool = True) -> int:
    """Open a regular file for reading; returns its descriptor, which the caller closes.

    Args:
        path: the file.
        follow_links: whether the file itself may be a symbolic link; its folders always may.

    Raises:
        OSError: if it cannot be opened, or is a named pipe, a socket, a device or a folder. None is waited for.
    """
    status = os.stat(path, follow_symlinks=follow_links)  # noqa: PTH116 - of what `os.open` is given
    require_regular(status, path)  # opening a device may do something
    try:
        descriptor = os.open(path, os.O_RDONLY | _FLAGS | (0 if follow_links else getattr(os, "O_NOFOLLOW", 0)))
    except OSError as error:
        if error.errno == errno.ELOOP and not follow_links:
            raise OSError(errno.ELOOP, "it is a link now", os.fspath(path)) from error
        raise
    try:
        require_regular(os.fstat(descriptor), path)  # it may have been replaced meanwhile
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def require_regular(status: os.stat_result, path: str | os.PathLike[str]) -> None:
    """Raise `OSError` unless the status is that of a regular file."""
    if not stat.S_ISREG(status.st_mode):
        is_link = stat.S_ISLNK(status.st_mode)
        kind = "it is a link now" if is_link else f"it is {_KINDS.get(stat.S_IFMT(status.st_mode), 'no file')}"
        number = errno.ELOOP if is_link else errno.EISDIR if stat.S_ISDIR(status.st_mode) else errno.EINVAL
        raise OSError(number, kind, os.fspath(path))
