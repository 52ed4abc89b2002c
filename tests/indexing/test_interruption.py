"""Runs that are killed while they decode: nothing told of is lost, nothing stored is repeated."""

import shutil
import signal
import subprocess
import sys

import pytest

from hgrkit.library import Library

RUN = """
import sys, attrs, numpy as np
from functools import partial
from pathlib import Path
from hgrkit.indexing.feature_cache import FeatureCache
from hgrkit.indexing.pipeline import index_videos
from hgrkit.indexing.parts import upgrade_library
from hgrkit.indexing.walk import walk_videos
from hgrkit.levels import PerLevel
from hgrkit.library import Library, Manifest
from hgrkit.video.sampling import parse_sampling

folder, videos, what = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
old = Manifest(model="m", model_fingerprint="m@1", frame_encoder="mean", frame_encoder_fingerprint="mean@1",
               sampling="fps:2", clip_seconds=1.0, embed_dim=3)
new = attrs.evolve(old, model_fingerprint="m@2", sampling="fps:3")

class MeanColour:
    feature_dim, fingerprint, frame_size = 3, "mean@1", (16, 16)
    def encode(self, frames):
        return frames.mean(axis=(1, 2), dtype=np.float32)

def embed(features):
    return PerLevel(event=features.mean(axis=0), action=features, entity=-features)

def tell(progress):
    print(progress.outcome, progress.path, flush=True)

def index(manifest, library, files, **how):
    cache = FeatureCache(folder, frame_encoder="mean@1", sampling=manifest.sampling)
    return index_videos(library, files, frame_encoder=MeanColour(), embed=embed, clip_seconds=1.0, cache=cache,
                        sampling=parse_sampling(manifest.sampling), on_progress=tell, num_workers=2, **how)

with Library.open(folder, "w") if folder.exists() else Library.create(folder, old) as library:
    if what == "index":
        report = index(old, library, walk_videos([videos]).files)
    else:
        report = upgrade_library(library, folder, new, partial(index, new))
    print("report", report.indexed, report.unchanged, report.failed, flush=True)
"""

VIDEOS = 8


@pytest.fixture
def videos(make_video, tmp_path):
    for number in range(VIDEOS):
        make_video(f"v/{number}.mp4", seconds=2, shade=9 * number)
    return tmp_path / "v"


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "library"


def run(folder, videos, what, kill_after=None):
    """The lines that a run printed, killed once that many videos were done."""
    command = [sys.executable, "-c", RUN, str(folder), str(videos), what]
    lines = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            lines.append(line.split())
            if len(lines) == kill_after:
                process.send_signal(signal.SIGKILL)
                break
    assert process.returncode == (0 if kill_after is None else -signal.SIGKILL)
    return lines


def told(lines):
    return {path for outcome, path, *_ in lines if outcome == "indexed"}


@pytest.mark.parametrize("kill_after", [1, 5])
def test_a_killed_run_repeats_only_the_videos_in_flight(folder, videos, kill_after):
    acknowledged = told(run(folder, videos, "index", kill_after))
    assert len(acknowledged) == kill_after
    with Library.open(folder) as library:
        stored = set(library.indexed_paths())
        assert library.counts().clips == 2 * len(stored)
    assert acknowledged <= stored
    *lines, report = run(folder, videos, "index")
    # A commit that was in SQLite's log when the kill came is found there by the second run.
    assert told(lines) <= {str(path) for path in videos.iterdir()} - stored
    assert report == ["report", str(len(told(lines))), str(VIDEOS - len(told(lines))), "0"]


@pytest.mark.parametrize("kill_after", [3])
def test_a_killed_upgrade_leaves_the_old_library_and_goes_on(folder, videos, kill_after):
    run(folder, videos, "index")
    acknowledged = told(run(folder, videos, "upgrade", kill_after))
    with Library.open(folder) as library:
        assert (library.manifest.sampling, library.counts().indexed) == ("fps:2", VIDEOS)
    assert run(folder, videos, "index")[-1] == ["report", "0", str(VIDEOS), "0"]
    shutil.rmtree(folder / "cache")
    *lines, report = run(folder, videos, "upgrade")
    assert not told(lines) & acknowledged
    assert int(report[2]) >= kill_after
    assert int(report[1]) + int(report[2]) == VIDEOS
    with Library.open(folder) as library:
        assert (library.manifest.sampling, library.counts().indexed) == ("fps:3", VIDEOS)
    assert not (folder / "upgrade").exists()
