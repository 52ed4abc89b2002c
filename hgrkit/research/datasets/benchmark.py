"""A benchmark as every adapter hands it on: videos, captions with their moments, and how they are to be used."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import attrs

__all__ = ["Benchmark", "BenchmarkCaption", "BenchmarkVideo", "Task"]

Task = Literal["retrieval", "paragraph retrieval", "partially relevant retrieval", "image retrieval"]
"""What a caption describes: a whole clip, all of a video in one paragraph, a moment of it, or a photograph."""


@attrs.frozen(kw_only=True)
class BenchmarkVideo:
    """A candidate.

    Attributes:
        name: what captions and feature files call it, without a suffix such as `.mp4` (photographs keep theirs).
        duration_s: its length in seconds, where the annotations say so.
        source: the longer video that it was cut from; `None` if it is a video of its own.
        start_s: where in `source` it begins, in seconds.
        end_s: where in `source` it ends.
    """

    name: str
    duration_s: float | None = None
    source: str | None = None
    start_s: float | None = None
    end_s: float | None = None


@attrs.frozen(kw_only=True)
class BenchmarkCaption:
    """A query.

    Attributes:
        id: unique within the benchmark, and the same on every machine.
        video: the name of the video that it describes.
        text: the words, without white space around them.
        start_s: where the described moment begins, in seconds; `None` if the caption describes all of the video.
        end_s: where it ends.
    """

    id: str
    video: str
    text: str
    start_s: float | None = None
    end_s: float | None = None


@attrs.frozen(kw_only=True, repr=False)
class Benchmark:
    """What `benchmark` read.

    Attributes:
        name: such as `msr-vtt/1k-a`.
        task: what a caption describes.
        split: which part of the data set it is.
        videos: the candidates, in the order of the published list.
        captions: the queries, in the order of the published file.
        sentences: annotated sentences behind the captions; more than captions where these are paragraphs.
        expected_queries: the official number of captions; `None` if there is none to check against.
        expected_videos: the official number of videos.
        problems: what is missing from or surplus in the files, one sentence each.
        protocol: how papers use it, and what they leave out.
        citation: where it was published.
        files: what was read.
        features: frame features by video name (`.npz`, `.hdf5`), if the caller named some.
    """

    name: str
    task: Task
    split: str
    videos: tuple[BenchmarkVideo, ...]
    captions: tuple[BenchmarkCaption, ...]
    sentences: int
    expected_queries: int | None = None
    expected_videos: int | None = None
    problems: tuple[str, ...] = ()
    protocol: str = ""
    citation: str = ""
    files: tuple[Path, ...] = ()
    features: Path | None = None

    @property
    def complete(self) -> bool:
        """Whether nothing is missing and nothing surplus."""
        return not self.problems

    def to_dict(self) -> dict[str, object]:
        """What `hgrkit benchmarks NAME --json` prints: counts and problems, not the captions."""
        return {
            "name": self.name,
            "task": self.task,
            "split": self.split,
            "queries": len(self.captions),
            "videos": len(self.videos),
            "sentences": self.sentences,
            "moments": sum(caption.start_s is not None for caption in self.captions),
            "expected": {"queries": self.expected_queries, "videos": self.expected_videos},
            "complete": self.complete,
            "problems": list(self.problems),
            "protocol": self.protocol,
            "citation": self.citation,
            "files": [str(path) for path in self.files],
        }

    def __repr__(self) -> str:
        return (
            f"Benchmark({self.name!r}, split={self.split!r}, videos={len(self.videos)}, "
            f"queries={len(self.captions)}, complete={self.complete})"
        )
