"""Work that takes long: a few threads, a bounded number of requests that wait for them, and 503 for the others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar, final

from hgrkit.serve.answers import RefusedError

__all__ = ["WorkQueue"]

T = TypeVar("T")


@final
class WorkQueue:
    """Threads of one kind of work.

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
