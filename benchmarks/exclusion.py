"""What excluding does: of two real clips of a subject, the one without the thing should rank above the other.

Clips and captions of MSR-VTT's frames and of the 98 MSVD clips; `exclusion_pairs.py` says how pairs are drawn. The
weight and the number of candidates were chosen on other clips than those that are reported. The first version took
what is excluded as asked for: the same graphs, with nothing excluded.

    python benchmarks/exclusion.py --data DATA --cache FOLDER --before ../before \
        --out benchmarks/results/exclusion.json

`--before` is a checkout from before exclusion (`git worktree add ../before COMMIT`): questions that exclude
nothing are put to both, and their scores compared.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import numpy as np
from exclusion_pairs import SUBJECTS, THINGS, CaptionedClip, ClipPair, draw_pairs, part_of, read_clips
from real_clips import picture_features, read_captions_of_videos, read_videos
from result_file import arguments, described, model_described, write_result

from hgrkit import Retriever, RoleGraph
from hgrkit.graph import all_wanted
from hgrkit.levels import LEVELS
from hgrkit.library import ClipEmbeddings, Entry, VideoRecord, scoring
from hgrkit.model.scorer import embed_features
from hgrkit.results import SearchResult
from hgrkit.video.frame_encoder import load_frame_encoder

WEIGHTS = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0)
CANDIDATES = (20, 40, 80, 160, 320, 640, 1280)
ENCODER = "efficientnet-lite2"
OF_SUBJECT = 0.3
"""Share of its captions that makes a clip of the first ten one of the subject, or one with the thing."""

Ask = Callable[..., SearchResult]

ANSWER_BEFORE = """
import json, sys
from hgrkit import Retriever, RoleGraph
library, graphs = json.load(sys.stdin)
with Retriever.open(library) as retriever:
    results = [retriever.search(RoleGraph.from_dict(graph), k=10, exact=True) for graph in graphs]
print(json.dumps([[[hit.video, hit.start_s, hit.end_s, hit.score] for hit in result.hits] for result in results]))
"""


@attrs.frozen(kw_only=True, eq=False)
class Clips:
    """A library, its clips with their captions, and pairs of them.

    Attributes:
        retriever: of the library.
        folder: the library.
        paths: of the clips, by their names.
        pairs: to decide.
        subject_shares: of each subject, by path, the share of a clip's captions that name it.
        thing_shares: the same of each thing.
    """

    retriever: Retriever
    folder: Path
    paths: dict[str, str]
    pairs: list[ClipPair]
    subject_shares: dict[str, dict[str, float]]
    thing_shares: dict[str, dict[str, float]]


@contextmanager
def opened(options: Any, *, reporting: bool) -> Iterator[Clips]:
    """Make a library of one part of the clips."""
    captioned = read_clips(options.data, reporting=reporting)
    msvd = [options.data / "msvd/videos" / clip.name for clip in captioned if clip.name.endswith(".mp4")]
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "library"
        with Retriever.create(folder, device="cpu") as retriever:
            retriever.index(*msvd)
            retriever.library.add_all(list(entries(retriever, options, part_of(reporting=reporting))))
        with Retriever.open(folder) as retriever:
            paths = {Path(path).name: path for path in retriever.library.indexed_paths()}
            yield Clips(
                retriever=retriever,
                folder=folder,
                paths=paths,
                pairs=draw_pairs(captioned, options.pairs, options.seed),
                subject_shares={name: shares(captioned, paths, rows) for name, rows in SUBJECTS.items()},
                thing_shares={name: shares(captioned, paths, [thing.words]) for name, thing in THINGS.items()},
            )


def entries(retriever: Retriever, options: Any, part: str) -> Iterator[Entry]:
    """MSR-VTT's videos of a part, each as one clip of the frames that there are."""
    videos = read_videos(options.data, part)
    names = [name for video in videos for name in video["frames"]]
    archive = options.data / f"msrvtt_frames/frames_{part}.zip"
    encoder = load_frame_encoder(ENCODER, device="cpu")
    options.cache.mkdir(parents=True, exist_ok=True)
    features = iter(picture_features(archive, names, options.cache / f"msrvtt_{part}.npz", encoder))
    for video in videos:
        frames = np.stack([next(features) for _ in video["frames"]])
        embedded = embed_features(retriever.model, frames)
        times_s = np.arange(len(frames)) + 0.5
        vectors = {level: embedded[level] for level in LEVELS}
        clip = ClipEmbeddings(start_s=0, end_s=len(frames), times_s=times_s, **vectors)
        yield Entry(VideoRecord(path=f"/msrvtt/{video['video']}", content="", size=1, mtime_ns=1), [clip])


def shares(clips: Sequence[CaptionedClip], paths: dict[str, str], rows: Sequence[str]) -> dict[str, float]:
    """Of each clip's captions, those that have a word of each row; by its path."""
    return {paths[clip.name]: clip.share(rows) for clip in clips}


# how questions are put ------------------------------------------------------------------------------------------


def sentences(pair: ClipPair) -> dict[str, str]:
    """The ways to say it; "not playing a guitar" where the thing has a verb."""
    verb, bare = THINGS[pair.thing].verb, pair.thing.removeprefix("an ").removeprefix("a ")
    found = {
        "without a guitar": f"{pair.subject} without {pair.thing}",
        "with no guitar": f"{pair.subject} with no {bare}",
        "but no guitar": f"{pair.subject} but no {bare}",
    }
    return found if verb is None else {**found, "not playing a guitar": f"{pair.subject} not {verb} {pair.thing}"}


def as_before(retriever: Retriever, text: str) -> RoleGraph:
    """A sentence as the first version took it: nothing is excluded."""
    (graph,) = retriever.parser.parse_batch([text])
    return all_wanted(graph)


def asked_as_before(clips: Clips, pair: ClipPair, way: str) -> Ask:
    graph = as_before(clips.retriever, sentences(pair)[way])
    return lambda **settings: clips.retriever.search(graph, **settings)


def asked_now(clips: Clips, pair: ClipPair, way: str) -> Ask:
    return lambda **settings: clips.retriever.search(sentences(pair)[way], **settings)


def asked_by_hand(clips: Clips, pair: ClipPair) -> Ask:
    return lambda **settings: clips.retriever.search(pair.subject, without=[pair.thing], **settings)


# what is measured -----------------------------------------------------------------------------------------------


def right_pairs(clips: Clips, asks: Sequence[tuple[ClipPair, Ask]]) -> dict[str, Any]:
    """In how many pairs the clip without the thing comes first."""
    right = 0
    for pair, ask in asks:
        best, other = ask(k=2, videos=[clips.paths[pair.shows], clips.paths[pair.lacks]]).hits
        right += best.video == clips.paths[pair.lacks] and best.score > other.score
    return {"pairs": len(asks), "right": right, "percent": round(100 * right / max(1, len(asks)), 1)}


def first_ten(clips: Clips, asks: Sequence[tuple[ClipPair, Ask]]) -> dict[str, float]:
    """Of the first ten of all clips, in per cent: of the subject and without the thing, and with the thing."""
    good, bad = [], []
    for pair, ask in asks:
        found = [hit.video for hit in ask(k=10, exact=True).hits]
        subject, thing = clips.subject_shares[pair.subject], clips.thing_shares[pair.thing]
        good += [subject[video] >= OF_SUBJECT and not thing[video] for video in found]
        bad += [thing[video] >= OF_SUBJECT for video in found]
    return {
        "of the subject, without the thing": round(100 * float(np.mean(good)), 1),
        "with the thing": round(100 * float(np.mean(bad)), 1),
    }


def both(clips: Clips, asks: Sequence[tuple[ClipPair, Ask]]) -> dict[str, Any]:
    return {**right_pairs(clips, asks), "first ten": first_ten(clips, asks)}


def compare(clips: Clips) -> dict[str, Any]:
    """Every way to ask, beside the first version."""
    by_hand = [(pair, asked_by_hand(clips, pair)) for pair in clips.pairs]
    subject = [
        (pair, lambda pair=pair, **given: clips.retriever.search(pair.subject, **given)) for pair in clips.pairs
    ]
    result: dict[str, Any] = {
        "subjects": len({pair.subject for pair in clips.pairs}),
        "things": len({pair.thing for pair in clips.pairs}),
        "the subject alone": both(clips, subject),
        "by hand": both(clips, by_hand),
    }
    for way in sentences(next(pair for pair in clips.pairs if THINGS[pair.thing].verb)):
        pairs = [pair for pair in clips.pairs if way in sentences(pair)]
        graphs = clips.retriever.parser.parse_batch([sentences(pair)[way] for pair in pairs])
        result[way] = {
            "read as excluding": sum(any(node.excluded for node in graph.nodes) for graph in graphs),
            "first version": both(clips, [(pair, asked_as_before(clips, pair, way)) for pair in pairs]),
            "by sentence": both(clips, [(pair, asked_now(clips, pair, way)) for pair in pairs]),
        }
    return result


def by_weight(clips: Clips) -> dict[str, Any]:
    """What each weight does, asked by hand."""
    usual = scoring.EXCLUDED_WEIGHT
    found = {}
    try:
        for weight in WEIGHTS:
            scoring.EXCLUDED_WEIGHT = weight
            found[f"{weight:g}"] = both(clips, [(pair, asked_by_hand(clips, pair)) for pair in clips.pairs])
    finally:
        scoring.EXCLUDED_WEIGHT = usual
    return found


def by_candidates(clips: Clips) -> dict[str, Any]:
    """How many of the exact first ten are found among so many candidates: asked by hand, and the subject alone."""

    def recall(number: int, without: Callable[[ClipPair], Sequence[str]]) -> float:
        found = []
        for pair in clips.pairs:
            question: dict[str, Any] = {"query": pair.subject, "k": 10, "without": without(pair)}
            exact = {hit.video for hit in clips.retriever.search(**question, exact=True).hits}
            some = {hit.video for hit in clips.retriever.search(**question, num_candidates=number).hits}
            found.append(len(exact & some) / len(exact))
        return round(float(np.mean(found)), 4)

    return {
        str(number): {
            "excluding": recall(number, lambda pair: [pair.thing]),
            "the subject alone": recall(number, lambda _: ()),
        }
        for number in CANDIDATES
    }


def unchanged(clips: Clips, options: Any) -> dict[str, Any]:
    """Captions that exclude nothing, put to this checkout and to the one before: do hits and scores differ?"""
    captions = read_captions_of_videos(options.data, 300, options.seed)
    parsed = clips.retriever.parser.parse_batch(captions)
    graphs = [graph for graph in parsed if not any(node.excluded for node in graph.nodes)]
    now = [
        [[hit.video, hit.start_s, hit.end_s, hit.score] for hit in result.hits]
        for result in (clips.retriever.search(graph, k=10, exact=True) for graph in graphs)
    ]
    done = subprocess.run(
        [sys.executable, "-c", ANSWER_BEFORE],
        input=json.dumps([str(clips.folder), [graph.to_dict() for graph in graphs]]),
        env={**os.environ, "PYTHONPATH": str(options.before.resolve())},
        capture_output=True,
        text=True,
        check=True,
    )
    before = json.loads(done.stdout)
    return {
        "questions": len(graphs),
        "hits": sum(map(len, now)),
        "equal questions": sum(map(list.__eq__, now, before)),
    }


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--before", type=Path, required=True)
    parser.add_argument("--pairs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with opened(options, reporting=False) as clips:
        choosing = {
            "clips": len(clips.paths),
            "by weight": by_weight(clips),
            "exact first ten by candidates": by_candidates(clips),
        }
    with opened(options, reporting=True) as clips:
        reporting = {
            "clips": len(clips.paths),
            **compare(clips),
            "questions that exclude nothing": unchanged(clips, options),
        }
    model = {"model": model_described("default"), "weight": scoring.EXCLUDED_WEIGHT}
    write_result(
        {**described(options, seed=options.seed), **model, "for choosing": choosing, "for reporting": reporting},
        options.out,
    )
