"""How a report looks: one style sheet for light and dark, wide and narrow, and text as a page can hold it."""

from __future__ import annotations

from pathlib import PurePath

from hgrkit.rendering import xml_text

__all__ = ["STYLE", "file_name", "text"]

_LINE_BREAKS = str.maketrans("\n\t\r", "   ")


def text(words: str) -> str:
    """Words that read as they are: escaped, on one line, and what no page can hold replaced.

    >>> text("<b> & c")
    '&lt;b&gt; &amp; c'
    """
    return xml_text(words.translate(_LINE_BREAKS))


def file_name(path: str) -> str:
    """The last part of a path, as it may stand in a page.

    >>> file_name("clips/dog.mp4")
    'dog.mp4'
    """
    return text(PurePath(path).name or path)


STYLE = """
:root{color-scheme:light dark;--ink:#1c2733;--soft:#566472;--line:#dfe4e9;--page:#fff;--panel:#f6f8fa;
--right:#2f6fb5;--right-soft:#cfe1f6;--preferred:#c8690e;--preferred-soft:#ffe0c0}
@media (prefers-color-scheme:dark){:root{--ink:#e6ebf0;--soft:#9fadba;--line:#2e3842;--page:#12181e;
--panel:#1a222a;--right:#7fb2ef;--right-soft:#24456b;--preferred:#f0a04b;--preferred-soft:#5c3a14}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",sans-serif}
main{max-width:76rem;margin:0 auto;padding:2.2rem clamp(1rem,3vw,2.2rem) 3rem}
h1{font-size:clamp(1.45rem,3.4vw,2rem);line-height:1.2;margin:0 0 .3rem;letter-spacing:-.015em;
overflow-wrap:anywhere}
h2{font-size:1.12rem;margin:0 0 .7rem}
h3{font-size:1.05rem;margin:0;line-height:1.35;overflow-wrap:anywhere}
p{margin:.2rem 0 .9rem;max-width:62rem}
.about,footer,.note,.interval,.legend{color:var(--soft)}
.about{overflow-wrap:anywhere}
section{margin-top:2.3rem}
.way{margin-top:1.6rem}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(9.5rem,1fr));gap:.8rem}
.card{background:var(--panel);border:1px solid var(--line);border-radius:10px;padding:.75rem .95rem .8rem}
.measure{font-weight:600;color:var(--soft);font-size:.88rem}
.value{font-size:1.9rem;font-weight:650;line-height:1.2;font-variant-numeric:tabular-nums;letter-spacing:-.02em}
.unit{font-size:1rem;font-weight:500;color:var(--soft);margin-left:.12em}
.card .interval,.note{font-size:.83rem}
.charts,.breakdowns{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,30rem),1fr));
gap:1rem 2.2rem}
figure{margin:0;min-width:0}
figcaption,caption{font-weight:600;text-align:left;padding:0 0 .35rem}
.chart{width:100%;height:auto;display:block}
.chart text{font:12px system-ui,-apple-system,"Segoe UI",sans-serif;fill:var(--soft);text-anchor:middle}
.chart .left{text-anchor:end}
.grid{stroke:var(--line)}
polyline{fill:none;stroke-width:2.4;stroke-linejoin:round}
polyline.forward{stroke:var(--right)}polyline.backward{stroke:var(--preferred)}
polyline.chance{stroke-width:1.3;stroke-dasharray:3 4;opacity:.75}
circle{stroke:var(--page);stroke-width:1.5}
.forward{fill:var(--right)}.backward{fill:var(--preferred)}
polyline.forward,polyline.backward{fill:none}
.key{display:inline-block;margin-right:1.1rem;white-space:nowrap}
.key::before{content:"";display:inline-block;width:.72em;height:.72em;border-radius:3px;margin-right:.42em;
background:currentColor;vertical-align:-.04em}
.key.forward::before,.key.right::before{background:var(--right)}
.key.backward::before,.key.preferred::before{background:var(--preferred)}
.key.dashes::before{background:none;border-top:2px dashed var(--soft);border-radius:0;width:1.3em;height:0;
vertical-align:.25em}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:.26rem .55rem;text-align:right;border-bottom:1px solid var(--line);vertical-align:top}
tr>:first-child{text-align:left;padding-left:0}
tr>:last-child{padding-right:0}
thead th{font-weight:500;color:var(--soft);font-size:.86rem;border-bottom-color:var(--soft)}
tbody th{font-weight:500}
.tables{display:grid;gap:1.3rem}
.measures{width:auto}
.measures td,.measures th{white-space:nowrap;padding-left:1.1rem}
.measures .interval{display:block;font-size:.8rem}
.measures tr>:first-child{padding-left:0}
.meaning{color:var(--soft);font-size:.86rem;margin-left:.5em}
.breakdowns>:first-child{grid-row:span 2}
.breakdowns{align-items:start;grid-auto-rows:min-content}
.few{opacity:.5}
.breakdowns tbody th{white-space:nowrap}
.scroll{overflow-x:auto;min-width:0}
.wide{width:36%;min-width:5rem}
.bar{position:relative;height:.8em;margin-top:.34em;background:var(--panel);border-radius:3px}
.bar i{position:absolute;inset:0 auto 0 0;background:var(--right);border-radius:3px}
.bar b{position:absolute;top:calc(50% - 1px);height:2px;background:var(--ink);opacity:.55}
td.words,th.words{text-align:left;overflow-wrap:anywhere;min-width:11rem}
.videos th:first-child{white-space:nowrap}
article{background:var(--panel);border:1px solid var(--line);border-radius:12px;
padding:1rem clamp(.8rem,2vw,1.3rem);
margin:0 0 1rem;display:grid;grid-template-columns:1fr auto;gap:.15rem 1rem}
.number{display:inline-block;color:var(--soft);font-weight:500;margin-right:.55em;font-variant-numeric:tabular-nums}
.rank{margin:0;color:var(--soft);white-space:nowrap}.rank strong{color:var(--ink);font-size:1.05rem}
.sides{grid-column:1/-1;display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,27rem),1fr));
gap:.6rem 2rem;align-items:start}
.scores{min-width:0}
dl{display:grid;grid-template-columns:auto 1fr;gap:.1rem .3rem;margin:.35rem 0 .5rem;font-size:.92rem}
dd{margin:0;overflow-wrap:anywhere;min-width:0}
.pairs th{overflow-wrap:anywhere}
.pairs .wide{width:30%}
.pairs tr.total th,.pairs tr.total td{font-weight:650}
.pairs tr.level+tr.phrase>*{border-top:1px solid var(--soft)}
.pairs td.lead.right{color:var(--right);font-weight:650}
.pairs td.lead.preferred{color:var(--preferred);font-weight:650}
.role{font-size:.78rem;color:var(--soft);border:1px solid var(--line);border-radius:5px;padding:.05rem .32rem;
white-space:nowrap}
.pair{padding-top:.24em}
.pair i{display:block;height:.42em;border-radius:2px;margin-bottom:2px}
.pair .right{background:var(--right)}.pair .preferred{background:var(--preferred)}
.graph{overflow-x:auto;min-width:0;padding-top:.3rem}
.graph svg{display:block;margin:0 auto}
footer{margin-top:2.6rem;padding-top:.9rem;border-top:1px solid var(--line);font-size:.88rem}
@media (max-width:520px){th,td{padding:.26rem .32rem}.wide{display:none}.meaning{display:block;margin:0}
article{grid-template-columns:1fr}.role{font-size:.72rem}}
@media print{article,figure,.card{break-inside:avoid}}
""".replace("\n", "")
