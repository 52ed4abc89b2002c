from __future__ import annotations

import json

import pytest

CAPTIONS = {
    "park.mp4": ["A man is riding a horse in the park.", "Someone rides a horse."],
    "stage.mp4": ["Two women are playing guitars on a stage."],
}


@pytest.fixture
def captions(tmp_path):
    path = tmp_path / "captions.json"
    path.write_text(json.dumps(CAPTIONS))
    return path


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_foils_are_written_and_counted(hgrkit, captions, tmp_path):
    out = tmp_path / "foils.jsonl"
    counts = hgrkit("foils", captions, "--out", out, "--seed", 0, "--json").json
    assert sum(counts["foils"].values()) == len(lines(out)) > 6
    assert counts["captions"] == 3
    assert set(counts["without"]) == set(counts["foils"])
    for line in lines(out):
        assert list(line)[:4] == ["video", "caption", "foil", "type"]
        assert line["caption"] in CAPTIONS[line["video"]]
        assert line["foil"] != line["caption"]


def test_the_same_seed_writes_the_same_file(hgrkit, captions, tmp_path):
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        assert hgrkit("foils", captions, "--out", tmp_path / name, "--seed", seed).status == 0
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert (tmp_path / "a").read_bytes() != (tmp_path / "c").read_bytes()


def test_only_the_types_asked_for_are_made(hgrkit, captions, tmp_path):
    out = tmp_path / "foils.jsonl"
    ran = hgrkit("foils", captions, "--out", out, "--types", "switch_roles, replace_scene", "--per-caption", 2)
    assert "captions without" in ran.out
    assert {line["type"] for line in lines(out)} == {"switch_roles", "replace_scene"}


def test_an_unknown_type_is_one_line(hgrkit, captions, tmp_path):
    ran = hgrkit("foils", captions, "--out", tmp_path / "foils.jsonl", "--types", "colours")
    assert "types must be some of switch_roles" in ran.error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--foils", "f.jsonl"], "--foils needs --library"),
        (
            ["--foils", "f.jsonl", "--library", "lib", "--captions", "c.json"],
            "--foils cannot be combined with --captions",
        ),
        (
            ["--foils", "f.jsonl", "--library", "lib", "--ranks", "r.jsonl"],
            "cannot be combined with --ranks",
        ),
        (["--foils", "none.jsonl", "--library", "lib"], "no file 'none.jsonl'"),
    ],
)
def test_options_that_do_not_fit_foils_are_refused(hgrkit, arguments, message):
    assert message in hgrkit("evaluate", *arguments).error


@pytest.mark.shared
def test_choices_on_msvd_are_as_good_as_we_say(hgrkit, msvd, msvd_library, tmp_path):
    captions = json.loads((msvd / "captions.json").read_text())
    few = tmp_path / "few.json"
    few.write_text(json.dumps({name: texts[:2] for name, texts in captions.items()}))
    foils = tmp_path / "foils.jsonl"
    counts = hgrkit("foils", few, "--out", foils, "--seed", 0, "--json").json["foils"]
    measured = hgrkit("evaluate", "--library", msvd_library, "--foils", foils, "--json").json
    assert {name: row["n"] for name, row in measured["types"].items()} == {
        name: number for name, number in counts.items() if number
    }
    for table in (measured, measured["event_only"]):
        assert set(table["types"]) == set(counts)
        assert table["mean"] == pytest.approx(sum(row["accuracy"] for row in table["types"].values()) / 5)
        for row in table["types"].values():
            assert 0 <= row["interval"][0] <= row["accuracy"] <= row["interval"][1] <= 100
    assert measured["mean"] > 70
    assert measured["types"]["replace_scene"]["accuracy"] > 80


@pytest.mark.shared
def test_a_video_that_the_library_lacks_is_named_or_left_out(hgrkit, msvd_library, tmp_path):
    name = "04Gt01vatkk_248_265.mp4"
    rows = [{"video": video, "caption": "a dog", "foil": "a cat", "type": "t"} for video in (name, "lost.mp4")]
    foils = tmp_path / "foils.jsonl"
    foils.write_text("\n".join(map(json.dumps, rows)))
    command = ("evaluate", "--library", msvd_library, "--foils", foils)
    assert "'lost.mp4'" in hgrkit(*command).error
    assert hgrkit(*command, "--allow-missing", "--json").json["missing"] == 1
    assert "event only" in hgrkit(*command, "--allow-missing").out
