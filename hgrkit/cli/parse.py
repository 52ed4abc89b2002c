"""`hgrkit parse`: sentences in, role graphs out; and `hgrkit parsers`, which lists what can read them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated, Literal

import typer

from hgrkit.cli.output import echo, echo_json, filled, legend, printable, stderr, stdout, typed_text
from hgrkit.cli.progress import PortionBar
from hgrkit.errors import ConfigError, GraphError
from hgrkit.graph import RoleGraph, draw_graph
from hgrkit.storage.atomic_file import writing

__all__ = ["parse", "parsers"]

_LINES_AT_ONCE = 64
_INSTALLED = {True: "yes", False: "no", None: "unknown"}

Answer = tuple[str, RoleGraph | GraphError]


def parse(
    text: Annotated[str | None, typer.Argument(help="A sentence, in quotes.")] = None,
    input: Annotated[  # noqa: A002
        Path | None, typer.Option("--input", "-i", help="Read a file with one sentence a line.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Write the graphs of --input to this file; an interrupted run resumes."
        ),
    ] = None,
    source: Annotated[
        Literal["allennlp", "released"] | None,
        typer.Option("--from", help="Format of --input, if it has graphs instead of sentences."),
    ] = None,
    parser: Annotated[str, typer.Option(help="Parser to use; 'stanza,lark' is a chain.")] = "lark",
    workers: Annotated[int, typer.Option(help="Number of parsing processes, with --output.")] = 1,
    svg: Annotated[Path | None, typer.Option(help="Draw the sentence's graph to this file.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
) -> None:
    """Show how sentences are parsed: actions, entities and their roles."""
    from hgrkit.parsing.registry import load_parser, parse_texts

    if (text is None) == (input is None):
        raise ConfigError("give either a sentence or --input FILE, not both.")
    if input is None and (output is not None or source is not None):
        raise ConfigError("--output and --from need --input FILE.")
    if svg is not None and text is None:
        raise ConfigError("--svg draws one sentence; give the sentence instead of --input.")
    if input is not None and output is not None:
        _write_file(input, output, source=source, parser=parser, workers=workers, json=json)
    elif input is not None:
        answers = _parsed(input, parser) if source is None else _converted(input, source)
        _show_all(answers, json=json)
    elif text is not None:
        text = typed_text(text)
        graph = parse_texts(load_parser(parser), [text])[0]
        if svg is not None:
            with writing(svg):
                svg.write_text(draw_graph(graph), encoding="utf-8")
        _show(text, graph, json=json)
        if not json:
            _show_legend(graph)


def _show_legend(graph: RoleGraph) -> None:
    """What the roles mean, on a terminal; what is piped is the graph and nothing else."""
    console = stdout()
    if console.is_terminal:
        words = legend({node.role for node in graph.nodes} | {edge.role for edge in graph.edges})
        echo("\n" + "\n".join(filled(words.split("; "), "; ", console.width)))


def _write_file(
    input: Path,  # noqa: A002
    output: Path,
    *,
    source: Literal["allennlp", "released"] | None,
    parser: str,
    workers: int,
    json: bool,
) -> None:
    from hgrkit.parsing.graph_file import GraphFileHeader
    from hgrkit.parsing.parse_file import parse_file, write_graphs

    if source is not None:
        report = write_graphs(_converted(input, source), output, GraphFileHeader(parser=source, version="1"))
    else:
        with PortionBar("parsing") as bar:
            report = parse_file(parser, input, output, num_workers=workers, on_progress=bar.show)
    if json:
        echo_json(report.to_dict())
    else:
        echo(
            f"{report.file}: {report.sentences} sentences by {report.parser}; "
            f"{report.kept} were done before, {report.refused} have no graph"
        )


def _parsed(path: Path, parser: str) -> Iterator[Answer]:
    from hgrkit.parsing.parse_file import read_sentences
    from hgrkit.parsing.registry import load_parser, parse_each

    loaded = load_parser(parser)
    lines = read_sentences(path)
    while batch := list(islice(lines, _LINES_AT_ONCE)):
        yield from zip(batch, parse_each(loaded, batch), strict=True)


def _converted(path: Path, source: Literal["allennlp", "released"]) -> Iterator[Answer]:
    from hgrkit.parsing.converted_graphs import read_released_graphs, read_role_labelling

    yield from read_role_labelling(path) if source == "allennlp" else read_released_graphs(path)


def _show_all(answers: Iterable[Answer], *, json: bool) -> None:
    for number, (sentence, graph) in enumerate(answers, 1):
        if isinstance(graph, GraphError):
            stderr().print(printable(f"line {number}: {graph}"), markup=False, soft_wrap=True)
        _show(sentence, graph, json=json)


def _show(sentence: str, graph: RoleGraph | GraphError, *, json: bool) -> None:
    from hgrkit.parsing.graph_file import graph_record

    if json:
        echo_json(graph_record(sentence, graph))
    else:
        echo("" if isinstance(graph, GraphError) else str(graph))


def parsers(json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False) -> None:
    """List the installed parsers, and whether their models are available."""
    from rich.table import Table

    from hgrkit.parsing.registry import installed_parsers

    found = installed_parsers()
    if json:
        echo_json({"parsers": [parser.to_dict() for parser in found]})
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("parser", "version", "distribution", "models", "where"):
        table.add_column(column)
    for parser in found:
        row = (parser.name, parser.version, parser.distribution, _INSTALLED[parser.models], parser.models_at)
        table.add_row(*map(printable, row))
    stdout().print(table)
