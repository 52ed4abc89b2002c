"""Intervals, ranks files, baselines and comparisons on the command line, on a small library of made-up vectors."""

from __future__ import annotations

import json

import numpy as np
import pytest

from hgrkit.library import ClipEmbeddings, VideoRecord
from hgrkit.retriever import Retriever

CAPTIONS = {
    "a.mp4": ["a dog runs", "a brown dog runs on the grass"],
    "b.mp4": ["a man sings", "a dog runs"],
    "c.mp4": ["two cats sleep on a sofa"],
}


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """Four videos, three of them with captions."""
    folder = tmp_path_factory.mktemp("evaluate")
    random = np.random.default_rng(0)
    with Retriever.create(folder / "library") as retriever:
        dim = retriever.library.manifest.embed_dim
        for name in "abcd":
            clip = ClipEmbeddings(
                start_s=0,
                end_s=2,
                times_s=[0.5, 1.5],
                event=random.normal(size=dim),
                action=random.normal(size=(2, dim)),
                entity=random.normal(size=(2, dim)),
            )
            record = VideoRecord(path=f"videos/{name}.mp4", content=f"sha256:{name}", size=1, mtime_ns=0)
            retriever.library.add(record, [clip])
    (folder / "captions.json").write_text(json.dumps(CAPTIONS))
    np.savez(folder / "features.npz", **{name: random.normal(size=(3, 6)) for name in "abcd"})
    trained = {f"t{n}": [f"a dog {n % 3}", "a cat"] for n in range(25)}
    (folder / "train.json").write_text(json.dumps(trained))
    np.savez(folder / "train.npz", **{name: random.normal(size=(1, 6)) for name in trained})
    return folder


@pytest.fixture
def evaluate(hgrkit, library):
    def run(*more):
        return hgrkit("evaluate", "--library", library / "library", "--captions", library / "captions.json", *more)

    return run


def test_every_measure_has_an_interval_and_the_old_keys_stay(evaluate):
    measured = evaluate("--json", "--resamples", 50, "--seed", 3).json
    intervals = measured.pop("intervals")
    assert set(measured) == {"text_to_video", "video_to_text", "Rsum"}
    assert set(measured["text_to_video"]) == {"R@1", "R@5", "R@10", "MedR", "MeanR", "queries"}
    assert (intervals["resamples"], intervals["seed"], intervals["videos"], intervals["level"]) == (50, 3, 3, 95)
    for direction in ("text_to_video", "video_to_text"):
        assert set(intervals[direction]) == {"R@1", "R@5", "R@10", "R@100", "MedR", "MeanR", "mRR", "SumR"}
        for name, found in intervals[direction].items():
            assert found["interval"][0] <= found["value"] <= found["interval"][1]
            assert name not in measured[direction] or measured[direction][name] == found["value"]
    assert intervals["Rsum"]["value"] == measured["Rsum"]


def test_the_table_shows_every_measure_with_its_interval(evaluate):
    ran = evaluate()
    lines = ran.out.splitlines()
    assert "95 %" in lines[0]
    (line,) = [line for line in lines if line.startswith("text to video R@1 ")]
    assert line.rstrip().endswith("]")
    assert lines[-1].split() == ["video", "to", "text", "queries", "3"]


def test_ranks_of_both_directions_are_written(evaluate, tmp_path):
    evaluate("--ranks", tmp_path / "captions.jsonl", "--video-ranks", tmp_path / "videos.parquet")
    lines = [json.loads(line) for line in (tmp_path / "captions.jsonl").read_text().splitlines()]
    assert [line["query"] for line in lines] == ["a.mp4#0", "a.mp4#1", "b.mp4#0", "b.mp4#1", "c.mp4#0"]
    assert [line["right"] for line in lines] == [2, 1, 1, 2, 1]
    assert all(line["candidates"] == 4 for line in lines)

    from hgrkit.research.evaluation.rank_file import read_ranks

    videos = read_ranks(tmp_path / "videos.parquet")
    assert [(row.query, row.candidates, row.right) for row in videos] == [
        ("a.mp4", 5, 3),
        ("b.mp4", 5, 3),
        ("c.mp4", 5, 1),
    ]


def test_baselines_stand_beside_the_model_in_its_shape(evaluate, library):
    train = ("--baselines-train", library / "train.json", library / "train.npz")
    features = ("--features", library / "features.npz")
    measured = evaluate("--baselines", *train, *features, "--resamples", 20, "--json").json
    baselines = measured.pop("baselines")
    assert list(baselines) == ["chance", "event_only", "canonical_correlation", "linear_map"]
    for found in baselines.values():
        assert set(found) == set(measured)
        for direction in ("text_to_video", "video_to_text"):
            assert set(found[direction]) == set(measured[direction])
            assert set(found["intervals"][direction]) == set(measured["intervals"][direction])
            assert found[direction]["queries"] == measured[direction]["queries"]
    assert baselines["chance"]["text_to_video"]["R@1"] == pytest.approx(100 * (3 / 4 + 2 * 2 / 4) / 5)
    assert baselines["chance"]["intervals"]["text_to_video"]["R@1"]["interval"] is None


def test_the_table_has_a_column_for_each_baseline(evaluate):
    header, *lines = evaluate("--baselines", "--resamples", 20).out.splitlines()
    assert header.split("  ")[-1].strip() == "model [95 %]"
    assert "chance" in header
    assert "event only" in header
    assert len({len(line) for line in (header, *lines)}) == 1, "no line is folded"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("--baselines-train {lib}/train.json {lib}/train.npz", "--baselines-train needs --baselines"),
        ("--baselines --baselines-train {lib}/train.json {lib}/train.npz", "give their features with --features"),
        (
            "--baselines --baselines-train {lib}/captions.json {lib}/features.npz --features {lib}/features.npz",
            "3 of the 3 training videos are evaluated too",
        ),
        (
            "--baselines --baselines-train {lib}/train.json {lib}/train.npz --features {lib}/train.npz",
            "no features of 4 of 4 videos",
        ),
        ("--features {lib}/features.npz", "--features"),
        ("--resamples 0", "resamples must be at least 1"),
    ],
)
def test_baselines_that_cannot_be_had_get_one_line(evaluate, library, arguments, words):
    assert words in evaluate(*arguments.replace("{lib}", str(library)).split()).error


def test_a_benchmark_has_intervals_and_baselines_too(hgrkit, tmp_path):
    (tmp_path / "ann").mkdir()
    (tmp_path / "ann" / "Flickr8k.token.txt").write_text("a.jpg#0\ta dog runs\nb.jpg#0\ta man sings\n")
    (tmp_path / "ann" / "Flickr_8k.testImages.txt").write_text("a.jpg\nb.jpg\n")
    random = np.random.default_rng(0)
    np.savez(tmp_path / "features.npz", **{name: random.normal(size=(2, 1280)) for name in "ab"})
    (tmp_path / "train.json").write_text(json.dumps({"x": ["a dog"], "y": ["a man"]}))
    np.savez(tmp_path / "train.npz", **{name: random.normal(size=(2, 1280)) for name in "xy"})
    ran = hgrkit(
        *("evaluate", "--benchmark", "flickr8k", "--annotations", tmp_path / "ann", "--allow-missing", "--json"),
        *("--features", tmp_path / "features.npz", "--video-ranks", tmp_path / "v.jsonl"),
        *("--baselines", "--baselines-train", tmp_path / "train.json", tmp_path / "train.npz"),
    )
    assert ran.json["intervals"]["text_to_video"]["R@5"]["value"] == 100
    assert ran.json["baselines"]["chance"]["text_to_video"]["R@1"] == 50
    assert set(ran.json["baselines"]) == {"chance", "event_only", "canonical_correlation", "linear_map"}
    assert len((tmp_path / "v.jsonl").read_text().splitlines()) == 2


# compare -------------------------------------------------------------------------------------------------------


@pytest.fixture
def runs(tmp_path):
    """Two runs over forty videos, the second much better; lines of the three keys that are needed."""
    random = np.random.default_rng(0)
    for name, most in (("a", 30), ("b", 6)):
        with (tmp_path / f"{name}.ranks").open("w") as file:
            for number in range(120):
                line = {"video": f"v{number % 40}", "caption": "x", "rank": int(random.integers(1, most))}
                file.write(json.dumps(line) + "\n")
    return tmp_path / "a.ranks", tmp_path / "b.ranks"


def test_compare_says_which_run_is_better(hgrkit, runs):
    ran = hgrkit("compare", *runs, "--resamples", 300)
    *table, named, verdict = ran.out.splitlines()
    assert table[0].split() == ["A", "B", "B", "-", "A", "95", "%", "interval", "p"]
    assert [line.split()[3] for line in table[1:]] == ["R@1", "R@5", "R@10", "MedR", "MeanR"]
    assert str(runs[1]) in named
    assert verdict.startswith("B is better on text to video R@1, ")


def test_compare_prints_one_object(hgrkit, runs):
    found = hgrkit("compare", *runs, "--json", "--resamples", 300, "--measures", "R@3,mRR").json
    assert list(found) == ["a", "b", "queries", "videos", "text_to_video", "verdict"]
    assert (found["queries"], found["videos"]) == (120, 40)
    assert list(found["text_to_video"]) == ["R@3", "mRR"]
    assert found["text_to_video"]["R@3"]["better"] == "b"
    assert found["text_to_video"]["R@3"]["p_value"] < 0.05


def test_compare_of_equal_runs_cannot_tell(hgrkit, runs):
    ran = hgrkit("compare", runs[0], runs[0], "--resamples", 100)
    assert ran.out.splitlines()[-1] == "The data cannot tell A from B."


@pytest.mark.parametrize(
    ("line", "more", "words"),
    [
        ('{"video": "w", "caption": "x", "rank": 1}', [], "the first run lacks the query 'w#0'"),
        ('{"video": "w", "caption": "x"}', [], "line 121: there is no 'rank'"),
        ("", ["--measures", "R@"], "no measure named 'R@'"),
        ("", ["--seed", "-1"], "seed must be at least 0"),
    ],
)
def test_compare_names_what_is_wrong(hgrkit, runs, line, more, words):
    if line:
        with runs[1].open("a") as file:
            file.write(line + "\n")
    assert words in hgrkit("compare", *runs, "--resamples", 20, *more).error


def test_compare_names_a_file_that_is_not_there(hgrkit, runs, tmp_path):
    assert "none.ranks" in hgrkit("compare", runs[0], tmp_path / "none.ranks").error
