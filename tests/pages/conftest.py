from __future__ import annotations

import pytest

from hgrkit.pages.explanation import explain_result
from tests.pages.sample import NAME, result_over, write_video


@pytest.fixture(scope="session")
def video(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("videos") / NAME, 4)


@pytest.fixture(scope="session")
def explanation(video):
    """One hit with pictures, one whose video is gone."""
    return explain_result(result_over(video, video.with_name("gone.mp4")))
