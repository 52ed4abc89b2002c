"""The bodies of requests, as pydantic reads them and OpenAPI describes them; answers are plain JSON."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from hgrkit.serve.settings import ServeLimits

__all__ = ["ErrorAnswer", "IndexRequest", "Like", "ParseRequest", "SearchRequest", "VideoId", "Weights"]

_MOST = ServeLimits()
_Finite = Annotated[float, Field(allow_inf_nan=False)]

VideoId = Annotated[str, Field(pattern=r"^[0-9a-f]{24}$", description="A video's id, as hits and lists have it.")]


class _Body(BaseModel):
    """A body whose unknown keys are mistakes, and whose values have their JSON types."""

    model_config = ConfigDict(extra="forbid", strict=True)


class ErrorAnswer(BaseModel):
    """What is wrong, in one line."""

    error: str


class Weights(_Body):
    """What each level counts in the score."""

    event: Annotated[_Finite, Field(ge=0, le=1e6)] = 1.0
    action: Annotated[_Finite, Field(ge=0, le=1e6)] = 1.0
    entity: Annotated[_Finite, Field(ge=0, le=1e6)] = 1.0


class Like(_Body):
    """An example: one that was uploaded, or a part of an indexed video."""

    example: Annotated[str, Field(max_length=64)] | None = None
    video: VideoId | None = None
    start_s: Annotated[_Finite, Field(ge=0, le=1e9)] | None = None
    end_s: Annotated[_Finite, Field(ge=0, le=1e9)] | None = None


class SearchRequest(_Body):
    """A question: words, or a role graph, or an example, or words and an example."""

    query: Annotated[str, Field(max_length=_MOST.query_chars)] | None = None
    graph: dict[str, Any] | None = Field(None, description="A role graph, as /api/parse has it, instead of words.")
    off: Annotated[list[int], Field(max_length=1_000)] = Field(
        [], description="Ids of the graph's nodes whose words are taken out of the question."
    )
    k: Annotated[int, Field(ge=1, le=_MOST.k)] = 10
    per_video: Annotated[int, Field(ge=1, le=_MOST.per_video)] = 1
    where: Annotated[str, Field(max_length=_MOST.where_chars)] | None = None
    min_confidence: Annotated[_Finite, Field(ge=0, le=1)] | None = None
    without: Annotated[
        list[Annotated[str, Field(max_length=_MOST.phrase_chars)]], Field(max_length=_MOST.phrases)
    ] = []
    like: Like | None = None
    level_weights: Weights | None = None
    exact: bool = False


class ParseRequest(_Body):
    """A sentence to read."""

    text: Annotated[str, Field(min_length=1, max_length=_MOST.query_chars)]


class IndexRequest(_Body):
    """A folder of videos, or a video, on the server's machine."""

    folder: Annotated[str, Field(min_length=1, max_length=4_096)]
