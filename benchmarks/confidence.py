"""Is the first hit right, and does anything match? How far the default model's confidence can be trusted.

    python benchmarks/confidence.py --data DATA --features CACHE --out benchmarks/results/confidence.json
        --curve docs/_static/confidence.svg

Three sets that nothing of the calibration was fitted on: 98 clips of MSVD as they are indexed, MSR-VTT's test
videos that there are frames of, and Flickr8k's test photographs. Libraries of several sizes are drawn from each,
and asked with the captions of their own clips. An answer is right if its first hit is the caption's own clip,
although others may fit a caption such as "a man is singing" as well: no confidence can tell which one is meant.

- `right`: area under the curve of right against wrong first hits, by the confidence, by the margin to the next
  four videos and by the score alone, and the expected calibration error (10 bins of equal width);
- `removed`: the same area for questions against themselves, when the clip that is meant has been taken out. Where
  another clip is first, that changes nothing: `bound` is what a perfect judge of first hits would reach;
- `absent`: captions of the other sets none of whose nouns is said of the library's clips. How many of them are
  told to match (false alarms), how many right first hits are (kept), and false alarms where 85 % are kept;
- `short`: `right` and `absent` for short questions ("a dog", "cooking", "slicing vegetables", "a man in a
  kitchen"), which the captions of all sets make. A clip answers one if at least two of its captions mention it;
  questions that no caption of a library mentions ask for what is not there.

Intervals are 95 %, by a bootstrap over the clips that are asked for, and over the short questions.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
from flickr8k import read_part
from real_clips import picture_features, read_videos
from result_file import arguments, described, model_described, write_result

from hgrkit.indexing.feature_cache import kept_frames
from hgrkit.library.rivals import Rivals
from hgrkit.model.calibration import FEATURES, Calibration, lengths_of
from hgrkit.model.loaded import LoadedModel
from hgrkit.pages.chart import Axis, draw_chart, quarters
from hgrkit.research.evaluation.captions import read_captions
from hgrkit.research.training.calibrate import asked_clips, with_short_questions
from hgrkit.research.training.calibration import (
    AskedClips,
    Outcome,
    absent_questions,
    ask,
    short_questions_for,
    some_clips,
)
from hgrkit.research.training.clips import CaptionedClips
from hgrkit.retriever import Retriever
from hgrkit.video.frame_encoder import load_frame_encoder

SIZES = (20, 98, 300, 714, 1000)
QUESTIONS, ABSENT, DRAWS, CAPTIONS, SEED, BINS, RESAMPLED, TIMED = 1000, 200, 5, 5, 0, 10, 500, 300
SHORT = 1500
"""Short questions of each kind, at most."""

KEPT, CURVE_OF = 0.85, 98
CURVES = f"curves of libraries of {CURVE_OF}"

Float64 = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


def read_sets(data: Path, cache: Path, loaded: LoadedModel) -> list[AskedClips]:
    """The three sets as the model embeds them."""
    encoder = load_frame_encoder(loaded.config.origin.frame_encoder or "", device="cpu")
    videos = read_videos(data, "test")
    names = [name for video in videos for name in video["frames"]]
    cache.mkdir(parents=True, exist_ok=True)
    features = picture_features(data / "msrvtt_frames/frames_test.zip", names, cache / "msrvtt_test.npz", encoder)
    ends = np.cumsum([len(video["frames"]) for video in videos])
    ids = [str(video["video"]) for video in videos]
    rng = np.random.default_rng(SEED)
    said = [sorted(set(video["captions"])) for video in videos]
    drawn = [[own[place] for place in rng.permutation(len(own))] for own in said]
    msrvtt = dict(zip(ids, np.split(features, ends[:-1]), strict=True))
    flickr = read_part(data / "flickr8k", "test", encoder)
    msvd = read_captions(data / "msvd/captions.json")
    clips = {
        "MSVD": CaptionedClips.of(msvd, _msvd_features(data / "msvd/videos"), parser="lark"),
        "MSR-VTT": CaptionedClips.of(dict(zip(ids, drawn, strict=True)), msrvtt, parser="lark"),
        "Flickr8k": CaptionedClips.of(flickr.captions, flickr.features, parser="lark"),
    }
    limits = {"MSR-VTT": CAPTIONS}  # the others tell what its clips show
    sets = [asked_clips(loaded, name, own, captions=limits.get(name)) for name, own in clips.items()]
    return with_short_questions(loaded, sets, list(clips.values()), each=SHORT, seed=SEED)


def _msvd_features(videos: Path) -> dict[str, npt.NDArray[np.float32]]:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "library"
        with Retriever.create(folder) as retriever:
            retriever.index(videos)
        with Retriever.open(folder, device="cpu") as retriever:
            kept = kept_frames(retriever.library, folder)
            return {PurePath(path).name: np.asarray(frames.features) for path, frames in kept.items()}


@attrs.frozen(kw_only=True, eq=False)
class Answers:
    """First hits of libraries of one size.

    Attributes:
        own: of questions about clips that are there, and the clip that each asks for.
        without: the same with the clip taken out.
        absent: of questions about what is not there.
        short: of short questions.
        short_absent: of short questions about what is not there.
    """

    own: Outcome
    clips: npt.NDArray[np.int64]
    without: Outcome
    absent: Outcome | None
    short: Outcome
    short_absent: Outcome | None


def answers(
    calibration: Calibration, asked: AskedClips, every: Sequence[AskedClips], loaded: LoadedModel, size: int
) -> Answers:
    """Ask libraries that are drawn from a set."""
    search = loaded.query_side.settings
    count = len(asked.clips.event)
    draws = DRAWS if size < count else 1
    own, without, absent, clips = list[Outcome](), list[Outcome](), list[Outcome](), []
    short: dict[bool, list[Outcome]] = {True: [], False: []}
    for draw in range(draws):
        rng = np.random.default_rng([SEED, size, draw])
        library = np.sort(rng.permutation(count)[:size])
        there = rng.permutation(np.flatnonzero(np.isin(asked.owners, library)))[: QUESTIONS // draws]
        queries = [asked.queries[place] for place in there.tolist()]
        fits = asked.owners[there, None] == library
        some = some_clips(asked.clips, library)
        own.append(ask(calibration, some, queries, fits, search))
        without.append(ask(calibration, some, queries, fits, search, without_own=True))
        clips.append(asked.owners[there])
        others = absent_questions(asked, library, [one for one in every if one is not asked])
        others = [others[place] for place in rng.permutation(len(others))[:ABSENT]]
        if others:
            absent.append(ask(calibration, some, others, None, search))
        for questions, answered in short_questions_for(asked, library, rng, QUESTIONS // draws):
            short[answered is not None].append(ask(calibration, some, questions, answered, search))
    return Answers(
        own=_together(own),
        without=_together(without),
        absent=_together(absent) if absent else None,
        clips=np.concatenate(clips),
        short=_together(short[True]),
        short_absent=_together(short[False]) if short[False] else None,
    )


def _together(parts: Sequence[Outcome]) -> Outcome:
    return attrs.evolve(
        parts[0],
        features=np.concatenate([part.features[:, 0] for part in parts]),
        scores=np.concatenate([part.scores[:, 0] for part in parts]),
        right=np.concatenate([part.right[:, 0] for part in parts]),
        lengths=np.concatenate([part.lengths for part in parts]),
    )


def matching_of(calibration: Calibration, found: Outcome) -> Float64:
    """How much speaks for the first hits showing what was asked."""
    return calibration.matching(found.features, found.lengths)


def measure_size(calibration: Calibration, found: Answers) -> dict[str, Any]:
    """All figures of one size."""
    own, without = found.own, found.without
    before, after = matching_of(calibration, own), matching_of(calibration, without)
    measured = measure_right(calibration, own, found.clips)
    measured["removed"] = {
        "confidence": against(*(calibration.confidences(one.features, one.lengths) for one in (own, without))),
        "matching": against(before, after),
        "score": against(own.scores, without.scores),
        "bound": 0.5 + float(own.right.mean()) / 2,
    }
    measured["short"] = measure_right(calibration, found.short, np.arange(len(found.short.right)))
    for figures, there, absent in (
        (measured, own, found.absent),
        (measured["short"], found.short, found.short_absent),
    ):
        if absent is not None:
            matching = matching_of(calibration, there)[there.right]
            figures["absent"] = measure_absent(matching, matching_of(calibration, absent))
    return measured


def measure_right(calibration: Calibration, found: Outcome, clips: npt.NDArray[np.int64]) -> dict[str, Any]:
    """How well right first hits are told from wrong ones; `clips` are what is drawn for the interval."""
    confidence, right = calibration.confidences(found.features, found.lengths), found.right
    rng = np.random.default_rng(SEED)
    intervals = bootstrap(clips, lambda rows: [area(confidence[rows], right[rows])], rng)
    return {
        "questions": len(right),
        "R@1": float(right.mean()),
        "right": {
            "confidence": area(confidence, right),
            "interval": intervals[0],
            "margin": area(found.features[:, FEATURES.index("margin")], right),
            "score": area(found.scores, right),
            "calibration error": calibration_error(confidence, right),
        },
    }


def measure_absent(kept: Float64, absent: Float64) -> dict[str, Any]:
    """Right first hits against those of questions for what is not there, by how much speaks for a match."""
    return {
        "questions": len(absent),
        "kept": float((kept >= 0).mean()),
        "false alarms": float((absent >= 0).mean()),
        f"false alarms at {KEPT} kept": float((absent >= np.quantile(kept, 1 - KEPT)).mean()),
        "area": against(kept, absent),
    }


def area(values: Float64, positive: Flags) -> float:
    """Share of pairs of a positive and a negative in which the positive has the higher value; ties count half."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(count) - (count - 1) / 2)[place]
    n = int(positive.sum())
    total = n * (len(values) - n)
    return float((ranks[positive].sum() - n * (n + 1) / 2) / total) if total else float("nan")


def against(higher: Float64, lower: Float64) -> float:
    """The area for what should be higher against what should be lower."""
    return area(np.concatenate([higher, lower]), np.arange(len(higher) + len(lower)) < len(higher))


def calibration_error(confidence: Float64, right: Flags) -> float:
    """Mean distance of confidence and share of right hits over bins of equal width, weighted by their counts."""
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    return float(
        sum(abs((confidence - right)[bins == one].mean()) * (bins == one).mean() for one in np.unique(bins))
    )


def bootstrap(clips: npt.NDArray[np.int64], figures: Any, rng: np.random.Generator) -> list[list[float]]:
    """95 % intervals of figures of rows, drawing clips with all their rows."""
    rows = [np.flatnonzero(clips == clip) for clip in np.unique(clips)]
    drawn = [
        figures(np.concatenate([rows[place] for place in rng.integers(len(rows), size=len(rows))]))
        for _ in range(RESAMPLED)
    ]
    low, high = np.nanpercentile(np.array(drawn), [2.5, 97.5], axis=0)
    return [[float(one), float(other)] for one, other in zip(low, high, strict=True)]


def curve(kept: Float64, absent: Float64) -> list[tuple[float, float]]:
    """False alarms and kept right hits, from no match to all."""
    thresholds = np.quantile(np.concatenate([kept, absent]), np.linspace(1, 0, 61))
    return [(float((absent >= one).mean()), float((kept >= one).mean())) for one in thresholds]


def time_judging(calibration: Calibration, asked: AskedClips) -> float:
    """Median milliseconds of the processor for ten hits of a question."""
    rng = np.random.default_rng(SEED)
    events = np.resize(asked.clips.event, (50, asked.clips.event.shape[1])).astype(np.float32)
    scores = np.sort(rng.random(50))[::-1]
    rivals = Rivals(videos=[], scores=scores, actions=scores, events=events, num_clips=1000)
    took = []
    for query in asked.queries[:TIMED]:
        before = time.process_time()
        features = calibration.features(query.event, rivals, np.arange(10))
        lengths = lengths_of([query])
        calibration.confidences(features, lengths), calibration.matching(features, lengths)
        took.append(1000 * (time.process_time() - before))
    return float(np.median(took))


def measure(data: Path, cache: Path, model: str) -> dict[str, Any]:
    """All figures, and the curves of libraries of one size."""
    loaded = LoadedModel.load(model, device="cpu")
    calibration = loaded.calibration
    if calibration is None:
        raise SystemExit(f"the model {model!r} is not calibrated")
    sets = read_sets(data, cache, loaded)
    figures: dict[str, Any] = {}
    curves = {}
    for asked in sets:
        figures[asked.name] = {}
        for size in SIZES:
            if size > len(asked.clips.event):
                continue
            found = answers(calibration, asked, sets, loaded, size)
            figures[asked.name][str(size)] = measure_size(calibration, found)
            if size == CURVE_OF and found.absent is not None:
                matching = matching_of(calibration, found.own)[found.own.right]
                curves[asked.name] = curve(matching, matching_of(calibration, found.absent))
    return {
        "calibration": calibration.about,
        "judging, ms of the processor": time_judging(calibration, sets[0]),
        "sets": figures,
        CURVES: curves,
    }


def draw(result: Mapping[str, Any]) -> str:
    """False alarms against kept right hits; dots are the thresholds that ship."""
    curves = result[CURVES]
    shipped = {name: result["sets"][name][str(CURVE_OF)]["absent"] for name in curves}
    kinds = dict(zip(curves, ("forward", "backward", "third"), strict=False))
    return draw_chart(
        "Told to match: right first hits against questions for what is not there",
        bottom=Axis("questions for what no clip shows that are told to match (false alarms)", quarters(0, 1)),
        left=Axis("right first hits that are told to match", quarters(0, 1)),
        lines=[(kinds[name], points) for name, points in curves.items()] + [("random", [(0.0, 0.0), (1.0, 1.0)])],
        dots=[(kinds[name], (of["false alarms"], of["kept"]), name, 5) for name, of in shipped.items()],
        standalone=True,
    )


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder of msvd, msrvtt_frames and flickr8k")
    parser.add_argument("--features", type=Path, required=True, help="a folder for features, encoded once")
    parser.add_argument("--model", default="default")
    parser.add_argument("--curve", type=Path, help="draw false alarms against kept hits into this file")
    options = parser.parse_args()
    measured = measure(options.data, options.features, options.model)
    if options.curve is not None:
        options.curve.write_text(draw(measured), encoding="utf-8")
    told = {**described(options, seed=SEED), "model": model_described(options.model)}
    write_result({**told, **measured}, options.out)
