import av
import numpy as np
import pytest


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
