"""`hgrkit features`: the frame features of videos in a file of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from hgrkit.cli.index import decode_limits
from hgrkit.cli.output import echo, echo_json, printable, shortened, shown_path, stderr
from hgrkit.cli.progress import IndexBar

__all__ = ["features"]


def features(
    task: Annotated[Literal["extract"], typer.Argument(help="extract: encode the frames of videos.")],
    paths: Annotated[list[str], typer.Argument(help="Videos and folders of videos.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The .h5 or .hdf5 file to write or add to.")],
    model: Annotated[
        str, typer.Option(help="Installed model or model folder: says which frame encoder and sampling.")
    ] = "default",
    frame_encoder: Annotated[
        str | None, typer.Option(help="Installed frame encoder; by default the model's own.")
    ] = None,
    sampling: Annotated[
        str | None,
        typer.Option(help="How frames are picked: fps:RATE or uniform:FRAMES; by default as the model was made."),
    ] = None,
    device: Annotated[str, typer.Option(help="Where the encoder runs: auto, cpu, cuda or mps.")] = "auto",
    workers: Annotated[
        int | None, typer.Option(min=1, help="Decoding processes; by default one a core, at most 4.")
    ] = None,
    decode_seconds: Annotated[
        float, typer.Option(help="Give up on a video whose decoder makes no progress for so long.")
    ] = 60.0,
    decode_memory_gb: Annotated[float, typer.Option(help="Memory limit for decoding one video.")] = 2.0,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Encode the frames of videos once, to train on and to index from. Resumes after an interruption."""
    from hgrkit.indexing.extraction import extract_features

    del task
    with IndexBar() as bar:
        report = extract_features(
            paths,
            out,
            model=model,
            frame_encoder=frame_encoder,
            sampling=sampling,
            device=device,
            limits=decode_limits(decode_seconds, decode_memory_gb),
            num_workers=workers,
            on_progress=bar.show,
        )
    if json:
        echo_json(report.to_dict())
    else:
        failed = [f"failed {shown_path(failure.path)}: {failure.reason}" for failure in report.failures]
        failed += [f"unreadable {shown_path(failure.path)}: {failure.reason}" for failure in report.unreadable]
        for line in shortened(failed, "failed: --json names them all"):
            stderr().print(printable(line), markup=False, soft_wrap=True)
        echo(
            f"{report.out}: {report.frames} frames of {report.videos} videos, {report.feature_dim} numbers each, "
            f"failed {len(report.failures)}"
        )
    if not report.videos:
        raise typer.Exit(2)
