"""What a commit may ask for: the rules that every store shares, whatever it keeps its data in."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import attrs

from hgrkit.errors import ConfigError, ShapeError
from hgrkit.library.records import VideoRecord
from hgrkit.library.store import Entry, Rename
from hgrkit.library.video_row import path_bytes, stored_record

__all__ = ["check_entries", "effective_renames"]


def check_entries(put: Sequence[Entry], embed_dim: int) -> None:
    """Refuse what no library may hold.

    Raises:
        ConfigError: if a path is put twice, cannot be stored, or its state does not agree with its clips.
        ShapeError: if a clip has another embedding size.
    """
    if len({path_bytes(entry.record.path) for entry in put}) != len(put):
        raise ConfigError("a commit puts a path twice; put each video once.")
    for record, clips in ((entry.record, entry.clips) for entry in put):
        stored_record(record, clips=len(clips))
        if (record.state == "indexed") != bool(clips):
            raise ConfigError(
                f"an indexed video needs at least one clip and a failed one has none; {record.path!r} is "
                f"{record.state} with {len(clips)} clips."
            )
        sizes = {clip.event.size for clip in clips} - {embed_dim}
        if sizes:
            raise ShapeError(f"clips of {record.path!r} have embed_dim {min(sizes)}, the library has {embed_dim}.")


def effective_renames(
    renames: Sequence[Rename],
    *,
    find: Callable[[str], VideoRecord | None],
    gone: Collection[str],
    put: Sequence[Entry],
) -> tuple[Rename, ...]:
    """The renames that change something, with their records as they come back.

    Args:
        renames: what was asked for.
        find: the video of a path, as it is before the commit.
        gone: paths that the commit removes.
        put: what the commit puts.

    Raises:
        ConfigError: if a video is not there, is of another state, or two get the same path.
    """
    targets = [rename.record.path for rename in renames] + [entry.record.path for entry in put]
    if len({rename.path for rename in renames}) != len(renames) or len(set(targets)) != len(targets):
        raise ConfigError("a commit renames a video twice, or two videos get the same path; rename each once.")
    changed: list[Rename] = []
    for rename in renames:
        found = None if rename.path in gone else find(rename.path)
        if found is None:
            raise ConfigError(f"{rename.path!r} cannot be renamed: the library does not have it.")
        if found.state != rename.record.state:
            raise ConfigError(
                f"{rename.path!r} is {found.state} and cannot become {rename.record.state} by being renamed; "
                "put it again."
            )
        record = stored_record(rename.record, clips=0)
        if record != attrs.evolve(found, clips=0):
            changed.append(Rename(rename.path, record))
    return tuple(changed)
