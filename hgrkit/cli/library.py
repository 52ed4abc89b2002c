"""The commands that look after a library, from `hgrkit info` to `hgrkit tag`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import attrs
import typer

from hgrkit.cli.configuration import configured
from hgrkit.cli.output import clock, echo, echo_json, printable, quoted, shown_path, stderr, typed_text
from hgrkit.cli.progress import PortionBar
from hgrkit.cli.usage import Trust
from hgrkit.errors import ConfigError

if TYPE_CHECKING:
    from hgrkit.library.library import Library
    from hgrkit.library.recall import Recall
    from hgrkit.library.records import VideoRecord
    from hgrkit.library.repair import RepairReport
    from hgrkit.library.verify import VerifyReport

__all__ = ["backup", "compact", "export", "info", "remove", "repair", "tag", "verify"]

_NOT_WHOLE = 1
_VIDEOS_SHOWN = 3

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
LibraryArgument = Annotated[Path, typer.Argument(metavar="LIB", help="The library.")]


def info(
    library: Annotated[Path | None, typer.Argument(metavar="LIB", help="The library.", show_default=False)] = None,
    named: Annotated[
        Path | None, typer.Option("--library", "-l", metavar="LIB", help="The library, instead of LIB.")
    ] = None,
    videos: Annotated[bool, typer.Option("--videos", help="List every video.")] = False,
    failed: Annotated[bool, typer.Option("--failed", help="List the videos that failed, and why.")] = False,
    recall: Annotated[
        bool,
        typer.Option("--recall", help="Measure recall@10 of searches against exact ones."),
    ] = False,
    trust: Trust = False,
    json: Json = False,
) -> None:
    """Show what a library contains, what made it, and the state of its videos."""
    from hgrkit.library.library import Library

    if library is not None and named is not None:
        both = f"{str(library)!r} and {str(named)!r}"
        raise ConfigError(f"info takes one library, got {both}; leave one of them out.")
    given = library or named or configured("library")
    if given is None:
        raise ConfigError("info needs the library; type: hgrkit info LIB")
    folder = Path(given)
    with Library.open(folder) as opened:
        records, description = opened.videos(), _described(opened, folder)
        measured = _measured_recall(opened, folder, trust=trust) if recall else None
    listed = [record for record in records if videos or (failed and record.state == "failed")]
    if json:
        shown: dict[str, Any] = {"videos": [_as_json(record) for record in listed]} if videos or failed else {}
        if measured is not None:
            shown["recall"] = {**attrs.asdict(measured), "exact": measured.exact}
        echo_json({**description, **shown})
        return
    facts = {**_facts(description), **({} if measured is None else _recall_facts(measured))}
    for name, value in facts.items():
        echo(f"{name:<25}  {printable(str(value))}")
    for record in listed:
        echo(_as_line(record))


def _described(library: Library, folder: Path) -> dict[str, Any]:
    from hgrkit.matching.clip_similarities import kernel_name
    from hgrkit.video.worker.sandbox import offered

    records, counts = library.videos(), library.counts()
    return {
        "library": str(folder),
        "indexed": counts.indexed,
        "failed": counts.failed,
        "clips": counts.clips,
        "duration_s": sum(record.duration_s or 0.0 for record in records if record.state == "indexed"),
        "manifest": attrs.asdict(library.manifest),
        "kernel": kernel_name(),
        "decoders_confined_by": offered(),
    }


def _measured_recall(library: Library, folder: Path, *, trust: bool) -> Recall:
    """What a search with the library's own model finds."""
    from hgrkit.library.recall import measure_recall
    from hgrkit.model.loaded import LoadedModel
    from hgrkit.model.trust import require_trusted

    require_trusted(library.manifest, trust=trust, library=str(folder))
    settings = LoadedModel.load(library.manifest.model, device="cpu").query_side.settings
    settings = settings.reweighted(library.level_weights)
    with PortionBar("measuring recall") as bar:
        return measure_recall(library, settings=settings, on_progress=bar.show)


def _recall_facts(recall: Recall) -> dict[str, str]:
    compared = f"{recall.num_candidates} of {recall.num_clips} clips are compared at every level"
    questions = f"{recall.num_queries} questions made of its own clips, {recall.missed} with a miss"
    return {f"recall@{recall.k}": f"{recall.recall:.4f} ({questions})", "compared": compared}


def _as_json(record: VideoRecord) -> dict[str, Any]:
    return {
        "path": record.path,
        "state": record.state,
        "reason": record.reason,
        "clips": record.clips,
        "duration_s": record.duration_s,
        "metadata": dict(record.metadata),
    }


def _facts(description: dict[str, Any]) -> dict[str, Any]:
    """What is said of the library, a fact on a line, however long it is."""
    facts = {name: description[name] for name in ("library", "indexed", "failed", "clips")}
    made_with = {name.replace("_", " "): value for name, value in description["manifest"].items()}
    if made_with["level weights"] is None:
        made_with["level weights"] = "the model's own"
    rest = {"kernel": description["kernel"], **_walls(description)}
    return {**facts, "duration": clock(description["duration_s"]), **made_with, **rest}


def _walls(description: dict[str, Any]) -> dict[str, str]:
    walls = [name for name, there in description["decoders_confined_by"].items() if there]
    return {"decoders confined by": ", ".join(walls) or "limits on memory and files alone"}


def _as_line(record: VideoRecord) -> str:
    """One video on one line, however long its name is."""
    length = clock(record.duration_s) if record.duration_s is not None else "-"
    tags = " ".join(f"{name}={value}" for name, value in record.metadata.items())
    return printable(
        f"{record.state:<7}  {shown_path(record.path)}  {length}  {record.reason or ''}  {tags}"
    ).rstrip()


def verify(
    library: LibraryArgument,
    json: Json = False,
) -> None:
    """Check every byte of a library, and change nothing. Exit status 1 if it is damaged."""
    from hgrkit.indexing.feature_cache import damaged_features
    from hgrkit.library.verify import Note, verify_library

    with PortionBar("verifying") as bar:
        report = verify_library(library, on_progress=bar.show)
        remark = "cached features that are damaged; they are decoded again when needed"
        features = damaged_features(library)
    report = attrs.evolve(report, notes=(*report.notes, *(Note(file=file, remark=remark) for file in features)))
    if json:
        echo_json(report.to_dict())
    else:
        _show_verified(report)
    if not report.whole:
        raise typer.Exit(_NOT_WHOLE)


def _show_verified(report: VerifyReport) -> None:
    for damage in report.damages:
        _block(
            f"damaged: {damage.file}",
            damage.problem,
            f"videos: {_some(damage.videos)}",
            f"`hgrkit repair` would {damage.repair}",
        )
    for note in report.notes:
        _block(f"no damage: {note.file}", note.remark)
    state = "whole" if report.whole else f"not whole (damages: {len(report.damages)}); run `hgrkit repair`"
    echo(f"{printable(report.library)} is {state}")
    echo(
        f"videos {report.videos}, clips {report.clips}, bytes {report.num_bytes}, "
        f"version {report.version}, format {report.format_version}"
    )


def _block(heading: str, *lines: str) -> None:
    echo(printable(heading))
    for line in lines:
        echo(f"  {printable(line)}")


def _some(videos: Sequence[str]) -> str:
    more = len(videos) - _VIDEOS_SHOWN
    shown = ", ".join(map(shown_path, videos[:_VIDEOS_SHOWN])) or "none"
    return f"{shown} and {more} more" if more > 0 else shown


def repair(
    library: LibraryArgument,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be done, and change nothing.")
    ] = False,
    json: Json = False,
) -> None:
    """Repair a damaged library and keep the replaced files. Exit status 1 if it is still damaged."""
    from hgrkit.indexing.feature_cache import damaged_features, delete_features
    from hgrkit.library.repair import repair_library

    with PortionBar("repairing") as bar:
        report = repair_library(library, dry_run=dry_run, on_progress=bar.show)
        features = damaged_features(library)
    if not dry_run:
        delete_features(library, features)
    steps = [f"delete {file}" for file in features]
    report = attrs.evolve(report, steps=(*report.steps, *steps))
    if json:
        echo_json(report.to_dict())
    else:
        _show_repaired(report)
    if not report.whole:
        raise typer.Exit(_NOT_WHOLE)


def _show_repaired(report: RepairReport) -> None:
    for step in report.steps:
        echo(printable(f"{'would' if report.dry_run else 'done:'} {step}"))
    if report.unnamed:
        echo(f"lost videos whose paths cannot be read: {report.unnamed}")
    if report.lost_from is not None:
        echo(f"commits from version {report.lost_from} on are lost; index the videos again")
    for title, videos in (
        ("no longer in the library; index them again:", report.dropped),
        ("possibly out of date; index them again:", report.doubtful),
    ):
        if videos:
            echo(title)
            for video in videos:
                echo(f"  {printable(shown_path(video))}")
    if report.kept_in is not None:
        echo(f"replaced files are in {printable(report.kept_in)}; delete them when you no longer need them")
    state = "whole" if report.whole else "not whole"
    echo(f"{printable(report.library)} {'would be' if report.dry_run else 'is'} {state}")


def backup(
    library: LibraryArgument,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The folder to create; it must not exist.")],
    json: Json = False,
) -> None:
    """Copy a library and check the copy, even while another process writes."""
    from hgrkit.library.backup import backup_library

    with PortionBar("backing up") as bar:
        report = backup_library(library, out, on_progress=bar.show)
    if json:
        echo_json(attrs.asdict(report))
    else:
        echo(
            f"backed up version {report.version}, {report.clips} clips of {report.videos} videos, "
            f"to {printable(report.out)}, {report.num_bytes} bytes"
        )


def compact(
    library: LibraryArgument,
    json: Json = False,
) -> None:
    """Free the space of removed and replaced videos. Searches continue meanwhile."""
    from hgrkit.indexing.feature_cache import prune_features
    from hgrkit.library.library import Library

    with Library.open(library, "w") as opened:
        with stderr().status("rewriting"):
            report = opened.compact()
        freed = prune_features(library, {video.content for video in opened.videos()})
    if json:
        echo_json({**attrs.asdict(report), "cache_bytes_freed": freed})
    else:
        echo(f"{report.bytes_before} bytes are now {report.bytes_after}; {freed} bytes of cached features deleted")


def export(
    library: LibraryArgument,
    to: Annotated[str, typer.Option(metavar="FORMAT", help="parquet or npz.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The file to write.")],
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
    json: Json = False,
) -> None:
    """Export every clip with its video, its times and its vectors."""
    from hgrkit.library.export import ExportFormat, export_library
    from hgrkit.library.library import Library

    if out.resolve().is_relative_to(library.resolve()):
        raise ConfigError(f"{out} is inside the library {library}; write the file somewhere else.")
    with Library.open(library) as opened, PortionBar("exporting") as bar:
        report = export_library(opened, out, to=cast("ExportFormat", to), overwrite=force, on_progress=bar.show)
    if json:
        echo_json(attrs.asdict(report))
    else:
        echo(
            f"exported {report.clips} clips of {report.videos} videos to {printable(report.file)}, "
            f"{report.num_bytes} bytes"
        )


def remove(
    library: LibraryArgument,
    paths: Annotated[list[str], typer.Argument(help="Videos or folders.")],
    json: Json = False,
) -> None:
    """Remove videos from a library. The video files themselves are not touched."""
    from hgrkit.library.library import Library
    from hgrkit.library.removal import named_videos

    with Library.open(library, "w") as opened:
        named = named_videos(paths, (video.path for video in opened.videos()))
        opened.update(remove=named)
        left = len(opened.videos())
    if json:
        echo_json({"removed": list(named), "left": left})
    else:
        echo(
            f"videos removed {len(named)}, left {left}; `hgrkit compact {quoted(str(library))}` frees their space"
        )


def tag(
    library: LibraryArgument,
    words: Annotated[
        list[str],
        typer.Argument(metavar="PATH... NAME=VALUE", help="Videos or folders, then tags. NAME= removes a tag."),
    ],
    json: Json = False,
) -> None:
    """Tag videos, so that `hgrkit search --where` can filter by the tags."""
    from hgrkit.library.library import Library
    from hgrkit.library.removal import named_videos
    from hgrkit.library.tags import is_tag, read_tag, tag_videos

    tags = dict(read_tag(typed_text(word)) for word in words if is_tag(word))
    paths = [word for word in words if not is_tag(word)]
    if not tags or not paths:
        raise ConfigError("tag needs videos and tags; type: hgrkit tag LIB videos/a.mp4 camera=front")
    with Library.open(library, "w") as opened:
        records = {video.path: video for video in opened.videos()}
        named = named_videos(paths, records)
        tag_videos(opened, ((records[path], tags) for path in named))
    if json:
        echo_json({"tagged": list(named), "tags": tags})
    else:
        echo(f"videos tagged {len(named)}")
