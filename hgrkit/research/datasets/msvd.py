"""MSVD, also called Youtube2Text: short clips with some forty captions each."""

from __future__ import annotations

from hgrkit.research.datasets.annotation_folder import AnnotationFolder, read_lines, read_names
from hgrkit.research.datasets.benchmark import BenchmarkCaption, BenchmarkVideo
from hgrkit.research.datasets.recipe import Annotations, Recipe, listed

__all__ = ["RECIPES"]

_CAPTIONS = "AllVideoDescriptions.txt"
_LISTS = ("test_list.txt", "tst_names.npy")
_MAPPING = "youtube_mapping.txt"
_FIRST_TEST = 1301


def _read(folder: AnnotationFolder) -> Annotations:
    captions_path = folder.require(_CAPTIONS)
    names_path = folder.require(*_LISTS, _MAPPING)
    mapped = names_path.name == _MAPPING
    names = [name for name in map(_mapped, read_names(names_path)) if name] if mapped else read_names(names_path)
    names = [name.removesuffix(".avi") for name in names]
    of_video: dict[str, list[BenchmarkCaption]] = {name: [] for name in names}
    broken = []
    for number, line in read_lines(captions_path):
        if line.startswith("#"):
            continue
        name, space, text = line.partition(" ")
        own = of_video.get(name)
        if not space:
            broken.append(str(number))
        elif own is not None:
            own.append(BenchmarkCaption(id=f"{name}#{len(own)}", video=name, text=text.strip()))
    return Annotations(
        videos=[BenchmarkVideo(name=name) for name in names],
        captions=[caption for name in dict.fromkeys(names) for caption in of_video[name]],
        files=(captions_path, names_path),
        problems=[f"lines of {captions_path.name} that cannot be read: {listed(broken)}"] if broken else [],
    )


def _mapped(line: str) -> str:
    """The clip of a line `CLIP vidN` if it is of the test split, N from 1301, else nothing."""
    name, _, number = line.rpartition(" ")
    digits = number.removeprefix("vid")
    return name.strip() if digits.isdigit() and int(digits) >= _FIRST_TEST else ""


RECIPES = (
    Recipe(
        name="msvd",
        aliases=("youtube2text",),
        task="retrieval",
        split="test",
        queries=None,
        videos=670,
        files=f"{_CAPTIONS} and {' or '.join(_LISTS)}, or {_MAPPING} (vid1301 to vid1970 are the test split)",
        folders=frozenset(("msvd", "youtube2text", "youtubeclips")),
        protocol=(
            "1,200 clips to train, 100 to validate, 670 to test; each English caption of a test clip is a query, "
            "some 41 a clip. Papers clean the captions differently, so their number is not checked. Some papers "
            "take all captions of a clip for one query instead."
        ),
        citation="Chen, Dolan: Collecting Highly Parallel Data for Paraphrase Evaluation, ACL 2011",
        read=_read,
    ),
)
