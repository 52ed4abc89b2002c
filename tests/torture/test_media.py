"""A short run of the mutated media."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import json, pathlib, sys
from tests.torture import media
counts = media.run(60, seed=5, folder=pathlib.Path(sys.argv[1]))
print(json.dumps({"counts": counts, "zero": media.MUST_BE_ZERO}))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_mutated_media_end_no_run_and_leave_no_process(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    counts = result["counts"]
    assert not any(counts[name] for name in result["zero"]), counts
    assert counts["indexed"] > 10
    assert counts["failed"] > 10
    assert counts["peak_worker_mb"] < 512
