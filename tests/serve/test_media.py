"""Files, moments and pictures: only those of indexed videos, as they were indexed, in ranges."""

from __future__ import annotations

import io
import os
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import av
import httpx
import pytest
from PIL import Image

from hgrkit import Retriever
from tests.serve.live_server import SECONDS, ids_of, make_library, write_video

NOT_PLAYED = {"old.avi": "encoded", "film.mkv": "copied"}
"""What browsers do not play as it is, and how it is made to be played."""


def media(client, name, **headers):
    return client.get(
        f"media/{ids_of(client)[name]}", headers={key.replace("_", "-"): value for key, value in headers.items()}
    )


def bytes_of(made, name):
    return (made.videos / name).read_bytes()


# ranges --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["plain.mp4", "red ball.mp4", "old.avi", "film.mkv", "web.webm"])
def test_a_file_is_served_to_the_byte(client, made, name):
    answer = media(client, name)
    assert (answer.status_code, answer.content) == (200, bytes_of(made, name))
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["content-length"] == str(len(answer.content))
    assert answer.headers["content-type"].startswith("video/")


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-", 0, None),
        ("bytes=10-99", 10, 100),
        ("bytes=-7", -7, None),
        ("bytes=100-99999999999999", 100, None),
        ("bytes=-99999999999999", 0, None),
        ("bytes=5-5", 5, 6),
    ],
)
def test_a_range_is_that_part_of_the_file(client, made, asked, start, stop):
    content = bytes_of(made, "plain.mp4")
    answer = media(client, "plain.mp4", range=asked)
    assert (answer.status_code, answer.content) == (206, content[start:stop])
    first = len(content) + start if start < 0 else start
    assert answer.headers["content-range"] == f"bytes {first}-{first + len(answer.content) - 1}/{len(content)}"
    assert answer.headers["content-length"] == str(len(answer.content))


@pytest.mark.parametrize("asked", ["bytes=99999999-", "bytes=-0", "bytes=99999999-999999999"])
def test_a_range_outside_of_the_file_is_refused(client, made, asked):
    answer = media(client, "plain.mp4", range=asked)
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{len(bytes_of(made, 'plain.mp4'))}"
    assert "not in it" in answer.json()["error"]


@pytest.mark.parametrize(
    "asked",
    [
        "bytes=-",
        "bytes=9-3",
        "bytes=a-b",
        "items=0-3",
        "bytes=0-1,5-9",
        "bytes=" + "9" * 200 + "-",
        "",
        "bytes=--1",
    ],
)
def test_a_range_that_need_not_be_understood_gets_the_whole_file(client, made, asked):
    answer = media(client, "plain.mp4", range=asked)
    assert (answer.status_code, answer.content) == (200, bytes_of(made, "plain.mp4"))


def test_head_tells_of_the_file_and_sends_none_of_it(client, made):
    path = f"media/{ids_of(client)['plain.mp4']}"
    answer = client.head(path)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-length"] == str(len(bytes_of(made, "plain.mp4")))
    assert client.head(path, headers={"range": "bytes=0-9"}).headers["content-length"] == "10"


def test_a_client_that_has_the_file_is_not_sent_it_again(client, made):
    tag = media(client, "plain.mp4").headers["etag"]
    answer = media(client, "plain.mp4", if_none_match=tag)
    assert (answer.status_code, answer.content) == (304, b"")
    assert media(client, "plain.mp4", if_range=tag, range="bytes=0-9").status_code == 206
    other = media(client, "plain.mp4", if_range='"other"', range="bytes=0-9")
    assert (other.status_code, other.content) == (200, bytes_of(made, "plain.mp4"))


# only what is indexed ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/media/../../../../etc/passwd",
        "/media/..%2f..%2f..%2fetc%2fpasswd",
        "/media/%2e%2e/%2e%2e/etc/passwd",
        "/media//etc/passwd",
        "/media/%2Fetc%2Fpasswd",
        "/media/{video}/../../etc/passwd",
        "/media/{video}%00",
        "/media/{video}%0a",
        "/media/{VIDEO}",
        "/media/" + "0" * 24,
        "/page/../app.py",
        "/page/..%2fapp.py",
        "/page/%2e%2e%2fsettings.py",
        "/page/..\\app.py",
        "/page//etc/passwd",
        "/page/page.js%00.css",
        "/page/",
        "/../../etc/passwd",
        "//etc/passwd",
        "/api/thumbnail/..%2f..%2fetc%2fpasswd?t=0",
        "/play/..%2fetc%2fpasswd?start=0&end=1",
    ],
)
def test_no_path_leads_to_a_file(server, client, path):
    video = ids_of(client)["plain.mp4"]
    path = path.replace("{video}", video).replace("{VIDEO}", video.upper())
    address = urlsplit(server.address)
    with socket.create_connection(
        (address.hostname, address.port), timeout=20
    ) as connection:  # httpx tidies paths
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        came = b""
        while piece := connection.recv(65536):
            came += piece
    assert came.split()[1] in (b"404", b"422"), came[:200]
    assert b'{"error":' in came
    assert b"root:" not in came


def test_a_video_that_failed_is_not_served(client):
    answer = media(client, "broken.mp4")
    assert answer.status_code == 404
    assert "could not be indexed" in answer.json()["error"]


def test_a_file_beside_the_videos_is_not_served(client, made):
    (made.videos / "notes.txt").write_text("private")
    assert "notes.txt" not in ids_of(client)


def overwrite(path):
    path.write_bytes(b"x" * path.stat().st_size)


def replace_by_a_link(path):
    other = path.with_name("other")
    other.write_bytes(path.read_bytes())
    os.utime(other, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    path.unlink()
    path.symlink_to(other)


def replace_by_a_pipe(path):
    path.unlink()
    os.mkfifo(path)


def replace_by_a_folder(path):
    path.unlink()
    path.mkdir()


@pytest.mark.skipif(os.name != "posix", reason="needs links and pipes")
def test_a_file_that_is_no_longer_what_was_indexed_is_gone(start, tmp_path):
    own = make_library(tmp_path)
    client = start(own.library)
    changes = {
        "plain.mp4": overwrite,
        "red ball.mp4": Path.unlink,
        "web.webm": replace_by_a_link,
        "old.avi": replace_by_a_pipe,
        "film.mkv": replace_by_a_folder,
    }
    for name, change in changes.items():
        video = ids_of(client)[name]
        assert client.get(f"media/{video}").status_code == 200
        change(own.videos / name)
        for path in (f"media/{video}", f"api/thumbnail/{video}?t=1", f"api/play/{video}?start=0&end=1"):
            answer = client.get(path)
            assert answer.status_code == 410, (name, path)
            assert "index its folder again" in answer.json()["error"]
        assert client.get(f"api/videos/{video}").status_code == 200
    assert len(client.post("api/search", json={"query": "a ball"}).json()["hits"]) == 6


# moments -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["plain.mp4", "web.webm", "phone.mov"])
def test_what_browsers_play_is_played_from_the_file_itself(client, ids, name):
    how = client.get(f"api/play/{ids[name]}", params={"start": 1, "end": 2}).json()
    assert (how["how"], how["url"], how["offset_s"]) == ("original", f"media/{ids[name]}", 0)
    answer = client.get(f"play/{ids[name]}", params={"start": 1, "end": 2})
    assert answer.status_code == 307
    location = httpx.URL(str(answer.url)).join(answer.headers["location"])
    assert location.path == f"/media/{ids[name]}"
    assert location.fragment == "t=1.00,2.00"


@pytest.mark.parametrize("name", NOT_PLAYED)
def test_what_browsers_do_not_play_is_made_to_be_played(client, ids, name):
    how = client.get(f"api/play/{ids[name]}", params={"start": 1, "end": 2}).json()
    assert how["how"] == NOT_PLAYED[name]
    assert "browsers do not play" in how["why"]
    assert 0 <= how["offset_s"] <= 1.001
    answer = client.get(how["url"])
    assert (answer.status_code, answer.headers["content-type"]) == (200, how["type"])
    with av.open(io.BytesIO(answer.content)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name in ("h264", "vp9", "vp8")
        assert stream.codec_context.pix_fmt == "yuv420p"
        shown_s = [float(frame.time) for frame in container.decode(stream)]
    assert how["offset_s"] + shown_s[0] <= 1.05
    assert how["offset_s"] + shown_s[-1] >= 1.8
    part = client.get(how["url"], headers={"range": "bytes=0-99"})
    assert (part.status_code, part.content) == (206, answer.content[:100])


def test_a_moment_shows_the_pictures_of_its_time(client, ids, made):
    how = client.get(f"api/play/{ids['old.avi']}", params={"start": 1.5, "end": 2.5}).json()
    with av.open(io.BytesIO(client.get(how["url"]).content)) as container:
        clip = {how["offset_s"] + float(frame.time): frame for frame in container.decode(video=0)}
    with av.open(str(made.videos / "old.avi")) as container:
        film = {float(frame.time): frame for frame in container.decode(video=0)}
    for wanted_s in (1.6, 2.0, 2.3):
        one, other = (
            frames[min(frames, key=lambda time_s: abs(time_s - wanted_s))].to_ndarray(format="gray").astype(int)
            for frames in (clip, film)
        )
        assert abs(one - other).mean() < 6


@pytest.mark.parametrize(
    ("start", "end", "status"),
    [
        (2, 1, 400),
        (50, 60, 400),
        ("x", 1, 422),
        (-1, 1, 422),
        ("nan", 1, 422),
        ("inf", "inf", 422),
        (0, 1e10, 422),
    ],
)
def test_what_is_no_moment_is_refused(client, ids, start, end, status):
    for path in ("play", "api/play"):
        answer = client.get(f"{path}/{ids['old.avi']}", params={"start": start, "end": end})
        assert answer.status_code == status
        assert set(answer.json()) == {"error"}


def test_a_long_moment_is_refused(start):
    client = start(limits={"moment_s": 1.0})
    answer = client.get(f"play/{ids_of(client)['old.avi']}", params={"start": 0, "end": 3})
    assert answer.status_code == 400
    assert "at most 1 seconds" in answer.json()["error"]


def test_moments_are_kept_and_the_oldest_go_when_the_disk_has_had_enough(start, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    client = start(limits={"clips_bytes": 1})
    video = ids_of(client)["old.avi"]
    for _ in range(2):
        for start_s in (0, 1, 2):
            assert client.get(f"play/{video}", params={"start": start_s, "end": start_s + 1}).status_code == 200
            assert len(list(tmp_path.rglob("*.clip"))) == 1


def test_moments_are_made_by_so_many_processes_and_others_are_told_to_wait(start):
    client = start()
    video = ids_of(client)["old.avi"]
    with ThreadPoolExecutor(30) as threads:
        answers = list(
            threads.map(
                lambda number: client.get(f"play/{video}", params={"start": number / 50, "end": 2.5}), range(30)
            )
        )
    assert {answer.status_code for answer in answers} == {200, 503}
    assert all(answer.headers["retry-after"] for answer in answers if answer.status_code == 503)


# pictures ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("height", [40, 180, 480])
def test_a_thumbnail_is_a_jpeg_of_its_height(client, ids, height):
    answer = client.get(f"api/thumbnail/{ids['plain.mp4']}", params={"t": 1.0, "height": height})
    picture = Image.open(io.BytesIO(answer.content))
    assert (picture.format, picture.height, picture.width) == ("JPEG", height, 2 * round(height * 64 / 96))


def test_a_thumbnail_shows_its_time(client, ids):
    def column_of_the_square(time_s):
        content = client.get(f"api/thumbnail/{ids['plain.mp4']}", params={"t": time_s, "height": 96}).content
        row = Image.open(io.BytesIO(content)).convert("L").crop((0, 45, 128, 46))
        first = Image.open(io.BytesIO(content)).convert("L").crop((0, 10, 128, 11))
        bright = [x for x in range(128) if abs(row.getpixel((x, 0)) - first.getpixel((x, 0))) > 25]
        return sum(bright) / len(bright)

    columns = [column_of_the_square(time_s) for time_s in (0.0, 1.0, 2.0)]
    assert columns[0] < columns[1] < columns[2]
    assert column_of_the_square(99) > columns[2]  # past its end: the last one


def test_a_thumbnail_is_sent_once(client, ids):
    path = f"api/thumbnail/{ids['plain.mp4']}?t=0.5"
    tag = client.get(path).headers["etag"]
    answer = client.get(path, headers={"if-none-match": tag})
    assert (answer.status_code, answer.content) == (304, b"")


@pytest.mark.parametrize("asked", ["t=-1", "t=nan", "height=39", "height=481", "t=x", "t=1e999"])
def test_a_thumbnail_of_no_size_or_time_is_refused(client, ids, asked):
    answer = client.get(f"api/thumbnail/{ids['plain.mp4']}?{asked}")
    assert (answer.status_code, set(answer.json())) == (422, {"error"})


def test_a_film_that_became_shorter_while_it_is_sent_does_not_look_whole(start, own, tmp_path):
    path = tmp_path / "big.mp4"
    path.write_bytes(bytes_of(own, "plain.mp4"))
    os.truncate(path, 64 << 20)
    with Retriever.open(own.library, mode="w") as retriever:
        assert retriever.index(path).indexed == 1
    client = start(own.library)
    with client.stream("GET", f"media/{ids_of(client)['big.mp4']}") as answer:
        pieces = answer.iter_bytes(1 << 16)
        next(pieces)
        os.truncate(path, 1 << 20)
        with pytest.raises(httpx.RemoteProtocolError):
            list(pieces)


def test_a_client_that_leaves_leaves_no_open_file(start, own, tmp_path):
    folder = Path("/proc/self/fd")
    if not folder.is_dir():
        pytest.skip("only Linux tells which files are open")
    path = tmp_path / "big.mp4"
    path.write_bytes(bytes_of(own, "plain.mp4"))
    os.truncate(path, 64 << 20)
    with Retriever.open(own.library, mode="w") as retriever:
        retriever.index(path)
    client = start(own.library)
    for _ in range(5):
        with client.stream("GET", f"media/{ids_of(client)['big.mp4']}") as answer:
            next(answer.iter_bytes(100))
    until = time.monotonic() + 10
    while any(os.path.realpath(one) == str(path) for one in folder.iterdir()):
        assert time.monotonic() < until
        time.sleep(0.05)


def test_a_name_in_any_letters_is_served(start, tmp_path):
    name = os.fsdecode(b"caf\xe9 \xf0\x9f\x8e\xac <b>&amp;.mp4") if os.name == "posix" else "café.mp4"
    path = write_video(tmp_path / name)
    with Retriever.create(tmp_path / "lib") as retriever:
        assert retriever.index(path).indexed == 1
    client = start(tmp_path / "lib")
    answer = client.get("api/videos")
    assert answer.text.isascii()
    (video,) = answer.json()["videos"]
    assert video["path"].encode("utf-8", "surrogateescape") == os.fsencode(path)
    assert client.get(f"media/{video['id']}").content == path.read_bytes()
    assert video["duration_s"] == pytest.approx(SECONDS, abs=0.2)
