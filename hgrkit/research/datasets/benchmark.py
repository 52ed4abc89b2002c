"""Benchmarks: what is known of one before its files are read, what an adapter reads, and the check of the two."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Literal

import attrs

from hgrkit.errors import BenchmarkError
from hgrkit.research.datasets.annotation_folder import AnnotationFolder, listed, problem

__all__ = ["Annotations", "Benchmark", "BenchmarkCaption", "BenchmarkVideo", "Recipe", "Task", "numbered_captions"]

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


def _as_videos(videos: Iterable[BenchmarkVideo | str]) -> tuple[BenchmarkVideo, ...]:
    return tuple(BenchmarkVideo(name=video) if isinstance(video, str) else video for video in videos)


@attrs.frozen(kw_only=True)
class Annotations:
    """What an adapter read.

    Attributes:
        videos: the candidates; those of which nothing but the name is known may be given as names.
        captions: the queries.
        files: what was read.
        sentences: annotated sentences behind the captions; `None` if every caption is one.
        split: which part was there; `None` if it is always the recipe's.
        problems: what the adapter itself found missing or surplus, without the benchmark's name.
    """

    videos: tuple[BenchmarkVideo, ...] = attrs.field(converter=_as_videos)
    captions: Sequence[BenchmarkCaption]
    files: Sequence[Path]
    sentences: int | None = None
    split: str | None = None
    problems: Sequence[str] = ()


@attrs.frozen(kw_only=True)
class Recipe:
    """One benchmark by name.

    Attributes:
        name: such as `msr-vtt/full`.
        aliases: what else it is called in papers.
        task: what a caption describes.
        split: which part of the data set it is.
        queries: the official number of captions; `None` if papers differ or it depends on the files.
        videos: the official number of videos.
        captions_per_video: how many every video has, where that is fixed.
        files: the published files that it is read from.
        folders: names of the data set's folder, in small letters and digits only.
        protocol: how papers use it, and what they leave out.
        citation: where it was published.
        read: the adapter.
    """

    name: str
    aliases: tuple[str, ...] = ()
    task: Task = "retrieval"
    split: str = "test"
    queries: int | None = None
    videos: int | None = None
    captions_per_video: int | None = None
    files: str
    folders: frozenset[str]
    protocol: str
    citation: str
    read: Callable[[AnnotationFolder], Annotations]

    def open(self, annotations: Path, *, features: Path | None = None) -> Benchmark:
        """Read the benchmark from a folder and check it.

        Raises:
            MissingPathError: if the folder or a file of the benchmark is not there.
            BenchmarkError: if a file cannot be read as what it should be, or no caption is left.
        """
        found = self.read(AnnotationFolder.open(annotations, benchmark=self.name, names=self.folders))
        captions = [caption for caption in found.captions if caption.text]
        if not captions:
            files = ", ".join(map(str, found.files))
            raise BenchmarkError(f"{self.name} has no caption in {files}; are these the right files?")
        problems = [*self._problems(found, captions), *found.problems]
        return Benchmark(
            name=self.name,
            task=self.task,
            split=found.split or self.split,
            videos=found.videos,
            captions=tuple(captions),
            sentences=len(captions) if found.sentences is None else found.sentences,
            expected_queries=self.queries,
            expected_videos=self.videos,
            problems=tuple(f"{self.name}: {found_problem}" for found_problem in problems),
            protocol=self.protocol,
            citation=self.citation,
            files=tuple(found.files),
            features=features,
        )

    def _problems(self, found: Annotations, captions: Sequence[BenchmarkCaption]) -> list[str]:
        """Differences from the official counts, with the videos that they come from."""
        names = [video.name for video in found.videos]
        known = set(names)
        per_video = Counter(caption.video for caption in captions)
        usual = self.captions_per_video
        odd = [
            f"{name} has {per_video[name]} instead of {usual}"
            for name in dict.fromkeys(names)
            if usual is not None and per_video[name] != usual
        ]
        odd += [f"{name} has none" for name in names if usual is None and not per_video[name]]
        odd += [
            f"{name} has {number} but is not in the list"
            for name, number in per_video.items()
            if name not in known
        ]
        return [
            *_difference(len(captions), self.queries, "captions", odd),
            *_difference(len(names), self.videos, "videos", ()),
            *problem("captions without words", [caption.id for caption in found.captions if not caption.text]),
            *problem("captions that are listed twice", _repeated(caption.id for caption in captions)),
            *problem("videos that are listed twice", _repeated(names)),
        ]


def _difference(count: int, expected: int | None, noun: str, odd: Sequence[str]) -> list[str]:
    if expected is not None and count != expected:
        return [f"{count:,} {noun}, expected {expected:,}{f'; {listed(odd)}' if odd else ''}"]
    return problem(noun, odd)


def _repeated(names: Iterable[str]) -> list[str]:
    return [name for name, number in Counter(names).items() if number > 1]


def numbered_captions(names: Iterable[str], texts: Iterable[tuple[str, str]]) -> list[BenchmarkCaption]:
    """Collect the captions of some videos, numbered within each: `NAME#0`, `NAME#1`.

    Args:
        names: the videos, in the order that the captions shall have.
        texts: a video and a caption each, of other videos too.
    """
    captions: dict[str, list[BenchmarkCaption]] = {name: [] for name in names}
    for name, text in texts:
        own = captions.get(name)
        if own is not None:
            own.append(BenchmarkCaption(id=f"{name}#{len(own)}", video=name, text=text.strip()))
    return [caption for own in captions.values() for caption in own]
