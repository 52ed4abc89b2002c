"""`hgrkit search`: a sentence in, ranked moments out."""

from __future__ import annotations

import os
import sys
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Annotated

import typer

from hgrkit.cli.output import (
    clock,
    echo,
    echo_json,
    filled,
    legend,
    printable,
    quoted,
    shown_path,
    stdout,
    typed_text,
)
from hgrkit.cli.usage import Trust
from hgrkit.errors import ConfigError
from hgrkit.results import NO_VIDEO_MATCHES, NOTHING_MATCHES, percent

if TYPE_CHECKING:
    from rich.text import Text

    from hgrkit.clips import MomentClip
    from hgrkit.pages.explanation import Explanation
    from hgrkit.results import Hit, SearchResult

__all__ = ["result_text", "search", "show_hits"]

_BETWEEN = "  |  "
_INDENT = " " * 12


def search(
    library: Annotated[
        list[Path],
        typer.Option("--library", "-l", metavar="LIB", help="The library; repeat it to search several as one."),
    ],
    text: Annotated[str | None, typer.Argument(help="What to look for, in quotes.")] = None,
    like: Annotated[
        str | None,
        typer.Option(metavar="EXAMPLE", help="Search by a picture or a video; V@3-8 is a part of V."),
    ] = None,
    k: Annotated[
        int | None,
        typer.Option("--k", "-k", min=1, help="Number of hits; default: 5 in a terminal, else 10."),
    ] = None,
    parser: Annotated[str, typer.Option(help="Parser that reads the text.")] = "lark",
    model: Annotated[
        str | None, typer.Option(help="The library's model under another name, or an export of it.")
    ] = None,
    device: Annotated[str, typer.Option(help="Where the model runs: auto, cpu, cuda or mps.")] = "cpu",
    html: Annotated[Path | None, typer.Option(help="Write a page that explains the hits.")] = None,
    png: Annotated[Path | None, typer.Option(help="Draw the explanation as a picture.")] = None,
    thumbnails: Annotated[bool, typer.Option("--thumbnails", help="Show film strips in the terminal.")] = False,
    clips_out: Annotated[
        Path | None, typer.Option(help="Cut the moment of each hit into a file in this folder.")
    ] = None,
    per_video: Annotated[
        int, typer.Option(min=1, metavar="N", help="Maximum number of hits (moments) of one video.")
    ] = 1,
    exact: Annotated[
        bool,
        typer.Option("--exact", help="Cut clips to the exact frame (slower: they are encoded again)."),
    ] = False,
    where: Annotated[
        str | None,
        typer.Option(
            metavar="SQL", help="Search only videos for which this is true, such as \"camera = 'front'\"."
        ),
    ] = None,
    exact_search: Annotated[
        bool, typer.Option("--exact-search", help="Compare every clip, even in a large library.")
    ] = False,
    candidates: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Compare the N nearest clips; the default grows with the library."),
    ] = None,
    without: Annotated[
        list[str] | None,
        typer.Option(metavar="PHRASE", help="What you do not want to see, such as 'a car'; can be repeated."),
    ] = None,
    min_confidence: Annotated[
        float | None,
        typer.Option(min=0, max=1, metavar="P", help="Omit hits with a lower confidence, from 0 to 1."),
    ] = None,
    trust: Trust = False,
    play: Annotated[bool, typer.Option("--open", help="Play the moment of the first hit.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Search a library for the best moments, and show when each phrase was seen."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # products for one question are too small to share
    from hgrkit.retriever import Retriever

    _check_asked(text, like, library[0], pages=html is not None or png is not None or thumbnails)
    _check_names(html, png)
    _check_cutting(clips_out, exact=exact, play=play)
    with Retriever.open(library, model=model, parser=parser, device=device, trust=trust) as retriever:
        result = retriever.search(
            None if text is None else typed_text(text),
            like=like,
            k=k or _default_k(json=json),
            per_video=per_video,
            where=None if where is None else typed_text(where),
            exact=exact_search,
            num_candidates=candidates,
            without=[typed_text(phrase) for phrase in without or ()],
            min_confidence=min_confidence,
        )
        explanation = retriever.explain(result) if html or png or thumbnails else None
    if explanation is not None:
        _save(explanation, html, png)
    if not json:
        _show(result, explanation if thumbnails else None, min_confidence=min_confidence)
    clips = _cut(result, clips_out, exact=exact) if clips_out is not None or play else None
    if json:
        cut = {} if clips is None else {"clips": [clip.to_dict() for clip in clips]}
        echo_json({**result.to_dict(), **cut})
    else:
        _show_clips(clips or ())
    if play and clips:
        from hgrkit.cli.clips import play_first

        play_first(clips)
    if clips_out is not None and clips and not any(clip.path for clip in clips):
        raise typer.Exit(2)  # each was said why


def _default_k(*, json: bool) -> int:
    """As many hits as fit on a screen, if the output is a terminal."""
    return 5 if not json and stdout().is_terminal else 10


def _check_asked(text: str | None, like: str | None, library: Path, *, pages: bool) -> None:
    """Refuse what asks nothing, and pages of phrases where there are no words."""
    if text is None and like is None:
        line = f"hgrkit search TEXT --library {quoted(str(library))}"
        raise ConfigError(f"search needs TEXT, or an example with --like; type: {line}")
    if text is None and pages:
        raise ConfigError("--html, --png and --thumbnails show when words were seen; give TEXT beside --like.")


def _check_names(html: Path | None, png: Path | None) -> None:
    """Refuse before anything is searched what could not be written afterwards."""
    if html is not None and html.suffix.lower() not in (".html", ".htm"):
        raise ConfigError(f"--html writes a file that ends in .html, got {html.name!r}.")
    if png is not None:
        from hgrkit.pages.explanation import require_resvg

        if png.suffix.lower() != ".png":
            raise ConfigError(f"--png writes a file that ends in .png, got {png.name!r}.")
        require_resvg()


def _check_cutting(folder: Path | None, *, exact: bool, play: bool) -> None:
    """The same for clips."""
    if folder is not None:
        from hgrkit.cli.clips import check_clips_folder

        check_clips_folder(folder)
    if exact and folder is None and not play:
        raise ConfigError("--exact needs --clips-out DIR or --open, which cut the clips.")


def _cut(result: SearchResult, folder: Path | None, *, exact: bool) -> tuple[MomentClip, ...]:
    from hgrkit.cli.clips import cut_moments

    return cut_moments(result, folder, exact=exact)


def _show_clips(clips: tuple[MomentClip, ...]) -> None:
    if any(clip.path for clip in clips):
        from hgrkit.cli.clips import clips_text

        stdout().print(clips_text(clips))


def _save(explanation: Explanation, *paths: Path | None) -> None:
    for path in paths:
        if path is not None:
            explanation.save(path)


def _show(result: SearchResult, explanation: Explanation | None, *, min_confidence: float | None) -> None:
    """A table where a person looks on, lines of text where a program reads."""
    if not result.hits and (min_confidence is None or NO_VIDEO_MATCHES in result.notes):
        echo(NO_VIDEO_MATCHES if NO_VIDEO_MATCHES in result.notes else "the library contains no videos yet")
        return
    if not result.matched:
        echo(f"{NOTHING_MATCHES}{'; these are the nearest clips' if result.hits else ''}")
    if result.hits:
        show_hits(result, explanation)
    else:
        echo(f"no hit has a confidence of {min_confidence:g} or more")
    approximate = "Approximate: the nearest clips were compared; --exact-search compares every one."
    for note in (*result.notes, *(() if result.exact else (approximate,))):
        echo(printable(note), err=True)


def show_hits(result: SearchResult, explanation: Explanation | None = None) -> None:
    """Print hits: a table in a terminal, lines of text where a program reads."""
    console = stdout()
    if console.is_terminal and console.encoding.startswith("utf"):
        from hgrkit.cli.search_table import fitting_table, search_table

        pictures = explanation if console.color_system == "truecolor" else None
        table = fitting_table(result, console) if pictures is None else None
        console.print(table or search_table(result, console.width, explanation=pictures), soft_wrap=False)
        return
    console.print(result_text(result, width=console.width if console.is_terminal else None))
    words = legend(phrase.role for hit in result.hits for phrase in hit.phrases)
    if words:
        echo(words)


def result_text(result: SearchResult, *, names_only: bool = False, width: int | None = None) -> Text:
    """Hits as text: rank, score, confidence, video and moment, and below them what became of every phrase.

    Args:
        result: what was found.
        names_only: show the videos' names without their folders.
        width: of the terminal; phrases are then on as many lines as they need, and else on one.
    """
    from rich.text import Text

    videos = (PurePath(hit.video).name if names_only else shown_path(hit.video) for hit in result.hits)
    return Text("\n").join(_hit(hit, video, width) for hit, video in zip(result.hits, videos, strict=True))


def _hit(hit: Hit, video: str, width: int | None) -> Text:
    from rich.text import Text

    from hgrkit.results import when_seen

    phrases = [
        f"{printable(phrase.text)} {phrase.role} {phrase.similarity:+.2f} at {when_seen(phrase)}"
        for phrase in hit.phrases
    ]
    phrases += [
        f"not: {printable(phrase.text)} {phrase.similarity:+.2f} at {clock(phrase.best_time_s)}"
        for phrase in hit.excluded
    ]
    if phrases and hit.likeness is not None:
        phrases.append(f"like the example {hit.likeness:+.2f}")
    lines = filled(phrases, _BETWEEN, sys.maxsize if width is None else width - len(_INDENT))
    return Text.assemble(
        (f"{hit.rank:>3}", "bold"),
        f"  {hit.score:.3f}  ",
        "" if hit.confidence is None else f"{percent(hit.confidence):>4}  ",
        (printable(video), "bold"),
        f"  {clock(hit.start_s)}-{clock(hit.end_s)}",
        *(f"\n{_INDENT}{line}" for line in lines),
    )
