"""The tools of the MCP server: what an agent may ask of a library, in its words and types."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Annotated

from mcp.types import CallToolResult, ImageContent, TextContent
from pydantic import BaseModel, Field

from hgrkit.agents.answers import CutClipAnswer, FoundPhrase, ListedVideo, SearchAnswer, ShownHit, VideoList
from hgrkit.clips import cut_hits
from hgrkit.errors import ConfigError, DecodeError
from hgrkit.levels import PerLevel
from hgrkit.pages.hit_explanation import HitExplanation, explain_hit
from hgrkit.results import Hit, clock
from hgrkit.retriever import Retriever
from hgrkit.video.limits import DecodeLimits
from hgrkit.video.worker.decoder import DecodeProcess

__all__ = ["PICTURE_HEIGHT", "VideoTools"]

PICTURE_HEIGHT = 240
"""Pixels of the pictures that agents look at: enough for what people do and hold, at some 15 KB each."""

_MOMENTS_OF_A_VIDEO = 10
"""So many moments of one video are compared with the one that is to be shown."""

_QUERY_CHARS = 2000
_PHRASES = 20
"""More than anybody asks; a longer question would only keep the server busy."""

Video = Annotated[str, Field(description="path of a video of the library, as an answer names it")]
Start = Annotated[float, Field(ge=0, description="where the moment begins, in seconds from the video's beginning")]
End = Annotated[float, Field(gt=0, description="where it ends, in seconds")]


class VideoTools:
    """What an agent may do with a library; each method is a tool.

    Args:
        retriever: open to read.
        clips_out: the folder that cut clips go into.
        any_example: `like` may name any picture or video of this machine, not only videos of the library.
    """

    def __init__(self, retriever: Retriever, *, clips_out: Path, any_example: bool) -> None:
        self._retriever, self._clips_out, self._any_example = retriever, clips_out, any_example

    def search_video(
        self,
        *,
        query: Annotated[
            str | None,
            Field(
                max_length=_QUERY_CHARS,
                description="one plain sentence of what is seen, such as 'a man pours water into a cup'",
            ),
        ] = None,
        k: Annotated[int, Field(ge=1, le=100, description="hits at most")] = 5,
        per_video: Annotated[int, Field(ge=1, le=100, description="moments of one video at most")] = 1,
        without: Annotated[
            list[str] | None,
            Field(max_length=_PHRASES, description="phrases that must not be seen, such as ['a car']"),
        ] = None,
        like: Annotated[
            str | None,
            Field(description="an example instead of or beside words: path of a video, or a part 'v.mp4@3-8'"),
        ] = None,
        videos: Annotated[list[str] | None, Field(description="look at these videos only, by their paths")] = None,
        where: Annotated[
            str | None,
            Field(
                description="SQL expression over path, name, folder, duration_s, modified, indexed and the tags, "
                "such as \"camera = 'front' and duration_s > 60\""
            ),
        ] = None,
        min_confidence: Annotated[float | None, Field(ge=0, le=1, description="leave out hits below it")] = None,
        exact: Annotated[bool, Field(description="compare every clip, however large the library is")] = False,
        num_candidates: Annotated[
            int | None, Field(ge=1, description="compare so many of the nearest clips")
        ] = None,
        level_weights: Annotated[
            tuple[float, float, float] | None,
            Field(description="weights of event, action and entity in the scores; hits then have no confidence"),
        ] = None,
    ) -> Annotated[CallToolResult, SearchAnswer]:
        """Find the moments that a sentence describes: the video, its times, and when each phrase is seen."""
        if query is None and like is None:
            raise ConfigError("search_video needs a query, or an example in like; give one of them.")
        if like is not None:
            self._check_example(like)
        result = self._retriever.search(
            query,
            k,
            per_video=per_video,
            without=without or (),
            like=like,
            videos=videos,
            where=where,
            min_confidence=min_confidence,
            exact=exact,
            num_candidates=num_candidates,
            level_weights=level_weights,
        )
        return _answered(SearchAnswer.of(result))

    def show_hit(
        self,
        *,
        video: Video,
        start_s: Start,
        end_s: End,
        query: Annotated[
            str | None,
            Field(
                max_length=_QUERY_CHARS,
                description="the sentence that found it, to know when each of its phrases is seen",
            ),
        ] = None,
        num_frames: Annotated[int, Field(ge=1, le=12, description="pictures at most")] = 4,
    ) -> Annotated[CallToolResult, ShownHit]:
        """Look at a moment, to check a hit: pictures in order and, with the query, the times of its phrases."""
        moment = self._moment(video, start_s, end_s, query)
        with DecodeProcess(DecodeLimits()) as decoder:
            shown = explain_hit(moment, num_frames=num_frames, decoder=decoder, height=PICTURE_HEIGHT)
        answer = ShownHit(
            video=shown.hit.video,
            start_s=round(shown.hit.start_s, 2),
            end_s=round(shown.hit.end_s, 2),
            frames=_frame_lines(shown),
            phrases=[FoundPhrase.of(phrase) for phrase in shown.hit.phrases],
            note=shown.note,
        )
        return _answered(answer, [frame.jpeg for frame in shown.strip if frame.jpeg is not None])

    def list_videos(
        self,
        *,
        where: Annotated[
            str | None,
            Field(description="SQL expression as for search_video; then only indexed videos are listed"),
        ] = None,
        limit: Annotated[int, Field(ge=1, le=500, description="videos at most")] = 50,
        offset: Annotated[int, Field(ge=0, description="leave out so many, to see the next page")] = 0,
    ) -> Annotated[CallToolResult, VideoList]:
        """List the library's videos with lengths and tags; of those that could not be indexed, the reason."""
        records = self._retriever.library.videos(where)
        listed = [ListedVideo.of(record) for record in records[offset : offset + limit]]
        return _answered(VideoList(total=len(records), videos=listed))

    def cut_clip(
        self,
        *,
        video: Video,
        start_s: Start,
        end_s: End,
        exact: Annotated[
            bool, Field(description="cut at these very frames, which encodes them again; else from a key frame on")
        ] = False,
    ) -> Annotated[CallToolResult, CutClipAnswer]:
        """Write a moment of a video into a new file of its own, with its sound, and say where it is."""
        hit = self._moment(video, start_s, end_s, None)
        (clip,) = cut_hits([hit], self._clips_out, exact=exact)
        if clip.path is None:
            raise DecodeError(f"the moment cannot be cut: {clip.problem}; choose another one.")
        return _answered(
            CutClipAnswer(
                path=str(clip.path.absolute()),
                start_s=round(clip.start_s, 3),
                end_s=round(clip.end_s, 3),
                encoded=clip.encoded,
            )
        )

    def _moment(self, video: str, start_s: float, end_s: float, query: str | None) -> Hit:
        """A part of an indexed video; of those that a search for the query finds in it, the one that fits best."""
        record = self._retriever.library.video(video)
        if record is None or record.state != "indexed":
            raise ConfigError(f"the library has no indexed video {video!r}; list_videos names those that it has.")
        if end_s <= start_s or (record.duration_s is not None and start_s >= record.duration_s):
            length = "" if record.duration_s is None else f", and the video is {record.duration_s:.1f} s long"
            raise ConfigError(f"a moment begins before it ends{length}; got {start_s:g}-{end_s:g}.")
        hits: tuple[Hit, ...] = ()
        if query is not None:
            most = _MOMENTS_OF_A_VIDEO
            hits = self._retriever.search(query, most, videos=[record.path], per_video=most).hits
        nothing = PerLevel[float | None](event=None, action=None, entity=None)
        plain = Hit(rank=1, video=record.path, start_s=start_s, end_s=end_s, score=0.0, levels=nothing, phrases=())
        shared = [min(end_s, hit.end_s) - max(start_s, hit.start_s) for hit in hits]
        return hits[shared.index(max(shared))] if hits and max(shared) > 0 else plain

    def _check_example(self, like: str) -> None:
        """Refuse a file that is not the library's where whoever asks may not read this machine's files."""
        library, part = self._retriever.library, like.rpartition("@")[0]
        if not self._any_example and library.video(like) is None and (not part or library.video(part) is None):
            raise ConfigError(f"over HTTP an example is a video of the library, got {like!r}; see list_videos.")


def _answered(answer: BaseModel, pictures: list[bytes] | None = None) -> CallToolResult:
    """An answer as data and, for clients that read none, as the same data in one line; then its pictures."""
    images = [
        ImageContent(type="image", data=base64.b64encode(picture).decode("ascii"), mime_type="image/jpeg")
        for picture in pictures or ()
    ]
    text = TextContent(type="text", text=answer.model_dump_json())
    return CallToolResult(content=[text, *images], structured_content=answer.model_dump(mode="json"))


def _frame_lines(shown: HitExplanation) -> list[str]:
    """What stands beside each picture: its time, and the phrases that it bears on."""
    lines: list[str] = []
    for frame in shown.strip:
        phrases = ", ".join(shown.hit.phrases[position].text for position in frame.phrases)
        lines.append(f"{clock(frame.time_s)}{f' {phrases}' if phrases else ''}")
    return lines
