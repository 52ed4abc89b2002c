"""A page of what a parser got wrong: gold and answer drawn side by side, with the triples that differ."""

from __future__ import annotations

from collections.abc import Sequence

from hgrkit.evaluation.parser_quality import Difference, ParserQuality
from hgrkit.graph import RoleGraph, draw_graph
from hgrkit.graph.xml_text import xml_text

__all__ = ["errors_page"]

_STYLE = """
:root{color-scheme:light dark}
body{font:15px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif;margin:2rem auto;max-width:84rem;padding:0 1rem}
table{border-collapse:collapse}td,th{padding:.15rem .9rem .15rem 0;text-align:right}th:first-child{text-align:left}
section{border-top:1px solid #8886;margin-top:1.5rem;padding-top:.75rem}
h2{font-size:1.05rem;margin:.2rem 0}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,30rem),1fr));gap:1rem}
figure{margin:0;overflow-x:auto}figcaption{font-size:.85rem;opacity:.75}
del,ins{text-decoration:none;display:block}
del::before{content:"missing  ";font-weight:600}ins::before{content:"too much  ";font-weight:600}
""".replace("\n", "")


def errors_page(quality: ParserQuality, *, parser: str, source: str) -> str:
    """A self-contained HTML page: the figures, the roles, then every caption that is not as the gold has it.

    Args:
        quality: what was measured.
        parser: the parser's name.
        source: the gold file's name.
    """
    title = xml_text(f"{parser} on {source}")
    wrong = len(quality.differences)
    return "".join(
        [
            f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>',
            '<meta name="viewport" content="width=device-width,initial-scale=1">',
            f"<style>{_STYLE}</style><h1>{title}</h1>",
            f"<p>{quality.captions} captions, {wrong} with a difference, {quality.failures} refused.</p>",
            _figures(quality),
            *(_section(number, difference) for number, difference in enumerate(quality.differences, 1)),
            "</html>\n",
        ]
    )


def _figures(quality: ParserQuality) -> str:
    counts = {
        "predicates": quality.predicate,
        "core roles, spans": quality.core_span,
        "core roles, heads": quality.core_head,
        "all roles, spans": quality.all_span,
        **quality.roles,
    }
    rows = "".join(
        f"<tr><th>{xml_text(name)}</th><td>{count.precision:.1f}</td><td>{count.recall:.1f}</td>"
        f"<td>{count.f1:.1f}</td><td>{count.gold}</td></tr>"
        for name, count in counts.items()
    )
    return f"<table><tr><th></th><th>precision</th><th>recall</th><th>F1</th><th>in gold</th></tr>{rows}</table>"


def _section(number: int, difference: Difference) -> str:
    return (
        f"<section><h2>{number}. {xml_text(difference.caption)}</h2>"
        f"{_triples('del', difference.missing)}{_triples('ins', difference.surplus)}"
        f'<div class="pair">{_figure("gold", difference.gold)}{_figure("answer", difference.answer)}</div>'
        "</section>"
    )


def _triples(tag: str, triples: Sequence[str]) -> str:
    return "".join(f"<{tag}>{xml_text(triple)}</{tag}>" for triple in triples)


def _figure(name: str, graph: RoleGraph | None) -> str:
    drawn = "<p>refused</p>" if graph is None else draw_graph(graph)
    return f"<figure><figcaption>{name}</figcaption>{drawn}</figure>"
