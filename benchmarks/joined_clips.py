"""Partially relevant retrieval on real footage: 98 MSVD clips joined to long videos, whose captions are moments.

A round shuffles the clips and joins four to eight at a time. A caption then describes the interval of its clip,
and all videos of the round are candidates. The first 49 clips by name are for choosing, the rest for reporting; no
video holds clips of both halves. Joining concatenates what was decoded of each clip. MSVD's clips are 10 s long
on average, which suits fixed windows of 10 s. So the same is measured with clips that were cut to a random
stretch, from 3 s to all of the clip, evenly on a logarithmic scale.

    python benchmarks/joined_clips.py --data DATA/msvd --out benchmarks/results/joined_clips.json
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path, PurePath
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
from msvd import FOR_CHOOSING

import hgrkit
from hgrkit.cli.baselines import kept_frames
from hgrkit.evaluation.bootstrap import report
from hgrkit.evaluation.captions import Captions, read_captions
from hgrkit.evaluation.long_video_search import (
    BestWindow,
    FixedWindows,
    WayToSearch,
    find_moments,
    score_videos,
)
from hgrkit.evaluation.moment_recall import moment_recall, overlaps
from hgrkit.evaluation.query_rank import QueryRank, query_ranks
from hgrkit.evaluation.rank_measure import RankMeasure
from hgrkit.evaluation.ranking import Relevance, rank
from hgrkit.indexing.clips import cut_clips
from hgrkit.indexing.feature_cache import CachedFeatures
from hgrkit.library.moments import cut_moment
from hgrkit.long_video import LongVideo, WindowSettings
from hgrkit.matching.packed import alignment
from hgrkit.matching.scenes import cut_scenes
from hgrkit.matching.windows import Windows
from hgrkit.model import HgrModel
from hgrkit.query.captions import EmbeddedCaptions
from hgrkit.retriever import Retriever
from hgrkit.scorer import settings_of

Float64 = npt.NDArray[np.float64]

FEWEST, MOST = 4, 8
CLIP_SECONDS = 30.0
SHORTEST_S = 3.0
KNOWN = "boundaries of the clips known"
MEASURES = [RankMeasure(name) for name in ("R@1", "R@5", "R@10", "MedR", "MeanR")]


@attrs.frozen
class Joined:
    """A long video: its clips, where each begins and ends, and its frames."""

    clips: tuple[str, ...]
    edges_s: tuple[float, ...]
    features: npt.NDArray[np.float32]
    times_s: Float64

    @classmethod
    def of(cls, clips: Sequence[str], kept: Mapping[str, CachedFeatures]) -> Joined:
        """Clips one after the other."""
        edges_s = np.cumsum([0.0, *(float(kept[clip].duration_s or 0) for clip in clips)])
        times_s = [kept[clip].times_s + start_s for clip, start_s in zip(clips, edges_s, strict=False)]
        return cls(
            tuple(clips),
            tuple(edges_s.tolist()),
            np.concatenate([kept[clip].features for clip in clips]),
            np.concatenate(times_s),
        )


def stretch(clip: CachedFeatures, random: np.random.Generator) -> CachedFeatures:
    """A random part of a clip, from `SHORTEST_S` to all of it."""
    duration_s = float(clip.duration_s or 0)
    length_s = float(np.exp(random.uniform(np.log(min(SHORTEST_S, duration_s)), np.log(duration_s))))
    start_s = float(random.uniform(0, duration_s - length_s))
    inside = (clip.times_s >= start_s) & (clip.times_s < start_s + length_s)
    return CachedFeatures(clip.times_s[inside] - start_s, clip.features[inside], length_s)


def join(clips: Sequence[str], random: np.random.Generator) -> list[list[str]]:
    """Clips in random order, four to eight at a time; a rest of fewer goes to the one before."""
    shuffled = [clips[place] for place in random.permutation(len(clips))]
    groups: list[list[str]] = []
    while shuffled:
        size = int(random.integers(FEWEST, MOST + 1))
        group, shuffled = shuffled[:size], shuffled[size:]
        if len(group) < FEWEST and groups:
            groups[-1] += group
        else:
            groups.append(group)
    return groups


@attrs.frozen
class Windowed:
    """Other windows than the usual ones, and other settings."""

    settings: WindowSettings
    kind: str = "scenes and scales"

    def windows(self, video: LongVideo) -> Windows:
        """What a video is scored by."""
        video = attrs.evolve(video, windows=self.settings)
        every = {
            "whole": Windows([0], [video.num_frames]),
            "scenes": video.scenes,
            "scales": Windows.at_scales(video.num_frames, shortest=self.settings.shortest),
        }
        return every.get(self.kind, video.candidates)

    def moments(self, video: LongVideo, captions: EmbeddedCaptions) -> Float64:
        """The best scene, or the best stretch of a long one."""
        return attrs.evolve(video, windows=self.settings).moments(captions.queries)


@attrs.frozen
class InClips:
    """A library's clips of at most 30 s: the best one is the hit, and the moment is cut from its frames.

    `aligned` cuts where the alignment weights are; `scenes` takes the clip's scene that fits best by actions and
    entities, which a library stores of every frame.
    """

    cut: str

    def windows(self, video: LongVideo) -> Windows:
        """The clips."""
        return self._clips(video)[0]

    def moments(self, video: LongVideo, captions: EmbeddedCaptions) -> Float64:
        """The moment in the best clip."""
        clips, times_s = self._clips(video)
        best = video.scores(captions.queries, clips).argmax(axis=0)
        found = np.empty((len(best), 2))
        for clip in np.unique(best).tolist():
            asked = np.flatnonzero(best == clip).tolist()
            queries = [captions.queries[place] for place in asked]
            part = slice(int(clips.starts[clip]), int(clips.stops[clip]))
            if self.cut == "scenes":
                scenes = cut_scenes(video.frames.entity[part])
                scenes = Windows(scenes.starts + part.start, scenes.stops + part.start)
                levels = video.levels(queries, scenes)
                fused = video.settings.fuse(attrs.evolve(levels, event=np.zeros_like(levels.event)))
                found[asked] = video.seconds(scenes)[fused.argmax(axis=0)]
                continue
            for place, query in zip(asked, queries, strict=True):
                nodes = [(video.frames.action[part], query.action), (video.frames.entity[part], query.entity)]
                weights = [alignment(frames, own)[0] for frames, own in nodes if len(own)]
                relevance = np.concatenate(weights).mean(axis=0)
                moment = cut_moment(
                    video_times(video)[part], relevance, start_s=times_s[clip][0], end_s=times_s[clip][1]
                )
                found[place] = moment.start_s, moment.end_s
        return found

    def _clips(self, video: LongVideo) -> tuple[Windows, list[tuple[float, float]]]:
        times_s = video_times(video)
        cut = cut_clips(times_s, float(np.asarray(video.bounds_s)[-1]), CLIP_SECONDS)
        windows = Windows([clip.frames.start for clip in cut], [clip.frames.stop for clip in cut])
        return windows, [(clip.start_s, clip.end_s) for clip in cut]


@attrs.frozen(eq=False)
class KnownBounds:
    """The clips themselves as windows: what could be reached if every boundary were known.

    Attributes:
        clips: by the identity of the video.
    """

    clips: Mapping[int, Windows]

    @classmethod
    def of(cls, videos: Sequence[LongVideo], joined: Sequence[Joined]) -> KnownBounds:
        """Which frames belong to which clip."""
        stops = [np.searchsorted(own.times_s, own.edges_s[1:]) for own in joined]
        return cls(
            {id(video): Windows(np.append(0, own[:-1]), own) for video, own in zip(videos, stops, strict=True)}
        )

    def windows(self, video: LongVideo) -> Windows:
        """The clips."""
        return self.clips[id(video)]

    def moments(self, video: LongVideo, captions: EmbeddedCaptions) -> Float64:
        """The best clip."""
        clips = self.clips[id(video)]
        found: Float64 = video.seconds(clips)[video.scores(captions.queries, clips).argmax(axis=0)]
        return found


def video_times(video: LongVideo) -> Float64:
    """The middles of the frames' times."""
    bounds_s = np.asarray(video.bounds_s)
    middles: Float64 = (bounds_s[1:] + bounds_s[:-1]) / 2
    return middles


USUAL = WindowSettings()
REPORTED: dict[str, WayToSearch] = {
    "scenes and scales (hgrkit)": BestWindow(),
    "fixed 10 s windows": FixedWindows(10.0),
    "fixed 5 s windows": FixedWindows(5.0),
    "fixed 20 s windows": FixedWindows(20.0),
    "whole video; stretch by contrast": Windowed(
        attrs.evolve(USUAL, scene_penalty=1e9, long_scene=1), kind="whole"
    ),
    "clips of 30 s; moment where the alignment is": InClips("aligned"),
    "clips of 30 s; best scene by action and entity": InClips("scenes"),
}
CHOICES: dict[str, WayToSearch] = {
    **{
        f"scene_penalty={penalty}": Windowed(attrs.evolve(USUAL, scene_penalty=penalty))
        for penalty in (2.0, 2.5, 3.0, 3.5, 4.0, 5.0)
    },
    **{
        f"long_scene={frames}": Windowed(attrs.evolve(USUAL, long_scene=frames))
        for frames in (16, 24, 30, 40, 60, 1000)
    },
    **{
        f"scored by {kind}, shortest={shortest}": Windowed(attrs.evolve(USUAL, shortest=shortest), kind=kind)
        for kind in ("scales", "scenes and scales")
        for shortest in (4, 8, 12, 16)
    },
    "scored by scenes": Windowed(USUAL, kind="scenes"),
    "scored by the whole video": Windowed(USUAL, kind="whole"),
    "fixed 10 s windows": FixedWindows(10.0),
}


@attrs.frozen(kw_only=True)
class Footage:
    """The clips' frames, their captions, and the model."""

    model: HgrModel
    kept: Mapping[str, CachedFeatures]
    captions: Captions
    read: EmbeddedCaptions
    fingerprint: str

    def half(self, choosing: bool) -> list[str]:
        """The clips for choosing, or those for reporting."""
        names = sorted(self.captions)
        return names[:FOR_CHOOSING] if choosing else names[FOR_CHOOSING:]

    def embed(self, joined: Joined) -> LongVideo:
        """A long video."""
        return LongVideo.embed(
            self.model,
            joined.features,
            settings=settings_of(self.model.matcher),
            windows=attrs.evolve(USUAL, max_frames=10_000),
            duration_s=joined.edges_s[-1],
            times_s=joined.times_s,
        )


def measure_round(
    footage: Footage, asked: Sequence[str], ways: Mapping[str, WayToSearch], seed: int, *, cut: bool
) -> dict[str, tuple[list[QueryRank], Float64]]:
    """Ranks and overlaps of every caption of some clips, in one round."""
    random = np.random.default_rng(seed)
    groups = [group for half in (True, False) for group in join(footage.half(half), random)]
    kept = {name: stretch(clip, random) for name, clip in footage.kept.items()} if cut else footage.kept
    joined = [Joined.of(group, kept) for group in groups]
    videos = [footage.embed(video) for video in joined]
    ways = {**ways, KNOWN: KnownBounds.of(videos, joined)}
    place = {clip: (row, number) for row, group in enumerate(groups) for number, clip in enumerate(group)}
    owners = [clip for clip, own in footage.captions.items() for _ in own]
    columns = np.array([column for column, owner in enumerate(owners) if owner in set(asked)], np.int64)
    own = [owners[column] for column in columns.tolist()]
    rows = np.array([place[clip][0] for clip in own], np.int64)
    gold = [joined[row].edges_s[number : number + 2] for row, number in (place[clip] for clip in own)]
    right = Relevance.from_pairs(np.arange(len(rows)), rows, (len(rows), len(videos)))
    names = [f"round {seed} video {row}" for row in range(len(videos))]
    found = {}
    scores = score_videos(len(videos), videos.__getitem__, footage.read, list(ways.values()))
    for (name, way), table in zip(ways.items(), scores, strict=True):
        ranking = rank(table[:, columns].T, right)
        ids = [f"round {seed} caption {column}" for column in columns.tolist()]
        ranks = query_ranks(ranking, "text_to_video", ids, videos=own, candidates=names)
        moments = find_moments(rows, columns, videos.__getitem__, footage.read, way)
        found[name] = (list(ranks), overlaps(moments, gold))
    return found


def measure_clips(
    footage: Footage, clips: Sequence[str], ways: Mapping[str, WayToSearch], rounds: int, *, cut: bool = False
) -> dict[str, Any]:
    """All rounds together; intervals keep a clip's captions of all rounds together."""
    parts = [measure_round(footage, clips, ways, seed, cut=cut) for seed in range(rounds)]
    measured = {}
    for name in parts[0]:
        ranks = [row for part in parts for row in part[name][0]]
        overlap = np.concatenate([part[name][1] for part in parts])
        clips = [row.video for row in ranks]
        first = np.where([row.rank == 1 for row in ranks], overlap, 0.0)
        measured[name] = {
            "text_to_video": report(ranks, MEASURES)["text_to_video"],
            "right_video_moments": moment_recall(overlap, clips).intervals(),
            "corpus_moments": moment_recall(first, clips).intervals(),
            "queries": len(ranks),
        }
    return measured


def times_fixed(measured: Mapping[str, Any]) -> float:
    """How many times the recall of moments of fixed 10 s windows ours is."""
    ours, fixed = (
        measured[name]["right_video_moments"]["R@1 IoU=0.5"]["value"]
        for name in ("scenes and scales (hgrkit)", "fixed 10 s windows")
    )
    return round(float(ours / fixed), 2)


def brief(measured: Mapping[str, Any]) -> dict[str, Any]:
    """What a choice is made by."""
    return {
        name: {
            "R@1": figures["text_to_video"]["R@1"]["value"],
            "moment R@1 IoU=0.5": figures["right_video_moments"]["R@1 IoU=0.5"]["value"],
        }
        for name, figures in measured.items()
    }


@contextmanager
def opened(data: Path, model: str, library: Path | None) -> Iterator[Footage]:
    """The clips, decoded into a scratch library or already in one."""
    captions = read_captions(data / "captions.json")
    with nullcontext() if library is not None else tempfile.TemporaryDirectory() as scratch:
        folder = library if library is not None else Path(str(scratch)) / "library"
        if library is None:
            with Retriever.create(folder, model=model) as retriever:
                retriever.index(data / "videos")
        with Retriever.open(folder, model=model, device="cpu") as retriever:
            kept = {PurePath(path).name: frames for path, frames in kept_frames(retriever.library, folder).items()}
            texts = [text for own in captions.values() for text in own]
            yield Footage(
                model=retriever.model,
                kept=kept,
                captions=captions,
                read=retriever.read(texts),
                fingerprint=retriever.library.manifest.model_fingerprint,
            )


def measure(data: Path, model: str, rounds: int, library: Path | None) -> dict[str, Any]:
    """Choose on one half, report on the other."""
    with opened(data, model, library) as footage:
        before = os.times()
        choosing, reporting = footage.half(True), footage.half(False)
        chosen = brief(measure_clips(footage, choosing, CHOICES, rounds))
        reported = measure_clips(footage, reporting, REPORTED, rounds)
        every = brief(measure_clips(footage, [*choosing, *reporting], REPORTED, rounds))
        cut = measure_clips(footage, reporting, REPORTED, rounds, cut=True)
        seconds = sum(os.times()[:2]) - sum(before[:2])
        groups = [join(half, np.random.default_rng(0)) for half in (choosing, reporting)]
    return {
        "command": "python benchmarks/joined_clips.py",
        "machine": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "versions": {"hgrkit": hgrkit.__version__, "numpy": np.__version__},
        "model": {"name": model, "fingerprint": footage.fingerprint},
        "seeds": list(range(rounds)),
        "videos a round, about": sum(map(len, groups)),
        "captions that cannot be read": len(footage.read.failures),
        "cpu_s": round(seconds, 1),
        "settings": attrs.asdict(USUAL),
        "moment R@1 IoU=0.5, times that of fixed 10 s windows": {
            "for reporting": times_fixed(reported),
            "clips cut, for reporting": times_fixed(cut),
        },
        "for reporting": reported,
        "all clips": every,
        "clips cut, for reporting": cut,
        "for choosing": chosen,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="default")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--library", type=Path, help="the clips, if they are indexed already")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    text = json.dumps(measure(options.data, options.model, options.rounds, options.library), indent=1)
    print(text)
    if options.out is not None:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(text + "\n")
