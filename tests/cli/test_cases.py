"""The scripts of the shared cases that use the command line, each with what is right."""

import re

import pytest

from hgrkit import Retriever


@pytest.fixture(scope="session")
def clip(shared):
    return min((shared / "data" / "msvd" / "videos").glob("*.mp4"))


def test_the_same_folder_from_two_working_folders_is_one_video(run_case, clip):
    first, second, *shown = run_case("two_working_folders.sh", clip).splitlines()
    assert (first, second) == ("indexed 1, unchanged 0, failed 0", "indexed 0, unchanged 1, failed 0")
    assert re.fullmatch(r"indexed +/.*/home/v/a\.mp4  \S+", shown[-1])


def test_a_closed_folder_ends_nothing(run_case, clip):
    printed = run_case("one_closed_folder.sh", clip)
    assert printed.count("indexed 1, unchanged 0, failed 0, unreadable 1") == 2
    assert printed.count("exit status 0") == 2
    assert f"v/holiday/{clip.name}" in printed


def test_a_narrow_output_ends_nothing(run_case, clip):
    statuses = re.findall(
        r"^(?:index|search|info|json|parse) .*rc (\d+)$", run_case("narrow_stdout.sh", clip), re.MULTILINE
    )
    assert len(statuses) == 10
    assert set(statuses) == {"0"}


def test_what_of_a_long_question_is_not_compared_is_said(run_case, clip, tmp_path):
    with Retriever.create(tmp_path / "lib") as retriever:
        retriever.index(clip)
    read, compared = map(int, re.findall(r"\d+", run_case("query_beyond_limit.py", tmp_path / "lib"))[:2])
    assert compared < read
    with Retriever.open(tmp_path / "lib") as retriever:
        question = "a dog runs on the grass beside a long wooden fence and " * 12 + "a man plays the guitar"
        (note,) = retriever.search(question, k=1).notes
    assert "'the guitar'" in note
