"""The demonstration: makes footage, indexes it, asks its questions; the command line shows what comes back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path, PurePath

import attrs

from hgrkit.demo.footage import make_footage
from hgrkit.errors import DecodeError
from hgrkit.indexing.report import IndexProgress, IndexReport
from hgrkit.model.registry import model_folder
from hgrkit.results import SearchResult
from hgrkit.retriever import Retriever

__all__ = ["QUESTIONS", "Answer", "Demonstration", "demonstrate"]


@attrs.frozen
class Question:
    """A sentence, and the name of the one video that shows it.

    Attributes:
        text: what is asked.
        video: file name of the right answer, as `make_footage` writes it.
    """

    text: str
    video: str


QUESTIONS: tuple[Question, ...] = (
    Question("a big rabbit stretches its arms on the green grass", "bigbuckbunny.mp4"),
    Question("a man in a suit and a red bow tie is talking in a car", "carphone_pristine.mp4"),
    Question("a bicycle is leaning against a fence beside a city street", "bikes.mp4"),
    Question("a smiling woman is wearing an orange space suit", "astronaut.mp4"),
    Question("a man looks through a camera on a tripod", "camera.mp4"),
    Question("a cat with green eyes is looking at something", "chelsea.mp4"),
    Question("a cup of coffee stands on a wooden table", "coffee.mp4"),
    Question("a red motorcycle is parked in a garage", "motorcycle_left.mp4"),
    Question("a rocket stands on a launch pad in the evening", "rocket.mp4"),
    Question("an orange flower blooms in front of green leaves", "flower.mp4"),
)


@attrs.frozen(kw_only=True)
class Answer:
    """What one question brought.

    Attributes:
        result: the hits.
        right_video: name of the one video that shows what was asked.
    """

    result: SearchResult
    right_video: str

    @property
    def right(self) -> bool:
        """Whether the right video came first."""
        return bool(self.result.hits) and PurePath(self.result.hits[0].video).name == self.right_video


@attrs.frozen(kw_only=True)
class Demonstration:
    """What the demonstration did.

    Attributes:
        report: of indexing the footage.
        answers: one a question.
    """

    report: IndexReport
    answers: tuple[Answer, ...]

    @property
    def num_right(self) -> int:
        """Questions whose first hit is the right video."""
        return sum(answer.right for answer in self.answers)


def demonstrate(
    folder: Path, *, k: int = 3, on_progress: Callable[[IndexProgress], object] | None = None
) -> Demonstration:
    """Index real footage and photographs that installed packages carry, and ask about them.

    Args:
        folder: where the footage (`videos/`) and the library (`library/`) go.
        k: hits a question.
        on_progress: called after each video.

    Raises:
        MissingPackageError: if a package of the extra `demo` is not installed.
        LibraryExistsError: if the folder holds a demonstration already.
        ModelNotFoundError: if the default model is not installed.
        DecodeError: if a video of it cannot be indexed.
    """
    model_folder("default")  # before anything is made: without a model nothing can be indexed
    videos = make_footage(folder / "videos")
    with Retriever.create(folder / "library") as retriever:
        report = retriever.index(*videos, on_progress=on_progress)
        if report.failures:
            first = report.failures[0]
            raise DecodeError(
                f"{report.failed} of the demo's {len(videos)} videos cannot be indexed; look at the installation "
                f"with `pip check`. The first is {PurePath(first.path).name}: {first.reason}"
            )
        answers = tuple(
            Answer(result=retriever.search(question.text, k=k), right_video=question.video)
            for question in QUESTIONS
        )
    return Demonstration(report=report, answers=answers)
