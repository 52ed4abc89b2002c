"""Every moment of a video: how many of the times that a thing occurs a search with `per_video` finds.

A seed makes ten videos of two to five minutes. In each, one MSVD clip occurs two to four times, each time another
stretch of it, from 3 s to all of the clip, between such stretches of other clips; no two occurrences follow each
other. All captions of the clip are asked. The first 49 clips by name are for choosing, with seeds of their own, the
rest for reporting. Videos are embedded from the frames that were decoded of the clips, and stored as `hgrkit index`
does it, in clips of at most 30 s.

Of n occurrences, an occurrence counts as found if one of the first n hits in the video overlaps it by an IoU of 0.5;
each hit finds one at most. `library` is the same in all ten videos, among the first ten hits.

`one occurrence` are the joined videos of `joined_clips.py`, of other clips each: whether the moment of the right
video overlaps the clip by an IoU of 0.5.

    python benchmarks/moments.py --data DATA/msvd --out benchmarks/results/moments.json
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
from joined_clips import Footage, opened
from joined_videos import Joined, join, stretch
from result_file import arguments, described, write_result

from hgrkit.indexing.library_writer import cut_clips
from hgrkit.library import ClipEmbeddings, ClipMatch, Entry, Library, QueryEmbeddings, SearchSettings, VideoRecord
from hgrkit.model.loaded import LoadedModel
from hgrkit.model.scorer import settings_of

VIDEOS, SHORTEST_S, LONGEST_S, OCCURRENCES = 10, 120.0, 300.0, (2, 3, 4)
CLIP_SECONDS, WINDOW_SECONDS, OVERLAP, PER_VIDEO, K = 30.0, 10.0, 0.5, 5, 10
CHOOSING_SEEDS = range(100, 110)
"""Settings were chosen with the first four of them."""

Interval = tuple[float, float]


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
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--library", type=Path, help="the clips, if they are indexed already")
    options = parser.parse_args()
    with opened(options.data, options.model, options.library) as footage:
        halves = {
            "for choosing": measure_half(footage, options.model, CHOOSING_SEEDS[: options.seeds], choosing=True),
            "for reporting": measure_half(footage, options.model, range(options.seeds), choosing=False),
        }
    result = {
        **described(options),
        "model": {"name": options.model, "fingerprint": footage.manifest.model_fingerprint},
        "settings": {"per_video": PER_VIDEO, "IoU": OVERLAP, "clip_seconds": CLIP_SECONDS, "k in library": K},
        **halves,
    }
    write_result(result, options.out)


def measure_half(footage: Footage, model: str, seeds: Sequence[int], *, choosing: bool) -> dict[str, Any]:
    """All seeds together; a caption counts once for each seed that asks it."""
    queries = queries_of(footage)
    several: list[dict[str, float]] = []
    single: dict[str, list[dict[str, float]]] = {"clips whole": [], "clips cut": []}
    for seed in seeds:
        asked = list(repeating(footage, footage.half(choosing), queries, np.random.default_rng(seed)))
        several += measure_videos(footage, model, asked)
        for name, rows in single.items():
            rng = np.random.default_rng(seed)
            cut = name == "clips cut"
            kept = {clip: stretch(own, rng) for clip, own in footage.kept.items()} if cut else footage.kept
            once = [
                Asked(joined, queries[clip], [(joined.edges_s[place], joined.edges_s[place + 1])])
                for joined in (Joined.of(group, kept) for group in join(footage.half(choosing), rng))
                for place, clip in enumerate(joined.clips)
            ]
            rows += measure_videos(footage, model, once)
    return {
        "seeds": list(seeds),
        "several occurrences": means(several),
        "times that of fixed 10 s windows": ratio(several, "every moment", "fixed 10 s windows"),
        "times that of one moment a video": ratio(several, "every moment", "one moment a video"),
        "one occurrence": {name: means(rows) for name, rows in single.items()},
    }


def queries_of(footage: Footage) -> dict[str, list[QueryEmbeddings]]:
    """The captions of each clip."""
    owners = [clip for clip, own in footage.captions.items() for _ in own]
    read = dict(zip(np.array(footage.read.positions).tolist(), footage.read.queries, strict=True))
    found: dict[str, list[QueryEmbeddings]] = {}
    for position, query in read.items():
        found.setdefault(owners[position], []).append(query)
    return found


def repeating(
    footage: Footage, clips: Sequence[str], queries: Mapping[str, list[QueryEmbeddings]], rng: np.random.Generator
) -> Iterator[Asked]:
    """Ten videos in which one clip each occurs several times."""
    for asked in rng.permutation(list(clips))[:VIDEOS].tolist():
        part = partial(stretch, rng=rng)
        own = [part(footage.kept[asked]) for _ in range(rng.choice(OCCURRENCES))]
        length_s, others = rng.uniform(SHORTEST_S, LONGEST_S), []
        for other in rng.permutation([clip for clip in clips if clip != asked]).tolist():
            long_enough = sum(float(one.duration_s or 0) for one in (*own, *others)) >= length_s
            if long_enough and len(others) > len(own):
                break
            others.append(part(footage.kept[other]))
        before = set(rng.choice(len(others), size=len(own), replace=False).tolist())
        parts, places = {}, []
        for place, other in enumerate(others):
            if place in before:
                places.append(len(parts))
                parts[f"{len(parts)}"] = own[len(places) - 1]
            parts[f"{len(parts)}"] = other
        joined = Joined.of(list(parts), parts)
        yield Asked(joined, queries[asked], [joined.edges_s[place : place + 2] for place in places])


def measure_videos(footage: Footage, model: str, videos: Sequence[Asked]) -> list[dict[str, float]]:
    """What is found of each caption's occurrences."""
    settings = settings_of(footage.model.matcher)
    rows = []
    with tempfile.TemporaryDirectory() as folder, stored(footage, model, videos, Path(folder)) as library:
        for number, video in enumerate(videos):
            path, count = f"/{number}.mp4", len(video.occurrences)
            long_video = footage.embed(video.joined)
            windows, spans = long_video.fixed(WINDOW_SECONDS)
            by_window = np.argsort(-long_video.scores(video.queries, windows), axis=0, kind="stable")
            for column, query in enumerate(video.queries):
                ask = partial(library.search, query, settings=settings)
                hits = ask(count, videos=[path], per_video=PER_VIDEO)
                found = partial(recall, video.occurrences)
                row = {
                    "every moment": found(times_of(hits)),
                    "one moment a video": found(times_of(ask(count, videos=[path]))),
                    "fixed 10 s windows": found(spans[by_window[:count, column]].tolist()),
                }
                if count > 1:
                    everywhere = ask(K, per_video=PER_VIDEO)
                    row["library"] = found(times_of(hit for hit in everywhere if hit.video == path))
                    once = ask(K)
                    row["library, one moment a video"] = found(times_of(hit for hit in once if hit.video == path))
                rows.append({**row, **best_frames(hits)})
    return rows


def stored(footage: Footage, model: str, videos: Sequence[Asked], folder: Path) -> Library:
    """A library of the videos; a video that is asked about several things is there several times."""
    loaded = LoadedModel.load(model, device="cpu")
    library = Library.create(folder / "library", footage.manifest)
    embedded: dict[int, list[ClipEmbeddings]] = {}
    for video in videos:
        joined = video.joined
        if id(joined) not in embedded:
            embedded[id(joined)] = [
                ClipEmbeddings(
                    start_s=clip.start_s,
                    end_s=clip.end_s,
                    times_s=joined.times_s[clip.frames],
                    **attrs.asdict(loaded.clip_encoder(joined.features[clip.frames])),
                )
                for clip in cut_clips(joined.times_s, joined.edges_s[-1], CLIP_SECONDS)
            ]
    records = (VideoRecord(path=f"/{number}.mp4", content="", size=0, mtime_ns=0) for number in range(len(videos)))
    library.add_all([Entry(record, embedded[id(one.joined)]) for record, one in zip(records, videos, strict=True)])
    return library


def times_of(hits: Sequence[ClipMatch] | Iterator[ClipMatch]) -> list[Interval]:
    """The moments of hits."""
    return [(hit.moment.start_s, hit.moment.end_s) for hit in hits]


def recall(occurrences: Sequence[Interval], hits: Sequence[Sequence[float]]) -> float:
    """Share of the occurrences that hits overlap; each hit finds one at most."""
    left = list(occurrences)
    for start_s, end_s in hits:
        overlaps = [
            (min(end_s, one[1]) - max(start_s, one[0])) / (max(end_s, one[1]) - min(start_s, one[0]))
            for one in left
        ]
        if overlaps and max(overlaps) >= OVERLAP:
            left.pop(int(np.argmax(overlaps)))
    return 1 - len(left) / len(occurrences)


def best_frames(hits: Sequence[ClipMatch]) -> dict[str, float]:
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
