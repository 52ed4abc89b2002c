"""What a foil is: a caption of a video, a sentence that is wrong beside it, and what was changed."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, get_args

import attrs

from hgrkit.storage.atomic_file import writing

__all__ = ["FOIL_TYPES", "Draft", "Foil", "FoilType", "write_foils"]

FoilType = Literal["switch_roles", "replace_action", "replace_person", "replace_scene", "incomplete_event"]
FOIL_TYPES: tuple[FoilType, ...] = get_args(FoilType)


@attrs.frozen(kw_only=True)
class Draft:
    """A foil before it has its video and its type.

    Attributes:
        text: the changed sentence.
        was: the words of the caption that were changed.
        now: what stands for them; empty if they were left out.
    """

    text: str
    was: str
    now: str


@attrs.frozen(kw_only=True)
class Foil:
    """One choice between two sentences.

    Attributes:
        video: the video's name, as the captions have it.
        caption: the true sentence.
        foil: the wrong one.
        type: what was changed.
        was: the words of the caption that were changed.
        now: what stands for them in the foil; empty if they were left out.
    """

    video: str
    caption: str
    foil: str
    type: FoilType
    was: str
    now: str

    def to_json(self) -> str:
        """One line of a foil file."""
        return json.dumps(attrs.asdict(self), ensure_ascii=False)


def write_foils(foils: Iterable[Foil], path: Path) -> None:
    """Write one JSON line a foil."""
    with writing(path), path.open("w", encoding="utf-8") as file:
        for foil in foils:
            file.write(foil.to_json() + "\n")
