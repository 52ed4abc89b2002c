"""The page in Chromium, over a real server and the demonstration's videos: everything that one can do with it."""

from __future__ import annotations

import base64
import importlib.util
import os
import re
from pathlib import Path

import pytest

from hgrkit.demo import FOOTAGE, PHOTOGRAPHS, make_footage
from hgrkit.retriever import Retriever
from tests.serve.page_server import CHROMIUM, PATIENCE_MS, Opened, Server
from tests.test_retriever import write_video

playwright = pytest.importorskip("playwright.sync_api", reason="needs Playwright: pip install playwright")
pytest.importorskip("fastapi", reason="needs hgrkit[serve]")
pytest.importorskip("uvicorn", reason="needs hgrkit[serve]")

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium, which is not installed")

expect = playwright.expect
ROOT = Path(__file__).resolve().parents[2]
PICTURE = ROOT / "docs" / "_static" / "page.png"
MISSING = [name for name in [*FOOTAGE, *PHOTOGRAPHS] if importlib.util.find_spec(name) is None]
RABBIT = "a cartoon rabbit stretches its arms on a green hill"
MOTORCYCLE = "a red motorcycle is parked in a garage"
HIT = "#hits .hit:not(.ghost)"


@pytest.fixture(scope="module")
def chromium():
    """One browser for all tests."""
    expect.set_options(timeout=PATIENCE_MS)
    with playwright.sync_playwright() as engine:
        browser = engine.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-dev-shm-usage", "--mute-audio"],
            timeout=2 * PATIENCE_MS,
        )
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def footage(tmp_path_factory):
    if MISSING:
        pytest.skip(f"needs hgrkit[demo]: {', '.join(MISSING)} not installed")
    folder = tmp_path_factory.mktemp("footage")
    make_footage(folder)
    return folder


@pytest.fixture(scope="module")
def server(footage, tmp_path_factory):
    """One server over one library, which no test changes."""
    library = tmp_path_factory.mktemp("page") / "library"
    with Retriever.create(library) as retriever:
        retriever.index(footage)
        for name, place in (("chelsea", "inside"), ("coffee", "inside"), ("rocket", "outside"), ("bikes", "outside")):
            retriever.tag(footage / f"{name}.mp4", place=place)
    server = Server(library)
    yield server
    server.stop()


@pytest.fixture
def open_page(chromium, server):
    """Opens pages; afterwards none has complained, or asked anybody else for anything."""
    opened = []

    def open_(address=server.address, **window):
        opened.append(Opened(chromium, address, **window))
        return opened[-1]

    yield open_
    for each in opened:
        each.close()
        assert not each.complaints
        assert not [url for url in each.asked if not url.startswith((each.address, "blob:", "data:"))]


@pytest.fixture
def opened(open_page):
    return open_page()


def names(page):
    return page.locator(f"{HIT} .open").all_inner_texts()


def node(page, words):
    return page.locator("#graph button.node", has_text=re.compile(f"^{words}$"))


def choose_state(page, words, state):
    node(page, words).click()
    page.locator("#node").get_by_label(state).check()
    page.keyboard.press("Escape")


# asking ------------------------------------------------------------------------------------------------------


def test_a_sentence_is_drawn_as_it_is_typed_and_finds_its_video(opened):
    page = opened.go()
    expect(page.locator(".video")).to_have_count(17)
    page.locator("#text").press_sequentially(MOTORCYCLE, delay=5)
    expect(node(page, "parked")).to_be_visible()
    expect(page.locator("#graph .role", has_text="where")).to_have_count(1)
    assert not opened.searches, "typing reads the sentence, and does not search"
    with opened.answered():
        page.press("#text", "Enter")
    assert names(page)[0] == "motorcycle_left.mp4"
    expect(page.locator(f"{HIT} .sure").first).to_contain_text(re.compile(r"\d+% sure"))
    expect(page.locator("#said")).to_contain_text("First: motorcycle_left.mp4")
    expect(page).to_have_title(f"{MOTORCYCLE} · hgrkit")


def test_a_phrase_can_be_left_out_and_counted_again(opened):
    opened.search(RABBIT)
    page = opened.page
    with opened.answered():
        choose_state(page, "its arms", "Left out")
    expect(node(page, "its arms")).to_have_class(re.compile(r"\boff\b"))
    expect(page.locator(f"{HIT}:first-child .seen")).not_to_contain_text("its arms")
    assert opened.searches[-1]["off"]
    with opened.answered():
        node(page, "its arms").press("Delete")
    expect(page.locator(f"{HIT}:first-child .seen")).to_contain_text("its arms")
    assert "off" not in opened.searches[-1]
    expect(node(page, "its arms")).to_be_focused()


def test_a_phrase_can_be_excluded_and_the_changes_undone(opened):
    opened.search("a red motorcycle and a cat")
    page = opened.page
    asked = names(page)
    assert set(asked[:2]) == {"motorcycle_left.mp4", "chelsea.mp4"}
    with opened.answered():
        choose_state(page, "a cat", "Must not show")
    assert names(page).index("chelsea.mp4") > asked.index("chelsea.mp4")
    expect(page.locator("#notes")).to_contain_text("Excluded: 'a cat'")
    expect(page.locator("#graph .event .excluded")).to_have_text("a cat")
    with opened.answered():
        page.click("#reset")
    assert names(page) == asked


def test_what_must_not_show_can_be_said_beside_the_sentence(opened):
    opened.search("something green")
    page = opened.page
    before = names(page)
    page.fill("#without-text", before[0].split(".")[0].replace("grass", "grass").replace("bigbuckbunny", "a rabbit"))
    with opened.answered():
        page.press("#without-text", "Enter")
    assert names(page)[0] != before[0]
    expect(page.locator(f"{HIT} .seen .excluded").first).to_be_visible()
    expect(page.locator("#without-text")).to_be_focused()
    with opened.answered():
        page.locator("#without").get_by_role("button", name="may show").click()
    assert names(page) == before


def test_a_role_can_be_changed(opened):
    opened.search(RABBIT)
    page = opened.page
    node(page, "on a green hill").click()
    with opened.answered():
        page.locator("#node").get_by_label("Its role in “stretches”").select_option("ARGM-DIR")
    page.keyboard.press("Escape")
    expect(page.locator("#graph .role.changed")).to_have_text("which way")
    assert [edge for edge in opened.searches[-1]["graph"]["edges"] if edge[2] == "ARGM-DIR"]
    page.reload()
    expect(page.locator("#graph .role.changed")).to_have_text("which way")


def test_levels_can_be_weighed(opened):
    opened.search(RABBIT)
    page = opened.page
    page.click("#weigh-open")
    with opened.answered():
        page.get_by_label("Its actions").fill("0")
    assert opened.searches[-1]["level_weights"] == {"event": 1, "action": 0, "entity": 1}
    expect(page.locator(f"{HIT} .sure").first).to_contain_text("score")
    expect(page.locator("#weights output").nth(1)).to_have_text("not at all")


def test_the_address_holds_the_question(open_page):
    first = open_page()
    first.search("a red motorcycle and a cat")
    with first.answered():
        choose_state(first.page, "a cat", "Left out")
    first.page.locator(f"{HIT} .open").nth(1).click()
    expect(first.page.locator(".watch-head h2")).to_have_text(names(first.page)[1])
    second = open_page(first.page.url)
    page = second.go()
    expect(page.locator(HIT)).to_have_count(len(names(first.page)))
    assert names(page) == names(first.page)
    expect(node(page, "a cat")).to_have_class(re.compile(r"\boff\b"))
    expect(page.locator(f"{HIT}.chosen .open")).to_have_text(names(page)[1])
    second.address = first.address
    second.search(MOTORCYCLE)
    page.go_back()
    expect(page.locator("#text")).to_have_value("a red motorcycle and a cat")


# filter and options ------------------------------------------------------------------------------------------


def test_a_filter_is_made_of_what_is_known_of_the_videos(opened):
    opened.search("a cat")
    page = opened.page
    page.click("#refine-open")
    with opened.answered():
        page.click("text=Add a condition")
    value = page.get_by_label("Value of condition 1")
    assert sorted(value.locator("option").all_inner_texts()) == ["inside (2)", "outside (2)"]
    with opened.answered():
        value.select_option("outside")
    assert sorted(names(page)) == ["bikes.mp4", "rocket.mp4"]
    expect(page.locator("#where")).to_have_value("place = 'outside'")
    expect(page.locator("#narrowed")).to_contain_text("place = 'outside'")
    with opened.answered():
        page.locator("#narrowed button").click()
    assert len(names(page)) == 12


def test_a_filter_can_be_written_as_sql_and_what_is_wrong_with_it_is_said(opened):
    opened.search("a cat")
    page = opened.page
    page.click("#refine-open")
    page.click("summary")
    page.fill("#where", "duration_s > 4 OR name LIKE 'chel%'")
    with opened.answered():
        page.click("text=Use this")
    assert set(names(page)) == {"bikes.mp4", "bigbuckbunny.mp4", "chelsea.mp4", "carphone_pristine.mp4"}
    expect(page.locator("#refine")).to_contain_text("written by hand")
    page.fill("#where", "colour = 'red'")
    page.click("text=Use this")
    expect(page.locator("#verdict")).to_contain_text("colour")
    with opened.answered():
        page.locator("#verdict").get_by_text("Take the filter away").click()
    assert len(names(page)) == 12
    page.fill("#where", "duration_s > 1000")
    with opened.answered():
        page.click("text=Use this")
    expect(page.locator("#verdict")).to_contain_text("No video matches the filter.")


def test_a_video_can_have_several_moments(opened):
    opened.search("cars and bikes drive past on a city street")
    page = opened.page
    page.click("#refine-open")
    with opened.answered():
        page.get_by_label("Moments a video").select_option("3")
    assert names(page).count("bikes.mp4") > 1
    page.locator(f"{HIT} .open", has_text="bikes.mp4").first.click()
    marks = page.locator(".overview .bracket")
    expect(marks).to_have_count(names(page).count("bikes.mp4"))
    marks.nth(1).click()
    expect(page.locator(f"{HIT}.chosen .open")).to_have_text("bikes.mp4")
    expect(marks.first).not_to_have_attribute("aria-label", re.compile("^Hit 1:"))


def test_nothing_matches_is_said_plainly(opened):
    opened.search("a dog plays the piano")
    page = opened.page
    expect(page.locator("#verdict")).to_have_text("Nothing here seems to match. What follows is only what is nearest.")
    expect(page.locator("#said")).to_contain_text("Nothing here seems to match.")
    page.click("#refine-open")
    with opened.answered():
        page.get_by_label("Show only").select_option("0.8")
    expect(page.locator(HIT)).to_have_count(0)
    with opened.answered():
        page.get_by_text("Show what is nearest").click()
    assert names(page)


def test_words_that_are_not_known_are_noted(opened):
    opened.search("a red motorcycle beside a flurbl")
    expect(opened.page.locator("#notes")).to_contain_text("'flurbl'")


# playing -----------------------------------------------------------------------------------------------------

VIDEO = """() => { const video = document.querySelector('.stage video');
    return { at: video.currentTime, paused: video.paused, wide: video.videoWidth, url: video.src }; }"""


@pytest.mark.parametrize(
    ("text", "way"), [(RABBIT, "media/"), ("a cat with green eyes is looking at something", "play/")]
)
def test_a_hit_plays_from_its_moment_whether_or_not_a_browser_knows_the_format(opened, text, way):
    opened.search(text)
    page = opened.page
    start = page.evaluate("document.querySelector('.scrub').value")
    page.locator(f"{HIT} .open").first.click()
    page.wait_for_function("document.querySelector('.stage video').currentTime > 0.1")
    seen = page.evaluate(VIDEO)
    assert way in seen["url"]
    assert seen["wide"] > 0
    assert seen["at"] >= float(start) - 0.1
    page.wait_for_function("document.querySelector('.timeline').style.getPropertyValue('--at') > 0.3")


def test_strips_and_phrases_take_the_video_to_their_time(opened):
    opened.search(RABBIT)
    page = opened.page
    strip = page.locator(".phrase .track").first
    box = strip.bounding_box()
    strip.click(position={"x": box["width"] * 0.75, "y": 5})
    page.wait_for_function("document.querySelector('.stage video').readyState > 0")
    expect(page.locator(".timeline")).to_have_attribute("style", re.compile(r"--at: 0\.7[3-7]"))
    label = page.locator(".phrase .label button").first
    minutes, seconds = re.search(r"(\d+):(\d+\.\d)", label.get_attribute("title")).groups()
    label.click()
    expect(page.locator(".now-clock")).to_have_text(f"{minutes}:{seconds}")
    expect(page.locator(".phrase").first).to_have_class(re.compile(r"\bnow\b"))
    assert page.evaluate(VIDEO)["paused"]


def test_more_like_this_finds_other_videos(opened):
    opened.search(MOTORCYCLE)
    page = opened.page
    with opened.answered():
        page.locator(f"{HIT} .alike").first.click()
    assert opened.searches[-1]["like"]["video"]
    assert "motorcycle_left.mp4" not in names(page)
    expect(page.locator("#like")).to_contain_text("motorcycle_left.mp4")
    expect(page.locator(f"{HIT} .sure").first).to_contain_text("alike")


def drop(page, name, kind, data):
    page.evaluate(
        """([name, kind, data]) => {
          const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
          const transfer = new DataTransfer();
          transfer.items.add(new File([bytes], name, { type: kind }));
          for (const event of ["dragenter", "dragover", "drop"]) {
            document.body.dispatchEvent(new DragEvent(event, { dataTransfer: transfer, bubbles: true, cancelable: true }));
          }
        }""",
        [name, kind, base64.b64encode(data).decode()],
    )


def test_a_picture_or_a_clip_is_dropped_as_the_question(opened, footage, server):
    page = opened.go()
    expect(page.locator(".video")).to_have_count(17)
    cat = page.locator(".video", has_text="chelsea").locator("img").get_attribute("src")
    jpeg = page.request.get(server.address + cat).body()
    with opened.answered():
        drop(page, "my cat.jpg", "image/jpeg", jpeg)
    assert names(page)[0] == "chelsea.mp4"
    expect(page.locator("#like")).to_contain_text("my cat.jpg")
    expect(page.locator("#drop")).to_be_hidden()
    with opened.answered():
        drop(page, "coffee.mp4", "video/mp4", (footage / "coffee.mp4").read_bytes())
    assert names(page)[0] == "coffee.mp4"
    drop(page, "notes.txt", "text/plain", b"no picture")
    expect(page.locator("#notice")).to_have_text("notes.txt is neither a picture nor a video.")
    drop(page, "broken.jpg", "image/jpeg", b"no picture")
    expect(page.locator("#verdict")).to_be_visible()
    page.get_by_label("Not like coffee.mp4").click()
    expect(page.locator("#library")).to_be_visible()


# the library and the server ----------------------------------------------------------------------------------


def test_from_an_empty_library_to_a_first_hit_and_over_a_restart(open_page, tmp_path):
    folder = tmp_path / "my videos"
    folder.mkdir()
    write_video(folder / "<b>red</b> & \"blue\".mp4", 2, (200, 30, 30))
    write_video(folder / "green.mp4", 2, (30, 200, 30))
    (folder / "broken.mp4").write_text("no video")
    Retriever.create(tmp_path / "library").close()
    server = Server(tmp_path / "library")
    try:
        opened = open_page(server.address)
        page = opened.go()
        expect(page.locator("#library-title")).to_have_text("No videos yet")
        assert opened.axe() == []
        page.locator("#empty button").click()
        page.fill("#folder", str(tmp_path / "nowhere"))
        page.press("#folder", "Enter")
        expect(page.locator("#add-problem")).to_contain_text("nowhere")
        page.fill("#folder", str(folder))
        page.press("#folder", "Enter")
        expect(page.locator(".progress h3").first).to_have_text("Done")
        expect(page.locator(".counts")).to_contain_text("2 indexed")
        expect(page.locator(".failures")).to_contain_text("broken.mp4")
        assert opened.axe() == []
        page.keyboard.press("Escape")
        expect(page.locator(".video")).to_have_count(3)
        expect(page.locator(".video .name", has_text='<b>red</b> & "blue".mp4')).to_be_visible()
        expect(page.locator(".video.failed .reason")).to_contain_text("Not indexed:")
        opened.search("a square")
        assert len(names(page)) == 2

        server.stop()
        page.fill("#text", "another square")
        page.press("#text", "Enter")
        expect(page.locator("#gone")).to_contain_text("The server does not answer.")
        expect(page.locator("#verdict")).to_contain_text("The server does not answer.")
        assert opened.axe() == []
        server = Server(server.library, server.port)
        page.locator("#gone button").click()
        expect(page.locator("#gone")).to_be_hidden()
        expect(page.locator(HIT)).to_have_count(2)
    finally:
        server.stop()


def test_a_busy_server_is_asked_again_and_errors_are_said(opened):
    page = opened.go()
    answers = [(429, {"Retry-After": "1"}, '{"error": "too many requests"}')]

    def refuse(route):
        if answers:
            status, headers, body = answers.pop()
            route.fulfill(status=status, headers=headers, body=body)
        else:
            route.continue_()

    page.route("**/api/search", refuse)
    page.fill("#text", MOTORCYCLE)
    page.press("#text", "Enter")
    expect(page.locator("#status")).to_have_text("The server is busy; asking again in 1 second…")
    expect(page.locator(HIT)).to_have_count(12)
    answers.append((500, {}, '{"error": "a library is damaged", "request": "1f"}'))
    page.press("#text", "Enter")
    expect(page.locator("#verdict")).to_contain_text("a library is damaged")
    with opened.answered():
        page.locator("#verdict").get_by_text("Try again").click()
    expect(page.locator("#verdict")).to_be_hidden()
    assert names(page)[0] == "motorcycle_left.mp4"


def test_everything_is_done_with_the_keyboard_alone(opened):
    page = opened.go()
    expect(page.locator(".video")).to_have_count(17)
    page.keyboard.press("/")
    page.keyboard.type(MOTORCYCLE)
    with opened.answered():
        page.keyboard.press("Enter")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(page.locator(f"{HIT} .open").nth(1)).to_be_focused()
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('.stage video').currentTime > 0.1")
    page.keyboard.press("Space")
    page.wait_for_function("document.querySelector('.stage video').paused")
    page.keyboard.press("?")
    expect(page.locator("#help")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#help")).to_be_hidden()
    page.keyboard.press("ArrowUp")
    expect(page.locator("#text")).to_be_focused()
    node(page, "a red motorcycle").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#node input:checked")).to_be_focused()
    with opened.answered():
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Escape")
    expect(page.locator("#node")).to_be_hidden()
    expect(node(page, "a red motorcycle")).to_be_focused()
    expect(node(page, "a red motorcycle")).to_have_class(re.compile(r"\boff\b"))
    page.locator(f"{HIT} .open").first.focus()
    with opened.answered():
        page.keyboard.press("m")
    assert opened.searches[-1]["like"]["video"]


# how it looks ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1000, 1600])
def test_every_state_fits_its_window_and_is_accessible(open_page, tmp_path, scheme, width):
    opened = open_page(width=width, height=900, scheme=scheme)
    folder = Path(os.environ.get("HGRKIT_PAGE_PICTURES", tmp_path))

    def look(state):
        page.wait_for_load_state("networkidle")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, state
        assert opened.axe() == [], state
        page.screenshot(path=folder / f"{state}-{width}-{scheme}.png")

    page = opened.go()
    expect(page.locator(".video")).to_have_count(17)
    look("library")
    opened.search(RABBIT)
    look("hits")
    page.locator(f"{HIT} .open").first.click()
    page.wait_for_function("document.querySelector('.stage video').readyState > 1")
    page.locator(".stage video").evaluate("(video) => video.pause()")
    look("player")
    page.click("#weigh-open")
    page.click("#refine-open")
    expect(page.get_by_text("Add a condition")).to_be_visible()
    look("panels")
    node(page, "its arms").click()
    look("phrase")
    page.keyboard.press("Escape")
    page.click("#help-open")
    look("help")


def test_a_chosen_theme_stays(opened):
    page = opened.go()
    page.get_by_role("button", name="Dark theme").click()
    page.reload()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(18, 24, 30)"
    page.get_by_role("button", name="Light theme").click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_the_readme_shows_the_page_as_it_is(open_page):
    """The README's picture; made anew with HGRKIT_WRITE_PICTURES=1."""
    opened = open_page(width=1440, height=1000)
    opened.search(RABBIT)
    page = opened.page
    assert names(page)[0] == "bigbuckbunny.mp4"
    for shown in ("#graph .action", "#graph .entity", f"{HIT} .sure", ".stage", ".film img", ".moments .bracket", ".phrase .strip"):
        expect(page.locator(shown).first).to_be_in_viewport()
    if os.environ.get("HGRKIT_WRITE_PICTURES") == "1":
        page.wait_for_load_state("networkidle")
        page.locator("#text").blur()
        page.screenshot(path=PICTURE)
    assert PICTURE.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
