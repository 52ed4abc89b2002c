"""The bodies of requests and answers, as OpenAPI describes them; only requests are checked by them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from hgrkit.serve.settings import ServeLimits

__all__ = [
    "Columns",
    "ErrorAnswer",
    "ExampleAnswer",
    "Graph",
    "Health",
    "IndexRequest",
    "IndexState",
    "Like",
    "ParseRequest",
    "PlayAnswer",
    "SearchAnswer",
    "SearchRequest",
    "Video",
    "VideoId",
    "VideoList",
    "Weights",
]

# requests ------------------------------------------------------------------------------------------------------

_MOST = ServeLimits()
_Finite = Annotated[float, Field(allow_inf_nan=False)]

VideoId = Annotated[str, Field(pattern=r"^[0-9a-f]{24}$", description="A video's id, as hits and lists have it.")]


class _Body(BaseModel):
    """A body whose unknown keys are mistakes, and whose values have their JSON types."""

    model_config = ConfigDict(extra="forbid", strict=True)


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


# answers -------------------------------------------------------------------------------------------------------


class _Answer(BaseModel):
    """What is answered has these keys and no others."""

    model_config = ConfigDict(extra="forbid")


class ErrorAnswer(_Answer):
    """What is wrong, in one line; `request` names a failure of the server in its log."""

    error: str
    request: str = ""


class Node(_Answer):
    """A phrase: the tokens [start, stop) of its span, and the most important one of them."""

    id: int
    role: str
    span: tuple[int, int]
    head: int | None = None


class Graph(_Answer):
    """A sentence as hgrkit reads it; an edge is an action's id, an argument's id and its role."""

    tokens: list[str]
    nodes: list[Node]
    edges: list[tuple[int, int, str]]
    excluded: list[int]


class Levels(_Answer):
    """Similarity of each level; `null` where the question has nothing on it."""

    event: float | None
    action: float | None
    entity: float | None


class Phrase(_Answer):
    """How one phrase matches: when, and whether it is seen best in the moment."""

    node_id: int
    text: str
    role: str
    level: Literal["action", "entity"]
    similarity: float
    times_s: list[float]
    weights: list[float]
    inside: bool


class ExcludedPhrase(_Answer):
    """How much of what must not be seen is seen."""

    node_ids: list[int]
    text: str
    similarity: float
    times_s: list[float]
    weights: list[float]


class HitAnswer(_Answer):
    """A moment that was found; addresses are relative to the page's."""

    rank: int
    id: VideoId
    video: str
    name: str
    start_s: float
    end_s: float
    duration_s: float | None
    score: float
    likeness: float | None
    confidence: float | None
    levels: Levels
    phrases: list[Phrase]
    excluded: list[ExcludedPhrase]
    media: str
    play: str
    thumbnail: str


class SearchAnswer(_Answer):
    """The hits, best first; `matched` is false where nothing seems to match."""

    query: str
    graph: Graph | None
    like: str | None
    hits: list[HitAnswer]
    exact: bool
    matched: bool
    notes: list[str]
    elapsed_ms: float


class Video(_Answer):
    """A video of the library; `reason` says why one failed."""

    id: VideoId
    path: str
    name: str
    state: Literal["indexed", "failed"]
    reason: str | None
    duration_s: float | None
    clips: int
    tags: dict[str, bool | int | float | str]
    size: int
    indexed_at: str | None


class VideoList(_Answer):
    """Some of the videos, and how many there are."""

    videos: list[Video]
    total: int


class LibraryVersion(_Answer):
    """Changes when the library does."""

    number: int
    token: str


class Health(_Answer):
    """That the server is there, what it has, and what it takes."""

    status: Literal["ok"]
    version: str
    videos: int
    indexed: int
    failed: int
    clips: int
    library: LibraryVersion
    calibrated: bool
    may_index: bool
    limits: dict[str, float]


class ColumnValue(_Answer):
    """A value of a tag, and how many videos have it."""

    value: bool | int | float | str
    videos: int


class Column(_Answer):
    """What `where` can name: a column of every library, or a tag with its most frequent values."""

    name: str
    type: Literal["text", "number", "boolean", "mixed"]
    tag: bool
    videos: int | None = None
    values: list[ColumnValue]


class Columns(_Answer):
    """What videos can be filtered by."""

    columns: list[Column]


class ExampleAnswer(_Answer):
    """What an upload is called in searches."""

    token: str
    name: str
    kind: Literal["picture", "video"]
    expires_s: float


class PlayAnswer(_Answer):
    """Where a moment is played: the video's time is `offset_s` and that of the player."""

    url: str
    offset_s: float
    how: Literal["original", "copied", "encoded"]
    type: str
    why: str


class Failure(_Answer):
    """A file that could not be indexed."""

    path: str
    reason: str


class IndexState(_Answer):
    """What is being indexed, or was last; the first failures."""

    state: Literal["idle", "running", "stopping", "done", "stopped", "failed"]
    may_index: bool
    why_not: str | None
    folder: str | None
    done: int
    total: int | None
    counts: dict[str, int]
    at_work: list[str]
    last: str | None
    failures: list[Failure]
    error: str | None
    started_at: str | None
    seconds: float
