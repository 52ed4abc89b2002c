"""The page: nothing from elsewhere, every number the search's, words shown as text, colours that can be read."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from hashlib import sha256
from html.parser import HTMLParser

import attrs
import pytest

from hgrkit.graph.rendering import render
from hgrkit.pages.explanation import explain_result
from hgrkit.results import Excluded, clock
from tests.pages.sample import NAME, result_over

VOID = {"meta", "img", "br"}
STYLE = render("explanation.css")
THEMES = re.findall(r":root\{([^}]*)\}", STYLE)


class Page(HTMLParser):
    """What a browser reads: elements with their attributes, words outside of scripts and styles."""

    def __init__(self, source):
        super().__init__()
        self.elements, self.words, self.scripts, self.open = [], [], [], []
        self.feed(source)
        self.close()
        assert self.open == [], "an element is not closed"

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        inside = self.open[-1] if self.open else ""
        (self.scripts if inside == "script" else [] if inside == "style" else self.words).append(data)

    def all(self, tag, kind=None):
        found = [attributes for name, attributes in self.elements if name == tag]
        return [a for a in found if kind is None or kind in (a.get("class") or "").split()]


@pytest.fixture(scope="module")
def source(explanation):
    return explanation.to_html()


@pytest.fixture(scope="module")
def page(source):
    return Page(source)


def test_the_page_asks_nothing_from_elsewhere(page):
    for tag, attributes in page.elements:
        for name, value in attributes.items():
            if name in {"src", "href", "srcset", "action", "data", "poster", "background"}:
                assert (tag, value[:23]) == ("img", "data:image/jpeg;base64,")
    assert "url(" not in STYLE
    assert "@import" not in STYLE


def test_the_policy_lets_only_the_pages_own_script_run(page):
    (policy,) = [meta["content"] for meta in page.all("meta") if meta.get("http-equiv")]
    (script,) = page.scripts
    digest = b64encode(sha256(script.encode()).digest()).decode()
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules == {
        "default-src": "'none'",
        "img-src": "data:",
        "style-src": "'unsafe-inline'",
        "script-src": f"'sha256-{digest}'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]


def test_every_number_is_the_searchs(page, explanation):
    shown = [float(data["value"]) for data in page.all("data")]
    wanted = [explanation.result.elapsed_ms]
    for hit in explanation.result.hits:
        wanted += [hit.score, hit.levels.event, hit.levels.action, hit.levels.entity, hit.start_s, hit.end_s]
        wanted += [phrase.similarity for phrase in hit.phrases] + [-0.125]
    assert shown == wanted


def test_excluded_phrases_are_struck_through_with_their_number(explanation):
    excluded = Excluded(node_ids=(), text="a <cat>", similarity=0.25, times_s=(0.5,), weights=(1.0,))
    hits = tuple(attrs.evolve(one, hit=attrs.evolve(one.hit, excluded=(excluded,))) for one in explanation.hits)
    page = Page(attrs.evolve(explanation, hits=hits).to_html())
    assert len(page.all("s")) == len(page.all("p", "excluded")) == len(hits)
    assert page.words.count("a <cat>") == len(hits)
    assert sum(float(data["value"]) == 0.25 for data in page.all("data")) == len(hits)


def test_phrases_that_are_seen_best_outside_the_moment_say_so(page, explanation):
    outside = [
        f"seen best at {clock(phrase.best_time_s)}, outside the moment"
        for hit in explanation.result.hits
        for phrase in hit.phrases
        if not hit.start_s <= phrase.best_time_s <= hit.end_s
    ]
    assert outside
    assert [words for words in page.words if "outside the moment" in words] == outside


def test_every_weight_has_its_column(page, explanation):
    weights = [float(column["data-weight"]) for column in page.all("g", "column")]
    phrases = [phrase for hit in explanation.result.hits for phrase in hit.phrases]
    assert weights == [weight for phrase in phrases for weight in phrase.weights]


def rectangles(page, kind, count):
    """The first rectangles inside every element of a kind, as they are drawn."""
    places = [
        place for place, (_, found) in enumerate(page.elements) if kind in (found.get("class") or "").split()
    ]
    drawn = [page.elements[place + 1 : place + 1 + count] for place in places]
    assert {tag for elements in drawn for tag, _ in elements} == {"rect"}
    return [[attributes for _, attributes in elements] for elements in drawn]


def test_every_bar_and_column_is_as_long_as_its_number(page, explanation):
    """Of the highest similarity, and of the highest weight: both are 0.5."""
    hits = explanation.result.hits
    similarities = [value for hit in hits for value in (*hit.levels, *(one.similarity for one in hit.phrases))]
    weights = [weight for hit in hits for one in hit.phrases for weight in one.weights]
    bars = [float(filled["width"]) / float(track["width"]) for track, filled in rectangles(page, "bar", 2)]
    assert bars == pytest.approx([max(0, value) / 0.5 for value in similarities], abs=1e-3)
    (full,) = {float(track["height"]) for (track,) in rectangles(page, "heat", 1)}
    columns = [column for (column,) in rectangles(page, "column", 1)]
    assert [float(column["height"]) / full for column in columns] == pytest.approx(
        [weight / 0.5 for weight in weights], abs=1e-3
    )
    bottoms = [float(column["y"]) + float(column["height"]) for column in columns]
    assert bottoms == pytest.approx([full] * len(columns), abs=0.02)


def test_words_and_file_names_are_text_whatever_they_hold(page):
    assert page.words.count(NAME) == 1
    assert "</script><b>" in page.words
    assert len(page.all("script")) == 1
    assert all(image["src"].startswith("data:") for image in page.all("img"))


def test_bytes_that_are_no_text_do_not_break_the_page(explanation):
    hit = explanation.hits[1]
    broken = attrs.evolve(hit, hit=attrs.evolve(hit.hit, video="a\udcff\x00\u202eb.mp4"))
    source = attrs.evolve(explanation, hits=(broken,)).to_html()
    assert "<bdi title=" in source
    assert Page(source.encode("utf-8").decode("utf-8")).words.count("a\ufffd\ufffd\u202eb.mp4") == 1


def test_pictures_are_the_strips_and_say_what_they_show(page, explanation):
    strip = explanation.hits[0].strip
    images = page.all("img")
    assert [b64decode(image["src"].split(",")[1]) for image in images] == [frame.jpeg for frame in strip]
    assert images[1]["alt"] == "Frame at 0:00.8; relevant to: chases"


def test_a_hit_without_pictures_says_why(page):
    assert any("no longer where it was indexed" in words for words in page.words)
    assert len(page.all("span", "blank")) == 8


def test_phrases_are_buttons_and_each_film_strip_is_one_stop_for_the_keyboard(page, explanation):
    buttons = page.all("button", "phrase")
    assert len(buttons) == 4 + 4 * 2
    assert all(button["aria-pressed"] == "false" for button in buttons)
    stops = [film for film in page.all("li", "film") if film["tabindex"] == "0"]
    assert len(stops) == len(explanation.hits)


def test_the_graphs_nodes_and_the_rows_go_by_the_same_ids(page, explanation):
    drawn = {group["data-node"] for group in page.all("g") if "data-node" in group}
    assert drawn == {str(node.id) for node in explanation.graph.nodes}
    assert {row["data-row"] for row in page.all("div", "of-phrase")} == drawn


@pytest.mark.parametrize("num_frames", [8, 60])
def test_columns_stand_under_the_shown_frame_that_they_belong_to(video, num_frames):
    (hit,) = (explanation := explain_result(result_over(video, num_frames=num_frames))).hits
    page = Page(explanation.to_html())
    columns = [column for (column,) in rectangles(page, "column", 1)]
    (wide,) = {float(track["width"]) for (track,) in rectangles(page, "heat", 1)}
    for number, frame in enumerate(hit.strip):
        for row in range(4):
            own = columns[row * num_frames :][frame.start : frame.stop]
            left, right = own[0], own[-1]
            assert float(left["x"]) == pytest.approx(number * wide / len(hit.strip), abs=1)
            end = float(right["x"]) + float(right["width"])
            assert end == pytest.approx((number + 1) * wide / len(hit.strip), abs=1)
    (strip,) = page.all("div", "rows")
    assert strip["style"] == f"--frames:{len(hit.strip)}"


def luminance(colour):
    if len(colour) == 4:
        colour = "#" + "".join(2 * digit for digit in colour[1:])
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", THEMES, ids=["light", "dark"])
def test_words_and_marks_stand_out_from_their_ground(theme):
    colours = dict(re.findall(r"--([a-z-]+):(#[0-9a-f]+)", theme))
    for words in ("ink", "soft", "mark"):
        for ground in ("page", "panel"):
            assert contrast(colours[words], colours[ground]) >= 4.5, (words, ground)
    for level in ("action", "entity"):
        assert contrast(colours["ink"], colours[f"{level}-soft"]) >= 4.5
        assert contrast(colours[level], colours["page"]) >= 3
    assert contrast(colours["focus"], colours["panel"]) >= 3


def test_a_notebook_shows_the_page_in_a_frame_of_its_own(explanation, source):
    (frame,) = Page(explanation._repr_html_()).all("iframe")
    assert frame["srcdoc"] == source
    assert frame["sandbox"] == "allow-scripts"
