"""What a writer will do to a library, step by step, and what the library may hold whenever it is stopped."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import attrs
import numpy as np

from hgrkit.library import Library
from hgrkit.library.repair import repair_library
from tests.torture import fault
from tests.torture.child import Say, in_child
from tests.torture.content import MANIFEST, State, Step, expected, found_in, next_step, perform

FORMATS = Path(__file__).parents[1] / "library"

Held = dict[str, str] | None
"""What `found` says of a library; `None` where there is none."""


@attrs.frozen(kw_only=True)
class Plan:
    """A library as it is at first, and random steps from there.

    Attributes:
        template: a closed library to begin with; `None` to make one.
        state: what it holds; empty for one of an earlier format, which gets no steps.
        seed: of the steps.
        steps: how many.
        held: what it holds, if that does not follow from `state`.
        broken: a row of the database is damaged that no video needs, and the writer repairs it first.
    """

    template: Path | None
    state: State
    seed: int
    steps: int
    held: Held = None
    broken: bool = False

    @property
    def opening(self) -> str:
        """What the writer does before the first step."""
        if self.broken:
            return "repair"
        return "create" if self.template is None else "open" if self.held is None else "migrate"

    def lay_out(self, folder: Path) -> None:
        """Put the template, if there is one, where the writer will look for it."""
        shutil.rmtree(folder, ignore_errors=True)
        if self.template is not None:
            shutil.copytree(self.template, folder)
        if self.broken:
            with closing(sqlite3.connect(folder / "library.sqlite", isolation_level=None)) as connection:
                connection.execute("INSERT INTO removed VALUES (1000000, 1, x'00')")

    def all_steps(self) -> list[Step]:
        """The steps; the same ones every time."""
        random, state, steps = np.random.default_rng(self.seed), self.state, []
        for _ in range(self.steps):
            steps.append(next_step(random, state))
            state = steps[-1].after(state)
        return steps

    def states(self) -> list[Held]:
        """What is held at first, and after each acknowledgement: opening, the steps, closing."""
        first = self.held if self.held is not None else expected(self.state)
        states: list[Held] = [None if self.template is None else first, first]
        state = self.state
        for step in self.all_steps():
            state = step.after(state)
            states.append(expected(state))
        return [*states, states[-1]]

    def last_state(self) -> State:
        """What is held in the end."""
        state = self.state
        for step in self.all_steps():
            state = step.after(state)
        return state

    def play(self, folder: Path, say: Say, armed: fault.Fault | None = None) -> None:
        """Be the writer; says what begins and what is done, each with the calls that were made so far."""
        if armed is not None:
            armed.arm()
        say(["begin", self.opening, fault.count()])
        if self.broken:
            repair_library(folder)
        if self.template is None:
            library = Library.create(folder, MANIFEST, candidates="hnsw")
        else:
            library = Library.open(folder, "w", candidates="hnsw")
        say(["done", self.opening, fault.count()])
        for step in self.all_steps():
            say(["begin", step.kind, fault.count()])
            library = perform(library, step, folder)
            say(["done", step.kind, fault.count()])
        say(["begin", "close", fault.count()])
        library.close()
        say(["done", "close", fault.count()])

    def allowed(self, said: list[Any]) -> list[Held]:
        """What may be held if the writer said this and no more: all that was acknowledged, or one step more."""
        done = sum(word == "done" for word, *_ in said)
        return self.states()[done : done + 2] if said[-1:] and said[-1][0] == "begin" else [self.states()[done]]


def grown(folder: Path, *, seed: int, steps: int) -> Plan:
    """A plan that begins with a library, laid down in a folder, to which `steps` steps were done already."""
    first = Plan(template=None, state={}, seed=seed, steps=steps)
    ended = in_child(lambda say: first.play(folder, say))
    if ended.how != "returned":
        raise RuntimeError(f"a writer that nobody disturbed {ended.how}: {ended.what}")
    return Plan(template=folder, state=first.last_state(), seed=seed + 1, steps=steps)


def of_format(version: int) -> Plan:
    """A plan that begins with a library of an earlier format and migrates it."""
    folder = FORMATS / f"format_{version}" / "library"
    return Plan(template=folder, state={}, seed=0, steps=0, held=found_in(folder))
