"""`hgrkit train` and `import-release`: models trained as a config or the released code says, or taken from it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hgrkit.cli.output import echo, echo_json
from hgrkit.cli.progress import TrainBar
from hgrkit.errors import ConfigError

__all__ = ["import_release", "train"]


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
    model: Annotated[str | None, typer.Option(help="With --release: model folder to start from.")] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="With --release: number of epochs, 1 by default.")
    ] = None,
    shuffle: Annotated[
        bool, typer.Option("--shuffle/--no-shuffle", help="With --release: shuffle the pairs.")
    ] = True,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Train a model from a config, or as the released code does."""
    if show_defaults:
        from hgrkit.research.training.run_config import example_config

        echo(example_config(), nl=False)
    elif config is not None:
        if release is not None or model is not None or epochs is not None or not shuffle:
            raise ConfigError(
                "--release, --model, --epochs and --no-shuffle do not go with a config; it says all."
            )
        if out is None:
            raise ConfigError("say where the run is kept with --out FOLDER.")
        _train_config(config, out, resume, json)
    elif release is not None and model is not None:
        if resume is not None:
            raise ConfigError("--resume and --no-resume go with a config; with --release every run is whole.")
        _train_release(release, model, epochs or 1, shuffle, out, json)
    else:
        raise ConfigError("give a config (hgrkit train --show-defaults prints one), or --release with --model.")


def _train_config(config: Path, out: Path, resume: bool | None, json: bool) -> None:
    from hgrkit.research.training.run_config import MODEL_FOLDER, RunConfig

    settings = RunConfig.read(config)
    with TrainBar() as bar:
        run = settings.run(out, resume=resume, on_progress=bar.show)
    best = run.log[run.best_epoch - 1]
    if json:
        echo_json(
            {
                "run": str(out),
                "model": str(out / MODEL_FOLDER),
                "epochs": len(run.log),
                "best_epoch": run.best_epoch,
                "stopped_early": run.stopped_early,
                "loss": best.loss,
                "dev": best.dev,
                "blank_captions": run.blank_captions,
                "seconds": round(sum(record.seconds for record in run.log), 3),
            }
        )
        return
    measured = "" if best.dev_rsum is None else f", dev Rsum {best.dev_rsum:.1f}"
    early = ", stopped early" if run.stopped_early else ""
    blank = f", {run.blank_captions} captions without words left out" if run.blank_captions else ""
    echo(
        f"{len(run.log)} epochs{early}; best is {run.best_epoch}, loss {best.loss:.4f}{measured}, "
        f"model in {out / MODEL_FOLDER}{blank}"
    )


def _train_release(release: Path, model: str, epochs: int, shuffle: bool, out: Path | None, json: bool) -> None:
    """Train as the released code does."""
    from hgrkit.model.registry import model_folder
    from hgrkit.research.release.experiment import train_release

    with TrainBar() as bar:
        report = train_release(
            release, model_folder(model), epochs=epochs, shuffle=shuffle, out=out, on_progress=bar.show
        )
    if json:
        echo_json(report)
        return
    losses = report["losses"]
    echo(f"{len(losses)} steps, loss {losses[0]:.4f} to {losses[-1]:.4f}" + (f", model in {out}" if out else ""))


def import_release(
    directory: Annotated[Path, typer.Argument(help="Folder in the layout of the released code, or a flat one.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The model folder to write.")],
    checkpoint: Annotated[
        Path | None, typer.Option(help="The epoch.N.th file to read; by default the highest N in the folder.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Import a model of the released HGR code: same weights, same scores, no pickle."""
    from hgrkit.research.release.importing import import_release as run

    report = run(directory, out, checkpoint=checkpoint)
    if json:
        echo_json(report.to_dict())
    else:
        echo(f"{report.checkpoint} is now the model folder {out}")
