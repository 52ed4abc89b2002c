"""What the tools of the MCP server answer: small records with files and times, whose schema clients can read."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from hgrkit.library.records import VideoRecord
from hgrkit.results import Hit, Phrase, SearchResult

__all__ = ["CutClipAnswer", "FoundMoment", "FoundPhrase", "ListedVideo", "SearchAnswer", "ShownHit", "VideoList"]


class FoundPhrase(BaseModel):
    """A phrase of the question, as it was found in a moment's clip."""

    text: str
    role: str = Field(description="V for an action, else the phrase's PropBank role, such as ARG0 for who does it")
    similarity: float = Field(description="of the phrase and the clip, from -1 to 1")
    best_time_s: float = Field(description="when it is seen best, in seconds from the video's beginning")
    inside: bool = Field(description="whether that time lies in the moment")

    @classmethod
    def of(cls, phrase: Phrase) -> FoundPhrase:
        """Leave out the weights of the frames."""
        return cls(
            text=phrase.text,
            role=phrase.role,
            similarity=round(phrase.similarity, 3),
            best_time_s=round(phrase.best_time_s, 2),
            inside=phrase.inside,
        )


class FoundMoment(BaseModel):
    """A moment of a video that answers the question."""

    rank: int
    video: str = Field(description="absolute path of the file")
    start_s: float
    end_s: float
    score: float = Field(description="from -1 to 1; compares within one answer only")
    confidence: float | None = Field(
        description="how likely this is the video that was meant, from 0 to 1; null if that is not known"
    )
    phrases: list[FoundPhrase]
    excluded: list[str] = Field(description="what the moment should not show, each with how much it does, -1 to 1")

    @classmethod
    def of(cls, hit: Hit) -> FoundMoment:
        """Round a hit."""
        return cls(
            rank=hit.rank,
            video=hit.video,
            start_s=round(hit.start_s, 2),
            end_s=round(hit.end_s, 2),
            score=round(hit.score, 3),
            confidence=None if hit.confidence is None else round(hit.confidence, 3),
            phrases=[FoundPhrase.of(phrase) for phrase in hit.phrases],
            excluded=[f"{phrase.text}: {phrase.similarity:+.2f}" for phrase in hit.excluded],
        )


class SearchAnswer(BaseModel):
    """What `search_video` answers."""

    matched: bool = Field(description="false: nothing seems to show what was asked, and hits are only the nearest")
    hits: list[FoundMoment] = Field(description="best first")
    exact: bool = Field(description="false: only the nearest clips were compared")
    notes: list[str] = Field(description="what of the question was not understood, not compared or excluded")

    @classmethod
    def of(cls, result: SearchResult) -> SearchAnswer:
        """Leave out the graph."""
        hits = [FoundMoment.of(hit) for hit in result.hits]
        return cls(matched=result.matched, hits=hits, exact=result.exact, notes=list(result.notes))


class ShownHit(BaseModel):
    """What `show_hit` answers beside its pictures."""

    video: str
    start_s: float
    end_s: float
    frames: list[str] = Field(description="one a picture, in order: its time, and the phrases that it bears on")
    phrases: list[FoundPhrase]
    note: str = Field(description="why there are no pictures; empty if there are")


class ListedVideo(BaseModel):
    """A video of the library."""

    path: str
    state: str = Field(description="indexed or failed")
    duration_s: float | None
    tags: dict[str, Any] = Field(description="columns for `where`")
    reason: str | None = Field(description="why it failed; null if it is indexed")

    @classmethod
    def of(cls, record: VideoRecord) -> ListedVideo:
        """Show a video's tags as one filters by them."""
        return cls(
            path=record.path,
            state=record.state,
            duration_s=record.duration_s,
            tags=dict(record.metadata),
            reason=record.reason,
        )


class VideoList(BaseModel):
    """What `list_videos` answers."""

    total: int = Field(
        description="of all videos that were asked for; more than are listed if there are more pages"
    )
    videos: list[ListedVideo] = Field(description="in the order of their paths")


class CutClipAnswer(BaseModel):
    """What `cut_clip` answers."""

    path: str = Field(description="absolute path of the new file")
    start_s: float = Field(description="where it begins in the video; up to some seconds early unless exact")
    end_s: float
    encoded: str = Field(description="why pictures were encoded again; empty if they are the video's own")
