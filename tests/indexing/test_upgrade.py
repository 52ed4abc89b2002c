"""A library that goes over to other parts: what is encoded, what is carried, what an interruption leaves."""

import os
import shutil

import attrs
import numpy as np
import pytest

from hgrkit.errors import LibraryError, LibraryMismatchError
from hgrkit.indexing.feature_cache import FeatureCache
from hgrkit.indexing.parts import drop_finished_upgrade, upgrade_library
from hgrkit.indexing.pipeline import index_videos
from hgrkit.indexing.walk import walk_videos
from hgrkit.levels import PerLevel
from hgrkit.library import Entry, Library, Manifest, VideoRecord
from hgrkit.video.sampling import FpsSampling, parse_sampling

OLD = Manifest(
    model="m",
    model_fingerprint="m@1",
    frame_encoder="mean",
    frame_encoder_fingerprint="mean@1",
    sampling="fps:2",
    clip_seconds=1.0,
    embed_dim=3,
)
NEW = attrs.evolve(OLD, model_fingerprint="m@2", embed_dim=2)


class MeanColour:
    feature_dim, fingerprint, frame_size = 3, "mean@1", (16, 16)

    def encode(self, frames):
        return frames.mean(axis=(1, 2), dtype=np.float32)


def embed_old(features):
    return PerLevel(event=features.mean(axis=0), action=features, entity=-features)


def embed_new(features):
    return PerLevel(event=features.mean(axis=0)[:2], action=features[:, :2], entity=features[:, 1:])


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "library"


@pytest.fixture
def videos(make_video, tmp_path):
    for number in range(4):
        make_video(f"v/{number}.mp4", seconds=1 + number, shade=40 * number)
    shutil.copy(tmp_path / "v/3.mp4", tmp_path / "v/copy.mp4")
    (tmp_path / "v/broken.mp4").write_text("no video")
    return tmp_path / "v"


@pytest.fixture
def library(folder, videos):
    """A library of all videos, its features cached."""
    cache = FeatureCache(folder, frame_encoder="mean@1", sampling="fps:2")
    with Library.create(folder, OLD) as library:
        report = index_videos(
            library,
            walk_videos([videos]).files,
            frame_encoder=MeanColour(),
            embed=embed_old,
            sampling=FpsSampling(2),
            clip_seconds=1.0,
            cache=cache,
        )
        assert (report.indexed, report.duplicates, report.failed) == (4, 1, 1)
        yield library


class Upgrade:
    """One way to upgrade, and what was asked of it."""

    def __init__(self, folder, wanted=NEW, embed=embed_new, encoder=None):
        self.folder, self.wanted, self.embed = folder, wanted, embed
        self.encoder = encoder or MeanColour()
        self.cache = FeatureCache(folder, frame_encoder=wanted.frame_encoder_fingerprint, sampling=wanted.sampling)
        self.asked = 0

    def index(self, target, files, *, contents=None, follow_moves=True):
        self.asked += 1
        return index_videos(
            target,
            files,
            frame_encoder=self.encoder,
            embed=self.embed,
            sampling=parse_sampling(self.wanted.sampling),
            clip_seconds=self.wanted.clip_seconds,
            cache=self.cache,
            contents=contents,
            follow_moves=follow_moves,
        )

    def run(self, library, **settings):
        return upgrade_library(library, self.folder, self.wanted, self.index, cache=self.cache, **settings)


def clips(library):
    """Every clip's vectors and times, by video."""
    snapshot = library.snapshot()
    found = {}
    for place, clip in zip(
        snapshot.clip_videos.tolist(), snapshot.clips(range(len(snapshot.clip_videos))), strict=True
    ):
        vectors = (clip.event.tolist(), clip.action.tolist(), clip.entity.tolist(), clip.times_s.tolist())
        found.setdefault(snapshot.videos[place].path, []).append((clip.start_s, clip.end_s, vectors))
    return found


def drop_cache(folder):
    shutil.rmtree(folder / "cache")


def assert_as_made_anew(library, tmp_path, videos, wanted=NEW):
    """The same videos, records and vectors as a library that was made with the new parts from the beginning."""
    upgrade = Upgrade(tmp_path / "anew", wanted=wanted)
    with Library.create(tmp_path / "anew", wanted) as anew:
        upgrade.index(anew, walk_videos([videos]).files)
        expected, found = clips(anew), clips(library)
        assert [video.path for video in library.videos()] == [video.path for video in anew.videos()]
        assert [video.content for video in library.videos()] == [video.content for video in anew.videos()]
    assert expected.keys() == found.keys()
    for path, windows in expected.items():
        assert [window[:2] for window in windows] == [window[:2] for window in found[path]]
        for window, other in zip(windows, found[path], strict=True):
            for one, two in zip(window[2], other[2], strict=True):
                np.testing.assert_allclose(one, two, rtol=2e-3, atol=1e-3)


def test_another_model_needs_no_decoding_where_features_are_cached(library, folder, videos, tmp_path):
    report = Upgrade(folder).run(library)
    assert (report.indexed + report.duplicates, report.decoded_frames, report.failures) == (5, 0, ())
    assert library.manifest == NEW
    assert_as_made_anew(library, tmp_path, videos)
    assert not (folder / "upgrade").exists()


def test_videos_are_not_even_needed_where_features_are_cached(library, folder, videos, tmp_path):
    before = [(video.path, video.content, video.size, video.mtime_ns) for video in library.videos()]
    videos.rename(tmp_path / "unmounted")
    report = Upgrade(folder).run(library)
    assert (report.indexed + report.duplicates, report.missing) == (5, ())
    assert [(video.path, video.content, video.size, video.mtime_ns) for video in library.videos()] == before


@pytest.mark.parametrize(
    "wanted",
    [
        attrs.evolve(NEW, sampling="fps:4"),
        attrs.evolve(NEW, frame_encoder_fingerprint="mean@2"),
    ],
    ids=["sampling", "encoder"],
)
def test_another_sampling_or_encoder_decodes(library, folder, videos, tmp_path, wanted):
    report = Upgrade(folder, wanted).run(library)
    assert report.decoded_frames > 0
    assert library.manifest == wanted
    assert_as_made_anew(library, tmp_path, videos, wanted)


def test_another_clip_length_needs_no_decoding(library, folder, videos, tmp_path):
    wanted = attrs.evolve(NEW, clip_seconds=2.0)
    assert Upgrade(folder, wanted).run(library).decoded_frames == 0
    assert_as_made_anew(library, tmp_path, videos, wanted)


def test_other_names_alone_encode_nothing(library, folder):
    wanted = attrs.evolve(OLD, model="renamed", frame_encoder="mean-colour")
    before, keys = clips(library), library.snapshot().clip_keys.tolist()
    upgrade = Upgrade(folder, wanted)
    report = upgrade.run(library)
    assert (upgrade.asked, report.indexed) == (0, 0)
    assert library.manifest == wanted
    assert (clips(library), library.snapshot().clip_keys.tolist()) == (before, keys)


def test_the_same_parts_change_nothing(library, folder):
    before = library.version
    assert Upgrade(folder, OLD).run(library).indexed == 0
    assert library.version == before


def test_failed_videos_and_what_the_user_noted_are_carried_over(library, folder, videos):
    for name in ("1.mp4", "broken.mp4"):
        record = library.video(str(videos / name))
        library.rename(record.path, attrs.evolve(record, metadata={"name": name}))
    Upgrade(folder).run(library)
    for name in ("1.mp4", "broken.mp4"):
        assert library.video(str(videos / name)).metadata == {"name": name}
    broken = library.video(str(videos / "broken.mp4"))
    assert (broken.state, bool(broken.reason)) == ("failed", True)


def test_the_library_answers_as_before_until_everything_is_encoded(library, folder):
    before, seen = clips(library), []

    def watching(features):
        with Library.open(folder) as reader:
            seen.append((reader.manifest, clips(reader)))
        return embed_new(features)

    with Library.open(folder) as reader:
        assert clips(reader) == before
        Upgrade(folder, embed=watching).run(library)
        assert len(seen) >= 4
        assert all(answer == (OLD, before) for answer in seen)
        with pytest.raises(LibraryMismatchError, match="embed_dim 2"):  # never compared with the wrong vectors
            reader.videos()
    with Library.open(folder) as reader:
        assert (reader.manifest, clips(reader)) == (NEW, clips(library))


class KilledError(BaseException):
    pass


def killed_after(count):
    calls = []

    def embed(features):
        calls.append(1)
        if len(calls) > count:
            raise KilledError
        return embed_new(features)

    return embed


def test_an_interrupted_upgrade_goes_on_where_it_was(library, folder, videos, tmp_path):
    drop_cache(folder)
    before = clips(library)
    with pytest.raises(KilledError):
        Upgrade(folder, embed=killed_after(4)).run(library)
    assert (library.manifest, clips(library)) == (OLD, before)
    drop_cache(folder)
    with Library.open(folder / "upgrade") as half:
        done = len(half.indexed_paths())
    assert 0 < done < 5
    report = Upgrade(folder).run(library)
    assert report.unchanged == done
    assert_as_made_anew(library, tmp_path, videos)


def test_an_upgrade_to_other_parts_does_not_go_on_with_a_half_made_one(library, folder, videos, tmp_path):
    with pytest.raises(KilledError):
        Upgrade(folder, embed=killed_after(4)).run(library)
    wanted = attrs.evolve(NEW, model_fingerprint="m@3")
    assert Upgrade(folder, wanted).run(library).unchanged == 0
    assert library.manifest == wanted
    assert_as_made_anew(library, tmp_path, videos, wanted)


@pytest.mark.parametrize("damage", ["emptied", "flipped", "without database", "a file"])
def test_a_half_made_upgrade_that_is_damaged_is_made_anew(library, folder, videos, tmp_path, damage):
    with pytest.raises(KilledError):
        Upgrade(folder, embed=killed_after(4)).run(library)
    beside = folder / "upgrade"
    if damage == "emptied":
        (beside / "library.sqlite").write_bytes(b"")
    elif damage == "flipped":
        for path in (beside / "arrays").iterdir():
            data = bytearray(path.read_bytes())
            data[-1] ^= 1
            path.write_bytes(data)
    else:
        (beside / "library.sqlite").unlink()
    if damage == "a file":
        shutil.rmtree(beside)
        beside.touch()
    assert Upgrade(folder).run(library).unchanged == 0
    assert_as_made_anew(library, tmp_path, videos)


def test_what_happened_to_the_library_since_an_interruption_is_carried_over(
    library, folder, videos, make_video, tmp_path
):
    with pytest.raises(KilledError):
        Upgrade(folder, embed=killed_after(6)).run(library)
    (videos / "0.mp4").unlink()
    (videos / "1.mp4").rename(videos / "moved.mp4")
    make_video("v/2.mp4", seconds=2, shade=222)
    make_video("v/new.mp4", seconds=2, shade=111)
    index_videos(
        library,
        walk_videos([videos]).files,
        frame_encoder=MeanColour(),
        embed=embed_old,
        sampling=FpsSampling(2),
        clip_seconds=1.0,
        roots=[str(videos)],
        prune=True,
    )
    record = library.video(str(videos / "3.mp4"))
    library.rename(record.path, attrs.evolve(record, metadata={"id": 3}))
    expected = {video.path: video.metadata for video in library.videos()}
    Upgrade(folder).run(library)
    assert {video.path: video.metadata for video in library.videos()} == expected
    assert_as_made_anew(library, tmp_path, videos)


def test_two_spellings_of_one_path_are_two_videos_that_are_both_carried(library, folder, videos, monkeypatch):
    monkeypatch.chdir(videos)
    record = library.video(str(videos / "2.mp4"))
    place = [video.path for video in library.videos()].index(record.path)
    rows = np.flatnonzero(library.snapshot().clip_videos == place).tolist()
    library.add(attrs.evolve(record, path="./2.mp4"), library.snapshot().clips(rows))
    with pytest.raises(KilledError):
        Upgrade(folder, embed=killed_after(9)).run(library)
    paths = library.indexed_paths()
    Upgrade(folder).run(library)
    assert library.indexed_paths() == paths


# videos that cannot be read again ------------------------------------------------------------------------------


def test_an_upgrade_that_would_lose_videos_is_refused(library, folder, videos):
    drop_cache(folder)
    before = clips(library)
    for number in range(4):
        (videos / f"{number}.mp4").unlink()
    (videos / "copy.mp4").unlink()
    with pytest.raises(LibraryError) as caught:
        Upgrade(folder).run(library)
    message = str(caught.value)
    assert "\n" not in message
    assert all(words in message for words in ("5 of its videos", "0.mp4", "and 2 more", "--prune"))
    assert (library.manifest, clips(library)) == (OLD, before)


def test_pruning_drops_the_videos_that_are_gone_and_keeps_what_was_encoded(library, folder, videos):
    drop_cache(folder)
    (videos / "2.mp4").unlink()
    with pytest.raises(LibraryError):
        Upgrade(folder).run(library)
    drop_cache(folder)
    report = Upgrade(folder).run(library, prune=True)
    assert (report.unchanged, report.indexed, report.decoded_frames, report.pruned) == (4, 0, 0, 1)
    assert report.missing == (str(videos / "2.mp4"),)
    assert str(videos / "2.mp4") not in library.indexed_paths()
    assert library.manifest == NEW


def test_pruning_never_drops_relative_paths_that_were_typed_elsewhere(library, folder, videos, monkeypatch):
    drop_cache(folder)
    for video in library.videos():
        library.rename(video.path, attrs.evolve(video, path=os.path.relpath(video.path, videos.parent)))
    monkeypatch.chdir("/")
    with pytest.raises(LibraryError, match="5 of its videos"):
        Upgrade(folder).run(library, prune=True)
    monkeypatch.chdir(videos.parent)
    (videos / "2.mp4").unlink()
    assert Upgrade(folder).run(library, prune=True).pruned == 1


def test_a_video_that_is_gone_is_carried_by_a_copy_of_its_bytes(library, folder, videos):
    drop_cache(folder)
    (videos / "3.mp4").unlink()
    assert Upgrade(folder).run(library).missing == ()
    assert str(videos / "3.mp4") in library.indexed_paths()


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="everyone may read everything here")
def test_pruning_never_drops_a_video_that_is_only_out_of_reach(library, folder, videos):
    drop_cache(folder)
    (videos / "2.mp4").chmod(0)
    with pytest.raises(LibraryError, match="1 of its videos"):
        Upgrade(folder).run(library, prune=True)


def test_pruning_never_drops_a_video_that_changes_while_it_is_read(library, folder, videos, monkeypatch):
    from hgrkit.indexing import source

    drop_cache(folder)
    monkeypatch.setattr(source, "_changed", lambda file: file.path.endswith("2.mp4"))
    with pytest.raises(LibraryError, match=r"1 of its videos.*2.mp4.*the file changed while it was read"):
        Upgrade(folder).run(library, prune=True)
    assert library.manifest == OLD


def test_a_changed_file_is_carried_as_it_was_where_features_are_cached(library, folder, videos, make_video):
    before = library.video(str(videos / "2.mp4"))
    make_video("v/2.mp4", seconds=1, shade=222)
    assert Upgrade(folder).run(library).decoded_frames == 0
    assert library.video(str(videos / "2.mp4")) == before


def test_a_changed_file_is_read_as_it_is_where_nothing_is_cached(library, folder, videos, make_video, tmp_path):
    drop_cache(folder)
    make_video("v/2.mp4", seconds=1, shade=222)
    Upgrade(folder).run(library)
    assert_as_made_anew(library, tmp_path, videos)


# what is left over ---------------------------------------------------------------------------------------------


def test_an_upgrade_that_was_finished_leaves_nothing_for_long(library, folder):
    Library.create(folder / "upgrade", NEW).close()
    drop_finished_upgrade(library, folder)
    assert (folder / "upgrade").is_dir()
    Library.create(folder / "again", OLD).close()
    shutil.rmtree(folder / "upgrade")
    (folder / "again").rename(folder / "upgrade")
    drop_finished_upgrade(library, folder)
    assert not (folder / "upgrade").exists()


def test_a_library_of_failed_videos_alone_is_upgraded(tmp_path):
    record = VideoRecord(path="a.mp4", content="sha256:0", size=1, mtime_ns=1, state="failed", reason="broken")
    with Library.create(tmp_path / "library", OLD) as library:
        library.add_all([Entry(record)])
        Upgrade(tmp_path / "library").run(library)
        assert (library.manifest, library.videos()) == (NEW, (record,))
