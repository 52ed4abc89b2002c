"""Benchmarks by name: `benchmark("msr-vtt/1k-a", annotations="ann/")`."""

from __future__ import annotations

import difflib
import re
from os import PathLike
from pathlib import Path

from hgrkit.checks.arguments import check_path, check_text
from hgrkit.errors import BenchmarkNotFoundError
from hgrkit.research.datasets import clips, moments, msr_vtt
from hgrkit.research.datasets.benchmark import Benchmark, Recipe

__all__ = ["RECIPES", "benchmark", "find_recipe"]

StrPath = str | PathLike[str]

RECIPES: tuple[Recipe, ...] = (
    *msr_vtt.RECIPES,
    *clips.RECIPES,
    *moments.RECIPES,
    clips.FLICKR8K,
    clips.HGR_RELEASE,
)
"""Every benchmark that hgrkit reads."""


def benchmark(name: str, *, annotations: StrPath, features: StrPath | None = None) -> Benchmark:
    """Read a benchmark from its published annotation files and check it against the official counts.

    >>> benchmark("msr-vtt/1k-a", annotations="ann/")  # doctest: +SKIP
    Benchmark('msr-vtt/1k-a', split='test', videos=1000, queries=1000, complete=True)

    Args:
        name: as `hgrkit benchmarks` lists it; what papers call it is understood too, with or without the split.
        annotations: the folder of its files, or one above it.
        features: frame features by video name (`.npz`, `.hdf5`), for `evaluate`.

    Returns:
        The records. Differences from the official counts are in `problems`, not an error.

    Raises:
        BenchmarkNotFoundError: if there is no benchmark of that name.
        MissingPathError: if the folder or a file is not there; the message says what was looked for.
        BenchmarkError: if a file cannot be read as what it should be.
    """
    recipe = find_recipe(name)
    folder = Path(check_path("annotations", annotations))
    return recipe.open(folder, features=None if features is None else Path(check_path("features", features)))


def find_recipe(name: str) -> Recipe:
    """Find the benchmark of that name.

    Raises:
        BenchmarkNotFoundError: if there is none; the message lists all.
    """
    check_text("a benchmark's name", name, hint="such as 'msr-vtt/1k-a'")
    known = {_plain(alias): recipe for recipe in reversed(RECIPES) for alias in _spellings(recipe)}
    recipe = known.get(_plain(name))
    if recipe is None:
        names = [each.name for each in RECIPES]
        near = difflib.get_close_matches(_plain(name), known, n=1)
        hint = f" Did you mean {known[near[0]].name!r}?" if near else ""
        raise BenchmarkNotFoundError(f"no benchmark named {name!r}; there are {', '.join(names)}.{hint}")
    return recipe


def _spellings(recipe: Recipe) -> list[str]:
    """A benchmark's names, each also with its split and, for moments, with `prvr`."""
    names = [recipe.name, *recipe.aliases]
    spellings = [*names, *(f"{name}/{recipe.split}" for name in names)]
    if recipe.task == "partially relevant retrieval":
        spellings += [spelling for name in names for spelling in (f"{name}/prvr", f"prvr/{name}")]
    return spellings


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9/]", "", name.lower()).strip("/")
