"""`hgrkit index` over folders that change, and libraries that go over to other parts."""

from __future__ import annotations

import shutil

import pytest

from tests.test_retriever import write_video


@pytest.fixture
def videos(tmp_path):
    folder = tmp_path / "videos"
    folder.mkdir()
    for number in range(3):
        write_video(folder / f"{number}.mp4", 1, (70 * number, 200 - 70 * number, 30))
    return folder


@pytest.fixture
def index(hgrkit, tmp_path):
    """`hgrkit index` into one library."""
    return lambda *arguments: hgrkit("index", *arguments, "--library", tmp_path / "library")


def test_only_what_happened_is_counted(index, videos):
    assert index(videos).out == "indexed 3, unchanged 0, failed 0\n"
    (videos / "0.mp4").rename(videos / "moved.mp4")
    shutil.copy(videos / "1.mp4", videos / "copied.mp4")
    (videos / "2.mp4").unlink()
    ran = index(videos)
    assert ran.out == "indexed 0, unchanged 1, failed 0, moved 1, duplicates 1, missing 1\n"
    assert ran.err == f"missing {videos / '2.mp4'}\n"
    ran = index(videos, "--prune")
    assert ran.out == "indexed 0, unchanged 3, failed 0, pruned 1\n"
    assert ran.err == f"pruned {videos / '2.mp4'}\n"
    assert index(videos).out == "indexed 0, unchanged 3, failed 0\n"


def test_json_tells_the_same(index, videos):
    assert index(videos, "--json").json["indexed"] == 3
    (videos / "0.mp4").rename(videos / "moved.mp4")
    (videos / "2.mp4").unlink()
    report = index(videos, "--prune", "--json").json
    assert {
        name: report[name] for name in ("indexed", "unchanged", "moved", "duplicates", "failed", "pruned")
    } == {
        "indexed": 0,
        "unchanged": 1,
        "moved": 1,
        "duplicates": 0,
        "failed": 0,
        "pruned": 1,
    }
    assert (report["missing"], report["emptied"]) == ([str(videos / "2.mp4")], [])


def test_a_folder_that_lost_all_its_videos_is_pointed_out(index, videos):
    index(videos)
    for path in videos.iterdir():
        path.unlink()
    ran = index(videos)
    assert ran.out == "indexed 0, unchanged 0, failed 0, missing 3\n"
    assert "is a drive not mounted? --prune removes them" in ran.err.splitlines()[-1]
    ran = index(videos, "--prune")
    assert ran.out == "indexed 0, unchanged 0, failed 0, pruned 3\n"
    assert "they were removed" in ran.err.splitlines()[-1]


def test_an_upgrade_goes_before_the_run(index, videos):
    index(videos)
    assert "--upgrade" in index(videos, "--clip-seconds", "0.5").error
    ran = index(videos, "--clip-seconds", "0.5", "--upgrade")
    assert ran.out == "upgraded: indexed 3, unchanged 0, failed 0\nindexed 0, unchanged 3, failed 0\n"
    report = index("--upgrade", "--clip-seconds", "0.25", "--json").json
    assert report.keys() == {"upgrade"}
    assert (report["upgrade"]["indexed"], report["upgrade"]["decoded_frames"]) == (3, 0)


def test_an_upgrade_without_the_videos_is_refused_in_one_line(index, videos):
    index(videos, "--no-feature-cache")
    (videos / "1.mp4").unlink()
    error = index("--upgrade", "--clip-seconds", "0.5").error
    assert all(words in error for words in ("1 of its videos", "1.mp4", "--prune"))
    assert index(videos).out.startswith("indexed 0, unchanged 2, failed 0")
    ran = index(videos, "--upgrade", "--clip-seconds", "0.5", "--prune", "--json")
    assert (ran.json["upgrade"]["pruned"], ran.json["unchanged"]) == (1, 2)


def test_a_new_library_needs_no_upgrade(index, videos):
    assert index(videos, "--upgrade").out == "indexed 3, unchanged 0, failed 0\n"


def test_there_has_to_be_something_to_index_or_to_upgrade(index, tmp_path):
    assert "there is nothing to index" in index().error
    assert "there is no library" in index("--upgrade").error
    assert not (tmp_path / "library").exists()


@pytest.fixture
def broken(tmp_path):
    folder = tmp_path / "broken"
    folder.mkdir()
    for number in range(25):
        (folder / f"{number:02}.mp4").write_text("no video")
    return folder


def test_the_status_is_2_when_every_file_failed_and_0_when_one_did_not(index, videos, broken):
    for _ in range(2):  # the second time they are remembered
        ran = index(broken)
        assert (ran.status, ran.out) == (2, "indexed 0, unchanged 0, failed 25\n")
    ran = index(broken, "--json")
    assert (ran.status, ran.json["failed"]) == (2, 25)
    assert ran.err == "hgrkit: no video could be indexed; the JSON object has the reasons.\n"
    assert index(broken, videos).status == 0
    ran = index(broken, videos, "--json")
    assert (ran.status, ran.json["unchanged"], ran.err) == (0, 3, "")
    assert index(videos).status == 0


def test_nothing_to_index_is_no_failure(index, tmp_path):
    (tmp_path / "empty").mkdir()
    assert index(tmp_path / "empty").status == 0


def test_of_many_failures_twenty_are_named_and_it_is_said_where_the_rest_is(index, broken, hgrkit, tmp_path):
    lines = index(broken).err.splitlines()
    assert len(lines) == 21
    assert lines[0].startswith(f"failed {broken / '00.mp4'}: ")
    library = tmp_path / "library"
    assert lines[-1] == f"... and 5 more failed: hgrkit info {library} --failed"
    listed = hgrkit("info", library, "--failed").out.splitlines()
    assert sum(line.startswith("failed   ") and ".mp4" in line for line in listed) == 25
    assert len(hgrkit("info", library, "--failed", "--json").json["videos"]) == 25
    for path in broken.iterdir():
        path.unlink()
    for option, word in (((), "missing"), (("--prune",), "pruned")):
        lines = index(broken, *option).err.splitlines()
        assert [line.split()[0] for line in lines[:20]] == [word] * 20
        assert lines[20] == f"... and 5 more {word}: --json names them all"


def test_info_lists_what_was_asked_for_a_video_a_line(index, videos, broken, hgrkit, tmp_path):
    index(videos, broken)
    library = tmp_path / "library"
    everything = hgrkit("info", library, "--videos").out
    assert everything == hgrkit("info", "--library", library, "--videos").out
    lines = [line for line in everything.splitlines() if ".mp4" in line]
    assert [line.split()[0] for line in lines] == ["failed"] * 25 + ["indexed"] * 3
    assert hgrkit("info", library, "--json").json.keys().isdisjoint({"videos"})
