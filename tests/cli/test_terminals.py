"""Names and texts that a terminal would obey are shown escaped."""

from __future__ import annotations

import json

import pytest

from hgrkit.library.tables import VIDEOS
from tests.torture.forged_libraries import Forgery
from tests.torture.strangers import is_control

NAMES = {
    "\x1b]0;owned\x07": "\\x1b]0;owned\\x07",
    "\u202efdp": "\\u202efdp",
    "\x9b31m": "\\x9b31m",
    "\r\n": "\\r\\n",
    "\u2066\u200f\u061c": "\\u2066\\u200f\\u061c",
    "\u2028": "\\u2028",
}


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """A library whose videos have such names, tags and reasons."""
    forged = Forgery(tmp_path_factory.mktemp("terminals"))
    for row, name in zip(forged.rows["videos"], [*NAMES, *NAMES], strict=True):
        row[1] = f"/videos/{row[0]}{name}.mp4".encode()
        row[VIDEOS.columns.index("metadata")] = json.dumps({"title": name}, sort_keys=True)
    failed = [99, b"/videos/failed.mp4", *forged.rows["videos"][0][2:]]
    failed[5:9] = ["failed", "it holds \x1b[2J\u202e", None, 0]
    forged.rows["videos"].append(failed)
    forged.head("videos", 13)
    forged.head("next_video", 100)
    forged.seal()
    return forged.folder


@pytest.mark.parametrize(
    "words",
    [
        ("info", "--videos"),
        ("search", "a dog", "-k", "12", "--library"),
        ("search", "a dog", "-k", "12", "--json", "--library"),
        ("verify",),
        ("duplicates",),
        ("search", "a dog \x1b[2J\u202e", "--library"),
        ("search", "a dog", "--where", "title = '\x1b[2J\u202e", "--library"),
        ("remove", "--dry-run", "x\x1b[2J\u202e"),
        ("tag", "x\x1b[2J\u202e", "a=b"),
    ],
)
def test_nothing_is_printed_that_a_terminal_obeys(hgrkit, library, words):
    ran = hgrkit(*words, library) if words[0] != "tag" else hgrkit("tag", library, *words[1:])
    assert not {character for character in ran.out + ran.err if is_control(character)}


def test_what_is_escaped_can_still_be_told_apart(hgrkit, library):
    shown = hgrkit("info", library, "--videos").out
    for name, escaped in NAMES.items():
        assert name not in shown
        assert escaped in shown
    assert "it holds \\x1b[2J\\u202e" in shown


def test_json_has_the_names_as_they_are(hgrkit, library):
    found = {
        hit["video"] for hit in hgrkit("search", "a dog", "-k", 12, "--json", "--library", library).json["hits"]
    }
    assert any("\u202efdp" in video for video in found)


def test_errors_show_what_was_typed_escaped(hgrkit):
    assert hgrkit("search", "a dog", "--library", "no\x1b[2J\u202esuch").error.count("\\x1b[2J\\u202e") == 2
