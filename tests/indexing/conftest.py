import av
import numpy as np
import pytest

from hgrkit.library.records import path_bytes
from hgrkit.library.store import Entry


@pytest.fixture
def make_video(tmp_path):
    """Writes a small video; `shade` makes its bytes differ from another's."""

    def make(name, *, seconds=2, shade=100, folder=tmp_path):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with av.open(str(path), "w", format="mp4") as container:
            stream = container.add_stream("libx264", rate=10)
            stream.width = stream.height = 64
            stream.pix_fmt = "yuv420p"
            for number in range(seconds * 10):
                picture = np.full((64, 64, 3), shade, np.uint8)
                picture[:, number % 64] = 255
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
            container.mux(stream.encode(None))
        return path

    return make


class MemoryStore:
    """A store in memory, with the calls that indexing makes of a library, and a list of its commits."""

    def __init__(self):
        self.entries, self.commits = {}, []

    def snapshot(self):
        return MemorySnapshot([self.entries[path] for path in sorted(self.entries, key=path_bytes)])

    def videos(self):
        return self.snapshot().videos

    def add(self, record, clips=()):
        self.update(put=[Entry(record, clips)])

    def update(self, *, put=(), remove=(), rename=()):
        self.commits.append({"put": put, "remove": remove, "rename": rename})
        for path in remove:
            self.entries.pop(path, None)
        for change in rename:
            clips = self.entries.pop(change.path).clips
            self.entries[change.record.path] = Entry(change.record, clips)
        for entry in put:
            self.entries[entry.record.path] = entry


class MemorySnapshot:
    def __init__(self, entries):
        self.videos = tuple(entry.record for entry in entries)
        self.clip_videos = np.array([place for place, entry in enumerate(entries) for _ in entry.clips], np.int64)
        self._clips = [clip for entry in entries for clip in entry.clips]

    def clips(self, rows):
        return [self._clips[row] for row in rows]


@pytest.fixture
def memory_store():
    """Makes an empty store in memory."""
    return MemoryStore
