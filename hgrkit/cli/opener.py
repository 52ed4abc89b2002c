"""Opens a file with whatever the desktop plays such files with."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from hgrkit.errors import MissingPackageError

__all__ = ["open_file"]

_LOOK_S = 2.0
"""How long an opener is given to say that it cannot; one that still runs then is taken to play the file."""


def open_file(path: Path) -> None:
    """Hand a file to the platform's opener, and do not wait for the player.

    Raises:
        MissingPackageError: if there is no opener, or it says that it cannot.
    """
    target = path.resolve()
    if sys.platform == "win32":
        try:
            os.startfile(target)  # noqa: S606
        except OSError as error:
            raise MissingPackageError(
                f"nothing opens {target.name!r} ({error.strerror}); open it yourself: {target}"
            ) from error
        return
    opener = "open" if sys.platform == "darwin" else "xdg-open"
    try:
        process = subprocess.Popen(  # noqa: S603 - the platform's, with an absolute path
            [opener, os.fspath(target)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        raise MissingPackageError(
            f"--open needs {opener}, which is not installed; the clip is there to be opened by hand: {target}"
        ) from error
    with suppress(subprocess.TimeoutExpired):
        if process.wait(_LOOK_S):
            raise MissingPackageError(
                f"{opener} found nothing that plays {target.suffix} files here; open the clip by hand: {target}"
            )
    process.returncode = process.returncode or 0  # it plays on after this program has ended
