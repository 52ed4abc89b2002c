import pytest

from hgrkit.clips import clip_name
from hgrkit.levels import PerLevel
from hgrkit.results import Hit


def name_of(video, *, rank=1, start_s=12.0, end_s=15.5):
    levels = PerLevel(event=0.0, action=0.0, entity=0.0)
    return clip_name(
        Hit(rank=rank, video=video, start_s=start_s, end_s=end_s, score=0.0, levels=levels, phrases=())
    )


def test_a_name_tells_rank_video_and_moment():
    assert name_of("videos/dog_park.mp4") == "01 dog_park 12.0-15.5s"
    assert name_of("dog.park.mp4", rank=12, start_s=0.04, end_s=3725.26) == "12 dog.park 0.0-3725.3s"


@pytest.mark.parametrize(
    ("video", "safe"),
    [
        ('a<b>:"c|d?*.mp4', "a_b___c_d__"),
        ("back\\slash.mp4", "back_slash"),
        ("new\nline\x1b[31m.mp4", "new_line_[31m"),
        ("left\u202eright.mp4", "left_right"),
        ("torn\udcff.mp4", "torn_"),
        ("dog 😀 né.mp4", "dog 😀 né"),
        (" . .mp4", "video"),
        ("-rf ~ $HOME.mp4", "-rf ~ $HOME"),
        ("x" * 300 + ".mp4", "x" * 120),
        ("é" * 99 + ".mp4", "é" * 60),
    ],
)
def test_a_name_is_safe_on_any_system(video, safe, tmp_path):
    name = name_of(video)
    assert name == f"01 {safe} 12.0-15.5s"
    (tmp_path / name).touch()
    assert [path.name for path in tmp_path.iterdir()] == [name]
