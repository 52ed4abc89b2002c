"""Questions about the demonstration's footage, each with the video that answers it; what `hgrkit demo` asks."""

from __future__ import annotations

import attrs

__all__ = ["QUESTIONS", "Question"]


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
