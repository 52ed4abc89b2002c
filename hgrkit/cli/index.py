"""`hgrkit index`: videos in, a library out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hgrkit.cli.output import IndexBar, echo_json, printable, stderr
from hgrkit.errors import LibraryNotFoundError, MissingPathError

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("index")(index)


def index(
    paths: Annotated[list[str], typer.Argument(help="Videos and folders of videos.")],
    library: Annotated[Path, typer.Option("--library", "-l", help="The library; made if it does not exist.")],
    model: Annotated[
        str | None, typer.Option(help="Installed model or model folder; `default` for a new library.")
    ] = None,
    parser: Annotated[str, typer.Option(help="Parser that must be able to read queries.")] = "lark",
    frame_encoder: Annotated[
        str | None, typer.Option(help="Installed frame encoder; the model's own unless given.")
    ] = None,
    sampling: Annotated[
        str | None, typer.Option(help="fps:RATE or uniform:FRAMES; the model's own unless given.")
    ] = None,
    clip_seconds: Annotated[
        float | None, typer.Option(help="Longest clip that a video is cut into; the model's own unless given.")
    ] = None,
    features: Annotated[
        Path | None,
        typer.Option(help="Frame features {name: [F, dim]} (.npz, .hdf5) instead of decoding the videos."),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Try again what failed before and has not changed.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Index videos: decode, encode and store them. What is unchanged is not decoded again."""
    from hgrkit.retriever import Retriever

    def opened() -> Retriever:
        try:
            return Retriever.open(
                library,
                mode="w",
                model=model,
                parser=parser,
                frame_encoder=frame_encoder,
                sampling=sampling,
                clip_seconds=clip_seconds,
                device=device,
            )
        except LibraryNotFoundError:
            return Retriever.create(
                library,
                model=model or "default",
                parser=parser,
                frame_encoder=frame_encoder,
                sampling=sampling,
                clip_seconds=clip_seconds,
                device=device,
            )

    _require(paths)
    with opened() as retriever, IndexBar() as bar:
        report = retriever.index(*paths, features=features, retry_failed=retry_failed, on_progress=bar.show)
    if json:
        echo_json(report.to_dict())
        return
    for failure in report.failures:
        stderr().print(printable(f"failed {failure.path}: {failure.reason}"), markup=False, soft_wrap=True)
    typer.echo(f"indexed {report.indexed}, unchanged {report.unchanged}, failed {report.failed}")


def _require(paths: list[str]) -> None:
    """Refuse missing paths before a library is made for them."""
    for path in paths:
        if not Path(path).exists():
            raise MissingPathError(f"there is no file or folder {path!r}; nothing was indexed.")
