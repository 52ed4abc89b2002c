"""Every moment of a video: how many of the times that a thing occurs a search with `per_video` finds.

A seed makes ten videos of two to five minutes. In each, one MSVD clip occurs two to four times, each time another
stretch of it, from 3 s to all of the clip, between such stretches of other clips; no two occurrences follow each
other. All captions of the clip are asked. The first 49 clips by name are for choosing, with seeds of their own,
the rest for reporting. Videos are embedded from the frames that were decoded of the clips, and stored as `hgrkit
index` does it, in clips of at most 30 s.

Of n occurrences, one counts as found if one of the first n hits in the video overlaps it by an IoU of 0.5; each
hit finds one at most. `library` is the same in all ten videos, among the first ten hits.

`one occurrence` are the joined videos of `joined_clips.py`, of other clips each: whether the moment of the right
video overlaps the clip by an IoU of 0.5. `choices` are other settings, on the clips for choosing.

    python benchmarks/moments.py --data DATA/msvd --out benchmarks/results/moments.json
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache, partial
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
from joined_clips import Footage, opened
from joined_videos import Joined, join, stretch
from result_file import arguments, described, write_result

from hgrkit.indexing.feature_cache import CachedFeatures
from hgrkit.indexing.library_writer import cut_clips
from hgrkit.library import (
    ClipEmbeddings,
    ClipMatch,
    Entry,
    Library,
    Moment,
    QueryEmbeddings,
    VideoRecord,
    video_moments,
)
from hgrkit.model.loaded import LoadedModel
from hgrkit.model.scorer import settings_of

VIDEOS, SHORTEST_S, LONGEST_S, OCCURRENCES = 10, 120.0, 300.0, (2, 3, 4)
CLIP_SECONDS, WINDOW_SECONDS, OVERLAP, PER_VIDEO, K = 30.0, 10.0, 0.5, 5, 10
CHOOSING_SEEDS = range(100, 102)

CHOICES: Mapping[str, Sequence[float]] = {
    "_MOST_SCENES": (1, 2, 3, 5),
    "_SCENE_COST": (0.0, 0.01, 0.03, 0.05),
    "_INSIDE_BONUS": (0.0, 0.02, 0.05, 0.1),
}

Interval = tuple[float, float]
Row = dict[str, float]


@attrs.frozen(eq=False)
class Asked:
    """A video, the captions that are asked of it, and when what they describe is to be seen."""

    joined: Joined
    queries: Sequence[QueryEmbeddings]
    occurrences: Sequence[Interval]


def main() -> None:
    """Measure both halves."""
    parser = arguments(__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="default")
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--library", type=Path, help="the clips, if they are indexed already")
    options = parser.parse_args()
    with opened(options.data, options.model, options.library) as footage:
        bench = Bench(footage, queries_of(footage), LoadedModel.load(options.model, device="cpu"))
        reported = bench.half(range(options.seeds), choosing=False)
        chosen = bench.half(CHOOSING_SEEDS, choosing=True)
        choices = bench.choices(CHOOSING_SEEDS)
    result = {
        **described(options),
        "model": {"name": options.model, "fingerprint": footage.manifest.model_fingerprint},
        "settings": {"per_video": PER_VIDEO, "IoU": OVERLAP, "clip_seconds": CLIP_SECONDS, "k in library": K},
        "for reporting": reported,
        "for choosing": chosen,
        "choices": choices,
    }
    write_result(result, options.out)


@attrs.frozen(eq=False)
class Bench:
    """The clips, their captions, and the model."""

    footage: Footage
    queries: Mapping[str, list[QueryEmbeddings]]
    loaded: LoadedModel

    def half(self, seeds: Sequence[int], *, choosing: bool) -> dict[str, Any]:
        """All seeds together; a caption counts once for each seed that asks it."""
        several: list[Row] = []
        single: dict[str, list[Row]] = {"clips whole": [], "clips cut": []}
        for seed in seeds:
            several += self.measured(self.repeating(seed, choosing=choosing))
            for name, rows in single.items():
                rows.extend(self.measured(self.once(seed, choosing=choosing, cut=name == "clips cut")))
        return {
            "seeds": list(seeds),
            "several occurrences": means(several),
            "times that of fixed 10 s windows": ratio(several, "every moment", "fixed 10 s windows"),
            "times that of one moment a video": ratio(several, "every moment", "one moment a video"),
            "one occurrence": {name: means(rows) for name, rows in single.items()},
        }

    def choices(self, seeds: Sequence[int]) -> dict[str, Any]:
        """What other settings find on the clips for choosing."""
        found: dict[str, Any] = {}
        with ExitStack() as stack:
            videos = [self.repeating(seed, choosing=True) for seed in seeds]
            libraries = [stack.enter_context(self.stored(some)) for some in videos]
            for name, values in CHOICES.items():
                usual = getattr(video_moments, name)
                for value in values:
                    setattr(video_moments, name, value)
                    rows = [self.hits_of(*pair, everywhere=False) for pair in zip(libraries, videos, strict=True)]
                    found[f"{name.strip('_').lower()}={value}"] = means([*chain.from_iterable(rows)])
                setattr(video_moments, name, usual)
        return found

    def repeating(self, seed: int, *, choosing: bool) -> list[Asked]:
        """Ten videos in which one clip each occurs several times."""
        rng, clips = np.random.default_rng(seed), self.footage.half(choosing)
        return [self._repeating(asked, clips, rng) for asked in rng.permutation(clips)[:VIDEOS].tolist()]

    def _repeating(self, asked: str, clips: Sequence[str], rng: np.random.Generator) -> Asked:
        own = [stretch(self.footage.kept[asked], rng) for _ in range(rng.choice(OCCURRENCES))]
        length_s, others = rng.uniform(SHORTEST_S, LONGEST_S), list[CachedFeatures]()
        for other in rng.permutation([clip for clip in clips if clip != asked]).tolist():
            total_s = sum(float(one.duration_s or 0) for one in (*own, *others))
            if total_s >= length_s and len(others) > len(own):
                break
            others.append(stretch(self.footage.kept[other], rng))
        before = set(rng.choice(len(others), size=len(own), replace=False).tolist())
        parts, places = dict[str, CachedFeatures](), list[int]()
        for place, part in enumerate(others):
            if place in before:
                places.append(len(parts))
                parts[f"{len(parts)}"] = own[len(places) - 1]
            parts[f"{len(parts)}"] = part
        joined = Joined.of(list(parts), parts)
        edges_s = joined.edges_s
        return Asked(joined, self.queries[asked], [(edges_s[place], edges_s[place + 1]) for place in places])

    def once(self, seed: int, *, choosing: bool, cut: bool) -> list[Asked]:
        """Videos of clips that occur once, and all of their captions."""
        rng, kept = np.random.default_rng(seed), self.footage.kept
        groups = join(self.footage.half(choosing), rng)
        kept = {clip: stretch(own, rng) for clip, own in kept.items()} if cut else kept
        return [
            Asked(joined, self.queries[clip], [(joined.edges_s[place], joined.edges_s[place + 1])])
            for joined in (Joined.of(group, kept) for group in groups)
            for place, clip in enumerate(joined.clips)
        ]

    @contextmanager
    def stored(self, videos: Sequence[Asked]) -> Iterator[Library]:
        """A library of the videos; a video that is asked about several things is there several times."""
        embedded: dict[int, list[ClipEmbeddings]] = {}
        for joined in (video.joined for video in videos):
            embedded[id(joined)] = embedded.get(id(joined)) or [
                ClipEmbeddings(
                    start_s=clip.start_s,
                    end_s=clip.end_s,
                    times_s=joined.times_s[clip.frames],
                    **attrs.asdict(self.loaded.clip_encoder(joined.features[clip.frames])),
                )
                for clip in cut_clips(joined.times_s, joined.edges_s[-1], CLIP_SECONDS)
            ]
        entries = [
            Entry(VideoRecord(path=f"/{number}", content="", size=0, mtime_ns=0), embedded[id(video.joined)])
            for number, video in enumerate(videos)
        ]
        with (
            TemporaryDirectory() as folder,
            Library.create(Path(folder) / "library", self.footage.manifest) as library,
        ):
            library.add_all(entries)
            yield library

    def hits_of(self, library: Library, videos: Sequence[Asked], *, everywhere: bool) -> list[Row]:
        """What searches find of each caption's occurrences, in the right video and in the library."""
        rows, settings = [], settings_of(self.footage.model.matcher)
        for number, video in enumerate(videos):
            path, count = f"/{number}", len(video.occurrences)
            found = partial(recall, video.occurrences)
            for query in video.queries:
                ask = partial(library.search, query, settings=settings)
                hits = ask(count, videos=[path], per_video=PER_VIDEO)
                row = {"every moment": found(hits), "one moment a video": found(hits[:1])}
                if everywhere:
                    for name, per_video in {"library": PER_VIDEO, "library, one moment a video": 1}.items():
                        row[name] = found([hit for hit in ask(K, per_video=per_video) if hit.video == path])
                rows.append({**row, **best_frames(hits)})
        return rows

    def measured(self, videos: Sequence[Asked]) -> list[Row]:
        """The same, beside fixed windows in the right video, whose events are exact."""
        with self.stored(videos) as library:
            rows = self.hits_of(library, videos, everywhere=len(videos[0].occurrences) > 1)
        place, embed = iter(rows), cache(self.footage.embed)
        for video in videos:
            long_video = embed(video.joined)
            windows, spans = long_video.fixed(WINDOW_SECONDS)
            by_score = np.argsort(-long_video.scores(video.queries, windows), axis=0, kind="stable")
            for best in by_score[: len(video.occurrences)].T:
                moments = [Moment(*span) for span in spans[best].tolist()]
                next(place)["fixed 10 s windows"] = recall(video.occurrences, moments)
        return rows


def queries_of(footage: Footage) -> dict[str, list[QueryEmbeddings]]:
    """The captions of each clip."""
    owners = [clip for clip, own in footage.captions.items() for _ in own]
    read = dict(zip(np.array(footage.read.positions).tolist(), footage.read.queries, strict=True))
    found: dict[str, list[QueryEmbeddings]] = {}
    for position, query in read.items():
        found.setdefault(owners[position], []).append(query)
    return found


def recall(occurrences: Sequence[Interval], hits: Sequence[ClipMatch] | Sequence[Moment]) -> float:
    """Share of the occurrences that hits overlap; each hit finds one at most."""
    left = list(occurrences)
    for moment in (hit.moment if isinstance(hit, ClipMatch) else hit for hit in hits):
        overlaps = [
            (min(moment.end_s, end_s) - max(moment.start_s, start_s))
            / (max(moment.end_s, end_s) - min(moment.start_s, start_s))
            for start_s, end_s in left
        ]
        if overlaps and max(overlaps) >= OVERLAP:
            left.pop(int(np.argmax(overlaps)))
    return 1 - len(left) / len(occurrences)


def best_frames(hits: Sequence[ClipMatch]) -> Row:
    """Share of the phrases of hits whose best frames lie in the moments, and of their first hits alone."""
    inside: list[npt.NDArray[np.bool_]] = []
    for hit in hits:
        weights = np.concatenate([hit.action_weights, hit.entity_weights])
        best_s = hit.times_s[weights.argmax(axis=1)]
        inside.append((best_s >= hit.moment.start_s) & (best_s <= hit.moment.end_s))
    shares = {"best frames in the moment": inside, "of the first hits": inside[:1], "of further hits": inside[1:]}
    return {name: float(np.concatenate(part).mean()) for name, part in shares.items() if sum(map(len, part))}


def means(rows: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    """Each figure in per cent, over all captions."""
    names = dict.fromkeys(name for row in rows for name in row)
    shares = {name: [row[name] for row in rows if name in row] for name in names}
    return {"captions": len(rows), **{name: round(100 * float(np.mean(own)), 1) for name, own in shares.items()}}


def ratio(rows: Sequence[Mapping[str, float]], ours: str, other: str) -> float:
    """How many times one recall is another."""
    return round(sum(row[ours] for row in rows) / sum(row[other] for row in rows), 2)


if __name__ == "__main__":
    main()
