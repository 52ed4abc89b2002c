"""What must be true of a library after anything that happened to its writer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hgrkit.errors import LibraryNotFoundError
from hgrkit.library import Library, QueryEmbeddings, SearchSettings
from hgrkit.library.repair import repair_library
from hgrkit.library.verify import verify_library
from tests.torture.child import Say, in_child
from tests.torture.content import DIM, MANIFEST, Video, digest_of, found_in
from tests.torture.plan import Held

ADDED = Video("added-afterwards.mp4", 77, 2)


def query(seed: int) -> QueryEmbeddings:
    """A sentence: one event, up to two actions and three entities."""
    random = np.random.default_rng([9, seed])
    actions, entities = int(random.integers(0, 3)), int(random.integers(0, 4))
    return QueryEmbeddings(
        event=random.normal(size=DIM),
        action=random.normal(size=(actions, DIM)),
        entity=random.normal(size=(entities, DIM)),
    )


def problems_of(
    folder: Path,
    allowed: Sequence[Held],
    *,
    after: Sequence[Held] | None = None,
    mend: bool = False,
    timeout_s: float = 60.0,
) -> list[str]:
    """What is wrong with a library whose writer is gone; `kind: detail` each, nothing if it is whole.

    It is read, verified, opened for writing, added to and read again.

    Args:
        folder: the library.
        allowed: what it may hold, `None` for no library.
        after: what it may hold once the next writer came; by default what was held, or a later one of `allowed`,
            as SQLite's log may hold a commit that the killed writer had not told of.
        mend: whether it is repaired first.
        timeout_s: after that it hangs.
    """

    def examine(say: Say) -> None:
        if mend:
            repair_library(folder)
        _examine(folder, allowed, after, say)

    ended = in_child(examine, timeout_s=timeout_s)
    if ended.how != "returned":
        return [*ended.said, f"unreadable: {ended.how}: {ended.what}"]
    return list(ended.said)


def _examine(folder: Path, allowed: Sequence[Held], after: Sequence[Held] | None, say: Say) -> None:
    try:
        held = found_in(folder)
    except LibraryNotFoundError:
        if None not in allowed:
            say("unreadable: there is no library")
            return
        Library.create(folder, MANIFEST).close()
        held = found_in(folder)
        allowed = [*allowed, {}]
    _compare(held, allowed, say)
    _search(folder, held, say)
    _verify(folder, say)
    with Library.open(folder, "w", candidates="hnsw") as library:
        library.add(ADDED.record, ADDED.entry.clips)
    later = after or [held, *(allowed[allowed.index(held) + 1 :] if held in allowed else ())]
    now = found_in(folder)
    if now not in [{**state, ADDED.path: digest_of(ADDED)} for state in later if state is not None]:
        say("lost: the next writer changed what was there")
    _search(folder, now, say)
    _verify(folder, say)
    for name in _leftovers(folder):
        say(f"leftover: {name}")


def _compare(held: Held, allowed: Sequence[Held], say: Say) -> None:
    if held in allowed or held is None:
        return
    states = [state for state in allowed if state is not None]
    for path in sorted({*held, *(path for state in states for path in state)}):
        values = {state.get(path) for state in states}
        if held.get(path) not in values:
            kind = "lost" if path not in held else "half" if None not in values else "ghost"
            say(f"{kind}: {path}")
    if all(held.get(path) in {state.get(path) for state in states} for path in held):
        say("half: a commit is there in part")


def _search(folder: Path, held: dict[str, str], say: Say) -> None:
    with Library.open(folder, candidates="hnsw") as library:
        indexed = set(library.indexed_paths())
        for settings in (SearchSettings(exhaustive=True), SearchSettings(exhaustive=False, candidates=8)):
            matches = library.search(query(0), 5, settings=settings)
            if len(matches) != min(5, len(indexed)) or not {match.video for match in matches} <= held.keys():
                say(f"search: {len(matches)} answers among {len(indexed)} videos")


def _verify(folder: Path, say: Say) -> None:
    for damage in damages(folder):
        say(f"verify: {damage}")


def damages(folder: Path) -> list[str]:
    """What `hgrkit verify` finds damaged."""
    return [f"{damage.file}: {damage.problem}" for damage in verify_library(folder).damages]


def _leftovers(folder: Path) -> list[str]:
    """Files that a closed library has no use for."""
    pattern = re.compile(
        r"library\.sqlite|writer\.lock|cache/ann\.(hnsw|json)|cache/features/[0-9a-f]{64}\.safetensors(\.tmp)?|"
        r"damaged/.*"
    )
    newest = max(folder.glob("arrays/clips-*.bin"), key=lambda path: int(path.stem.split("-")[1]), default=None)
    generation = "" if newest is None else newest.stem.split("-")[1]
    arrays = {f"arrays/clips-{generation}.bin", f"arrays/frames-{generation}.bin"}
    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    return sorted(name for name in names if name not in arrays and not pattern.fullmatch(name))
