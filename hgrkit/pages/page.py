"""The page that shows why: the question's graph and every hit, in one file that asks nothing of a network."""

from __future__ import annotations

import base64
from hashlib import sha256
from html import escape

from hgrkit.graph import RoleGraph, draw_graph
from hgrkit.graph.layout import lay_out
from hgrkit.graph.xml_text import xml_text
from hgrkit.pages.bar_scale import SimilarityScale
from hgrkit.pages.explanation import Explanation
from hgrkit.pages.hit_article import hit_article, number, phrase_button, role_words

__all__ = ["SCRIPT", "STYLE", "explanation_frame", "explanation_page", "script_source"]

STYLE = """
:root{color-scheme:light dark;--ink:#1c2733;--soft:#52606d;--line:#d9dfe5;--page:#fff;--panel:#f6f8fa;
--action:#bd620a;--action-soft:#ffe9d2;--entity:#2f6fb5;--entity-soft:#e0edff;--event:#5b6975;--mark:#0f766e;
--film:#10161c;--focus:#7c3aed}
@media screen and (prefers-color-scheme:dark){:root{--ink:#e8edf2;--soft:#a6b3bf;--line:#2e3842;--page:#12181e;
--panel:#1a222a;--action:#f0a04b;--action-soft:#53330f;--entity:#7fb2ef;--entity-soft:#173355;--event:#9fadba;
--mark:#2dd4bf;--film:#05080b;--focus:#c4b5fd}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",sans-serif}
main{max-width:92rem;margin:0 auto;padding:2.2rem clamp(.8rem,3vw,2.4rem) 3rem}
h1{font-size:clamp(1.45rem,3.4vw,2.1rem);line-height:1.2;margin:.1rem 0 .35rem;letter-spacing:-.015em;
overflow-wrap:anywhere;text-wrap:balance}
h2{font-size:1.06rem;margin:0;line-height:1.35;overflow-wrap:anywhere;min-width:0}
p{margin:.2rem 0 .6rem;max-width:66rem}
ul,ol{list-style:none;margin:0;padding:0}
.eyebrow,.about,.note,footer,.hint{color:var(--soft)}
.eyebrow{font-size:.82rem;font-weight:600;letter-spacing:.06em;text-transform:uppercase;margin:0}
.about{margin:0}
:focus-visible{outline:3px solid var(--focus);outline-offset:2px;border-radius:4px}
.graph{overflow-x:auto;margin:1.3rem 0 .9rem;padding:.4rem 0}
.graph svg{display:block;margin:0 auto;max-width:none!important;width:clamp(.72*var(--wide),100%,var(--wide))}
.graph g[data-node]{cursor:default}
.graph .lit rect{stroke-width:3.4}
.graph.lighting g[data-node]:not(.lit) rect{opacity:.35}
.chips{display:flex;flex-wrap:wrap;gap:.45rem .5rem;justify-content:center}
button{font:inherit;color:inherit;cursor:pointer;text-align:left;overflow-wrap:anywhere}
.phrase{border:1.5px solid var(--entity);background:var(--entity-soft);border-radius:3px;padding:.1rem .5rem;
line-height:1.35;max-width:100%}
.phrase.action{border-color:var(--action);background:var(--action-soft);border-radius:1em;font-weight:600;
padding:.1rem .7rem}
.phrase[aria-pressed=true]{box-shadow:0 0 0 2px var(--page),0 0 0 4px var(--focus)}
.role{font-size:.78rem;color:var(--soft);white-space:nowrap}
.chips .role{margin-left:.4em}
article{background:var(--panel);border:1px solid var(--line);border-radius:14px;
padding:1rem clamp(.75rem,2vw,1.4rem) 1.1rem;margin:1.3rem 0 0}
article>header{display:flex;gap:.2rem .9rem;align-items:baseline;flex-wrap:wrap;margin-bottom:.75rem}
.rank{font-weight:650;color:var(--soft);font-variant-numeric:tabular-nums}
article>header h2{flex:1 1 12rem}
.score{font-size:1.3rem;font-weight:650;font-variant-numeric:tabular-nums;letter-spacing:-.01em}
.score small{font-size:.8rem;font-weight:500;color:var(--soft);letter-spacing:0;margin-right:.35em}
.scroll{overflow-x:auto;margin:0 -.25rem;padding:.25rem}
.rows{display:grid;gap:.42rem 0;min-width:52rem}
.row{display:grid;grid-template-columns:minmax(16rem,23%) minmax(0,1fr);gap:.2rem 1.4rem;align-items:center}
.row.top{align-items:end}
.time{display:grid;align-items:end;max-width:var(--widest)}
.film{min-width:0;padding:0 1px}
.film img,.film .blank{display:block;width:100%;border-radius:3px}
.film img{height:auto;max-height:11rem;object-fit:contain;background:var(--film)}
.film .blank{aspect-ratio:4/3;background:repeating-linear-gradient(135deg,var(--line) 0 2px,transparent 2px 9px)}
.film time{display:block;font-size:.7rem;line-height:1.5;color:var(--soft);text-align:center;white-space:nowrap;
font-variant-numeric:tabular-nums;overflow:hidden}
.film.inside time{color:var(--ink);font-weight:650}
.film.lit img,.film.lit .blank{box-shadow:0 0 0 3px var(--focus)}
.lighting .film:not(.lit) img{opacity:.28}
.moment{height:.62rem;border:2px solid var(--mark);border-top:0;border-radius:0 0 5px 5px;margin:0 2px}
.when{color:var(--mark);font-weight:600;font-size:.88rem}
.levels{display:grid;gap:.22rem}
.level{display:grid;grid-template-columns:4rem 3.2rem 1fr;align-items:center;font-size:.88rem}
.about-phrase{display:grid;grid-template-columns:minmax(0,1fr) 3.2rem;align-items:center;gap:.12rem .5rem}
.about-phrase .role{margin-left:.45em}
data{font-variant-numeric:tabular-nums}
.about-phrase data{text-align:right;font-weight:600;font-size:.92rem}
.bar{height:.42rem;background:var(--line);border-radius:2px;overflow:hidden}
.bar i{display:block;height:100%;width:var(--to);background:var(--event)}
.bar.action i{background:var(--action)}.bar.entity i{background:var(--entity)}
.about-phrase .bar{grid-column:1/-1;height:.28rem}
.heat{--tone:var(--entity);position:relative;height:2.1rem;align-items:end;background:var(--page);
border:1px solid var(--line);border-radius:3px;overflow:hidden}
.action .heat{--tone:var(--action)}
.heat i{height:var(--to);min-height:2px;margin:0 .5px;min-width:1px;border-top:2px solid var(--tone);
background:color-mix(in srgb,var(--tone) 34%,transparent)}
.heat i.more{background:var(--tone)}
.heat i.best{background:var(--ink);border-color:var(--ink)}
.heat::after{content:"";position:absolute;left:0;right:0;bottom:var(--even);border-top:1px dashed var(--soft)}
.lighting .row.of-phrase:not(.lit) :is(.heat i,.bar){opacity:.3}
.row.lit .heat{border-color:var(--focus);box-shadow:0 0 0 1px var(--focus)}
.one-frame .of-phrase .heat i:not(.lit){opacity:.16}
.one-frame .of-phrase .heat i.lit{opacity:1}
.against{margin:.8rem 0 0}
.note{margin:.5rem 0 0}
.hint{font-size:.88rem;margin:1.2rem 0 0}
.with-script{display:none}.scripted .with-script{display:inline}
.swatch{display:inline-block;width:1.1em;height:.75em;border:1px solid var(--line);background:var(--ink);
vertical-align:-.05em}
footer{margin-top:2rem;padding-top:.8rem;border-top:1px solid var(--line);font-size:.86rem}
@media (prefers-reduced-motion:no-preference){.film img,.graph rect,.heat i,.bar{transition:opacity .14s}}
@media (max-width:60rem){.rows{min-width:0;width:max(100%,46rem)}
.row{grid-template-columns:minmax(0,1fr);gap:.25rem}
.row>:first-child{position:sticky;left:0;width:min(100%,calc(100vw - 4rem),34rem)}
.row.of-phrase{margin-top:.3rem}.row.top{gap:.7rem}}
@media print{article{break-inside:avoid}*{print-color-adjust:exact}.graph,.scroll{overflow:visible}
.rows{min-width:0;width:auto}.graph svg{max-width:100%!important}.with-script.with-script{display:none}}
@media (forced-colors:active){.bar i,.heat i,.swatch{forced-color-adjust:none}}
""".replace("\n", "")


SCRIPT = """
(() => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const graph = document.querySelector(".graph");
  let pinned = null;
  document.documentElement.classList.add("scripted");

  function clear() {
    for (const name of ["lit", "lighting", "one-frame"]) {
      all("." + name).forEach((element) => element.classList.remove(name));
    }
  }

  function light(nodes, article, frame) {
    clear();
    for (const element of all("[data-node]", graph)) {
      element.classList.toggle("lit", nodes.includes(element.dataset.node));
    }
    graph.classList.add("lighting");
    for (const hit of article ? [article] : all("article")) {
      hit.classList.add("lighting");
      hit.classList.toggle("one-frame", Boolean(frame));
      for (const row of all("[data-row]", hit)) {
        row.classList.toggle("lit", nodes.includes(row.dataset.row));
      }
      for (const film of all("[data-nodes]", hit)) {
        const shared = film.dataset.nodes.split(" ").some((node) => nodes.includes(node));
        film.classList.toggle("lit", frame ? film === frame : shared);
      }
      if (frame) {
        const [start, stop] = frame.dataset.times.split(" ").map(Number);
        for (const heat of all(".heat", hit)) {
          [...heat.children].slice(start, stop).forEach((cell) => cell.classList.add("lit"));
        }
      }
    }
  }

  function show(target) {
    const element = target instanceof Element ? target : null;
    const frame = element && element.closest("[data-nodes]");
    const phrase = element && (element.closest("[data-node]") || element.closest("[data-row]"));
    if (frame) light(frame.dataset.nodes.split(" "), frame.closest("article"), frame);
    else if (phrase) light([phrase.dataset.node || phrase.dataset.row], phrase.closest("article"));
    else if (pinned) light([pinned.dataset.node], pinned.closest("article"));
    else clear();
  }

  function pin(button) {
    if (pinned) pinned.setAttribute("aria-pressed", "false");
    pinned = button === pinned ? null : button;
    if (pinned) pinned.setAttribute("aria-pressed", "true");
    show(pinned);
  }

  document.addEventListener("pointerover", (event) => show(event.target));
  document.documentElement.addEventListener("pointerleave", () => show(null));
  document.addEventListener("focusin", (event) => show(event.target));
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button) pin(button);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      pin(pinned);
      return;
    }
    const film = event.target.closest("[data-nodes]");
    const step = { ArrowLeft: "previousElementSibling", ArrowRight: "nextElementSibling" }[event.key];
    const next = film && step && film[step];
    if (next) {
      film.tabIndex = -1;
      next.tabIndex = 0;
      next.focus();
      event.preventDefault();
    }
  });
})();
"""


def script_source() -> str:
    """The one script that the page's security policy lets run, by its hash."""
    return f"'sha256-{base64.b64encode(sha256(SCRIPT.encode()).digest()).decode()}'"


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
