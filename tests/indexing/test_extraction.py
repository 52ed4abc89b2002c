"""Features in a file of their own: what is in it, that it resumes, and that one bad video stops nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import h5py
import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from hgrkit.errors import ConfigError, FeatureFileError
from hgrkit.indexing.extraction import extract_features
from hgrkit.indexing.report import IndexProgress
from hgrkit.research.training.run_config import RunConfig
from hgrkit.retriever import Retriever
from hgrkit.video.feature_file import FeatureFile

PLUGINS = """
from tests.letter_encoder import LetterTexts, ShadeFrames
def text(device):
    return LetterTexts(16)
def frames(device):
    return ShadeFrames(16)
"""
CONFIG = {
    "format": 1,
    "text": {"type": "plugin", "name": "letters"},
    "video": {"feature_dim": 16, "embed_dim": 16},
    "matcher": {},
    "frame_encoder": "shades",
    "sampling": "fps:2",
}


@pytest.fixture
def model(tmp_path, install_plugin):
    install_plugin("hgrkit.text_encoders", "letters", source=PLUGINS, distribution="letters", target="text")
    install_plugin("hgrkit.frame_encoders", "shades", source=PLUGINS, distribution="letters", target="frames")
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(CONFIG))
    return folder


@pytest.fixture
def videos(tmp_path, make_video):
    for number in range(4):
        make_video(f"v/{number}.mp4", shade=50 * number)
    return tmp_path / "v"


@pytest.fixture
def out(tmp_path):
    return tmp_path / "F.h5"


def read(out):
    with FeatureFile(out) as file:
        return {name: file[name] for name in file}


def test_a_file_has_the_features_that_indexing_makes(videos, model, out, tmp_path):
    report = extract_features([videos], out, model=model)
    assert (report.videos, report.frames, report.feature_dim, report.failures) == (4, 16, 16, ())
    found = read(out)
    assert list(found) == ["0.mp4", "1.mp4", "2.mp4", "3.mp4"]
    assert not out.with_name("F.h5.work").exists()
    with (
        Retriever.create(tmp_path / "decoded", model=model) as decoded,
        Retriever.create(tmp_path / "read", model=model, frame_encoder="features") as other,
    ):
        decoded.index(videos)
        assert other.index(videos, features=out).decoded_frames == 0
        np.testing.assert_allclose(other.scores(["a dog"]), decoded.scores(["a dog"]), atol=1e-3)


def test_a_table_of_vectors_is_indexed_like_the_file_that_it_was_made_of(videos, model, out, tmp_path):
    extract_features([videos], out, model=model)
    rows = [(name, row.tolist()) for name, features in read(out).items() for row in features]
    table = tmp_path / "F.parquet"
    parquet.write_table(pa.table({"id": [name for name, _ in rows], "vector": [row for _, row in rows]}), table)
    scores = []
    for number, features in enumerate((out, table)):
        with Retriever.create(tmp_path / f"{number}", model=model, frame_encoder="features") as retriever:
            assert retriever.index(videos, features=features).indexed == 4
            scores.append(retriever.scores(["a dog"]))
    np.testing.assert_array_equal(*scores)


def test_a_head_is_trained_on_the_file_and_then_indexes(videos, model, out, tmp_path):
    extract_features([videos], out, model=model)
    captions = {
        f"{number}.mp4": [f"a {shade} picture"] for number, shade in enumerate(("black", "dark", "grey", "white"))
    }
    (tmp_path / "captions.json").write_text(json.dumps(captions))
    data = 'captions = "captions.json"\nfeatures = ["F.h5"]\n'
    (tmp_path / "run.toml").write_text(
        f'[data.train]\n{data}[data.dev]\n{data}[model]\nstart = "model"\n[training]\nepochs = 2\nbatch_size = 4\n'
    )
    RunConfig.read(tmp_path / "run.toml").run(tmp_path / "run")
    with Retriever.create(tmp_path / "lib", model=tmp_path / "run" / "model") as retriever:
        assert retriever.index(videos).indexed == 4
        assert retriever.library.manifest.frame_encoder == "shades"
        assert len(retriever.search("a grey picture").hits) == 4


def test_what_a_file_has_is_not_encoded_again(videos, model, out, make_video):
    extract_features([videos], out, model=model)
    before = read(out)
    make_video("v/4.mp4", shade=230)
    (videos / "0.mp4").unlink()
    report = extract_features([videos], out, model=model)
    assert (report.videos, report.frames) == (5, 20)
    assert 0 < report.decoded_frames <= 20, "of the new one alone"
    after = read(out)
    for name, features in before.items():
        np.testing.assert_array_equal(after[name], features)


def test_a_changed_video_replaces_its_features(videos, model, out, make_video):
    extract_features([videos], out, model=model)
    before = read(out)
    make_video("v/1.mp4", shade=250, seconds=3)
    assert extract_features([videos], out, model=model).videos == 4
    assert len(read(out)["1.mp4"]) > len(before["1.mp4"])


def test_a_bad_video_is_reported_and_stops_nothing(videos, model, out):
    (videos / "bad.mp4").write_bytes(b"nothing of the kind")
    report = extract_features([videos], out, model=model)
    assert report.videos == 4
    (failure,) = report.failures
    assert failure.path.endswith("bad.mp4")


def test_two_videos_of_one_name_are_both_kept(videos, model, out, make_video):
    other = make_video("v/more/0.mp4", shade=240)
    report = extract_features([videos], out, model=model)
    assert report.videos == 5
    with FeatureFile(out) as file:
        assert not np.array_equal(file[str(other)], file["0.mp4"])


def test_progress_names_each_video(videos, model, out):
    told = []
    extract_features([videos], out, model=model, on_progress=told.append)
    assert all(isinstance(one, IndexProgress) for one in told)
    assert [one.done for one in told] == [1, 2, 3, 4]


RUN = """
import sys
from hgrkit.indexing.extraction import extract_features
def tell(progress):
    print(progress.outcome, progress.path, flush=True)
print("decoded", extract_features([sys.argv[1]], sys.argv[2], model=sys.argv[3], num_workers=1,
                                  on_progress=tell).decoded_frames)
"""


def test_a_killed_run_resumes_with_what_it_told_of(videos, model, out, tmp_path):
    whole = extract_features([videos], tmp_path / "whole.h5", model=model)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", RUN, videos, out, model]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        for number, _ in enumerate(process.stdout, 1):
            if number == 2:
                process.send_signal(signal.SIGKILL)
                break
    assert process.returncode == -signal.SIGKILL
    assert not out.exists()
    assert extract_features([videos], out, model=model).decoded_frames <= whole.decoded_frames / 2
    found, expected = read(out), read(tmp_path / "whole.h5")
    assert found.keys() == expected.keys()
    for name, features in expected.items():
        np.testing.assert_array_equal(found[name], features)


@pytest.mark.parametrize("call", ["written_whole", "replace", "rmtree"])
def test_a_run_that_is_killed_while_it_finishes_leaves_nothing_behind(videos, model, out, tmp_path, call):
    """The process ends where it writes the file, or before it removes what it worked with, or while it does so."""
    program = f"""
import os, shutil
from pathlib import Path
import hgrkit.indexing.extraction as extraction
real = {{"written_whole": extraction.written_whole, "replace": Path.replace, "rmtree": shutil.rmtree}}[{call!r}]
def die(*arguments, **how):
    if {call!r} == "written_whole":
        with real(*arguments, **how) as temporary:
            temporary.write_bytes(b"half")
            os._exit(9)
    if str(arguments[0]).endswith((".work", ".work.finished")) and Path(arguments[0]).exists():
        if {call!r} == "rmtree":
            next(Path(arguments[0]).glob("*.sqlite")).unlink()
        os._exit(9)
    return real(*arguments, **how)
if {call!r} == "written_whole":
    extraction.written_whole = die
elif {call!r} == "replace":
    Path.replace = die
else:
    shutil.rmtree = die
extraction.extract_features([{str(videos)!r}], {str(out)!r}, model={str(model)!r}, num_workers=1)
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", program], env=environment, check=False).returncode == 9
    assert extract_features([videos], out, model=model).videos == 4
    assert sorted(path.name for path in tmp_path.glob("F.h5*")) == ["F.h5"]


def test_a_file_that_was_made_otherwise_is_refused(videos, model, out, tmp_path):
    extract_features([videos], out, model=model)
    with pytest.raises(FeatureFileError, match="at fps:2, not of shades@1 at fps:3"):
        extract_features([videos], out, model=model, sampling="fps:3")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["a"] = np.zeros((2, 3))
    with pytest.raises(FeatureFileError, match="unknown frame encoder"):
        extract_features([videos], tmp_path / "other.h5", model=model)
    out.write_bytes(b"nothing of the kind")
    with pytest.raises(FeatureFileError, match="damaged"):
        extract_features([videos], out, model=model)


def test_the_wrong_suffix_and_a_model_without_frame_encoder_are_refused(videos, model, tmp_path):
    with pytest.raises(ConfigError, match=r"\.h5 or \.hdf5"):
        extract_features([videos], tmp_path / "F.npz", model=model)
    config = {name: value for name, value in CONFIG.items() if name != "frame_encoder"}
    (model / "config.json").write_text(json.dumps(config))
    with pytest.raises(ConfigError, match="no frame encoder"):
        extract_features([videos], tmp_path / "F.h5", model=model)
