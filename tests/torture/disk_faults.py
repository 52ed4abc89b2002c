"""A disk that is full or fails at the n-th call: an error of hgrkit's own or success, and a whole library."""

from __future__ import annotations

import errno
import shutil
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import attrs

from hgrkit.errors import HgrkitError, LibraryNotFoundError
from hgrkit.library import Library
from tests.torture import fault
from tests.torture.check import ADDED, problems_of
from tests.torture.child import Say, in_child
from tests.torture.content import MANIFEST, State, Step, Video, digest_of, expected, found_in, perform
from tests.torture.findings import Findings
from tests.torture.plan import Held

Progress = Callable[[int], None]

_VIDEOS = [Video(f"{number}.mp4", 100 + number, number % 3) for number in range(1, 6)]

SCENARIO = (
    Step("commit", put=tuple(_VIDEOS[:3])),
    Step("commit", put=(_VIDEOS[3],)),
    Step("features"),
    Step("graph"),
    Step("commit", put=(Video("1.mp4", 201, 2), _VIDEOS[4])),
    Step("commit", remove=("2.mp4",)),
    Step("commit", rename=(("4.mp4", attrs.evolve(_VIDEOS[3], path="moved.mp4")),)),
    Step("compact"),
    Step("commit", put=(Video("5.mp4", 205, 3),), remove=("3.mp4",)),
    Step("reopen"),
    Step("upgrade", put=(Video("1.mp4", 301, 2), Video("5.mp4", 305, 1), Video("moved.mp4", 304, 1))),
    Step("commit", put=(Video("6.mp4", 206, 2),)),
    Step("graph"),
)
"""What the writer wants to do, whatever fails; every kind of write that a library knows."""


@attrs.frozen
class _Case:
    """The n-th call fails in one way."""

    at: int
    how: str
    error: int
    always: bool

    def __str__(self) -> str:
        return f"{errno.errorcode[self.error]} {'from' if self.always else 'at'} call {self.at}, {self.how}"


def run(every: int, *, seed: int, folder: Path, progress: Progress = lambda done: None) -> dict[str, object]:
    """Fail every call of a writer, with ENOSPC and EIO, once and for good; each `every`-th of these cases."""
    library, log = folder / "lib", folder / "calls"
    counting = in_child(lambda say: _write(library, fault.Fault(folder=library, log=log), say))
    if counting.how != "returned" or any(word == "refused" for word, *_ in counting.said):
        raise RuntimeError(f"a writer that nobody disturbed {counting.how}: {counting.what} {counting.said}")
    calls = fault.read_log(log)
    cases = [*_cases(calls)][seed % every :: every]
    outcomes: Counter[str] = Counter()
    findings = Findings()
    for number, case in enumerate(cases):
        call = calls[case.at - 1]
        for problem in _try(library, case, outcomes):
            findings.note(problem, f"{case}: {call.name} {call.path}")
        progress(number + 1)
    return {
        "calls": len(calls),
        "faults": len(cases),
        "writers_that_were_told": outcomes["told"],
        "refused_and_yet_done_after_one_fault": outcomes["done"],
        "refused_and_yet_done_when_all_calls_fail": outcomes["done for good"],
        "hangs": outcomes["hung"],
        "signals": outcomes["signal"],
        "untyped_errors": outcomes["raised"],
        "acknowledged_videos_lost": outcomes["lost"],
        "damaged_libraries": outcomes["damaged"],
        "details": findings.lines(),
    }


def _cases(calls: list[fault.Call]) -> Iterable[_Case]:
    for at, call in enumerate(calls, 1):
        frees = call.name in ("unlink", "rmdir") or "truncate" in call.name
        for error in (errno.EIO,) if frees else (errno.ENOSPC, errno.EIO):
            for always in (False, True):
                yield _Case(at, "fail", error, always)
                if "write" in call.name:
                    yield _Case(at, "fail short", error, always)


def _try(folder: Path, case: _Case, outcomes: Counter[str]) -> list[str]:
    armed = fault.Fault(folder=folder, at=case.at, how=case.how, error=case.error, always=case.always)
    shutil.rmtree(folder, ignore_errors=True)
    ended = in_child(lambda say: _write(folder, armed, say))
    problems = []
    if ended.how != "returned":
        outcomes["signal" if ended.how == "killed" else ended.how] += 1
        problems.append(f"{ended.how}: {ended.what} after {ended.said[-2:]}")
    outcomes["told"] += any(word == "refused" for word, *_ in ended.said)
    strict, allowed = _allowed(ended.said)
    wrong = problems_of(folder, allowed, after=allowed)
    held = _held(folder)
    if ended.how == "returned" and held is not None and {**(strict or {}), ADDED.path: digest_of(ADDED)} != held:
        outcomes["done for good" if case.always else "done"] += 1
    outcomes["damaged"] += bool(wrong)
    outcomes["lost"] += any(problem.startswith(("lost", "ghost")) for problem in wrong)
    return problems + wrong


def _write(folder: Path, armed: fault.Fault, say: Say) -> None:
    """Be a writer that goes on after every error that it is told of."""
    armed.arm()
    library: Library | None = None
    for number, step in enumerate(SCENARIO):
        say(["begin", number])
        try:
            library = library or _open(folder)
            say(["open", number])
            library = perform(library, step, folder)
        except HgrkitError as error:
            library = None if step.kind == "reopen" else library
            say(["refused", number, str(error)])
        else:
            say(["done", number])
    if library is not None:
        try:
            library.close()
        except HgrkitError as error:
            say(["refused", len(SCENARIO), str(error)])


def _open(folder: Path) -> Library:
    try:
        return Library.open(folder, "w", candidates="hnsw")
    except LibraryNotFoundError:
        return Library.create(folder, MANIFEST, candidates="hnsw")


def _allowed(said: list[list[Any]]) -> tuple[Held, list[Held]]:
    """What is held if no refused step was done, and if any were."""
    strict: State = {}
    states: list[State] = [{}]
    for word, number, *_ in said:
        if word not in ("refused", "done") or number >= len(SCENARIO):
            continue
        step = SCENARIO[number]
        possible = [step.after(state) for state in states if {old for old, _ in step.rename} <= state.keys()]
        if word == "done":
            strict, states = step.after(strict), possible
        else:
            states += [state for state in possible if state not in states]
    opened = any(word == "open" for word, *_ in said)
    allowed: list[Held] = [expected(state) for state in states]
    return (expected(strict) if opened else None), allowed if opened else [None, *allowed]


def _held(folder: Path) -> Held:
    held: list[Held] = [None]

    def read(say: Say) -> None:
        say(found_in(folder))

    ended = in_child(read)
    held += ended.said
    return held[-1]
