"""The facade: composes a parser, a model, a frame encoder and a library; it holds no mathematics of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import cached_property, partial
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import attrs

from hgrkit.checks.arguments import check_flag, check_instance, check_path, check_sequence, shown
from hgrkit.errors import ConfigError, GraphError
from hgrkit.graph import RoleGraph
from hgrkit.library.candidates import CandidateSource
from hgrkit.library.library import Library
from hgrkit.library.records import Float32
from hgrkit.library.scoring import LevelWeights
from hgrkit.model.loaded import LoadedModel
from hgrkit.model.query.encoder import EmbeddedCaptions, read_captions
from hgrkit.model.query.question import put_question
from hgrkit.model.trust import remember_parts, require_trusted
from hgrkit.parsing.protocol import GraphParser
from hgrkit.parsing.registry import find_parser
from hgrkit.results import Description, SearchResult
from hgrkit.results.answer import result_of

if TYPE_CHECKING:
    from hgrkit.indexing.example import ExampleReader, Like
    from hgrkit.indexing.parts import Parts
    from hgrkit.indexing.report import IndexProgress, IndexReport
    from hgrkit.library.duplicates import DuplicateGroup
    from hgrkit.model.hgr_model import HgrModel
    from hgrkit.pages.explanation import Explanation
    from hgrkit.video.frame_encoder import FrameEncoder
    from hgrkit.video.limits import DecodeLimits
    from hgrkit.video.sampling import Sampling

__all__ = ["Retriever"]

StrPath = str | PathLike[str]


class Retriever:
    """Indexes videos into a library and searches it with sentences.

    Made by `create` or `open`; a context manager. Searching is safe from several threads.

    >>> with Retriever.create("lib") as retriever:  # doctest: +SKIP
    ...     report = retriever.index("videos/")
    ...     result = retriever.search("a woman throws a ball to a dog", k=5)

    Attributes:
        library: what is stored, and how it is compared.
    """

    def __init__(
        self,
        *,
        library: Library,
        parser: str | GraphParser,
        model: LoadedModel,
        parts: Parts | None = None,
        folder: Path | None = None,
    ) -> None:
        self.library = check_instance("library", library, Library, hint="Retriever.open makes all of it")
        self._load_parser = find_parser(parser)
        self._model, self._parts, self._folder = model, parts, folder
        self._frame_encoder: str | FrameEncoder | None = None

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
            LibraryExistsError: if something is at that path already, or it lies inside another library.
            ModelNotFoundError, ParserNotFoundError, FrameEncoderNotFoundError: if a name is not installed.
            ShapeError: if the frame encoder does not fit the model.
        """
        from hgrkit.indexing.parts import Parts

        find_parser(parser)  # before anything is made or opened
        model_ = LoadedModel.load(model, device=device)
        parts = Parts.choose(
            model_, frame_encoder=frame_encoder, sampling=sampling, clip_seconds=clip_seconds, device=device
        )
        model_.check()
        library = Library.create(path, parts.manifest, outside=True)
        remember_parts(parts.manifest)
        return cls(library=library, parser=parser, model=model_, parts=parts, folder=Path(path).absolute())

    @classmethod
    def open(
        cls,
        path: StrPath | Sequence[StrPath],
        *,
        mode: Literal["r", "w"] = "r",
        model: StrPath | None = None,
        parser: str | GraphParser = "lark",
        frame_encoder: str | FrameEncoder | None = None,
        sampling: str | Sampling | None = None,
        clip_seconds: float | None = None,
        device: str = "auto",
        candidates: CandidateSource = "auto",
        trust: bool = False,
    ) -> Self:
        """Open a library; never makes one.

        Args:
            path: the library, or several that the same parts made: they are then searched as one, and only read.
            mode: `r` to search, `w` to index as well (one writer at a time).
            model: by default the one that made the library, as are the frame encoder, sampling and clip length.
            parser: an installed parser or an instance.
            frame_encoder: as for `create`; like the next two, checked in mode `w`. It also reads examples.
            sampling: as for `create`.
            clip_seconds: as for `create`.
            device: `auto`, `cpu`, `cuda` or `mps`; a reader needs no torch on the first two.
            candidates: where candidates come from: a `flat` scan, an `hnsw` index, or `auto`, the faster one.
            trust: use a model's folder that the library names although you have not used it here before.

        Raises:
            LibraryNotFoundError: if there is no library.
            UntrustedModelError: if the library names a model's folder that you have not used here before.
            LibraryMismatchError: if a part is not what made the library.
            LibraryLockedError: if another process is writing, in mode `w`.
        """
        find_parser(parser)  # before anything is made or opened
        library = Library.open(path, mode=mode, candidates=candidates)
        folder = (Path(path) if isinstance(path, str | PathLike) else Path(path[0])).absolute()
        try:
            made_with = library.manifest
            given = (model, frame_encoder)
            require_trusted(made_with, trust=trust, library=fspath(folder), given=given)
            model_ = LoadedModel.load(made_with.model if model is None else model, device=device)
            used = attrs.evolve(made_with, model=model_.name, model_fingerprint=model_.fingerprint)
            made_with.require(used, library=fspath(folder))  # before anything of the model is loaded
            if model is not None:
                remember_parts(attrs.evolve(used, frame_encoder=""))
            dim = model_.query_side.embed_dim if mode == "r" else model_.config.video.embed_dim
            made_with.require(attrs.evolve(used, embed_dim=dim), library=fspath(folder))
            parts = None
            if mode == "w":
                from hgrkit.indexing.parts import Parts

                asked: dict[str, Any] = {"sampling": sampling, "clip_seconds": clip_seconds, "device": device}
                parts = Parts.of_library(library, folder, model_, frame_encoder=frame_encoder, **asked)
        except BaseException:
            library.close()
            raise
        made = cls(library=library, parser=parser, model=model_, parts=parts, folder=folder)
        made._frame_encoder = frame_encoder
        return made

    @classmethod
    def upgrade(
        cls,
        path: StrPath,
        *,
        model: StrPath | None = None,
        frame_encoder: str | FrameEncoder | None = None,
        sampling: str | Sampling | None = None,
        clip_seconds: float | None = None,
        device: str = "auto",
        features: StrPath | None = None,
        feature_cache: bool = True,
        prune: bool = False,
        limits: DecodeLimits | None = None,
        num_workers: int | None = None,
        trust: bool = False,
        on_progress: Callable[[IndexProgress], object] | None = None,
    ) -> IndexReport:
        """Bring a library to another model, frame encoder, sampling or clip length; then open it as ever.

        Readers get the old answers until everything is encoded; then one commit switches. Only what must be is
        decoded: nothing, where frame encoder and sampling stay and the features of the videos are cached. An
        interrupted upgrade resumes where it stopped. What fits already is left as it is.

        Args:
            path: the library.
            model: by default the one that it was made with, as it is installed now.
            frame_encoder: by default the one that the model was made for.
            sampling: by default as the library was made, like the clip length.
            clip_seconds: the longest clip that a video is cut into, in seconds.
            device: `auto`, `cpu`, `cuda` or `mps`.
            features: as for `index`.
            feature_cache: use the features that are cached, and keep new ones.
            prune: drop videos whose files are gone and whose features are not cached.
            limits: as for `index`.
            num_workers: as for `index`.
            trust: as for `open`.
            on_progress: called after each video.

        Raises:
            LibraryNotFoundError: if there is no library.
            UntrustedModelError: as `open` does.
            LibraryLockedError: if another process is writing.
            LibraryError: if videos cannot be carried over; the library then stays as it was.
        """
        from hgrkit.indexing.parts import Parts, upgrade_library
        from hgrkit.video.feature_file import open_features

        with Library.open(path, mode="w") as library:
            given = (model, frame_encoder)
            require_trusted(library.manifest, trust=trust, library=fspath(path), given=given)
            model_ = LoadedModel.load(library.manifest.model if model is None else model, device=device)
            model_.check()
            asked: dict[str, Any] = {"sampling": sampling, "clip_seconds": clip_seconds, "device": device}
            parts = Parts.choose(model_, frame_encoder=frame_encoder, replaces=library.manifest, **asked)
            cache = parts.feature_cache(Path(path)) if check_flag("feature_cache", feature_cache) else None
            with open_features(features) as file:
                index = partial(parts.index, limits=limits, num_workers=num_workers, on_progress=on_progress)
                index = partial(index, features=file, cache=cache)
                remember_parts(parts.manifest)
                return upgrade_library(library, Path(path), parts.manifest, index, cache=cache, prune=prune)

    def index(
        self,
        *paths: StrPath,
        features: StrPath | None = None,
        feature_cache: bool = True,
        retry_failed: bool = False,
        prune: bool = False,
        limits: DecodeLimits | None = None,
        num_workers: int | None = None,
        on_progress: Callable[[IndexProgress], object] | None = None,
    ) -> IndexReport:
        """Index videos; what is unchanged, or only touched, moved or a duplicate, is not decoded.

        Args:
            *paths: videos and folders of videos.
            features: a file of frame features `{name: [F, K]}` to use instead of decoding the videos.
            feature_cache: keep what is decoded beside the library, so that an upgrade need not decode it again.
            retry_failed: try again what failed before and has not changed.
            prune: remove videos below `paths` whose files are gone.
            limits: what decoding one video may take; a video that needs more fails.
            num_workers: processes that decode; by default one for each core, at most four.
            on_progress: called after each video.

        Raises:
            MissingPathError: if a path does not exist; nothing is indexed then. What cannot be read is reported.
            ConfigError: if the library was opened to read, or a path lies inside a library.
        """
        if self._parts is None:
            raise ConfigError("this library was opened to read; open it with mode='w' to index.")
        from hgrkit.indexing.walk import walk_videos
        from hgrkit.video.feature_file import open_features

        if not paths:
            raise ConfigError("index needs at least one video or folder, got none; name some: index('videos/').")
        hint = "; give them one by one: index('a', 'b')"
        walk = walk_videos([check_path("each path", path, hint=hint) for path in paths])
        keep = check_flag("feature_cache", feature_cache)
        cache = self._parts.feature_cache(self._folder) if keep and self._folder is not None else None
        with open_features(features) as feature_file:
            index = partial(self._parts.index, limits=limits, num_workers=num_workers, on_progress=on_progress)
            index = partial(index, roots=walk.roots, left_out=walk.left_out, features=feature_file, cache=cache)
            return index(self.library, walk.files, prune=prune, retry_failed=retry_failed)

    def search(
        self,
        query: str | RoleGraph | None = None,
        k: int = 10,
        *,
        like: Like | None = None,
        without: Sequence[str] = (),
        videos: Sequence[StrPath] | None = None,
        where: str | None = None,
        per_video: int = 1,
        exact: bool = False,
        num_candidates: int | None = None,
        min_confidence: float | None = None,
    ) -> SearchResult:
        """The k best moments for a sentence, an example or both, by default one of each video, with every phrase.

        Args:
            query: words, or a graph that was read or changed before.
            k: number of hits, at least 1.
            like: an example: the path of a picture or a video, of which `v.mp4@3-8` is a part, in seconds; a
                picture, uint8 [H, W, 3] or Pillow's; or a `Hit`, whose own video is then left out.
            without: phrases such as "a car"; clips that show one rank lower, as of what the query itself excludes.
            videos: look at these only, by their paths, absolute or from the current folder; at all unless given.
            where: an SQL expression that is true of these only, such as `camera = 'front' and duration_s > 60`.
                Columns are `path`, `name`, `folder`, `duration_s`, `modified`, `indexed` and the tags.
            per_video: hits of one video, at most: its best clip's moment, and further ones that share no time.
            exact: compare every clip at every level; a large library is else searched among the clips whose event
                is nearest, and `SearchResult.exact` says so.
            num_candidates: how many those are; by default their number grows with the library.
            min_confidence: leave out hits that are less likely right, in [0, 1]; the model must be calibrated.

        Raises:
            GraphError: if the query is neither text nor graph, or it or a phrase of `without` cannot be read.
            LibraryError: if one of `videos` is not indexed.
            ConfigError: if a number is out of its range, `where` is no expression, `without` no list of phrases,
                or hits have no confidence to ask for.
            MissingPathError, DecodeError: if the example is not there, or cannot be decoded.
        """
        if not isinstance(query, str | RoleGraph) and (query is not None or like is None):
            only = "give one at a time, or an example: like='pool.jpg'"
            raise GraphError(f"a query must be a sentence or a RoleGraph, got {shown(query)}; {only}.")
        started = time.perf_counter()
        side = self._model.query_side
        settings = side.settings.searching(exact=exact, num_candidates=num_candidates)
        among = None if videos is None else check_sequence("videos", videos, None, of="paths", each=check_path)
        example = None if like is None else self._examples.read(like)
        question = put_question(
            side.encoder,
            query,
            lambda: self.parser,
            without=without,
            like=None if example is None else example.embeddings,
        )
        matches = self.library.search(
            question.query.embeddings,
            k,
            settings=settings,
            videos=among,
            where=where,
            per_video=per_video,
            leave_out=None if example is None else example.video,
        )
        return result_of(
            query,
            question,
            matches,
            like=None if example is None else example.name,
            filtered=where is not None,
            started=started,
            model=self._model,
            language=getattr(self.parser, "language", None) if isinstance(query, str) else None,
            min_confidence=min_confidence,
        )

    def describe(self, video: StrPath, sentences: Sequence[str], *, k: int | None = None) -> Description:
        """The k sentences that fit a video best, or all; what `ExampleReader.describe` says of it holds."""
        return self._examples.describe(check_path("video", video), sentences, self.read, k)

    def duplicates(
        self, threshold: float | None = None, *, on_progress: Callable[[int, int], object] | None = None
    ) -> tuple[DuplicateGroup, ...]:
        """Groups of videos that show the same, such as resized or trimmed copies, as `find_duplicates` says."""
        from hgrkit.library.duplicates import find_duplicates

        return find_duplicates(self.library, threshold, on_progress=on_progress)

    @cached_property
    def _examples(self) -> ExampleReader:
        from hgrkit.indexing.example import ExampleReader

        return ExampleReader(self.library, self._model, self._parts, self._frame_encoder)

    def tag(self, path: StrPath, /, **values: object) -> None:
        """Give a video tags to filter by, durably; `None` takes one away. See `hgrkit.library.tags.tag_video`."""
        from hgrkit.library.tags import tag_video

        tag_video(self.library, check_path("path", path), values)

    def explain(self, result: SearchResult, *, num_frames: int = 12) -> Explanation:
        """Why these hits: their film strips and, for every phrase, when it was seen, to look at or to `save`.

        Args:
            result: what `search` returned for words; the explanation's numbers are the same.
            num_frames: frames of a film strip, at most, and at least 1.
        """
        from hgrkit.pages.explanation import explain_result

        return explain_result(result, num_frames=num_frames)

    def read(self, queries: Sequence[str]) -> EmbeddedCaptions:
        """Parse and embed many sentences; those that cannot be read are named in `failures`."""
        return read_captions(self._model.query_side.encoder, self.parser, queries)

    @cached_property
    def parser(self) -> GraphParser:
        """Reads sentences as role graphs; loaded for the first one. Swapping it never touches what is stored."""
        return self._load_parser()

    @property
    def model(self) -> HgrModel:
        """The model in torch, in evaluation mode; loaded when it is first asked for."""
        return self._model.model

    def scores(
        self,
        queries: Sequence[str] | EmbeddedCaptions,
        *,
        level_weights: LevelWeights | None = None,
        querybank_norm: bool = False,
    ) -> Float32:
        """Every video's exact score for every sentence, float32 [V, C]; videos as in `library.indexed_paths()`.

        All words of a sentence count here, as in training: what it excludes takes nothing off.

        Args:
            queries: C sentences, or what `read` made of them; one that cannot be read scores -1, the lowest.
            level_weights: of event, action and entity in the score, from 0; the model's own unless given.
            querybank_norm: take off what a sentence scores with any clip: a video's sentences compare then.
        """
        captions = queries if isinstance(queries, EmbeddedCaptions) else self.read(queries)
        settings = self._model.query_side.settings.reweighted(level_weights)
        return captions.spread(self.library.scores(captions.queries, settings), querybank_norm=querybank_norm)

    def pair_scores(
        self,
        videos: Sequence[str],
        sentences: Sequence[str],
        level_weights: Sequence[LevelWeights | None] = (None,),
        querybank_norm: bool = False,
    ) -> Float32:
        """Each sentence's exact score with its own video, by each of the S `level_weights`, float32 [S, C].

        The videos are C paths as `library.indexed_paths()` has them; all else is as in `scores`.
        """
        videos = check_sequence("videos", videos, str, of="paths")
        of = "level weights, three numbers or None each"
        ways: list[Any] = check_sequence("level_weights", level_weights, None, of=of)
        captions = self.read(sentences)
        if len(videos) != len(captions):
            raise ConfigError(f"pairs need one video a sentence, got {len(videos)} and {len(captions)}.")
        settings = [self._model.query_side.settings.reweighted(weights) for weights in ways]
        asked = [videos[position] for position in captions.positions]
        found = self.library.pair_scores(asked, captions.queries, settings)
        return captions.spread(found, querybank_norm=querybank_norm)

    def close(self) -> None:
        """Let go of the library; a second call does nothing."""
        self.library.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()
