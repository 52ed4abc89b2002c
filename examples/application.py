"""An application: index a folder of videos, then ask it questions.

python examples/application.py videos/ lib "a woman throws a ball to a dog"
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from hgrkit import Retriever, SearchResult

log = logging.getLogger(__name__)


def index(videos: str | Path, library: str | Path) -> int:
    """Make a library of a folder's videos; returns how many were indexed."""
    with Retriever.create(library, model="default", parser="lark", device="auto") as retriever:
        report = retriever.index(videos, on_progress=lambda event: log.info("%d of %d", event.done, event.total))
    for failure in report.failures:
        log.warning("%s: %s", failure.path, failure.reason)
    return report.indexed


def ask(library: str | Path, question: str) -> SearchResult:
    """Search a library; opening it for reading never creates or changes one."""
    with Retriever.open(library, mode="r") as retriever:
        result = retriever.search(question, k=5)
        for hit in result.hits:
            print(f"{hit.score:.3f}  {hit.video}  {hit.start_s:.1f}-{hit.end_s:.1f} s", hit.levels.action)
            for phrase in hit.phrases:
                print(f"    {phrase.text} ({phrase.role}): {phrase.similarity:.3f} at {phrase.best_time_s:.1f} s")
        return result


def ask_without(library: str | Path, result: SearchResult, phrase: str) -> SearchResult:
    """Ask again with one phrase taken out: a query is a sentence or a role graph."""
    with Retriever.open(library, mode="r") as retriever:
        return retriever.search(result.graph.without(phrase))


def main() -> None:
    """Run the program on a folder, a library and a question of the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("videos", type=Path)
    parser.add_argument("library", type=Path)
    parser.add_argument("question")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO)
    if not arguments.library.exists():
        index(arguments.videos, arguments.library)
    ask(arguments.library, arguments.question)


if __name__ == "__main__":
    main()
