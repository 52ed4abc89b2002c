"""The MCP server as the official client sees it: every tool by stdio and by HTTP, and what is refused."""

from __future__ import annotations

import asyncio
import base64
import inspect
import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest
from mcp import Client, StdioServerParameters

from hgrkit.agents.server import LibraryServer
from hgrkit.retriever import Retriever
from tests.test_retriever import QUERY, create, save_random_model, write_video

TOOLS = {"search_video", "show_hit", "list_videos", "cut_clip"}
COMMAND = (sys.executable, "-m", "hgrkit", "mcp")


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    for seconds, name in enumerate(("a.mp4", "b.mp4"), 3):
        write_video(folder / name, seconds, (60 * seconds, 30, 30))
    (folder / "broken.mp4").write_bytes(b"no video")
    return folder


@pytest.fixture(scope="module")
def library(tmp_path_factory, videos):
    folder = tmp_path_factory.mktemp("made")
    with create(folder / "lib", save_random_model(folder / "model"), clip_seconds=2) as retriever:
        retriever.index(videos)
        retriever.tag(videos / "a.mp4", camera="front")
    return folder / "lib"


def by_stdio(library, folder):
    arguments = [*COMMAND[1:], str(library), "--clips-out", str(folder), "--device", "cpu"]
    return StdioServerParameters(command=COMMAND[0], args=arguments, env=dict(os.environ))


@contextmanager
def http_server(library, folder, *options):
    command = (
        *COMMAND,
        str(library),
        "--http",
        "--port",
        "0",
        "--clips-out",
        str(folder),
        "--device",
        "cpu",
        *options,
    )
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process.stdout.readline().removeprefix("hgrkit mcp: ").strip()
        finally:
            process.terminate()


@pytest.fixture(params=["stdio", "http"])
def ask(request, library, tmp_path):
    """Calls tools over a transport."""

    def over(server):
        async def call(*calls):
            async with Client(server, read_timeout_seconds=60) as client:
                tools = (await client.list_tools()).tools
                return tools, [await client.call_tool(name, arguments) for name, arguments in calls]

        return lambda *calls: asyncio.run(call(*calls))

    if request.param == "http":
        with http_server(library, tmp_path / "clips") as address:
            yield over(address)
    else:
        yield over(by_stdio(library, tmp_path / "clips"))


def data(result):
    """What a tool answered, which its one line of text says, too."""
    assert not result.is_error, result.content
    assert json.loads(result.content[0].text) == result.structured_content
    return result.structured_content


def test_every_tool_is_listed_with_types_and_answers(ask, videos, tmp_path):
    where = {"video": str(videos / "b.mp4"), "start_s": 1.0, "end_s": 2.5}
    tools, results = ask(
        ("search_video", {"query": QUERY, "k": 5}),
        ("show_hit", {**where, "query": QUERY, "num_frames": 3}),
        ("show_hit", {**where, "num_frames": 2}),
        ("list_videos", {}),
        ("cut_clip", {**where, "exact": True}),
    )
    assert {tool.name for tool in tools} == TOOLS
    for tool in tools:
        assert tool.description
        assert tool.output_schema["type"] == "object"
        assert all("description" in field for field in tool.input_schema["properties"].values()), tool.name
        assert tool.annotations.read_only_hint == (tool.name != "cut_clip")
    found, shown, plain, listed, cut = map(data, results)

    assert {hit["video"] for hit in found["hits"]} == {str(videos / "a.mp4"), str(videos / "b.mp4")}
    for hit in found["hits"]:
        assert 0 <= hit["start_s"] < hit["end_s"] <= 4.1
        assert [phrase["text"] for phrase in hit["phrases"]] == ["throws", "a woman", "the red ball", "to a dog"]
    assert len(results[0].content[0].text) < 3000

    pictures = [base64.b64decode(part.data) for part in results[1].content[1:]]
    assert len(pictures) == len(shown["frames"]) == 3
    assert all(picture.startswith(b"\xff\xd8") for picture in pictures)
    assert [phrase["text"] for phrase in shown["phrases"]] == ["throws", "a woman", "the red ball", "to a dog"]
    assert shown["start_s"] < where["end_s"]
    assert shown["end_s"] > where["start_s"]
    assert plain == {**where, "frames": ["0:01.4", "0:02.1"], "phrases": [], "note": ""}

    assert listed["total"] == 3
    assert [video["state"] for video in listed["videos"]] == ["indexed", "indexed", "failed"]
    assert listed["videos"][0]["tags"] == {"camera": "front"}
    assert listed["videos"][2]["reason"]

    assert Path(cut["path"]).parent == tmp_path / "clips"
    assert Path(cut["path"]).stat().st_size > 0
    assert (cut["start_s"], cut["end_s"]) == pytest.approx((1.0, 2.5), abs=0.15)


@pytest.fixture
def server(library, tmp_path):
    with Retriever.open(library, device="cpu", follow=True) as retriever:
        yield LibraryServer(retriever, clips_out=tmp_path / "clips", any_example=False)


def asked(server, name, /, **arguments):
    async def call():
        async with Client(server) as client:
            return await client.call_tool(name, arguments)

    return asyncio.run(call())


def test_a_tool_takes_every_option_of_a_search(server, videos, library):
    def found(**arguments):
        return data(asked(server, "search_video", **arguments))["hits"]

    a, b = str(videos / "a.mp4"), str(videos / "b.mp4")
    assert len(found(query=QUERY, k=1)) == 1
    assert {hit["video"] for hit in found(query=QUERY, where="camera = 'front'")} == {a}
    assert {hit["video"] for hit in found(query=QUERY, videos=[b])} == {b}
    assert [len(hit["excluded"]) for hit in found(query=QUERY, without=["a dog", "the park"])] == [2, 2]
    like = found(like=f"{a}@0-2")
    assert {hit["video"] for hit in like} >= {a}
    assert like[0]["phrases"] == []
    assert found(query=QUERY, exact=True, num_candidates=1) == found(query=QUERY)
    # a tool's search is that of the retriever, with every option of it
    with Retriever.open(library, device="cpu") as retriever:
        hits = retriever.search(QUERY, 5).hits
    assert [(hit["video"], hit["score"]) for hit in found(query=QUERY)] == [
        (hit.video, round(hit.score, 3)) for hit in hits
    ]


def test_every_option_reaches_the_search(server, monkeypatch):
    asked_for = {}
    search = Retriever.search

    def recorded(retriever, query, k, **options):
        asked_for.update(options, query=query, k=k)
        return search(retriever, query, k, **options)

    monkeypatch.setattr(Retriever, "search", recorded)
    options = {
        "query": QUERY,
        "k": 3,
        "per_video": 2,
        "without": ["a dog"],
        "like": None,
        "where": "duration_s > 1",
    }
    options |= {"like": None, "videos": None, "min_confidence": None, "exact": True, "num_candidates": 7}
    options["level_weights"] = (1, 2, 1)
    data(asked(server, "search_video", **options))
    assert asked_for == options
    assert options.keys() == set(inspect.signature(search).parameters) - {"self"}


def test_videos_are_listed_by_pages_and_by_their_tags(server, videos):
    def listed(**arguments):
        answer = data(asked(server, "list_videos", **arguments))
        return answer["total"], [Path(video["path"]).name for video in answer["videos"]]

    assert listed(limit=1, offset=1) == (3, ["b.mp4"])
    assert listed(where="camera = 'front'") == (1, ["a.mp4"])
    assert listed(where="duration_s > 100") == (0, [])


WRONG = {
    "no question": ("search_video", {}, "give one of them"),
    "unknown argument": ("search_video", {"query": "a dog", "limit": 3}, "no argument 'limit'; it takes query, k"),
    "too many": ("search_video", {"query": "a dog", "k": 1000}, "k must be less than or equal to 100, got 1000"),
    "too long": ("search_video", {"query": "dog " * 1000}, "query must be"),
    "missing": ("show_hit", {"start_s": 1, "end_s": 2}, "the argument video is missing"),
    "column": ("search_video", {"query": "a dog", "where": "camra = 1"}, "Did you mean 'camera'"),
    "confidence": ("search_video", {"query": "a dog", "min_confidence": 0.5}, "calibrat"),
    "not indexed": ("show_hit", {"video": "/no.mp4", "start_s": 1, "end_s": 2}, "list_videos"),
    "not decodable": ("cut_clip", {"video": "broken.mp4", "start_s": 1, "end_s": 2}, "no indexed video"),
    "backwards": ("show_hit", {"video": "a.mp4", "start_s": 2, "end_s": 1}, "begins before it ends"),
    "beyond": ("cut_clip", {"video": "a.mp4", "start_s": 20, "end_s": 21}, "3.0 s long"),
    "any file": ("search_video", {"like": "/etc/passwd"}, "over HTTP"),
    "part of any file": ("search_video", {"like": "/etc/passwd@1-2"}, "over HTTP"),
    "no tool": ("search", {"query": "a dog"}, "tools: search_video"),
}


@pytest.mark.parametrize("mistake", WRONG)
def test_a_mistake_is_one_line_that_says_what_to_do(server, videos, mistake, monkeypatch, capfd):
    monkeypatch.chdir(videos)
    name, arguments, said = WRONG[mistake]
    result = asked(server, name, **arguments)
    assert result.is_error
    (text,) = result.content
    assert said in text.text
    assert "\n" not in text.text
    assert "Traceback" not in capfd.readouterr().err


def test_the_server_sees_what_is_indexed_meanwhile(library, tmp_path, server, videos):
    from tests.test_retriever import open_to_write

    assert data(asked(server, "list_videos"))["total"] == 3
    write_video(tmp_path / "new.mp4", 1, (9, 9, 9))
    with open_to_write(library) as writer:
        writer.index(tmp_path / "new.mp4")
    try:
        assert len(data(asked(server, "search_video", query=QUERY))["hits"]) == 3
    finally:
        with open_to_write(library) as writer:
            writer.library.remove(str(tmp_path / "new.mp4"))


def status(address, **headers):
    """What a request for the tools is answered with."""
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    accepts = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    request = urllib.request.Request(address, json.dumps(body).encode(), {**accepts, **headers})
    try:
        return urllib.request.urlopen(request, timeout=30).status
    except urllib.error.HTTPError as error:
        return error.code


def test_other_sites_and_other_names_are_refused(library, tmp_path):
    with http_server(library, tmp_path) as address:
        assert address.startswith("http://127.0.0.1:")
        port = address.rpartition(":")[2].removesuffix("/mcp")
        assert status(address) == 200
        assert status(address, Origin=f"http://localhost:{port}") == 200
        assert status(address, Host="library.example") == 421
        assert status(address, Host="127.0.0.1:1") == 421
        assert status(address, Origin="http://site.example") == 403
        assert status(address, Origin="http://localhost:1") == 403
        assert status(address, **{"Content-Type": "text/plain"}) == 400


def test_at_an_address_for_other_machines_only_who_knows_the_token_is_served(library, tmp_path, monkeypatch):
    monkeypatch.setenv("HGRKIT_TOKEN", "a-token-of-some-length")
    with http_server(library, tmp_path, "--host", "0.0.0.0") as shown:
        address = shown.replace("0.0.0.0", "127.0.0.1")
        assert status(address) == 401
        assert status(address, Authorization="Bearer a-token-of-some-lengt") == 401
        assert status(address, Authorization="Basic a-token-of-some-length") == 401
        known = {"Authorization": "Bearer a-token-of-some-length"}
        assert status(address, **known) == 200
        assert status(address, **known, Host="library.example:8766") == 200


def test_nothing_but_protocol_is_on_stdout_and_older_clients_are_served(library, tmp_path):
    hello = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
    }
    client = {"name": "a client", "version": "1"}
    hello["params"] = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client}
    ready = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    search = {"jsonrpc": "2.0", "id": 2, "method": "tools/call"}
    search["params"] = {"name": "search_video", "arguments": {"query": "zzz qqq"}}
    with subprocess.Popen(
        (*COMMAND, str(library), "--device", "cpu"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        answers = []
        for message in (hello, ready, search):
            process.stdin.write(json.dumps(message) + "\n")
            process.stdin.flush()
            if "id" in message:
                answers.append(json.loads(process.stdout.readline()))
        process.stdin.close()
        assert process.stdout.read() == ""
    assert process.returncode == 0
    assert [answer["id"] for answer in answers] == [1, 2]
    assert answers[0]["result"]["serverInfo"]["name"] == "hgrkit"
    assert "sentence" in answers[0]["result"]["instructions"]
