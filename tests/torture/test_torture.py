"""A short torture; `just torture` is the long one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

SHORT = {
    "kills": 26,
    "index-kills": 1,
    "corruptions": 68,
    "faults": 61,
    "media": 24,
    "searches": 400,
    "parsers": 10,
}


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """What a short run of everything counts."""
    lacking = "Linux" if sys.platform != "linux" else "gcc" if shutil.which("gcc") is None else None
    if lacking is not None:
        message = f"the shim that kills and fails processes needs {lacking}"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    file = tmp_path_factory.mktemp("torture") / "report.json"
    options = [word for name, count in SHORT.items() for word in (f"--{name}", str(count))]
    done = subprocess.run(
        [sys.executable, "-m", "tests.torture.run", *options, "--json", file],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert file.exists(), done.stderr
    return {"status": done.returncode, "table": done.stdout, **json.loads(file.read_text())}


def counts(report, suite: str, *names: str) -> dict[str, int]:
    return {name: report[suite][name] for name in names}


def test_killed_writers_lose_nothing_that_they_acknowledged(report):
    assert report["kills"]["kills"] >= SHORT["kills"], report["table"]
    wrong = counts(report, "kills", "acknowledged_videos_lost", "half_videos", "unreadable_libraries", "not_whole")
    assert not any(wrong.values()), report["table"]


def test_kills_hit_every_place_where_a_library_is_written(report):
    places = {
        "SQL commit",
        "any time",
        "checkpoint",
        "compact",
        "create",
        "index save",
        "migrate",
        "array write",
    }
    assert places <= report["kills"]["at"].keys()


def test_killed_runs_of_the_command_lose_nothing_and_leave_no_process(report):
    wrong = counts(report, "index_kills", "acknowledged_videos_lost", "unreadable_libraries", "leaked_processes")
    assert report["index_kills"]["kills"] == SHORT["index-kills"]
    assert not any(wrong.values()), report["table"]


def test_damaged_files_give_the_same_answers_or_an_error(report):
    assert set(report["corruptions"]["of"]) >= {"database", "clips", "frames", "log", "ANN index", "features"}
    wrong = counts(
        report, "corruptions", "signals", "hangs", "other_errors", "silent_wrong_answers", "false_verdicts"
    )
    assert not any(wrong.values()), report["table"]
    assert report["corruptions"]["refused_with_an_error"]


def test_failing_disks_damage_no_library(report):
    wrong = counts(report, "faults", "damaged_libraries", "untyped_errors", "acknowledged_videos_lost", "hangs")
    assert report["faults"]["writers_that_were_told"]
    assert not any(wrong.values()), report["table"]


def test_damaged_media_end_no_run_and_leave_no_process(report):
    assert report["media"]["files"] == SHORT["media"]
    assert not any(counts(report, "media", "ended_runs", "hangs", "leaked_processes").values()), report["table"]


def test_readers_beside_a_writer_get_right_answers(report):
    assert report["searches"]["searches"] == SHORT["searches"]
    assert report["searches"]["versions"] > 5
    assert not any(counts(report, "searches", "wrong_answers", "errors").values()), report["table"]


def test_a_run_whose_counts_must_be_zero_and_are_ends_with_success(report):
    assert report["status"] == 0, report["table"]


def test_damaged_inputs_are_read_or_refused_by_every_parser(report):
    assert report["parsers"]["inputs"] >= 6 * SHORT["parsers"]
    assert report["parsers"]["refused"] > 0
    assert not any(counts(report, "parsers", "signals", "hangs", "over_1_gb", "untyped_errors").values()), report[
        "table"
    ]
