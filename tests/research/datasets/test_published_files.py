"""Official counts on the published files, and what is said when a line of them is gone."""

from __future__ import annotations

import json
import shutil

import pytest

from hgrkit.research.datasets.catalogue import benchmark

pytestmark = pytest.mark.shared


@pytest.mark.parametrize(
    ("name", "folder", "queries", "videos"),
    [
        ("msr-vtt/full", "annotations", 59800, 2990),
        ("msr-vtt/1k-a", "annotations/msr-vtt", 1000, 1000),
        ("msr-vtt/1k-yu", "annotations", 1000, 1000),
        ("youcook2", "annotations", 3492, 3492),
        ("activitynet-captions/paragraph", "annotations", 4917, 4917),
        ("activitynet-captions", "annotations", 17505, 4917),
        ("charades-sta", "annotations/charades-sta", 3720, 1334),
        ("tvr", "annotations", 10895, 2179),
        ("flickr8k", "flickr8k", 5000, 1000),
        ("flickr8k", "", 5000, 1000),
    ],
)
def test_the_published_files_have_the_official_counts(shared, name, folder, queries, videos):
    read = benchmark(name, annotations=shared / "data" / folder)
    assert read.problems == ()
    assert (len(read.captions), len(read.videos)) == (queries, videos)
    assert {caption.video for caption in read.captions} == {video.name for video in read.videos}


def test_a_moment_lies_within_its_video(shared):
    for name in ("activitynet-captions", "tvr"):
        read = benchmark(name, annotations=shared / "data" / "annotations")
        duration_of = {video.name: video.duration_s for video in read.videos}
        outside = [
            caption.id
            for caption in read.captions
            if not 0 <= caption.start_s < caption.end_s <= duration_of[caption.video] + 1.5
        ]
        assert len(outside) < 10, outside[:5]


@pytest.fixture
def without_line(shared, tmp_path):
    """Copies a folder of annotations, leaving out one line of one file."""

    def copy(folder, file, line):
        target = tmp_path / "copy"
        shutil.copytree(
            shared / "data" / folder, target, ignore=shutil.ignore_patterns("*.zip"), copy_function=shutil.copyfile
        )
        target.chmod(0o755)
        lines = (target / file).read_text(encoding="utf-8").splitlines(keepends=True)
        del lines[line]
        (target / file).write_text("".join(lines), encoding="utf-8")
        return target

    return copy


@pytest.mark.parametrize(
    ("name", "folder", "file", "line", "said"),
    [
        ("charades-sta", "annotations/charades-sta", "charades_sta_test.txt", 7, "3,719 captions, expected 3,720"),
        ("tvr", "annotations/tvr", "tvr_val_release.jsonl", 0, "friends_s01e03_seg02_clip_19 has 4 instead of 5"),
        ("tvr", "annotations/tvr", "tvr_val_release.jsonl", 0, "desc_id that are missing: 90200"),
        ("flickr8k", "flickr8k", "Flickr_8k.testImages.txt", 3, "999 videos, expected 1,000"),
        ("msr-vtt/1k-a", "annotations/msr-vtt", "MSRVTT_JSFUSION_test.csv", 5, "MSRVTT_JSFUSION_test.csv: ret4"),
        (
            "msr-vtt/1k-a",
            "annotations/msr-vtt",
            "val_list_jsfusion.txt",
            0,
            "val_list_jsfusion.txt only: video7020",
        ),
        ("msr-vtt/full", "annotations/msr-vtt", "test_list_full.txt", 2, "videos that are missing: video7012"),
        ("youcook2", "annotations/youcook2", "val_list.txt", 0, "val_list.txt only: sdB8qBlLS2E"),
    ],
)
def test_a_deleted_line_is_reported(without_line, name, folder, file, line, said):
    read = benchmark(name, annotations=without_line(folder, file, line))
    assert any(said in problem for problem in read.problems), read.problems


def test_a_deleted_caption_of_msr_vtt_names_its_video(shared, tmp_path):
    source = shared / "data" / "annotations" / "msr-vtt" / "captions_official_test_2990.json"
    records = json.loads(source.read_text())
    del records[0]["caption"][3]
    (tmp_path / source.name).write_text(json.dumps(records))
    (problem,) = benchmark("msr-vtt/full", annotations=tmp_path).problems
    assert problem == "msr-vtt/full: 59,799 captions, expected 59,800; video7010 has 19 instead of 20"


def test_a_deleted_sentence_of_activitynet_is_counted_in_paragraphs_and_moments(shared, tmp_path):
    records = json.loads((shared / "data" / "annotations" / "activitynet-captions" / "val_1.json").read_text())
    del records["v_bXdq2zI1Ms0"]["sentences"][1]
    (tmp_path / "val_1.json").write_text(json.dumps(records))
    moments = benchmark("activitynet-captions", annotations=tmp_path).problems
    assert "17,504 captions, expected 17,505" in moments[0]
    assert "v_bXdq2zI1Ms0 has 2 sentences but 3 time stamps" in moments[1]
    paragraphs = benchmark("activitynet-captions/paragraph", annotations=tmp_path).problems
    assert "17,504 sentences, expected 17,505" in paragraphs[1]


def test_captions_of_the_test_split_alone_do_not_fill_miechs_split(shared):
    read = benchmark("msr-vtt/1k-miech", annotations=shared / "data" / "annotations")
    assert len(read.captions) == 896
    assert "104 videos have no caption" in read.problems[1]
