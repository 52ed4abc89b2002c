"""Damaged files of a library: the same answers, or an error of hgrkit's own; never a signal or a wrong answer."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import numpy as np

from hgrkit.errors import HgrkitError
from hgrkit.indexing.feature_cache import FeatureCache
from hgrkit.library import Library, SearchSettings
from hgrkit.library.repair import repair_library
from tests.torture import fault
from tests.torture.check import ADDED, damages, query
from tests.torture.child import Ended, Say, in_child
from tests.torture.content import found_in
from tests.torture.damage import CLASSES, KINDS, class_of, damage
from tests.torture.findings import Findings
from tests.torture.plan import grown

Progress = Callable[[int], None]
Answers = list[list[Any]]

_MEMORY = 1 << 30
_TIMEOUT_S = 60.0
_SETTINGS = (SearchSettings(exhaustive=True), SearchSettings(exhaustive=False, candidates=10))
_QUERIES = 4
_FEATURES = ("sha256:a", "sha256:b", "sha256:c")


@attrs.frozen(eq=False)
class _Truth:
    """One thing that a whole library may say.

    Attributes:
        held: digests of its videos.
        answers: to every query, with every setting.
    """

    held: dict[str, str]
    answers: Answers


@attrs.frozen(eq=False)
class _Library:
    """A whole library, which is copied for every case, and what its copies may say."""

    name: str
    folder: Path
    truths: list[_Truth]
    files: dict[str, list[Path]]


def run(count: int, *, seed: int, folder: Path, progress: Progress = lambda done: None) -> dict[str, object]:
    """Damage copies of three libraries, one closed, two left by killed writers, a file of each kind in turn."""
    random = np.random.default_rng([seed, 2])
    libraries = [make(folder, seed) for make in (_closed, _killed, _logged)]
    turns = [(library, name) for library in libraries for name in CLASSES if name in library.files]
    outcomes: Counter[str] = Counter()
    classes: Counter[str] = Counter()
    findings = Findings()
    for number in range(count):
        library, name = turns[number % len(turns)]
        kind = KINDS[number // len(turns) % len(KINDS)]
        file = library.files[name][int(random.integers(len(library.files[name])))]
        what, ended = _damaged(library, file, kind, random, folder)
        classes[name] += 1
        for problem in _judge(ended, outcomes):
            findings.note(problem, f"{library.name} library, {name} {what}, case {number}")
        progress(number + 1)
    return {
        "corruptions": count,
        "of": dict(sorted(classes.items())),
        "read_the_same": outcomes["read same"],
        "refused_with_an_error": outcomes["read refused"],
        "repaired_wholly": outcomes["repair whole"],
        "repaired_in_part": outcomes["repair part"],
        "not_repairable": outcomes["repair refused"] + outcomes["repair impossible"],
        "signals": outcomes["signal"],
        "hangs": outcomes["hung"],
        "other_errors": outcomes["raised"],
        "silent_wrong_answers": outcomes["different"],
        "false_verdicts": outcomes["false verdict"],
        "details": findings.lines(),
    }


def _damaged(
    library: _Library, file: Path, kind: str, random: np.random.Generator, folder: Path
) -> tuple[str, Ended]:
    """Damage a file of a copy and use it; says what was done to it, and how that ended."""
    case, spare = folder / "case", folder / "spare"
    shutil.rmtree(case, ignore_errors=True)
    shutil.copytree(library.folder, case)
    what = damage(case / file, kind, random)
    shutil.rmtree(spare, ignore_errors=True)
    shutil.copytree(case, spare)
    return what, in_child(
        lambda say: _probe(case, spare, library.truths, say), timeout_s=_TIMEOUT_S, more_memory=_MEMORY
    )


def _judge(ended: Ended, outcomes: Counter[str]) -> list[str]:
    problems = []
    for stage, outcome, detail in ended.said:
        outcomes[f"{stage} {outcome}"] += 1
        if outcome in ("different", "raised", "false verdict"):
            outcomes[outcome] += 1
            problems.append(f"{stage}: {outcome}: {detail}")
    if ended.how != "returned":
        stage = ended.said[-1][0] if ended.said else "nothing"
        how = "raised" if ended.how == "refused" else ended.how
        outcomes["signal" if how == "killed" else how] += 1
        problems.append(f"after {stage}: {ended.how}: {ended.what}")
    return problems


def _probe(case: Path, spare: Path, truths: list[_Truth], say: Say) -> None:
    """Do to a damaged library all that users do; says the outcome of each stage."""
    readable = _stage("read", lambda: _read(case, truths), say)
    _stage("features", lambda: _read_features(case), say)
    whole = _stage("verify", lambda: _verdict(case, readable), say) == "whole"
    _stage("write", lambda: _write(case, truths), say)
    if whole:
        return
    _stage("repair", lambda: _repair(spare, truths), say)


def _stage(name: str, work: Callable[[], tuple[str, str]], say: Say) -> str:
    try:
        outcome, detail = work()
    except HgrkitError as error:
        outcome, detail = "refused", str(error)
    except Exception as error:  # noqa: BLE001
        outcome, detail = "raised", f"{type(error).__name__}: {error}"
    say([name, outcome, detail])
    return outcome


def _read(folder: Path, truths: list[_Truth]) -> tuple[str, str]:
    held, answers = found_in(folder), _answers(folder)
    for truth in truths:
        if truth.held == held:
            return ("same", "") if _agree(truth.answers, answers) else ("different", "the answers")
    return "different", f"the videos: {sorted(set(truths[0].held.items()) ^ set(held.items()))[:4]}"


def _write(folder: Path, truths: list[_Truth]) -> tuple[str, str]:
    Library.open(folder, "w", candidates="hnsw").close()
    return _read(folder, truths)


def _read_features(folder: Path) -> tuple[str, str]:
    cache = FeatureCache(folder, "encoder-1", "uniform:20")
    for content in _FEATURES:
        features = cache.load(content)
        times_s, vectors = _features_of(content)
        if features is not None and not (
            np.array_equal(features.times_s, times_s) and np.array_equal(features.features, vectors)
        ):
            return "different", f"the features of {content}"
    return "same", ""


def _verdict(folder: Path, readable: str) -> tuple[str, str]:
    found = damages(folder)
    if not found and readable != "same":
        return "false verdict", "verify calls a library whole that cannot be read"
    return ("damaged", "; ".join(found)) if found else ("whole", "")


def _repair(folder: Path, truths: list[_Truth]) -> tuple[str, str]:
    """Repair; what is there afterwards must be true, and what is not must be told."""
    report = repair_library(folder)
    left = damages(folder)
    if report.whole != (not left):
        return "false verdict", f"the repair says whole={report.whole}, verify then finds {left}"
    if left:
        return "impossible", "; ".join(report.steps)
    held = found_in(folder)
    _answers(folder)
    if any(truth.held == held for truth in truths):
        return "whole", ""
    true = {item for truth in truths for item in truth.held.items()}
    surplus = {path for path, digest in held.items() if (path, digest) not in true} - set(report.doubtful)
    if surplus:
        return "different", f"repaired videos that are not true: {sorted(surplus)[:4]}"
    missing = min((truth.held.keys() - held.keys() - set(report.dropped) for truth in truths), key=len)
    if missing and not (report.unnamed or report.lost_from):
        return "false verdict", f"the repair lost videos and does not say so: {sorted(missing)[:4]}"
    return "part", ""


def _closed(room: Path, seed: int) -> _Library:
    """A library that was closed in order, with an HNSW index and with cached features."""
    folder = room / "closed"
    plan = grown(folder, seed=seed * 2 + 11, steps=14)
    with Library.open(folder, "w", candidates="hnsw") as library:
        library.refresh_ann_index()
    _add_features(folder)
    return _described(folder, [plan.template])


def _killed(room: Path, seed: int) -> _Library:
    """A library whose writer was killed in a commit that it had not told of; SQLite's log is left.

    Nobody notices the loss of that commit if the log is damaged, and nobody was promised it.
    """
    folder, before = room / "killed", room / "killed-before"
    plan = grown(room / "before-the-kill", seed=seed * 2 + 12, steps=14)
    for at in range(400, 0, -1):
        plan.lay_out(folder)
        armed = fault.Fault(folder=folder, at=at, how="kill before")
        ended = in_child(partial(plan.play, folder, armed=armed))
        log = folder / "library.sqlite-wal"
        if (
            ended.how == "killed"
            and ended.said[-1][:2] == ["begin", "commit"]
            and log.exists()
            and log.stat().st_size
        ):
            (folder / "writer.lock").write_text('{"pid": 1, "host": "gone"}')
            _add_features(folder)
            shutil.copytree(folder, before)
            (before / "library.sqlite-wal").unlink()
            (before / "library.sqlite-shm").unlink()
            return _described(folder, [folder, before])
    raise RuntimeError("no kill left a log; choose another seed")


def _logged(room: Path, seed: int) -> _Library:
    """A library whose newest commit was acknowledged and is in SQLite's log alone: a reader was in the way."""
    folder = room / "logged"
    plan = grown(room / "before-the-log", seed=seed * 2 + 13, steps=14)
    plan.lay_out(folder)

    def write(say: Say) -> None:
        library = Library.open(folder, "w", candidates="hnsw")
        reader = sqlite3.connect(folder / "library.sqlite", isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM head").fetchall()
        library.add(ADDED.record, ADDED.entry.clips)
        os.kill(os.getpid(), signal.SIGKILL)

    if in_child(write).how != "killed":
        raise RuntimeError("the writer was not killed")
    _add_features(folder)
    return _described(folder, [folder])


def _described(folder: Path, states: Sequence[Path]) -> _Library:
    """A library, and what its copies may say: what these folders do, and do once a writer came."""
    truths = []
    for number, state in enumerate(states):
        for mode in ("r", "w"):
            copy = folder.with_name(f"{folder.name}-{number}-{mode}")
            shutil.copytree(state, copy)
            if mode == "w":
                Library.open(copy, "w", candidates="hnsw").close()
            truths.append(_Truth(found_in(copy), _answers(copy)))
    files: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            files.setdefault(class_of(path), []).append(path.relative_to(folder))
    return _Library(folder.name, folder, truths, files)


def _answers(folder: Path) -> Answers:
    with Library.open(folder, candidates="hnsw") as library:
        return [
            [
                [match.video, match.start_s, match.end_s, match.score, match.moment.start_s, match.moment.end_s]
                for match in library.search(query(number), 10, settings=settings)
            ]
            for settings in _SETTINGS
            for number in range(_QUERIES)
        ]


def _agree(expected: Answers, given: Answers) -> bool:
    """The same clips, with the same scores up to rounding."""
    return len(expected) == len(given) and all(
        len(one) == len(other)
        and all(a[0] == b[0] and np.allclose(a[1:], b[1:], atol=2e-6) for a, b in zip(one, other, strict=True))
        for one, other in zip(expected, given, strict=True)
    )


def _features_of(content: str) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(list(content.encode()))
    return np.arange(6) / 2, random.normal(size=(6, 16)).astype(np.float16).astype(np.float32)


def _add_features(folder: Path) -> None:
    cache = FeatureCache(folder, "encoder-1", "uniform:20")
    for content in _FEATURES:
        times_s, features = _features_of(content)
        cache.save(content, times_s=times_s, features=features, duration_s=3.0)
