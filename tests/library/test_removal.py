"""Which videos a path means."""

from __future__ import annotations

import pytest

from hgrkit.errors import MissingPathError
from hgrkit.library.removal import named_videos

LISTED = (
    "/abs/a.mp4",
    "a.mp4",
    "a.mp4/inner.mp4",
    "pets/cat.mp4",
    "pets/dogs/rex.mp4",
    "petshop.mp4",
    "x\udcff/y.mp4",
)


@pytest.mark.parametrize(
    ("paths", "named"),
    [
        (["a.mp4"], ["a.mp4"]),
        (["pets"], ["pets/cat.mp4", "pets/dogs/rex.mp4"]),
        (["pets/"], ["pets/cat.mp4", "pets/dogs/rex.mp4"]),
        (["pets/dogs", "petshop.mp4", "pets"], ["pets/cat.mp4", "pets/dogs/rex.mp4", "petshop.mp4"]),
        (["x\udcff"], ["x\udcff/y.mp4"]),
        (["/abs"], ["/abs/a.mp4"]),
        (["./a.mp4", "pets//cat.mp4", "pets/../petshop.mp4"], ["a.mp4", "pets/cat.mp4", "petshop.mp4"]),
        (["./pets/dogs/"], ["pets/dogs/rex.mp4"]),
        (["."], [path for path in LISTED if path != "/abs/a.mp4"]),
        (["/"], list(LISTED)),
    ],
)
def test_a_path_means_one_video_or_all_below_a_folder(paths, named):
    assert list(named_videos(paths, LISTED)) == named


@pytest.mark.parametrize("path", ["pet", "", "..x", "./b.mp4", "pets/cat", "PETS"])
def test_a_path_that_names_nothing_is_an_error_that_names_it(path):
    with pytest.raises(MissingPathError, match=r"nothing was changed"):
        named_videos(["a.mp4", path], LISTED)


def test_videos_that_are_listed_absolute_are_named_from_the_current_folder(tmp_path, monkeypatch):
    listed = [f"{tmp_path}/pets/cat.mp4", f"{tmp_path}/petshop.mp4", "/elsewhere/pets/cat.mp4"]
    monkeypatch.chdir(tmp_path)
    for path in (
        "pets/cat.mp4",
        "./pets/cat.mp4",
        "pets",
        "pets/",
        f"{tmp_path}/pets",
        f"../{tmp_path.name}/pets",
    ):
        assert named_videos([path], listed) == (listed[0],)
    monkeypatch.chdir("/")
    with pytest.raises(MissingPathError, match="nothing was changed"):
        named_videos(["pets/cat.mp4"], listed)


def test_the_error_names_what_looks_alike():
    with pytest.raises(MissingPathError, match=r"Did you mean 'pets/cat\.mp4'"):
        named_videos(["pets/cats.mp4"], LISTED)
    with pytest.raises(MissingPathError, match=r"'pets/dogs/rex\.mp4'"):
        named_videos(["/somewhere/else/entirely/rex.mp4"], LISTED)
