"""What benchmarks write beside their figures can be run again, and says on what it was measured."""

from __future__ import annotations

import argparse
import ast
import importlib
import json
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hgrkit.indexing.feature_cache import CachedFeatures
from hgrkit.library import ClipEmbeddings
from hgrkit.model.checkpoint import model_fingerprint
from hgrkit.model.registry import model_folder
from hgrkit.research.evaluation.measures import measure

ROOT = Path(__file__).resolve().parents[1]
BENCHMARKS = ROOT / "benchmarks"
SCRIPTS = [path for path in sorted(BENCHMARKS.glob("*.py")) if '"__main__"' in path.read_text(encoding="utf-8")]


@pytest.fixture
def benchmark_module(monkeypatch):
    """Imports a module of `benchmarks/` for the length of a test."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    imported = []

    def load(name):
        imported.append(name)
        return importlib.import_module(name)

    yield load
    for name in imported:
        sys.modules.pop(name, None)


@pytest.fixture
def options():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path)
    parser.add_argument("--model")
    parser.add_argument("--trained", type=Path, nargs="*")
    parser.add_argument("--out", type=Path)
    return parser.parse_args


@pytest.mark.parametrize(
    "words", ["--data '../data x' --model msr-vtt/full", "--trained 'one two' two --out out.json"]
)
def test_a_command_is_told_as_it_is_typed_in_the_root(benchmark_module, options, monkeypatch, words):
    words = shlex.split(words)
    monkeypatch.chdir(BENCHMARKS / "results")
    told = benchmark_module("result_file").command(options(words), ["../msvd.py", *words])
    python, script, *again = shlex.split(told)
    assert (python, script) == ("python", "benchmarks/msvd.py")
    named, read = options(again), options(words)
    assert named.model == read.model
    for one, other in ((named.data, read.data), (named.out, read.out)):
        assert (one and (ROOT / one).resolve()) == (other and other.resolve())
    assert [(ROOT / path).resolve() for path in named.trained or ()] == [
        path.resolve() for path in read.trained or ()
    ]


def test_a_result_says_what_it_was_measured_on(benchmark_module, options, tmp_path, capsys):
    result_file = benchmark_module("result_file")
    described = result_file.described(options([]), seed=3, also=("typer",))
    assert described["seed"] == 3
    assert {"python", "hgrkit", "torch", "numpy", "onnxruntime", "typer"} <= described["versions"].keys()
    assert described["machine"].keys() == {"platform", "processor", "cores"}
    result_file.write_result(described, tmp_path / "new" / "result.json")
    written = (tmp_path / "new" / "result.json").read_text(encoding="utf-8")
    assert json.loads(written) == described
    assert capsys.readouterr().out == written


def test_the_default_model_is_named_with_its_fingerprint(benchmark_module):
    folder = model_folder("default")
    assert benchmark_module("result_file").model_described("default") == {
        "name": "default",
        "fingerprint": model_fingerprint(folder),
    }


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_benchmark_leaves_machine_and_versions_to_one_place(script):
    source = script.read_text(encoding="utf-8")
    imported = {
        node.module for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom) and node.module
    }
    assert imported & {"result_file", "library_timing"}
    assert "platform" not in source.split("from __future__")[1].split("\n\n\n")[0]


def test_what_a_call_takes_counts_the_processes_that_it_started(benchmark_module):
    timing = benchmark_module("timing")
    program = "import time\nwhile time.process_time() < 0.3: pass"
    value, taken = timing.timed(lambda: subprocess.run([sys.executable, "-c", program], check=True).returncode)
    assert value == 0
    assert taken.cpu_s > 0.25
    assert taken.wall_s > 0.25


def test_medians_are_told_by_part(benchmark_module):
    timing = benchmark_module("timing")
    rounds = [{"search": timing.Taken(wall, 10 * wall)} for wall in (3.0, 1.0, 2.0)]
    assert timing.medians(rounds, "wall_s") == {"search": 2.0}
    assert timing.medians(rounds, "cpu_s") == {"search": 20.0}


def test_a_checkout_is_asked_by_names_wherever_it_keeps_them(benchmark_module):
    named = benchmark_module("before_after").named
    assert named("ClipEmbeddings") is ClipEmbeddings
    assert named("measure") is measure
    assert named("NothingOfThatName") is None


def test_a_stretch_is_a_part_of_its_clip_and_begins_at_0(benchmark_module):
    clip = CachedFeatures(np.arange(20) + 0.5, np.arange(20, dtype=np.float32)[:, None], 0.0, 20.0)
    for seed in range(20):
        part = benchmark_module("joined_videos").stretch(clip, np.random.default_rng(seed))
        assert 3 <= part.duration_s <= 20
        assert ((part.times_s >= 0) & (part.times_s < part.duration_s)).all()
        shift = part.features[:, 0] + 0.5 - part.times_s  # how far into the clip the stretch begins
        np.testing.assert_allclose(shift, shift[0], atol=1e-5)
        assert 0 <= shift[0] <= 20 - part.duration_s + 1e-5


def test_every_clip_is_for_choosing_or_for_reporting_and_has_another_beside_it(benchmark_module):
    msvd_98 = benchmark_module("msvd_98")
    clips = [f"{number:02}" for number in range(98)]
    choosing, reporting = msvd_98.for_choosing(reversed(clips)), msvd_98.for_reporting(reversed(clips))
    assert (len(choosing), choosing + reporting) == (49, clips)
    others = msvd_98.another_clip(clips)
    assert sorted(others.values()) == clips
    assert {clip: others[other] for clip, other in others.items()} == {clip: clip for clip in clips}
