"""Flickr8k: photographs with five captions each; a photograph is a video of one frame."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from hgrkit.errors import BenchmarkError
from hgrkit.research.datasets.annotation_folder import AnnotationFolder, read_lines, read_names
from hgrkit.research.datasets.benchmark import BenchmarkCaption, BenchmarkVideo
from hgrkit.research.datasets.recipe import Annotations, Recipe, listed

__all__ = ["RECIPES", "Split", "read_flickr8k_captions"]

Split = Literal["train", "dev", "test"]

_CAPTIONS, _TEST = "Flickr8k.token.txt", "Flickr_8k.testImages.txt"
_FOLDERS = frozenset(("flickr8k", "flickr8ktext"))
_NUMBERS = range(5)


def read_flickr8k_captions(folder: Path, split: Split) -> dict[str, list[str]]:
    """The captions of a split's photographs, by file name, in the order of the official list.

    Args:
        folder: where `Flickr8k.token.txt` and the lists lie, or its parent.
        split: which list.

    Raises:
        MissingPathError: if a file is missing.
        BenchmarkError: if a line of the captions cannot be read, or a photograph has none.
    """
    files = AnnotationFolder.open(folder, benchmark="flickr8k", names=_FOLDERS)
    names_path, captions_path = files.require(f"Flickr_8k.{split}Images.txt"), files.require(_CAPTIONS)
    of_image, broken = _captions_of(read_names(names_path), captions_path)
    if broken:
        raise BenchmarkError(f"{captions_path}: lines that cannot be read: {listed(broken)}.")
    if without := [name for name, captions in of_image.items() if not captions]:
        raise BenchmarkError(f"{captions_path}: photographs of {names_path} without captions: {listed(without)}.")
    return {name: [caption.text for caption in captions] for name, captions in of_image.items()}


def _captions_of(names: list[str], path: Path) -> tuple[dict[str, list[BenchmarkCaption]], list[str]]:
    """Captions of some photographs, and the numbers of lines that are none."""
    of_image: dict[str, list[BenchmarkCaption]] = {name: [] for name in names}
    broken = []
    for number, line in read_lines(path):
        key, tab, text = line.partition("\t")
        image = key.partition("#")[0]
        if not tab:
            broken.append(str(number))
        elif image in of_image:
            of_image[image].append(BenchmarkCaption(id=key, video=image, text=text.strip()))
    return of_image, broken


def _read(folder: AnnotationFolder) -> Annotations:
    captions_path, names_path = folder.require(_CAPTIONS), folder.require(_TEST)
    names = read_names(names_path)
    of_image, broken = _captions_of(names, captions_path)
    captions = [caption for own in of_image.values() for caption in own]
    there = {caption.id for caption in captions}
    missing = [key for name in of_image for number in _NUMBERS if (key := f"{name}#{number}") not in there]
    return Annotations(
        videos=[BenchmarkVideo(name=name) for name in names],
        captions=captions,
        files=(captions_path, names_path),
        problems=[
            *([f"lines of {captions_path.name} that cannot be read: {listed(broken)}"] if broken else []),
            *([f"captions that are missing: {listed(missing)}"] if missing else []),
        ],
    )


RECIPES = (
    Recipe(
        name="flickr8k",
        task="image retrieval",
        split="test",
        queries=5000,
        videos=1000,
        captions_per_video=5,
        files=f"{_CAPTIONS} and {_TEST}",
        folders=_FOLDERS,
        protocol=(
            "The 1,000 photographs of the official test list, five captions each, as published, in "
            "tokens. A photograph is a video of one frame, under its file name with .jpg."
        ),
        citation="Hodosh, Young, Hockenmaier: Framing Image Description as a Ranking Task, JAIR 2013",
        read=_read,
    ),
)
