"""The page in Chromium: pointer and keyboard, contrast, width, print, and that nothing is asked from elsewhere."""

from __future__ import annotations

import re
import shutil

import pytest

from tests.pages.browser import GRAPHICS, TEXTS, contrast

playwright = pytest.importorskip("playwright.sync_api", reason="needs Playwright: pip install playwright")

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium, which is not installed")

expect = playwright.expect
PATIENCE_MS = 60_000  # of a machine with other things to do; nothing waits this long where all is well
ELSEWHERE = "http://elsewhere.test"
GRAPHIC_KINDS = [
    [".phrase", "borderTopColor"],
    [".bar .filled", "fill"],
    [".heat .top", "fill"],
    [".heat .best", "fill"],
    [".moment path", "stroke"],
    [".graph rect", "stroke"],
    [".graph path", "stroke"],
]
FIRST, SECOND = "article:nth-of-type(1)", "article:nth-of-type(2)"
DOG = f"{FIRST} button[data-node='5']"


@pytest.fixture(scope="module")
def chromium():
    """One browser for all tests; its end ends the loop that Playwright runs in this thread."""
    expect.set_options(timeout=PATIENCE_MS)
    with playwright.sync_playwright() as engine:
        browser = engine.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"], timeout=2 * PATIENCE_MS
        )
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def files(explanation, tmp_path_factory):
    """The page as it is saved, and with things from elsewhere put into it, its policy kept or removed."""
    folder = tmp_path_factory.mktemp("pages")
    explanation.save(folder / "page.html")
    page = (folder / "page.html").read_text("utf-8")
    strange = (
        f'<img src="{ELSEWHERE}/picture"><script src="{ELSEWHERE}/script"></script>'
        f'<script>fetch("{ELSEWHERE}/asked",{{mode:"no-cors"}})'
        '.finally(()=>document.documentElement.classList.add("strange"))</script></body>'
    )
    kept = page.replace("</body>", strange)
    removed = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", kept)
    assert len({page, kept, removed}) == 3
    (folder / "kept.html").write_text(kept, "utf-8")
    (folder / "removed.html").write_text(removed, "utf-8")
    return folder


class Opened:
    """A page that was opened: what it asked for, what of that was answered, and what it complained about."""

    def __init__(self, context, file):
        self.asked, self.answered, self.complaints = [], [], []
        self.page = context.new_page()
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("response", lambda response: self.answered.append(response.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(file.as_uri(), wait_until="load")


@pytest.fixture
def open_page(chromium, files):
    """Opens a page in a window of its own; whatever it asks for elsewhere is answered, so that it can be seen."""
    contexts = []

    def open_(name="page.html", *, scheme="light", width=1280):
        context = chromium.new_context(
            color_scheme=scheme, reduced_motion="reduce", viewport={"width": width, "height": 900}
        )
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        context.route(f"{ELSEWHERE}/**", lambda route: route.fulfill(status=200, body=""))
        return Opened(context, files / name)

    yield open_
    for context in contexts:
        context.close()


@pytest.fixture
def page(open_page):
    return open_page().page


def expect_lit(page, *, films, rows, graph, elsewhere=0):
    """Wait until the first hit and the graph light these, and the second hit so many of its phrases."""
    for selector, attribute, wanted in (
        (f"{FIRST} .film.lit", "data-times", films),
        (f"{FIRST} .of-phrase.lit", "data-row", rows),
        (".graph g.lit", "data-node", graph),
    ):
        found = page.locator(selector)
        expect(found).to_have_count(len(wanted))
        for place, value in enumerate(wanted):
            expect(found.nth(place)).to_have_attribute(attribute, value)
    expect(page.locator(f"{SECOND} .of-phrase.lit")).to_have_count(elsewhere)


def expect_nothing_lit(page):
    expect_lit(page, films=[], rows=[], graph=[])


def test_a_phrase_lights_its_frames_its_row_and_its_node(page):
    expect_nothing_lit(page)
    page.hover(DOG)
    expect_lit(page, films=["3 4"], rows=["5"], graph=["5"])
    page.hover("h1")
    expect_nothing_lit(page)


def test_a_frame_lights_its_phrases_and_their_columns(page):
    page.locator(f"{FIRST} .film").nth(1).hover()
    expect_lit(page, films=["1 2"], rows=["3"], graph=["3"])
    expect(page.locator(f"{FIRST} .column.lit")).to_have_count(4)


def test_a_node_of_the_graph_lights_its_phrase_in_every_hit(page):
    page.hover(".graph g[data-node='8'] text")
    expect_lit(page, films=["5 6"], rows=["8"], graph=["8"], elsewhere=1)


def test_the_keyboard_does_what_the_pointer_does(page):
    page.focus(DOG)
    expect_lit(page, films=["3 4"], rows=["5"], graph=["5"])
    page.keyboard.press("Enter")
    expect(page.locator(DOG)).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Tab")
    expect_lit(page, films=["5 6"], rows=["8"], graph=["8"])
    page.hover("h1")
    expect_lit(page, films=["3 4"], rows=["5"], graph=["5"])
    page.keyboard.press("Escape")
    expect_nothing_lit(page)
    expect(page.locator(DOG)).to_have_attribute("aria-pressed", "false")


def test_the_film_strip_is_one_stop_and_the_arrow_keys_walk_along_it(page):
    page.locator(f"{FIRST} .film").first.focus()
    for key in ("ArrowLeft", "ArrowRight", "ArrowRight", "ArrowLeft"):
        page.keyboard.press(key)
    expect(page.locator(f"{FIRST} .film").nth(1)).to_be_focused()
    expect_lit(page, films=["1 2"], rows=["3"], graph=["3"])
    expect(page.locator(f"{FIRST} .film[tabindex='0']")).to_have_count(1)
    page.keyboard.press("Tab")
    expect(page.locator(f"{FIRST} button").first).to_be_focused()
    page.keyboard.press("Shift+Tab")
    expect(page.locator(f"{FIRST} .film").nth(1)).to_be_focused()


def test_the_tab_key_stops_at_everything_in_the_order_of_reading_and_shows_where_it_is(page):
    hit = ["scroll", "film", "phrase", "phrase", "phrase", "phrase"]
    stops = ["graph", "phrase", "phrase", "phrase", "phrase", *hit, *hit]
    for number, stop in enumerate(stops):
        page.keyboard.press("Tab")
        focused = page.locator(":focus-visible")
        expect(focused).to_have_class(re.compile(rf"^{stop}\b"))
        assert focused.evaluate("element => getComputedStyle(element).outlineStyle") == "solid", number


@pytest.mark.parametrize("lit", [False, True], ids=["at rest", "pointed at"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_from_its_ground(open_page, scheme, lit):
    page = open_page(scheme=scheme).page
    if lit:
        page.hover(DOG)
        expect_lit(page, films=["3 4"], rows=["5"], graph=["5"])
    texts = page.evaluate(TEXTS)
    assert {"a dog chases </script><b> and barks", "moment", "+0.41", "ARG0"} <= {
        text["name"].partition(" · ")[0] for text in texts
    }
    assert min((contrast(text), text["name"]) for text in texts) >= (4.5, "")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_line_bar_and_column_stands_out_from_its_ground(open_page, scheme):
    """By its lightness, as contrast is defined: what does so is seen in black and white, too."""
    page = open_page(scheme=scheme).page
    graphics = page.evaluate(GRAPHICS, GRAPHIC_KINDS)
    assert {graphic["name"] for graphic in graphics} == {selector for selector, _ in GRAPHIC_KINDS}
    assert min((contrast(graphic), graphic["name"]) for graphic in graphics) >= (3, "")


def test_bars_and_columns_are_drawn_as_long_as_the_numbers_beside_them(page):
    parts = """(elements, side) => elements.map((element) =>
        element.getBoundingClientRect()[side] / element.parentElement.getBoundingClientRect()[side])"""
    levels = page.locator(f"{FIRST} .level .bar .filled").evaluate_all(parts, "width")
    assert levels == pytest.approx([0.6, 2 * 0.35617283, 0.375], abs=0.01)
    phrases = page.locator(f"{FIRST} .of-phrase .bar .filled").evaluate_all(parts, "width")
    assert phrases == pytest.approx([2 * 0.41234567, 1, 0, 0.6], abs=0.01)
    columns = page.locator(f"{FIRST} [data-row='5'] .column").evaluate_all(parts, "height")
    assert columns[3] > 0.9  # its parent has a border
    assert columns == pytest.approx([columns[3] / (1 if place == 3 else 7) for place in range(8)], abs=0.02)


def test_levels_are_told_by_shape_and_word_as_well_as_by_colour(page):
    radius = "elements => elements.map((element) => parseFloat(getComputedStyle(element).borderTopLeftRadius))"
    actions = page.locator(f"{FIRST} .phrase.action").evaluate_all(radius)
    entities = page.locator(f"{FIRST} .phrase:not(.action)").evaluate_all(radius)
    assert min(actions) > 2 * max(entities)
    assert page.locator(f"{FIRST} .level span").all_inner_texts() == ["event", "action", "entity"]
    assert [words.partition(" ")[0] for words in page.locator(".chips .role").all_inner_texts()] == [
        "V", "ARG0", "ARG1", "V",
    ]  # fmt: skip


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_paper_the_ground_is_white_and_nothing_is_cut_off(open_page, scheme):
    page = open_page(scheme=scheme, width=680).page  # A4 with its margins
    page.emulate_media(media="print", color_scheme=scheme)
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert min((contrast(text), text["name"]) for text in page.evaluate(TEXTS)) >= (4.5, "")
    inside = "elements => elements.map((element) => [element.scrollWidth, element.clientWidth])"
    widths = page.locator(".scroll, .graph, html").evaluate_all(inside)
    assert len(widths) == 4
    assert all(needed <= width for needed, width in widths), widths
    assert page.pdf().startswith(b"%PDF")


def test_high_contrast_keeps_bars_and_columns(page):
    page.emulate_media(forced_colors="active")
    kinds = [[f"{FIRST} .bar.action .filled", "fill"], [f"{FIRST} .heat rect.best", "fill"]]
    graphics = page.evaluate(GRAPHICS, kinds)
    assert len(graphics) == 3 + 4
    assert min(map(contrast, graphics)) >= 3


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 900, 1600])
def test_a_page_is_never_wider_than_its_window(open_page, width, scheme):
    opened = open_page(scheme=scheme, width=width)
    inside, needed = opened.page.evaluate(
        "[document.documentElement.clientWidth, document.documentElement.scrollWidth]"
    )
    assert width - 20 <= inside <= width
    assert needed <= inside
    opened.page.hover(DOG)
    expect_lit(opened.page, films=["3 4"], rows=["5"], graph=["5"])
    assert opened.complaints == []


def test_the_page_asks_for_nothing_but_itself_and_its_script_runs_without_complaint(open_page, files):
    opened = open_page()
    expect(opened.page.locator("html.scripted")).to_have_count(1)
    pictures = opened.page.locator("img").evaluate_all("images => images.map((image) => image.naturalWidth)")
    assert len(pictures) == 8
    assert min(pictures) > 0
    assert {url for url in opened.asked if not url.startswith("data:")} == {(files / "page.html").as_uri()}
    assert opened.complaints == []


def test_the_policy_stops_scripts_and_pictures_from_elsewhere(open_page, files):
    stopped = open_page("kept.html")
    assert "strange" not in stopped.page.locator("html.scripted").get_attribute("class")
    assert stopped.answered == [(files / "kept.html").as_uri()]
    assert len(stopped.complaints) == 3
    unstopped = open_page("removed.html")
    expect(unstopped.page.locator("html.scripted.strange")).to_have_count(1)
    assert {f"{ELSEWHERE}/{name}" for name in ("picture", "script", "asked")} <= set(unstopped.answered)
