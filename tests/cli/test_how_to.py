"""The how-to guides work as they are printed: their programs and commands run in order on small real videos."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from hgrkit.demo import write_zoom

ROOT = Path(__file__).resolve().parents[2]
HOW_TO = ROOT / "docs" / "how-to"
SCENES = {"0.mp4": "a dog runs", "1.mp4": "a cat sleeps", "2.mp4": "a man sings", "3.mp4": "a woman eats"}


def blocks(page, language):
    text = (HOW_TO / page).read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def program(page, name):
    """The names that the page's program with this text in it defines."""
    (body,) = (body for body in blocks(page, "python") if name in body)
    defined = {"__name__": "howto"}
    exec(compile(body, page, "exec"), defined)
    return defined


@pytest.fixture
def videos(tmp_path):
    """Four videos of a second."""
    folder = tmp_path / "videos"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name in SCENES:
        write_zoom(rng.integers(0, 255, (48, 64, 3), dtype=np.uint8), folder / name, seconds=1.0)
    return folder


@pytest.fixture
def library(hgrkit, videos, tmp_path):
    assert hgrkit("index", videos, "--library", tmp_path / "lib").status == 0
    return tmp_path / "lib"


def test_the_guide_to_frame_encoders_leads_to_a_search(hgrkit, install_plugin, videos, tmp_path, monkeypatch):
    example = (ROOT / "examples/frame_encoder_plugin/colour_frames.py").read_text("utf-8")
    install_plugin("hgrkit.frame_encoders", "colours", source=example, target="colour_frames")
    monkeypatch.chdir(tmp_path)
    page = "own-frame-encoder.md"
    program(page, "write_features")["write_features"](videos, "colours", tmp_path / "train.npz")
    Path("train.json").write_text(json.dumps({name: [text] for name, text in SCENES.items()}))
    (config,) = blocks(page, "toml")
    Path("run.toml").write_text(config.replace("epochs = 12", "epochs = 1").replace("= 512", "= 16"))
    commands = [line.split()[1:] for body in blocks(page, "bash") for line in body.splitlines()]
    train, index, _ = (words for words in commands if words[0] in {"train", "index", "search"})
    assert hgrkit(*train).status == 0
    assert hgrkit(*index).status == 0
    found = hgrkit("search", "a dog runs", "--library", "lib", "--json").json
    assert {Path(hit["video"]).name for hit in found["hits"]} == set(SCENES)
    assert "colours-8x8@1" in hgrkit("info", "lib").out


def test_the_fastapi_application_answers_and_sees_new_videos(library, videos, monkeypatch):
    testclient = pytest.importorskip("fastapi.testclient")
    from hgrkit import Retriever

    monkeypatch.setenv("VIDEO_LIBRARY", str(library))
    with testclient.TestClient(program("web-app.md", "lifespan")["app"]) as client:
        found = client.get("/search", params={"q": "a dog runs", "k": 9}).json()
        assert {Path(hit["video"]).name for hit in found} == set(SCENES)
        assert all(hit["start_s"] < hit["end_s"] and 0 <= hit["confidence"] <= 1 for hit in found)
        nothing = client.get("/search", params={"q": "  "})
        assert nothing.status_code == 422
        assert "\n" not in nothing.json()["detail"]
        (videos / "new.mp4").write_bytes((videos / "0.mp4").read_bytes() + b"\0")
        with Retriever.open(library, mode="w") as writer:
            writer.index(videos)
        later = client.get("/search", params={"q": "a dog runs", "k": 9}).json()
        assert {Path(hit["video"]).name for hit in later} == {*SCENES, "new.mp4"}


def test_the_rest_client_sends_what_the_api_takes_and_returns_the_hits(monkeypatch):
    """The client alone, against a server that keeps what it was sent."""
    import threading
    from http.server import BaseHTTPRequestHandler, HTTPServer

    received = {}

    class Api(BaseHTTPRequestHandler):
        def do_POST(self):
            received["path"], length = self.path, int(self.headers["Content-Length"])
            received["body"] = json.loads(self.rfile.read(length))
            body = json.dumps({"hits": [{"id": 1}]}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Api) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        ask = program("web-app.md", "urlopen")["ask"]
        assert ask(f"http://127.0.0.1:{server.server_port}", "a dog") == [{"id": 1}]
        thread.join()
    assert received == {"path": "/api/search", "body": {"query": "a dog", "k": 3}}


def test_several_libraries_answer_as_one(hgrkit, library, videos, tmp_path):
    other = tmp_path / "other"
    assert hgrkit("index", videos / "0.mp4", "--library", other).status == 0
    ask = program("several-libraries.md", "def ask")["ask"]
    found = ask([str(library), str(other)], "a dog runs")
    assert [score for score, _ in found] == sorted((score for score, _ in found), reverse=True)
    assert {Path(video).name for _, video in found} == set(SCENES)
