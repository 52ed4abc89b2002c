"""`hgrkit evaluate-parser`: how well a parser reads captions, against graphs made by hand."""

from __future__ import annotations

import gzip
import json as jsonlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from hgrkit.cli.output import echo, echo_json, stderr, stdout
from hgrkit.errors import BenchmarkError, ConfigError, MissingPathError
from hgrkit.storage.atomic_file import writing

if TYPE_CHECKING:
    from hgrkit.research.evaluation.parser_quality import ParserQuality

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("evaluate-parser")(evaluate_parser)


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
    """Measure a graph parser: predicates, role spans and heads, probes, speed; values are percentages."""
    from hgrkit.parsing.registry import load_parser
    from hgrkit.research.evaluation.parser_mistakes import count_mistakes, errors_page, probe_parser
    from hgrkit.research.evaluation.parser_quality import evaluate_parser as measure

    if gold is None and probes is None:
        raise ConfigError("give a file of gold graphs, or --probes FILE, or both.")
    if gold is None and (errors is not None or gold_trees):
        raise ConfigError("--errors and --gold-trees go with a file of gold graphs.")
    loaded = load_parser(parser)
    report: dict[str, Any] = {"parser": loaded.name, "version": loaded.version}
    quality = None
    with stderr().status("parsing"):
        if gold is not None:
            quality = measure(loaded, _records(gold), gold_trees=gold_trees)
            report |= quality.to_dict() | {"mistakes": count_mistakes(quality.differences)}
        if probes is not None:
            report["probes"] = probe_parser(loaded, _records(probes)).to_dict()
    if errors is not None and gold is not None and quality is not None:
        page = errors_page(quality, parser=loaded.name, source=gold.name)
        with writing(errors):
            errors.write_text(page, encoding="utf-8")
    if json:
        echo_json(report)
    else:
        _print(report, quality)


def _records(path: Path) -> list[dict[str, Any]]:
    from hgrkit.parsing.graph_file import GraphFileHeader

    if not path.is_file():
        raise MissingPathError(f"there is no file {str(path)!r}; give one JSON object a line (.jsonl, .jsonl.gz).")
    try:
        content = path.read_bytes()
        text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode("utf-8")
    except (OSError, EOFError, ValueError) as error:
        raise BenchmarkError(f"{path} cannot be read: {error}.") from error
    records = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            record = jsonlib.loads(line)
        except ValueError as error:
            raise BenchmarkError(f"{path}, line {number} is no JSON: {error}.") from error
        if not isinstance(record, dict):
            raise BenchmarkError(f"{path}, line {number} must be a JSON object, got {type(record).__name__}.")
        if GraphFileHeader.from_record(record) is None:
            records.append(record)
    if not records:
        raise BenchmarkError(f"{path} holds no captions.")
    return records


def _print(report: dict[str, Any], quality: ParserQuality | None) -> None:
    if quality is not None:
        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column("")
        for column in ("precision", "recall", "F1"):
            table.add_column(column, justify="right")
        named = {
            "predicates": quality.predicate,
            "core roles, spans": quality.core_span,
            "core roles, heads": quality.core_head,
            "all roles, spans": quality.all_span,
            **{f"  {role}": counts for role, counts in quality.roles.items()},
        }
        for name, counts in named.items():
            table.add_row(name, f"{counts.precision:.1f}", f"{counts.recall:.1f}", f"{counts.f1:.1f}")
        stdout().print(table)
        if quality.conventions == "propbank":
            echo("gold trees of plain PropBank: copulas are no actions, in the answer neither")
        echo(
            f"{quality.captions} captions, {quality.failures} refused, "
            f"{quality.captions_per_cpu_second:,.0f} captions per CPU second"
        )
    for name, value in report.get("probes", {}).items():
        shown = f"{value}" if name == "probes" else f"{value:.1f} %"
        echo(f"{name.replace('_', ' ')}: {shown}")
