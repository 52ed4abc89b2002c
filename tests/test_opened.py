"""What an open retriever sees of a library that others write, upgrade, move and replace."""

from __future__ import annotations

import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from hgrkit.errors import LibraryMismatchError, LibraryNotFoundError, ModelNotFoundError
from hgrkit.library import repair_library
from hgrkit.retriever import Retriever
from tests.test_retriever import (
    QUERIES,
    QUERY,
    ColourGrid,
    answer,
    create,
    open_to_write,
    save_random_model,
    write_video,
)


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    for number, name in enumerate(("a.mp4", "b.mp4", "c.mp4")):
        write_video(folder / name, number + 1, (80 * number, 200 - 60 * number, 30))
    return folder


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    return [save_random_model(folder / str(seed), seed=seed) for seed in range(2)]


@pytest.fixture(scope="module")
def made(tmp_path_factory, models, videos):
    path = tmp_path_factory.mktemp("made") / "library"
    with create(path, models[0], clip_seconds=1) as retriever:
        retriever.index(videos / "a.mp4", videos / "b.mp4")
    return path


@pytest.fixture
def library(made, tmp_path):
    return Path(shutil.copytree(made, tmp_path / "library"))


@pytest.fixture
def follower(library):
    with Retriever.open(library, device="cpu", follow=True) as retriever:
        yield retriever


def upgrade(path, model):
    return Retriever.upgrade(path, model=model, frame_encoder=ColourGrid(), device="cpu")


def add(path, video):
    with open_to_write(path) as writer:
        writer.index(video)


def answers_anew(path):
    with Retriever.open(path, device="cpu") as fresh:
        return [answer(fresh.search(query)) for query in QUERIES]


def test_refresh_tells_whether_there_is_a_newer_version(library, videos):
    with Retriever.open(library, device="cpu") as reader:
        assert not reader.refresh()
        add(library, videos / "c.mp4")
        assert reader.refresh()
        assert not reader.refresh()
        with open_to_write(library) as writer:
            writer.library.compact()
        assert reader.refresh()
        assert [answer(reader.search(query)) for query in QUERIES] == answers_anew(library)


def test_a_follower_answers_with_the_model_of_an_upgrade(library, follower, models):
    before = [answer(follower.search(query)) for query in QUERIES]
    upgrade(library, models[1])
    found = [answer(follower.search(query)) for query in QUERIES]
    assert found == answers_anew(library)
    assert found != before
    assert follower.library.manifest.model == str(models[1])


@pytest.mark.parametrize(
    "ask",
    [
        lambda retriever, videos: retriever.scores(QUERIES),
        lambda retriever, videos: retriever.pair_scores([str(videos / "a.mp4")], [QUERY]),
        lambda retriever, videos: retriever.describe(videos / "a.mp4", QUERIES).to_dict(),
        lambda retriever, videos: answer(retriever.search(like=videos / "a.mp4")),
    ],
)
def test_every_question_follows_an_upgrade(library, follower, models, videos, ask):
    ask(follower, videos)
    upgrade(library, models[1])
    with Retriever.open(library, device="cpu") as fresh:
        np.testing.assert_equal(ask(follower, videos), ask(fresh, videos))


def test_without_following_an_upgrade_is_refused_until_refresh(library, models):
    with Retriever.open(library, device="cpu") as reader:
        upgrade(library, models[1])
        with pytest.raises(LibraryMismatchError, match="model"):
            reader.search(QUERY)
        assert reader.refresh()
        assert [answer(reader.search(query)) for query in QUERIES] == answers_anew(library)


def test_a_model_that_was_asked_for_by_name_is_kept(library, models):
    with Retriever.open(library, model=models[0], device="cpu", follow=True) as reader:
        upgrade(library, models[1])
        with pytest.raises(LibraryMismatchError, match=str(models[1])):
            reader.search(QUERY)


def test_a_model_that_is_gone_is_named(library, follower, models, tmp_path):
    passing = shutil.copytree(models[1], tmp_path / "passing")
    upgrade(library, passing)
    shutil.rmtree(passing)
    for _ in range(2):
        with pytest.raises(ModelNotFoundError, match="passing"):
            follower.search(QUERY)
    shutil.copytree(models[1], passing)
    assert answer(follower.search(QUERY)) == answers_anew(library)[0]


def test_sentences_of_another_model_are_refused(library, follower, models):
    captions = follower.read(QUERIES)
    follower.scores(captions)
    upgrade(library, models[1])
    with pytest.raises(LibraryMismatchError):
        follower.scores(captions)
    follower.search(QUERY)  # now the follower has the other model, and the sentences still have the first
    with pytest.raises(LibraryMismatchError, match="read them again"):
        follower.scores(captions)


def test_several_libraries_are_followed_once_all_are_upgraded(library, models, tmp_path, videos):
    other = tmp_path / "other"
    with create(other, models[0], clip_seconds=1) as retriever:
        retriever.index(videos / "c.mp4")
    with Retriever.open([library, other], device="cpu", follow=True) as follower:
        assert len(follower.search(QUERY).hits) == 3
        upgrade(library, models[1])
        with pytest.raises(LibraryMismatchError, match="other"):
            follower.search(QUERY)
        upgrade(other, models[1])
        with Retriever.open([library, other], device="cpu") as fresh:
            assert answer(follower.search(QUERY)) == answer(fresh.search(QUERY))


def test_searches_in_flight_answer_from_one_version_each(library, follower, models, videos):
    def ask(_):
        return repr(answer(follower.search(QUERY)))

    def change():
        add(library, videos / "c.mp4")
        yield
        with open_to_write(library) as writer:
            writer.library.remove(str(videos / "a.mp4"))
            yield
            writer.library.compact()
        yield
        upgrade(library, models[1])
        yield

    versions, found, done = {ask(None)}, [], threading.Event()

    def go_on(_):
        while not done.is_set():
            found.append(ask(None))

    with ThreadPoolExecutor(4) as pool:
        asking = pool.map(go_on, range(4))
        try:
            for _ in change():
                versions.add(repr(answers_anew(library)[0]))
        finally:
            done.set()
        list(asking)
    assert len(versions) == 4  # compacting changes no answer
    assert set(found) <= versions


@pytest.mark.parametrize("follow", [False, True])
@pytest.mark.parametrize("lose", [shutil.rmtree, lambda path: path.rename(path.with_name("moved"))])
def test_a_library_that_is_gone_is_said_to_be(library, lose, follow):
    with Retriever.open(library, device="cpu", follow=follow) as reader:
        reader.search(QUERY)
        lose(library)
        for ask in (reader.refresh, lambda: reader.search(QUERY)):
            with pytest.raises(LibraryNotFoundError, match="removed or moved"):
                ask()


def replace(path, other):
    shutil.rmtree(path)
    shutil.copytree(other, path)


def test_another_library_in_its_place_is_refused(library, follower, models, videos, tmp_path):
    other = tmp_path / "other"
    with create(other, models[0], clip_seconds=1) as retriever:
        for video in ("c.mp4", "b.mp4", "a.mp4"):
            retriever.index(videos / video)
    follower.search(QUERY)
    replace(library, other)
    for ask in (follower.refresh, lambda: follower.search(QUERY)):
        with pytest.raises(LibraryNotFoundError, match="another one"):
            ask()


def test_an_older_copy_in_its_place_is_refused(library, follower, videos, tmp_path):
    older = shutil.copytree(library, tmp_path / "older")
    add(library, videos / "c.mp4")
    follower.search(QUERY)
    replace(library, older)
    with pytest.raises(LibraryNotFoundError, match="an older copy"):
        follower.search(QUERY)


def test_a_newer_copy_and_a_repaired_library_are_the_same_library(library, follower, videos, tmp_path):
    follower.search(QUERY)
    newer = shutil.copytree(library, tmp_path / "newer")
    add(newer, videos / "c.mp4")
    replace(library, newer)
    assert len(follower.search(QUERY).hits) == 3
    frames = next((library / "arrays").glob("frames-*.bin"))
    content = bytearray(frames.read_bytes())
    content[20] ^= 1
    frames.write_bytes(content)
    assert repair_library(library).whole
    assert len(follower.search(QUERY).hits) == 2


def test_following_is_said_with_true_or_false(library):
    with pytest.raises(ValueError, match="follow"):
        Retriever.open(library, follow="yes")
