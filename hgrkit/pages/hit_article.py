"""One hit on the page: levels beside the film strip, and below them every phrase beside its columns of weight."""

from __future__ import annotations

import base64

from hgrkit.graph.layout import ROLE_MEANINGS
from hgrkit.graph.xml_text import xml_text
from hgrkit.levels import Level
from hgrkit.pages.bar_scale import HeatScale, SimilarityScale
from hgrkit.pages.hit_explanation import HitExplanation, StripFrame
from hgrkit.results import Phrase, clock

__all__ = ["hit_article", "number", "phrase_button", "role_words"]

_WIDEST_FRAME_REM = 11
_CLEARLY_MORE = 1.1


def hit_article(explained: HitExplanation, scale: SimilarityScale) -> str:
    """A hit as an `<article>`; frames, moment and weights stand on one axis of time."""
    hit = explained.hit
    name = f'<bdi title="{xml_text(hit.video)}">{xml_text(explained.name)}</bdi>'
    rows = "".join(_phrase_row(explained, position, scale) for position in range(len(hit.phrases)))
    return (
        f'<article aria-labelledby="hit-{hit.rank}"><header><span class="rank">#{hit.rank}</span>'
        f'<h2 id="hit-{hit.rank}">{name}</h2>'
        f'<span class="score"><small>score</small>{number(hit.score, "{:.3f}")}</span></header>'
        f'<div class="scroll" tabindex="0" role="region" aria-label="Film strip and phrases of hit {hit.rank}">'
        f'<div class="rows" style="--widest:{_WIDEST_FRAME_REM * max(1, len(explained.strip))}rem">'
        f"{_film_row(explained, scale)}{_moment_row(explained)}{rows}</div></div>"
        f"{_last_words(explained)}</article>"
    )


def phrase_button(text: str, level: Level, node: int) -> str:
    """A phrase that lights its frames; pressed, it stays lit."""
    kind = "phrase action" if level == "action" else "phrase"
    hook = f' data-node="{node}"' if node >= 0 else ""
    return f'<button type="button" class="{kind}" aria-pressed="false"{hook}>{xml_text(text)}</button>'


def role_words(role: str) -> str:
    """A role's name and what it asks."""
    meaning = "action" if role == "V" else ROLE_MEANINGS.get(role, "")
    short = xml_text(role.removeprefix("ARGM-"))
    return f'<span class="role">{short}{f" · {meaning}" if meaning else ""}</span>'


def number(value: float | None, shown: str = "{:+.2f}") -> str:
    """A number as it is read, with all its digits for programs; a dash where there is none."""
    return "<span>-</span>" if value is None else f'<data value="{value!r}">{shown.format(value)}</data>'


def _film_row(explained: HitExplanation, scale: SimilarityScale) -> str:
    levels = explained.hit.levels
    named: tuple[tuple[Level, float | None], ...] = (
        ("event", levels.event),
        ("action", levels.action),
        ("entity", levels.entity),
    )
    bars = "".join(
        f'<div class="level"><span>{level}</span>{number(score)}{_bar(level, score, scale)}</div>'
        for level, score in named
    )
    frames = "".join(_film(explained, frame, first=not place) for place, frame in enumerate(explained.strip))
    return (
        f'<div class="row top"><div class="levels">{bars}</div>'
        f'<ol class="time" style="grid-template-columns:{_columns(explained)}">{frames}</ol></div>'
    )


def _film(explained: HitExplanation, frame: StripFrame, *, first: bool) -> str:
    phrases = [explained.hit.phrases[position].text for position in frame.phrases]
    nodes = " ".join(str(explained.nodes[position]) for position in frame.phrases)
    words = f"Frame at {clock(frame.time_s)}; bears on: {', '.join(phrases) or 'no phrase more than others'}"
    if frame.jpeg is None:
        picture = f'<span class="blank" role="img" aria-label="{xml_text(words)}; no picture"></span>'
    else:
        data = base64.b64encode(frame.jpeg).decode("ascii")
        picture = f'<img alt="{xml_text(words)}" src="data:image/jpeg;base64,{data}">'
    start, stop = explained.moment
    inside = " inside" if start < frame.stop and frame.start < stop else ""
    return (
        f'<li class="film{inside}" tabindex="{0 if first else -1}" data-nodes="{nodes}" '
        f'data-times="{frame.start} {frame.stop}" style="grid-column:{frame.start + 1}/{frame.stop + 1}">{picture}'
        f'<time datetime="PT{frame.time_s:.3f}S">{clock(frame.time_s)}</time></li>'
    )


def _moment_row(explained: HitExplanation) -> str:
    hit, (start, stop) = explained.hit, explained.moment
    begin, end = (f'<data value="{time_s!r}">{clock(time_s)}</data>' for time_s in (hit.start_s, hit.end_s))
    return (
        f'<div class="row"><span class="when">moment {begin} to {end}</span>'
        f'<div class="time" aria-hidden="true" style="grid-template-columns:{_columns(explained)}">'
        f'<div class="moment" style="grid-column:{start + 1}/{stop + 1}"></div></div></div>'
    )


def _phrase_row(explained: HitExplanation, position: int, scale: SimilarityScale) -> str:
    phrase, node = explained.hit.phrases[position], explained.nodes[position]
    button = phrase_button(phrase.text, phrase.level, node)
    return (
        f'<div class="row of-phrase {phrase.level}" data-row="{node}"><div class="about-phrase">'
        f"<div>{button}{role_words(phrase.role)}</div>{number(phrase.similarity)}"
        f"{_bar(phrase.level, phrase.similarity, scale)}</div>{_heat(explained, phrase)}</div>"
    )


def _heat(explained: HitExplanation, phrase: Phrase) -> str:
    scale = HeatScale.of(explained.hit)
    best = max(range(len(phrase.weights)), key=phrase.weights.__getitem__)
    cells = []
    for place, weight in enumerate(phrase.weights):
        kind = "best" if place == best else "more" if weight >= _CLEARLY_MORE * scale.even else ""
        named = f' class="more {kind}"' if kind == "best" else f' class="{kind}"' if kind else ""
        cells.append(f'<i{named} style="--to:{100 * scale.part(weight):.1f}%" data-weight="{weight!r}"></i>')
    share = phrase.weights[best] / scale.even
    words = f"{phrase.text}: most at {clock(phrase.best_time_s)}, {share:.1f} times an even share"
    return (
        f'<div class="time heat" role="img" aria-label="{xml_text(words)}" style="--even:'
        f'{100 * scale.part(scale.even):.1f}%;grid-template-columns:{_columns(explained)}">{"".join(cells)}</div>'
    )


def _columns(explained: HitExplanation) -> str:
    """Each shown frame is as wide as any other; the times that it stands for share its width."""
    return " ".join(
        f"repeat({frame.stop - frame.start},minmax(0,{1 / (frame.stop - frame.start):.4f}fr))"
        for frame in explained.strip
    )


def _bar(level: Level, similarity: float | None, scale: SimilarityScale) -> str:
    filled = f"--to:{100 * scale.part(similarity):.1f}%"
    return f'<div class="bar {level}" aria-hidden="true"><i style="{filled}"></i></div>'


def _last_words(explained: HitExplanation) -> str:
    weakest = explained.weakest
    words = ""
    if weakest is not None:
        words = (
            f'<p class="against">Spoke against it most: <b>{xml_text(weakest.text)}</b> '
            f"{role_words(weakest.role)} {number(weakest.similarity)}</p>"
        )
    note = f'<p class="note">No pictures: {xml_text(explained.note)}.</p>' if explained.note else ""
    return words + note
