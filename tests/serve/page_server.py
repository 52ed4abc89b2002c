"""What the tests of the page have: a server in a process of its own, and a page that keeps what went wrong."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
IN_CI = os.environ.get("CI") == "true"
PATIENCE_S = 20  # of a machine with other things to do; nothing waits this long where all is well
AXE = Path(__file__).with_name("axe") / "axe.min.js"
HARMLESS = re.compile(r"Failed to load resource: (net::ERR_CONNECTION|the server responded with a status of)")
"""What Chromium logs of every answer that is an error, beside what the page says of it."""


class Server:
    """`hgrkit serve`, as a user starts it.

    Args:
        library: that it serves.
        port: to listen at; 0 takes a free one.
    """

    def __init__(self, library, port=0):
        self.library = library
        command = [sys.executable, "-m", "hgrkit", "serve", str(library), "--port", str(port)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        patience = threading.Timer(PATIENCE_S, self.process.kill)
        patience.start()
        line = self.process.stdout.readline()
        patience.cancel()
        found = re.search(r"http://\S+", line)
        assert found, f"the server did not start: {line!r}"
        self.address = found[0]
        self.port = int(self.address.rstrip("/").rpartition(":")[2])

    def stop(self):
        self.process.terminate()
        self.process.wait(PATIENCE_S)
        self.process.stdout.close()


class Opened:
    """A page in a window of its own: what it asked for, what it sent to search, what it complained about."""

    def __init__(self, browser, address, *, width=1280, height=900, scheme="light"):
        self.context = browser.new_context(
            color_scheme=scheme, reduced_motion="reduce", viewport={"width": width, "height": height}
        )
        self.context.set_default_timeout(1000 * PATIENCE_S)
        self.address, self.asked, self.searches, self.complaints = address, [], [], []
        self.page = self.context.new_page()
        self.page.on("request", self._request)
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _request(self, request):
        self.asked.append(request.url)
        if request.url.endswith("/api/search"):
            self.searches.append(request.post_data_json)

    def _console(self, message):
        if not HARMLESS.match(message.text):
            self.complaints.append(message.text)

    @property
    def elsewhere(self):
        """What was asked of anybody but the server."""
        return [url for url in self.asked if not url.startswith((self.address, "blob:", "data:"))]

    def go(self, hash_=""):
        """Open the page at a question."""
        self.page.goto(f"{self.address}{hash_}")
        return self.page

    def search(self, text):
        """Type a question and wait for its answer."""
        if self.page.url == "about:blank":
            self.go()
        self.page.fill("#text", text)
        with self.answered():
            self.page.press("#text", "Enter")
        return self.page

    def answered(self):
        """A block in which a search is answered and shown."""
        return _Answered(self)

    def until(self, expression):
        """Wait until an expression is true; Playwright's own way needs `eval`, which the page's policy forbids."""
        end = time.monotonic() + PATIENCE_S
        while not self.page.evaluate(expression):
            assert time.monotonic() < end, f"still not: {expression}"
            self.page.wait_for_timeout(30)

    def axe(self):
        """What axe-core finds serious or critical, in one line each."""
        if not self.page.evaluate("Boolean(window.axe)"):
            self.page.evaluate(AXE.read_text("utf-8"))
        found = self.page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
        return [
            f"{rule['id']}: {node['target']} {node['failureSummary']}"
            for rule in found["violations"]
            if rule["impact"] in ("serious", "critical")
            for node in rule["nodes"]
        ]

    def close(self):
        self.context.close()


class _Answered:
    def __init__(self, opened):
        self.opened = opened

    def __enter__(self):
        # The next answer takes this mark away: it fills the status anew.
        mark = "Object.assign(document.createElement('i'), { id: 'old' })"
        self.opened.page.evaluate(f"document.getElementById('status').append({mark})")

    def __exit__(self, *raised):
        if raised[0] is None:
            self.opened.until(
                "!document.getElementById('old') && document.querySelector('#hits[aria-busy=false]') !== null"
            )
