"""What the routes do: searches, graphs, thumbnails and moments, each in the threads that are for it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import PurePath
from typing import Any, BinaryIO, TypeVar, final
from urllib.parse import urlencode

import hgrkit
from hgrkit.graph import RoleGraph
from hgrkit.library.records import VideoRecord
from hgrkit.parsing.registry import parse_texts
from hgrkit.results import Hit
from hgrkit.retriever import Retriever
from hgrkit.serve.answers import RefusedError
from hgrkit.serve.examples import Examples
from hgrkit.serve.index_job import IndexJob
from hgrkit.serve.moments import Moment, Moments, checked_span
from hgrkit.serve.schema import SearchRequest
from hgrkit.serve.served_library import ServedLibrary, described, id_of
from hgrkit.serve.settings import ServeSettings

__all__ = ["Service"]

T = TypeVar("T")

_CORES = min(4, os.cpu_count() or 1)


@final
class _WorkQueue:
    """Threads of one kind of work, and a bounded number of requests that wait for them; 503 is for the others.

    Args:
        name: of the threads.
        workers: threads.
        waiting: how many may wait for one.
    """

    def __init__(self, name: str, *, workers: int, waiting: int) -> None:
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix=f"hgrkit-{name}")
        self._name, self._most, self._pending = name, workers + waiting, 0

    async def run(self, work: Callable[[], T]) -> T:
        """Do it in a thread; what it raises is raised here.

        Raises:
            RefusedError: if too many wait already.
        """
        if self._pending >= self._most:
            raise RefusedError(503, f"too much work of this kind ({self._name}) is waiting; try again.", retry_s=1)
        self._pending += 1
        loop = asyncio.get_running_loop()
        future = self._threads.submit(work)
        # Counted until it is done, also if the client has gone meanwhile.
        future.add_done_callback(lambda done: self._ended(loop, done))
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Forget what waits; what runs ends by itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _ended(self, loop: asyncio.AbstractEventLoop, _: Future[T]) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(self._count_down)

    def _count_down(self) -> None:
        self._pending -= 1


@final
class Service:
    """Everything that is shared between requests.

    Args:
        settings: of the server.

    Raises:
        LibraryError: if a library cannot be opened.
    """

    def __init__(self, settings: ServeSettings) -> None:
        self._limits = settings.limits
        self.library = ServedLibrary(settings)
        self.examples = Examples(self.library, settings.limits)
        self.moments = Moments(settings.limits)
        self.index_job = IndexJob(settings)
        self._searches = _WorkQueue("searches", workers=_CORES, waiting=settings.limits.searches)
        self._lists = _WorkQueue("lists", workers=2, waiting=64)
        self._pictures = _WorkQueue("pictures", workers=2, waiting=128)
        self._cuts = _WorkQueue("moments", workers=2, waiting=8)
        self._uploads = _WorkQueue("examples", workers=1, waiting=8)

    def close(self) -> None:
        """End what is at work."""
        for work in (self._searches, self._lists, self._pictures, self._cuts, self._uploads):
            work.close()
        self.index_job.close()
        self.moments.close()
        self.library.close()

    # questions -------------------------------------------------------------------------------------------------

    async def search(self, asked: SearchRequest) -> dict[str, Any]:
        """Answer a question."""
        return await self._searches.run(partial(self._search, asked))

    async def parse(self, text: str) -> dict[str, Any]:
        """The role graph of a sentence."""
        return await self._searches.run(
            lambda: self.library.ask(lambda retriever: parse_texts(retriever.parser, [text])[0].to_dict())
        )

    async def add_example(self, file: BinaryIO, name: str) -> dict[str, Any]:
        """Read an uploaded example."""
        return await self._uploads.run(partial(self.examples.add, file, name))

    def _search(self, asked: SearchRequest) -> dict[str, Any]:
        if asked.query is not None and asked.graph is not None:
            raise RefusedError(400, "a question is words or a graph; give one of 'query' and 'graph'.")
        like = None if asked.like is None else self.examples.like(asked.like)
        weights = asked.level_weights

        def answer(retriever: Retriever) -> dict[str, Any]:
            result = retriever.search(
                _question(asked, retriever),
                asked.k,
                like=like,
                without=asked.without,
                where=asked.where,
                per_video=asked.per_video,
                exact=asked.exact,
                min_confidence=asked.min_confidence,
                level_weights=None if weights is None else (weights.event, weights.action, weights.entity),
            )
            listed = self.library.listing().by_id  # a look at the library for each hit costs as much as the search
            hits = [self._described(hit, listed.get(id_of(hit.video))) for hit in result.hits]
            return {**result.to_dict(), "hits": hits}

        return self.library.ask(answer)

    def _described(self, hit: Hit, record: VideoRecord | None) -> dict[str, Any]:
        """A hit, with what a page needs to show it: addresses are relative to the page's."""
        video = id_of(hit.video)
        shown_s = [phrase.best_time_s for phrase in hit.phrases if phrase.inside]
        time_s = shown_s[0] if shown_s else (hit.start_s + hit.end_s) / 2
        end_s = min(hit.end_s, hit.start_s + self._limits.moment_s)
        return {
            **hit.to_dict(),
            "id": video,
            "name": PurePath(hit.video).name,
            "duration_s": None if record is None else record.duration_s,
            "media": f"media/{video}",
            "play": f"play/{video}?{_span(hit.start_s, end_s)}",
            "thumbnail": f"api/thumbnail/{video}?{urlencode({'t': f'{time_s:.1f}'})}",
        }

    # videos ----------------------------------------------------------------------------------------------------

    async def health(self) -> dict[str, Any]:
        """That the server is there, and how much the library has."""
        return await self._lists.run(self._health)

    def _health(self) -> dict[str, Any]:
        listing, limits = self.library.listing(), self._limits
        indexed = sum(video.state == "indexed" for video in listing.videos)
        return {
            "status": "ok",
            "version": hgrkit.__version__,
            "videos": len(listing.videos),
            "indexed": indexed,
            "failed": len(listing.videos) - indexed,
            "clips": sum(video.clips for video in listing.videos),
            "library": {"number": listing.version.number, "token": listing.version.token},
            "calibrated": self.library.ask(lambda retriever: retriever.calibrated),
            "may_index": self.index_job.why_not is None,
            "limits": {
                "k": limits.k,
                "per_video": limits.per_video,
                "query_chars": limits.query_chars,
                "without": limits.phrases,
                "upload_bytes": limits.upload_bytes,
                "moment_s": limits.moment_s,
            },
        }

    async def videos(self, limit: int, offset: int) -> dict[str, Any]:
        """Some of the videos, in the order of their paths, and how many there are."""
        listing = await self._lists.run(self.library.listing)
        shown = [described(record) for record in listing.videos[offset : offset + limit]]
        return {"videos": shown, "total": len(listing.videos)}

    async def video(self, video: str) -> VideoRecord:
        """One video, by its id."""
        return await self._lists.run(partial(self.library.record, video))

    async def indexed(self, video: str) -> VideoRecord:
        """The same, if its file may be shown."""
        return await self._lists.run(partial(self.library.indexed, video))

    async def listed(self, work: Callable[[], T]) -> T:
        """Do what takes a moment, such as looking at the disk."""
        return await self._lists.run(work)

    async def columns(self) -> dict[str, Any]:
        """What videos can be filtered by."""
        return {"columns": await self._lists.run(self.library.columns)}

    async def thumbnail(self, video: str, time_s: float, height: int) -> bytes:
        """The picture of a video at a time."""
        record = await self.indexed(video)
        if record.duration_s is not None:
            time_s = min(time_s, record.duration_s)
        return await self._pictures.run(partial(self.moments.thumbnail, record, round(time_s, 1), height))

    async def plays_as_it_is(self, record: VideoRecord) -> tuple[str, str]:
        """The media type by which browsers play a video's own file, or an empty one and why they do not."""
        found = await self._pictures.run(partial(self.moments.web_play, record))
        return found.media_type, found.reason

    async def moment(self, record: VideoRecord, start_s: float, end_s: float) -> Moment:
        """A moment of a video in a format that browsers play."""
        span = checked_span(start_s, end_s, record, self._limits)
        return await self._cuts.run(partial(self.moments.moment, record, *span))

    async def how_to_play(self, video: str, start_s: float, end_s: float) -> dict[str, Any]:
        """The address at which a moment can be played, and where in the video its second 0 is."""
        record = await self.indexed(video)
        span = checked_span(start_s, end_s, record, self._limits)
        media_type, why = await self.plays_as_it_is(record)
        if media_type:
            return {"url": f"media/{video}", "offset_s": 0.0, "how": "original", "type": media_type, "why": ""}
        made = await self.moment(record, *span)
        return {
            "url": f"play/{video}?{_span(*span)}",
            "offset_s": made.start_s,
            "how": "encoded" if made.encoded else "copied",
            "type": made.media_type,
            "why": why,
        }


def _question(asked: SearchRequest, retriever: Retriever) -> str | RoleGraph | None:
    """The words or the graph that are asked, without what is turned off.

    Raises:
        GraphError: if the graph is none.
        RefusedError: if it has no such nodes, or nothing is left of it.
    """
    question = asked.query if asked.graph is None else RoleGraph.from_dict(asked.graph)
    if not asked.off or question is None:
        return question
    graph = parse_texts(retriever.parser, [question])[0] if isinstance(question, str) else question
    off = set(asked.off)
    unknown = sorted(off - {node.id for node in graph.nodes})
    if unknown:
        raise RefusedError(400, f"off names {unknown[:5]}, which are no ids of the graph's nodes.")
    words: dict[bool, set[int]] = {True: set(), False: set()}
    for node in graph.nodes:
        words[node.id in off].update(range(node.span.start, node.span.stop))
    left = [token for token in range(len(graph.tokens)) if token not in words[True] - words[False]]
    if not left or (not words[False] and asked.like is None):
        raise RefusedError(400, "every phrase is turned off; leave one on.")
    return graph.cut_to(left)


def _span(start_s: float, end_s: float) -> str:
    return urlencode({"start": f"{start_s:.2f}", "end": f"{end_s:.2f}"})
