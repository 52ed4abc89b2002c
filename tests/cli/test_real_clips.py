"""The commands on real clips, with the default model."""

from __future__ import annotations

import json
import re
import shutil

import pytest

pytestmark = pytest.mark.shared


def test_retrieval_on_msvd_is_as_good_as_we_say(hgrkit, msvd, msvd_library, tmp_path):
    ranks = tmp_path / "ranks.jsonl"
    ran = hgrkit(
        *("evaluate", "--library", msvd_library, "--captions", msvd / "captions.json"),
        *("--ranks", ranks, "--json"),
    )
    measured = ran.json
    forward = measured["text_to_video"]
    assert forward["queries"] == 1634
    assert forward["R@1"] >= 29
    assert forward["R@5"] >= 58
    assert forward["R@10"] >= 73
    assert measured["video_to_text"]["queries"] == 98
    assert measured["Rsum"] == pytest.approx(
        sum(measured[way][f"R@{k}"] for way in ("text_to_video", "video_to_text") for k in (1, 5, 10))
    )
    lines = [json.loads(line) for line in ranks.read_text().splitlines()]
    assert len(lines) == 1634
    assert {"video", "caption", "rank"} <= set(lines[0])
    assert 100 * sum(line["rank"] == 1 for line in lines) / 1634 == pytest.approx(forward["R@1"])


@pytest.mark.parametrize("question", ["a man", "a dog", "cooking", "a panda", "a street without cars"])
def test_a_short_question_for_what_clips_show_matches(hgrkit, msvd_library, question):
    assert hgrkit("search", question, "--library", msvd_library, "--json").json["matched"]


@pytest.mark.parametrize("question", ["a submarine", "a printer", "a wedding cake"])
def test_a_short_question_for_what_no_clip_shows_does_not_match(hgrkit, msvd_library, question):
    assert not hgrkit("search", question, "--library", msvd_library, "--json").json["matched"]


def test_a_search_names_video_moment_and_phrases(hgrkit, msvd_library):
    result = hgrkit("search", "a woman is cutting an onion", "--library", msvd_library, "--k", 5, "--json").json
    assert set(result) == {"query", "graph", "like", "hits", "exact", "matched", "notes", "elapsed_ms"}
    assert [hit["rank"] for hit in result["hits"]] == [1, 2, 3, 4, 5]
    assert set(result["graph"]) == {"tokens", "nodes", "edges", "excluded"}
    hit = result["hits"][0]
    assert set(hit) == {
        *("rank", "video", "start_s", "end_s", "score", "likeness", "confidence", "levels", "phrases", "excluded")
    }
    assert set(hit["levels"]) == {"event", "action", "entity"}
    assert 0 <= hit["start_s"] < hit["end_s"]
    scores = [hit["score"] for hit in result["hits"]]
    assert scores == sorted(scores, reverse=True)
    assert {phrase["text"] for phrase in hit["phrases"]} == {"cutting", "a woman", "an onion"}
    for phrase in hit["phrases"]:
        assert set(phrase) == {"node_id", "text", "role", "level", "similarity", "times_s", "weights", "inside"}
        assert sum(phrase["weights"]) == pytest.approx(1, abs=1e-4)
        assert len(phrase["weights"]) == len(phrase["times_s"])


def test_a_search_is_readable_when_piped(hgrkit, msvd_library):
    ran = hgrkit("search", "a dog", "--library", msvd_library, "--k", 2)
    assert ran.status == 0
    assert "\x1b" not in ran.out
    assert "a dog" in ran.out


def test_a_page_and_a_picture_show_the_search_that_is_printed(hgrkit, msvd_library, tmp_path):
    page, picture = tmp_path / "why.html", tmp_path / "why.png"
    question = "a man is playing a guitar while a woman sings"
    ran = hgrkit(
        "search", question, "--library", msvd_library, "-k", 3, "--html", page, "--png", picture, "--json"
    )
    shown = re.findall(r'<data value="([^"]+)">', page.read_text("utf-8"))
    assert {repr(hit["score"]) for hit in ran.json["hits"]} <= set(shown)
    assert page.read_text("utf-8").count("<article") == 3
    assert "No pictures" not in page.read_text("utf-8")
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.fixture
def damaged(msvd, tmp_path):
    """A folder of one good clip and five files that are no videos."""
    folder = tmp_path / "videos"
    folder.mkdir()
    clips = sorted((msvd / "videos").glob("*.mp4"))
    shutil.copy(clips[0], folder / "good.MP4")
    data = clips[1].read_bytes()
    (folder / "truncated.mp4").write_bytes(data[: len(data) // 2])
    (folder / "text.mp4").write_text("no video at all\n" * 100)
    (folder / "empty.mp4").touch()
    (folder / "random.avi").write_bytes(bytes((i * 7919 + i // 251) % 256 for i in range(20_000)))
    (folder / "playlist.mp4").write_text(f"#EXTM3U\n#EXTINF:5,\n{clips[0]}\n#EXT-X-ENDLIST\n")
    return folder


def test_bad_files_fail_by_name_and_the_rest_is_indexed(hgrkit, damaged, tmp_path):
    library = tmp_path / "library"
    ran = hgrkit("index", damaged, "--library", library, "--json")
    assert ran.status == 0
    report = ran.json
    assert set(report) >= {"indexed", "unchanged", "failed", "failures", "decoded_frames"}
    assert (report["indexed"], report["unchanged"], report["failed"]) == (1, 0, 5)
    assert all(failure["reason"] for failure in report["failures"])
    again = hgrkit("index", damaged, "--library", library, "--json").json
    assert (again["indexed"], again["unchanged"], again["failed"]) == (0, 1, 5)
    assert again["decoded_frames"] == 0
    videos = hgrkit("info", "--library", library, "--videos", "--json").json["videos"]
    states = {video["path"].rsplit("/", 1)[-1]: video["state"] for video in videos}
    assert states.pop("good.MP4") == "indexed"
    assert set(states.values()) == {"failed"}
    assert set(videos[0]) == {"path", "state", "reason", "clips", "duration_s", "metadata"}


def test_a_mended_file_is_indexed(hgrkit, damaged, msvd, tmp_path):
    library = tmp_path / "library"
    hgrkit("index", damaged, "--library", library)
    shutil.copy(sorted((msvd / "videos").glob("*.mp4"))[1], damaged / "truncated.mp4")
    ran = hgrkit("index", damaged, "--library", library)
    assert ran.out.splitlines()[-1] == "indexed 1, unchanged 1, failed 4"


def test_the_originals_index_as_well(hgrkit, msvd, tmp_path):
    report = hgrkit("index", msvd / "originals", "--library", tmp_path / "library", "--json").json
    assert (report["indexed"], report["failed"]) == (7, 0)
