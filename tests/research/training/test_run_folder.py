from __future__ import annotations

import json
import xml.etree.ElementTree as ET

import attrs
import numpy as np
import pytest

from hgrkit.errors import BenchmarkError, ConfigError, FeatureFileError, MissingPathError
from hgrkit.model.checkpoint import load_model
from hgrkit.parsing import LarkParser
from hgrkit.research.evaluation.measures import measure
from hgrkit.research.training.clips import CaptionedClips, read_graphs
from hgrkit.research.training.data_config import ClipFiles, FoilFile, ParaphraseFiles
from hgrkit.research.training.loop import measure_clips
from hgrkit.research.training.records import EpochRecord
from hgrkit.research.training.run_config import RunConfig
from hgrkit.research.training.run_folder import draw_curve, settings_changes
from hgrkit.research.training.text_feed import TextFeed


def record(epoch, loss, rsum=None, *, best=True):
    return EpochRecord(
        epoch=epoch,
        steps=epoch,
        loss=loss,
        losses={},
        learning_rate=1e-3,
        dev=None if rsum is None else {"Rsum": rsum},
        best=best,
        seconds=1.0,
    )


def test_the_log_says_what_a_run_was_made_of_and_what_came_of_each_epoch(data_folder):
    run = RunConfig.read(data_folder / "run.toml").run(data_folder / "out")
    lines = [json.loads(line) for line in (data_folder / "out" / "log.jsonl").read_text().splitlines()]
    first, *epochs, last = lines
    assert first["kind"] == "run"
    assert first["training"]["epochs"] == 6
    assert first["loss"]["level_weights"] == [1.0, 0.5, 0.5, 0.5]
    assert first["model"]["text"]["type"] == "rnn"
    assert (first["train"]["clips"], first["train"]["captions"]) == (24, 48)
    assert {"hgrkit", "torch", "numpy"} <= first["versions"].keys()
    assert [line["epoch"] for line in epochs] == [1, 2, 3, 4, 5, 6]
    for line in epochs:
        assert line["losses"].keys() == {"fused", "event", "action", "entity"}
        weighted = np.dot([1.0, 0.5, 0.5, 0.5], list(line["losses"].values()))
        assert line["loss"] == pytest.approx(weighted, rel=1e-5)
        assert line["dev"]["text_to_video"]["queries"] == 48
        assert line["seconds"] > 0
    assert last == {"kind": "end", "epochs": 6, "best_epoch": run.best_epoch}


def test_a_run_of_an_older_version_resumes_with_what_that_version_did():
    before = {"training": {"epochs": 2}, "about": {"model": {"embed_dim": 8}}}
    model = {"embed_dim": 8, "initialisation": None, "word_vectors": None}
    now = {"training": {"epochs": 2, "same_clip_negatives": False}, "about": {"model": model}}
    assert settings_changes(before, now) == []
    now["training"]["same_clip_negatives"] = True
    assert settings_changes(before, now) == ["[training] same_clip_negatives was 'none', is True"]


def test_a_run_leaves_a_model_that_loads_and_measures_as_its_log_says(data_folder):
    config = RunConfig.read(data_folder / "run.toml")
    run = config.run(data_folder / "out")
    model = load_model(data_folder / "out" / "model")
    clips = config.data.dev.read(data_folder, LarkParser())
    again = measure_clips(model, clips, TextFeed(model, clips.graphs))
    assert again.to_dict() == run.log[run.best_epoch - 1].dev
    assert (data_folder / "out" / "model" / "notes" / "training.toml").read_text() == config.source


def test_dev_measures_are_those_of_the_whole_table_of_scores(clips):
    from hgrkit.research.training.model_config import ModelConfig

    model = ModelConfig(embed_dim=8).make(clips.graphs, feature_dim=10, seed=0, base=None).eval()
    features = clips.features(np.arange(24), max_frames=None)
    scores = model(features, model.text.batch(clips.graphs)).fused.detach().numpy()
    right = clips.owners[None, :] == np.arange(24)[:, None]
    expected = measure(scores, right).to_dict()
    assert measure_clips(model, clips, TextFeed(model, clips.graphs)).to_dict() == expected


@pytest.mark.parametrize(
    "log",
    [
        [record(1, 3.0)],
        [record(1, 0.0, 0.0)],
        [record(n, 3.0 / n, 100.0 + n, best=n < 30) for n in range(1, 41)],
        [record(1, 1e-9, 599.99), record(2, 1e6, 600.0)],
    ],
    ids=["one", "zero", "many", "far"],
)
def test_the_curve_is_one_picture_that_needs_nothing_else(log):
    text = draw_curve(log)
    root = ET.fromstring(text)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert "href" not in text
    assert "nan" not in text
    lines = root.findall("{http://www.w3.org/2000/svg}polyline")
    assert len(lines) == (1 if log[0].dev is None else 2)
    for line in lines:
        points = [tuple(map(float, point.split(","))) for point in line.get("points").split()]
        assert len(points) == len(log)
        assert all(0 <= x <= 640 and 0 <= y <= 360 for x, y in points)


def test_captions_that_cannot_be_parsed_keep_their_words():
    class Picky:
        name, version = "picky", "1"

        def parse_batch(self, texts):
            from hgrkit.errors import GraphError
            from hgrkit.graph import RoleGraph

            if any("bad" in text for text in texts):
                raise GraphError("no")
            return [RoleGraph(tokens=text.split()) for text in texts]

    graphs, unparsed = read_graphs(Picky(), ["a dog", "A bad dog", "a cat"])
    assert unparsed == 1
    assert list(graphs[1].tokens) == ["a", "bad", "dog"]


def test_what_is_missing_from_the_data_is_said(data_folder):
    parser = LarkParser()
    with pytest.raises(MissingPathError, match=r"nothing\.json"):
        ClipFiles(captions="nothing.json", features=("features.npz",)).read(data_folder, parser)
    np.savez(data_folder / "few.npz", clip0=np.ones((1, 10)))
    with pytest.raises(BenchmarkError, match=r"no features of 23 of 24 clips, first 'clip1.mp4'"):
        ClipFiles(captions="captions.json", features=("few.npz",)).read(data_folder, parser)
    with pytest.raises(BenchmarkError, match="need captions"):
        CaptionedClips.of({"a": [" "]}, {"a": np.ones((1, 3))}, parser=parser)
    with pytest.raises(ConfigError, match="features names no file"):
        ClipFiles(captions="captions.json", features=())
    np.savez(data_folder / "odd.npz", **{f"clip{n}": np.ones(3) for n in range(24)})
    with pytest.raises(FeatureFileError):
        ClipFiles(captions="captions.json", features=("odd.npz",)).read(data_folder, parser)


def test_paraphrases_leave_out_the_clips_of_other_files(data_folder):
    (data_folder / "more.json").write_text(
        json.dumps({"clip0": ["a", "b"], "x": ["a dog", "the dog"], "y": ["a cat", "cats", "a cat"]})
    )
    files = ParaphraseFiles(captions="more.json", left_out=("captions.json",))
    others = files.read(data_folder, LarkParser())
    assert [len(clip) for clip in others.clips] == [2, 2]


def test_a_run_with_foils_says_how_many_there_were_and_what_they_cost(data_folder):
    with (data_folder / "foils.jsonl").open("a") as file:
        for video, caption, foil in (
            ("elsewhere", "a dog runs", "a cat runs"),
            ("clip0", "a man rests", "a dog rests"),
            ("clip0", "a man runs", "the man runs in the garden"),
        ):
            file.write(json.dumps({"video": video, "caption": caption, "foil": foil, "type": "any"}) + "\n")
    RunConfig.read(data_folder / "foiled.toml").run(data_folder / "out")
    first, *epochs, _ = [json.loads(line) for line in (data_folder / "out" / "log.jsonl").read_text().splitlines()]
    assert len(first["foils"].pop("sha256")) == 64
    assert first["foils"] == {
        "foils": 60,
        "captions": 36,
        "unparsed": 0,
        "left_out": {"other_clip": 1, "other_caption": 1, "true": 1},
    }
    for line in epochs:
        weighted = np.dot([1.0, 0.5, 0.5, 0.5, 0.5], list(line["losses"].values()))
        assert list(line["losses"])[-1] == "foil"
        assert line["loss"] == pytest.approx(weighted, rel=1e-5)


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        (None, MissingPathError, r"no file '.*foils\.jsonl'"),
        ('{"video": "clip0"}\n' * 2, BenchmarkError, r"foils\.jsonl, line 1 has no 'caption'"),
        ('{"video": "clip0"\n', BenchmarkError, r"foils\.jsonl, line 1 is not JSON"),
        ("", BenchmarkError, r"foils\.jsonl holds no foil"),
        (
            '{"video": "clip99", "caption": "a man runs", "foil": "a man eats"}\n',
            BenchmarkError,
            r"foils\.jsonl: none of 1 foils can be used: 1 are of other clips and 0 of other captions",
        ),
        (
            '{"video": "clip0", "caption": "a man runs", "foil": " "}\n',
            BenchmarkError,
            r"foils\.jsonl: the foil of 'a man runs' \(clip0\) has no words",
        ),
    ],
)
def test_a_file_of_foils_that_cannot_be_used_is_one_line(data_folder, clips, content, error, message):
    path = data_folder / "foils.jsonl"
    path.unlink()
    if content is not None:
        path.write_text(content)
    with pytest.raises(error, match=message) as caught:
        FoilFile(file="foils.jsonl").read(data_folder, LarkParser(), clips)
    assert "\n" not in str(caught.value)


def test_each_view_of_a_clip_is_drawn_in_training_and_the_first_in_measuring(clips):
    mirrored = tuple(-features for features in clips.views[0])
    both = attrs.evolve(clips, views=(*clips.views, mirrored))
    plain = both.features(np.arange(24), max_frames=None).frames
    drawn = both.features(np.arange(24), max_frames=None, rng=np.random.default_rng(0)).frames
    turned = [bool((row == -other).all()) for row, other in zip(drawn, plain, strict=True)]
    assert 4 < sum(turned) < 20
    assert plain.equal(clips.features(np.arange(24), max_frames=None).frames)
