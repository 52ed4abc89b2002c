"""A program gets the numbers that the command line prints, kind by kind of evaluation."""

from __future__ import annotations

import json

import numpy as np
import pytest

from hgrkit.graph import Node, RoleGraph, Span, all_wanted
from hgrkit.library import ClipEmbeddings, VideoRecord
from hgrkit.parsing import LarkParser
from hgrkit.research import evaluation
from hgrkit.research.datasets.catalogue import benchmark
from hgrkit.research.evaluation import Baselines, Bootstrap, LibrarySource
from hgrkit.research.evaluation.rank_file import QueryRank
from hgrkit.retriever import Retriever
from hgrkit.video.feature_file import FeatureFile

CAPTIONS = {
    "a.mp4": ["a dog runs", "a brown dog runs on the grass"],
    "b.mp4": ["a man sings", "a dog runs"],
    "c.mp4": ["two cats sleep on a sofa"],
}
FOILS = [
    {"video": "a.mp4", "caption": "a dog runs", "foil": "a cat runs", "type": "x"},
    {"video": "b", "caption": "a man sings", "foil": "a woman sings", "type": "y"},
]
MOMENTS = "v0 0.0 6.0##a dog runs on the grass.\nv0 6.0 14.0##a man sings.\nv1 1.0 5.0##two cats sleep.\n"
FEW = Bootstrap(resamples=20, seed=3)
OPTIONS = ("--resamples", 20, "--seed", 3, "--json")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A library, captions and foils for it, two benchmarks with features, training pairs, and a run's ranks."""
    folder = tmp_path_factory.mktemp("program")
    rng = np.random.default_rng(0)
    with Retriever.create(folder / "library") as retriever:
        dim, feature_dim = retriever.library.manifest.embed_dim, retriever.model.feature_dim
        for name in "abcd":
            event, action, entity = rng.normal(size=dim), rng.normal(size=(2, dim)), rng.normal(size=(2, dim))
            clip = ClipEmbeddings(
                start_s=0, end_s=2, times_s=[0.5, 1.5], event=event, action=action, entity=entity
            )
            record = VideoRecord(path=f"videos/{name}.mp4", content=f"sha256:{name}", size=1, mtime_ns=0)
            retriever.library.add(record, [clip])
    (folder / "captions.json").write_text(json.dumps(CAPTIONS))
    (folder / "foils.jsonl").write_text("\n".join(map(json.dumps, FOILS)))
    (folder / "train.json").write_text(json.dumps({"x": ["a dog"], "y": ["a man"]}))
    (folder / "Flickr8k.token.txt").write_text("a.jpg#0\ta dog runs\nb.jpg#0\ta man sings\n")
    (folder / "Flickr_8k.testImages.txt").write_text("a.jpg\nb.jpg\n")
    words = "a a dog runs\na a brown dog plays\nb a man sings\nc a dog runs\nd two cats sleep"
    (folder / "AllVideoDescriptions.txt").write_text(words)
    (folder / "test_list.txt").write_text("a\nb\nc\nd")
    (folder / "charades_sta_test.txt").write_text(MOMENTS)
    (folder / "Charades_v1_test.csv").write_text("id,length\nv0,14.0\nv1,9.0\n")
    made_up = {name: rng.random((9, feature_dim)) for name in ("a", "b", "c", "d", "v0", "v1", "x", "y")}
    np.savez(folder / "features.npz", **made_up)
    lines = [{"video": f"v{n % 9}", "caption": "x", "rank": int(rng.integers(1, 9))} for n in range(30)]
    (folder / "a.ranks").write_text("\n".join(map(json.dumps, lines)))
    (folder / "b.ranks").write_text("\n".join(json.dumps({**line, "rank": 2}) for line in lines))
    return folder


@pytest.fixture
def features(folder):
    with FeatureFile(folder / "features.npz") as features:
        yield features


@pytest.fixture
def source(folder):
    with Retriever.open(folder / "library", device="cpu") as retriever:
        yield LibrarySource(retriever, folder / "library")


def test_captions_against_a_library_with_baselines(hgrkit, folder, source, features):
    files = (folder / "train.json", folder / "features.npz")
    command = hgrkit(
        *("evaluate", "--library", folder / "library", "--captions", folder / "captions.json", *OPTIONS),
        *("--baselines", "--baselines-train", *files, "--features", folder / "features.npz"),
    )
    baselines = Baselines(train=(evaluation.read_captions(folder / "train.json"), features), features=features)
    found = evaluation.evaluate_library(source, CAPTIONS, baselines=baselines, bootstrap=FEW)
    assert found.to_dict() == command.json
    assert set(found.baselines) == {"chance", "event_only", "canonical_correlation", "linear_map"}


def test_a_report_of_a_library(hgrkit, folder, source, tmp_path):
    command = ("evaluate", "--library", folder / "library", "--captions", folder / "captions.json", *OPTIONS)
    hgrkit(*command, "--report", tmp_path / "command.html")
    found = evaluation.evaluate_library(source, CAPTIONS, bootstrap=FEW)
    title = "captions.json against library"
    evaluation.write_report(tmp_path / "program.html", found, source, title=title, bootstrap=FEW)
    assert (tmp_path / "program.html").read_bytes() == (tmp_path / "command.html").read_bytes()


def test_a_failure_is_told_of_with_all_words_of_its_caption_as_scores_have_them(source):
    caption = "a dog without grass"
    graph = RoleGraph(
        tokens=caption.split(), nodes=[Node(1, "NOUN", Span(0, 2)), Node(2, "NOUN", Span(3, 4), excluded=True)]
    )
    row = QueryRank(query="q", video="a.mp4", caption=caption, rank=2, positive="a.mp4", top="b.mp4")
    found = source.explain(row, graph)
    assert [phrase.text for phrase in found.phrases] == ["a dog", "grass"]
    same = source.explain(row, all_wanted(graph))
    assert (found.right.score, found.preferred.score) == (same.right.score, same.preferred.score)
    assert found.phrases == same.phrases


def test_captions_and_foils(hgrkit, folder, source):
    command = hgrkit("evaluate", "--library", folder / "library", "--foils", folder / "foils.jsonl", *OPTIONS)
    pairs = evaluation.read_foils(folder / "foils.jsonl")
    assert evaluation.choose_foils(source.retriever, pairs, bootstrap=FEW).to_dict() == command.json


def asked(folder, name):
    options = ("--annotations", folder, "--features", folder / "features.npz", "--allow-missing")
    return "evaluate", "--benchmark", name, *options, *OPTIONS


@pytest.mark.parametrize("protocol", ["standard", "released"])
def test_a_benchmark_with_baselines(hgrkit, folder, protocol):
    command = hgrkit(*asked(folder, "flickr8k"), "--baselines", "--protocol", protocol)
    bench = benchmark("flickr8k", annotations=folder)
    with evaluation.open_source(bench, features=folder / "features.npz") as source:
        found = evaluation.evaluate_benchmark(
            source, bench, protocol=protocol, allow_missing=True, baselines=Baselines(), bootstrap=FEW
        )
    assert found.to_dict() == command.json


def test_moments(hgrkit, folder):
    command = hgrkit(*asked(folder, "charades-sta"))
    bench = benchmark("charades-sta", annotations=folder)
    with evaluation.open_source(bench, features=folder / "features.npz") as source:
        found = evaluation.evaluate_moments(source.model, bench, source.frames, allow_missing=True, bootstrap=FEW)
    assert found.to_dict() == command.json
    assert found.figures.corpus is not None


def test_two_runs(hgrkit, folder):
    a, b = folder / "a.ranks", folder / "b.ranks"
    command = hgrkit("compare", a, b, *OPTIONS).json
    found = evaluation.compare_ranks(evaluation.read_ranks(a), evaluation.read_ranks(b), bootstrap=FEW)
    assert {"a": str(a), "b": str(b), **found.to_dict()} == command


def test_a_parser(hgrkit, tmp_path):
    parser = LarkParser()
    gold, probes = tmp_path / "gold.jsonl", tmp_path / "probes.jsonl"
    gold.write_text(json.dumps(parser.parse("a dog chases a cat").to_dict()))
    probes.write_text(json.dumps({"caption": "a dog chases a cat", "foil": "a cat chases a dog", "agent": "dog"}))
    command = hgrkit("evaluate-parser", gold, "--probes", probes, "--json").json
    found = evaluation.report_parser(parser, evaluation.read_records(gold), evaluation.read_records(probes))
    assert {**found.to_dict(), "captions_per_cpu_second": 0} == {**command, "captions_per_cpu_second": 0}
    assert command["predicate"]["f1"] == 100
    assert command["probes"]["agent_is_arg0"] == 100


def test_a_benchmark_by_the_videos_of_a_library_and_its_report_with_phrases(hgrkit, folder, tmp_path):
    options = ("--annotations", folder, "--library", folder / "library", "--allow-missing")
    command = hgrkit("evaluate", "--benchmark", "msvd", *options, *OPTIONS, "--report", tmp_path / "command.html")
    bench = benchmark("msvd", annotations=folder)
    with evaluation.open_source(bench, library=folder / "library") as source:
        found = evaluation.evaluate_benchmark(source, bench, allow_missing=True, bootstrap=FEW)
        evaluation.write_report(tmp_path / "program.html", found, source, title="msvd", bootstrap=FEW)
    assert found.to_dict() == command.json
    page = (tmp_path / "program.html").read_text(encoding="utf-8")
    assert page == (tmp_path / "command.html").read_text(encoding="utf-8")
    assert '<table class="pairs">' in page


def test_a_source_has_to_be_named(folder):
    bench = benchmark("flickr8k", annotations=folder)
    with pytest.raises(ValueError, match="features, videos or library"), evaluation.open_source(bench):
        pass


@pytest.mark.parametrize("name", evaluation.__all__)
def test_every_name_of_the_room_is_there_and_documented(name):
    assert getattr(evaluation, name).__doc__


def test_a_name_that_the_room_lacks_is_an_attribute_error():
    with pytest.raises(AttributeError, match="evaluate_nothing"):
        evaluation.evaluate_nothing  # noqa: B018
