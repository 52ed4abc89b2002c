"""Flickr8k: photographs with five captions each; a photograph is a video of one frame."""

from __future__ import annotations

from hgrkit.datasets.annotation_folder import AnnotationFolder, read_lines, read_names
from hgrkit.datasets.benchmark import BenchmarkCaption, BenchmarkVideo
from hgrkit.datasets.recipe import Annotations, Recipe, listed

__all__ = ["RECIPES"]

_CAPTIONS, _TEST = "Flickr8k.token.txt", "Flickr_8k.testImages.txt"
_NUMBERS = range(5)


def _read(folder: AnnotationFolder) -> Annotations:
    captions_path, names_path = folder.require(_CAPTIONS), folder.require(_TEST)
    names = read_names(names_path)
    of_image: dict[str, list[BenchmarkCaption]] = {name: [] for name in names}
    broken = []
    for number, line in read_lines(captions_path):
        key, tab, text = line.partition("\t")
        image = key.partition("#")[0]
        if not tab:
            broken.append(str(number))
        elif image in of_image:
            of_image[image].append(BenchmarkCaption(id=key, video=image, text=text.strip()))
    captions = [caption for name in dict.fromkeys(names) for caption in of_image[name]]
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
        folders=frozenset(("flickr8k", "flickr8ktext")),
        protocol=(
            "The 1,000 photographs of the official test list, five captions each, as published, in "
            "tokens. A photograph is a video of one frame, under its file name with .jpg."
        ),
        citation="Hodosh, Young, Hockenmaier: Framing Image Description as a Ranking Task, JAIR 2013",
        read=_read,
    ),
)
