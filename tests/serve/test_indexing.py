"""The server sees what is committed to its library, by itself or by others, and indexes on behalf of its page."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from hgrkit import Retriever
from hgrkit.library.verify import verify_library
from tests.serve.live_server import ids_of, start_process, stop_process, write_copies, write_video

TOKEN = "a token of 24 characters"


def names(client):
    return {hit["name"] for hit in client.post("api/search", json={"query": "a ball", "k": 50}).json()["hits"]}


def wait_for_the_end(client):
    """Poll as the page does; returns every state that was seen."""
    states, until = [], time.monotonic() + 60
    while not states or states[-1]["state"] in ("running", "stopping"):
        assert time.monotonic() < until, states[-1]
        states.append(client.get("api/index").json())
        time.sleep(0.02)
    return states


def start_indexing(client, folder):
    answer = client.post("api/index", json={"folder": str(folder)})
    assert answer.status_code == 202, answer.text
    assert answer.json()["state"] == "running"
    return answer.json()


def refused(client, status, folder):
    answer = client.post("api/index", json={"folder": str(folder)})
    assert (answer.status_code, set(answer.json())) == (status, {"error"}), answer.text
    return answer.json()["error"]


@pytest.fixture
def folder(tmp_path):
    """Three more videos and two broken files."""
    folder = tmp_path / "more"
    folder.mkdir()
    for name in ("one.mp4", "two.mp4", "three.mp4"):
        write_video(folder / name)
    (folder / "empty.mp4").write_bytes(b"")
    (folder / "noise.avi").write_bytes(os.urandom(5000))
    return folder


# what others commit --------------------------------------------------------------------------------------------


def test_what_another_process_commits_is_seen_without_a_restart(start, own, tmp_path):
    client = start(own.library)
    before = client.get("api/health").json()
    new = write_video(tmp_path / "new.mp4")
    with Retriever.open(own.library, mode="w") as writer:
        writer.index(new)
        assert "new.mp4" in names(client)
        video = ids_of(client)["new.mp4"]
        assert client.get(f"media/{video}").content == new.read_bytes()
        assert client.get("api/health").json()["library"] != before["library"]
        writer.library.compact()
        assert "new.mp4" in names(client)
        writer.library.remove(str(new))
        assert "new.mp4" not in names(client)
    assert client.get(f"media/{video}").status_code == 404
    assert client.get("api/health").json()["videos"] == before["videos"]


def test_ids_stay_the_same_over_versions_and_restarts(start, own, tmp_path):
    before = ids_of(start(own.library))
    with Retriever.open(own.library, mode="w") as writer:
        writer.index(write_video(tmp_path / "new.mp4"))
    after = ids_of(start(own.library))
    assert before.items() < after.items()


# indexing from the page ----------------------------------------------------------------------------------------


def test_a_folder_is_indexed_with_progress_and_reasons(start, own, folder):
    client = start(own.library)
    assert client.get("api/index").json()["state"] == "idle"
    start_indexing(client, folder)
    assert len(names(client)) >= 6  # readers are answered meanwhile
    states = wait_for_the_end(client)
    end = states[-1]
    assert (end["state"], end["done"], end["total"], end["error"]) == ("done", 5, 5, None)
    assert (end["counts"]["indexed"], end["counts"]["failed"]) == (3, 2)
    assert {Path(one["path"]).name for one in end["failures"]} == {"empty.mp4", "noise.avi"}
    assert all(one["reason"] and "\n" not in one["reason"] for one in end["failures"])
    assert [state["done"] for state in states] == sorted(state["done"] for state in states)
    assert any(state["at_work"] for state in states)
    assert end["at_work"] == []
    assert names(client) >= {"one.mp4", "two.mp4", "three.mp4"}
    start_indexing(client, folder)
    assert wait_for_the_end(client)[-1]["counts"] == {
        "indexed": 0,
        "unchanged": 3,
        "moved": 0,
        "duplicate": 0,
        "failed": 2,
    }


def test_only_one_folder_is_indexed_at_a_time_and_it_can_be_stopped(start, own, tmp_path):
    folder = write_copies(tmp_path / "many", 30, seconds=20)
    client = start(own.library)
    start_indexing(client, folder)
    assert "is being indexed" in refused(client, 409, folder)
    while client.get("api/index").json()["done"] < 2:
        time.sleep(0.02)
    answer = client.delete("api/index")
    assert answer.status_code == 202
    assert answer.json()["state"] in ("stopping", "stopped")
    end = wait_for_the_end(client)[-1]
    assert (end["state"], end["error"]) == ("stopped", None)
    kept = sum(name[:2].isdigit() for name in ids_of(client))
    assert 2 <= kept < 30
    assert client.delete("api/index").json()["state"] == "stopped"  # nothing to stop: nothing happens
    start_indexing(client, folder)
    client.delete("api/index")
    wait_for_the_end(client)


def test_what_cannot_be_indexed_is_refused_in_one_line(start, own, tmp_path):
    client = start(own.library)
    assert "nowhere" in refused(client, 400, tmp_path / "nowhere")
    refused(client, 400, own.library)
    refused(client, 400, "a\0b")
    refused(client, 400, "x" * 4000)
    refused(client, 400, "~nobody-of-this-name/videos")
    refused(client, 422, "")
    assert client.post("api/index", json={}).status_code == 422
    assert client.get("api/index").json()["state"] == "idle"


def test_a_library_that_another_writes_to_says_so(start, own, folder):
    client = start(own.library)
    with Retriever.open(own.library, mode="w"):
        start_indexing(client, folder)
        end = wait_for_the_end(client)[-1]
    assert end["state"] == "failed"
    assert "another" in end["error"]
    assert "\n" not in end["error"]
    start_indexing(client, folder)
    assert wait_for_the_end(client)[-1]["state"] == "done"


def test_a_folder_without_videos_is_done_at_once(start, own, tmp_path):
    (tmp_path / "empty").mkdir()
    client = start(own.library)
    client.post("api/index", json={"folder": str(tmp_path / "empty")})
    end = wait_for_the_end(client)[-1]
    assert (end["state"], end["done"]) == ("done", 0)


# who may index -------------------------------------------------------------------------------------------------


@pytest.fixture
def headers():
    return {"authorization": f"Bearer {TOKEN}"}


def test_a_server_with_a_token_indexes_only_what_it_is_allowed_to(start, own, folder, tmp_path, headers):
    closed = start(own.library, token=TOKEN)
    closed.headers.update(headers)
    state = closed.get("api/index").json()
    assert (state["may_index"], "--allow-folder" in state["why_not"]) == (False, True)
    assert "--allow-folder" in refused(closed, 403, folder)
    assert closed.get("api/health").json()["may_index"] is False

    client = start(own.library, token=TOKEN, folders=(folder,))
    client.headers.update(headers)
    (folder / "link").symlink_to(own.videos)
    for outside in (tmp_path, own.videos, folder / ".." / "videos", folder / "link", "/", f"{folder}x"):
        assert "may add" in refused(client, 403, outside)
    (folder / "link").unlink()
    start_indexing(client, folder)
    assert wait_for_the_end(client)[-1]["counts"]["indexed"] == 3


# the end of a server -------------------------------------------------------------------------------------------


def descendants(pid):
    """The processes that a process has started, and theirs."""
    children = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(status.read_text("utf-8", "replace").rpartition(") ")[2].split()[1])
        except OSError:  # it has ended meanwhile
            continue
        children.setdefault(parent, []).append(int(status.parent.name))
    found, left = [], [pid]
    while left:
        left = [child for one in left for child in children.get(one, ())]
        found += left
    return found


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(") ")[2][0] != "Z"
    except OSError:
        return False


on_linux = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")


@on_linux
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_server_that_ends_leaves_no_process_and_a_sound_library(own, tmp_path, how):
    folder = write_copies(tmp_path / "many", 12, seconds=20)
    running = start_process(own.library)
    with running.client() as client:
        client.get(f"api/thumbnail/{ids_of(client)['plain.mp4']}")
        start_indexing(client, folder)
        while client.get("api/index").json()["done"] < 1:
            time.sleep(0.02)
        children = descendants(running.process.pid)
    assert len(children) >= 2
    running.process.send_signal(how)
    _, errors = running.process.communicate(timeout=40)
    assert "Traceback" not in errors
    until = time.monotonic() + 20
    while any(map(is_alive, children)):
        assert time.monotonic() < until
        time.sleep(0.05)
    assert verify_library(own.library).whole
    with Retriever.open(own.library, mode="w") as retriever:
        assert sum(Path(video.path).name[:2].isdigit() for video in retriever.library.videos()) >= 1


@on_linux
def test_an_index_program_that_is_killed_is_told(own, folder):
    running = start_process(own.library)
    try:
        with running.client() as client:
            write_copies(folder, 10, seconds=20)
            start_indexing(client, folder)
            while not (children := descendants(running.process.pid)):
                time.sleep(0.01)
            os.kill(children[0], signal.SIGKILL)
            end = wait_for_the_end(client)[-1]
            assert end["state"] == "failed"
            assert "ended unexpectedly" in end["error"]
            start_indexing(client, folder)
            client.delete("api/index")
            wait_for_the_end(client)
    finally:
        stop_process(running)
