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
        (["/"], ["/abs/a.mp4"]),
    ],
)
def test_a_path_means_one_video_or_all_below_a_folder(paths, named):
    assert list(named_videos(paths, LISTED)) == named


@pytest.mark.parametrize("path", ["pet", "", ".", "./a.mp4", "pets/cat", "PETS"])
def test_a_path_that_names_nothing_is_an_error_that_names_it(path):
    with pytest.raises(MissingPathError, match=r"nothing was removed"):
        named_videos(["a.mp4", path], LISTED)


def test_the_error_names_what_looks_alike():
    with pytest.raises(MissingPathError, match=r"Did you mean 'pets/cat\.mp4'"):
        named_videos(["pets/cats.mp4"], LISTED)
    with pytest.raises(MissingPathError, match=r"'pets/dogs/rex\.mp4'"):
        named_videos(["/somewhere/else/entirely/rex.mp4"], LISTED)
