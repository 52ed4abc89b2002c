"""The demonstration ends when it cannot index, and says so: one that answers nothing shows nothing."""

from __future__ import annotations

import pytest

from hgrkit.demo import demonstrate
from hgrkit.errors import DecodeError, ModelNotFoundError
from tests.test_retriever import write_video


@pytest.mark.parametrize(("whole", "broken"), [(0, 3), (2, 1)])
def test_videos_that_cannot_be_indexed_end_the_demonstration(tmp_path, monkeypatch, whole, broken):
    def footage(folder):
        folder.mkdir()
        good = [folder / f"good{number}.mp4" for number in range(whole)]
        bad = [folder / f"bad{number}.mp4" for number in range(broken)]
        for number, path in enumerate(good):
            write_video(path, 1, (90 * number, 30, 30))
        for path in bad:
            path.write_text("no video")
        return [*good, *bad]

    monkeypatch.setattr("hgrkit.demo.make_footage", footage)
    words = rf"^{broken} of the demo's 3 videos cannot be indexed; .*pip check.* The first is bad0\.mp4: not a "
    with pytest.raises(DecodeError, match=words) as raised:
        demonstrate(tmp_path)
    assert "\n" not in str(raised.value)


def test_without_a_model_no_footage_is_made(tmp_path, monkeypatch):
    monkeypatch.setattr("hgrkit.plugins.metadata.entry_points", lambda group: [])
    with pytest.raises(ModelNotFoundError, match="hgrkit-model-mini"):
        demonstrate(tmp_path)
    assert not list(tmp_path.iterdir())
