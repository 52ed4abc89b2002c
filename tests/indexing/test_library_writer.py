"""When videos that have ended are committed: at once, or several together where commits take long."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from hgrkit.indexing import library_writer
from hgrkit.indexing.known_videos import KnownVideos
from hgrkit.indexing.source import VideoEnd
from hgrkit.indexing.walk import VideoFile
from hgrkit.levels import PerLevel


@pytest.mark.parametrize(
    ("commit_s", "every_s", "together"),
    [
        (0, 1 / 16, 1),  # nothing is gained by waiting
        (1 / 64, 1 / 16, 6),  # 20/64 s after the first
        (1 / 4, 1 / 8, 9),  # never longer than 1 s, though commits then take a fifth of the time
        (1 / 4, 1 / 1024, 64),  # never more than 64
    ],
)
def test_videos_wait_for_a_commit_twenty_times_as_long_as_one_takes_but_never_long(
    memory_store, monkeypatch, commit_s, every_s, together
):
    clock = SimpleNamespace(now_s=100.0)
    monkeypatch.setattr(library_writer, "time", SimpleNamespace(monotonic=lambda: clock.now_s, time_ns=lambda: 0))
    memory = memory_store()
    update = memory.update

    def slow(**changes):
        clock.now_s += commit_s
        update(**changes)

    monkeypatch.setattr(memory, "update", slow)
    known = KnownVideos([])
    videos = library_writer.LibraryWriter(
        library=memory,
        known=known,
        carry_over=library_writer.CarryOver(memory, memory.snapshot(), known),
        on_done=lambda end: None,
        embed=lambda features: PerLevel(event=features[0], action=features, entity=features),
        clip_seconds=None,
        max_frames=None,
    )
    for number in range(200):
        file = VideoFile(path=f"/v/{number}.mp4", size=1, mtime_ns=1)
        videos.add_features(file, np.array([0.5]), np.ones((1, 3), np.float32))
        videos.ended.append(VideoEnd(file=file, outcome="indexed", content=str(number), duration_s=1.0))
        videos.store_ended()
        if videos.is_due:
            videos.commit()
        clock.now_s += every_s
    first, *others = [len(commit["put"]) for commit in memory.commits]
    assert first == 1  # how long a commit takes is not known yet
    assert set(others) == {together}
