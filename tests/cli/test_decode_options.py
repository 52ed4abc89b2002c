import pytest

from hgrkit.video.limits import DecodeLimits


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--decode-memory-gb", "0.01"], "at least 0.25 GB, got 0.01 GB"),
        (["--decode-memory-gb", "nan"], "must be a number of gigabytes"),
        (["--decode-memory-gb", "inf"], "must be a number of gigabytes"),
        (["--decode-memory-gb", "-inf"], "must be a number of gigabytes"),
        (["--decode-seconds", "0"], "above 0"),
        (["--decode-seconds", "nan"], "above 0"),
    ],
)
def test_a_limit_that_makes_no_sense_gets_one_line_and_makes_no_library(hgrkit, tmp_path, options, words):
    assert words in hgrkit("index", tmp_path, "--library", tmp_path / "library", *options).error
    assert not (tmp_path / "library").exists()


def test_no_workers_are_refused(hgrkit, tmp_path):
    assert hgrkit("index", tmp_path, "--library", tmp_path / "library", "--workers", "0").status == 2


def test_the_options_reach_the_decoders(hgrkit, tmp_path, monkeypatch):
    from hgrkit.retriever import Retriever

    given = {}

    def upgrade(*arguments, **settings):
        given.update(settings)
        raise SystemExit(0)

    monkeypatch.setattr(Retriever, "upgrade", upgrade)
    options = ["--workers", "3", "--decode-seconds", "7", "--decode-memory-gb", "0.5"]
    hgrkit("index", "--upgrade", "--library", tmp_path / "library", *options)
    assert given["limits"] == DecodeLimits(seconds=7, memory_bytes=1 << 29)
    assert given["num_workers"] == 3
