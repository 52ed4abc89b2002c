"""Benchmarks by name on the command line: listed, checked, and a model measured on one."""

from __future__ import annotations

import json
import shutil

import h5py
import numpy as np
import pytest

from hgrkit.cli.output import measures_table


@pytest.fixture
def photographs(tmp_path):
    """Two photographs of a made-up Flickr8k, and features of the default model's size."""
    (tmp_path / "ann").mkdir()
    lines = ["a.jpg#0\ta dog runs", "a.jpg#1\ta brown dog plays", "b.jpg#0\ta man sings", "b.jpg#1\ta dog runs"]
    (tmp_path / "ann" / "Flickr8k.token.txt").write_text("\n".join(lines))
    (tmp_path / "ann" / "Flickr_8k.testImages.txt").write_text("a.jpg\nb.jpg\n")
    random = np.random.default_rng(0)
    with h5py.File(tmp_path / "features.hdf5", "w") as file:
        for name in ("a", "b.jpg", "surplus"):
            file[name] = random.standard_normal((3, 1280)).astype(np.float32)
    return tmp_path


def evaluate(hgrkit, folder, *more):
    features = ["--features", folder / "features.hdf5"]
    return hgrkit("evaluate", "--benchmark", "flickr8k", "--annotations", folder / "ann", *features, *more)


def test_the_list_names_every_benchmark_its_counts_and_its_files(hgrkit):
    rows = {row["name"]: row for row in hgrkit("benchmarks", "--json").json["benchmarks"]}
    assert rows["msr-vtt/full"]["queries"] == 59800
    assert rows["charades-sta"]["files"].startswith("charades_sta_test.txt")
    printed = hgrkit("benchmarks").out
    assert all(name in printed for name in rows)
    assert "59,800" in printed


def test_a_benchmark_says_how_it_is_used(hgrkit):
    assert "paragraph" in hgrkit("benchmarks", "activitynet-captions/paragraph").out
    assert hgrkit("benchmarks", "tvr", "--json").json["videos"] == 2179


@pytest.mark.shared
def test_complete_files_are_counted(hgrkit, shared):
    ran = hgrkit("benchmarks", "charades-sta", "--annotations", shared / "data" / "annotations", "--json")
    assert (ran.status, ran.err) == (0, "")
    counts = {
        "name": "charades-sta",
        "split": "test",
        "queries": 3720,
        "videos": 1334,
        "complete": True,
        "problems": [],
    }
    assert counts.items() <= ran.json.items()


def test_incomplete_files_end_with_status_1_and_are_named(hgrkit, photographs):
    ran = hgrkit("benchmarks", "flickr8k", "--annotations", photographs / "ann", "--json")
    assert ran.status == 1
    assert ran.json["complete"] is False
    assert ran.json["problems"][0].startswith("flickr8k: 4 captions, expected 5,000; a.jpg has 2 instead of 5")
    assert ran.err.splitlines() == ran.json["problems"]


def test_a_model_is_measured_on_features(hgrkit, photographs):
    ran = evaluate(hgrkit, photographs, "--allow-missing", "--json", "--ranks", photographs / "ranks.jsonl")
    measured = ran.json
    assert measured["text_to_video"]["queries"] == 4
    assert measured["video_to_text"]["queries"] == 2
    assert measured["videos"] == {"found": 2, "missing": 0, "names": []}
    assert (measured["parser_failures"], measured["protocol"]) == (0, "standard")
    assert measured["benchmark"]["complete"] is False
    assert "expected 5,000" in ran.err
    lines = [json.loads(line) for line in (photographs / "ranks.jsonl").read_text().splitlines()]
    assert [line["query"] for line in lines] == ["a.jpg#0", "a.jpg#1", "b.jpg#0", "b.jpg#1"]
    # The same words belong to both photographs, but only their own is right.
    assert sorted(line["rank"] for line in lines if line["caption"] == "a dog runs") == [1, 2]


def test_released_protocol_asks_equal_captions_once(hgrkit, photographs):
    measured = evaluate(hgrkit, photographs, "--allow-missing", "--protocol", "released", "--json").json
    assert measured["text_to_video"]["queries"] == 3


def test_a_smaller_benchmark_is_refused_unless_it_is_asked_for(hgrkit, photographs):
    assert "expected 5,000" in evaluate(hgrkit, photographs).error
    with h5py.File(photographs / "features.hdf5", "a") as file:
        del file["b.jpg"]
    ran = evaluate(hgrkit, photographs, "--allow-missing", "--json")
    assert ran.json["videos"] == {"found": 1, "missing": 1, "names": ["b.jpg"]}
    assert "1 videos were not found: b.jpg" in ran.err
    assert ran.json["text_to_video"]["queries"] == 2


def test_features_that_do_not_fit_the_model_are_refused(hgrkit, photographs):
    with h5py.File(photographs / "features.hdf5", "w") as file:
        file["a.jpg"], file["b.jpg"] = np.ones((2, 7)), np.ones((2, 7))
    error = evaluate(hgrkit, photographs, "--allow-missing").error
    assert "features of 'a.jpg' must be [F, 1280] for this model, got [2, 7]" in error


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--annotations", "x"], "--benchmark"),
        (["--benchmark", "flickr8k"], "--annotations"),
        (["--benchmark", "flickr8k", "--annotations", "x"], "--features FILE, --videos DIR or --library LIB"),
        (["--benchmark", "flickr9k", "--annotations", "x", "--features", "y"], "Did you mean 'flickr8k'?"),
        (["--benchmark", "flickr8k", "--annotations", "no/such", "--features", "y"], "no/such"),
        (["--benchmark", "flickr8k", "--annotations", "x", "--captions", "y"], "--captions"),
    ],
)
def test_what_does_not_go_together_is_refused(hgrkit, arguments, words):
    assert words in hgrkit("evaluate", *arguments).error


@pytest.mark.shared
def test_a_model_is_measured_on_a_folder_of_videos(hgrkit, msvd, tmp_path):
    """Two real clips are decoded; the third of the list is not there, the third of the folder is left alone."""
    clips = sorted((msvd / "videos").iterdir())[:3]
    (tmp_path / "videos" / "deep").mkdir(parents=True)
    for clip in clips:
        shutil.copyfile(clip, tmp_path / "videos" / "deep" / clip.name)
    names = [clip.stem for clip in clips[:2]]
    captions = json.loads((msvd / "captions.json").read_text())
    lines = [f"{clip.stem} {text}" for clip in clips for text in captions[clip.name][:4]]
    (tmp_path / "AllVideoDescriptions.txt").write_text("\n".join(lines))
    (tmp_path / "test_list.txt").write_text("\n".join([*names, "gone_1_2"]))
    options = [
        "--benchmark",
        "msvd",
        "--annotations",
        tmp_path,
        "--videos",
        tmp_path / "videos",
        "--allow-missing",
    ]
    library = tmp_path / "library"
    measured = hgrkit("evaluate", *options, "--library", library, "--json").json
    assert measured["videos"] == {"found": 2, "missing": 1, "names": ["gone_1_2"]}
    assert measured["text_to_video"]["queries"] == 8
    assert hgrkit("info", "--library", library, "--json").json["indexed"] == 2
    kept = ["--benchmark", "msvd", "--annotations", tmp_path, "--library", library, "--allow-missing", "--json"]
    again = hgrkit("evaluate", *kept).json
    assert again["text_to_video"] == measured["text_to_video"]
    scratch = hgrkit("evaluate", *options, "--json").json
    assert scratch["text_to_video"] == measured["text_to_video"]


def test_the_list_of_ms_sl_is_counted(hgrkit, tmp_path):
    """A file of the published schema and size: 4,430 videos with four sentences or three."""
    lines = [
        f"v_{video:011d}#enc#{number} a person does thing {number} ."
        for video in range(4430)
        for number in range(4 if video < 2463 else 3)
    ]
    folder = tmp_path / "activitynet" / "TextData"
    folder.mkdir(parents=True)
    (folder / "activitynettest.caption.txt").write_text("\n".join(lines) + "\n")
    ran = hgrkit("benchmarks", "activitynet-captions/ms-sl", "--annotations", tmp_path, "--json")
    assert (ran.status, ran.err) == (0, "")
    assert (ran.json["queries"], ran.json["videos"], ran.json["complete"]) == (15753, 4430, True)
    (folder / "activitynettest.caption.txt").write_text("\n".join(lines[1:]) + "\n")
    ran = hgrkit("benchmarks", "activitynet-captions/ms-sl", "--annotations", tmp_path)
    assert ran.status == 1
    assert "15,752 captions, expected 15,753" in ran.err


def test_the_table_shows_groups_of_moments_that_have_queries():
    figure = {"value": 12.0, "interval": [10.0, 14.0]}
    group = {"queries": 3, "intervals": {"R@1": figure, "SumR": figure}}
    measured = {
        "text_to_video": {"queries": 3},
        "intervals": {"level": 95, "text_to_video": {"R@1": figure}},
        "moment_to_video_ratio": {"(0, 0.2]": group, "(0.2, 0.4]": {"queries": 0, "intervals": {}}},
    }
    labels = list(measures_table(measured).columns[0].cells)
    assert labels == [
        "text to video R@1",
        "moment-to-video ratio (0, 0.2] R@1",
        "moment-to-video ratio (0, 0.2] SumR",
        "text to video queries",
    ]
