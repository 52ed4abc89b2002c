"""Commands that ask a library or index on a CPU import no torch, unless only torch has the text encoder."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hgrkit.indexing.parts import Parts
from hgrkit.library.library import Library
from hgrkit.library.records import ClipEmbeddings, VideoRecord
from hgrkit.model.hgr_model import HgrModel
from hgrkit.model.loaded import LoadedModel
from hgrkit.model.scorer import embed_features
from hgrkit.model.text.sentence_encoder import SentenceTextEncoder
from hgrkit.model.trust import remember_parts
from hgrkit.model.video import VideoEncoder
from tests.test_retriever import write_video

HEAVY = {"torch", "stanza", "av", "PIL", "jinja2", "resvg_py", "pyarrow", "matplotlib"}

PROGRAM = """
import sys
from hgrkit.cli import main
sys.argv = ["hgrkit", *sys.argv[1:]]
try:
    main()
finally:
    print("\\n".join(sorted({name.split(".")[0] for name in sys.modules})), file=sys.stderr)
"""


def run(*arguments):
    """What a command printed in a fresh process, and the packages that it imported."""
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, *map(str, arguments)], check=True, capture_output=True, text=True
    )
    return ran.stdout, set(ran.stderr.split())


@pytest.fixture(scope="module")
def library(tmp_path_factory, transformer):
    """Two clips of random vectors, and a model of random weights on a small transformer."""
    folder = tmp_path_factory.mktemp("without_torch")
    model = HgrModel(
        text=SentenceTextEncoder(reader=transformer.reader(), embed_dim=4),
        video=VideoEncoder(feature_dim=2, embed_dim=4),
    ).save(folder / "model")
    random = np.random.default_rng(0)
    manifest = Parts.choose(LoadedModel.load(model)).manifest
    remember_parts(manifest)
    with Library.create(folder / "library", manifest) as made:
        for name in ("one.mp4", "two.mp4"):
            event, action, entity = (random.normal(size=shape) for shape in (4, (3, 4), (3, 4)))
            clip = ClipEmbeddings(start_s=0, end_s=2, times_s=[0, 1, 2], event=event, action=action, entity=entity)
            made.add(VideoRecord(path=name, content=f"sha256:{name}", size=1, mtime_ns=0), [clip])
    return folder / "library"


@pytest.mark.parametrize("device", ["auto", "cpu"])
def test_a_search_imports_nothing_heavy_but_what_reads_the_model(library, device):
    printed, imported = run("search", "a dog runs", "--library", library, "--device", device, "--json")
    assert sorted(hit["video"] for hit in json.loads(printed)["hits"]) == ["one.mp4", "two.mp4"]
    assert not imported & (HEAVY | {"rich", "h5py", "hnswlib", "pydantic"})


def test_a_search_with_pages_and_tables_imports_no_torch(library, tmp_path):
    _, imported = run("search", "a dog runs", "--library", library, "--html", tmp_path / "why.html")
    assert (tmp_path / "why.html").is_file()
    assert "torch" not in imported


def indexed(library, *arguments):
    """The report of an index run on a CPU, and the packages that the run imported."""
    printed, imported = run("index", *arguments, "--library", library, "--device", "cpu", "--json")
    return json.loads(printed), imported


@pytest.fixture
def features(tmp_path):
    """A folder of two videos, and their features in a file."""
    videos = tmp_path / "videos"
    videos.mkdir()
    rng = np.random.default_rng(1)
    arrays = {}
    for shade, name in enumerate(("one.mp4", "two.mp4")):
        write_video(videos / name, 1, (200 * shade, 30, 30))
        arrays[name] = rng.normal(size=(3, 2)).astype(np.float32)
    np.savez(tmp_path / "features.npz", **arrays)
    return videos, "--features", tmp_path / "features.npz"


def test_indexing_on_a_cpu_imports_no_torch(library, features, tmp_path):
    report, imported = indexed(tmp_path / "new", *features, "--model", library.parent / "model")
    assert report["indexed"] == 2
    assert not imported & {"torch", "stanza", "pydantic"}
    report, imported = indexed(tmp_path / "new", *features)
    assert (report["indexed"], report["unchanged"]) == (0, 2)
    assert not imported & {"torch", "stanza", "lark", "onnxruntime", "pydantic"}


def test_what_is_indexed_without_torch_is_what_torch_would_have_stored(library, features, tmp_path):
    indexed(tmp_path / "new", *features, "--model", library.parent / "model")
    model = LoadedModel.load(library.parent / "model").model
    with Library.open(tmp_path / "new") as made, np.load(features[2]) as arrays:
        snapshot = made.snapshot()
        clips = snapshot.clips(range(len(snapshot.events())))
        paths = [record.path for record in made.videos()]
        assert len(clips) == len(paths) == 2
        for video, clip in zip(snapshot.clip_videos, clips, strict=True):
            expected = embed_features(model, arrays[Path(paths[video]).name])
            for level in ("event", "action", "entity"):  # float16 is what a library keeps
                right = getattr(expected, level)
                np.testing.assert_allclose(getattr(clip, level), right, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("command", ["info --library", "verify", "export --to npz --out vectors.npz"])
def test_what_looks_at_a_library_imports_no_torch(library, command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _, imported = run(*command.split(), library)
    assert "torch" not in imported


@pytest.mark.parametrize("command", [["parse", "a dog runs"], ["parsers"], ["benchmarks"], ["--help"]], ids=str)
def test_what_asks_no_model_imports_no_torch(command):
    _, imported = run(*command)
    assert "torch" not in imported


@pytest.mark.shared
def test_indexing_real_videos_with_the_default_model_imports_no_torch(shared, tmp_path):
    videos = sorted((shared / "data/msvd/videos").iterdir())[:2]
    report, imported = indexed(tmp_path / "library", *videos)
    assert report["indexed"] == 2
    assert "torch" not in imported
    report, imported = indexed(tmp_path / "library", *videos)
    assert report["unchanged"] == 2
    shutil.copy(videos[0], tmp_path / "example.mp4")
    printed, like = run(
        "search", "--like", f"{tmp_path / 'example.mp4'}@0-2", "-l", tmp_path / "library", "--json"
    )
    assert json.loads(printed)["hits"][0]["video"] == str(videos[0])
    assert not like & {"torch", "stanza", "lark", "PIL", "pydantic"}
    assert not imported & {"torch", "stanza", "lark", "onnxruntime", "pydantic"}


@pytest.mark.shared
def test_a_search_with_the_default_model_imports_no_torch(msvd_library):
    printed, imported = run("search", "a man is riding a horse", "--library", msvd_library, "--json")
    assert len(json.loads(printed)["hits"]) == 10
    assert not imported & HEAVY
