"""YouCook2: the steps of cooking videos, each cut out as a clip of its own."""

from __future__ import annotations

from typing import Any

from hgrkit.errors import BenchmarkError
from hgrkit.research.datasets.annotation_folder import AnnotationFolder, read_json, read_names
from hgrkit.research.datasets.benchmark import BenchmarkCaption, BenchmarkVideo
from hgrkit.research.datasets.recipe import Annotations, Recipe, listed

__all__ = ["RECIPES"]

_FILES = ("yc2_annotations_trainval.json", "youcookii_annotations_trainval.json")
_VIDEOS = 457


def _read(folder: AnnotationFolder) -> Annotations:
    path = folder.require(*_FILES)
    try:
        records = {
            name: record
            for name, record in read_json(path, dict)["database"].items()
            if record["subset"] == "validation"
        }
        pairs = [_clip(name, step) for name, record in records.items() for step in record["annotations"]]
        gaps = [name for name, record in records.items() if _has_gap(record["annotations"])]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        expected = "{database: {video: {subset, annotations: [{id, segment: [start, end], sentence}]}}}"
        raise BenchmarkError(f"{path} must hold {expected}; it does not ({error}).") from error
    problems = [f"{len(records)} long videos, expected {_VIDEOS}"] if len(records) != _VIDEOS else []
    problems += [f"steps are missing from {listed(gaps)}"] if gaps else []
    files = [path]
    if (checklist := folder.find("val_list.txt")) is not None:
        files.append(checklist)
        only = {name.rpartition("/")[2] for name in read_names(checklist)} ^ records.keys()
        problems += [f"videos in one of {path.name} and {checklist.name} only: {listed(sorted(only))}"] * bool(
            only
        )
    return Annotations(
        videos=[clip for clip, _ in pairs], captions=[step for _, step in pairs], files=files, problems=problems
    )


def _clip(source: str, step: dict[str, Any]) -> tuple[BenchmarkVideo, BenchmarkCaption]:
    start_s, end_s = map(float, step["segment"])
    name = f"{source}_{step['id']}"
    clip = BenchmarkVideo(name=name, duration_s=end_s - start_s, source=source, start_s=start_s, end_s=end_s)
    return clip, BenchmarkCaption(id=name, video=name, text=step["sentence"].strip())


def _has_gap(steps: list[dict[str, Any]]) -> bool:
    return [step["id"] for step in steps] != list(range(len(steps)))


RECIPES = (
    Recipe(
        name="youcook2",
        aliases=("youcookii",),
        task="retrieval",
        split="val",
        queries=3492,
        videos=3492,
        captions_per_video=1,
        files=f"{' or '.join(_FILES)}; val_list.txt if there is one",
        folders=frozenset(("youcook2", "youcookii", "yc2")),
        protocol=(
            "Every annotated step of the 457 validation videos is a clip, named VIDEO_ID after the step's id, and "
            "its sentence is the query. The annotations hold 3,492 steps; papers commonly test on some 3,350 of "
            "them, since videos have been taken down, so compare figures only over the same clips."
        ),
        citation="Zhou, Xu, Corso: Automatic Learning of Procedures from Web Instructional Videos, AAAI 2018",
        read=_read,
    ),
)
