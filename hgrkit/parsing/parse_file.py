"""Parses a file of sentences into a file of graphs, in one process or several; resumes after an interruption."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import attrs

from hgrkit.errors import ConfigError, GraphError, MissingPathError
from hgrkit.graph import RoleGraph
from hgrkit.parsing.graph_file import GraphFileHeader, graph_record, read_header
from hgrkit.parsing.protocol import GraphParser
from hgrkit.parsing.registry import load_parser, parse_each
from hgrkit.storage.atomic_file import writing

__all__ = ["ParseReport", "parse_file", "read_sentences", "write_graphs"]

Answers = list[RoleGraph | GraphError]

_worker_parser: GraphParser | None = None


def parse_batches(
    parser: str | GraphParser, batches: Iterable[list[str]], num_workers: int
) -> Iterator[tuple[list[str], Answers]]:
    """Yield each batch with the graphs of its sentences, or the reasons why they have none.

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
    # a forked child could inherit locks that a thread of its parent held
    context = multiprocessing.get_context("spawn")
    begin = partial(_start_worker, parser)
    with ProcessPoolExecutor(num_workers, context, initializer=begin) as pool:
        left = iter(batches)
        waiting: deque[tuple[list[str], Future[Answers]]] = deque()
        try:
            while True:
                # for each process a batch to parse and one that waits, whatever the size of the file
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
    """End a worker whose parent was killed."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _parse_in_worker(batch: Sequence[str]) -> Answers:
    if _worker_parser is None:
        raise RuntimeError("a worker parses before it has a parser")
    return parse_each(_worker_parser, batch)


# A batch is written when it is parsed: what an interrupted run loses.
_LINES_AT_ONCE = 256


@attrs.frozen(kw_only=True)
class ParseReport:
    """The outcome of parsing a file of sentences.

    Attributes:
        file: the file of graphs.
        parser: name and version of the parser.
        sentences: its lines, each a sentence.
        kept: how many of them an earlier run had parsed.
        refused: those of this run that have no graph but a reason.
    """

    file: str
    parser: str
    sentences: int
    kept: int
    refused: int

    def to_dict(self) -> dict[str, Any]:
        """The report as plain JSON types."""
        return attrs.asdict(self)


def parse_file(
    parser: str | GraphParser,
    source: Path,
    target: Path,
    *,
    num_workers: int = 1,
    on_progress: Callable[[int, int], object] | None = None,
) -> ParseReport:
    """Parse a file with one sentence a line.

    Until everything is parsed the graphs are in a file beside the target, with `.partial` after its name. An
    existing one is continued if the same parser in the same version began it from the same sentences.

    Args:
        parser: name of an installed parser, or an instance.
        source: the sentences.
        target: the file of graphs; it holds one line more than the sentences, the header.
        num_workers: processes that parse; for more than one the parser must be named.
        on_progress: called with the number of lines that are done, and of all.

    Raises:
        MissingPathError: if there is no file of sentences.
        ConfigError: if the target or what was begun comes from another parser, version or file, or an instance is
            to work in several processes.
        PluginError: if the parser fails in its own way.
    """
    if num_workers < 1:
        raise ConfigError(f"num_workers must be at least 1, got {num_workers}.")
    if num_workers > 1 and not isinstance(parser, str):
        raise ConfigError("several processes need a parser's name, not an instance; use num_workers=1.")
    loaded = load_parser(parser)
    total, digest = _measure(source)
    header = GraphFileHeader(parser=loaded.name, version=loaded.version, source=digest)
    if target.exists():
        _require(header, target, "delete it, or name another file with --output")
        return ParseReport(file=str(target), parser=header.made_by, sentences=total, kept=total, refused=0)
    kept = _begin(_unfinished(target), header)
    sentences = islice(read_sentences(source), kept, None)
    batches = iter(lambda: list(islice(sentences, _LINES_AT_ONCE)), [])
    parsed = parse_batches(parser if num_workers > 1 else loaded, batches, num_workers)
    pairs = (zip(batch, graphs, strict=True) for batch, graphs in parsed)
    return _finish(target, header, pairs, kept, lambda done: on_progress and on_progress(done, total))


def write_graphs(
    graphs: Iterable[tuple[str, RoleGraph | GraphError]], target: Path, header: GraphFileHeader
) -> ParseReport:
    """Write captions with their graphs, such as converted ones; the file appears when it is complete.

    Args:
        graphs: the captions, each with its graph or the reason why it has none.
        target: the file of graphs.
        header: says what made them.

    Raises:
        ConfigError: if something is at that path already.
    """
    if target.exists():
        raise ConfigError(f"there is a file {str(target)!r} already; delete it, or name another one.")
    _write_header(_unfinished(target), header)
    return _finish(target, header, [graphs])


def _unfinished(target: Path) -> Path:
    return target.with_name(target.name + ".partial")


def _write_header(unfinished: Path, header: GraphFileHeader) -> None:
    with writing(unfinished):
        unfinished.write_text(header.to_json() + "\n", encoding="utf-8")


def _finish(
    target: Path,
    header: GraphFileHeader,
    batches: Iterable[Iterable[tuple[str, RoleGraph | GraphError]]],
    kept: int = 0,
    on_batch: Callable[[int], object] | None = None,
) -> ParseReport:
    """Append the batches to the unfinished file, and rename it when it is complete."""
    unfinished = _unfinished(target)
    refused, done = 0, kept
    with writing(unfinished), unfinished.open("a", encoding="utf-8") as file:
        for batch in batches:
            for caption, graph in batch:
                file.write(json.dumps(graph_record(caption, graph)) + "\n")
                refused += isinstance(graph, GraphError)
                done += 1
            file.flush()
            if on_batch is not None:
                on_batch(done)
        os.fsync(file.fileno())
    unfinished.replace(target)
    return ParseReport(file=str(target), parser=header.made_by, sentences=done, kept=kept, refused=refused)


def read_sentences(path: Path) -> Iterator[str]:
    """Yield the lines of a file; bytes that are not UTF-8 are replaced.

    Raises:
        MissingPathError: if there is no such file.
    """
    if not path.is_file():
        raise MissingPathError(f"there is no file {str(path)!r}; --input takes a text file, one sentence a line.")
    with path.open(encoding="utf-8", errors="replace") as file:
        yield from (line.rstrip("\r\n") for line in file)


def _measure(path: Path) -> tuple[int, str]:
    """Count the lines of a file of sentences and compute its digest."""
    total, digest = 0, hashlib.sha256()
    for line in read_sentences(path):
        total += 1
        digest.update(line.encode("utf-8") + b"\n")
    return total, digest.hexdigest()


def _begin(unfinished: Path, header: GraphFileHeader) -> int:
    """Prepare the unfinished file for appending; return the number of sentences that it holds."""
    content = unfinished.read_bytes() if unfinished.exists() else b""
    whole = content[: content.rfind(b"\n") + 1]  # a line that an interruption cut off is parsed again
    if not whole:
        _write_header(unfinished, header)
        return 0
    _require(header, unfinished, "finish it with that parser and these sentences, or delete it")
    if len(whole) < len(content):
        os.truncate(unfinished, len(whole))
    return whole.count(b"\n") - 1


def _require(wanted: GraphFileHeader, path: Path, remedy: str) -> None:
    found = read_header(path)
    if found == wanted:
        return
    if found is None:
        raise ConfigError(f"there is a file {str(path)!r} already that does not say what made it; {remedy}.")
    what = "other sentences" if found.made_by == wanted.made_by else f"the parser {found.made_by}"
    raise ConfigError(f"{str(path)!r} was made with {what}, not with {wanted.made_by}; {remedy}.")
