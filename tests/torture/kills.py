"""SIGKILL at any moment of a writer's life: what it acknowledged is there, nothing is half there."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import attrs
import numpy as np

from tests.torture import fault
from tests.torture.check import problems_of
from tests.torture.child import Ended, in_child
from tests.torture.findings import Findings
from tests.torture.plan import Plan, grown, of_format

Progress = Callable[[int], None]

_STEPS = 10
_LONG = 40


@attrs.frozen(eq=False)
class _Scene:
    """A plan, every call that it makes, and for each place the numbers of its calls."""

    plan: Plan
    places: dict[str, list[int]]
    calls: list[fault.Call]


@attrs.define(eq=False)
class Kills:
    """Kills writers and keeps count.

    Attributes:
        folder: where libraries are made.
        random: picks moments.
        places: kills by where they hit.
        problems: by kind.
        findings: what they were.
    """

    folder: Path
    random: np.random.Generator
    places: Counter[str] = attrs.field(factory=Counter)
    problems: Counter[str] = attrs.field(factory=Counter)
    findings: Findings = attrs.field(factory=Findings)

    def run(self, aimed: int, timed: int, progress: Progress) -> None:
        """Kill so many writers at chosen calls, in turn at every kind of place, and so many at random times."""
        scenes = self._scenes(max(2, aimed // 20))
        names = sorted({name for scene in scenes for name in scene.places})
        turns = itertools.cycle(names)
        while self.places.total() < aimed:
            self._aim(scenes, next(turns))
            progress(self.places.total())
        plans = [grown(self.folder / f"timed-{number}", seed=self._seed(), steps=_STEPS) for number in range(2)]
        while self.places.total() < aimed + timed:
            self._time(attrs.evolve(plans[int(self.random.integers(2))], seed=self._seed(), steps=_LONG))
            progress(self.places.total())

    def note(self, problems: list[str], how: str) -> None:
        """Count problems; `how` tells what was done."""
        self.problems.update(problem.split(":")[0] for problem in problems)
        for problem in problems:
            self.findings.note(problem, how)

    def _scenes(self, count: int) -> list[_Scene]:
        plans = [of_format(1), of_format(2), Plan(template=None, state={}, seed=self._seed(), steps=2)]
        plans += [
            grown(self.folder / f"template-{number}", seed=self._seed(), steps=_STEPS) for number in range(count)
        ]
        plans.append(attrs.evolve(plans[-1], steps=0, broken=True))
        return [self._rehearse(plan) for plan in plans]

    def _rehearse(self, plan: Plan) -> _Scene:
        """Let the writer do everything once, undisturbed, and note where each call falls."""
        folder, log = self.folder / "lib", self.folder / "calls"
        log.unlink(missing_ok=True)
        plan.lay_out(folder)
        ended = in_child(lambda say: plan.play(folder, say, fault.Fault(folder=folder, log=log)))
        self.note([] if ended.how == "returned" else [f"undisturbed: {ended.how}: {ended.what}"], repr(plan.seed))
        calls = fault.read_log(log) if log.exists() else []
        places: dict[str, list[int]] = {}
        for (_, kind, start), (_, _, stop) in zip(ended.said[::2], ended.said[1::2], strict=False):
            for number in range(start + 1, stop + 1):
                places.setdefault(_place(kind, calls[number - 1]), []).append(number)
        return _Scene(plan, places, calls)

    def _aim(self, scenes: list[_Scene], place: str) -> None:
        choice = [scene for scene in scenes if place in scene.places]
        scene = choice[int(self.random.integers(len(choice)))]
        at = int(self.random.choice(scene.places[place]))
        how = str(self.random.choice(fault.KILLS))
        folder = self.folder / "lib"
        scene.plan.lay_out(folder)
        armed = fault.Fault(folder=folder, at=at, how=how)
        ended = in_child(lambda say: scene.plan.play(folder, say, armed))
        call = scene.calls[at - 1]
        self._judge(scene.plan, ended, place, f"{how} call {at}, {call.name} {call.path}, plan {scene.plan.seed}")

    def _time(self, plan: Plan) -> None:
        folder = self.folder / "lib"
        plan.lay_out(folder)
        seconds = float(self.random.uniform(0, 0.012 * plan.steps))
        ended = in_child(lambda say: plan.play(folder, say), kill_at_s=seconds)
        self._judge(plan, ended, "any time", f"killed after {seconds:.4f} s, plan {plan.seed}")

    def _judge(self, plan: Plan, ended: Ended, place: str, how: str) -> None:
        if ended.how != "killed":
            if ended.how != "returned":
                self.note([f"undisturbed: {ended.how}: {ended.what}"], how)
            return
        self.places[place] += 1
        folder = self.folder / "lib"
        if folder.exists() and not plan.broken and self.random.random() < 0.25:
            how += self._kill_the_next_one()
        self.note(problems_of(folder, plan.allowed(ended.said), mend=plan.broken), how)

    def _kill_the_next_one(self) -> str:
        """Kill the writer that recovers, too."""
        folder, at = self.folder / "lib", int(self.random.integers(1, 9))
        armed = fault.Fault(folder=folder, at=at, how=str(self.random.choice(fault.KILLS)))
        again = Plan(template=folder, state={}, seed=0, steps=0)
        ended = in_child(lambda say: again.play(folder, say, armed))
        self.places["recovery"] += ended.how == "killed"
        return f", and the next writer at its call {at}"

    def _seed(self) -> int:
        return int(self.random.integers(1 << 30))


def run(count: int, *, seed: int, folder: Path, progress: Progress = lambda done: None) -> dict[str, object]:
    """Kill writers of libraries with known vectors: three in four at chosen calls, the others at any time."""
    kills = Kills(folder, np.random.default_rng([seed, 1]))
    timed = count // 4
    kills.run(count - timed, timed, progress)
    return {
        "kills": kills.places.total(),
        "at": dict(sorted(kills.places.items())),
        "acknowledged_videos_lost": kills.problems["lost"],
        "half_videos": kills.problems["half"] + kills.problems["ghost"],
        "unreadable_libraries": kills.problems["unreadable"],
        "wrong_searches": kills.problems["search"],
        "not_whole": kills.problems["verify"],
        "leftover_files": kills.problems["leftover"],
        "undisturbed_failures": kills.problems["undisturbed"],
        "details": kills.findings.lines(),
    }


def _place(kind: str, call: fault.Call) -> str:
    """What a kill at this call is inside of."""
    if kind == "graph" or call.path.startswith("cache/ann"):
        return "index save"
    if kind != "commit":
        return kind
    if call.path.startswith("arrays"):
        return "array write"
    return "checkpoint" if call.path == "library.sqlite" else "SQL commit"
