"""Commands that ask a library import no torch, unless only torch has the text encoder of its model."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from hgrkit.indexing.parts import Parts
from hgrkit.library.library import Library
from hgrkit.library.records import ClipEmbeddings, VideoRecord
from hgrkit.model.hgr_model import HgrModel
from hgrkit.model.loaded import LoadedModel
from hgrkit.model.text.sentence_encoder import SentenceTextEncoder
from hgrkit.model.video import VideoEncoder

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
    assert not imported & (HEAVY | {"rich", "h5py", "hnswlib"})


def test_a_search_with_pages_and_tables_imports_no_torch(library, tmp_path):
    _, imported = run("search", "a dog runs", "--library", library, "--html", tmp_path / "why.html")
    assert (tmp_path / "why.html").is_file()
    assert "torch" not in imported


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
def test_a_search_with_the_default_model_imports_no_torch(msvd_library):
    printed, imported = run("search", "a man is riding a horse", "--library", msvd_library, "--json")
    assert len(json.loads(printed)["hits"]) == 10
    assert not imported & HEAVY
