"""The main class: combines a parser, a model, a frame encoder and a library to index and search videos."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from os import fspath
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar

import attrs

from hgrkit.checks.arguments import check_captions, check_flag, check_instance, check_path, check_sequence, shown
from hgrkit.errors import ConfigError, GraphError, LibraryMismatchError
from hgrkit.graph import RoleGraph
from hgrkit.library.candidates import CandidateSource
from hgrkit.library.library import Library
from hgrkit.library.records import Float32
from hgrkit.library.scoring import LevelWeights
from hgrkit.model.loaded import LoadedModel
from hgrkit.model.query.encoder import EmbeddedCaptions, read_captions
from hgrkit.model.query.question import put_question
from hgrkit.model.trust import remember_parts, require_trusted
from hgrkit.opened import Opened, StrPath, folder_of
from hgrkit.parsing.protocol import GraphParser
from hgrkit.parsing.registry import find_parser
from hgrkit.results import Description, SearchResult
from hgrkit.results.answer import result_of

if TYPE_CHECKING:
    from hgrkit.indexing.example import Example, Like
    from hgrkit.indexing.parts import Parts
    from hgrkit.indexing.report import IndexProgress, IndexReport
    from hgrkit.indexing.walk import Walk
    from hgrkit.library.duplicates import DuplicateGroup
    from hgrkit.library.tuning import Tuning
    from hgrkit.model.hgr_model import HgrModel
    from hgrkit.pages.explanation import Explanation
    from hgrkit.video.frame_encoder import FrameEncoder
    from hgrkit.video.limits import DecodeLimits
    from hgrkit.video.sampling import Sampling

__all__ = ["Retriever"]

T = TypeVar("T")


class Retriever:
    """Indexes videos into a library and searches it with sentences.

    Use `create` or `open` to make one; it is a context manager. Several threads may search at the same time. Each
    answer comes from one version of the library: the newest one when the question is asked.

    >>> with Retriever.create("lib") as retriever:  # doctest: +SKIP
    ...     report = retriever.index("videos/")
    ...     result = retriever.search("a woman throws a ball to a dog", k=5)

    With asyncio, search in threads. Most of the work is done without Python's lock, so searches run in parallel:

    >>> async def answer(retriever, text):
    ...     return await asyncio.to_thread(retriever.search, text, k=5)
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
        check_instance("library", library, Library, hint="Retriever.open makes all of it")
        self._load_parser = find_parser(parser)
        self._opened, self._folder = Opened(library=library, model=model, parts=parts), folder
        self._version, self._lock, self._follow = library.version, Lock(), False
        self._reopen: Callable[[], Opened] | None = None

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
        """Create a library.

        Args:
            path: a folder that does not exist yet, or an empty one.
            model: `default`, an installed model, or a model folder.
            parser: an installed parser or an instance.
            frame_encoder: an installed frame encoder or an instance; by default the model's.
            sampling: how frames are sampled, such as `fps:2`; by default the model's.
            clip_seconds: maximum length of a clip, in seconds; by default the model's.
            device: `auto`, `cpu`, `cuda` or `mps`.

        Raises:
            LibraryExistsError: if the path exists and is not empty, or is inside another library.
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
        follow: bool = False,
        trust: bool = False,
    ) -> Self:
        """Open an existing library.

        Args:
            path: the library, or several of the same model, which are then searched as one and cannot be written.
            mode: `r` to search, `w` to index as well (one writer at a time).
            model: by default the one that made the library, as are the frame encoder, sampling and clip length.
            parser: an installed parser or an instance.
            frame_encoder: as for `create`; like the next two, checked in mode `w`. It also reads examples.
            sampling: as for `create`.
            clip_seconds: as for `create`.
            device: `auto`, `cpu`, `cuda` or `mps`; a reader needs no torch on the first two.
            candidates: where candidates come from: a `flat` scan, an `hnsw` index, or `auto`, the faster one.
            follow: after an upgrade of the library go on with the model that made it anew, as `refresh` does.
            trust: use a model's folder that the library names although you have not used it here before.

        Raises:
            LibraryNotFoundError: if there is no library.
            UntrustedModelError: if the library names a model's folder that you have not used here before.
            LibraryMismatchError: if a part is not what made the library.
            LibraryLockedError: if another process is writing, in mode `w`.
        """
        find_parser(parser)  # before anything is made or opened
        read: Callable[[], Opened] = partial(
            Opened.read,
            path,
            mode=mode,
            model=model,
            frame_encoder=frame_encoder,
            candidates=candidates,
            device=device,
            sampling=sampling,
            clip_seconds=clip_seconds,
            trust=trust,
        )
        opened = read()
        made = cls(library=opened.library, parser=parser, model=opened.model, folder=folder_of(path))
        made._opened, made._reopen, made._follow = opened, read, check_flag("follow", follow)
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
        """Convert a library to another model, frame encoder, sampling or clip length.

        Readers get the old answers until everything is encoded; then one commit switches to the new ones. Videos
        are not decoded if frame encoder and sampling stay the same and their features are cached.
        An interrupted upgrade resumes where it stopped. If nothing differs, nothing is done.

        Args:
            path: the library.
            model: by default the model that made the library, as it is installed now.
            frame_encoder: by default the model's.
            sampling: by default the library's.
            clip_seconds: maximum length of a clip, in seconds; by default the library's.
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
        *paths: StrPath | Walk,
        features: StrPath | None = None,
        feature_cache: bool = True,
        retry_failed: bool = False,
        prune: bool = False,
        limits: DecodeLimits | None = None,
        num_workers: int | None = None,
        on_progress: Callable[[IndexProgress], object] | None = None,
        on_start: Callable[[str], object] | None = None,
    ) -> IndexReport:
        """Index videos. Unchanged, touched, moved and duplicate files are not decoded.

        Args:
            *paths: videos and folders of videos; or a single result of `walk_videos` or a `FolderWatch`.
            features: a file of frame features `{name: [F, K]}` to use instead of decoding the videos.
            feature_cache: store features in the library's cache, so that an upgrade need not decode videos again.
            retry_failed: try failed videos again even if their files have not changed.
            prune: remove videos below `paths` whose files are gone.
            limits: limits for decoding one video; a video beyond them fails.
            num_workers: number of decoding processes; by default one for each core, at most four.
            on_progress: called after each video.
            on_start: called with the path of each file when its reading begins, by the thread that reads it.

        Raises:
            MissingPathError: if a path does not exist; nothing is indexed then. Unreadable files are reported.
            ConfigError: if the library was opened to read, or a path lies inside a library.
        """
        parts = self._opened.writing_parts("index")
        from hgrkit.indexing.walk import Walk, walk_videos
        from hgrkit.video.feature_file import open_features

        if not paths:
            raise ConfigError("index needs at least one video or folder, got none; name some: index('videos/').")
        hint = "; give them one by one: index('a', 'b')"
        found = paths[0] if len(paths) == 1 and isinstance(paths[0], Walk) else None
        walk = found or walk_videos([check_path("each path", path, hint=hint) for path in paths])
        keep = check_flag("feature_cache", feature_cache)
        cache = parts.feature_cache(self._folder) if keep and self._folder is not None else None
        with open_features(features) as feature_file:
            index = partial(parts.index, limits=limits, num_workers=num_workers, on_progress=on_progress)
            index = partial(index, roots=walk.roots, left_out=walk.left_out, features=feature_file, cache=cache)
            index = partial(index, on_start=on_start)
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
        level_weights: LevelWeights | None = None,
    ) -> SearchResult:
        """Find the k best moments for a sentence, an example, or both; by default one in each video.

        Args:
            query: a sentence, or a role graph.
            k: number of hits, at least 1.
            like: an example: the path of a picture or a video, or of a part of one in seconds, `v.mp4@3-8`; a
                picture, uint8 [H, W, 3] or Pillow's; or a `Hit`, whose own video is then left out.
            without: phrases to exclude, such as "a car"; clips that show one rank lower.
            videos: search only these videos, by their paths, absolute or relative to the current folder.
            where: search only videos for which this SQL expression is true, such as `camera = 'front'`.
                Columns are `path`, `name`, `folder`, `duration_s`, `modified`, `indexed` and the tags.
            per_video: maximum number of hits of one video, which do not overlap.
            exact: compare every clip at every level. Without it, a large library is searched among the clips with
                the nearest events, and `SearchResult.exact` is false.
            num_candidates: the number of these clips; by default it grows with the library.
            min_confidence: omit hits with a lower confidence, in [0, 1]; the model must be calibrated.
            level_weights: weights of event, action and entity in the score, from 0; with other weights than the
                model's, hits have no confidence.

        Raises:
            GraphError: if the query is neither text nor a graph, or it or a phrase of `without` cannot be parsed.
            LibraryError: if one of `videos` is not indexed.
            ConfigError: if a number is out of range, `where` is not an expression, `without` is not a list of
                phrases, or `min_confidence` is given although hits have no confidence.
            MissingPathError, DecodeError: if the example does not exist or cannot be decoded.
        """
        if not isinstance(query, str | RoleGraph) and (query is not None or like is None):
            only = "give one at a time, or an example: like='pool.jpg'"
            raise GraphError(f"a query must be a sentence or a RoleGraph, got {shown(query)}; {only}.")
        started = time.perf_counter()
        among = None if videos is None else check_sequence("videos", videos, None, of="paths", each=check_path)

        def answer(opened: Opened) -> SearchResult:
            side, own = opened.model.query_side, opened.settings()
            settings = own.searching(exact=exact, num_candidates=num_candidates).reweighted(level_weights)
            example = None if like is None else opened.examples.read(like)
            question = put_question(
                side.encoder,
                query,
                lambda: self.parser,
                without=without,
                like=None if example is None else example.embeddings,
            )
            matches = opened.library.search(
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
                model=opened.model,
                language=getattr(self.parser, "language", None) if isinstance(query, str) else None,
                min_confidence=min_confidence,
                tuned=own.level_weights != side.settings.level_weights,
                reweighted=level_weights is not None,
            )

        return self._ask(answer)

    def example(self, like: Like, *, limits: DecodeLimits | None = None) -> Example:
        """Read an example once, within limits, to search with it several times: `search(like=example)`.

        Raises:
            ConfigError, MissingPathError, DecodeError: as `search` does.
        """
        return self._opened.examples.read(like, limits=limits)

    def describe(self, video: StrPath, sentences: Sequence[str], *, k: int | None = None) -> Description:
        """Rank sentences by how well they fit a video; return the k best or all. See `ExampleReader.describe`."""
        path = check_path("video", video)
        return self._ask(lambda opened: opened.examples.describe(path, sentences, partial(self._read, opened), k))

    def duplicates(
        self, threshold: float | None = None, *, on_progress: Callable[[int, int], object] | None = None
    ) -> tuple[DuplicateGroup, ...]:
        """Find groups of near-duplicate videos, such as resized or trimmed copies; see `find_duplicates`."""
        from hgrkit.library.duplicates import find_duplicates

        return find_duplicates(self.library, threshold, on_progress=on_progress)

    def tag(self, path: StrPath, /, **values: object) -> None:
        """Add tags to a video, for filters; `None` removes a tag. See `hgrkit.library.tags.tag_video`."""
        from hgrkit.library.tags import tag_video

        tag_video(self.library, check_path("path", path), values)

    def explain(self, result: SearchResult, *, num_frames: int = 12) -> Explanation:
        """Explain the hits of a search: film strips, and for every phrase when it was seen.

        Args:
            result: what `search` returned for words; the explanation has the same numbers.
            num_frames: maximum number of frames of a film strip, at least 1.
        """
        from hgrkit.pages.explanation import explain_result

        return explain_result(result, num_frames=num_frames)

    def read(self, queries: Sequence[str]) -> EmbeddedCaptions:
        """Parse and embed many sentences; `failures` lists those that cannot be parsed."""
        return self._read(self._opened, queries)

    def _read(self, opened: Opened, queries: Sequence[str]) -> EmbeddedCaptions:
        captions = read_captions(opened.model.query_side.encoder, self.parser, queries)
        return attrs.evolve(captions, model_fingerprint=opened.model.fingerprint)

    @cached_property
    def parser(self) -> GraphParser:
        """The parser; loaded for the first sentence. The library stores nothing that depends on it."""
        return self._load_parser()

    @property
    def calibrated(self) -> bool:
        """Whether hits have a confidence."""
        return self._opened.model.calibration is not None

    @property
    def model(self) -> HgrModel:
        """The model in torch, in evaluation mode; loaded on first use."""
        return self._opened.model.model

    def scores(
        self,
        queries: Sequence[str] | EmbeddedCaptions,
        *,
        level_weights: LevelWeights | None = None,
        querybank_norm: bool = False,
    ) -> Float32:
        """Every video's exact score for every sentence, float32 [V, C]; videos as in `library.indexed_paths()`.

        All words of a sentence count, as in training: excluded phrases are not subtracted.

        Args:
            queries: C sentences, or the result of `read`; one that cannot be parsed scores -1, the lowest score.
            level_weights: weights of event, action and entity, from 0; by default `self.level_weights`.
            querybank_norm: subtract what a sentence scores with any clip, to compare the sentences of one video.
        """

        def score(opened: Opened) -> Float32:
            captions = queries if isinstance(queries, EmbeddedCaptions) else self._read(opened, queries)
            captions.require_model(opened.model.fingerprint)
            settings = opened.settings(level_weights)
            found = opened.library.scores(captions.queries, settings)
            return captions.spread(found, querybank_norm=querybank_norm)

        return self._ask(score)

    def pair_scores(
        self,
        videos: Sequence[str],
        sentences: Sequence[str],
        level_weights: Sequence[LevelWeights | None] = (None,),
        querybank_norm: bool = False,
    ) -> Float32:
        """Each sentence's exact score with its own video, for each of the S `level_weights`, float32 [S, C].

        The videos are C paths, as in `library.indexed_paths()`; everything else is as in `scores`.
        """
        videos = check_sequence("videos", videos, str, of="paths")
        of = "level weights, three numbers or None each"
        ways: list[Any] = check_sequence("level_weights", level_weights, None, of=of)

        def score(opened: Opened) -> Float32:
            captions = self._read(opened, sentences)
            if len(videos) != len(captions):
                raise ConfigError(f"pairs need one video a sentence, got {len(videos)} and {len(captions)}.")
            settings = [opened.settings(weights) for weights in ways]
            asked = [videos[position] for position in captions.positions]
            found = opened.library.pair_scores(asked, captions.queries, settings)
            return captions.spread(found, querybank_norm=querybank_norm)

        return self._ask(score)

    def refresh(self) -> bool:
        """Switch to the newest version of the library, and return whether there was a newer one.

        Searches use the newest version anyway. Only after an upgrade of the library does the model have to be
        replaced: this loads the new model, unless you opened the library with a model by name. Searches in
        progress continue. If nothing has changed, the call takes about half a millisecond.

        Raises:
            LibraryNotFoundError: if the library is gone, or another one, or an older copy of it, has its place.
            LibraryMismatchError: if the model that was asked for is not what made it; of several libraries, until
                all of them are upgraded.
            ModelNotFoundError, CheckpointError: if the model that made it is not installed, or damaged.
        """
        with self._lock:
            version = self._opened.library.version
            if version == self._version:
                return False
            try:
                self._opened.library.ask(len)
            except LibraryMismatchError:
                if self._reopen is None:
                    raise
                self._opened = self._reopen()
            self._version = version
            return True

    def _ask(self, question: Callable[[Opened], T]) -> T:
        """Ask the library with its model; after an upgrade a follower asks again with the new one."""
        while True:
            opened = self._opened
            try:
                return question(opened)
            except LibraryMismatchError:
                if self._follow:
                    self.refresh()
                if self._opened is opened:
                    raise

    @property
    def level_weights(self) -> LevelWeights:
        """Of event, action and entity in a search's scores: what `tune` learned, else the model's own."""
        return self._opened.settings().level_weights

    def tune(self, captions: Mapping[str, Sequence[str]], *, save: bool = True) -> Tuning:
        """Learn how much each level counts, from captions of some indexed videos; never below the event alone.

        What is learned is kept in the library, in one commit; `reset_level_weights` undoes it.

        Args:
            captions: `{file name, or more of a video's path: captions}`, of ten videos or more.
            save: let later searches of this library use what is chosen.

        Raises:
            ConfigError: if too few videos have captions, or the library was opened to read and `save` is on.
            BenchmarkError: if a video is not in the library, or its name fits several.
        """
        from hgrkit.library.tuning import CaptionedRows, tune_level_weights

        if check_flag("save", save):
            self._opened.writing_parts("tune")
        asked = CaptionedRows.of(check_captions("captions", captions), self.library.indexed_paths())
        read = self.read(asked.texts)
        found = tune_level_weights(self.library, asked, read.queries, read.positions, self._opened.settings())
        if save and found.chosen != "unchanged":
            self.library.relabel(attrs.evolve(self.library.manifest, level_weights=found.level_weights))
        return found

    def reset_level_weights(self) -> None:
        """Let searches use the model's own level weights again.

        Raises:
            ConfigError: if the library was opened to read.
        """
        self._opened.writing_parts("reset level weights")
        self.library.relabel(attrs.evolve(self.library.manifest, level_weights=None))

    def close(self) -> None:
        """Close the library; a second call does nothing."""
        self.library.close()

    @property
    def library(self) -> Library:
        """What is stored, and how it is compared; after an upgrade that was followed, another object."""
        return self._opened.library

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()
