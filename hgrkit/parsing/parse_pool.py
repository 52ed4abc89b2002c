"""Parses batches of sentences in their order, in this process or in several."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from functools import partial
from itertools import islice

from hgrkit.errors import GraphError
from hgrkit.graph import RoleGraph
from hgrkit.parsing.protocol import GraphParser
from hgrkit.parsing.registry import load_parser, parse_each

__all__ = ["parse_batches"]

Answers = list[RoleGraph | GraphError]

_worker_parser: GraphParser | None = None


def parse_batches(
    parser: str | GraphParser, batches: Iterable[list[str]], num_workers: int
) -> Iterator[tuple[list[str], Answers]]:
    """Each batch with the graphs of its sentences; a sentence without one has the reason.

    Args:
        parser: an instance for one process, a name for several.
        batches: lists of sentences.
        num_workers: number of processes.

    Raises:
        PluginError: if the parser fails in its own way.
    """
    if num_workers == 1:
        loaded = load_parser(parser)
        for batch in batches:
            yield batch, parse_each(loaded, batch)
        return
    context = multiprocessing.get_context("spawn")
    begin = partial(_start_worker, parser)
    with ProcessPoolExecutor(num_workers, context, initializer=begin) as pool:
        left = iter(batches)
        waiting: deque[tuple[list[str], Future[Answers]]] = deque()
        try:
            while True:
                for batch in islice(left, 2 * num_workers - len(waiting)):
                    waiting.append((batch, pool.submit(_parse_in_worker, batch)))
                if not waiting:
                    return
                batch, answers = waiting.popleft()
                yield batch, answers.result()
        finally:
            for _, future in waiting:
                future.cancel()


def _start_worker(parser: str | GraphParser) -> None:
    global _worker_parser  # noqa: PLW0603 (one parser a process, loaded once)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _worker_parser = load_parser(parser)


def _end_with_parent() -> None:
    """A worker whose parent was killed has nobody to work for."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _parse_in_worker(batch: Sequence[str]) -> Answers:
    if _worker_parser is None:
        raise RuntimeError("a worker parses before it has a parser")
    return parse_each(_worker_parser, batch)
