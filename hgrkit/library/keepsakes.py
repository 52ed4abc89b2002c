"""What a repair replaces, kept: each repair has a numbered folder in the library's folder `damaged`."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from hgrkit.library.atomic_file import sync_folder
from hgrkit.library.leftovers import DAMAGED_FOLDER

__all__ = ["Keepsakes"]


class Keepsakes:
    """The folder of one repair, made when the first file comes."""

    def __init__(self, library: Path) -> None:
        self._library = library
        self._folder: Path | None = None

    @property
    def folder(self) -> str | None:
        """The folder, relative to the library's; `None` if nothing was kept."""
        return None if self._folder is None else self._folder.relative_to(self._library).as_posix()

    def copy(self, path: Path) -> None:
        """Keep a file that stays where it is for now: another name for it, or a copy where there are no links.

        What is no file moves; what is not there is no matter.

        Raises:
            OSError: if the disk is full or fails.
        """
        if not path.is_file() or path.is_symlink():
            self.move(path)
            return
        place = self._place(path)
        try:
            os.link(path, place)
        except OSError:
            shutil.copy2(path, place)
        sync_folder(place.parent)

    def move(self, path: Path) -> None:
        """Keep a file, or whatever stands in its place, and take it away; what is not there is no matter.

        Raises:
            OSError: if the disk fails.
        """
        if not os.path.lexists(path):
            return
        place = self._place(path)
        path.rename(place)
        sync_folder(place.parent)
        sync_folder(path.parent)

    def _place(self, path: Path) -> Path:
        if self._folder is None:
            above = self._library / DAMAGED_FOLDER
            above.mkdir(exist_ok=True)
            number = 1 + max((int(other.name) for other in above.iterdir() if other.name.isdecimal()), default=0)
            self._folder = above / str(number)
            self._folder.mkdir()
            sync_folder(above)
            sync_folder(self._library)
        return self._folder / path.name
