"""What benchmarks that search a library share: where it comes from, and that the result is kept."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from result_file import arguments, described, write_result

__all__ = ["run"]


def run(
    description: str,
    index: Callable[[Path, Path], object],
    measure: Callable[[Path, int], dict[str, object]],
    *,
    runs: int,
    also: Sequence[str] = (),
) -> None:
    """Index unless a library is named, measure, print, and write a file if one is named.

    Args:
        description: of the benchmark; its first line is the command's help.
        index: makes a library, the second path, of a folder of videos.
        measure: takes the library and the number of rounds.
        runs: rounds unless told otherwise.
        also: packages whose versions matter beside the usual ones.
    """
    parser = arguments(description)
    searched = parser.add_mutually_exclusive_group(required=True)
    searched.add_argument("--videos", type=Path, help="a folder of videos to index and search")
    searched.add_argument("--library", type=Path, help="a library to search")
    parser.add_argument("--runs", type=int, default=runs)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        library = options.library or Path(folder) / "library"
        if options.library is None:
            index(options.videos, library)
        measured = measure(library, options.runs)
    write_result({**described(options, also=also), **measured}, options.out)
