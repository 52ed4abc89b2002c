"""The facade: composes a parser, a model, a frame encoder and a library; it holds no mathematics of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from os import PathLike, fspath
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import attrs
import numpy as np

from hgrkit.embedders import EmbeddedQuery, embed_features, embed_graphs
from hgrkit.errors import ConfigError
from hgrkit.graph import Node, RoleGraph
from hgrkit.indexing.pipeline import index_videos
from hgrkit.indexing.report import IndexProgress, IndexReport
from hgrkit.indexing.walk import walk_videos
from hgrkit.levels import Level
from hgrkit.library.library import Library
from hgrkit.library.manifest import Manifest
from hgrkit.library.records import Float32
from hgrkit.library.scoring import SearchSettings
from hgrkit.library.search import ClipMatch
from hgrkit.parsing.protocol import GraphParser
from hgrkit.parsing.registry import load_parser, parse_each, parse_texts
from hgrkit.parts import LoadedModel, Parts
from hgrkit.results import Hit, Phrase, SearchResult
from hgrkit.video.feature_file import FeatureFile
from hgrkit.video.frame_encoder import FrameEncoder
from hgrkit.video.sampling import Sampling

__all__ = ["Retriever"]

StrPath = str | PathLike[str]

_QUERIES_AT_ONCE = 256


class Retriever:
    """Indexes videos into a library and searches it with sentences.

    Made by `create` or `open`; a context manager. Searching is safe from several threads.

    >>> with Retriever.create("lib") as retriever:  # doctest: +SKIP
    ...     report = retriever.index("videos/")
    ...     result = retriever.search("a woman throws a ball to a dog", k=5)

    Attributes:
        library: what is stored, and how it is compared.
        parser: reads sentences as role graphs; swapping it never touches what is stored.
    """

    def __init__(
        self, *, library: Library, parser: GraphParser, model: LoadedModel, parts: Parts | None = None
    ) -> None:
        self.library = library
        self.parser = parser
        self._model = model.model
        self._parts = parts
        matcher = self._model.matcher
        self._settings = SearchSettings(
            sharpness=matcher.sharpness, fusion=matcher.fusion, level_weights=matcher.level_weights
        )

    # making --------------------------------------------------------------------------------------------------

    @classmethod
    def create(
        cls,
        path: StrPath,
        *,
        model: StrPath = "default",
        parser: str | GraphParser = "lark",
        frame_encoder: str | FrameEncoder | None = None,
        sampling: str | Sampling | None = None,
        clip_seconds: float | None = None,
        device: str = "auto",
    ) -> Self:
        """Make a new library.

        Args:
            path: a folder that does not exist yet, or an empty one.
            model: `default`, an installed model, or a model folder.
            parser: an installed parser or an instance.
            frame_encoder: an installed frame encoder or an instance; by default the one the model was made for.
            sampling: how frames are picked, such as `fps:2`; by default as the model was made for.
            clip_seconds: the longest clip that a video is cut into, in seconds.
            device: `auto`, `cpu`, `cuda` or `mps`.

        Raises:
            LibraryExistsError: if something is at that path already.
            ModelNotFoundError, ParserNotFoundError, FrameEncoderNotFoundError: if a name is not installed.
            ShapeError: if the frame encoder does not fit the model.
        """
        loaded = load_parser(parser)
        model_ = LoadedModel.load(model, device=device)
        parts = Parts.choose(
            model_, frame_encoder=frame_encoder, sampling=sampling, clip_seconds=clip_seconds, device=device
        )
        library = Library.create(Path(path), parts.manifest)
        return cls(library=library, parser=loaded, model=model_, parts=parts)

    @classmethod
    def open(
        cls,
        path: StrPath,
        *,
        mode: Literal["r", "w"] = "r",
        model: StrPath | None = None,
        parser: str | GraphParser = "lark",
        frame_encoder: str | FrameEncoder | None = None,
        sampling: str | Sampling | None = None,
        clip_seconds: float | None = None,
        device: str = "auto",
    ) -> Self:
        """Open a library; never makes one.

        Args:
            path: the library.
            mode: `r` to search, `w` to index as well (one writer at a time).
            model: by default the one that made the library, as are the frame encoder, sampling and clip length.
            parser: an installed parser or an instance.
            frame_encoder: as for `create`; like the next two, checked in mode `w`.
            sampling: as for `create`.
            clip_seconds: as for `create`.
            device: `auto`, `cpu`, `cuda` or `mps`.

        Raises:
            LibraryNotFoundError: if there is no library.
            LibraryMismatchError: if a part is not what made the library.
            LibraryLockedError: if another process is writing, in mode `w`.
        """
        loaded = load_parser(parser)
        library = Library.open(Path(path), mode=mode)
        try:
            made_with = library.manifest
            model_ = LoadedModel.load(made_with.model if model is None else model, device=device)
            made_with.require(_with_model(made_with, model_), library=fspath(path))
            parts = None
            if mode == "w":
                parts = Parts.choose(
                    model_,
                    frame_encoder=frame_encoder or made_with.frame_encoder,
                    sampling=sampling or made_with.sampling,
                    clip_seconds=clip_seconds if clip_seconds is not None else made_with.clip_seconds,
                    device=device,
                )
                made_with.require(parts.manifest, library=fspath(path))
        except BaseException:
            library.close()
            raise
        return cls(library=library, parser=loaded, model=model_, parts=parts)

    # indexing ------------------------------------------------------------------------------------------------

    def index(
        self,
        *paths: StrPath,
        features: StrPath | None = None,
        retry_failed: bool = False,
        on_progress: Callable[[IndexProgress], object] | None = None,
    ) -> IndexReport:
        """Index videos; what is unchanged since the last time is not decoded again.

        Args:
            *paths: videos and folders of videos.
            features: a file of frame features `{name: [F, K]}` to use instead of decoding the videos.
            retry_failed: try again what failed before and has not changed.
            on_progress: called after each video.

        Raises:
            MissingPathError: if a path does not exist; nothing is indexed then.
            ConfigError: if the library was opened to read.
        """
        if self._parts is None:
            raise ConfigError("this library was opened to read; open it with mode='w' to index.")
        with FeatureFile(features) if features is not None else nullcontext() as feature_file:
            return index_videos(
                self.library,
                walk_videos(paths),
                frame_encoder=self._parts.frame_encoder,
                embed=partial(embed_features, self._model),
                sampling=self._parts.sampling,
                clip_seconds=self._parts.clip_seconds,
                max_frames=self._model.video.max_frames,
                retry_failed=retry_failed,
                features=feature_file,
                on_progress=on_progress,
            )

    # searching -----------------------------------------------------------------------------------------------

    def search(self, query: str | RoleGraph, k: int = 10) -> SearchResult:
        """The k best videos for a sentence, each by its best clip, with the moment and every phrase.

        Args:
            query: words, or a graph that was read or changed before.
            k: number of hits, at least 1.

        Raises:
            GraphError: if the text cannot be read.
            ConfigError: if k is less than 1.
        """
        if k < 1:
            raise ConfigError(f"k must be at least 1, got {k}.")
        started = time.perf_counter()
        graph = parse_texts(self.parser, [query])[0] if isinstance(query, str) else query
        embedded = embed_graphs(self._model, [graph])[0]
        matches = self.library.search(embedded.embeddings, k, settings=self._settings)
        hits = tuple(_hit(rank, match, graph, embedded) for rank, match in enumerate(matches, 1))
        return SearchResult(
            query=query if isinstance(query, str) else graph.text,
            graph=graph,
            hits=hits,
            elapsed_ms=(time.perf_counter() - started) * 1000,
        )

    def scores(self, queries: Sequence[str]) -> Float32:
        """Every video's exact score for every sentence, float32 [V, C]; videos as in `library.indexed_paths()`.

        A sentence that cannot be read fits nothing: it scores -1, the lowest score, with every video.
        """
        columns: list[int] = []
        embedded: list[EmbeddedQuery] = []
        for start in range(0, len(queries), _QUERIES_AT_ONCE):
            read = parse_each(self.parser, queries[start : start + _QUERIES_AT_ONCE])
            graphs = {start + row: graph for row, graph in enumerate(read) if isinstance(graph, RoleGraph)}
            columns += graphs
            embedded += embed_graphs(self._model, list(graphs.values()))
        found = self.library.scores([query.embeddings for query in embedded], settings=self._settings)
        scores = np.full((len(found), len(queries)), -1, np.float32)
        scores[:, columns] = found
        return scores

    # closing -------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Let go of the library; a second call does nothing."""
        self.library.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _with_model(made_with: Manifest, model: LoadedModel) -> Manifest:
    """What the library would have been made with, had it been this model."""
    return attrs.evolve(
        made_with, model=model.name, model_fingerprint=model.fingerprint, embed_dim=model.model.embed_dim
    )


def _hit(rank: int, match: ClipMatch, graph: RoleGraph, query: EmbeddedQuery) -> Hit:
    times = tuple(match.times_s.tolist())

    def phrases(level: Level, nodes: Sequence[Node], similarities: Float32, weights: Float32) -> dict[int, Phrase]:
        return {
            node.id: Phrase(
                text=graph.phrase(node),
                role=graph.role(node),
                level=level,
                similarity=float(similarity),
                times_s=times,
                weights=tuple(row.tolist()),
            )
            for node, similarity, row in zip(nodes, similarities, weights, strict=True)
        }

    found = phrases("action", query.actions, match.action_similarities, match.action_weights)
    found |= phrases("entity", query.entities, match.entity_similarities, match.entity_weights)
    return Hit(
        rank=rank,
        video=match.video,
        start_s=match.moment.start_s,
        end_s=match.moment.end_s,
        score=match.score,
        levels=match.levels,
        phrases=tuple(found[node.id] for node in graph.nodes if node.id in found),
    )
