"""ActivityNet Captions: whole paragraphs against whole videos, or every sentence as a moment of its video."""

from __future__ import annotations

from typing import Any

from hgrkit.errors import BenchmarkError
from hgrkit.research.datasets.annotation_folder import AnnotationFolder, read_json
from hgrkit.research.datasets.benchmark import BenchmarkCaption, BenchmarkVideo
from hgrkit.research.datasets.recipe import Annotations, Recipe

__all__ = ["RECIPES"]

_FILE = "val_1.json"
_VIDEOS, _SENTENCES = 4917, 17505


def _moments(folder: AnnotationFolder) -> Annotations:
    path = folder.require(_FILE)
    return _read(path, read_json(path, dict))


def _paragraphs(folder: AnnotationFolder) -> Annotations:
    found = _moments(folder)
    texts: dict[str, list[str]] = {video.name: [] for video in found.videos}
    for sentence in found.captions:
        texts[sentence.video].append(sentence.text)
    count = len(found.captions)
    problems = [f"{count:,} sentences, expected {_SENTENCES:,}"] if count != _SENTENCES else []
    return Annotations(
        videos=found.videos,
        captions=[
            BenchmarkCaption(id=name, video=name, text=" ".join(filter(None, own))) for name, own in texts.items()
        ],
        files=found.files,
        sentences=count,
        problems=[*found.problems, *problems],
    )


def _read(path: Any, records: dict[str, Any]) -> Annotations:
    videos, captions, problems = [], [], []
    for name, record in records.items():
        try:
            times, sentences = record["timestamps"], record["sentences"]
            videos.append(BenchmarkVideo(name=name, duration_s=float(record["duration"])))
            captions += [
                BenchmarkCaption(
                    id=f"{name}#{number}",
                    video=name,
                    text=text.strip(),
                    start_s=float(start_s),
                    end_s=float(end_s),
                )
                for number, (text, (start_s, end_s)) in enumerate(zip(sentences, times, strict=False))
            ]
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            expected = "{video: {duration, timestamps: [[start, end]], sentences: [text]}}"
            raise BenchmarkError(f"{path} must hold {expected}; {name!r} does not ({error}).") from error
        if len(times) != len(sentences):
            problems.append(f"{name} has {len(sentences)} sentences but {len(times)} time stamps")
    return Annotations(videos=videos, captions=captions, files=(path,), problems=problems)


_CITATION = "Krishna, Hata, Ren, Fei-Fei, Niebles: Dense-Captioning Events in Videos, ICCV 2017"
_FOLDERS = frozenset(("activitynetcaptions", "activitynet", "anetcaptions", "anet", "actnet"))

RECIPES = (
    Recipe(
        name="activitynet-captions/paragraph",
        aliases=("activitynet/paragraph", "activitynet-captions/p2v"),
        task="paragraph retrieval",
        split="val_1",
        queries=_VIDEOS,
        videos=_VIDEOS,
        captions_per_video=1,
        files=_FILE,
        folders=_FOLDERS,
        protocol=(
            "Of each of the 4,917 videos of val_1, all 17,505 sentences are joined, in the order of the file and "
            "with one space between them, into one paragraph, the query; the whole video is right. Papers that "
            "report 4,885 or 4,773 videos use val_2, or leave out videos that are no longer to be had."
        ),
        citation=f"{_CITATION}; paragraphs: Zhang, Hu, Sha, ECCV 2018",
        read=_paragraphs,
    ),
    Recipe(
        name="activitynet-captions",
        aliases=("activitynet", "anet"),
        task="partially relevant retrieval",
        split="val_1",
        queries=_SENTENCES,
        videos=_VIDEOS,
        files=_FILE,
        folders=_FOLDERS,
        protocol=(
            "Every sentence of val_1 is a query and describes a moment; its untrimmed video is right. The second "
            "annotators' val_2 is not used."
        ),
        citation=f"{_CITATION}; partially relevant retrieval: Dong et al., ACM MM 2022",
        read=_moments,
    ),
)
