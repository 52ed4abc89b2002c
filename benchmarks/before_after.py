"""Times two checkouts of hgrkit against each other, in turns, each in processes of its own; writes JSON.

    python benchmarks/before_after.py ../before . --rounds 9 --videos DATA/msvd/videos --out before_after.json

Each checkout makes its own libraries, of the same clips of random unit vectors, so that both may store them in
their own way. A round runs every part once in both checkouts, and the rounds take turns in which goes first. What
is compared is processor time: medians, and the median of the ratios of a round. The first round is a warm-up.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from timing import timed

QUERY = "a man is riding a horse"
FRAMES, SMALL_LIBRARY = 8, 20
SEARCHES, SCORED_QUERIES, EVALUATIONS, IMPORTS = 20, 200, 5, 5
INDEXED_VIDEOS = 12
RANKED_VIDEOS, RANKED_CAPTIONS = 500, 10_000
SEED = 0
SIDES = ("before", "after")
PARTS = ("warm search", "exhaustive scores", "evaluation", "import hgrkit", "hgrkit search", "hgrkit index")

Command = tuple[str, ...]


def named(name: str) -> Any:
    """A class or function of hgrkit's by its name, wherever this checkout keeps it; `None` if it has none."""
    package = Path(importlib.import_module("hgrkit").__file__ or "").parent
    defined = re.compile(rf"^(class|def) {name}\b", re.MULTILINE)
    for path in sorted(package.rglob("*.py")):
        if defined.search(path.read_text(encoding="utf-8")):
            module = path.relative_to(package.parent).with_suffix("")
            return getattr(importlib.import_module(".".join(module.parts)), name)
    return None


def make_library(path: Path, clips: int) -> None:
    """A library of the default model with clips whose every vector is a random unit vector."""
    from hgrkit import Retriever

    rng = np.random.default_rng(SEED)
    embeddings, record, entry = named("ClipEmbeddings"), named("VideoRecord"), named("Entry")

    def unit(*shape: int) -> np.ndarray:
        vectors = rng.standard_normal(shape, dtype=np.float32)
        vectors /= np.linalg.norm(vectors, axis=-1, keepdims=True)
        return vectors

    with Retriever.create(path) as retriever:
        dim = retriever.library.manifest.embed_dim
        retriever.library.update(
            put=[
                entry(
                    record(path=f"{number:06}.mp4", content=str(number), size=0, mtime_ns=0),
                    [
                        embeddings(
                            start_s=0,
                            end_s=FRAMES,
                            times_s=np.arange(FRAMES) + 0.5,
                            event=unit(dim),
                            action=unit(FRAMES, dim),
                            entity=unit(FRAMES, dim),
                        )
                    ],
                )
                for number in range(clips)
            ]
        )


def cpu_s(work: Callable[[], object], repeats: int = 1) -> float:
    """Processor seconds of a call, the mean of several."""
    return timed(lambda: [work() for _ in range(repeats)])[1].cpu_s / repeats


def measure_inside(library: Path) -> dict[str, float]:
    """What is timed within a process that has already answered once."""
    from hgrkit import Retriever

    rng = np.random.default_rng(SEED)
    with Retriever.open(library) as retriever:
        retriever.search(QUERY)
        captions = retriever.read([f"a man number {number} rides a horse" for number in range(SCORED_QUERIES)])
        retriever.scores(captions)
        found: dict[str, float] = {
            "warm search": cpu_s(lambda: retriever.search(QUERY), SEARCHES),
            "exhaustive scores": cpu_s(lambda: retriever.scores(captions)),
        }
    scores = rng.random((RANKED_VIDEOS, RANKED_CAPTIONS), dtype=np.float32)
    right = np.arange(RANKED_CAPTIONS)[None] % RANKED_VIDEOS == np.arange(RANKED_VIDEOS)[:, None]
    measure = named("measure")
    if measure is not None:
        measure(scores, right)
        found["evaluation"] = cpu_s(lambda: measure(scores, right).to_dict(), EVALUATIONS)
    return found


def in_checkout(folder: Path, *arguments: str, threads: int) -> subprocess.CompletedProcess[str]:
    """Run Python in a process that imports hgrkit from a checkout."""
    libraries = ("OMP", "OPENBLAS", "MKL")
    limits = {f"{library}_NUM_THREADS": str(threads) for library in libraries}
    environment = {**os.environ, **limits, "PYTHONPATH": str(folder)}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{folder}: {' '.join(arguments)} failed:\n{done.stderr}")
    return done


def this_script(*arguments: str) -> Command:
    """How a process of a checkout runs a part of this file."""
    return (str(Path(__file__).resolve()), *arguments)


def measure_round(folder: Path, libraries: Path, threads: int, videos: Sequence[str]) -> dict[str, float]:
    """Processor seconds of every part in one checkout."""
    large, small = str(libraries / "large"), str(libraries / "small")
    found: dict[str, float] = json.loads(
        in_checkout(folder, *this_script("--inside", large), threads=threads).stdout
    )
    commands: dict[str, Command] = {
        "import hgrkit": ("-c", "import hgrkit"),
        "hgrkit search": ("-m", "hgrkit", "search", QUERY, "--library", small),
    }
    if videos:
        shutil.rmtree(libraries / "indexed", ignore_errors=True)
        commands["hgrkit index"] = ("-m", "hgrkit", "index", *videos, "--library", str(libraries / "indexed"))
    for part, command in commands.items():
        times = IMPORTS if part == "import hgrkit" else 1  # so short that one alone says little
        found[part] = cpu_s(partial(in_checkout, folder, *command, threads=threads), times)
    return found


def checkout(folder: Path) -> str:
    """The commit of a checkout, and whether its files differ from it; refuse one that is not what is imported."""
    imported = in_checkout(folder, "-c", "import hgrkit; print(hgrkit.__file__)", threads=1).stdout.strip()
    if not Path(imported).is_relative_to(folder):
        sys.exit(f"{folder} is no checkout of hgrkit: a process there imports {imported}")
    git = ["git", "-C", str(folder)]
    commit, changes = (
        subprocess.run([*git, *words], capture_output=True, text=True, check=False).stdout.strip()
        for words in (["rev-parse", "HEAD"], ["status", "--porcelain", "--untracked-files=no"])
    )
    return f"{commit[:12]}{' and changes' if changes else ''}"


def compare(folders: Mapping[str, Path], options: argparse.Namespace) -> dict[str, Any]:
    """All rounds; the checkouts take turns in which goes first."""
    runs: dict[str, list[dict[str, float]]] = {side: [] for side in SIDES}
    commits = {side: checkout(folder) for side, folder in folders.items()}
    videos = (
        [] if options.videos is None else sorted(map(str, options.videos.resolve().iterdir()))[:INDEXED_VIDEOS]
    )
    with tempfile.TemporaryDirectory() as scratch:
        for side, folder in folders.items():
            for name, clips in (("large", options.clips), ("small", SMALL_LIBRARY)):
                (Path(scratch) / side).mkdir(exist_ok=True)
                library = str(Path(scratch) / side / name)
                in_checkout(folder, *this_script("--make", library, str(clips)), threads=options.threads)
        for number in range(options.rounds + 1):
            for side in SIDES if number % 2 else reversed(SIDES):
                runs[side].append(measure_round(folders[side], Path(scratch) / side, options.threads, videos))
    runs = {side: rounds[1:] for side, rounds in runs.items()}  # the first compiles modules and warms the disk
    seconds = {
        side: {part: [one[part] for one in rounds if part in one] for part in PARTS}
        for side, rounds in runs.items()
    }
    ratios = {
        part: [after / before for before, after in zip(*(seconds[side][part] for side in SIDES), strict=False)]
        for part in PARTS
    }
    medians = {
        side: {part: round(statistics.median(values), 5) for part, values in parts.items() if values}
        for side, parts in seconds.items()
    }
    return {
        "checkouts": commits,
        "median_cpu_s": medians,
        "after_over_before": {part: round(statistics.median(own), 4) for part, own in ratios.items() if own},
        "after_over_before_by_round": {part: [round(ratio, 4) for ratio in own] for part, own in ratios.items()},
        "clips": options.clips,
        "rounds": options.rounds,
        "threads": options.threads,
    }


def main() -> None:
    """Compare, or be one side of it."""
    # a checkout's own process must not import this: it may keep its modules elsewhere
    from result_file import arguments, described, write_result

    parser = arguments(__doc__)
    parser.add_argument("before", type=Path, help="the root of a checkout")
    parser.add_argument("after", type=Path, help="the root of another one")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--clips", type=int, default=3000)
    parser.add_argument("--videos", type=Path, help="a folder of videos, the first of which are indexed")
    parser.add_argument("--threads", type=int, default=1, help="of numpy; more make processor time waver")
    options = parser.parse_args()
    folders = {"before": options.before.resolve(), "after": options.after.resolve()}
    measured = compare(folders, options)
    write_result({"benchmark": "before_after", **described(options, seed=SEED), **measured}, options.out)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--make"]:
        make_library(Path(sys.argv[2]), int(sys.argv[3]))
    elif sys.argv[1:2] == ["--inside"]:
        print(json.dumps(measure_inside(Path(sys.argv[2]))))
    else:
        main()
