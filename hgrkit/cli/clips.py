"""What `hgrkit search --clips-out DIR --open` does with the hits, and what it says about it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from hgrkit.cli.output import clock, printable, stderr
from hgrkit.errors import ConfigError, DecodeError, MissingPackageError

if TYPE_CHECKING:
    from rich.text import Text

    from hgrkit.clips import MomentClip
    from hgrkit.results import SearchResult

__all__ = ["check_clips_folder", "clips_text", "cut_moments", "open_file", "play_first"]

_LOOK_S = 2.0
"""How long the launcher is given to report an error; one that still runs then is taken to play the file."""


def check_clips_folder(folder: Path) -> None:
    """Refuse before anything is searched or served what cannot take clips.

    Raises:
        ConfigError: if it is a file, or lies inside a library.
    """
    from hgrkit.library.database import library_around

    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"--clips-out names a folder, and {folder.name!r} is a file; name another one.")
    if (library := library_around(folder)) is not None:
        raise ConfigError(f"--clips-out {folder} is inside the library {library}; choose a folder outside it.")


def open_file(path: Path) -> None:
    """Open a file with the desktop's default program, and do not wait for that to end.

    Raises:
        MissingPackageError: if the desktop has no launcher, or it finds no program.
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
    launcher = "open" if sys.platform == "darwin" else "xdg-open"
    try:
        process = subprocess.Popen(  # noqa: S603 - the platform's, with an absolute path
            [launcher, os.fspath(target)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        raise MissingPackageError(
            f"--open needs {launcher}, which is not installed; open the clip by hand: {target}"
        ) from error
    with suppress(subprocess.TimeoutExpired):
        if process.wait(_LOOK_S):
            raise MissingPackageError(
                f"{launcher} found nothing that plays {target.suffix} files here; open the clip by hand: {target}"
            )
    process.returncode = process.returncode or 0  # it plays on after this program has ended


def cut_moments(result: SearchResult, folder: Path | None, *, exact: bool) -> tuple[MomentClip, ...]:
    """Cut every hit into a folder, or without one the first hit into a temporary folder; warn of what fails.

    Args:
        result: the hits.
        folder: where the clips go.
        exact: re-encode every moment, exact to a frame.
    """
    from rich.text import Text

    from hgrkit.cli.progress import PortionBar
    from hgrkit.clips import cut_hits

    hits = result.hits if folder is not None else result.hits[:1]
    if not hits:
        return ()
    target = folder or Path(tempfile.mkdtemp(prefix="hgrkit-clips-"))
    with PortionBar("cutting") as bar:
        clips = cut_hits(hits, target, exact=exact, on_progress=bar.show)
    for clip in clips:
        if clip.problem:
            name, problem = printable(PurePath(clip.video).name), printable(clip.problem)
            stderr().print(
                Text(f"hgrkit: no clip of hit {clip.rank}, {name}: {problem}{_elsewhere(clip.video)}"),
                soft_wrap=True,
            )
    return clips


def _elsewhere(video: str) -> str:
    """Explain a relative path, as earlier versions kept it, at which there is nothing."""
    if Path(video).is_absolute() or Path(video).exists():
        return ""
    return " Its path is relative: run `hgrkit index` again where it was indexed."


def clips_text(clips: Sequence[MomentClip]) -> Text:
    """Return a heading, and a line for each clip: its file, its actual span, and how it was made."""
    from rich.text import Text

    lines = [
        Text.assemble(
            (f"{clip.rank:>3}", "bold"),
            f"  {printable(str(clip.path))}  {clock(clip.start_s)}-{clock(clip.end_s)}  ",
            (
                f"encoded: {printable(clip.encoded)}" if clip.encoded else "copied from a key frame on",
                "bright_black",
            ),
        )
        for clip in clips
        if clip.path is not None
    ]
    return Text("\n").join([Text("\nclips"), *lines])


def play_first(clips: Sequence[MomentClip]) -> None:
    """Open the first clip that was cut.

    Raises:
        DecodeError: if there is none.
        MissingPackageError: if nothing opens it.
    """
    for clip in clips:
        if clip.path is not None:
            open_file(clip.path)
            return
    raise DecodeError("--open: there is no clip to play.")
