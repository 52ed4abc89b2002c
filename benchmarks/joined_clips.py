"""Partially relevant retrieval on real footage: 98 MSVD clips joined to long videos, whose captions are moments.

A round shuffles the clips and joins four to eight at a time. A caption then describes the interval of its clip,
and all videos of the round are candidates. The first 49 clips by name are for choosing, the rest for reporting; no
video holds clips of both halves. Joining concatenates what was decoded of each clip. MSVD's clips are 10 s long
on average, which suits fixed windows of 10 s. So the same is measured with clips that were cut to a random
stretch, from 3 s to all of the clip, evenly on a logarithmic scale.

    python benchmarks/joined_clips.py --data DATA/msvd --out benchmarks/results/joined_clips.json
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path, PurePath
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
from joined_videos import Joined, join, stretch
from msvd_98 import for_choosing, for_reporting
from result_file import arguments, described, write_result
from ways_to_search import CHOICES, REPORTED, USUAL, KnownBounds

from hgrkit.indexing.feature_cache import CachedFeatures, kept_frames
from hgrkit.library import Manifest
from hgrkit.model.hgr_model import HgrModel
from hgrkit.model.long_video import LongVideo
from hgrkit.model.query.encoder import EmbeddedCaptions
from hgrkit.model.scorer import settings_of
from hgrkit.research.evaluation.bootstrap import estimate
from hgrkit.research.evaluation.captions import Captions, read_captions
from hgrkit.research.evaluation.long_video_search import WayToSearch, find_moments, score_videos
from hgrkit.research.evaluation.measures import RankMeasure
from hgrkit.research.evaluation.partially_relevant import moment_recall, overlaps
from hgrkit.research.evaluation.rank_file import QueryRank
from hgrkit.research.evaluation.ranking import Relevance
from hgrkit.research.evaluation.retrieval import GroundTruth, rank_queries
from hgrkit.retriever import Retriever

Float64 = npt.NDArray[np.float64]

KNOWN = "boundaries of the clips known"
MEASURES = [RankMeasure(name) for name in ("R@1", "R@5", "R@10", "MedR", "MeanR")]


@attrs.frozen(kw_only=True)
class Footage:
    """The clips' frames, their captions, and the model."""

    model: HgrModel
    kept: Mapping[str, CachedFeatures]
    captions: Captions
    read: EmbeddedCaptions
    manifest: Manifest

    def half(self, choosing: bool) -> list[str]:
        """The clips for choosing, or those for reporting."""
        return for_choosing(self.captions) if choosing else for_reporting(self.captions)

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
    rng = np.random.default_rng(seed)
    groups = [group for half in (True, False) for group in join(footage.half(half), rng)]
    kept = {name: stretch(clip, rng) for name, clip in footage.kept.items()} if cut else footage.kept
    joined = [Joined.of(group, kept) for group in groups]
    videos = [footage.embed(video) for video in joined]
    ways = {**ways, KNOWN: KnownBounds.of(videos, joined)}
    place = {clip: (row, number) for row, group in enumerate(groups) for number, clip in enumerate(group)}
    owners = [clip for clip, own in footage.captions.items() for _ in own]
    columns = np.array([column for column, owner in enumerate(owners) if owner in set(asked)], np.int64)
    own = [owners[column] for column in columns.tolist()]
    rows = np.array([place[clip][0] for clip in own], np.int64)
    gold = [joined[row].edges_s[number : number + 2] for row, number in (place[clip] for clip in own)]
    truth = GroundTruth(
        videos=[f"round {seed} video {row}" for row in range(len(videos))],
        ids=[f"round {seed} caption {column}" for column in columns.tolist()],
        captions=[""] * len(rows),
        owners=own,
        relevance=Relevance.from_pairs(np.arange(len(rows)), rows, (len(rows), len(videos))),
        columns=columns,
    )
    found = {}
    scores = score_videos(len(videos), videos.__getitem__, footage.read, list(ways.values()))
    for (name, way), table in zip(ways.items(), scores, strict=True):
        ranks = rank_queries(table, truth, both_directions=False)
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
            "text_to_video": estimate(ranks, MEASURES).to_dict()["text_to_video"],
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
                manifest=retriever.library.manifest,
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
        "model": {"name": model, "fingerprint": footage.manifest.model_fingerprint},
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
    parser = arguments(__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="default")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--library", type=Path, help="the clips, if they are indexed already")
    options = parser.parse_args()
    measured = measure(options.data, options.model, options.rounds, options.library)
    write_result({**described(options), **measured}, options.out)
