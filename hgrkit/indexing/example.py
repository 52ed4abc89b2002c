"""Reads the example of a search, a picture, a video, a part of one or a hit, as what clips are compared with."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, final

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.checks.arguments import check_path, check_sequence, check_whole, shown, url_remark
from hgrkit.errors import ConfigError, DecodeError, MissingPathError
from hgrkit.indexing.library_writer import ClipWindow, cut_clips, embed_clips
from hgrkit.indexing.parts import FEATURES_ONLY, Parts
from hgrkit.indexing.walk import found_file
from hgrkit.levels import PerLevel
from hgrkit.library.example import clip_levels, example_of, stored_clips
from hgrkit.library.library import Library
from hgrkit.library.records import ClipEmbeddings, Float32, QueryEmbeddings, VideoRecord
from hgrkit.model.loaded import LoadedModel
from hgrkit.model.query.encoder import EmbeddedCaptions
from hgrkit.results import Description, Hit, RankedSentence
from hgrkit.video.frame_encoder import FrameEncoder, encode_frames, frame_size_of
from hgrkit.video.limits import DecodeLimits
from hgrkit.video.preparation import FrameSize
from hgrkit.video.still import picture_kind
from hgrkit.video.worker.answers import Decoded
from hgrkit.video.worker.decoder import DecodeProcess

__all__ = ["Example", "ExampleReader", "Like"]

Like = str | os.PathLike[str] | npt.NDArray[np.uint8] | Hit | Any
"""What a search takes as an example; the rest is a picture of Pillow's, or an `Example` that was read before."""

Span = tuple[float, float]

_RANGE = re.compile(r"(?P<path>.+)@(?P<start>\d+(?:\.\d+)?)-(?P<end>\d+(?:\.\d+)?)", re.DOTALL)
_PICTURES = "JPEG, PNG, WebP, BMP or TIFF picture"
_SLACK_S = 1.0
"""How far a range may reach beyond the end, as one does that was read from a clock in whole seconds."""


@attrs.frozen(kw_only=True, eq=False)
class Example:
    """An example, ready to be compared.

    Attributes:
        embeddings: its vectors.
        name: what it is called in the answer.
        video: the library's video that it is a moment of, where that is to be left out of the answer.
    """

    embeddings: QueryEmbeddings
    name: str
    video: str | None = None


@final
class ExampleReader:
    """Reads examples for a library; what a file needs to be decoded is loaded for the first one.

    Args:
        library: whose videos are not decoded again.
        model: what made its embeddings.
        parts: all of what made them, where they are loaded already.
        frame_encoder: a name or an instance, instead of the name in the library's manifest.
    """

    def __init__(
        self,
        library: Library,
        model: LoadedModel,
        parts: Parts | None = None,
        frame_encoder: str | FrameEncoder | None = None,
    ) -> None:
        self._library, self._model, self._given, self._frame_encoder = library, model, parts, frame_encoder

    def read(self, like: Like, *, limits: DecodeLimits | None = None) -> Example:
        """Read an example.

        Args:
            like: what it is.
            limits: what decoding a file may take.

        Raises:
            MissingPathError: if there is no such file.
            ConfigError: if it is none of what an example can be, or a range does not lie in the video.
            DecodeError: if a file is no picture or video that can be read.
        """
        if isinstance(like, Example):
            return like
        if isinstance(like, Hit):
            span = (like.start_s, like.end_s)
            embeddings = example_of(stored_clips(self._library, like.video), span)
            name = f"{like.video}@{like.start_s:g}-{like.end_s:g}"
            return Example(embeddings=embeddings, name=name, video=like.video)
        if isinstance(like, str | os.PathLike):
            path, part = _path_and_span(name := check_path("like", like), self._library)
            clips = self.clips(path, part, limits=limits)
            kept = part if self._current_record(path) is not None else None  # of a file, they are all of the part
            return Example(embeddings=example_of(clips, kept), name=name)
        picture = _scaled(_pixels(like), frame_size_of(self._encoder))
        return Example(embeddings=example_of(self._embedded(picture[None])), name="a picture")

    def describe(
        self,
        video: str,
        sentences: Sequence[str],
        read: Callable[[Sequence[str]], EmbeddedCaptions],
        k: int | None = None,
    ) -> Description:
        """Rank sentences for a video, less what each scores with any clip, if the model knows that.

        Args:
            video: a path: of a video of the library, or of another video or a picture, which is decoded.
            sentences: at least one.
            read: parses and embeds them.
            k: so many of the best, at least 1; all unless given.

        Raises:
            ConfigError: if there is no sentence, or k is less than 1.
            MissingPathError, DecodeError: if there is no such video, or it cannot be decoded.
        """
        given = check_sequence("sentences", sentences, str, of="sentences")
        if not given:
            raise ConfigError("there is no sentence to describe the video with; give at least one.")
        most = len(given) if k is None else check_whole("k", k)
        captions, clips = read(given), self.clips(video)
        ranked: list[RankedSentence] = []
        if captions.queries:
            settings = self._model.query_side.settings.reweighted(self._library.level_weights)
            scores, levels = clip_levels(clips, captions.queries, settings)
            scores = captions.normalised(scores)
            for place in np.argsort(-scores, kind="stable")[:most].tolist():
                query = captions.queries[place]
                ranked.append(
                    RankedSentence(
                        rank=len(ranked) + 1,
                        sentence=given[captions.positions[place]],
                        score=float(scores[place]),
                        levels=PerLevel(
                            event=float(levels.event[place]),
                            action=float(levels.action[place]) if len(query.action) else None,
                            entity=float(levels.entity[place]) if len(query.entity) else None,
                        ),
                    )
                )
        notes = tuple(f"Sentence {place + 1} is left out: {why}" for place, why in captions.failures.items())
        return Description(video=video, sentences=tuple(ranked), notes=notes)

    def clips(
        self, path: str, span: Span | None = None, *, limits: DecodeLimits | None = None
    ) -> list[ClipEmbeddings]:
        """The clips of a video as the library has them, or of a picture or a video that it does not have.

        Args:
            path: of the file.
            span: these seconds of it alone; a video of the library comes whole.
            limits: what decoding a file may take.

        Raises:
            MissingPathError, ConfigError, DecodeError: as `read` does.
        """
        record = self._current_record(path)
        if record is not None:
            _check_span(path, span, record.duration_s)
            return stored_clips(self._library, record.path)
        _check_file(path)
        if picture_kind(path) is None:
            return self._decoded(path, span, limits or DecodeLimits())
        if span is not None:
            raise ConfigError(
                f"{path!r} is a picture; a range of seconds, such as {span[0]:g}-{span[1]:g}, is for videos."
            )
        with DecodeProcess(limits or DecodeLimits()) as decoder:
            picture = decoder.read_picture(path, frame_size_of(self._encoder))
        if isinstance(picture, Decoded):
            raise _unreadable(path, picture)
        return self._embedded(picture)

    def _current_record(self, path: str) -> VideoRecord | None:
        """The library's record of a video whose file is as it was indexed, or gone."""
        record, file = self._library.video(path), found_file(path)
        if record is None or record.state == "failed":
            return None
        same = file is None or (file.size, file.mtime_ns) == (record.size, record.mtime_ns)
        return record if same else None

    def _decoded(self, path: str, span: Span | None, limits: DecodeLimits) -> list[ClipEmbeddings]:
        """Decode and embed a video that the library does not have, as it would be indexed."""
        parts, encoder = self._parts, self._encoder
        times: list[npt.NDArray[np.float64]] = []
        features: list[Float32] = []

        def take(times_s: npt.NDArray[np.float64], images: npt.NDArray[np.uint8]) -> None:
            times.append(times_s)
            features.append(encode_frames(encoder, images))

        with DecodeProcess(limits) as decoder:
            decoded = decoder.read(path, frame_size_of(encoder), parts.sampling, take, span_s=span)
        if decoded.reason is not None:
            raise _unreadable(path, decoded)
        _check_span(path, span, decoded.duration_s)
        if not times:
            raise DecodeError(f"no picture of {path!r} can be decoded.")
        begin_s, end_s = (decoded.begin_s, decoded.duration_s or 0.0) if span is None else span
        shown_s = np.concatenate(times)
        windows = cut_clips(shown_s, end_s, parts.clip_seconds, begin_s=begin_s)
        most = parts.model.config.video.max_frames
        return embed_clips(shown_s, np.concatenate(features), windows, parts.embed, max_frames=most)

    def _embedded(self, picture: npt.NDArray[np.uint8]) -> list[ClipEmbeddings]:
        """Embed one picture, [1, H, W, 3], as a clip of one frame."""
        windows = [ClipWindow(start_s=0.0, end_s=0.0, frames=slice(None))]
        features = encode_frames(self._encoder, picture)
        return embed_clips(np.zeros(1), features, windows, self._parts.embed, max_frames=None)

    @cached_property
    def _parts(self) -> Parts:
        """What the library's embeddings are made with.

        Raises:
            ConfigError: if it has no frame encoder.
            LibraryMismatchError: if what is installed is not what made it.
        """
        if self._library.manifest.frame_encoder == FEATURES_ONLY:
            raise ConfigError(
                "this library was made of files of frame features, so that no picture can be compared with it; "
                "give a video that it has, or a Hit."
            )
        if self._given is not None:
            return self._given
        made_with = self._library.manifest
        parts = Parts.choose(
            self._model,
            frame_encoder=self._frame_encoder or made_with.frame_encoder,
            sampling=made_with.sampling,
            clip_seconds=made_with.clip_seconds,
            device=self._model.device,
        )
        made_with.require(parts.manifest, library="that was opened")
        return parts

    @property
    def _encoder(self) -> FrameEncoder:
        encoder = self._parts.frame_encoder
        if encoder is None:
            raise ConfigError("there is no frame encoder; give a video that the library has, or a Hit.")
        return encoder


def _path_and_span(like: str, library: Library) -> tuple[str, Span | None]:
    """A path, and the seconds that follow it; a path that is one as it stands has none."""
    if found_file(like) is not None or library.video(like) is not None:
        return like, None
    match = _RANGE.fullmatch(like)
    if match is None:
        path, at, rest = like.rpartition("@")
        if at and found_file(path) is not None:
            raise ConfigError(f"a part of a video is {path}@START-END, in seconds, such as @3-8, got '@{rest}'.")
        return like, None
    start_s, end_s = float(match["start"]), float(match["end"])
    if start_s >= end_s:
        raise ConfigError(f"the range in {like!r} must begin before it ends; give START-END in seconds.")
    return match["path"], (start_s, end_s)


def _check_span(path: str, span: Span | None, duration_s: float | None) -> None:
    if span is None or duration_s is None:
        return
    if span[0] >= duration_s or span[1] > duration_s + _SLACK_S:
        asked = f"{span[0]:g}-{span[1]:g}"
        raise ConfigError(f"{path!r} is {duration_s:.1f} s long; the range {asked} is not all in it.")


def _check_file(path: str) -> None:
    if Path(path).is_dir():
        raise ConfigError(f"{path!r} is a folder; name one picture or one video.")
    if not Path(path).exists():
        raise MissingPathError(
            url_remark(path) or f"there is no file {path!r}, and no such video in the library; name another one."
        )


def _unreadable(path: str, decoded: Decoded) -> DecodeError:
    reason = decoded.reason or "unknown"
    kinds = f", and no {_PICTURES}" if reason.startswith("not a video") else ""
    return DecodeError(f"{path!r} cannot be read: {reason}{kinds}.")


def _pixels(like: Any) -> npt.NDArray[np.uint8]:
    """A picture in memory, as an array or as Pillow has it, as [H, W, 3 or 4]."""
    if hasattr(like, "convert") and hasattr(like, "getbands"):
        like = np.asarray(like.convert("RGBA" if "A" in like.getbands() else "RGB"))
    right = isinstance(like, np.ndarray) and like.dtype == np.uint8 and like.ndim == 3
    if not right or like.shape[2] not in (3, 4) or not like.size:
        raise ConfigError(
            "an example must be the path of a picture or a video, a Hit, or a picture, uint8 [H, W, 3], "
            f"got {shown(like)}."
        )
    pixels: npt.NDArray[np.uint8] = np.ascontiguousarray(like)
    return pixels


def _scaled(picture: npt.NDArray[np.uint8], frame_size: FrameSize) -> npt.NDArray[np.uint8]:
    from av.video.frame import VideoFrame

    from hgrkit.video.picture import PictureScaler

    kind = "rgba" if picture.shape[2] == 4 else "rgb24"
    return PictureScaler(frame_size)(VideoFrame.from_ndarray(picture, kind))
