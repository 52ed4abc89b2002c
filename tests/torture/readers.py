"""Many readers beside one writer: every answer is the right one of a version of the time when it was sought."""

from __future__ import annotations

import bisect
import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import numpy as np

from hgrkit.errors import HgrkitError
from hgrkit.library import Library, SearchSettings
from tests.torture.check import query
from tests.torture.child import Child
from tests.torture.content import MANIFEST, State, Step, Video, next_step, perform, random_video
from tests.torture.findings import Findings

Progress = Callable[[int], None]

_PROCESSES = 5
_THREADS = 2
_QUERIES = 4
_K = 10
_ALL = SearchSettings(exhaustive=False, candidates=100_000)
_ROUNDING = 3e-6
_KINDS = ("exhaustive", "candidates", "scores", "videos")


@attrs.frozen(eq=False)
class _Answer:
    """One call of a reader: when it began and ended, what was asked, what came back."""

    start: float
    end: float
    kind: str
    query: int
    given: Any


@attrs.frozen(eq=False)
class _History:
    """Every version of the library: when its writing began, when it was acknowledged, and what it holds."""

    begun: list[float]
    done: list[float]
    states: list[State]

    def during(self, answer: _Answer) -> list[State]:
        """The versions that the answer may be of."""
        first = bisect.bisect_right(self.done, answer.start) - 1
        last = bisect.bisect_right(self.begun, answer.end) - 1
        return self.states[max(first, 0) : last + 1]


def run(count: int, *, seed: int, folder: Path, progress: Progress = lambda done: None) -> dict[str, object]:
    """Search `count` times from ten readers while one writer adds, replaces, moves, removes and compacts."""
    library, stop = folder / "lib", folder / "stop"
    first = _first_state(seed)
    with Library.create(library, MANIFEST, candidates="hnsw") as made:
        made.add_all([video.entry for video in first.values()])
    each = -(-count // (_PROCESSES * _THREADS))
    written = folder / "written"
    writer = Child(lambda say: _write(library, first, seed, written, stop))
    logs = [folder / f"answers-{number}" for number in range(_PROCESSES)]
    children = [Child(lambda say, log=log: _read(library, each, log)) for log in logs]
    ends = [child.end(timeout_s=60 + 0.5 * count) for child in children]
    stop.touch()
    ends.append(writer.end(timeout_s=120))
    history = _history(written, first, seed)
    answers = [_Answer(*json.loads(line)) for log in logs for line in log.read_text().splitlines()]
    findings = Findings()
    outcomes = _judge(answers, history, folder, findings)
    broken = [end for end in ends if end.how != "returned"]
    for end in broken:
        findings.note(f"a process {end.how}", end.what)
    return {
        "searches": len(answers),
        "readers": _PROCESSES * _THREADS,
        "versions": len(history.states),
        "steps": dict(sorted(Counter(step.kind for step in _steps(first, seed, len(history.states) - 1)).items())),
        "wrong_answers": outcomes["wrong"],
        "errors": outcomes["error"] + len(broken),
        "details": findings.lines(),
    }


def _first_state(seed: int) -> State:
    random = np.random.default_rng([seed, 3])
    return {f"{number:03}.mp4": random_video(random, f"{number:03}.mp4") for number in range(12)}


def _steps(state: State, seed: int, count: int | None = None) -> list[Step]:
    """The first steps of the writer."""
    random, steps = np.random.default_rng([seed, 4]), []
    for _ in range(count or 0):
        steps.append(next_step(random, state, upgrades=False))
        state = steps[-1].after(state)
    return steps


def _write(folder: Path, state: State, seed: int, written: Path, stop: Path) -> None:
    """Be the writer, until `stop` is there; notes when each step began and when it was done."""
    random, pause = np.random.default_rng([seed, 4]), np.random.default_rng([seed, 5])
    library = Library.open(folder, "w", candidates="hnsw")
    with written.open("w") as log:
        while not stop.exists():
            step = next_step(random, state, upgrades=False)
            begun = time.monotonic()
            library = perform(library, step, folder)
            log.write(json.dumps([begun, time.monotonic()]) + "\n")
            state = step.after(state)
            time.sleep(float(pause.exponential(0.005)))
    library.close()


def _history(written: Path, first: State, seed: int) -> _History:
    times = [json.loads(line) for line in written.read_text().splitlines()]
    states = [first]
    for step in _steps(first, seed, len(times)):
        states.append(step.after(states[-1]))
    return _History([0.0, *(begun for begun, _ in times)], [0.0, *(done for _, done in times)], states)


def _read(folder: Path, count: int, log: Path) -> None:
    """Be a process of readers."""
    with log.open("w") as file:
        lock = threading.Lock()

        def note(line: list[Any]) -> None:
            with lock:
                file.write(json.dumps(line) + "\n")

        shared = Library.open(folder, candidates="hnsw")
        threads = [
            threading.Thread(target=_be_reader, args=(folder, shared, count, number, note))
            for number in range(_THREADS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        shared.close()


def _be_reader(folder: Path, library: Library, count: int, number: int, note: Callable[[list[Any]], None]) -> None:
    """Ask in turn; every now and then with a library that was opened just now."""
    for turn in range(number, count + number):
        kind, asked = _KINDS[turn % len(_KINDS)], turn // len(_KINDS) % _QUERIES
        start = time.monotonic()
        try:
            if turn % 16 == 15:
                with Library.open(folder, candidates="hnsw") as fresh:
                    given = _ask(fresh, kind, asked)
            else:
                given = _ask(library, kind, asked)
        except HgrkitError as error:
            kind, given = "error", f"{type(error).__name__}: {error}"
        except Exception as error:  # noqa: BLE001
            kind, given = "error", f"{type(error).__name__}: {error}"
        note([start, time.monotonic(), kind, asked, given])


def _ask(library: Library, kind: str, asked: int) -> Any:
    if kind == "scores":
        return library.scores([query(asked)])[:, 0].tolist()
    if kind == "videos":
        return [[video.path, video.size] for video in library.videos()]
    settings = SearchSettings(exhaustive=True) if kind == "exhaustive" else _ALL
    return [
        [match.video, match.score, match.start_s, match.times_s.tolist()]
        for match in library.search(query(asked), _K, settings=settings)
    ]


def _judge(answers: list[_Answer], history: _History, folder: Path, findings: Findings) -> Counter[str]:
    outcomes: Counter[str] = Counter()
    right = _Right(folder / "reference", {video for state in history.states for video in state.values()})
    for answer in answers:
        if answer.kind == "error":
            outcomes["error"] += 1
            findings.note(f"error: {answer.given}", f"between {answer.start:.4f} and {answer.end:.4f}")
        elif not any(right.fits(answer, state) for state in history.during(answer)):
            outcomes["wrong"] += 1
            findings.note(
                f"wrong: {answer.kind}",
                f"query {answer.query} between {answer.start:.4f} and {answer.end:.4f}, "
                f"{len(history.during(answer))} versions: {str(answer.given)[:300]}",
            )
    return outcomes


class _Right:
    """What each video ever written scores, found in a library that holds all of them and that nobody disturbs."""

    def __init__(self, folder: Path, videos: set[Video]) -> None:
        indexed = {(video.seed, video.clips): video for video in videos if video.clips}
        self._best: list[dict[tuple[int, int], list[Any]]] = []
        with Library.create(folder, MANIFEST) as library:
            library.add_all([attrs.evolve(video, path=json.dumps(key)).entry for key, video in indexed.items()])
            for number in range(_QUERIES):
                matches = library.search(query(number), len(indexed), settings=SearchSettings(exhaustive=True))
                self._best.append(
                    {
                        tuple(json.loads(match.video)): [match.score, match.start_s, match.times_s.tolist()]
                        for match in matches
                    }
                )

    def fits(self, answer: _Answer, state: State) -> bool:
        """Whether this is what a library in this state answers."""
        paths = sorted(state, key=str.encode)
        if answer.kind == "videos":
            return bool(answer.given == [[path, state[path].seed] for path in paths])
        best = {
            path: self._best[answer.query][state[path].seed, state[path].clips]
            for path in paths
            if state[path].clips
        }
        scores = [score for score, *_ in best.values()]
        if answer.kind == "scores":
            return _close(answer.given, scores)
        if not _close([score for _, score, *_ in answer.given], sorted(scores, reverse=True)[:_K]):
            return False
        if len({path for path, *_ in answer.given}) != len(answer.given):
            return False
        return all(
            path in best and abs(best[path][0] - score) < _ROUNDING and best[path][1:] == where
            for path, score, *where in answer.given
        )


def _close(given: list[float], right: list[float]) -> bool:
    return len(given) == len(right) and bool(np.allclose(given, right, rtol=0, atol=_ROUNDING))
