"""A run that is killed with SIGKILL, again and again, ends with the weights of one that was left alone."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time

import pytest
import safetensors.torch
import torch

PROGRAM = """
import sys, time, torch
torch.set_num_threads(1)
from hgrkit.research.training.run_config import RunConfig
def look(progress):
    print(progress.step, flush=True)
    time.sleep(0.01)
run = RunConfig.read(sys.argv[1]).run(sys.argv[2], on_progress=look)
print("end", run.best_epoch, flush=True)
"""
KILLS = 4
STEPS = 6 * 6


def start(folder, out):
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, folder / "foiled.toml", out], stdout=subprocess.PIPE, text=True
    )


def weights(out):
    return safetensors.torch.load_file(out / "model" / "weights.safetensors")


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_a_run_that_is_killed_again_and_again_ends_with_identical_weights(data_folder):
    whole = start(data_folder, data_folder / "whole").communicate(timeout=120)[0]
    assert "end" in whole
    rng = random.Random(0)
    killed = 0
    for _ in range(KILLS):
        process = start(data_folder, data_folder / "killed")
        for _ in range(rng.randint(3, 9)):  # the steps that it lives for
            process.stdout.readline()
        time.sleep(rng.random() * 0.03)  # within a step, or while a state is written
        process.kill()
        process.stdout.close()
        killed += process.wait() == -signal.SIGKILL
    rest = start(data_folder, data_folder / "killed").communicate(timeout=120)[0].split()
    assert killed == KILLS
    assert 0 < len(rest) - 2 < STEPS, "the last part went on from the others"
    one, other = weights(data_folder / "whole"), weights(data_folder / "killed")
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
