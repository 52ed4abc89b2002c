"""`hgrkit index`: videos in, a library out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hgrkit.cli.output import echo, echo_json, printable, quoted, shortened, shown_path, stderr
from hgrkit.cli.progress import IndexBar
from hgrkit.cli.usage import Trust
from hgrkit.errors import ConfigError, LibraryNotFoundError

if TYPE_CHECKING:
    from hgrkit.indexing.report import IndexReport, Skipped
    from hgrkit.library.tags import MetadataLine, TagReport
    from hgrkit.retriever import Retriever
    from hgrkit.video.limits import DecodeLimits

__all__ = ["index"]

_KINDS: dict[Skipped, str] = {
    "links": "links",
    "other_suffixes": "files with other suffixes",
    "apple_double": "._* files",
    "special_files": "pipes, sockets and devices",
    "trash": "trash and thumbnail folders",
}
"""Kinds of what was left out, in words."""


def index(
    library: Annotated[
        Path, typer.Option("--library", "-l", metavar="LIB", help="The library; created if it does not exist.")
    ],
    paths: Annotated[
        list[str] | None, typer.Argument(help="Videos and folders of videos. Optional with --upgrade.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Installed model or model folder. A new library takes `default`.")
    ] = None,
    parser: Annotated[str, typer.Option(help="Parser that will read the searches.")] = "lark",
    frame_encoder: Annotated[
        str | None, typer.Option(help="Installed frame encoder; by default the model's own.")
    ] = None,
    sampling: Annotated[
        str | None,
        typer.Option(help="How frames are picked: fps:RATE or uniform:FRAMES; by default as the model was made."),
    ] = None,
    clip_seconds: Annotated[
        float | None, typer.Option(help="Length of the longest clip; by default as the model was made.")
    ] = None,
    features: Annotated[
        Path | None,
        typer.Option(help="Take frame features from this file (.npz, .hdf5) and decode nothing."),
    ] = None,
    metadata: Annotated[
        Path | None,
        typer.Option(
            help="Give videos the tags that this file has for them (.csv, .jsonl; `path` names the video)."
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="Where the model runs: auto, cpu, cuda or mps.")] = "auto",
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Retry videos that failed before.")] = False,
    prune: Annotated[
        bool, typer.Option("--prune", help="Remove videos whose files are gone from the library.")
    ] = False,
    upgrade: Annotated[
        bool,
        typer.Option(
            "--upgrade", help="Switch the library to another model, frame encoder, sampling or clip length."
        ),
    ] = False,
    no_feature_cache: Annotated[
        bool, typer.Option("--no-feature-cache", help="Do not keep frame features, and do not use kept ones.")
    ] = False,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Decoding processes; by default one a core, at most 4.")
    ] = None,
    decode_seconds: Annotated[
        float, typer.Option(help="Give up on a video whose decoder makes no progress for so long.")
    ] = 60.0,
    decode_memory_gb: Annotated[float, typer.Option(help="Memory limit for decoding one video.")] = 2.0,
    trust: Trust = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Index videos into a library. Unchanged videos are not decoded again."""
    from hgrkit.retriever import Retriever

    chosen: dict[str, Any] = {
        "model": model,
        "frame_encoder": frame_encoder,
        "sampling": sampling,
        "clip_seconds": clip_seconds,
        "device": device,
    }
    options: dict[str, Any] = {
        "features": features,
        "feature_cache": not no_feature_cache,
        "prune": prune,
        "limits": _limits(decode_seconds, decode_memory_gb),
        "num_workers": workers,
    }
    reports: dict[str, IndexReport] = {}
    _require(paths or [], upgrade=upgrade or metadata is not None)
    lines = None if metadata is None else _read_metadata(metadata)
    # A new library is made with the chosen parts at once; there is nothing to upgrade.
    if upgrade and (not paths or _exists(library)):
        with IndexBar() as bar:
            reports["upgrade"] = Retriever.upgrade(library, **chosen, **options, trust=trust, on_progress=bar.show)
    if paths:
        with _opened(library, parser, chosen, trust=trust) as retriever, IndexBar() as bar:
            reports["index"] = retriever.index(*paths, **options, retry_failed=retry_failed, on_progress=bar.show)
    tagged = None if metadata is None or lines is None else _tag(library, lines, metadata)
    _show(reports, library, tagged, json=json)
    if reports and _all_failed(reports):
        if json:
            echo("hgrkit: not one video could be indexed; the JSON object says why.", err=True)
        raise typer.Exit(2)


def _opened(library: Path, parser: str, chosen: dict[str, Any], *, trust: bool) -> Retriever:
    from hgrkit.retriever import Retriever

    try:
        return Retriever.open(library, mode="w", parser=parser, trust=trust, **chosen)
    except LibraryNotFoundError:
        return Retriever.create(library, parser=parser, **{**chosen, "model": chosen["model"] or "default"})


def _read_metadata(file: Path) -> list[MetadataLine]:
    """Refuse a file that is none before anything is indexed."""
    from hgrkit.library.tags import read_metadata

    return read_metadata(file)


def _tag(library: Path, lines: list[MetadataLine], file: Path) -> TagReport:
    """Give tags to what is in the library now."""
    from hgrkit.library.library import Library
    from hgrkit.library.tags import tag_lines

    with Library.open(library, "w") as opened:
        return tag_lines(opened, lines, file)


def _limits(seconds: float, memory_gb: float) -> DecodeLimits:
    from hgrkit.video.limits import DecodeLimits

    if not 0 < seconds < float("inf"):
        raise ConfigError(f"--decode-seconds must be a number of seconds above 0, such as 60, got {seconds:g}.")
    if not 0 < memory_gb <= 1 << 20:
        raise ConfigError(
            f"--decode-memory-gb must be a number of gigabytes above 0, such as 2, got {memory_gb:g}."
        )
    return DecodeLimits(seconds=seconds, memory_bytes=round(memory_gb * (1 << 30)))


def _exists(library: Path) -> bool:
    from hgrkit.library.library import Library

    try:
        Library.open(library).close()
    except LibraryNotFoundError:
        return False
    return True


def _require(paths: list[str], *, upgrade: bool) -> None:
    """Refuse paths that cannot be indexed before a library is made for them."""
    if not paths and not upgrade:
        raise ConfigError("there is nothing to index; give videos or folders of videos, or --upgrade.")
    from hgrkit.indexing.walk import require_videos

    require_videos(paths)


def _all_failed(reports: dict[str, IndexReport]) -> bool:
    """Whether there were videos and not one of them is in the library now; each was said why."""
    last = list(reports.values())[-1]
    return bool(last.failed or last.unreadable) and last.failed == last.num_videos


def _show(reports: dict[str, IndexReport], library: Path, tagged: TagReport | None, *, json: bool) -> None:
    """Print what was done: what went wrong on stderr, the counts, or one JSON object, on stdout."""
    upgraded, indexed = reports.get("upgrade"), reports.get("index")
    if json:
        values = indexed.to_dict() if indexed is not None else {}
        values |= {} if upgraded is None else {"upgrade": upgraded.to_dict()}
        echo_json(values | ({} if tagged is None else {"metadata": tagged.to_dict()}))
        return
    unknown = [] if tagged is None else _unknown(tagged)
    for line in [*(line for report in reports.values() for line in _remarks(report, library)), *unknown]:
        stderr().print(printable(line), markup=False, soft_wrap=True)
    if upgraded is not None:
        echo(f"upgraded: {_counts(upgraded)}")
    if indexed is not None:
        echo(_counts(indexed))
    if tagged is not None:
        echo(f"tagged {tagged.tagged}")


def _unknown(tagged: TagReport) -> list[str]:
    lines = [f"{tagged.file}, line {line}: {path}: {reason}" for line, path, reason in tagged.unknown]
    return shortened(lines, "lines name no video: --json names them all")


def _remarks(report: IndexReport, library: Path) -> list[str]:
    gone = "pruned" if report.pruned else "missing"
    failed = [f"failed {shown_path(failure.path)}: {failure.reason}" for failure in report.failures]
    unreadable = [f"unreadable {shown_path(failure.path)}: {failure.reason}" for failure in report.unreadable]
    missing = [f"{gone} {shown_path(path)}" for path in report.missing]
    remarks = shortened(failed, f"failed: hgrkit info {quoted(str(library))} --failed")
    remarks += shortened(unreadable, "unreadable: --json names them all")
    remarks += shortened(missing, f"{gone}: --json names them all")
    for path in report.emptied:
        done = (
            "they were removed from the library"
            if report.pruned
            else "is a drive not mounted? --prune removes them"
        )
        remarks.append(
            f"{shown_path(path)} holds no videos any more; all that the library had there are gone: {done}"
        )
    if report.in_trash:
        remarks.append(
            f"{len(report.in_trash)} videos of the library lie in folders of trash or thumbnails, first "
            f"{shown_path(report.in_trash[0])}; they stay until `hgrkit remove` removes them"
        )
    left_out = [f"{_KINDS[kind]}: {count}" for kind, count in report.skipped.items() if count]
    return [*remarks, f"left out: {', '.join(left_out)}"] if left_out else remarks


def _counts(report: IndexReport) -> str:
    counts = {"indexed": report.indexed, "unchanged": report.unchanged, "failed": report.failed}
    rare = {
        "moved": report.moved,
        "duplicates": report.duplicates,
        "missing": len(report.missing) - report.pruned,
        "pruned": report.pruned,
        "unreadable": len(report.unreadable),
    }
    counts |= {name: count for name, count in rare.items() if count}
    return ", ".join(f"{name} {count}" for name, count in counts.items())
