"""`hgrkit tune`: level weights from a few captions of indexed videos."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import hgrkit
from hgrkit.cli.output import echo, echo_json, plain_table, stderr, stdout, with_interval
from hgrkit.errors import ConfigError

if TYPE_CHECKING:
    from hgrkit.library.tuning import Tuning

__all__ = ["tune"]

_SAID = {
    "tuned": "finds more than the event alone in videos that it was not chosen on",
    "event only": "the event alone finds the most; actions and entities do not count",
    "unchanged": "nothing finds more than the level weights in use; they stay",
}


def tune(
    library: Annotated[Path, typer.Argument(metavar="LIB", help="The library.")],
    captions: Annotated[
        Path | None, typer.Option(help="JSON file: the list of captions of each video's file name.")
    ] = None,
    reset: Annotated[bool, typer.Option("--reset", help="Use the model's own level weights again.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Measure, and change nothing.")] = False,
    parser: Annotated[str, typer.Option(help="Parser that reads the captions.")] = "lark",
    device: Annotated[str, typer.Option(help="Where the model runs: auto, cpu, cuda or mps.")] = "cpu",
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Learn how much event, action and entity count, from captions of some of a library's videos."""
    from hgrkit.research.evaluation.captions import read_captions

    if (captions is None) != reset:
        raise ConfigError("tune needs captions, or --reset; type: hgrkit tune LIB --captions captions.json")
    asked = None if captions is None else read_captions(captions)
    with hgrkit.Retriever.open(library, mode="r" if dry_run else "w", parser=parser, device=device) as retriever:
        if asked is None:
            if not dry_run:
                retriever.reset_level_weights()
            _tell_reset(retriever, json=json)
            return
        with stderr().status("trying level weights"):
            found = retriever.tune(asked, save=not dry_run)
    if json:
        echo_json({**found.to_dict(), "saved": not dry_run and found.chosen != "unchanged"})
    else:
        _tell(found, saved=not dry_run)


def _tell_reset(retriever: hgrkit.Retriever, *, json: bool) -> None:
    weights = retriever.level_weights
    if json:
        echo_json({"level_weights": list(weights)})
    else:
        echo(f"level weights {_shown(weights)}, the model's own")


def _tell(found: Tuning, *, saved: bool) -> None:
    table = plain_table("level weights", "event, action, entity", *next(iter(found.measures.values())))
    chosen = _shown(found.level_weights) if found.chosen == "tuned" else "of each fold"
    weights = {"before": _shown(found.before), "event only": "1 0 0", "tuned": chosen}
    for way, measures in found.measures.items():
        table.add_row(way, weights[way], *(with_interval(one.value, one.interval) for one in measures.values()))
    stdout().print(table)
    unread = f"; {found.unreadable} cannot be read" if found.unreadable else ""
    echo(f"{found.captions} captions of {found.videos} videos, among {found.among}{unread}")
    gains = ", ".join(f"{name} {one.value:+.1f} {_interval(one.interval)}" for name, one in found.gain.items())
    echo(f"{found.chosen}: {_SAID[found.chosen]}")
    if found.chosen != "unchanged":
        now = "searches now use" if saved else "searches would use"
        echo(f"{now} {_shown(found.level_weights)} ({gains})")


def _shown(weights: Sequence[float]) -> str:
    return " ".join(f"{weight:g}" for weight in weights)


def _interval(bounds: tuple[float, float]) -> str:
    return f"[{bounds[0]:.1f}, {bounds[1]:.1f}]"
