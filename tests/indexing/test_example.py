"""Examples as questions: what is read of a file, of the library or of a hit, and what it finds."""

from __future__ import annotations

import json
import os
import shutil

import numpy as np
import pytest
from PIL import Image

from hgrkit.errors import ConfigError, DecodeError, GraphError, LibraryMismatchError, MissingPathError
from hgrkit.indexing.example import ExampleReader
from hgrkit.library.example import stored_clips
from hgrkit.model.loaded import LoadedModel
from hgrkit.pages.explanation import explain_result
from hgrkit.retriever import Retriever
from hgrkit.video.reader import VideoReader
from tests.test_retriever import ColourGrid, OtherGrid, save_random_model, write_video

COLOURS = {"red": (200, 30, 30), "green": (30, 200, 30), "blue": (30, 30, 200), "grey": (90, 90, 90)}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Four videos of four seconds, and a library of them in clips of two."""
    folder = tmp_path_factory.mktemp("example")
    (folder / "videos").mkdir()
    for name, colour in COLOURS.items():
        write_video(folder / "videos" / f"{name}.mp4", 4, colour)
    model = save_random_model(folder / "model")
    with Retriever.create(
        folder / "library", model=model, frame_encoder=ColourGrid(), clip_seconds=2, device="cpu"
    ) as retriever:
        retriever.index(folder / "videos")
    return folder


@pytest.fixture
def folder(made, tmp_path):
    """A copy of the library whose videos a test may change; it knows them under their old paths."""
    return shutil.copytree(made, tmp_path / "copy")


@pytest.fixture
def retriever(made):
    with Retriever.open(made / "library", frame_encoder=ColourGrid(), device="cpu") as retriever:
        yield retriever


def names(result):
    return [hit.video.rpartition("/")[2] for hit in result.hits]


def frame_of(video, time_s=1.0, size=(64, 64)):
    (frame,) = VideoReader(video, size).pictures_at(np.array([time_s]))
    return frame.image


def reader_of(made, retriever):
    return ExampleReader(retriever.library, LoadedModel.load(made / "model"), frame_encoder=ColourGrid())


# pictures ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["jpg", "png", "webp", "bmp", "tiff"])
@pytest.mark.parametrize("name", COLOURS)
def test_a_frame_of_a_video_finds_that_video_first(made, retriever, tmp_path, name, kind):
    Image.fromarray(frame_of(made / "videos" / f"{name}.mp4")).save(tmp_path / f"frame.{kind}")
    found = retriever.search(like=tmp_path / f"frame.{kind}")
    assert names(found)[0] == f"{name}.mp4"
    assert len(found.hits) == 4


def test_a_picture_in_memory_is_what_its_file_is(made, retriever, tmp_path):
    pixels = frame_of(made / "videos" / "red.mp4", size=(90, 120))
    Image.fromarray(pixels).save(tmp_path / "frame.png")
    (tmp_path / "frame.png").rename(tmp_path / "named.wrongly.mp4")
    ways = [
        tmp_path / "named.wrongly.mp4",
        pixels,
        Image.fromarray(pixels),
        Image.fromarray(pixels).convert("RGBA"),
    ]
    scores = [[hit.score for hit in retriever.search(like=way).hits] for way in ways]
    assert all(found == scores[0] for found in scores)


def test_a_picture_is_turned_as_its_file_says(made, retriever, tmp_path):
    pixels = frame_of(made / "videos" / "red.mp4")
    exif = Image.Exif()
    exif[0x0112] = 6  # turn right to show
    Image.fromarray(np.rot90(pixels)).save(tmp_path / "turned.jpg", exif=exif, quality=95)
    Image.fromarray(pixels).save(tmp_path / "upright.jpg", quality=95)
    reader = reader_of(made, retriever)
    turned, upright = (reader.clips(str(tmp_path / f"{name}.jpg"))[0].entity for name in ("turned", "upright"))
    np.testing.assert_allclose(turned, upright, atol=0.05)


# videos and parts of them --------------------------------------------------------------------------------------


def test_a_video_of_the_library_is_not_decoded_again(folder, made, monkeypatch):
    with Retriever.open(folder / "library", device="cpu") as retriever:  # without the frame encoder
        found = retriever.search(like=made / "videos" / "blue.mp4")
        assert (names(found)[0], found.hits[0].likeness) == ("blue.mp4", pytest.approx(1, abs=0.05))
        monkeypatch.chdir(made)
        assert names(retriever.search(like="videos/blue.mp4"))[0] == "blue.mp4"


def test_a_video_that_was_changed_since_it_was_indexed_is_decoded(tmp_path):
    (tmp_path / "videos").mkdir()
    for name in ("red", "green"):
        write_video(tmp_path / "videos" / f"{name}.mp4", 2, COLOURS[name])
    model = save_random_model(tmp_path / "model")
    with Retriever.create(tmp_path / "lib", model=model, frame_encoder=ColourGrid(), device="cpu") as retriever:
        retriever.index(tmp_path / "videos")
        write_video(tmp_path / "videos" / "red.mp4", 3, COLOURS["green"])
        assert names(retriever.search(like=tmp_path / "videos" / "red.mp4"))[0] == "green.mp4"


def test_a_part_is_compared_by_its_own_frames_stored_or_decoded(made, retriever, tmp_path):
    video = made / "videos" / "green.mp4"
    shutil.copy(video, tmp_path / "elsewhere.mp4")
    reader = reader_of(made, retriever)
    stored = reader.read(f"{video}@1-3").embeddings
    frames = np.concatenate([clip.entity for clip in stored_clips(retriever.library, str(video))])
    np.testing.assert_array_equal(stored.entity, frames[2:6])  # two frames a second
    decoded = reader.read(f"{tmp_path / 'elsewhere.mp4'}@1-3").embeddings
    np.testing.assert_allclose(decoded.entity, stored.entity, atol=0.05)
    whole = reader.read(video).embeddings
    assert len(whole.entity) == 8


def test_a_part_between_two_frames_is_the_nearest_frame(made, retriever):
    video = made / "videos" / "green.mp4"
    found = reader_of(made, retriever).read(f"{video}@1.3-1.4").embeddings
    frames = np.concatenate([clip.entity for clip in stored_clips(retriever.library, str(video))])
    np.testing.assert_array_equal(found.entity, frames[2:3])


def test_a_path_with_an_at_sign_is_a_path(made, retriever, tmp_path):
    odd = tmp_path / "clip@1-2"
    shutil.copy(made / "videos" / "grey.mp4", odd)
    reader = reader_of(made, retriever)
    assert len(reader.read(odd).embeddings.entity) == 8
    assert len(reader.read(f"{odd}@1-2").embeddings.entity) == 2


# hits ----------------------------------------------------------------------------------------------------------


def test_what_is_like_a_hit_leaves_out_its_own_video(retriever):
    hit = retriever.search("a dog runs", k=1).hits[0]
    found = retriever.search(like=hit, k=3)
    assert len(found.hits) == 3
    assert hit.video not in [other.video for other in found.hits]
    assert found.like == f"{hit.video}@{hit.start_s:g}-{hit.end_s:g}"


def test_a_hit_of_one_of_several_libraries_is_an_example(made, folder, tmp_path):
    with Retriever.create(
        tmp_path / "other", model=made / "model", frame_encoder=ColourGrid(), clip_seconds=2, device="cpu"
    ) as other:
        write_video(tmp_path / "purple.mp4", 2, (200, 30, 200))
        other.index(tmp_path / "purple.mp4")
    with Retriever.open([folder / "library", tmp_path / "other"], device="cpu") as both:
        purple = next(hit for hit in both.search("a dog").hits if hit.video.endswith("purple.mp4"))
        assert sorted(names(both.search(like=purple))) == sorted(f"{name}.mp4" for name in COLOURS)


# answers -------------------------------------------------------------------------------------------------------


def test_an_answer_to_an_example_alone_has_no_graph_and_no_phrases(made, retriever):
    found = retriever.search(like=made / "videos" / "red.mp4", k=2)
    record = json.loads(json.dumps(found.to_dict()))
    assert (record["query"], record["graph"], record["like"]) == ("", None, str(made / "videos" / "red.mp4"))
    assert all(hit.phrases == () and hit.score == hit.likeness for hit in found.hits)
    assert found._repr_html_()
    with pytest.raises(GraphError, match="without words"):
        found.graph  # noqa: B018
    with pytest.raises(GraphError, match="without words"):
        explain_result(found).save("why.html")


def test_words_and_an_example_are_weighed_in_one_score(made, retriever):
    like = made / "videos" / "red.mp4"
    words = {hit.video: hit for hit in retriever.search("a woman throws a ball").hits}
    example = {hit.video: hit.score for hit in retriever.search(like=like).hits}
    both = retriever.search("a woman throws a ball", like=like)
    assert both.graph.text == "a woman throws a ball"
    for hit in both.hits:
        assert hit.likeness <= example[hit.video] + 1e-5  # of the clip that fits both best
        levels = sum(weight * level for weight, level in zip((1, 2, 3), hit.levels, strict=True)) / 6
        assert hit.score == pytest.approx(0.4 * levels + 0.6 * hit.likeness, abs=1e-5)
        assert len(hit.phrases) == len(words[hit.video].phrases)


@pytest.mark.parametrize("words", [None, "a dog runs"])
def test_among_candidates_an_example_is_found_where_all_are_compared(made, retriever, words):
    like = made / "videos" / "grey.mp4"
    exact = retriever.search(words, like=like, k=1, exact=True)
    few = retriever.search(words, like=like, k=1, num_candidates=3)
    assert not few.exact
    assert few.hits[0].to_dict() == exact.hits[0].to_dict()


# wrong examples ------------------------------------------------------------------------------------------------


@pytest.fixture
def wrong(tmp_path, made):
    """Files that are no examples."""
    (tmp_path / "notes.txt").write_text("a dog\n")
    (tmp_path / "empty.jpg").write_bytes(b"")
    Image.fromarray(frame_of(made / "videos" / "red.mp4", size=(256, 256))).save(
        tmp_path / "whole.jpg", quality=95
    )
    (tmp_path / "torn.jpg").write_bytes((tmp_path / "whole.jpg").read_bytes()[:3000])
    (tmp_path / "false.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    shutil.copy(made / "videos" / "red.mp4", tmp_path / "v.mp4")
    return tmp_path


@pytest.mark.parametrize(
    ("like", "error", "words"),
    [
        ("gone.jpg", MissingPathError, "there is no file 'gone.jpg'"),
        ("gone.mp4@1-2", MissingPathError, "there is no file 'gone.mp4'"),
        ("http://a.org/b.jpg", MissingPathError, "is a URL"),
        ("notes.txt", DecodeError, "and no JPEG, PNG, WebP, BMP or TIFF picture"),
        ("empty.jpg", DecodeError, "the file is empty"),
        ("torn.jpg", DecodeError, "'torn.jpg' cannot be read"),
        ("false.png", DecodeError, "'false.png' cannot be read"),
        (".", ConfigError, "is a folder"),
        ("whole.jpg@1-2", ConfigError, "is a picture"),
        ("v.mp4@2-1", ConfigError, "must begin before it ends"),
        ("v.mp4@1-1", ConfigError, "must begin before it ends"),
        ("v.mp4@9-10", ConfigError, "is 4.0 s long"),
        ("v.mp4@1-10", ConfigError, "is 4.0 s long"),
        ("v.mp4@two-3", ConfigError, "@START-END, in seconds"),
        ("", ConfigError, "like"),
        (7, ConfigError, "an example must be the path of a picture or a video"),
        (np.zeros((4, 4)), ConfigError, "uint8"),
        (np.zeros((0, 4, 3), np.uint8), ConfigError, "uint8"),
    ],
    ids=str,
)
def test_what_is_no_example_is_told_in_one_line(retriever, wrong, monkeypatch, like, error, words):
    monkeypatch.chdir(wrong)
    with pytest.raises(error) as raised:
        retriever.search(like=like)
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_range_may_end_a_moment_after_the_video(retriever, wrong):
    assert retriever.search(like=f"{wrong / 'v.mp4'}@3-5").hits


def test_nothing_to_search_for_is_refused(retriever):
    with pytest.raises(GraphError, match="or an example: like="):
        retriever.search()


def test_another_frame_encoder_than_the_librarys_is_refused(made, tmp_path):
    shutil.copy(made / "videos" / "red.mp4", tmp_path / "v.mp4")
    with (
        Retriever.open(made / "library", frame_encoder=OtherGrid(), device="cpu") as retriever,
        pytest.raises(LibraryMismatchError, match="frame encoder"),
    ):
        retriever.search(like=tmp_path / "v.mp4")


def test_a_library_of_features_takes_its_own_videos_alone(made, tmp_path):
    features = {
        f"{name}.mp4": np.random.default_rng(0).normal(size=(3, 192)).astype(np.float32) for name in COLOURS
    }
    np.savez(tmp_path / "features.npz", **features)
    Image.fromarray(frame_of(made / "videos" / "red.mp4")).save(tmp_path / "red.png")
    with Retriever.create(
        tmp_path / "lib", model=made / "model", frame_encoder="features", device="cpu"
    ) as made_of:
        made_of.index(made / "videos", features=tmp_path / "features.npz")
        assert len(made_of.search(like=made / "videos" / "red.mp4").hits) == 4
        with pytest.raises(ConfigError, match="files of frame features"):
            made_of.search(like=tmp_path / "red.png")


def test_an_empty_library_has_no_answer_to_an_example(made, tmp_path):
    with Retriever.create(
        tmp_path / "empty", model=made / "model", frame_encoder=ColourGrid(), device="cpu"
    ) as retriever:
        assert retriever.search(like=frame_of(made / "videos" / "red.mp4")).hits == ()


# describing ----------------------------------------------------------------------------------------------------

SENTENCES = ["a dog runs in the park", "the red ball", "a woman sleeps", "a woman throws the red ball to a dog"]


def test_sentences_are_ranked_as_their_normalised_scores(made, retriever):
    for row, path in enumerate(retriever.library.indexed_paths()):
        scores = retriever.scores(SENTENCES, querybank_norm=True)[row]
        described = retriever.describe(path, SENTENCES)
        assert [one.sentence for one in described.sentences] == [SENTENCES[at] for at in np.argsort(-scores)]
        assert [one.score for one in described.sentences] == pytest.approx(sorted(scores, reverse=True), abs=1e-3)
        assert [one.rank for one in described.sentences] == [1, 2, 3, 4]


def test_a_video_outside_the_library_is_described_as_one_in_it(made, retriever, tmp_path):
    shutil.copy(made / "videos" / "blue.mp4", tmp_path / "elsewhere.mp4")
    inside, outside = (
        retriever.describe(path, SENTENCES, k=2)
        for path in (made / "videos" / "blue.mp4", tmp_path / "elsewhere.mp4")
    )
    assert [one.sentence for one in inside.sentences] == [one.sentence for one in outside.sentences]
    assert len(inside.sentences) == 2
    levels = outside.to_dict()["sentences"][0]["levels"]
    assert set(levels) == {"event", "action", "entity"}


def test_a_sentence_that_cannot_be_read_is_left_out_and_named(made, retriever):
    described = retriever.describe(made / "videos" / "red.mp4", ["a dog runs", " "])
    assert [one.sentence for one in described.sentences] == ["a dog runs"]
    (note,) = described.notes
    assert note.startswith("Sentence 2 is left out")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [(([],), ConfigError), ((["a dog"], 0), ConfigError), (("a dog",), ConfigError)],
    ids=["none", "k", "text"],
)
def test_a_video_is_described_by_some_sentences(made, retriever, arguments, error):
    sentences, *k = arguments
    with pytest.raises(error):
        retriever.describe(made / "videos" / "red.mp4", sentences, **({"k": k[0]} if k else {}))


def test_a_video_that_is_nowhere_cannot_be_described(retriever):
    with pytest.raises(MissingPathError, match="no such video in the library"):
        retriever.describe(os.devnull + ".mp4", ["a dog"])
