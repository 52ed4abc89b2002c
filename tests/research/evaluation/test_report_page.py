"""A report shows the figures, draws the ranks, and stands by itself whatever captions hold."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import attrs
import numpy as np
import pytest

from hgrkit.levels import PerLevel
from hgrkit.parsing.lark.parser import LarkParser
from hgrkit.research.evaluation.bootstrap import Bootstrap, estimate
from hgrkit.research.evaluation.rank_file import QueryRank
from hgrkit.research.evaluation.report import break_down, rank_histogram, recall_curve, report_page, worst_queries
from hgrkit.research.evaluation.video_source import Answer, Failure, PhraseScores

HOSTILE = '<script>alert("x")</script> & <b>bold</b> \x00\ud800 dog'


def row(number, rank, *, caption="a dog runs", video=None, direction="text_to_video", candidates=40):
    return QueryRank(
        direction=direction,
        query=f"{direction} {number}",
        video=video or f"clips/v{number}.mp4",
        caption=caption if direction == "text_to_video" else "",
        rank=rank,
        positive=f"clips/v{number}.mp4",
        top="clips/other.mp4",
        candidates=candidates,
        right=1,
    )


@pytest.fixture
def rows():
    random = np.random.default_rng(0)
    ranks = random.integers(1, 41, size=30).tolist()
    backward = [row(n, rank, direction="video_to_text", candidates=60) for n, rank in enumerate(ranks[:10])]
    return [*(row(n, rank) for n, rank in enumerate(ranks)), *backward]


def page_of(rows, **more):
    measured = {"intervals": estimate(rows, bootstrap=Bootstrap(20)).to_dict()}
    return report_page(rows, measured, title="made up", about=["model default"], **more)


class Elements(HTMLParser):
    """Which elements are opened, and which are left open."""

    VOID = frozenset({"meta", "br"})

    def __init__(self, page):
        super().__init__()
        self.names, self.open = [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.names.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.names.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes nothing"


def failure_of(caption):
    graph = LarkParser().parse("a dog runs on the grass")
    return Failure(
        row=row(0, 40, caption=caption),
        graph=graph,
        right=Answer(video=f"clips/{HOSTILE}", score=0.12, levels=PerLevel(event=-0.001, action=0.2, entity=0.3)),
        preferred=Answer(video="b.mp4", score=0.5, levels=PerLevel(event=0.5, action=0.6, entity=0.4)),
        phrases=(PhraseScores(text=caption, role="ARGM-LOC", right=-0.4, preferred=0.9),),
    )


def test_every_element_is_closed_and_nothing_comes_from_elsewhere(rows):
    groups = break_down(rows[:30], {}, bootstrap=Bootstrap(20, 0))
    page = page_of(rows, failures=[failure_of("a dog")], breakdowns=groups)
    elements = Elements(page)
    assert elements.open == []
    assert not {"script", "link", "img", "iframe"} & set(elements.names)
    assert not re.search(r"(?:src|href)=|url\(|@import|https?://(?!www\.w3\.org/2000/svg)", page)


def test_no_text_becomes_markup(rows):
    hostile = [row(n, 2, caption=HOSTILE, video=HOSTILE) for n in range(3)]
    worst = attrs.evolve(row(0, 9, video=HOSTILE, direction="video_to_text"), top=hostile[0].query)
    page = page_of([*hostile, worst], failures=[failure_of(HOSTILE)])
    assert "<script>" not in page
    assert "<b>bold" not in page
    assert "&lt;script&gt;alert(&#34;x&#34;)&lt;/script&gt;" in page
    assert not re.search("[\x00\ud800]", page)
    page.encode("utf-8")


def test_figures_stand_with_their_intervals(rows):
    page = page_of(rows)
    found = estimate(rows, bootstrap=Bootstrap(20)).to_dict()["text_to_video"]["R@10"]
    low, high = found["interval"]
    assert f"{found['value']:.1f}" in page
    assert f"{low:.1f} to {high:.1f}" in page
    assert "Both directions" in page


def test_baselines_stand_below_the_model(rows):
    chance = {"intervals": {"text_to_video": {"R@1": {"value": 2.5, "interval": None}}}}
    measured = {
        "intervals": estimate(rows, bootstrap=Bootstrap(20)).to_dict(),
        "baselines": {"event_only": chance},
    }
    page = report_page(rows, measured, title="t", about=[])
    assert "event only" in page
    assert "<td>2.5</td>" in page


def test_a_card_shows_what_is_right_and_what_leads():
    page = page_of([row(0, 40)], failures=[failure_of("a dog runs")])
    assert "rank <strong>40</strong> of 40" in page
    assert 'class="preferred lead">0.90</td>' in page
    assert 'class="right">0.00</td>' in page
    assert "-0.00" not in page
    assert page.count('<svg xmlns="http://www.w3.org/2000/svg" class="hgr"') == 1


def test_a_caption_that_cannot_be_read_is_said_to_be_so():
    page = page_of([row(0, 40)], failures=[Failure(row=row(0, 40))])
    assert "cannot be parsed" in page


def test_the_histogram_holds_every_query_once():
    ranks = [1, 1, 2, 5, 6, 40, 41]
    found = rank_histogram([row(n, rank) for n, rank in enumerate(ranks)])
    shares = {name: float(value) for name, value in re.findall(r"rank ([\d+-]+): ([\d.]+) %", found)}
    assert shares == {"1": 28.6, "2": 14.3, "3-5": 14.3, "6-10": 14.3, "11-20": 0, "21+": 28.6}


def test_the_recall_curve_rises_to_where_all_is_found():
    rows = [row(n, rank) for n, rank in enumerate([1, 3, 3, 20])]
    found = recall_curve(rows)
    (points,) = re.findall(r'<polyline class="forward" points="([^"]+)"', found)
    heights = [float(point.split(",")[1]) for point in points.split()]
    assert heights == sorted(heights, reverse=True)
    assert heights[-1] == 12.0  # the top of the plot
    assert re.findall(r"R@(\d+) ([\d.]+) %", found) == [("1", "25.0"), ("5", "75.0"), ("10", "75.0")]


def test_one_query_alone_can_be_drawn():
    Elements(page_of([row(0, 1, candidates=1)]))


def test_groups_by_length_hold_every_caption_once():
    rows = [row(n, 1, caption=" ".join(["word"] * length)) for n, length in enumerate([1, 4, 5, 12, 40])]
    groups = break_down(rows, {}, bootstrap=Bootstrap(10, 0))["By number of words"]
    assert {group.name: group.queries for group in groups} == {
        "1 to 4 words": 2,
        "5 to 6 words": 1,
        "12 to 15 words": 1,
        "16 words and more": 1,
    }


def test_groups_by_role_and_action_follow_the_graphs():
    captions = ["a dog runs on the grass", "a man sings and dances", "a red car"]
    graphs = dict(zip(captions, LarkParser().parse_batch(captions), strict=True))
    rows = [row(n, n + 1, caption=caption) for n, caption in enumerate([*captions, "unread"])]
    groups = break_down(rows, graphs, bootstrap=Bootstrap(10, 0))
    roles = {group.name: group for group in groups["By role"]}
    assert roles["ARG0"].queries == 2
    assert roles["ARGM-LOC"].figures["R@1"].value == 100
    assert roles["NOUN"].figures["MedR"].value == 3
    actions = {group.name: group.queries for group in groups["By number of actions"]}
    assert actions == {"no action": 1, "1 action": 1, "2 actions": 1}


def test_the_worst_queries_are_the_last_ranks_two_of_a_video_at_most():
    rows = [row(n, rank, video="same.mp4") for n, rank in enumerate([9, 8, 7])]
    rows += [row(9, 1), row(10, 5), row(11, 30, direction="video_to_text")]
    assert [found.rank for found in worst_queries(rows, 10)] == [9, 8, 5]
    assert [found.rank for found in worst_queries(rows, 1)] == [9]
    assert [found.rank for found in worst_queries(rows, 10, "video_to_text")] == [30]
