"""Where an evaluation's videos come from: frame features and a model, a library, or a folder to be indexed."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import cached_property
from pathlib import Path
from typing import final

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.errors import ConfigError, LibraryNotFoundError, MissingPathError
from hgrkit.graph import RoleGraph, all_wanted
from hgrkit.indexing.feature_cache import kept_features, kept_frames
from hgrkit.indexing.report import IndexProgress, IndexReport
from hgrkit.indexing.walk import VIDEO_SUFFIXES
from hgrkit.levels import PerLevel
from hgrkit.library.scoring import LevelWeights
from hgrkit.matching.windows import Windows
from hgrkit.model.hgr_model import HgrModel
from hgrkit.model.loaded import LoadedModel
from hgrkit.model.long_video import LongVideo, WindowSettings
from hgrkit.model.query.encoder import EmbeddedCaptions, EmbeddedQuery
from hgrkit.model.scorer import EmbeddedVideos, embed_captions, embed_graphs, embed_videos, settings_of
from hgrkit.model.video import frame_features
from hgrkit.parsing.protocol import GraphParser
from hgrkit.parsing.registry import load_parser
from hgrkit.research.datasets.benchmark import Benchmark
from hgrkit.research.evaluation.benchmark_evaluation import CaptionScores, require_complete
from hgrkit.research.evaluation.captions import match_names
from hgrkit.research.evaluation.long_video_search import TimedFeatures
from hgrkit.research.evaluation.rank_file import QueryRank
from hgrkit.retriever import Retriever
from hgrkit.video.feature_file import FeatureFile

__all__ = ["Answer", "Failure", "FeatureSource", "LibrarySource", "PhraseScores", "VideoSource", "open_source"]

Float32 = npt.NDArray[np.float32]

_PICTURES = frozenset((".jpg", ".jpeg", ".png", ".webp"))
_ALL_FRAMES = 1 << 30


@attrs.frozen(kw_only=True, eq=False)
class Answer:
    """One video's answer to a query.

    Attributes:
        video: its name.
        score: the fused score.
        levels: each level's score; `None` where the query has no action or no entity.
    """

    video: str
    score: float
    levels: PerLevel[float | None]


@attrs.frozen(kw_only=True)
class PhraseScores:
    """One phrase of a query, in the right video and in the one that was preferred.

    Attributes:
        text: its words.
        role: `V` for an action, else its role.
        right: its similarity to the right video.
        preferred: its similarity to the video in first place.
    """

    text: str
    role: str
    right: float
    preferred: float


@attrs.frozen(kw_only=True, eq=False)
class Failure:
    """A caption whose right video stands far down.

    Attributes:
        row: its rank.
        graph: how it was read; `None` if it could not be.
        right: the right video's answer; `None` if there is nothing to say.
        preferred: the answer of the video in first place.
        phrases: the caption's phrases, in graph order.
    """

    row: QueryRank
    graph: RoleGraph | None = None
    right: Answer | None = None
    preferred: Answer | None = None
    phrases: tuple[PhraseScores, ...] = ()


@final
@attrs.frozen(kw_only=True, eq=False, repr=False, slots=False)
class FeatureSource:
    """Videos as frame features, each as one clip of all its frames.

    Attributes:
        model: the model, in evaluation mode.
        features: frame features [F, K] by the videos' names, with or without a suffix.
        parser: reads the captions.
        name: the model's name.
        on_progress: called with the number of captions that are read.
    """

    model: HgrModel
    features: Mapping[str, Float32]
    parser: GraphParser = attrs.field(factory=lambda: load_parser("lark"))
    name: str = "default"
    on_progress: Callable[[int], object] | None = None
    _videos: dict[tuple[str, ...], EmbeddedVideos] = attrs.field(factory=dict, init=False)
    _captions: dict[tuple[str, ...], EmbeddedCaptions] = attrs.field(factory=dict, init=False)

    @property
    def paths(self) -> Sequence[str]:
        """The names in `features`."""
        return list(self.features)

    @property
    def frames(self) -> Mapping[str, Float32]:
        """The features, as `evaluate_moments` takes them."""
        return self.features

    def score(
        self, texts: Sequence[str], paths: Sequence[str], *, level_weights: LevelWeights | None = None
    ) -> CaptionScores:
        """Scores [V, C]; videos and captions are embedded once, whatever the weights.

        Raises:
            ShapeError: if features do not fit the model.
        """
        key, asked = tuple(paths), tuple(texts)
        if key not in self._videos:
            self._videos[key] = embed_videos(self.model, (self._checked(path) for path in paths))
        if asked not in self._captions:
            self._captions[asked] = embed_captions(self.model, self.parser, texts, on_progress=self.on_progress)
        videos, captions = self._videos[key], self._captions[asked]
        weighted = attrs.evolve(videos, settings=videos.settings.reweighted(level_weights))
        return CaptionScores(
            scores=weighted.scores(captions, querybank_norm=True),
            failures=len(captions.failures),
            omitted={**attrs.asdict(captions.omitted), "frames": videos.omitted_frames},
        )

    def _checked(self, path: str) -> Float32:
        checked: Float32 = frame_features(repr(path), self.features[path], self.model.feature_dim).numpy()
        return checked

    def explain(self, row: QueryRank, graph: RoleGraph) -> Failure:
        """Scores and similarities of both videos; their names alone if one has no features.

        Args:
            row: the caption's rank, with both videos' names.
            graph: how it was read.
        """
        names = (row.positive, row.top)
        keys = match_names((name for name in names if name is not None), self.features)
        if row.positive is None or row.top is None or len(keys) < len(set(names)):
            return Failure(row=row, graph=graph)
        (query,) = embed_graphs(self.model, [graph])
        nodes = [*query.actions, *query.entities]
        right, preferred = (self._answer(name, keys[name], query) for name in (row.positive, row.top))
        found = {
            node.id: PhraseScores(text=graph.phrase(node), role=graph.role(node), right=ours, preferred=theirs)
            for node, ours, theirs in zip(nodes, right[1], preferred[1], strict=True)
        }
        phrases = tuple(found[node.id] for node in graph.nodes if node.id in found)
        return Failure(row=row, graph=graph, right=right[0], preferred=preferred[0], phrases=phrases)

    def _answer(self, name: str, key: str, query: EmbeddedQuery) -> tuple[Answer, list[float]]:
        """One video's scores, and the similarities of the query's actions and entities."""
        # One window of the whole video, as `score` compares it; a report says of a video what its rank came from.
        frames = self.model.video.max_frames or _ALL_FRAMES
        video = LongVideo.embed(
            self.model,
            self.features[key],
            settings=settings_of(self.model.matcher),
            windows=WindowSettings(max_frames=frames),
        )
        whole = Windows([0], [video.num_frames])
        levels = video.levels([query.embeddings], whole).map(lambda level: float(level[0, 0]))
        similarities = video.node_similarities(query.embeddings, whole)[0].tolist()
        shown: PerLevel[float | None] = PerLevel(
            event=levels.event,
            action=levels.action if query.actions else None,
            entity=levels.entity if query.entities else None,
        )
        return Answer(video=name, score=float(video.settings.fuse(levels)), levels=shown), similarities


@final
@attrs.frozen(eq=False, repr=False, slots=False)
class LibrarySource:
    """The videos of an open library, each by its best clip.

    Attributes:
        retriever: the open library.
        folder: where it is; frame features are looked for there.
    """

    retriever: Retriever
    folder: Path
    _captions: dict[tuple[str, ...], EmbeddedCaptions] = attrs.field(factory=dict, init=False)

    @property
    def name(self) -> str:
        """The name of the model that made the library."""
        return self.retriever.library.manifest.model

    @property
    def model(self) -> HgrModel:
        """The library's model in torch."""
        return self.retriever.model

    @property
    def parser(self) -> GraphParser:
        """The library's parser."""
        return self.retriever.parser

    @cached_property
    def paths(self) -> Sequence[str]:
        """The indexed videos."""
        return self.retriever.library.indexed_paths()

    @cached_property
    def features(self) -> Mapping[str, Float32]:
        """The frame features that the library kept.

        Raises:
            BenchmarkError: if it did not keep those of every video.
        """
        return kept_features(self.retriever.library, self.folder)

    @property
    def frames(self) -> Mapping[str, TimedFeatures]:
        """The same with the frames' times and the videos' lengths."""
        kept = kept_frames(self.retriever.library, self.folder)
        return {
            path: TimedFeatures(one.features, times_s=one.times_s, duration_s=one.duration_s)
            for path, one in kept.items()
        }

    def score(
        self, texts: Sequence[str], paths: Sequence[str], *, level_weights: LevelWeights | None = None
    ) -> CaptionScores:
        """Scores [V, C]; captions are read once, whatever the weights."""
        asked = tuple(texts)
        if asked not in self._captions:
            self._captions[asked] = self.retriever.read(texts)
        captions = self._captions[asked]
        scores = self.retriever.scores(captions, level_weights=level_weights, querybank_norm=True)
        row_of = {path: row for row, path in enumerate(self.paths)}
        # A library scores all of its videos at once; a benchmark may ask for some of them, in its own order.
        rows = [row_of[path] for path in paths]
        return CaptionScores(
            scores=scores if rows == list(range(len(scores))) else scores[rows],
            failures=len(captions.failures),
            omitted=attrs.asdict(captions.omitted),
        )

    def explain(self, row: QueryRank, graph: RoleGraph) -> Failure:
        """What a search among the right video and the one in first place says.

        Args:
            row: the caption's rank, with both videos' names.
            graph: how it was read.
        """
        if row.positive is None or row.top is None:
            return Failure(row=row, graph=graph)
        keys = match_names((row.positive, row.top), self.paths)
        asked = all_wanted(graph)
        ((right,), (preferred,)) = (
            self.retriever.search(asked, 1, videos=[keys[name]]).hits for name in (row.positive, row.top)
        )
        return Failure(
            row=row,
            graph=graph,
            right=Answer(video=right.video, score=right.score, levels=right.levels),
            preferred=Answer(video=preferred.video, score=preferred.score, levels=preferred.levels),
            phrases=tuple(
                PhraseScores(text=ours.text, role=ours.role, right=ours.similarity, preferred=theirs.similarity)
                for ours, theirs in zip(right.phrases, preferred.phrases, strict=True)
            ),
        )


VideoSource = FeatureSource | LibrarySource
"""Videos to score captions against; scores of another origin go to `evaluate_scores` and `evaluate_captions`."""


@contextmanager
def open_source(
    benchmark: Benchmark,
    *,
    features: Path | None = None,
    videos: Path | None = None,
    library: Path | None = None,
    model: str | None = None,
    parser: str = "lark",
    device: str = "cpu",
    allow_missing: bool = False,
    keep_features: bool = False,
    on_progress: Callable[[IndexProgress], object] | None = None,
    on_indexed: Callable[[IndexReport], object] | None = None,
) -> Iterator[VideoSource]:
    """A benchmark's videos: from a file of features, a library, or a folder of videos, which are indexed first.

    Args:
        benchmark: what is asked.
        features: frame features by video name; without them `videos` or `library`.
        videos: a folder of videos; those of the benchmark are indexed into `library`, or a scratch one.
        library: a library that holds the videos.
        model: an installed model or a model folder; a library's own unless given, else `default`.
        parser: reads the captions.
        device: where the model runs.
        allow_missing: index although videos are missing.
        keep_features: keep frame features also in a scratch library.
        on_progress: called for each video that is indexed.
        on_indexed: called with the report of the indexing.

    Raises:
        ConfigError: if it is not said where the videos are.
        MissingPathError: if a file or folder is not there.
        BenchmarkError: if videos are missing and that is not allowed.
    """
    if features is videos is library is None:
        raise ConfigError("say where the videos are: features, videos or library.")
    name = model or "default"
    if features is not None:
        with FeatureFile(features) as table:
            loaded = LoadedModel.load(name, device=device).model
            yield FeatureSource(model=loaded, features=table, parser=load_parser(parser), name=name)
        return
    with tempfile.TemporaryDirectory() if library is None else nullcontext(library) as place:
        folder = Path(place) / "library" if library is None else library
        if videos is not None:
            keys = match_names((video.name for video in benchmark.videos), _files(videos))
            require_complete(benchmark, list(keys), allow_missing=allow_missing)
            with _writable(folder, model=model, parser=parser, device=device) as retriever:
                kept = keep_features or library is not None
                report = retriever.index(*keys.values(), feature_cache=kept, on_progress=on_progress)
            if on_indexed is not None:
                on_indexed(report)
        with Retriever.open(folder, model=model, parser=parser, device=device) as retriever:
            yield LibrarySource(retriever, folder)


def _writable(folder: Path, *, model: str | None, parser: str, device: str) -> Retriever:
    try:
        return Retriever.open(folder, mode="w", model=model, parser=parser, device=device)
    except LibraryNotFoundError:
        return Retriever.create(folder, model=model or "default", parser=parser, device=device)


def _files(folder: Path) -> list[str]:
    """Videos and photographs below a folder."""
    if not folder.is_dir():
        raise MissingPathError(f"there is no folder {str(folder)!r} of videos.")
    return sorted(
        str(path)
        for path in folder.rglob("*")
        if path.suffix.lower() in VIDEO_SUFFIXES | _PICTURES and path.is_file()
    )
