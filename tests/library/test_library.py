"""The library's facade: what it keeps, how it searches and what it refuses."""

from __future__ import annotations

import sys
from pathlib import Path

import attrs
import numpy as np
import pytest

from hgrkit.errors import ConfigError, LibraryError, LibraryMismatchError, LibraryNotFoundError, ShapeError
from hgrkit.library import (
    ClipEmbeddings,
    Entry,
    Library,
    Manifest,
    QueryEmbeddings,
    Rename,
    SearchSettings,
    VideoRecord,
)
from hgrkit.library.candidates import AnnCache
from hgrkit.testing.store_contract import StoreContract, random_clip

DIM = 16
MANIFEST = attrs.evolve(StoreContract.manifest, embed_dim=DIM)


def record(path: str) -> VideoRecord:
    return VideoRecord(path=path, content="", size=1, mtime_ns=1)


def clip(random: np.random.Generator, topic: np.ndarray, frames: int) -> ClipEmbeddings:
    """A clip whose frames scatter around a topic."""
    return ClipEmbeddings(
        start_s=0,
        end_s=frames,
        times_s=np.arange(frames) + 0.5,
        event=topic + 0.3 * random.normal(size=DIM),
        action=topic + 0.5 * random.normal(size=(frames, DIM)),
        entity=topic + 0.5 * random.normal(size=(frames, DIM)),
    )


def about(random: np.random.Generator, topic: np.ndarray, actions: int, entities: int) -> QueryEmbeddings:
    return QueryEmbeddings(
        event=topic + 0.3 * random.normal(size=DIM),
        action=topic + 0.5 * random.normal(size=(actions, DIM)),
        entity=topic + 0.5 * random.normal(size=(entities, DIM)),
    )


@pytest.fixture(scope="module")
def topics() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(30, DIM))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, topics: np.ndarray) -> Path:
    """300 videos of one to four clips, about 30 topics, and a failed one."""
    random = np.random.default_rng(1)
    path = tmp_path_factory.mktemp("library") / "lib"
    with Library.create(path, MANIFEST) as library:
        library.add_all(
            [
                Entry(
                    record(f"{number:03}.mp4"),
                    [clip(random, topics[number % 30], int(random.integers(1, 6))) for _ in range(number % 4 + 1)],
                )
                for number in range(300)
            ]
        )
        library.add(attrs.evolve(record("bad.mp4"), state="failed", reason="it is empty"))
    return path


@pytest.fixture(scope="module")
def queries(topics: np.ndarray) -> list[QueryEmbeddings]:
    random = np.random.default_rng(2)
    return [about(random, topics[number % 30], number % 3, number % 4) for number in range(60)]


def reference_score(query: QueryEmbeddings, clip: ClipEmbeddings, settings: SearchSettings) -> float:
    """DESIGN section 3, in loops and float64, on what float16 keeps."""

    def cosine(a: np.ndarray, b: np.ndarray) -> float:
        return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))

    def level(frames: np.ndarray, nodes: np.ndarray) -> float:
        scores = []
        for node in nodes.astype(np.float64):
            similarity = np.array([cosine(frame, node) for frame in frames])
            relevance = np.maximum(similarity, 0)
            relevance /= max(np.linalg.norm(relevance), 1e-10)
            weights = np.exp(settings.sharpness * relevance)
            weights /= weights.sum()
            scores.append(cosine(weights @ frames, node) if settings.fusion == "embed" else weights @ similarity)
        return float(np.mean(scores)) if scores else 0.0

    parts = (
        cosine(clip.event.astype(np.float64), query.event.astype(np.float64)),
        level(clip.action.astype(np.float64), query.action),
        level(clip.entity.astype(np.float64), query.entity),
    )
    return float(np.average(parts, weights=settings.level_weights))


@pytest.mark.parametrize(
    "settings",
    [SearchSettings(), SearchSettings(sharpness=9.0, fusion="sim", level_weights=(2, 1, 0.5))],
    ids=["embed", "sim"],
)
def test_scores_are_those_of_the_equations_by_the_best_clip_of_each_video(folder, queries, settings):
    with Library.open(folder) as library:
        scores = library.scores(queries[:7], settings)
        snapshot = library.snapshot()
        paths = library.indexed_paths()
        for place in (0, 3, 150, 299):
            rows = np.flatnonzero(snapshot.clip_videos == place)
            assert snapshot.videos[place].path == paths[place]
            for number, query in enumerate(queries[:7]):
                expected = max(reference_score(query, one, settings) for one in snapshot.clips(rows))
                assert scores[place, number] == pytest.approx(expected, abs=1e-6)
    assert scores.shape == (300, 7)
    assert scores.dtype == np.float32


def test_a_search_agrees_with_the_scores_of_all_videos(folder, queries):
    with Library.open(folder) as library:
        scores = library.scores(queries)
        paths = library.indexed_paths()
        for number, query in enumerate(queries):
            matches = library.search(query, 5)
            best = np.argsort(-scores[:, number], kind="stable")[:5]
            assert [match.video for match in matches] == [paths[row] for row in best]
            assert [match.score for match in matches] == pytest.approx(scores[best, number].tolist(), abs=1e-6)


def test_a_query_scores_the_same_alone_and_among_others(folder, queries, monkeypatch):
    with Library.open(folder) as library:
        together = library.scores(queries)
        alone = np.concatenate([library.scores([query]) for query in queries], axis=1)
        monkeypatch.setattr("hgrkit.library.scoring._CHUNK_SIMILARITIES", 1)
        in_chunks = library.scores(queries)
    np.testing.assert_allclose(together, alone, atol=1e-6)
    np.testing.assert_allclose(together, in_chunks, atol=1e-6)


def test_scores_of_pairs_are_entries_of_the_matrix_of_scores(folder, queries):
    settings = [SearchSettings(), SearchSettings(level_weights=(1, 0, 0), sharpness=9)]
    asked = np.random.default_rng(1).integers(300, size=len(queries))
    with Library.open(folder) as library:
        paths = library.indexed_paths()
        found = library.pair_scores([paths[row] for row in asked], queries, settings)
        assert (found.shape, found.dtype) == ((2, len(queries)), np.float32)
        for row, setting in enumerate(settings):
            expected = library.scores(queries, setting)[asked, range(len(queries))]
            np.testing.assert_allclose(found[row], expected, atol=2e-6, rtol=0)
        assert library.pair_scores([], [], settings).shape == (2, 0)
        with pytest.raises(LibraryError, match=r"no indexed video 'lost\.mp4'"):
            library.pair_scores(["lost.mp4"], queries[:1], settings)


def test_a_search_among_some_videos_says_of_them_what_a_search_of_all_says(folder, queries):
    with Library.open(folder) as library:
        some = [library.indexed_paths()[row] for row in (7, 200, 3)]
        everything = {match.video: match for match in library.search(queries[0], 300)}
        found = library.search(queries[0], 10, videos=some)
        assert {match.video for match in found} == set(some)
        assert [match.score for match in found] == sorted((match.score for match in found), reverse=True)
        for match in found:
            assert match.score == everything[match.video].score
            assert match.moment == everything[match.video].moment
        assert len(library.search(queries[0], 1, videos=some)) == 1
        assert library.search(queries[0], 5, videos=[]) == []
        with pytest.raises(LibraryError, match=r"no indexed video 'lost\.mp4'"):
            library.search(queries[0], 5, videos=["lost.mp4"])


@pytest.mark.parametrize("source", ["flat", "hnsw"])
def test_candidates_find_what_the_exhaustive_search_finds(folder, queries, source):
    with Library.open(folder, "w", candidates=source) as library:
        assert library.refresh_ann_index() == (source == "hnsw")
        approximate = SearchSettings(candidates=100, exhaustive=False)
        found = total = 0
        for query in queries:
            exact = library.search(query, 10, settings=SearchSettings(exhaustive=True))
            fast = {match.video: match.score for match in library.search(query, 10, settings=approximate)}
            assert all(fast.get(match.video, match.score) == match.score for match in exact)
            found += len(fast.keys() & {match.video for match in exact})
            total += len(exact)
        assert found / total > 0.95


def test_candidates_reach_k_videos_even_if_they_begin_with_one(folder, queries):
    with Library.open(folder) as library:
        settings = SearchSettings(candidates=1, exhaustive=False)
        assert len(library.search(queries[0], 20, settings=settings)) == 20
        assert len(library.search(queries[0], 1000, settings=settings)) == 300


def test_the_moment_of_a_clip_with_several_scenes_is_the_one_that_the_phrases_fit(tmp_path):
    scenes = np.repeat(np.eye(DIM)[[0, 3, 5]], 8, axis=0)  # [24, D]: eight frames each
    clip = ClipEmbeddings(
        start_s=0, end_s=12, times_s=np.arange(24) / 2 + 0.25, event=scenes[0], action=scenes, entity=scenes
    )
    query = QueryEmbeddings(event=np.eye(DIM)[0], action=np.empty((0, DIM)), entity=scenes[[9]])
    with Library.create(tmp_path / "scenes", MANIFEST) as library:
        library.add(VideoRecord(path="a.mp4", content="", size=1, mtime_ns=0), [clip])
        (match,) = library.search(query)
    assert (match.moment.start_s, match.moment.end_s) == (4, 8)


def test_a_match_tells_what_was_seen_when(folder, queries):
    query = queries[5]  # two actions, one entity
    with Library.open(folder) as library:
        for match in library.search(query, 20):
            frames = match.times_s.size
            assert match.action_weights.shape == (2, frames)
            assert match.entity_weights.shape == (1, frames)
            np.testing.assert_allclose(match.action_weights.sum(axis=1), 1, atol=1e-5)
            assert match.levels.action == pytest.approx(match.action_similarities.mean(), abs=1e-6)
            assert match.levels.entity == pytest.approx(match.entity_similarities.mean(), abs=1e-6)
            assert match.score == pytest.approx(np.mean(list(match.levels)), abs=1e-6)
            assert match.start_s <= match.moment.start_s < match.moment.end_s <= match.end_s


def test_equal_videos_are_listed_in_the_order_of_their_paths(tmp_path):
    same = [random_clip(number, embed_dim=DIM) for number in range(3)]
    with Library.create(tmp_path / "lib", MANIFEST) as library:
        for path in np.random.default_rng(0).permutation([f"{number:02}" for number in range(40)]).tolist():
            library.add(record(path), same)
        query = about(np.random.default_rng(1), np.ones(DIM), 2, 3)
        matches = library.search(query, 7)
        assert [match.video for match in matches] == [f"{number:02}" for number in range(7)]
        assert len({match.score for match in matches}) == 1


def test_how_a_matrix_product_rounds_never_decides_between_equal_videos(tmp_path):
    """It rounds by where a row lies: among some of these numbers of videos equal ones get unequal scores."""
    names = [f"{number:02}" for number in range(40)]
    random = np.random.default_rng(1)
    with Library.create(tmp_path / "lib", attrs.evolve(MANIFEST, embed_dim=64)) as library:
        same = [random_clip(0, embed_dim=64)]
        library.add_all([Entry(record(name), same) for name in names])
        event, action, entity = random.normal(size=(3, 1, 64))
        query = QueryEmbeddings(event=event[0], action=action, entity=entity)
        for count in range(2, 41):
            for k in (2, count):
                matches = library.search(query, k, videos=names[:count])
                assert [match.video for match in matches] == names[:k]
                assert len({match.score for match in matches}) == 1


def test_a_reader_sees_new_videos_at_its_next_call(tmp_path):
    with Library.create(tmp_path / "lib", MANIFEST) as writer, Library.open(tmp_path / "lib") as reader:
        query = about(np.random.default_rng(1), np.ones(DIM), 1, 1)
        assert reader.search(query, 3) == []
        assert reader.scores([query]).shape == (0, 1)
        writer.add(record("a"), [random_clip(0, embed_dim=DIM)])
        assert [match.video for match in reader.search(query, 3)] == ["a"]
        assert writer.remove("a")
        assert not writer.remove("a")
        assert reader.search(query, 3) == []


def test_counts_and_records_tell_what_there_is(folder):
    with Library.open(folder) as library:
        counts = library.counts()
        assert (counts.videos, counts.indexed, counts.failed, counts.clips) == (301, 300, 1, 750)
        bad = library.video("bad.mp4")
        assert bad is not None
        assert (bad.state, bad.reason, bad.clips) == ("failed", "it is empty", 0)
        assert library.video("none.mp4") is None
        assert "bad.mp4" not in library.indexed_paths()
        assert library.manifest == MANIFEST


@pytest.mark.parametrize("damage", ["delete", "flip", "truncate", "describe", "other version"])
def test_an_hnsw_index_that_does_not_fit_is_never_loaded_and_is_built_again(tmp_path, damage, monkeypatch):
    pytest.importorskip("hnswlib")
    random = np.random.default_rng(0)
    path = tmp_path / "lib"
    with Library.create(path, MANIFEST, candidates="hnsw") as library:
        library.add_all([Entry(record(f"{n:02}"), [random_clip(n, embed_dim=DIM)]) for n in range(50)])
    graph, description = sorted((path / "cache").iterdir())
    whole = graph.read_bytes()
    if damage == "delete":
        graph.unlink()
    elif damage == "flip":
        graph.write_bytes(whole[:100] + bytes([whole[100] ^ 1]) + whole[101:])
    elif damage == "truncate":
        graph.write_bytes(whole[:-7])
    elif damage == "describe":
        description.write_text("{")
    else:
        with Library.open(path, "w") as library:  # too small for an index of its own
            library.remove("07")
            library.compact()
    query, settings = about(random, np.ones(DIM), 1, 1), SearchSettings(exhaustive=False, candidates=10)
    with Library.open(path, candidates="hnsw") as library, monkeypatch.context() as patch:
        patch.setattr("hnswlib.Index", lambda *_, **__: pytest.fail("it was loaded"))
        before = [match.video for match in library.search(query, 3, settings=settings)]
    Library.open(path, "w", candidates="hnsw").close()
    loaded: list[str] = []
    with Library.open(path, candidates="hnsw") as library:
        load = AnnCache.load
        monkeypatch.setattr(
            AnnCache, "load", lambda *given: loaded.append(type(found := load(*given)).__name__) or found
        )
        assert [match.video for match in library.search(query, 3, settings=settings)] == before
    assert loaded == ["AnnIndex"]


def test_a_compaction_changes_no_answer_frees_space_and_brings_a_new_hnsw_index(tmp_path, queries):
    path, settings = tmp_path / "lib", SearchSettings(exhaustive=False, candidates=10)
    with Library.create(path, MANIFEST, candidates="hnsw") as library:
        for number in range(60):
            clips = [random_clip(number + part, embed_dim=DIM) for part in range(3)]
            library.add(record(f"{number % 30:02}"), clips)
        library.refresh_ann_index()
        before = library.scores(queries), library.videos(), library.version.number
        (index,) = (path / "cache").glob("*.hnsw")
        old_index = index.read_bytes()
        report = library.compact()
        assert index.read_bytes() != old_index
        assert report.bytes_after < report.bytes_before
        sizes = [file.stat().st_size for file in [path / "library.sqlite", *(path / "arrays").iterdir()]]
        assert abs(report.bytes_after - sum(sizes)) < 65536  # SQLite's own log
        np.testing.assert_array_equal(library.scores(queries), before[0])
        assert (library.videos(), library.version.number) == (before[1], before[2] + 1)
        exact = library.search(queries[0], 5)
        assert len(library.search(queries[0], 5, settings=settings)) == 5
    with Library.open(path) as library:
        assert [match.video for match in library.search(queries[0], 5)] == [match.video for match in exact]
        with pytest.raises(LibraryError, match="reading only"):
            library.compact()


def test_videos_are_renamed_put_and_removed_in_one_version(tmp_path, queries):
    with Library.create(tmp_path / "lib", MANIFEST) as library:
        library.add_all([Entry(record(path), [random_clip(n, embed_dim=DIM)]) for n, path in enumerate("abc")])
        scores = library.scores(queries)
        library.rename("a", record("x"))
        assert library.indexed_paths() == ("b", "c", "x")
        # A row's place in a matrix product decides its last bit on some processors.
        np.testing.assert_allclose(library.scores(queries), scores[[1, 2, 0]], atol=1e-6)
        version = library.update(
            put=[Entry(record("d"), [random_clip(1, embed_dim=DIM)])],
            remove=["c"],
            rename=[Rename("b", record("e"))],
        )
        assert version == library.version
        assert (version.number, library.indexed_paths()) == (3, ("d", "e", "x"))
        with pytest.raises(ConfigError, match="'b' cannot be renamed: the library does not have it"):
            library.rename("b", record("f"))


def test_a_library_becomes_another_one_and_its_old_readers_are_told(tmp_path, queries):
    upgraded = attrs.evolve(MANIFEST, model="big", model_fingerprint="model-2")
    with (
        Library.create(tmp_path / "lib", MANIFEST) as library,
        Library.create(tmp_path / "new", upgraded) as other,
        Library.open(tmp_path / "lib") as reader,
    ):
        library.add(record("a"), [random_clip(0, embed_dim=DIM)])
        other.add_all([Entry(record(path), [random_clip(9, embed_dim=DIM)]) for path in "ab"])
        assert len(reader.search(queries[0], 5)) == 1
        library.replace_with(other)
        assert library.manifest == upgraded
        np.testing.assert_array_equal(library.scores(queries), other.scores(queries))
        with pytest.raises(LibraryMismatchError, match=r"model 'big' .*, not model 'contract'"):
            reader.search(queries[0], 5)
    with Library.open(tmp_path / "lib", manifest=upgraded) as reader:
        assert reader.indexed_paths() == ("a", "b")


def test_without_hnswlib_a_large_library_is_scanned(folder, queries, monkeypatch):
    monkeypatch.setitem(sys.modules, "hnswlib", None)
    with Library.open(folder, "w", candidates="hnsw") as library:
        assert not library.refresh_ann_index()
        assert len(library.search(queries[0], 5, settings=SearchSettings(exhaustive=False))) == 5


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        (
            {"model": "big", "model_fingerprint": "model-2"},
            r"model 'contract' \(fingerprint model-1\), not model 'big'",
        ),
        ({"frame_encoder_fingerprint": "f2"}, r"frame encoder 'contract' \(fingerprint frames-1\), not"),
        ({"sampling": "fps:1"}, "sampling uniform:20, not sampling fps:1"),
        ({"clip_seconds": 10}, r"clip_seconds None, not clip_seconds 10\.0"),
        ({"embed_dim": 4}, "embed_dim 16, not embed_dim 4"),
    ],
)
def test_other_parts_than_those_that_made_the_library_are_refused_by_name(folder, changed, named):
    with pytest.raises(LibraryMismatchError, match=named):
        Library.open(folder, "w", manifest=attrs.evolve(MANIFEST, **changed))
    with Library.open(folder, "w", manifest=attrs.evolve(MANIFEST, model="the same under another name")):
        pass


def test_what_cannot_be_searched_is_refused(folder, queries):
    with Library.open(folder) as library:
        with pytest.raises(ShapeError, match="the library's embed_dim 16, got 4"):
            library.search(QueryEmbeddings(event=np.ones(4), action=np.ones((0, 4)), entity=np.ones((0, 4))), 3)
        with pytest.raises(ConfigError, match="k must be at least 1, got 0"):
            library.search(queries[0], 0)
        with pytest.raises(LibraryError, match="reading only"):
            library.refresh_ann_index()
        with pytest.raises(LibraryError, match="reading only"):
            library.remove("000.mp4")
    with pytest.raises(LibraryError, match="is closed"):
        library.videos()
    with pytest.raises(ConfigError, match="mode must be 'r' or 'w', got 'a'"):
        Library.open(folder, "a")
    with pytest.raises(LibraryNotFoundError, match="hgrkit index"):
        Library.open(folder / "none")


def test_manifests_survive_json():
    assert Manifest.from_json(MANIFEST.to_json()) == MANIFEST
    with pytest.raises(ValueError, match="keys"):
        Manifest.from_json("{}")


def test_importing_the_library_imports_neither_torch_nor_hnswlib():
    import subprocess

    program = "import sys, hgrkit.library; print({'torch', 'hnswlib', 'av'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


@pytest.fixture(scope="module")
def halves(folder, tmp_path_factory):
    """The library's videos in two others, with equal videos in each; some of them once more in a third one."""
    path = tmp_path_factory.mktemp("halves")
    with Library.open(folder) as library:
        snapshot = library.snapshot()
        clips = dict(
            zip(range(len(snapshot.clip_keys)), snapshot.clips(range(len(snapshot.clip_keys))), strict=True)
        )
    entries = [
        Entry(video, [clips[row] for row in np.flatnonzero(snapshot.clip_videos == place).tolist()])
        for place, video in enumerate(snapshot.videos)
    ]
    for name, part in (("a", entries[1::2]), ("b", entries[::2])):
        with Library.create(path / name, MANIFEST) as half:
            half.add_all(part)
            half.add(record(f"equal-{name}.mp4"), [random_clip(5, embed_dim=DIM)])
    with Library.create(path / "again", MANIFEST) as again:
        again.add_all(entries[:20])
    with Library.create(path / "whole", MANIFEST) as whole:
        whole.add_all(
            [*entries, *(Entry(record(f"equal-{name}.mp4"), [random_clip(5, embed_dim=DIM)]) for name in "ab")]
        )
    return path


@pytest.mark.parametrize(
    "settings", [None, SearchSettings(candidates=40, exhaustive=False)], ids=["exact", "cascade"]
)
def test_several_libraries_answer_as_one_that_holds_all_their_videos(halves, queries, settings):
    with Library.open(halves / "whole") as whole, Library.open([halves / "a", halves / "b"]) as joined:
        assert joined.indexed_paths() == whole.indexed_paths()
        assert joined.counts() == whole.counts()
        np.testing.assert_array_equal(joined.scores(queries), whole.scores(queries))
        for query in queries:
            one, other = (library.search(query, 12, settings=settings) for library in (whole, joined))
            assert [(match.video, match.score, match.moment) for match in one] == [
                (match.video, match.score, match.moment) for match in other
            ]
    with (
        Library.open(halves / "whole") as whole,
        Library.open([halves / x for x in ("again", "a", "b")]) as joined,
    ):
        assert joined.counts() == whole.counts()
        np.testing.assert_array_equal(joined.scores(queries), whole.scores(queries))
        for query in queries[:20]:
            assert [match.video for match in joined.search(query, 12)] == [
                match.video for match in whole.search(query, 12)
            ]
        some = ["001.mp4", "equal-b.mp4"]
        assert {match.video for match in joined.search(queries[0], 5, videos=some)} == set(some)
        with pytest.raises(LibraryError, match="several libraries are open as one"):
            joined.add(record("new.mp4"), [random_clip(1, embed_dim=DIM)])


def test_several_libraries_must_be_of_the_same_parts_and_only_read(halves, tmp_path):
    other = tmp_path / "other"
    Library.create(other, attrs.evolve(MANIFEST, sampling="fps:1")).close()
    with pytest.raises(LibraryMismatchError, match="sampling fps:1, not sampling uniform:20"):
        Library.open([halves / "a", other])
    with pytest.raises(ConfigError, match="cannot be written as one"):
        Library.open([halves / "a", halves / "b"], "w")
    with pytest.raises(ConfigError, match="named once"):
        Library.open([halves / "a", halves / "a"])
