"""Who may ask the server, from where, how much and how slowly."""

from __future__ import annotations

import hmac
import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import httpx
import pytest

from hgrkit import Retriever
from hgrkit.checks.address import is_loopback
from hgrkit.errors import ConfigError
from hgrkit.serve import guard
from hgrkit.serve.service import Service
from hgrkit.serve.settings import ServeSettings
from tests.serve.live_server import ids_of

TOKEN = "a token of 24 characters"
QUESTION = {"query": "a dog runs", "k": 1}


def one_line(answer, status):
    """The error of an answer: one line of JSON, and nothing of how the server is made."""
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert set(answer.json()) <= {"error", "request"}
    assert "\n" not in error
    assert "Traceback" not in answer.text
    return error


def connect(client):
    address = urlsplit(str(client.base_url))
    return socket.create_connection((address.hostname, address.port), timeout=20)


def talk(client, *pieces, wait_s=0.0):
    """Send bytes as they are; returns everything that comes back until the server closes."""
    with connect(client) as connection:
        for piece in pieces:
            try:
                connection.sendall(piece)
            except OSError:
                break
            time.sleep(wait_s)
        return everything(connection)


def everything(connection):
    came = b""
    try:
        while piece := connection.recv(65536):
            came += piece
    except ConnectionResetError:
        pass
    return came


# from where ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost.evil", "", "["]
)
@pytest.mark.parametrize("path", ["/", "/api/health", "/api/videos", "/openapi.json", "/page/page.js"])
def test_a_name_of_another_that_leads_here_is_refused(client, host, path):
    """DNS rebinding: the page of another site has its name point at this machine."""
    one_line(client.get(path, headers={"host": host}), 403)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:1234", "LOCALHOST", "[::1]:80", "127.0.0.2"])
def test_names_of_this_machine_are_taken(client, host):
    assert client.get("api/health", headers={"host": host}).status_code == 200


def test_a_request_with_several_hosts_or_none_is_refused(client):
    for head in (b"Host: localhost\r\nHost: evil.example\r\n", b""):
        came = talk(client, b"GET /api/health HTTP/1.1\r\n" + head + b"Connection: close\r\n\r\n")
        assert came.split()[1] in (b"400", b"403")
        assert b"videos" not in came


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:1"},
        {"origin": "file://"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"},
    ],
    ids=str,
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "api/search"),
        ("POST", "api/index"),
        ("DELETE", "api/index"),
        ("POST", "api/examples"),
        ("GET", "api/videos"),
    ],
)
def test_pages_of_other_sites_can_neither_write_nor_read(client, headers, method, path):
    one_line(client.request(method, path, headers=headers, json=QUESTION if method == "POST" else None), 403)


def test_pages_of_other_sites_cannot_show_what_is_served(client, ids):
    headers = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "video"}
    for path in (f"media/{ids['plain.mp4']}", f"api/thumbnail/{ids['plain.mp4']}", "page/page.css"):
        one_line(client.get(path, headers=headers), 403)
    answer = client.get("/", headers={"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"})
    assert answer.status_code == 200  # a link to the page itself


def test_the_page_itself_may_ask(client):
    own = {"origin": str(client.base_url).rstrip("/"), "sec-fetch-site": "same-origin"}
    assert client.post("api/search", json=QUESTION, headers=own).status_code == 200


def test_no_other_origin_is_ever_allowed(client):
    preflight = {"origin": "http://evil.example", "access-control-request-method": "POST"}
    answer = client.options("api/search", headers=preflight)
    one_line(answer, 403)
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_a_form_of_another_site_is_no_question(client):
    """A browser sends forms and plain text to other sites without asking them first."""
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        answer = client.post("api/search", content=b'{"query": "a dog"}', headers={"content-type": kind})
        one_line(answer, 422)


# the token -----------------------------------------------------------------------------------------------------


@pytest.fixture
def guarded(start):
    return start(token=TOKEN)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org"])
def test_an_address_that_others_reach_needs_a_token(tmp_path, host):
    assert not is_loopback(host)
    with pytest.raises(ConfigError, match="--token"):
        ServeSettings(libraries=(tmp_path,), host=host)
    ServeSettings(libraries=(tmp_path,), host=host, token=TOKEN)


@pytest.mark.parametrize("token", ["", "short", "x" * 15, "ü" * 30])
def test_a_token_is_long_and_can_be_a_header(tmp_path, token):
    with pytest.raises(ConfigError, match="at least 16 ASCII"):
        ServeSettings(libraries=(tmp_path,), token=token)


def test_a_token_does_not_show(tmp_path):
    assert TOKEN not in repr(ServeSettings(libraries=(tmp_path,), token=TOKEN))


@pytest.mark.parametrize("path", ["/", "/api/health", "/api/videos", "/openapi.json", "/page/page.js", "/nothing"])
def test_nothing_is_told_without_the_token(guarded, path):
    answer = guarded.get(path)
    one_line(answer, 401)
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "header",
    ["Bearer wrong", f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN}x", f"Basic {TOKEN}", TOKEN, "Bearer", "Bearer \xfc"],
)
def test_a_wrong_token_is_refused(guarded, header):
    one_line(guarded.get("api/health", headers={"authorization": header.encode("latin-1")}), 401)


def test_the_token_opens_the_api(guarded):
    headers = {"authorization": f"Bearer {TOKEN}"}
    assert guarded.get("api/health", headers=headers).status_code == 200
    assert guarded.post("api/search", json=QUESTION, headers=headers).status_code == 200
    assert guarded.get("api/health", headers={**headers, "host": "search.example"}).status_code == 200
    one_line(guarded.get("api/health", headers={**headers, "origin": "http://evil.example"}), 403)


def test_the_page_is_opened_by_an_address_with_the_token_and_a_cookie_remembers_it(guarded):
    answer = guarded.get("/", params={"token": TOKEN})
    assert (answer.status_code, answer.headers["location"]) == (303, "./")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert TOKEN not in answer.headers["set-cookie"]
    assert guarded.get("/").status_code == 200  # the client has the cookie
    assert guarded.get("api/health").status_code == 200
    (value,) = guarded.cookies.values()
    with httpx.Client(base_url=guarded.base_url) as fresh:
        one_line(fresh.get("api/health", headers={"authorization": f"Bearer {value}"}), 401)
        one_line(fresh.get("api/health", params={"token": TOKEN}), 401)  # only the page: addresses stand in logs


def test_guessing_is_slowed_down_and_the_token_still_opens(start):
    client = start(token=TOKEN, limits={"refusals": 3})
    wrong = {"authorization": "Bearer wrong"}
    assert [client.get("api/health", headers=wrong).status_code for _ in range(5)] == [401, 401, 401, 429, 429]
    assert client.get("/", params={"token": TOKEN}).status_code == 429  # a guess like any other
    assert client.get("api/health", headers={"authorization": f"Bearer {TOKEN}"}).status_code == 200


def test_tokens_are_compared_in_constant_time(guarded, monkeypatch):
    compared = []

    def compare(one, other):
        compared.append((len(one), len(other)))
        return one == other

    monkeypatch.setattr(guard.hmac, "compare_digest", compare)
    assert hmac.compare_digest is compare
    guarded.get("api/health", headers={"authorization": "Bearer x"})
    guarded.get("api/health", headers={"authorization": f"Bearer {TOKEN}"})
    guarded.get("/", params={"token": "x"})
    guarded.get("/", headers={"cookie": f"hgrkit_{guarded.base_url.port}=x"})
    assert len(compared) >= 4
    assert set(compared) == {(32, 32)}  # digests: the time says nothing of the length either


# how much ------------------------------------------------------------------------------------------------------


def test_a_body_is_limited_and_refused_before_it_is_read(client):
    most = 256 << 10
    assert "at most" in one_line(client.post("api/search", content=b" " * (most + 1)), 413)
    head = b"POST /api/search HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    came = talk(client, head + b"Content-Length: 99999999999\r\n\r\n" + b"[" * 100)
    assert came.split()[1] == b"413"


def test_a_body_without_a_length_is_limited_too(client):
    def endless():
        for _ in range(1_000):
            yield b" " * 65536

    try:
        answer = client.post("api/search", content=endless(), headers={"content-type": "application/json"})
    except (httpx.WriteError, httpx.ReadError):
        return  # it was cut off while it sent
    one_line(answer, 413)


def test_an_upload_is_limited(start):
    client = start(limits={"upload_bytes": 100_000})
    one_line(client.post("api/examples", files={"file": ("a.mp4", b"x" * 300_000)}), 413)


def test_uploads_that_arrive_at_once_are_limited(start):
    client = start(limits={"uploads": 2})
    head = b"POST /api/examples HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n"
    head += b"Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n"
    held = [connect(client) for _ in range(2)]
    for connection in held:
        connection.sendall(head)
    time.sleep(0.5)
    one_line(client.post("api/examples", files={"file": ("a.mp4", b"x")}), 503)
    for connection in held:
        connection.close()
    time.sleep(0.5)
    one_line(client.post("api/examples", files={"file": ("a.mp4", b"x")}), 400)


def test_one_client_asks_so_often_and_no_more(start):
    client = start(limits={"rate": 1.0, "burst": 5})
    for _ in range(10):  # what the pages of other sites make a browser ask is not the client's
        one_line(client.get("api/health", headers={"origin": "http://evil.example"}), 403)
    answers = [client.get("api/health") for _ in range(8)]
    assert [answer.status_code for answer in answers[:5]] == [200] * 5
    assert "wait" in one_line(answers[7], 429)
    assert answers[7].headers["retry-after"] == "1"
    time.sleep(1.2)
    assert client.get("api/health").status_code == 200


def test_searches_beyond_those_that_wait_are_refused_to_be_tried_again(start):
    client = start(limits={"searches": 1})
    with ThreadPoolExecutor(40) as threads:
        answers = list(threads.map(lambda _: client.post("api/search", json=QUESTION), range(80)))
    statuses = {answer.status_code for answer in answers}
    assert statuses == {200, 503}
    refused = next(answer for answer in answers if answer.status_code == 503)
    assert "try again" in one_line(refused, 503)
    assert refused.headers["retry-after"] == "1"
    assert client.post("api/search", json=QUESTION).status_code == 200


# how slowly ----------------------------------------------------------------------------------------------------


def test_a_client_that_never_ends_its_headers_is_cut_off(start):
    client = start(limits={"header_s": 0.5})
    began = time.monotonic()
    came = talk(client, b"GET / HTTP/1.1\r\n", *[b"X-A: 1\r\n"] * 30, wait_s=0.1)
    assert time.monotonic() - began < 5
    assert b"200" not in came
    assert talk(client) == b""  # nor one that says nothing at all
    assert client.get("api/health").status_code == 200


def test_a_client_that_never_ends_its_body_is_told_and_cut_off(start):
    client = start(limits={"body_s": 0.5})
    head = b"POST /api/search HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n"
    came = talk(client, head, *[b" "] * 20, wait_s=0.1)
    assert came.split()[1] == b"408"
    assert client.get("api/health").status_code == 200


def test_a_client_that_takes_nothing_is_cut_off(start, own, tmp_path):
    path = tmp_path / "big.mp4"
    with path.open("wb") as file:
        file.write((own.videos / "plain.mp4").read_bytes())
        file.truncate(300 << 20)  # more than any buffer between the two
    with Retriever.open(own.library, mode="w") as retriever:
        assert retriever.index(path).indexed == 1
    client = start(own.library, limits={"send_s": 0.5})
    with connect(client) as connection:
        path = f"/media/{ids_of(client)['big.mp4']}"
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        time.sleep(2.5)
        assert len(everything(connection)) < 300 << 20


def test_connections_are_limited(start):
    client = start(limits={"connections": 8, "header_s": 5.0})
    held = [connect(client) for _ in range(12)]
    try:
        time.sleep(0.3)
        for connection in held[9:]:
            connection.settimeout(2)
            assert everything(connection) == b""
    finally:
        for connection in held:
            connection.close()
    time.sleep(0.3)
    assert client.get("api/health").status_code == 200


# what is sent that is no HTTP ----------------------------------------------------------------------------------


def test_what_is_no_http_is_refused_in_json(client):
    head, _, body = talk(client, b"GET / HTTP/1.1\r\nHost: a b\r\n\x00\r\n\r\n").partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert json.loads(body) == {"error": "the request is no valid HTTP"}
    assert f"content-length: {len(body)}".encode() in head


@pytest.mark.parametrize(
    "sent",
    [
        b"\x00\xff\x16\x03\x01 hello\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
        b"POST /api/search HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    ],
    ids=range(8),
)
def test_what_is_no_request_does_no_harm(client, sent):
    with connect(client) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        came = everything(connection)
    assert b"Traceback" not in came
    assert b" 500 " not in came
    assert client.get("api/health").status_code == 200


# what every answer carries -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 200),
        ("/page/page.js", 200),
        ("/api/health", 200),
        ("/nothing", 404),
        ("/media/x", 422),
        ("/openapi.json", 200),
    ],
)
def test_every_answer_has_the_policy(client, path, status):
    answer = client.get(path)
    assert answer.status_code == status
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == policy["style-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "server" not in answer.headers


def test_what_fails_inside_is_not_told(start, monkeypatch):
    async def fail(*_):
        raise RuntimeError("a secret of the inside")

    monkeypatch.setattr(Service, "parse", fail)
    answer = start().post("api/parse", json={"text": "a dog"})
    assert "secret" not in answer.text
    assert "the server failed" in one_line(answer, 500)
    assert answer.json()["request"]
