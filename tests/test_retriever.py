"""The facade over real small videos: making, opening, indexing, searching, and what never changes an answer."""

from __future__ import annotations

import asyncio
import shutil
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import attrs
import av
import numpy as np
import pytest
import torch

from hgrkit.errors import (
    ConfigError,
    FrameEncoderNotFoundError,
    GraphError,
    LibraryError,
    LibraryExistsError,
    LibraryLockedError,
    LibraryMismatchError,
    LibraryNotFoundError,
    MissingPathError,
    ModelNotFoundError,
    ParserNotFoundError,
    PluginError,
    ShapeError,
)
from hgrkit.graph import Edge, Node, RoleGraph, Span
from hgrkit.matching.matcher import Matcher
from hgrkit.matching.querybank_norm import QuerybankNorm
from hgrkit.model.checkpoint import save_model
from hgrkit.model.hgr_model import HgrModel
from hgrkit.model.scorer import settings_of
from hgrkit.model.text.sentence_encoder import SentenceTextEncoder
from hgrkit.model.text.text_encoder import TextEncoder
from hgrkit.model.text.vocabulary import Vocabulary
from hgrkit.model.video import VideoEncoder
from hgrkit.parsing.lark.parser import LarkParser
from hgrkit.parsing.stanza_parser import StanzaParser
from hgrkit.retriever import Retriever
from tests.fake_device import NAME, fake_device

WORDS = ["a", "woman", "throws", "the", "red", "ball", "to", "dog", "runs", "in", "park", "and", "sleeps"]
QUERY = "a woman throws the red ball to a dog"
QUERIES = (QUERY, "a dog runs in the park", "the red ball", "a woman sleeps", QUERY, "snow")
SECONDS = {"red.mp4": 1, "green.mp4": 3, "blue.mp4": 5, "grey.mp4": 2}


class ColourGrid:
    """Mean colours of 8 x 8 cells."""

    feature_dim, fingerprint, frame_size = 192, "grid-8x8@1", (64, 64)

    def encode(self, frames):
        cells = frames.reshape(len(frames), 8, 8, 8, 8, 3).mean(axis=(2, 4), dtype=np.float64)
        return (cells.reshape(len(frames), 192) / 255).astype(np.float32)


class OtherGrid(ColourGrid):
    fingerprint = "grid-8x8@2"


class OneNode:
    """A parser that makes the whole sentence one phrase."""

    name, version = "one-node", "1"

    def parse_batch(self, texts):
        tokens = [text.split() for text in texts]
        return [RoleGraph(tokens=words, nodes=[Node(7, "NOUN", Span(0, len(words)))]) for words in tokens]


def write_video(path, seconds, colour):
    """A square that crosses a picture of one colour, ten frames a second."""
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        for number in range(10 * seconds):
            picture = np.full((64, 64, 3), colour, np.uint8)
            at = number * 48 // (10 * seconds)
            picture[at : at + 16, at : at + 16] = 255 - np.array(colour, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode(None))


def save_random_model(folder, seed=0, querybank_norm=None, text=None, **video):
    vocabulary = Vocabulary.from_sentences([WORDS])
    model = HgrModel(
        text=text or TextEncoder(vocabulary=vocabulary, embed_dim=16, word_dim=8),
        video=VideoEncoder(**{"feature_dim": 192, "embed_dim": 16, **video}),
        matcher=Matcher(level_weights=(1, 2, 3)),
        querybank_norm=querybank_norm,
    )
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(torch.randn(weight.shape, generator=generator) * 0.4)
    return save_model(model, folder)


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    colours = ((200, 30, 30), (30, 200, 30), (30, 30, 200), (90, 90, 90))
    for (name, seconds), colour in zip(SECONDS.items(), colours, strict=True):
        write_video(folder / name, seconds, colour)
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_random_model(tmp_path_factory.mktemp("models") / "random")


@pytest.fixture(scope="module")
def made(tmp_path_factory, model, videos):
    """A library of all videos in clips of two seconds, and the report of its making."""
    path = tmp_path_factory.mktemp("made") / "library"
    with Retriever.create(
        path, model=model, frame_encoder=ColourGrid(), clip_seconds=2, device="cpu"
    ) as retriever:
        return path, retriever.index(videos)


@pytest.fixture
def library(made, tmp_path):
    """A copy of the library that a test may change."""
    return Path(shutil.copytree(made[0], tmp_path / "library"))


@pytest.fixture
def retriever(made):
    with Retriever.open(made[0], device="cpu") as retriever:
        yield retriever


def create(path, model, /, **settings):
    return Retriever.create(path, **{"model": model, "frame_encoder": ColourGrid(), "device": "cpu", **settings})


def open_to_write(path, /, **settings):
    return Retriever.open(path, mode="w", **{"frame_encoder": ColourGrid(), "device": "cpu", **settings})


def contents(folder):
    """Every file's bytes and time of change."""
    return {
        path.relative_to(folder): (sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


def answer(result):
    return [hit.to_dict() for hit in result.hits]


# making --------------------------------------------------------------------------------------------------------


def test_a_library_remembers_what_it_was_made_with(tmp_path, model):
    with create(tmp_path / "library", model, sampling="uniform:3", clip_seconds=4) as retriever:
        manifest = retriever.library.manifest
    assert (manifest.model, manifest.sampling, manifest.clip_seconds) == (str(model), "uniform:3", 4.0)
    assert (manifest.frame_encoder, manifest.frame_encoder_fingerprint) == ("ColourGrid", "grid-8x8@1")


def test_a_library_of_a_relative_model_folder_opens_from_anywhere(tmp_path, model, monkeypatch):
    monkeypatch.chdir(model.parent)
    create(tmp_path / "library", model.name).close()
    monkeypatch.chdir(tmp_path)
    Retriever.open(tmp_path / "library", device="cpu").close()


def test_creating_over_a_library_is_refused_and_leaves_it_alone(library, model):
    before = contents(library)
    with pytest.raises(LibraryExistsError):
        create(library, model)
    assert contents(library) == before


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"model": "no-such-model"}, ModelNotFoundError),
        ({"parser": "no-such-parser"}, ParserNotFoundError),
        ({"frame_encoder": "no-such-encoder"}, FrameEncoderNotFoundError),
        ({"frame_encoder": type("Wide", (ColourGrid,), {"feature_dim": 5})()}, ShapeError),
        ({"sampling": "now and then"}, ConfigError),
        ({"clip_seconds": 0}, ConfigError),
        ({"device": "abacus"}, ConfigError),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_creating_with_a_part_that_does_not_work_makes_nothing(tmp_path, model, settings, error):
    with pytest.raises(error):
        create(tmp_path / "library", model, **settings)
    assert not (tmp_path / "library").exists()


# opening -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["r", "w"])
def test_opening_never_creates(tmp_path, mode):
    with pytest.raises(LibraryNotFoundError):
        Retriever.open(tmp_path / "library", mode=mode)
    assert list(tmp_path.iterdir()) == []


def test_a_mode_that_is_none_is_refused(made):
    with pytest.raises(ConfigError, match="mode must be 'r' or 'w'"):
        Retriever.open(made[0], mode="a")


def test_searching_changes_no_file(library):
    before = contents(library)
    with Retriever.open(library, device="cpu") as retriever:
        retriever.search(QUERY)
        retriever.scores(QUERIES)
    assert contents(library) == before


def test_a_reader_needs_no_frame_encoder(made):
    with Retriever.open(made[0], device="cpu") as retriever:
        assert retriever.search(QUERY).hits


def test_a_writer_needs_the_frame_encoder_that_made_the_library(made):
    with pytest.raises(FrameEncoderNotFoundError, match="ColourGrid"):
        Retriever.open(made[0], mode="w", device="cpu")


@pytest.mark.parametrize("mode", ["r", "w"])
def test_another_model_is_refused_by_both_fingerprints(library, tmp_path, model, mode):
    other = save_random_model(tmp_path / "other", seed=1)
    with pytest.raises(LibraryMismatchError) as caught:
        Retriever.open(library, mode=mode, model=other, frame_encoder=ColourGrid(), device="cpu")
    message = str(caught.value)
    assert "\n" not in message
    assert all(part in message for part in (str(library), repr(str(model)), repr(str(other)), "sha256:"))


@pytest.mark.parametrize("mode", ["r", "w"])
def test_a_model_of_another_size_is_refused_as_another_model(library, tmp_path, mode):
    other = save_random_model(tmp_path / "other", feature_dim=5)
    with pytest.raises(LibraryMismatchError, match="was made with model"):
        Retriever.open(library, mode=mode, model=other, frame_encoder=ColourGrid(), device="cpu")


def test_the_same_model_at_another_place_is_welcome(library, tmp_path, model):
    moved = shutil.copytree(model, tmp_path / "moved")
    with open_to_write(library, model=moved) as retriever:
        assert retriever.search(QUERY).hits


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sampling": "fps:1"}, "made with sampling fps:2, not sampling fps:1"),
        ({"clip_seconds": 3}, "made with clip_seconds 2.0, not clip_seconds 3.0"),
        ({"frame_encoder": OtherGrid()}, "'ColourGrid' (fingerprint grid-8x8@1), not frame encoder 'OtherGrid'"),
    ],
    ids=["sampling", "clip_seconds", "frame_encoder"],
)
def test_a_writer_with_another_part_is_refused_and_lets_go_of_the_library(library, settings, message):
    before = contents(library)
    with pytest.raises(LibraryMismatchError) as caught:
        open_to_write(library, **settings)
    assert message in str(caught.value)
    assert contents(library).keys() == before.keys()
    open_to_write(library).close()


def test_a_second_writer_is_refused_and_readers_are_not(library):
    with open_to_write(library):
        with pytest.raises(LibraryLockedError):
            open_to_write(library)
        with Retriever.open(library, device="cpu") as reader:
            assert reader.search(QUERY).hits


def test_closing_twice_is_closing_and_a_closed_retriever_says_so(library):
    retriever = Retriever.open(library, device="cpu")
    retriever.close()
    retriever.close()
    with pytest.raises(LibraryError, match="is closed"):
        retriever.search(QUERY)


# indexing ------------------------------------------------------------------------------------------------------


def test_the_report_counts_what_was_done(made, videos):
    report = made[1]
    assert (report.indexed, report.unchanged, report.failures) == (len(SECONDS), 0, ())
    assert report.decoded_frames >= 2 * sum(SECONDS.values())
    with Retriever.open(made[0], device="cpu") as retriever:
        assert retriever.library.indexed_paths() == tuple(sorted(str(videos / name) for name in SECONDS))
        assert retriever.library.counts().clips == 1 + 2 + 3 + 1


def test_a_second_run_decodes_nothing_and_changes_no_answer(library, videos):
    with open_to_write(library) as retriever:
        before = answer(retriever.search(QUERY))
        report = retriever.index(videos)
        assert (report.indexed, report.unchanged, report.decoded_frames) == (0, len(SECONDS), 0)
        assert answer(retriever.search(QUERY)) == before


def test_a_bad_file_is_reported_and_told_of_as_progress(library, tmp_path):
    (tmp_path / "bad.mp4").write_text("no video")
    events = []
    with open_to_write(library) as retriever:
        report = retriever.index(tmp_path / "bad.mp4", on_progress=events.append)
        assert len(retriever.search(QUERY).hits) == len(SECONDS)
    (failure,) = report.failures
    assert failure.path == str(tmp_path / "bad.mp4")
    assert [(event.path, event.outcome, event.done, event.total) for event in events] == [
        (failure.path, "failed", 1, 1)
    ]


def test_a_path_that_is_not_there_stops_the_run_before_it_begins(tmp_path, model, videos):
    with create(tmp_path / "library", model) as retriever:
        with pytest.raises(MissingPathError, match="gone"):
            retriever.index(videos, tmp_path / "gone")
        assert retriever.library.videos() == ()


def test_a_reader_does_not_index(retriever, videos):
    with pytest.raises(ConfigError, match="mode='w'"):
        retriever.index(videos)


def test_a_clip_has_no_more_frames_than_its_model_reads(tmp_path, videos):
    model = save_random_model(tmp_path / "model", max_frames=3)
    with create(tmp_path / "library", model, sampling="fps:5") as retriever:
        retriever.index(videos / "blue.mp4")
        (hit,) = retriever.search(QUERY).hits
    assert {len(phrase.times_s) for phrase in hit.phrases} == {3}
    assert hit.phrases[0].times_s[0] == pytest.approx(0.1)


# features instead of pictures ----------------------------------------------------------------------------------


@pytest.fixture
def features(videos, tmp_path):
    """A file of features by file name, and one video's that do not fit the model."""
    random = np.random.default_rng(0)
    arrays = {name: random.random((2 * seconds, 192), np.float32) for name, seconds in SECONDS.items()}
    np.savez(tmp_path / "features.npz", **{**arrays, "grey.mp4": np.zeros((2, 7), np.float32)})
    return tmp_path / "features.npz"


@pytest.mark.parametrize("encoder", [None, "features", ColourGrid()], ids=["default", "by name", "encoder"])
def test_features_from_a_file_stand_in_for_decoding(tmp_path, model, videos, features, encoder):
    with create(tmp_path / "library", model, frame_encoder=encoder) as retriever:
        report = retriever.index(videos, features=features)
        hits = retriever.search(QUERY).hits
    assert (report.indexed, report.decoded_frames) == (3, 0)
    (failure,) = report.failures
    assert "grey.mp4" in failure.path
    assert "192" in failure.reason
    assert sorted(Path(hit.video).name for hit in hits) == ["blue.mp4", "green.mp4", "red.mp4"]


def test_a_library_of_features_opens_for_writing_without_an_encoder(tmp_path, model, videos, features):
    create(tmp_path / "library", model, frame_encoder=None).close()
    with Retriever.open(tmp_path / "library", mode="w", device="cpu") as retriever:
        with pytest.raises(ConfigError, match="no frame encoder"):
            retriever.index(videos)
        assert retriever.index(videos / "red.mp4", features=features).indexed == 1


def test_the_encoders_own_features_from_a_file_give_the_answers_of_decoding(made, tmp_path, model, videos):
    from hgrkit.video.reader import VideoReader
    from hgrkit.video.sampling import UniformSampling

    arrays = {}
    for name in SECONDS:
        frames = VideoReader(str(videos / name), (64, 64)).sample(UniformSampling(4))
        arrays[name] = ColourGrid().encode(np.stack([frame.image for frame in frames]))
    np.savez(tmp_path / "features.npz", **arrays)
    scores = []
    for number, path in enumerate([tmp_path / "features.npz", None]):
        with create(tmp_path / str(number), model, sampling="uniform:4") as retriever:
            retriever.index(videos, features=path)
            scores.append(retriever.scores(QUERIES))
    np.testing.assert_allclose(scores[0], scores[1], atol=2e-6, rtol=0)


@pytest.mark.parametrize("name", ["gone.npz", "gone.txt"])
def test_a_feature_file_that_is_not_there_is_refused(library, videos, tmp_path, name):
    with open_to_write(library) as retriever, pytest.raises(MissingPathError):
        retriever.index(videos, features=tmp_path / name)


# searching -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("query", QUERIES)
def test_hits_are_ranked_by_descending_scores_one_a_video(retriever, query):
    hits = retriever.search(query).hits
    assert [hit.rank for hit in hits] == list(range(1, len(SECONDS) + 1))
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert len({hit.video for hit in hits}) == len(hits)


@pytest.mark.parametrize("query", QUERIES)
def test_a_score_is_the_weighted_mean_of_its_levels(retriever, query):
    for hit in retriever.search(query).hits:
        levels = [value or 0.0 for value in hit.levels]  # a level that was not asked for counts as 0
        assert all(-1 - 1e-6 <= value <= 1 + 1e-6 for value in (hit.score, *levels))
        assert hit.score == pytest.approx(np.average(levels, weights=(1, 2, 3)), abs=1e-6)


@pytest.mark.parametrize("query", QUERIES)
def test_a_moment_lies_inside_its_video_and_near_its_frames(retriever, query):
    for hit in retriever.search(query).hits:
        assert 0 <= hit.start_s < hit.end_s <= SECONDS[Path(hit.video).name] + 1e-9
        for phrase in hit.phrases:
            assert any(hit.start_s <= time_s <= hit.end_s for time_s in phrase.times_s)


@pytest.mark.parametrize("query", QUERIES)
def test_every_phrase_is_told_of_in_graph_order(retriever, query):
    result = retriever.search(query)
    graph = result.graph
    expected = [
        (graph.phrase(node), graph.role(node), "action" if node.is_action else "entity") for node in graph.nodes
    ]
    assert expected
    for hit in result.hits:
        assert [(phrase.text, phrase.role, phrase.level) for phrase in hit.phrases] == expected


@pytest.mark.parametrize("query", QUERIES)
def test_weights_of_a_phrase_sum_to_one_over_the_clips_frames(retriever, query):
    for hit in retriever.search(query).hits:
        for phrase in hit.phrases:
            assert len(phrase.weights) == len(phrase.times_s) >= 1
            assert sum(phrase.weights) == pytest.approx(1, abs=1e-5)
            assert min(phrase.weights) >= 0
            assert -1 - 1e-6 <= phrase.similarity <= 1 + 1e-6
            assert list(phrase.times_s) == sorted(phrase.times_s)
            assert phrase.best_time_s in phrase.times_s


def test_a_levels_similarity_is_the_mean_of_its_phrases(retriever):
    for hit in retriever.search(QUERY).hits:
        for level in ("action", "entity"):
            similarities = [phrase.similarity for phrase in hit.phrases if phrase.level == level]
            assert hit.levels[level] == pytest.approx(np.mean(similarities), abs=1e-6)


@pytest.mark.parametrize(("k", "expected"), [(1, 1), (3, 3), (100, len(SECONDS))])
def test_fewer_hits_are_the_first_of_more(retriever, k, expected):
    assert answer(retriever.search(QUERY, k=k)) == answer(retriever.search(QUERY))[:expected]


@pytest.mark.parametrize("k", [0, -1])
def test_k_is_at_least_one(retriever, k):
    with pytest.raises(ConfigError, match=f"k must be at least 1, got {k}"):
        retriever.search(QUERY, k=k)


@pytest.mark.parametrize("k", [2.5, "3", None])
def test_k_is_a_number(retriever, k):
    with pytest.raises(ConfigError, match=r"k must be a whole number of at least 1, got "):
        retriever.search(QUERY, k=k)


@pytest.mark.parametrize("query", ["", "   ", 5, None, b"a dog"])
def test_what_is_no_sentence_is_refused(retriever, query):
    with pytest.raises(GraphError):
        retriever.search(query)


def test_words_that_are_no_unicode_are_searched_for(retriever):
    assert len(retriever.search("a dog \ud83d").hits) == len(SECONDS)


def test_an_empty_library_has_no_hits(tmp_path, model):
    with create(tmp_path / "library", model) as retriever:
        assert retriever.search(QUERY).hits == ()
        assert retriever.scores(QUERIES).shape == (0, len(QUERIES))


def test_a_graph_is_answered_as_its_text(retriever):
    by_text = retriever.search(QUERY)
    by_graph = retriever.search(by_text.graph)
    assert answer(by_graph) == answer(by_text)
    assert (by_text.query, by_graph.query, by_graph.graph) == (QUERY, by_text.graph.text, by_text.graph)
    assert by_text.elapsed_ms > 0


def test_a_query_without_one_phrase_is_a_query(retriever):
    graph = retriever.search(QUERY).graph
    result = retriever.search(graph.without("red ball"))
    assert result.query == "a woman throws to a dog"
    assert len(result.hits) == len(SECONDS)
    for hit in result.hits:
        assert not any("ball" in phrase.text for phrase in hit.phrases)


def test_a_graph_without_any_phrase_is_answered_by_its_event_alone(retriever):
    for hit in retriever.search(RoleGraph(tokens=["red", "ball"])).hits:
        assert hit.phrases == ()
        assert (hit.levels.action, hit.levels.entity) == (None, None)
        assert hit.score == pytest.approx(hit.levels.event / 6, abs=1e-6)  # level weights are 1, 2, 3


@pytest.mark.parametrize(
    ("nodes", "note"),
    [
        (
            [Node(number, "NOUN", Span(number, number + 1)) for number in range(9)],
            "The question has 9 entities; the model compares the first 6. Not compared: 'w6', 'w7', 'w8'.",
        ),
        (
            [Node(number, "V", Span(number, number + 1)) for number in range(5)],
            "The question has 5 actions; the model compares the first 4. Not compared: 'w4'.",
        ),
    ],
)
def test_phrases_that_the_model_does_not_take_are_noted(retriever, nodes, note):
    graph = RoleGraph(tokens=[f"w{number}" for number in range(9)], nodes=nodes)
    assert retriever.search(graph).notes == (note,)


def test_words_that_the_model_does_not_take_are_noted_with_their_phrases(retriever):
    result = retriever.search("a red ball and " * 10 + "a woman throws the ball")
    assert result.notes == (
        (
            "The question has 45 words; the model compares the first 30. "
            "Not compared: '... ball and a red ball and a red ball and a woman', 'throws', 'the ball'."
        ),
    )


def test_a_long_list_of_what_was_left_out_is_cut_and_counted(retriever):
    tokens = [f"w{number}" for number in range(90)]
    nodes = [Node(number, "NOUN", Span(number, number + 1)) for number in range(30, 90)]
    (note,) = retriever.search(RoleGraph(tokens=tokens, nodes=nodes)).notes
    assert note.endswith("'w38', 'w39' and 50 more.")


def test_a_question_that_is_compared_whole_has_no_notes(retriever):
    assert retriever.search(QUERY).notes == ()


# what is excluded ------------------------------------------------------------------------------------------------

NO_BALL = RoleGraph(
    tokens="a woman sleeps without the red ball".split(),
    nodes=[
        Node(4, "V", Span(2, 3)),
        Node(2, "ARG0", Span(0, 2)),
        Node(9, "ARGM-MNR", Span(3, 7), excluded=True),
    ],
    edges=[Edge(4, 2, "ARG0"), Edge(4, 9, "ARGM-MNR")],
)


def scores_of(result):
    return {hit.video: hit.score for hit in result.hits}


def test_what_a_sentence_excludes_is_as_if_it_were_named_by_hand(retriever):
    by_sentence = retriever.search(NO_BALL)
    by_hand = retriever.search("a woman sleeps", without=["the red ball"])
    assert scores_of(by_sentence) == scores_of(by_hand) != scores_of(retriever.search("a woman sleeps"))
    assert by_sentence.notes == by_hand.notes == ("Excluded: 'the red ball'; clips that show it rank lower.",)
    assert by_sentence.graph == NO_BALL
    for hit, same in zip(by_sentence.hits, by_hand.hits, strict=True):
        assert [(phrase.node_id, phrase.text) for phrase in hit.phrases] == [(4, "sleeps"), (2, "a woman")]
        assert [(phrase.node_ids, phrase.text) for phrase in hit.excluded] == [((9,), "the red ball")]
        assert [(phrase.node_ids, phrase.text) for phrase in same.excluded] == [((), "the red ball")]
        assert hit.excluded[0].similarity == same.excluded[0].similarity


def test_a_hits_score_is_that_of_its_levels_less_what_its_clip_shows_of_excluded_phrases(retriever):
    for hit in retriever.search(QUERY, without=["a dog", "the park"]).hits:
        levels = np.average(list(hit.levels), weights=(1, 2, 3))
        taken = sum(1.5 * max(phrase.similarity, 0) for phrase in hit.excluded)
        assert hit.score == pytest.approx(levels - taken, abs=1e-6)
        for phrase in hit.excluded:
            assert sum(phrase.weights) == pytest.approx(1, abs=1e-5)
            assert phrase.best_time_s in phrase.times_s


def test_a_phrases_similarity_is_its_score_as_a_question_of_its_own(retriever):
    shown = scores_of(retriever.search("the red ball"))
    for hit in retriever.search("snow", without=["the red ball"]).hits:
        assert hit.excluded[0].similarity <= shown[hit.video] + 1e-6  # that of this clip, not of the video's best


def test_a_sentence_may_exclude_and_more_be_named_by_hand(retriever):
    result = retriever.search(NO_BALL, without=["a dog", "the park"])
    assert [phrase.text for phrase in result.hits[0].excluded] == ["the red ball", "a dog", "the park"]
    assert result.notes == ("Excluded: 'the red ball', 'a dog', 'the park'; clips that show them rank lower.",)


def test_a_sentence_that_only_excludes_puts_first_what_shows_least(retriever):
    graph = RoleGraph(tokens=["no", "dog"], nodes=[Node(1, "NOUN", Span(0, 2), excluded=True)])
    result = retriever.search(graph)
    assert result.notes == ("Excluded: 'dog'; nothing else is asked for, so clips that show it least come first.",)
    assert [hit.score for hit in result.hits] == sorted((hit.score for hit in result.hits), reverse=True)
    for hit in result.hits:
        assert hit.score == pytest.approx(-hit.excluded[0].similarity, abs=1e-6)
        assert (hit.phrases, *hit.levels) == ((), None, None, None)
    assert len(result.hits) == len(SECONDS)


@pytest.mark.parametrize("query", QUERIES)
def test_a_question_that_excludes_nothing_scores_as_its_graph_is_embedded(retriever, query):
    (embedded,), _ = retriever._opened.model.query_side.encoder.embed([retriever.parser.parse_batch([query])[0]])
    matches = retriever.library.search(embedded.embeddings, settings=retriever._opened.model.query_side.settings)
    result = retriever.search(query)
    assert [(hit.video, hit.score) for hit in result.hits] == [(match.video, match.score) for match in matches]
    assert all(hit.excluded == () for hit in result.hits)


@pytest.mark.parametrize(
    ("without", "message"),
    [
        ([""], r"without\[0\] is empty; name what you do not want to see"),
        (["a dog", "  "], r"without\[1\] is empty"),
        ("a dog", "without must be a list of phrases, got 'a dog'"),
        ([3], r"without\[0\] must be a string, got 3"),
        (None, "without must be a list of phrases, got None"),
    ],
)
def test_what_is_no_list_of_phrases_to_exclude_is_refused(retriever, without, message):
    with pytest.raises(ConfigError, match=message):
        retriever.search(QUERY, without=without)


def test_a_phrase_to_exclude_that_excludes_something_itself_is_refused(made):
    class NoNode:
        name, version = "no-node", "1"

        def parse_batch(self, texts):
            tokens = [text.split() for text in texts]
            return [
                RoleGraph(tokens=words, nodes=[Node(1, "NOUN", Span(0, len(words)), excluded=words[0] == "no")])
                for words in tokens
            ]

    with Retriever.open(made[0], device="cpu", parser=NoNode()) as retriever:
        assert retriever.search("a dog", without=["cars"]).hits
        with pytest.raises(ConfigError, match="'no cars' excludes something itself"):
            retriever.search("a dog", without=["no cars"])


def test_scores_of_sentences_count_all_of_their_words(made):
    class Excluding:
        name, version = "excluding", "1"

        def parse_batch(self, texts):
            return [NO_BALL for _ in texts]

    class Asking(Excluding):
        def parse_batch(self, texts):
            nodes = [attrs.evolve(node, excluded=False) for node in NO_BALL.nodes]
            return [attrs.evolve(NO_BALL, nodes=nodes) for _ in texts]

    scores = []
    for parser in (Excluding(), Asking()):
        with Retriever.open(made[0], device="cpu", parser=parser) as retriever:
            scores.append(retriever.scores([NO_BALL.text]))
    np.testing.assert_array_equal(*scores)


def test_phrases_past_the_models_limits_are_left_out(retriever):
    nodes = [Node(number, "NOUN", Span(number, number + 1)) for number in range(9)]
    (first, *_) = retriever.search(RoleGraph(tokens=WORDS[:9], nodes=nodes)).hits
    assert [phrase.text for phrase in first.phrases] == WORDS[:6]


def test_scores_are_the_scores_of_searches(retriever):
    scores = retriever.scores(QUERIES)
    paths = retriever.library.indexed_paths()
    assert (scores.shape, scores.dtype) == ((len(paths), len(QUERIES)), np.float32)
    for column, query in enumerate(QUERIES):
        found = {hit.video: hit.score for hit in retriever.search(query).hits}
        np.testing.assert_allclose(scores[:, column], [found[path] for path in paths], atol=2e-6, rtol=0)


def test_a_query_that_cannot_be_read_fits_nothing_and_spares_the_others(retriever):
    scores = retriever.scores([QUERIES[0], "", QUERIES[1]])
    assert (scores[:, 1] == -1).all()
    np.testing.assert_allclose(scores[:, [0, 2]], retriever.scores(QUERIES[:2]), atol=2e-6, rtol=0)


def test_a_score_of_a_pair_is_the_score_of_that_sentence_and_video(retriever):
    paths = retriever.library.indexed_paths()
    pairs = [(path, query) for path in reversed(paths) for query in QUERIES]
    videos, sentences = zip(*pairs, strict=True)
    fused, event, again = retriever.pair_scores(videos, sentences, (None, (1, 0, 0), (1, 2, 3)))
    expected = retriever.scores(QUERIES)[::-1].reshape(-1)
    np.testing.assert_allclose(fused, expected, atol=2e-6, rtol=0)
    np.testing.assert_array_equal(again, fused)
    event_alone = settings_of(retriever.model.matcher).reweighted((1, 0, 0))
    expected = retriever.library.scores(retriever.read(QUERIES).queries, event_alone)[::-1].reshape(-1)
    np.testing.assert_allclose(event, expected, atol=2e-6, rtol=0)


def test_querybank_normalisation_counts_where_sentences_are_compared_and_nowhere_else(tmp_path, videos):
    torch.manual_seed(2)
    folder = save_random_model(tmp_path / "model", querybank_norm=QuerybankNorm.of(torch.randn(9, 16)))
    with create(tmp_path / "library", folder, clip_seconds=2) as retriever:
        retriever.index(videos)
        paths, sentences = retriever.library.indexed_paths(), [*QUERIES, ""]
        with torch.inference_mode():
            batch = retriever.model.text.batch(LarkParser().parse_batch(QUERIES))
            norms = retriever.model.querybank_norm(retriever.model.text(batch).event).numpy()
        plain, less = retriever.scores(sentences), retriever.scores(sentences, querybank_norm=True)
        np.testing.assert_allclose(less[:, :-1], plain[:, :-1] - norms, atol=2e-6, rtol=0)
        assert np.ptp(norms) > 1e-3
        assert (less[:, -1] == -1).all()
        assert retriever.search(QUERY).hits[0].score == pytest.approx(plain[:, 0].max(), abs=2e-6)
        pairs = retriever.pair_scores(paths[:1] * len(sentences), sentences, querybank_norm=True)
        np.testing.assert_allclose(pairs[0], less[0], atol=2e-6, rtol=0)


def test_with_and_without_torch_the_answers_are_the_same(transformer, tmp_path, videos):
    text = SentenceTextEncoder(reader=transformer.reader(), embed_dim=16)
    model, library = save_random_model(tmp_path / "model", text=text), tmp_path / "library"
    with Retriever.create(library, model=model, frame_encoder=ColourGrid(), clip_seconds=2) as made:
        made.index(videos)
    with (
        fake_device(),
        Retriever.open(library, device=NAME) as with_torch,
        Retriever.open(library, device="cpu:0") as retriever,
    ):
        sides = [open_one._opened.model.query_side.encoder for open_one in (retriever, with_torch)]
        assert type(sides[0]) is not type(sides[1])
        np.testing.assert_allclose(with_torch.scores(QUERIES), retriever.scores(QUERIES), atol=2e-6, rtol=0)
        for query in QUERIES:
            ours, theirs = retriever.search(query).hits, with_torch.search(query).hits
            assert [(hit.video, hit.start_s) for hit in ours] == [(hit.video, hit.start_s) for hit in theirs]
            assert [hit.score for hit in ours] == pytest.approx([hit.score for hit in theirs], abs=2e-6)


def test_a_search_among_some_videos_leaves_the_others_out(retriever):
    paths = retriever.library.indexed_paths()
    everything = {hit.video: hit.score for hit in retriever.search(QUERY).hits}
    found = retriever.search(QUERY, videos=paths[1:])
    assert {hit.video: hit.score for hit in found.hits} == {path: everything[path] for path in paths[1:]}


def test_an_answer_says_whether_it_is_exact_and_exact_search_makes_it_so(retriever):
    every, few = retriever.search(QUERY, 1), retriever.search(QUERY, 1, num_candidates=1)
    assert (every.exact, few.exact) == (True, False)
    exact = retriever.search(QUERY, 4, exact=True, num_candidates=1)
    assert exact.exact
    assert answer(exact) == answer(retriever.search(QUERY, 4))
    clips = retriever.library.counts().clips
    assert retriever.search(QUERY, 4, num_candidates=clips).exact


def test_one_candidate_is_the_clip_with_the_nearest_event(retriever):
    snapshot, (query,) = retriever.library.snapshot(), retriever.read([QUERY]).queries
    events = snapshot.events()
    nearest = int(np.argmax(events @ query.event / np.linalg.norm(events, axis=1)))
    video = snapshot.videos[snapshot.clip_videos[nearest]].path
    (hit,) = retriever.search(QUERY, 1, num_candidates=1).hits
    (clip,) = snapshot.clips([nearest])
    assert hit.video == video
    assert clip.start_s <= hit.start_s < hit.end_s <= clip.end_s


@pytest.mark.parametrize("settings", [{"num_candidates": 0}, {"num_candidates": "3"}, {"exact": "yes"}])
def test_how_many_clips_to_compare_is_a_number_or_all(retriever, settings):
    with pytest.raises(ConfigError):
        retriever.search(QUERY, **settings)


def test_a_pair_with_an_unreadable_sentence_scores_lowest(retriever):
    path = retriever.library.indexed_paths()[0]
    (scores,) = retriever.pair_scores([path, path], ["", QUERY])
    assert scores[0] == -1
    assert scores[1] == pytest.approx(retriever.scores([QUERY])[0, 0], abs=2e-6)


def test_videos_are_named_as_they_are_typed(retriever, videos, monkeypatch):
    monkeypatch.chdir(videos.parent)
    (path,) = (path for path in retriever.library.indexed_paths() if path.endswith("red.mp4"))
    (expected,) = retriever.search(QUERY, videos=[path]).hits
    for spelling in (f"{videos.name}/red.mp4", f"./{videos.name}//red.mp4", Path(videos.name, "red.mp4"), path):
        (hit,) = retriever.search(QUERY, videos=[spelling]).hits
        assert (hit.video, hit.score) == (path, pytest.approx(expected.score, abs=1e-6))
        assert retriever.library.video(str(spelling)).path == path
        score = retriever.pair_scores([str(spelling)], [QUERY])
        np.testing.assert_allclose(score, retriever.pair_scores([path], [QUERY]), atol=1e-6)
    with pytest.raises(LibraryError, match=r"no indexed video 'red\.mp4'"):
        retriever.search(QUERY, videos=["red.mp4"])


def test_a_pair_with_a_video_that_is_not_indexed_is_an_error(retriever):
    with pytest.raises(LibraryError, match=r"no indexed video 'lost\.mp4'"):
        retriever.pair_scores(["lost.mp4"], [QUERY])


def test_scores_of_many_queries_are_those_of_each(retriever, monkeypatch):
    expected = retriever.scores(QUERIES)
    monkeypatch.setattr("hgrkit.model.query.encoder._CAPTIONS_AT_ONCE", 2)
    np.testing.assert_allclose(retriever.scores(QUERIES), expected, atol=2e-6, rtol=0)
    assert retriever.scores([]).shape == (len(SECONDS), 0)


def test_scores_may_weigh_the_levels_otherwise(retriever):
    captions = retriever.read(QUERIES)
    levels = [retriever.scores(captions, level_weights=weights) for weights in np.eye(3).tolist()]
    own = retriever.scores(captions)
    np.testing.assert_array_equal(retriever.scores(captions, level_weights=(1, 2, 3)), own)
    bound = (levels[0] + 2 * levels[1] + 3 * levels[2]) / 6  # another clip may be the best of each level
    assert (own <= bound + 2e-6).all()
    assert np.isclose(own, bound, atol=2e-6).any(), "where one clip is the best of all levels"
    assert np.abs(levels[0] - levels[1]).max() > 1e-3
    with pytest.raises(ConfigError, match="level_weights"):
        retriever.scores(captions, level_weights=(1, 0))


def test_another_parser_reads_queries_otherwise_and_leaves_the_vectors_alone(library):
    before = contents(library)
    with Retriever.open(library, parser=OneNode(), device="cpu") as plain:
        result = plain.search(QUERY)
        assert [phrase.text for phrase in result.hits[0].phrases] == [QUERY]
        asked = answer(plain.search(LarkParser().parse_batch([QUERY])[0]))
    with Retriever.open(library, device="cpu") as retriever:
        assert asked == answer(retriever.search(QUERY))
    with open_to_write(library, parser=OneNode()) as writer:
        assert writer.search(QUERY).hits
    assert {path: digest for path, (digest, _) in contents(library).items()} == {
        path: digest for path, (digest, _) in before.items()
    }


def test_threads_get_the_answers_of_one(made, retriever):
    expected = [answer(retriever.search(query)) for query in QUERIES]
    with Retriever.open(made[0], device="cpu") as fresh, ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda query: answer(fresh.search(query)), QUERIES * 8))
    assert found == expected * 8


def test_searches_of_one_event_loop_run_side_by_side_and_leave_it_free(made, retriever):
    expected = [answer(retriever.search(query)) for query in QUERIES]

    async def ask_all():
        searches = [asyncio.to_thread(fresh.search, query) for query in QUERIES * 4]
        asking = asyncio.gather(*searches)
        turns = 0
        while not asking.done():
            turns += 1
            await asyncio.sleep(0)
        return [answer(result) for result in await asking], turns

    with Retriever.open(made[0], device="cpu") as fresh:
        found, turns = asyncio.run(ask_all())
    assert found == expected * 4
    assert turns > len(found)


def test_a_search_sees_what_another_writer_committed(library, tmp_path):
    write_video(tmp_path / "new.mp4", 1, (250, 250, 0))
    with Retriever.open(library, device="cpu") as reader:
        assert len(reader.search(QUERY).hits) == len(SECONDS)
        with open_to_write(library) as writer:
            writer.index(tmp_path / "new.mp4")
        assert len(reader.search(QUERY).hits) == len(SECONDS) + 1


def test_the_same_words_give_the_same_answer(retriever):
    first, second = retriever.search(QUERY), retriever.search(QUERY)
    assert attrs.evolve(first, elapsed_ms=0.0).to_dict() == attrs.evolve(second, elapsed_ms=0.0).to_dict()


# swapping the parser -------------------------------------------------------------------------------------------


def test_a_parser_is_loaded_for_the_first_sentence_and_looked_for_at_once(library, install_plugin):
    install_plugin("hgrkit.parsers", "broken", source="raise RuntimeError('no parser here')")
    with Retriever.open(library, device="cpu", parser="broken") as retriever:
        assert retriever.library.counts()
        with pytest.raises(PluginError, match="no parser here"):
            retriever.search(QUERY)
    with pytest.raises(ParserNotFoundError, match=r"'brokn'.*Did you mean 'broken'"):
        Retriever.open(library, device="cpu", parser="brokn")


@pytest.mark.parametrize("parser", [OneNode(), "stanza,lark"], ids=["another", "chain"])
def test_another_parser_reads_the_same_library_and_changes_nothing_in_it(library, monkeypatch, tmp_path, parser):
    monkeypatch.setenv("HGRKIT_STANZA_DIR", str(tmp_path / "no-models"))
    with Retriever.open(library, device="cpu") as usual:
        expected, manifest = answer(usual.search(QUERY)), usual.library.manifest
    before = contents(library / "arrays")
    with Retriever.open(library, device="cpu", parser=parser) as other:
        found = other.search(QUERY)
        assert other.library.manifest == manifest
        assert other.parser.name != "lark"
        assert answer(other.search(LarkParser().parse(QUERY))) == expected
    assert {hit.video for hit in found.hits} == {hit["video"] for hit in expected}
    assert contents(library / "arrays") == before
    with Retriever.open(library, device="cpu") as usual:
        assert answer(usual.search(QUERY)) == expected


@pytest.mark.shared
def test_a_search_with_stanza_asks_of_the_same_vectors(library, shared):
    parser = StanzaParser(dir=shared / "models/stanza_en", device="cpu")
    before = contents(library / "arrays")
    with Retriever.open(library, device="cpu", parser=parser) as retriever:
        result = retriever.search(QUERY)
        assert result.graph == parser.parse_batch([QUERY])[0]
        assert len(result.hits) == len(SECONDS)
    assert contents(library / "arrays") == before


def test_an_explanation_has_the_numbers_of_its_search_and_pictures_of_its_videos(retriever):
    result = retriever.search(QUERY, k=3)
    explanation = retriever.explain(result, num_frames=2)
    assert explanation.result is result
    assert [explained.hit for explained in explanation.hits] == list(result.hits)
    for explained in explanation.hits:
        assert explained.note == ""
        assert len(explained.nodes) == len(explained.hit.phrases) == len(result.graph.nodes)
        assert all(frame.jpeg.startswith(b"\xff\xd8") for frame in explained.strip)
