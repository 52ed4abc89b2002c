"""The page that `hgrkit evaluate --report` writes: measures, charts, breakdowns and the worst queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from hgrkit.graph import ROLE_MEANINGS
from hgrkit.research.evaluation.breakdown import Group
from hgrkit.research.evaluation.failure import Failure, failure_card
from hgrkit.research.evaluation.rank_charts import rank_histogram, recall_curve
from hgrkit.research.evaluation.rank_file import QueryRank
from hgrkit.research.evaluation.report_style import STYLE, file_name, text

__all__ = ["Report", "report_page"]

_DIRECTIONS = {"text_to_video": "Text to video", "video_to_text": "Video to text"}
_MOMENTS = {"right_video_moments": "Moments in the right video", "corpus_moments": "Moments in the first video"}
_CARDS = ("R@1", "R@5", "R@10", "MedR")
_FEW = 20
"""Captions below which a group's figures are shown faintly."""

_NOTES = {
    "R@1": "right answer in first place",
    "R@5": "among the first five",
    "R@10": "among the first ten",
    "MedR": "median rank",
}


@attrs.frozen(kw_only=True, eq=False)
class Report:
    """What the page shows.

    Attributes:
        title: of what was evaluated.
        about: facts for the line below the title, such as the model and the number of videos.
        measured: what `hgrkit evaluate --json` prints, with `intervals` and perhaps `baselines`.
        rows: every query's rank.
        breakdowns: groups of captions under a heading each.
        failures: the worst captions.
        worst_videos: the worst queries of the other direction.
        captions: the words of every caption, by the query's name.
    """

    title: str
    about: Sequence[str]
    measured: Mapping[str, Any]
    rows: Sequence[QueryRank]
    breakdowns: Mapping[str, Sequence[Group]] = attrs.field(factory=dict)
    failures: Sequence[Failure] = ()
    worst_videos: Sequence[QueryRank] = ()
    captions: Mapping[str, str] = attrs.field(factory=dict)


def report_page(report: Report) -> str:
    """One HTML page that needs nothing else: no script, no font, no picture from elsewhere; light and dark."""
    title = text(report.title)
    intervals = report.measured["intervals"]
    return "".join(
        [
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width,initial-scale=1">',
            f"<title>{title}</title><style>{STYLE}</style></head><body><main>",
            f'<header><h1>{title}</h1><p class="about">{" · ".join(map(text, report.about))}</p></header>',
            *(_cards(name, intervals[key]) for key, name in _DIRECTIONS.items() if key in intervals),
            _charts(report.rows),
            _all_measures(report.measured),
            _breakdowns(report.breakdowns),
            _failures(report.failures),
            _worst_videos(report.worst_videos, report.captions),
            _foot(intervals),
            "</main></body></html>\n",
        ]
    )


def _cards(name: str, figures: Mapping[str, Any]) -> str:
    cards = []
    for measure in _CARDS:
        found = figures[measure]
        low, high = found["interval"]
        unit = "" if measure == "MedR" else '<span class="unit">%</span>'
        cards.append(
            f'<div class="card"><div class="measure">{measure}</div>'
            f'<div class="value">{found["value"]:.1f}{unit}</div>'
            f'<div class="interval">{low:.1f} to {high:.1f}</div><div class="note">{_NOTES[measure]}</div></div>'
        )
    return f'<section class="way"><h2>{name}</h2><div class="cards">{"".join(cards)}</div></section>'


def _charts(rows: Sequence[QueryRank]) -> str:
    there = dict.fromkeys(row.direction for row in rows)
    kinds = zip(_DIRECTIONS.items(), ("forward", "backward"), strict=True)
    keys = [f'<span class="key {kind}">{name.lower()}</span>' for (key, name), kind in kinds if key in there]
    legend = f'<p class="legend">{"".join(keys)}<span class="key dashes">random order</span></p>'
    return (
        f'<section><h2>Where right answers stand</h2>{legend}<div class="charts">'
        f"<figure><figcaption>Recall curve</figcaption>{recall_curve(rows)}</figure>"
        f"<figure><figcaption>Ranks</figcaption>{rank_histogram(rows)}</figure></div></section>"
    )


def _all_measures(measured: Mapping[str, Any]) -> str:
    """Every figure of the model, with those of the baselines below it."""
    systems = {"model": measured, **measured.get("baselines", {})}
    tables = []
    for key, heading in {**_DIRECTIONS, **_MOMENTS}.items():
        if key in measured["intervals"]:
            figures = {name: system["intervals"].get(key, {}) for name, system in systems.items()}
            tables.append(_measures(heading, figures))
    if "Rsum" in measured["intervals"]:
        figures = {
            name: {"Rsum": system["intervals"]["Rsum"]}
            for name, system in systems.items()
            if "Rsum" in system["intervals"]
        }
        tables.append(_measures("Both directions", figures))
    return f'<section><h2>All measures</h2><div class="tables">{"".join(tables)}</div></section>'


def _measures(heading: str, figures: Mapping[str, Mapping[str, Any]]) -> str:
    """A table: a line for each system, a column for each measure."""
    names = list(figures["model"])
    rows = "".join(
        f"<tr><th>{text(system.replace('_', ' '))}</th>{''.join(_cell(own.get(name)) for name in names)}</tr>"
        for system, own in figures.items()
    )
    head = "".join(f"<th>{text(name)}</th>" for name in names)
    return (
        f'<div class="scroll"><table class="measures"><caption>{heading}</caption>'
        f"<thead><tr><th></th>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _cell(found: Mapping[str, Any] | None) -> str:
    if found is None:
        return "<td></td>"
    if found["interval"] is None:
        return f"<td>{found['value']:.1f}</td>"
    low, high = found["interval"]
    return f'<td>{found["value"]:.1f}<span class="interval">{low:.1f} to {high:.1f}</span></td>'


def _breakdowns(breakdowns: Mapping[str, Sequence[Group]]) -> str:
    tables = [_breakdown(heading, groups) for heading, groups in breakdowns.items() if groups]
    if not tables:
        return ""
    return (
        "<section><h2>Which captions are found</h2><p>Text to video. The bar is R@10, the thin line its interval. "
        f"A caption stands in every role that it has; groups of fewer than {_FEW} are faint.</p>"
        f'<div class="breakdowns">{"".join(tables)}</div></section>'
    )


def _breakdown(heading: str, groups: Sequence[Group]) -> str:
    rows = []
    for group in groups:
        first, ten, median = (group.figures[name] for name in ("R@1", "R@10", "MedR"))
        low, high = ten.interval
        few = ' class="few"' if group.queries < _FEW else ""
        bar = (
            f'<div class="bar" title="R@10 {ten.value:.1f} %, interval {low:.1f} to {high:.1f}">'
            f'<i style="width:{ten.value:.1f}%"></i><b style="left:{low:.1f}%;width:{high - low:.1f}%"></b></div>'
        )
        rows.append(
            f"<tr{few}><th>{text(group.name)}{_meaning(group.name)}</th><td>{group.queries:,}</td><td>{first.value:.1f}</td>"
            f'<td>{ten.value:.1f}</td><td>{median.value:g}</td><td class="wide">{bar}</td></tr>'
        )
    head = '<th></th><th>captions</th><th>R@1</th><th>R@10</th><th>MedR</th><th class="wide"></th>'
    return (
        f'<div class="scroll"><table><caption>{text(heading)}</caption><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _meaning(name: str) -> str:
    meaning = ROLE_MEANINGS.get(name)
    return "" if meaning is None else f'<span class="meaning">{text(meaning)}</span>'


def _failures(failures: Sequence[Failure]) -> str:
    if not failures:
        return ""
    cards = "".join(failure_card(number, failure) for number, failure in enumerate(failures, 1))
    return (
        "<section><h2>Worst captions</h2><p>The right video and the one that was preferred, each by its best "
        "clip: what the levels and the phrases say of them. Two captions of a video at most are shown. "
        f'<span class="key right">right</span><span class="key preferred">preferred</span></p>{cards}</section>'
    )


def _worst_videos(rows: Sequence[QueryRank], captions: Mapping[str, str]) -> str:
    if not rows:
        return ""
    lines = "".join(
        f"<tr><th>{file_name(row.video)}</th><td>{row.rank:,}</td>"
        f'<td class="words">{_words(row.positive, captions)}</td>'
        f'<td class="words">{_words(row.top, captions)}</td></tr>'
        for row in rows
    )
    head = '<th>video</th><th>rank</th><th class="words">its best caption</th><th class="words">preferred</th>'
    return (
        f'<section><h2>Worst videos</h2><div class="scroll"><table class="videos"><thead><tr>{head}</tr></thead>'
        f"<tbody>{lines}</tbody></table></div></section>"
    )


def _words(name: str | None, captions: Mapping[str, str]) -> str:
    return "" if name is None else text(captions.get(name, name))


def _foot(intervals: Mapping[str, Any]) -> str:
    return (
        f"<footer>Intervals: {intervals['level']} %, bootstrap over {intervals['videos']:,} videos with all their "
        f"queries, {intervals['resamples']:,} resamples, seed {intervals['seed']}. Ranks count from 1; a wrong "
        "answer with the same score counts as ahead.</footer>"
    )
