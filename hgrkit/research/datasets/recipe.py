"""What is known of a benchmark before its files are read, and the check of what they hold against it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import attrs

from hgrkit.errors import BenchmarkError
from hgrkit.research.datasets.annotation_folder import AnnotationFolder
from hgrkit.research.datasets.benchmark import Benchmark, BenchmarkCaption, BenchmarkVideo, Task

__all__ = ["Annotations", "Recipe", "listed"]


@attrs.frozen(kw_only=True)
class Annotations:
    """What an adapter read.

    Attributes:
        videos: the candidates.
        captions: the queries.
        files: what was read.
        sentences: annotated sentences behind the captions; `None` if every caption is one.
        split: which part was there; `None` if it is always the recipe's.
        problems: what the adapter itself found missing or surplus, without the benchmark's name.
    """

    videos: Sequence[BenchmarkVideo]
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
    task: Task
    split: str
    queries: int | None
    videos: int | None
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
            videos=tuple(found.videos),
            captions=tuple(captions),
            sentences=len(captions) if found.sentences is None else found.sentences,
            expected_queries=self.queries,
            expected_videos=self.videos,
            problems=tuple(f"{self.name}: {problem}" for problem in problems),
            protocol=self.protocol,
            citation=self.citation,
            files=tuple(found.files),
            features=features,
        )

    def _problems(self, found: Annotations, captions: Sequence[BenchmarkCaption]) -> list[str]:
        """Differences from the official counts, with the videos that they come from."""
        names = [video.name for video in found.videos]
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
            for name, number in (per_video - Counter(names)).items()
            if name not in set(names)
        ]
        repeated = [caption for caption, number in Counter(item.id for item in captions).items() if number > 1]
        twice = [name for name, number in Counter(names).items() if number > 1]
        blank = [caption.id for caption in found.captions if not caption.text]
        return [
            *_difference(len(captions), self.queries, "captions", odd),
            *_difference(len(names), self.videos, "videos", ()),
            *([f"captions without words: {listed(blank)}"] if blank else []),
            *([f"captions that stand there twice: {listed(repeated)}"] if repeated else []),
            *([f"videos that stand in the list twice: {listed(twice)}"] if twice else []),
        ]


def listed(items: Iterable[str], limit: int = 5) -> str:
    """The first few, and how many more there are.

    >>> listed(["a", "b", "c"], limit=2)
    'a, b and 1 more'
    """
    names = list(items)
    more = len(names) - limit
    return ", ".join(names[:limit]) + (f" and {more:,} more" if more > 0 else "")


def _difference(count: int, expected: int | None, noun: str, odd: Sequence[str]) -> list[str]:
    if expected is not None and count != expected:
        return [f"{count:,} {noun}, expected {expected:,}{f'; {listed(odd)}' if odd else ''}"]
    return [f"{noun}: {listed(odd)}"] if odd else []
