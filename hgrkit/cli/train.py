"""The commands that write a model: `hgrkit train`, `import-release` and `export-onnx`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from hgrkit.cli.output import echo, echo_json
from hgrkit.cli.progress import TrainBar
from hgrkit.errors import ConfigError

__all__ = ["export_onnx", "import_release", "train"]


def train(
    config: Annotated[Path | None, typer.Argument(help="TOML file of settings; see --show-defaults.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder of the run; with --release, of the model.")
    ] = None,
    resume: Annotated[
        bool | None,
        typer.Option("--resume/--no-resume", help="Resume from the state in --out; by default if there is one."),
    ] = None,
    show_defaults: Annotated[
        bool, typer.Option("--show-defaults", help="Print a config with every setting and its default.")
    ] = False,
    release: Annotated[
        Path | None, typer.Option(help="Train on a folder in the layout of the released code instead.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="With --release: model folder to start from; default: new weights.")
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="With --release: number of epochs, 1 by default.")
    ] = None,
    shuffle: Annotated[
        bool, typer.Option("--shuffle/--no-shuffle", help="With --release: shuffle the pairs.")
    ] = True,
    dropout: Annotated[
        bool, typer.Option("--dropout/--no-dropout", help="With --release: train with the model's dropout.")
    ] = True,
    seed: Annotated[
        int | None,
        typer.Option(min=0, max=2**32 - 1, help="With --release: random seed; 0 by default."),
    ] = None,
    word_vectors: Annotated[
        Path | None,
        typer.Option(help="With --release: word vectors, GloVe's text or the release's .th."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Train a model from a config, or as the released code does."""
    if show_defaults:
        from hgrkit.research.training.run_config import example_config

        echo(example_config(), nl=False)
    elif config is not None:
        given = (release, model, epochs, seed, word_vectors)
        if any(value is not None for value in given) or not (shuffle and dropout):
            raise ConfigError(
                "--release, --model, --epochs, --seed, --word-vectors, --no-shuffle and --no-dropout cannot be "
                "used with a config, which has these settings."
            )
        if out is None:
            raise ConfigError("name a folder for the run with --out FOLDER.")
        _train_config(config, out, resume, json)
    elif release is not None:
        if resume is not None:
            raise ConfigError("--resume and --no-resume need a config; a run with --release cannot be resumed.")
        _train_release(
            release,
            model,
            json=json,
            epochs=epochs or 1,
            shuffle=shuffle,
            dropout=dropout,
            seed=seed or 0,
            word_vectors=word_vectors,
            out=out,
        )
    else:
        raise ConfigError("give a config (hgrkit train --show-defaults prints one), or --release.")


def _train_config(config: Path, out: Path, resume: bool | None, json: bool) -> None:
    from hgrkit.research.training.run_config import MODEL_FOLDER, RunConfig

    settings = RunConfig.read(config)
    with TrainBar() as bar:
        run = settings.run(out, resume=resume, on_progress=bar.show)
    loss = None if run.best_epoch == 0 else run.log[run.best_epoch - 1].loss
    if json:
        echo_json(
            {
                "run": str(out),
                "model": str(out / MODEL_FOLDER),
                "epochs": len(run.log),
                "best_epoch": run.best_epoch,
                "stopped_early": run.stopped_early,
                "loss": loss,
                "dev": run.best_dev,
                "start": run.start,
                "blank_captions": run.blank_captions,
                "seconds": round(sum(record.seconds for record in run.log), 3),
            }
        )
        return
    measured = "" if run.best_dev is None else f", dev Rsum {run.best_dev['Rsum']:.1f}"
    measured += "" if run.start is None else f" (at the start {run.start['Rsum']:.1f})"
    best = "no epoch is better than the start" if loss is None else f"best is {run.best_epoch}, loss {loss:.4f}"
    early = ", stopped early" if run.stopped_early else ""
    blank = f", {run.blank_captions} captions without words left out" if run.blank_captions else ""
    echo(f"{len(run.log)} epochs{early}; {best}{measured}, model in {out / MODEL_FOLDER}{blank}")


def _train_release(release: Path, model: str | None, *, json: bool, out: Path | None, **how: Any) -> None:
    """Train as the released code does."""
    from hgrkit.model.registry import model_folder
    from hgrkit.research.release.experiment import train_release

    start = None if model is None else model_folder(model)
    with TrainBar() as bar:
        run = train_release(release, start, out=out, on_progress=bar.show, **how)
    if json:
        echo_json(run.to_dict())
        return
    rsum = run.epochs[run.best_epoch - 1].rsum
    best = "" if rsum is None else f"; best is epoch {run.best_epoch}, val Rsum {rsum:.1f}"
    words = (
        "" if run.words is None else f"; {run.words.found:,} words have vectors, {run.words.missing:,} have not"
    )
    echo(
        f"{len(run.losses)} steps, loss {run.losses[0]:.4f} to {run.losses[-1]:.4f}{best}{words}"
        + (f", model in {out}" if out else "")
    )


def import_release(
    directory: Annotated[Path, typer.Argument(help="Folder in the layout of the released code, or a flat one.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The model folder to write.")],
    checkpoint: Annotated[
        Path | None, typer.Option(help="The epoch.N.th file to read; by default the best by the release's log.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Import a model of the released HGR code, with the same weights and scores."""
    from hgrkit.research.release.importing import import_release as run

    report = run(directory, out, checkpoint=checkpoint)
    if json:
        echo_json(report.to_dict())
    else:
        echo(f"{report.checkpoint} ({report.chosen}) is now the model folder {out}")


def export_onnx(
    model: Annotated[str, typer.Argument(help="A dual encoder, such as clip:FOLDER, or a folder that names one.")],
    out: Annotated[Path, typer.Argument(help="Model folder to write; it must not exist yet.")],
    int8: Annotated[
        bool, typer.Option("--int8", help="8-bit weights for pictures: faster on most CPUs, less exact.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Export a dual encoder to a model folder that runs in onnxruntime, without torch."""
    import attrs

    from hgrkit.model import onnx_export

    made = onnx_export.export_onnx(model, out, int8=int8)
    if json:
        echo_json(attrs.asdict(made) | {"folder": str(made.folder)})
        return
    echo(
        f"{made.folder}: unit vectors of texts differ from the original's by {made.texts_apart:.1g} at most, of "
        f"pictures by {made.pictures_apart:.1g}."
    )
