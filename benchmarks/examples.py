"""Examples as questions: how often a frame or an altered copy finds its video, and copies are found as duplicates.

The 98 MSVD clips are indexed; frames and copies of them are made with FFmpeg. Distractors are the videos of
`msrvtt_frames`, as short clips. The first 49 clips by name are for choosing, the rest for reporting; all are
candidates.

    python benchmarks/examples.py --data DATA --work WORK --out benchmarks/results/examples.json
"""

from __future__ import annotations

import io
import itertools
import json
import shutil
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import av
import numpy as np
from copies import COPIES, FRAMES, make_copies
from msvd_98 import for_choosing
from result_file import arguments, described, model_described, write_result

import hgrkit
from hgrkit.indexing.example import ExampleReader
from hgrkit.indexing.library_writer import ClipWindow, embed_clips
from hgrkit.library import ClipEmbeddings, Entry, Library, QueryEmbeddings, SearchSettings, VideoRecord
from hgrkit.library.duplicates import DuplicateGroup, find_duplicates
from hgrkit.library.example import MOST_FRAMES, example_of
from hgrkit.library.records import Float32
from hgrkit.library.scoring import LIKE_WEIGHT, ClipSet
from hgrkit.model.loaded import LoadedModel
from hgrkit.model.query.encoder import read_captions
from hgrkit.parsing.registry import find_parser
from hgrkit.video.frame_encoder import encode_frames, frame_size_of, load_frame_encoder
from hgrkit.video.picture import PictureScaler

FRAME_COUNTS = (1, 4, 8, 16)
LIKE_WEIGHTS = (0.0, 0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 1.0)
THRESHOLDS = (0.35, 0.4, 0.45)

WANTED = 5
"""Hits of a search."""

CLIPS: dict[Path, list[ClipEmbeddings]] = {}
"""Of files that were decoded."""

Ranks = Mapping[str, int]
"""Of each example's own video; one more than there are hits if it is none of them."""


def measure(data: Path, work: Path, seed: int) -> dict[str, Any]:
    """Do all of it; what took long stays in the folder `work`."""
    videos = sorted((data / "msvd" / "videos").iterdir())
    made = make_copies(videos, work / "copies", seed=seed)
    if not (work / "library").exists():
        with hgrkit.Retriever.create(work / "library", device="cpu") as retriever:
            retriever.index(data / "msvd" / "videos")
    for kind in COPIES:
        index_copies(work / "copies" / kind, work)
    features = {part: frame_features(data / "msrvtt_frames", work, part) for part in ("train", "test")}
    model = LoadedModel.load("default", device="cpu")
    with Library.open(work / "library") as library:
        larger = with_others(library, work / "larger", distractors(model, features))
        reader = ExampleReader(library, model)
        found = {"98 videos": library, f"{len(larger.videos()):,} videos": larger}
        return {
            "like": {
                name: {kind: both_halves(ranks(one, reader, model, made[kind])) for kind in (*FRAMES, *COPIES)}
                for name, one in found.items()
            },
            "settings, R@1 for choosing": by_settings(larger, reader, model, made),
            "words and a frame": {part: words_and_frame(model, features, part) for part in ("val", "test")},
            "describe": describe(work / "library", data / "msvd" / "captions.json"),
            "duplicates": duplicates(library, reader, made, work),
        }


def fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    return folder


# libraries -----------------------------------------------------------------------------------------------------


@attrs.frozen
class Frames:
    """A video of `msrvtt_frames`: its part, its captions and the features of its frames, [F, K]."""

    part: str
    captions: Sequence[str]
    features: Float32


def frame_features(data: Path, work: Path, split: str) -> list[Frames]:
    """The videos of a split, with the features of their frames by the default frame encoder."""
    kept = work / f"msrvtt_{split}.npy"
    records = [json.loads(line) for line in (data / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()]
    if not kept.exists():
        encoder = load_frame_encoder("efficientnet-lite2", device="cpu")
        scale = PictureScaler(frame_size_of(encoder))
        with zipfile.ZipFile(data / f"frames_{split}.zip") as archive:
            names = [name for record in records for name in record["frames"]]
            rows = [encode_frames(encoder, scale(picture(archive.read(name)))[None]) for name in names]
        np.save(kept, np.concatenate(rows).astype(np.float16))
    every = np.load(kept).astype(np.float32)
    ends = np.cumsum([len(record["frames"]) for record in records])
    parts = np.split(every, ends[:-1])
    return [Frames(record["part"], record["captions"], part) for record, part in zip(records, parts, strict=True)]


def picture(data: bytes) -> av.VideoFrame:
    with av.open(io.BytesIO(data)) as container:
        return next(container.decode(video=0))


def clip_of(model: LoadedModel, features: Float32) -> ClipEmbeddings:
    """Frames as a clip, one a second."""
    times_s = np.arange(len(features)) + 0.5
    window = ClipWindow(start_s=0.0, end_s=float(len(features)), frames=slice(None))
    return embed_clips(times_s, features, [window], model.clip_encoder, max_frames=None)[0]


def distractors(model: LoadedModel, features: Mapping[str, Sequence[Frames]]) -> list[Entry]:
    clips = [clip_of(model, one.features) for part in features.values() for one in part]
    return [entry(f"/other/{number}.mp4", [clip]) for number, clip in enumerate(clips)]


def entry(path: str, clips: Sequence[ClipEmbeddings]) -> Entry:
    record = VideoRecord(path=path, content=f"sha256:{path}", size=1, mtime_ns=0, duration_s=clips[-1].end_s)
    return Entry(attrs.evolve(record, clips=len(clips)), clips)


def entries_of(library: Library) -> list[Entry]:
    snapshot = library.snapshot()
    clips = snapshot.clips(range(len(snapshot.clip_keys)))
    return [
        Entry(record, [clip for clip, of in zip(clips, snapshot.clip_videos, strict=True) if of == place])
        for place, record in enumerate(snapshot.videos)
    ]


def with_others(library: Library, folder: Path, others: Sequence[Entry]) -> Library:
    made = Library.create(fresh(folder), library.manifest)
    made.add_all([*entries_of(library), *others])
    return made


# like an example -----------------------------------------------------------------------------------------------


def ranks(
    library: Library,
    reader: ExampleReader,
    model: LoadedModel,
    examples: Mapping[str, Path],
    settings: SearchSettings | None = None,
    *,
    most_frames: int = MOST_FRAMES,
) -> Ranks:
    """Search with each example."""
    settings = settings or model.query_side.settings.for_examples()
    found = {}
    for name, path in examples.items():
        example = example_of(clips_of(reader, path), most_frames=most_frames)
        places = [Path(match.video).stem for match in library.search(example, WANTED, settings=settings)]
        found[name] = places.index(name) + 1 if name in places else WANTED + 1
    return found


def clips_of(reader: ExampleReader, path: Path) -> list[ClipEmbeddings]:
    """A file's clips, as they are decoded; copies that are videos were decoded by `index_copies`."""
    if path not in CLIPS:
        CLIPS[path] = reader.clips(str(path))
    return CLIPS[path]


def index_copies(folder: Path, work: Path) -> None:
    """Decode the copies of a kind in one go, as an index run does."""
    library = work / f"copies of {folder.name}"
    if not library.exists():
        with hgrkit.Retriever.create(library, device="cpu") as retriever:
            retriever.index(folder)
    with Library.open(library) as opened:
        CLIPS.update({Path(one.record.path): list(one.clips) for one in entries_of(opened)})


def recall(found: Iterable[int], k: int) -> float:
    return round(100 * float(np.mean([rank <= k for rank in found])), 1)


def both_halves(found: Ranks) -> dict[str, Any]:
    choosing = set(for_choosing(found))
    halves = {
        "for choosing": [rank for name, rank in found.items() if name in choosing],
        "for reporting": [rank for name, rank in found.items() if name not in choosing],
        "all": list(found.values()),
    }
    return {half: {"R@1": recall(part, 1), "R@5": recall(part, 5)} for half, part in halves.items()}


def by_settings(
    library: Library, reader: ExampleReader, model: LoadedModel, made: Mapping[str, Mapping[str, Path]]
) -> dict[str, Any]:
    """What the choice of the comparison, and of the frames of a video, does on the half for choosing."""
    own = model.query_side.settings
    kinds = ("frame", "frame, cropped, recoloured", "cropped, recoloured", "resized")
    chosen = {kind: {name: made[kind][name] for name in for_choosing(made[kind])} for kind in kinds}
    ways = {
        "as a sentence": own,
        "best frames": own.for_examples(),
        "best frames, equal levels": own.for_examples().reweighted((1, 1, 1)),
        "event alone": own.for_examples().reweighted((1, 0, 0)),
        "entity alone": own.for_examples().reweighted((0, 0, 1)),
    }

    def row(settings: SearchSettings, most_frames: int = MOST_FRAMES) -> dict[str, float]:
        found = {
            kind: ranks(library, reader, model, part, settings, most_frames=most_frames)
            for kind, part in chosen.items()
        }
        return {kind: recall(part.values(), 1) for kind, part in found.items()}

    return {
        **{way: row(settings) for way, settings in ways.items()},
        **{f"best frames, {count} of the example": row(own.for_examples(), count) for count in FRAME_COUNTS},
    }


# words and a frame ---------------------------------------------------------------------------------------------


def words_and_frame(model: LoadedModel, features: Mapping[str, Sequence[Frames]], part: str) -> dict[str, Any]:
    """Search for a video by a caption and a frame: of its own, or of the other video that is most like it.

    The video's other frames are the clip that is searched for; the other video is no answer.
    """
    every = [one for one in itertools.chain(*features.values()) if one.part == part and len(one.features) > 1]
    rng = np.random.default_rng(0)
    side = model.query_side
    captions = read_captions(
        side.encoder, find_parser("lark")(), [one.captions[int(rng.integers(len(one.captions)))] for one in every]
    )
    asked = np.array(captions.positions)
    clips = ClipSet.of([clip_of(model, one.features[1:]) for one in every])
    words = all_scores(clips, captions.queries, side.settings)
    likeness = all_scores(
        clips, [example_of([clip_of(model, one.features[:1])]) for one in every], side.settings.for_examples()
    )
    others = likeness.copy()
    np.fill_diagonal(others, -np.inf)
    nearest = others.argmax(axis=1)
    masked = likeness[:, nearest[asked]]
    masked[nearest[asked], np.arange(len(asked))] = -np.inf
    fusions: dict[str, Callable[[Float32], Float32]] = {"": lambda scores: scores, ", standardised": standardised}
    rows: dict[str, Any] = {"videos": len(every), "weight of the example": LIKE_WEIGHT}
    for (name, by), (frame, scores) in itertools.product(
        fusions.items(), {"its own frame": likeness[:, asked], "a frame of the most like": masked}.items()
    ):
        rows[f"{frame}{name}"] = {
            str(weight): hit_rates((1 - weight) * by(words) + weight * by(scores), asked)
            for weight in LIKE_WEIGHTS
        }
    return rows


def all_scores(clips: ClipSet, queries: Sequence[QueryEmbeddings], settings: SearchSettings) -> Float32:
    return np.concatenate(list(clips.scores(queries, settings)), axis=1)


def standardised(scores: Float32) -> Float32:
    finite = np.where(np.isfinite(scores), scores, np.nan)
    found: Float32 = (scores - np.nanmean(finite, axis=0)) / np.nanstd(finite, axis=0)
    return found


def hit_rates(scores: Float32, asked: Any) -> dict[str, float]:
    scores = np.nan_to_num(scores, nan=-9.0, neginf=-9.0)  # 0 x -inf: the example's own video has no weight
    own = scores[asked, np.arange(len(asked))]
    found = (scores >= own).sum(axis=0).tolist()
    return {f"R@{k}": recall(found, k) for k in (1, 5, 10)}


# describe ------------------------------------------------------------------------------------------------------


def describe(library: Path, captions_file: Path) -> dict[str, Any]:
    """How often the first of all captions of the 49 videos for reporting is one of the video's own."""
    captions: dict[str, list[str]] = json.loads(captions_file.read_text(encoding="utf-8"))
    reporting = sorted(set(captions) - set(for_choosing(captions)))
    sentences = [caption for name in reporting for caption in captions[name]]
    right = {name: set(captions[name]) for name in reporting}
    with hgrkit.Retriever.open(library, device="cpu") as retriever:
        paths = [path for path in retriever.library.indexed_paths() if Path(path).name in right]
        read = retriever.read(sentences)  # once for all videos
        reader = ExampleReader(retriever.library, LoadedModel.load("default", device="cpu"))
        first = [reader.describe(path, sentences, lambda _: read, 5).sentences for path in paths]
        rows = [retriever.library.indexed_paths().index(path) for path in paths]
        plain = retriever.scores(read)[rows]
    best = np.argsort(-plain, axis=1, kind="stable")[:, :5]
    without = [[sentences[place] for place in row] for row in best.tolist()]
    given = {
        "with querybank norm": [[one.sentence for one in top] for top in first],
        "without": without,
    }
    return {
        "videos": len(paths),
        "sentences": len(sentences),
        **{
            name: {
                f"R@{k}": recall(
                    [
                        1 if right[Path(path).name].intersection(top[:k]) else 2
                        for path, top in zip(paths, tops, strict=True)
                    ],
                    1,
                )
                for k in (1, 5)
            }
            | {"different first sentences": len({top[0] for top in tops})}
            for name, tops in given.items()
        },
    }


# duplicates ----------------------------------------------------------------------------------------------------


def duplicates(
    library: Library, reader: ExampleReader, made: Mapping[str, Mapping[str, Path]], work: Path
) -> dict[str, Any]:
    """Precision and recall of pairs: originals with a copy of each, and unrelated videos with the same fades."""
    originals = entries_of(library)
    found: dict[str, Any] = {"98 videos without copies": {"pairs": len(pairs_of(find_duplicates(library)))}}
    for kind in COPIES:
        copies = [entry(f"/copies/{name}.mp4", clips_of(reader, path)) for name, path in made[kind].items()]
        alone = len(copies) if kind.startswith("faded") else 0
        with Library.create(fresh(work / "copied"), library.manifest) as copied:
            copied.add_all(copies)
            if alone:
                found[f"{kind}, without the originals"] = {"pairs": len(pairs_of(find_duplicates(copied)))}
            copied.add_all(originals)
            found[kind] = {
                str(threshold): judged(find_duplicates(copied, threshold), made[kind]) for threshold in THRESHOLDS
            }
    return found


def pairs_of(groups: Sequence[DuplicateGroup]) -> set[tuple[str, str]]:
    return {pair for group in groups for pair in itertools.combinations(sorted(group.videos), 2)}


def judged(groups: Sequence[DuplicateGroup], names: Iterable[str]) -> dict[str, float]:
    pairs = pairs_of(groups)
    right = {Path(one).stem for one, other in pairs if Path(one).stem == Path(other).stem}
    choosing = set(for_choosing(names))
    halves = {"for choosing": choosing, "for reporting": set(names) - choosing}
    return {
        "precision": round(100 * len(right) / max(1, len(pairs)), 1),
        **{f"recall {half}": round(100 * len(right & part) / len(part), 1) for half, part in halves.items()},
    }


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds msvd and msrvtt_frames")
    parser.add_argument("--work", type=Path, required=True, help="a folder for copies, features and libraries")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    head = {**described(options, seed=options.seed, also=("imageio-ffmpeg",)), "model": model_described("default")}
    write_result({**head, **measure(options.data, options.work, options.seed)}, options.out)
