"""`hgrkit evaluate-parser`: how well a parser reads captions, against graphs made by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hgrkit.cli.output import echo, echo_json, plain_table, stderr, stdout
from hgrkit.errors import ConfigError
from hgrkit.research import evaluation  # loads what is asked of it
from hgrkit.storage.atomic_file import writing

__all__ = ["evaluate_parser"]


def evaluate_parser(
    gold: Annotated[
        Path | None, typer.Argument(help="Gold graphs, one JSON object a line; .jsonl or .jsonl.gz.")
    ] = None,
    parser: Annotated[str, typer.Option(help="Parser to measure.")] = "lark",
    gold_trees: Annotated[
        bool, typer.Option("--gold-trees", help="Give the parser the gold dependency trees instead of tokens.")
    ] = False,
    probes: Annotated[
        Path | None, typer.Option(help="Captions with foils and named participants, one JSON object a line.")
    ] = None,
    errors: Annotated[
        Path | None, typer.Option(help="Write an HTML page of all differences, gold and answer side by side.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Measure a parser against hand-annotated graphs. Values are percentages."""
    from hgrkit.parsing.registry import load_parser

    if gold is None and probes is None:
        raise ConfigError("give a file of gold graphs, or --probes FILE, or both.")
    if gold is None and (errors is not None or gold_trees):
        raise ConfigError("--errors and --gold-trees need a file of gold graphs.")
    loaded = load_parser(parser)
    records, asked = (None if path is None else evaluation.read_records(path) for path in (gold, probes))
    with stderr().status("parsing"):
        report = evaluation.report_parser(loaded, records, asked, gold_trees=gold_trees)
    if errors is not None and gold is not None and report.quality is not None:
        page = evaluation.errors_page(report.quality, parser=loaded.name, source=gold.name)
        with writing(errors):
            errors.write_text(page, encoding="utf-8")
    if json:
        echo_json(report.to_dict())
        return
    if report.quality is not None:
        _print_quality(report.quality)
    if report.probes is not None:
        for name, value in report.probes.to_dict().items():
            echo(f"{name.replace('_', ' ')}: {value if name == 'probes' else f'{value:.1f} %'}")


def _print_quality(quality: evaluation.ParserQuality) -> None:
    table = plain_table("", "precision", "recall", "F1")
    for name, counts in quality.figures.items():
        label = f"  {name}" if name in quality.roles else name
        table.add_row(label, f"{counts.precision:.1f}", f"{counts.recall:.1f}", f"{counts.f1:.1f}")
    stdout().print(table)
    if quality.conventions == "propbank":
        echo("gold trees of plain PropBank: copulas are not actions, so the answer has none either")
    echo(
        f"{quality.captions} captions, {quality.failures} refused, "
        f"{quality.captions_per_cpu_second:,.0f} captions per CPU second"
    )
