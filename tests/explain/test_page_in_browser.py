"""The page in Chromium: what lights up under the pointer and the keyboard, what its policy stops, how it fits."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import threading
from html import escape, unescape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium, which is not installed")

STEPS = """
const seen = {};
const lit = (selector) => [...document.querySelectorAll(selector + ".lit")];
const note = (name) => {
  seen[name] = {
    films: lit("article:first-of-type .film").map((film) => film.dataset.times),
    rows: lit("article:first-of-type .of-phrase").map((row) => row.dataset.row),
    graph: lit(".graph g").map((group) => group.dataset.node),
    elsewhere: lit("article:nth-of-type(2) .of-phrase").length,
    columns: lit("article:first-of-type .heat i").length,
    focus: document.activeElement.dataset.times || document.activeElement.tagName,
  };
};
const over = (element) => element.dispatchEvent(new PointerEvent("pointerover", { bubbles: true }));
const key = (name) =>
  document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key: name, bubbles: true }));
const article = document.querySelector("article");
const button = article.querySelector("button[data-node='5']");
over(button); note("phrase");
over(document.querySelector("h1")); note("nothing");
over(article.querySelectorAll(".film")[1]); note("frame");
over(document.querySelector(".graph g[data-node='8'] text")); note("graph");
over(document.querySelector("h1"));
button.focus(); note("focus");
button.blur(); button.click(); over(document.querySelector("h1")); note("pinned");
seen.pressed = button.getAttribute("aria-pressed");
key("Escape"); note("released");
article.querySelector(".film").focus(); key("ArrowRight"); key("ArrowRight"); key("ArrowLeft"); note("arrows");
seen.stops = article.querySelectorAll(".film[tabindex='0']").length;
document.body.innerHTML = "";
const result = { id: "seen", textContent: JSON.stringify(seen) };
document.body.append(Object.assign(document.createElement("pre"), result));
"""


def dom_after(page, tmp_path, *, name="page.html"):
    """The page's elements as Chromium has them once it is loaded and its scripts have run."""
    path = tmp_path / name
    path.write_text(page, encoding="utf-8")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
    command = [CHROMIUM, *flags, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", path.as_uri()]
    return subprocess.run(command, capture_output=True, timeout=120, check=True).stdout.decode("utf-8")


def without_policy(page):
    changed = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page)
    assert changed != page
    return changed


def told(dom):
    return json.loads(unescape(re.search(r'<pre id="seen">(.*?)</pre>', dom, re.DOTALL)[1]))


@pytest.fixture(scope="module")
def seen(explanation, tmp_path_factory):
    page = without_policy(explanation.to_html()).replace("</body>", f"<script>{STEPS}</script></body>")
    return told(dom_after(page, tmp_path_factory.mktemp("browser")))


def test_a_phrase_lights_its_frames_its_row_and_its_node(seen):
    assert seen["phrase"]["films"] == ["3 4"]
    assert seen["phrase"]["rows"] == ["5"]
    assert seen["phrase"]["graph"] == ["5"]
    assert seen["phrase"]["elsewhere"] == 0


def test_a_frame_lights_its_phrases_and_their_columns(seen):
    assert seen["frame"]["films"] == ["1 2"]
    assert seen["frame"]["rows"] == ["3"]
    assert seen["frame"]["graph"] == ["3"]
    assert seen["frame"]["columns"] == 4


def test_a_node_of_the_graph_lights_its_phrase_in_every_hit(seen):
    assert seen["graph"]["rows"] == ["8"]
    assert seen["graph"]["elsewhere"] == 1


def test_nothing_is_lit_where_nothing_is_pointed_at(seen):
    assert (seen["nothing"]["films"], seen["nothing"]["rows"], seen["nothing"]["graph"]) == ([], [], [])


def test_the_keyboard_does_what_the_pointer_does(seen):
    assert seen["focus"]["rows"] == ["5"]
    assert (seen["pinned"]["rows"], seen["pressed"]) == (["5"], "true")
    assert seen["released"]["rows"] == []
    assert seen["arrows"]["focus"] == "1 2"
    assert seen["arrows"]["rows"] == ["3"]
    assert seen["stops"] == 1


def test_the_pages_own_script_runs_under_its_policy(explanation, tmp_path):
    assert '<html lang="en" class="scripted">' in dom_after(explanation.to_html(), tmp_path)


def test_the_policy_stops_scripts_and_pictures_from_elsewhere(explanation, tmp_path):
    asked = []

    class Server(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    added = (
        f'<img src="{address}/picture"><script src="{address}/script"></script>'
        '<script>document.documentElement.classList.add("strange")</script></body>'
    )
    page = explanation.to_html().replace("</body>", added)
    try:
        dom = dom_after(page, tmp_path)
        assert asked == []
        assert 'class="scripted"' in dom
        open_page = dom_after(without_policy(page), tmp_path)
        assert sorted(asked) == ["/picture", "/script"], "the server would have seen the requests"
        assert 'class="scripted strange"' in open_page
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("width", [360, 900, 1600])
def test_a_page_is_never_wider_than_its_window(explanation, tmp_path, width):
    frame = f'<iframe srcdoc="{escape(without_policy(explanation.to_html()))}" style="width:{width}px;height:9in">'
    script = (
        "onload = () => { const page = document.querySelector('iframe').contentDocument.documentElement;"
        "const seen = [page.clientWidth, page.scrollWidth]; document.body.innerHTML = '<pre id=\"seen\"></pre>';"
        "document.querySelector('pre').textContent = JSON.stringify(seen); }"
    )
    dom = dom_after(f"<!doctype html><body>{frame}</iframe><script>{script}</script></body>", tmp_path)
    inside, needed = told(dom)
    assert width - 20 <= inside <= width
    assert needed <= inside
