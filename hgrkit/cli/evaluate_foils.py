"""What `hgrkit evaluate --foils` does: choices between captions and foils, and their table."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
from rich.table import Table

from hgrkit.cli.output import echo_json, stderr, stdout
from hgrkit.errors import ConfigError

__all__ = ["FoilRun", "foil_table"]

_EVENT_ONLY = (1.0, 0.0, 0.0)


@attrs.frozen(kw_only=True)
class FoilRun:
    """What was asked for.

    Attributes:
        library: the library.
        foils: the file of foils.
        parser: the name of the parser that reads the sentences.
        device: where the model runs.
        allow_missing: leave out videos that the library does not have.
        resamples: of the bootstrap.
        seed: of the bootstrap.
    """

    library: Path | None
    foils: Path
    parser: str
    device: str
    allow_missing: bool
    resamples: int
    seed: int

    def run(self) -> dict[str, Any]:
        """Choose between all captions and foils.

        Raises:
            ConfigError: if there is no library.
        """
        from hgrkit.research.evaluation.foil_choice import evaluate_foils
        from hgrkit.research.evaluation.foil_file import read_foils
        from hgrkit.retriever import Retriever

        if self.library is None:
            raise ConfigError("--foils needs --library LIB, the videos that the sentences are compared with.")
        pairs = read_foils(self.foils)
        with (
            stderr().status("choosing between captions and foils"),
            Retriever.open(self.library, parser=self.parser, device=self.device) as retriever,
        ):
            return evaluate_foils(
                pairs,
                retriever.library.indexed_paths(),
                lambda videos, texts: retriever.pair_scores(
                    videos, texts, (None, _EVENT_ONLY), querybank_norm=True
                ),
                allow_missing=self.allow_missing,
                resamples=self.resamples,
                seed=self.seed,
            ).to_dict()

    def show(self, *, json: bool, **surplus: object) -> None:
        """Print what came of it.

        Args:
            json: as one JSON object, otherwise as a table.
            **surplus: options that do not go with foils, by name; none of them may be given.

        Raises:
            ConfigError: if one of them was given.
        """
        given = [f"--{name.replace('_', '-')}" for name, value in surplus.items() if value]
        if given:
            raise ConfigError(f"--foils does not go with {', '.join(given)}; leave one of them out.")
        measured = self.run()
        if json:
            echo_json(measured)
        else:
            stdout().print(foil_table(measured))


def foil_table(measured: Mapping[str, Any]) -> Table:
    """Accuracy of each type, all levels beside the event level alone."""
    level = measured["level"]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("type", "n", f"accuracy [{level} %]", f"event only [{level} %]"):
        table.add_column(title, justify="left" if title == "type" else "right")
    event = measured["event_only"]
    for name, found in measured["types"].items():
        cells = (_cell(row["accuracy"], row["interval"]) for row in (found, event["types"][name]))
        table.add_row(name, str(found["n"]), *cells)
    table.add_row("mean", "", *(_cell(row["mean"], row["mean_interval"]) for row in (measured, event)))
    return table


def _cell(value: float, interval: list[float]) -> str:
    return f"{value:.1f} [{interval[0]:.1f}, {interval[1]:.1f}]"
