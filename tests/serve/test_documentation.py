"""What docs/serve.md shows works: its requests and its program reach a server, its limits are the server's."""

from __future__ import annotations

import re
import shlex
import time
from urllib.parse import urlsplit

import attrs
import pytest
from PIL import Image

from hgrkit.serve.schema import SearchRequest
from hgrkit.serve.settings import ServeLimits
from tests.serve.live_server import start_process, stop_process
from tests.test_docs import DOCS, blocks, section

PAGE = DOCS / "serve.md"
ADDRESS = "http://127.0.0.1:8765"
CALLS = [line for body in blocks(PAGE, "bash") for line in body.splitlines() if line.startswith("curl ")]


@pytest.fixture(scope="module")
def documented(made, tmp_path_factory):
    """A server in a folder that has what the page names."""
    folder = tmp_path_factory.mktemp("documented")
    (folder / "videos").mkdir()
    Image.new("RGB", (64, 48), (40, 90, 200)).save(folder / "pool.jpg")
    running = start_process(made.library, cwd=folder)
    yield running, folder
    stop_process(running)


def sent(client, folder, call):
    """What curl would send: `-H`, `-d`, `-F`, `-X` and an address."""
    words = iter(shlex.split(call)[1:])
    method, headers, options, path = None, {}, {}, None
    for word in words:
        if word == "-H":
            name, _, value = next(words).partition(": ")
            headers[name] = value
        elif word == "-d":
            options["content"] = next(words)
        elif word == "-F":
            name, _, file = next(words).partition("=@")
            options["files"] = {name: (folder / file).read_bytes()}
        elif word == "-X":
            method = next(words)
        else:
            assert word.startswith(ADDRESS), f"{word} is not understood here"
            path = word.removeprefix(f"{ADDRESS}/")
    return client.request(method or ("POST" if options else "GET"), path, headers=headers, **options)


@pytest.mark.parametrize("call", CALLS)
def test_a_request_of_the_page_is_answered(documented, call):
    running, folder = documented
    with running.client() as client:
        answer = sent(client, folder, call)
        assert answer.status_code in (200, 202), answer.text
        while client.get("api/index").json()["state"] in ("running", "stopping"):
            time.sleep(0.05)


def test_the_program_of_the_page_runs(documented, capsys):
    (program,) = blocks(PAGE, "python")
    exec(compile(program.replace(ADDRESS, documented[0].address.rstrip("/")), "docs/serve.md", "exec"), {})
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    with documented[0].client(follow_redirects=True) as client:
        for line in lines:
            address = urlsplit(line.rpartition(" ")[2])
            assert client.get(f"{address.path}?{address.query}").status_code == 200


def test_the_page_names_every_field_of_a_search_and_every_route():
    table = re.findall(r"^\| (`.*?) \|", section(PAGE, "Ask it").partition("| field |")[2], re.MULTILINE)
    named = {name for cell in table for name in re.findall(r"`(\w+)`", cell)}
    assert named | {"graph"} >= set(SearchRequest.model_fields)


def test_the_page_says_the_limits():
    limits, text = ServeLimits(), section(PAGE, "Limits")
    rows = dict(re.findall(r"^\| (.*?) \| (.*?) \|$", text, re.MULTILINE))
    said = {
        name: [int(number.replace(",", "")) for number in re.findall(r"[\d,]*\d", cell)]
        for name, cell in rows.items()
    }
    assert said["a question"] == [limits.query_chars, limits.phrases]
    assert said["`k`, `per_video`"] == [limits.k, limits.per_video]
    assert said["a body, an upload"] == [limits.json_bytes >> 10, limits.upload_bytes >> 20]
    assert said["uploads at once"] == [limits.uploads]
    assert said["a moment that is played"] == [limits.moment_s]
    assert said["requests of one address"] == [limits.rate, limits.burst]
    assert said["searches that wait"] == [limits.searches]
    assert said["requests, connections"] == [limits.requests, limits.connections]
    assert said["seconds for headers, a body, an upload"] == [limits.header_s, limits.body_s, 10 * limits.body_s]
    assert said["seconds in which a client takes nothing of an answer"] == [limits.send_s]


def test_the_limits_are_those_of_the_attributes_that_are_described():
    described = re.findall(r"^        (\w+): ", ServeLimits.__doc__, re.MULTILINE)
    assert described == [field.name for field in attrs.fields(ServeLimits)]


def test_the_example_for_a_proxy_keeps_what_the_guard_looks_at():
    (block,) = blocks(PAGE, "nginx")
    assert "proxy_set_header Host $http_host;" in block
    assert int(re.search(r"client_max_body_size (\d+)m", block)[1]) << 20 > ServeLimits().upload_bytes
