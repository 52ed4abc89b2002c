"""A model on a benchmark, from features in memory or in a file."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hgrkit import HgrModel, Matcher, TextEncoder, VideoEncoder, Vocabulary, benchmark, evaluate
from hgrkit.errors import BenchmarkError, ConfigError, ShapeError

LINES = ["a.jpg#0\ta dog chases a ball", "a.jpg#1\ta man sings", "b.jpg#0\ta cat sleeps", "b.jpg#1\ta man sings"]


@pytest.fixture
def annotations(tmp_path):
    (tmp_path / "Flickr8k.token.txt").write_text("\n".join(LINES))
    (tmp_path / "Flickr_8k.testImages.txt").write_text("a.jpg\nb.jpg\n")
    return tmp_path


@pytest.fixture
def model():
    torch.manual_seed(0)
    vocabulary = Vocabulary.from_sentences(line.split("\t")[1].split() for line in LINES)
    text = TextEncoder(vocabulary=vocabulary, embed_dim=16, word_dim=8)
    return HgrModel(text=text, video=VideoEncoder(feature_dim=10, embed_dim=16), matcher=Matcher()).eval()


@pytest.fixture
def features():
    random = np.random.default_rng(0)
    return {name: random.standard_normal((3, 10), dtype=np.float32) for name in ("a", "b")}


def test_features_in_memory_and_in_a_file_give_the_same(annotations, model, features, tmp_path):
    np.savez(tmp_path / "features.npz", **features)
    in_memory = evaluate(
        model, benchmark("flickr8k", annotations=annotations), features=features, allow_missing=True
    )
    bench = benchmark("flickr8k", annotations=annotations, features=tmp_path / "features.npz")
    assert evaluate(model, bench, allow_missing=True).query_ranks == in_memory.query_ranks
    assert len(in_memory.measures.text_to_video.ranks) == 4
    assert in_memory["MedR"].value == np.median(in_memory.measures.text_to_video.ranks)


def test_captions_that_cannot_be_read_rank_last_and_are_counted(annotations, model, features):
    lines = [*LINES, "b.jpg#2\t\u200b"]
    (annotations / "Flickr8k.token.txt").write_text("\n".join(lines), encoding="utf-8")

    class Picky:
        name, version = "picky", "1"

        def parse_batch(self, texts):
            from hgrkit.errors import GraphError
            from hgrkit.parsing import LarkParser

            if any("\u200b" in text for text in texts):
                raise GraphError("nothing to read")
            return LarkParser().parse_batch(texts)

    bench = benchmark("flickr8k", annotations=annotations)
    found = evaluate(model, bench, features=features, parser=Picky(), allow_missing=True)
    assert found.parser_failures == 1
    assert found.query_ranks[4].rank == 2


def test_a_benchmark_without_features_is_refused(annotations, model):
    with pytest.raises(ConfigError, match="flickr8k"):
        evaluate(model, benchmark("flickr8k", annotations=annotations))


def test_features_of_another_size_name_their_video(annotations, model, features):
    features["b"] = np.ones((2, 9), np.float32)
    bench = benchmark("flickr8k", annotations=annotations)
    with pytest.raises(ShapeError, match=r"'b' must be \[F, 10\]"):
        evaluate(model, bench, features=features, allow_missing=True)


def test_missing_features_are_refused_before_a_caption_is_read(annotations, model, features):
    class Unused:
        name, version = "unused", "1"

        def parse_batch(self, texts):
            raise AssertionError("nothing should be read")

    with pytest.raises(BenchmarkError, match="expected 5,000"):
        evaluate(model, benchmark("flickr8k", annotations=annotations), features=features, parser=Unused())
