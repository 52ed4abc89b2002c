"""From a folder of videos to answers: training-free retrieval over a dual encoder."""

from __future__ import annotations

import json
import shutil

import av
import hgrkit_clip
import numpy as np
import pytest
from typer.testing import CliRunner

from hgrkit import Retriever
from hgrkit.cli.app import command_line
from hgrkit.errors import ConfigError, LibraryMismatchError
from hgrkit.indexing.feature_cache import kept_features
from hgrkit.matching.frame_weights import unit_vectors

SENTENCES = ["a man throws a ball to a dog", "A Woman runs in the park.", "the red cat sleeps", "snow"]


class Recording:
    """A frame encoder that keeps the pictures it saw, and their vectors."""

    def __init__(self, encoder):
        self.encoder, self.seen, self.vectors = encoder, [], []
        self.feature_dim, self.fingerprint, self.frame_size = (
            encoder.feature_dim,
            encoder.fingerprint,
            encoder.frame_size,
        )

    def encode(self, frames):
        self.seen.append(frames.copy())
        self.vectors.append(self.encoder.encode(frames))
        return self.vectors[-1]


@pytest.fixture
def made(folder, videos, tmp_path):
    """A library of the videos, and each video's pictures as they reached the network."""
    frames = Recording(hgrkit_clip.frame_encoder("cpu", str(folder)))
    with Retriever.create(
        tmp_path / "lib", model=f"clip:{folder}", frame_encoder=frames, device="cpu"
    ) as retriever:
        seen = []
        for path in sorted(videos.iterdir()):
            frames.seen.clear()
            assert retriever.index(path).indexed == 1
            seen.append(np.concatenate(frames.seen))
        yield retriever, seen


def stored_pictures(path):
    """Every picture of a video in its own size, by PyAV alone."""
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def test_frames_of_any_shape_have_the_vectors_that_transformers_gives_them(
    folder, videos, reference, write_video, tmp_path
):
    paths = [
        videos / "0.mp4",
        write_video(tmp_path / "wide.mp4", 160, 48),
        write_video(tmp_path / "up.mp4", 48, 80),
    ]
    frames = Recording(hgrkit_clip.frame_encoder("cpu", str(folder)))
    with Retriever.create(
        tmp_path / "lib", model=f"clip:{folder}", frame_encoder=frames, sampling="uniform:12", device="cpu"
    ) as retriever:
        assert retriever.index(*paths).indexed == 3
        kept = kept_features(retriever.library, tmp_path / "lib")
    expected = {
        str(path): np.stack([reference.picture(picture) for picture in stored_pictures(path)]) for path in paths
    }
    for path, vectors in expected.items():
        np.testing.assert_allclose(kept[path], vectors, rtol=1e-3, atol=1e-5)  # kept as float16
    found, wanted = np.concatenate(frames.vectors), np.concatenate(list(expected.values()))
    apart = np.abs(found[:, None] - wanted[None]).max(axis=2)
    assert apart.shape == (36, 36)
    assert apart.min(axis=0).max() < 1e-5


def plain_scores(seen, reference):
    """The dual encoder's own: cosine of the sentence with the mean of unit picture vectors, [V, C]."""
    clips = [
        unit_vectors(np.stack([reference.picture(one) for one in pictures])).mean(axis=0) for pictures in seen
    ]
    texts = np.stack([reference.text(text) for text in SENTENCES])
    return unit_vectors(np.stack(clips)) @ unit_vectors(texts).T


def test_the_event_alone_ranks_as_the_plain_dual_encoder(made, reference):
    retriever, seen = made
    expected = plain_scores(seen, reference)
    found = retriever.scores(SENTENCES, level_weights=(1, 0, 0))
    np.testing.assert_allclose(found, expected, atol=1e-3)  # a library keeps float16
    np.testing.assert_array_equal(np.argsort(-found, axis=0), np.argsort(-expected, axis=0))


def test_a_search_without_weights_of_phrases_ranks_as_the_plain_dual_encoder(
    folder, videos, made, reference, tmp_path
):
    config = {"format": 1, **hgrkit_clip.model_config("cpu", str(folder))}
    config["matcher"]["level_weights"] = [1, 0, 0]
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text(json.dumps(config))
    expected = plain_scores(made[1], reference)
    paths = sorted(str(path) for path in videos.iterdir())
    with Retriever.create(tmp_path / "event", model=tmp_path / "model", device="cpu") as retriever:
        retriever.index(videos)
        for sentence, scores in zip(SENTENCES, expected.T, strict=True):
            hits = retriever.search(sentence).hits
            assert [hit.video for hit in hits] == [paths[place] for place in np.argsort(-scores)]
            assert all(hit.score == hit.levels.event for hit in hits)


def test_videos_that_are_indexed_together_have_the_vectors_of_each_alone(folder, videos, made, tmp_path):
    alone, _ = made
    with Retriever.create(tmp_path / "together", model=f"clip:{folder}", device="cpu") as together:
        together.index(videos)
        kept = kept_features(together.library, tmp_path / "together")
        for path, vectors in kept_features(alone.library, tmp_path / "lib").items():
            np.testing.assert_allclose(kept[path], vectors, rtol=1e-3, atol=1e-6)  # the last bit of float16


def test_every_phrase_is_compared_as_a_text_of_its_own(made, folder):
    retriever, seen = made
    texts = hgrkit_clip.text_encoder("cpu", str(folder))
    hit = next(hit for hit in retriever.search(SENTENCES[0]).hits if hit.video.endswith("2.mp4"))
    assert [(phrase.text, phrase.level) for phrase in hit.phrases if phrase.level == "action"] == [
        ("throws", "action")
    ]
    frames = unit_vectors(hgrkit_clip.frame_encoder("cpu", str(folder)).encode(seen[2]))
    for phrase in hit.phrases:
        words = "a man throws a ball to a dog" if phrase.level == "action" else phrase.text
        attended = np.array(phrase.weights) @ frames
        cosine = unit_vectors(attended[None])[0] @ unit_vectors(texts.encode([words]))[0]
        assert phrase.similarity == pytest.approx(cosine, abs=2e-3)


def test_a_search_asks_the_sentence_as_it_was_typed(made, reference):
    retriever, seen = made
    hits = {hit.video: hit.levels.event for hit in retriever.search(SENTENCES[1]).hits}
    expected = plain_scores(seen, reference)[:, 1]
    np.testing.assert_allclose([hits[path] for path in sorted(hits)], expected, atol=1e-3)


def test_the_library_opens_again_and_answers_the_same(made, tmp_path):
    retriever, _ = made
    before = [(hit.video, hit.score) for hit in retriever.search(SENTENCES[0]).hits]
    retriever.close()
    with Retriever.open(tmp_path / "lib", device="cpu") as again:
        assert [(hit.video, hit.score) for hit in again.search(SENTENCES[0]).hits] == before
        assert again.library.manifest.model.startswith("clip:/")


def test_a_library_refuses_another_model_and_takes_the_same_one_from_elsewhere(
    videos, tmp_path, tiny_models, monkeypatch
):
    folder = tiny_models.write_clip(tmp_path / "model")
    with Retriever.create(tmp_path / "lib", model=f"clip:{folder}", device="cpu") as retriever:
        retriever.index(videos / "0.mp4")
    other = tiny_models.write_clip(tmp_path / "other", seed=1)
    with pytest.raises(LibraryMismatchError, match="made with model 'clip:"):
        Retriever.open(tmp_path / "lib", model=f"clip:{other}", device="cpu")
    with pytest.raises(LibraryMismatchError, match="made with model 'clip:"):
        Retriever.open(tmp_path / "lib", mode="w", model=f"clip:{other}", device="cpu")
    shutil.move(folder, tmp_path / "moved")
    monkeypatch.chdir(tmp_path)
    with Retriever.open(tmp_path / "lib", model="clip:moved", device="cpu") as retriever:
        assert retriever.search("a dog").hits
        with pytest.raises(ConfigError, match="has no weights of its own"):
            _ = retriever.model


def test_a_folder_that_moved_is_named_again_and_nothing_is_encoded(videos, tmp_path, tiny_models):
    folder = tiny_models.write_clip(tmp_path / "model")
    with Retriever.create(tmp_path / "lib", model=f"clip:{folder}", device="cpu") as retriever:
        retriever.index(videos)
    moved = shutil.move(folder, tmp_path / "moved")
    report = Retriever.upgrade(tmp_path / "lib", model=f"clip:{moved}", device="cpu")
    assert (report.indexed, report.decoded_frames) == (0, 0)
    with Retriever.open(tmp_path / "lib", mode="w", device="cpu") as retriever:
        assert retriever.library.manifest.frame_encoder == f"clip:{moved}"
        assert retriever.index(videos).unchanged == 5


def test_tokens_past_the_limit_are_noted_and_phrases_still_count(videos, clip_folder, tmp_path):
    with Retriever.create(tmp_path / "lib", model=f"clip:{clip_folder}", device="cpu") as retriever:
        retriever.index(videos)
        long = retriever.search("a man in a large red park throws a ball to a small dog")
        assert any("too long for the model" in note for note in long.notes)
        assert {phrase.text for phrase in long.hits[0].phrases} >= {"throws", "a ball", "to a small dog"}
        assert retriever.search("a dog").notes == ()


@pytest.fixture
def hgrkit(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        result = CliRunner().invoke(command_line(), list(map(str, arguments)))
        assert result.exit_code == 0, result.output + repr(result.exception)
        return result.stdout

    return run


def test_the_command_line_indexes_searches_explains_and_evaluates(hgrkit, folder, videos, tmp_path):
    made = json.loads(hgrkit("index", videos, "--library", "lib", "--model", f"clip:{folder}", "--json"))
    assert made["indexed"] == 5
    found = json.loads(hgrkit("search", SENTENCES[0], "--library", "lib", "--json", "--html", "page.html"))
    assert len(found["hits"]) == 5
    assert "throws" in (tmp_path / "page.html").read_text(encoding="utf-8")
    captions = {f"{number}.mp4": [sentence] for number, sentence in enumerate(SENTENCES)}
    (tmp_path / "captions.json").write_text(json.dumps(captions))
    measured = json.loads(hgrkit("evaluate", "--library", "lib", "--captions", "captions.json", "--json"))
    with Retriever.open("lib", device="cpu") as retriever:
        scores = retriever.scores(SENTENCES)  # sentence c belongs to video c
    first = np.mean(scores.argmax(axis=0) == np.arange(len(SENTENCES)))
    assert measured["text_to_video"]["R@1"] == pytest.approx(100 * first)


def test_a_benchmark_is_evaluated_on_a_library(hgrkit, clip_folder, write_video, tmp_path):
    lines = ["key,vid_key,video_id,sentence"]
    (tmp_path / "videos").mkdir()
    for number, sentence in enumerate(SENTENCES):
        write_video(tmp_path / "videos" / f"video{number}.mp4", 64, 48, number)
        lines.append(f"ret{number},msr{number},video{number},{sentence}")
    (tmp_path / "MSRVTT_JSFUSION_test.csv").write_text("\n".join(lines) + "\n")
    hgrkit("index", "videos", "--library", "lib", "--model", f"clip:{clip_folder}", "--sampling", "uniform:12")
    asked = ("--annotations", ".", "--library", "lib", "--allow-missing", "--baselines", "--json")
    measured = json.loads(hgrkit("evaluate", "--benchmark", "msr-vtt/1k-a", *asked))
    assert measured["text_to_video"]["queries"] == len(SENTENCES)
    with Retriever.open("lib", device="cpu") as retriever:
        scores = retriever.scores(SENTENCES, level_weights=(1, 0, 0))
    first = np.mean(scores.argmax(axis=0) == np.arange(len(SENTENCES)))
    assert measured["baselines"]["event_only"]["text_to_video"]["R@1"] == pytest.approx(100 * first)
