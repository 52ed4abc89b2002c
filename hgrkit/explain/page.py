"""The page that shows why: the question's graph and every hit, in one file that asks nothing of a network."""

from __future__ import annotations

from html import escape

from hgrkit.explain.bar_scale import SimilarityScale
from hgrkit.explain.explanation import Explanation
from hgrkit.explain.hit_article import hit_article, number, phrase_button, role_words
from hgrkit.explain.page_script import SCRIPT, script_source
from hgrkit.explain.page_style import STYLE
from hgrkit.graph import RoleGraph, draw_graph
from hgrkit.graph.layout import lay_out
from hgrkit.graph.xml_text import xml_text

__all__ = ["explanation_frame", "explanation_page"]

_HINT = (
    "Columns under a film strip say how much each frame bears on the phrase: the dashed line is an even share, "
    'the <span class="swatch"></span> column the best frame. <span class="with-script">Point at a phrase to light '
    "its frames, or at a frame to light its phrases; press a phrase to keep it lit, Escape to let go; arrow keys "
    "walk along a film strip.</span>"
)


def explanation_page(explanation: Explanation) -> str:
    """One HTML page: no picture, font or script from elsewhere, and a policy that forbids them."""
    result = explanation.result
    policy = (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src {script_source()}; "
        "base-uri 'none'; form-action 'none'"
    )
    scale = SimilarityScale.of(result.hits)
    articles = "".join(hit_article(hit, scale) for hit in explanation.hits)
    return "".join(
        [
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width,initial-scale=1">',
            '<meta name="referrer" content="no-referrer">',
            f"<title>{xml_text(result.query)} · why</title><style>{STYLE}</style></head><body><main>",
            f'<header><p class="eyebrow">Why these clips</p><h1>{xml_text(result.query)}</h1>',
            f'<p class="about">{_about(explanation)}</p></header>',
            _question(result.graph),
            *(f'<p class="note">{xml_text(note)}</p>' for note in result.notes),
            f'<section aria-label="Hits">{articles}</section>',
            f"<footer>{_foot(scale)}</footer></main><script>{SCRIPT}</script></body></html>\n",
        ]
    )


def explanation_frame(explanation: Explanation, *, height: str = "44rem") -> str:
    """The page inside a frame of its own, as a notebook shows it: neither changes how the other looks."""
    page = escape(explanation_page(explanation))
    return (
        f'<iframe title="Why these clips" sandbox="allow-scripts" srcdoc="{page}" '
        f'style="width:100%;height:{height};border:0"></iframe>'
    )


def _about(explanation: Explanation) -> str:
    result = explanation.result
    count = len(result.hits)
    hits = "no hits" if not count else "1 hit" if count == 1 else f"{count} hits, best first"
    return f"{hits} · found in {number(result.elapsed_ms, '{:.0f}')} ms"


def _question(graph: RoleGraph) -> str:
    """The graph as a picture, and its phrases as a list that can be pointed at."""
    chips = "".join(
        f"<li>{phrase_button(graph.phrase(node), 'action' if node.is_action else 'entity', node.id)}"
        f"{role_words(graph.role(node))}</li>"
        for node in graph.nodes
    )
    wide = f"--wide:{lay_out(graph).width:.0f}px"  # the drawing shrinks a little before it scrolls
    return (
        '<section aria-label="How the question was read"><div class="graph" tabindex="0" role="region" '
        f'style="{wide}" aria-label="The question as a graph">{draw_graph(graph)}</div>'
        f'<ul class="chips">{chips}</ul></section>'
    )


def _foot(scale: SimilarityScale) -> str:
    bars = f"Bars of levels and phrases share one scale, from 0 to {scale.top:.2f}; similarities lie in [-1, 1]."
    return f"<p>{_HINT}</p><p>{bars} Made by hgrkit.</p>"
