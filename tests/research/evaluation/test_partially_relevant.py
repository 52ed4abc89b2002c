"""Partially relevant retrieval from features to figures, on videos whose moments are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hgrkit import HgrModel, TextEncoder, VideoEncoder, Vocabulary
from hgrkit.errors import BenchmarkError, ShapeError
from hgrkit.model.scorer import embed_captions
from hgrkit.parsing.registry import load_parser
from hgrkit.research.datasets.benchmark import Benchmark, BenchmarkCaption, BenchmarkVideo
from hgrkit.research.evaluation.bootstrap import Bootstrap
from hgrkit.research.evaluation.long_video_search import TimedFeatures
from hgrkit.research.evaluation.partially_relevant import evaluate_moments

TEXTS = ["a dog runs", "a man sings", "two cats sleep", "a woman cooks rice", "a boy rides a horse", "birds fly"]
DIM = len(TEXTS) * 3


@pytest.fixture(scope="module")
def model():
    """Sees exactly what the features say."""
    torch.manual_seed(0)
    vocabulary = Vocabulary.from_sentences(text.split() for text in TEXTS)
    video = VideoEncoder(feature_dim=DIM, embed_dim=DIM, shared_projection=True)
    with torch.no_grad():
        video.projections[0].weight.copy_(torch.eye(DIM))
        video.projections[0].bias.zero_()
    return HgrModel(text=TextEncoder(vocabulary=vocabulary, embed_dim=DIM), video=video).eval()


@pytest.fixture(scope="module")
def features(model):
    """Two videos of three scenes of ten frames; each scene shows what one sentence says at every level."""
    queries = embed_captions(model, load_parser("lark"), TEXTS).queries
    rows = [
        np.mean([query.event, query.action.mean(axis=0), query.entity.mean(axis=0)], axis=0) for query in queries
    ]
    scenes = [np.repeat(row[None], 10, axis=0) for row in rows]
    return {"v0.mp4": np.concatenate(scenes[:3]), "v1.mp4": np.concatenate(scenes[3:])}


def benchmark_of(*, duration_s=15.0, texts=TEXTS):
    captions = [
        BenchmarkCaption(
            id=f"c{number}",
            video=f"v{number // 3}",
            text=text,
            start_s=5.0 * (number % 3),
            end_s=5.0 * (number % 3) + 5,
        )
        for number, text in enumerate(texts)
    ]
    return Benchmark(
        name="made up",
        task="partially relevant retrieval",
        split="test",
        videos=tuple(BenchmarkVideo(name=name, duration_s=duration_s) for name in ("v0", "v1")),
        captions=tuple(captions),
        sentences=len(captions),
    )


def test_every_moment_is_found_where_scenes_show_what_sentences_say(model, features):
    found = evaluate_moments(model, benchmark_of(), features, bootstrap=Bootstrap(20)).to_dict()
    assert found["text_to_video"]["R@1"] == 100
    assert found["text_to_video"]["SumR"] == 400
    assert found["moments"]["right_video"]["R@1 IoU=0.7"] == 100
    assert found["moments"]["corpus"]["R@1 IoU=0.7"] == 100
    fixed = found["baselines"]["fixed_windows"]
    assert fixed["seconds"] == 10
    assert fixed["moments"]["right_video"]["R@1 IoU=0.7"] < 100
    assert set(found["intervals"]) >= {"text_to_video", "right_video_moments", "corpus_moments", "level"}


def test_figures_are_told_by_moment_to_video_ratio(model, features):
    found = evaluate_moments(model, benchmark_of(), features, bootstrap=Bootstrap(20)).to_dict()
    groups = found["moment_to_video_ratio"]  # every moment fills a third of its video
    assert {name: group["queries"] for name, group in groups.items()} == {
        "(0, 0.2]": 0,
        "(0.2, 0.4]": 6,
        "(0.4, 1]": 0,
    }
    assert groups["(0.2, 0.4]"]["SumR"] == found["text_to_video"]["SumR"]
    longer = {name: TimedFeatures(rows, duration_s=50.0) for name, rows in features.items()}
    found = evaluate_moments(model, benchmark_of(), longer, bootstrap=Bootstrap(20)).to_dict()
    assert found["moment_to_video_ratio"]["(0, 0.2]"]["queries"] == 6
    unknown = evaluate_moments(model, benchmark_of(duration_s=None), features, bootstrap=Bootstrap(20)).to_dict()
    assert not any(group["queries"] for group in unknown["moment_to_video_ratio"].values())


def test_times_that_come_with_the_frames_count_before_the_annotations(model, features):
    frames = {
        name: TimedFeatures(rows, times_s=np.arange(30) + 0.5, duration_s=30.0) for name, rows in features.items()
    }
    found = evaluate_moments(model, benchmark_of(), frames, bootstrap=Bootstrap(20)).to_dict()
    assert found["text_to_video"]["R@1"] == 100
    assert found["moments"]["right_video"]["R@1 IoU=0.7"] < 50


def test_without_lengths_videos_are_ranked_and_moments_are_not_measured(model, features):
    evaluated = evaluate_moments(model, benchmark_of(duration_s=None), features, bootstrap=Bootstrap(20))
    assert evaluated["R@1"].value == 100
    assert evaluated.to_dict()["moments"] is None
    assert evaluated.to_dict()["baselines"] == {}


def test_a_moment_in_the_wrong_video_is_not_found_in_the_corpus(model, features):
    swapped = {"v0": features["v1.mp4"], "v1": features["v0.mp4"]}
    found = evaluate_moments(model, benchmark_of(), swapped, bootstrap=Bootstrap(20)).to_dict()
    assert found["text_to_video"]["R@1"] == 0
    assert found["moments"]["corpus"]["R@1 IoU=0.3"] == 0


def test_a_sentence_that_cannot_be_read_ranks_last_and_is_counted(model, features):
    texts = [*TEXTS[:5], ""]
    evaluated = evaluate_moments(model, benchmark_of(texts=texts), features, bootstrap=Bootstrap(20))
    assert evaluated.parser_failures == 1
    assert [row.rank for row in evaluated.query_ranks] == [1, 1, 1, 1, 1, 2]
    assert evaluated.to_dict()["moments"]["right_video"]["R@1 IoU=0.5"] == pytest.approx(500 / 6)


def test_a_missing_video_is_an_error_unless_that_is_allowed(model, features):
    some = {"v0": features["v0.mp4"]}
    with pytest.raises(BenchmarkError, match="'v1'"):
        evaluate_moments(model, benchmark_of(), some)
    evaluated = evaluate_moments(model, benchmark_of(), some, allow_missing=True, bootstrap=Bootstrap(20))
    assert evaluated.missing == ("v1",)
    assert len(evaluated.query_ranks) == 3


def test_features_of_another_size_are_refused_by_name(model):
    wrong = {name: np.ones((4, 3), np.float32) for name in ("v0", "v1")}
    with pytest.raises(ShapeError, match=r"'v0' must be \[F, 18\]"):
        evaluate_moments(model, benchmark_of(), wrong)
