"""The API answers what the library would, and says in one line what it cannot."""

from __future__ import annotations

import io
import time

import pytest
from PIL import Image

from hgrkit import Retriever
from hgrkit.parsing import LarkParser
from tests.serve.live_server import write_video

QUERY = "a red ball rolls over a green field"


@pytest.fixture(scope="module")
def retriever(made):
    with Retriever.open(made.library) as retriever:
        yield retriever


def search(client, **asked):
    answer = client.post("api/search", json=asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


def refused(client, status, **asked):
    answer = client.post("api/search", json=asked)
    assert answer.status_code == status, answer.text
    assert set(answer.json()) == {"error"}
    assert "\n" not in answer.json()["error"]
    return answer.json()["error"]


def without_time(result):
    return {name: value for name, value in result.items() if name != "elapsed_ms"}


def as_searched(result):
    """An answer of the server as `hgrkit search --json` prints it."""
    own = {"id", "name", "duration_s", "media", "play", "thumbnail"}
    hits = [{name: value for name, value in hit.items() if name not in own} for hit in result["hits"]]
    return {**without_time(result), "hits": hits}


def like(value):
    """To compare with: another process may add in another order."""
    if isinstance(value, dict):
        return {name: like(one) for name, one in value.items()}
    if isinstance(value, list):
        return [like(one) for one in value]
    return pytest.approx(value, abs=1e-5) if isinstance(value, float) else value


def graph(text):
    return LarkParser().parse_batch([text])[0]


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"k": 2},
        {"per_video": 3, "k": 8},
        {"where": "camera = 'front' or duration_s > 100"},
        {"without": ["a dog"]},
        {"exact": True},
    ],
    ids=str,
)
def test_a_search_answers_what_the_library_does(client, retriever, asked):
    expected = retriever.search(QUERY, **asked).to_dict()
    assert as_searched(search(client, query=QUERY, **asked)) == like(without_time(expected))


def test_a_hit_says_its_video_and_where_it_is_played(client, made, ids):
    hits = search(client, query=QUERY)["hits"]
    assert {hit["id"] for hit in hits} == {ids[name] for name in ids if name != "broken.mp4"}
    for hit in hits:
        assert ids[hit["name"]] == hit["id"]
        assert hit["video"] == str(made.videos / hit["name"])
        assert hit["media"] == f"media/{hit['id']}"
        assert client.get(hit["thumbnail"]).headers["content-type"] == "image/jpeg"
        assert client.get(hit["play"], follow_redirects=True).status_code == 200


def test_confidence_is_as_likely_as_the_library_says_and_can_be_asked_for(client, retriever):
    best = retriever.search(QUERY).hits[0].confidence
    assert search(client, query=QUERY, min_confidence=min(1, best + 0.01))["hits"] == []
    assert search(client, query=QUERY, min_confidence=0)["hits"][0]["confidence"] == pytest.approx(best, abs=1e-5)


def test_parse_returns_the_graph_and_search_takes_it_back(client):
    answer = client.post("api/parse", json={"text": QUERY})
    assert answer.json() == graph(QUERY).to_dict()
    as_words, as_graph = search(client, query=QUERY), search(client, graph=answer.json())
    assert as_searched(as_graph) == like(as_searched(as_words))


def test_a_phrase_is_excluded_by_the_graph(client, retriever):
    edited = graph(QUERY).to_dict()
    ball = next(node["id"] for node in edited["nodes"] if node["role"] == "ARG1")
    edited["excluded"] = [ball]
    result = search(client, graph=edited)
    assert [phrase["node_ids"] for phrase in result["hits"][0]["excluded"]] == [[ball]]
    assert ball not in {phrase["node_id"] for phrase in result["hits"][0]["phrases"]}


def test_a_changed_role_changes_the_answer(client):
    edited = graph(QUERY).to_dict()
    before = search(client, graph=edited)["hits"]
    for node in edited["nodes"]:
        node["role"] = "ARG0" if node["role"] == "ARG1" else node["role"]
    edited["edges"] = [
        [action, node, "ARG0" if role == "ARG1" else role] for action, node, role in edited["edges"]
    ]
    after = search(client, graph=edited)["hits"]
    assert "ARG0" in {phrase["role"] for phrase in after[0]["phrases"]}
    assert {hit["name"]: hit["score"] for hit in after} != {hit["name"]: hit["score"] for hit in before}


@pytest.mark.parametrize("way", ["query", "graph"])
def test_a_phrase_that_is_off_is_not_asked(client, retriever, way):
    read = graph(QUERY)
    ball = next(node for node in read.nodes if node.role == "ARG1")
    asked = {"query": QUERY} if way == "query" else {"graph": read.to_dict()}
    result = search(client, **asked, off=[ball.id])
    expected = retriever.search(read.without(read.phrase(ball))).to_dict()
    assert as_searched(result)["hits"] == like(expected["hits"])


def test_level_weights_weigh_the_levels_and_hits_have_no_confidence(client, retriever):
    result = search(client, query=QUERY, level_weights={"event": 0, "action": 0, "entity": 1})
    for hit in result["hits"]:
        assert hit["score"] == pytest.approx(hit["levels"]["entity"], abs=1e-6)
        assert hit["confidence"] is None
    assert result["matched"] is True
    error = refused(client, 400, query=QUERY, level_weights={"event": 1}, min_confidence=0.5)
    assert "min_confidence" in error


def test_more_like_a_moment_leaves_its_own_video_out(client, ids):
    like = {"video": ids["plain.mp4"], "start_s": 0, "end_s": 1.5}
    hits = search(client, like=like)["hits"]
    assert len(hits) == 5
    assert ids["plain.mp4"] not in {hit["id"] for hit in hits}
    assert all(hit["likeness"] is not None for hit in hits)


def test_a_moment_beyond_its_video_is_no_example(client, ids):
    for start_s, end_s in ((4, 5), (2, 1)):
        like = {"video": ids["plain.mp4"], "start_s": start_s, "end_s": end_s}
        assert "the moment of like" in refused(client, 400, like=like)


def test_an_uploaded_video_finds_itself_and_leaves_no_file(client, made):
    content = (made.videos / "film.mkv").read_bytes()
    answer = client.post("api/examples", files={"file": ("../../my film.mkv", content)})
    kept = answer.json()
    assert (answer.status_code, kept["name"], kept["kind"]) == (200, "my film.mkv", "video")
    result = search(client, like={"example": kept["token"]}, k=1)
    assert result["hits"][0]["name"] == "film.mkv"
    assert result["like"] == "my film.mkv"
    both = search(client, query=QUERY, like={"example": kept["token"]}, k=1)
    assert both["graph"] is not None
    assert both["hits"][0]["likeness"] is not None


def test_an_uploaded_picture_is_an_example(client):
    buffer = io.BytesIO()
    Image.new("RGB", (60, 40), (200, 30, 30)).save(buffer, "PNG")
    kept = client.post("api/examples", files={"file": ("red.png", buffer.getvalue())}).json()
    assert kept["kind"] == "picture"
    assert len(search(client, like={"example": kept["token"]})["hits"]) == 6


def test_what_is_uploaded_and_is_no_picture_is_refused_by_its_own_name(client):
    answer = client.post("api/examples", files={"file": ("notes.txt", b"hello")})
    assert answer.status_code == 400
    assert "'notes.txt'" in answer.json()["error"]
    assert "/tmp" not in answer.json()["error"]


def test_an_example_is_forgotten_in_time_and_when_there_are_too_many(start, made):
    client = start(limits={"examples": 1, "example_s": 2.0})
    content = (made.videos / "plain.mp4").read_bytes()
    first, second = (client.post("api/examples", files={"file": ("a.mp4", content)}).json() for _ in range(2))
    assert "upload it again" in refused(client, 404, like={"example": first["token"]})
    search(client, like={"example": second["token"]})
    time.sleep(2.1)
    refused(client, 404, like={"example": second["token"]})


def test_videos_are_listed_in_pages_with_reasons_and_tags(client):
    every = client.get("api/videos").json()
    assert every["total"] == len(every["videos"]) == 7
    assert [video["path"] for video in every["videos"]] == sorted(video["path"] for video in every["videos"])
    pages = [client.get("api/videos", params={"limit": 3, "offset": at}).json()["videos"] for at in (0, 3, 6, 9)]
    assert [video for page in pages for video in page] == every["videos"]
    by_name = {video["name"]: video for video in every["videos"]}
    assert by_name["broken.mp4"]["state"] == "failed"
    assert by_name["broken.mp4"]["reason"]
    assert by_name["plain.mp4"]["tags"] == {"camera": "front", "year": 2026}
    assert by_name["plain.mp4"]["duration_s"] == pytest.approx(3, abs=0.2)
    assert client.get(f"api/videos/{by_name['plain.mp4']['id']}").json() == by_name["plain.mp4"]


def test_columns_are_those_that_filters_know(client):
    columns = {column["name"]: column for column in client.get("api/columns").json()["columns"]}
    assert columns["camera"]["values"] == [{"value": "back", "videos": 1}, {"value": "front", "videos": 1}]
    assert (columns["camera"]["type"], columns["year"]["type"]) == ("text", "number")
    assert columns["duration_s"] == {"name": "duration_s", "type": "number", "tag": False, "values": []}
    for name in columns:
        search(client, query=QUERY, where=f"{name} is not null")


def test_health_says_what_there_is(client, retriever):
    health = client.get("api/health").json()
    assert (health["status"], health["videos"], health["indexed"], health["failed"]) == ("ok", 7, 6, 1)
    assert health["library"]["token"] == retriever.library.version.token
    assert health["calibrated"] is True


def test_several_libraries_are_searched_as_one(start, made, tmp_path):
    other = tmp_path / "other"
    with Retriever.create(other) as retriever:
        retriever.index(write_video(tmp_path / "extra.mp4"))
    with Retriever.open([made.library, other]) as both:
        expected = both.search(QUERY).to_dict()
    client = start(made.library, other)
    assert as_searched(search(client, query=QUERY)) == like(without_time(expected))
    assert client.get("api/videos").json()["total"] == 8


@pytest.mark.parametrize(
    ("status", "asked", "words"),
    [
        (400, {}, "a query must be"),
        (400, {"query": " "}, ""),
        (400, {"query": "a dog", "graph": {}}, "one of"),
        (400, {"graph": {"tokens": ["a"]}}, "not a role graph"),
        (400, {"query": "a dog", "off": [99]}, "no ids"),
        (400, {"query": "a dog", "off": [1]}, "leave one on"),
        (400, {"query": "a dog", "where": "nothing = 1"}, "unknown column"),
        (400, {"query": "a dog", "where": "1; drop table videos"}, ""),
        (400, {"query": "a dog", "without": ["no dog"]}, "without names"),
        (400, {"like": {}}, "one of"),
        (400, {"like": {"video": "0" * 24, "example": "x"}}, "one of"),
        (404, {"like": {"video": "0" * 24}}, "no video"),
        (404, {"like": {"example": "unknown"}}, "upload it again"),
        (400, {"query": "a dog", "level_weights": {"event": 0, "action": 0, "entity": 0}}, "not all 0"),
        (400, {"query": "a dog", "where": "(" * 1900 + "1" + ")" * 1900}, "nested"),
        (400, {"graph": {"a": {"b": [[[[]]]]}}}, "not a role graph"),
        (422, {"query": "a dog", "k": 101}, "body.k"),
        (422, {"query": "a dog", "k": 0}, "body.k"),
        (422, {"query": "a dog", "k": "5"}, "body.k"),
        (422, {"query": "a dog", "per_video": 21}, "body.per_video"),
        (422, {"query": "a" * 2001}, "body.query"),
        (422, {"query": "a dog", "without": ["a"] * 21}, "body.without"),
        (422, {"query": "a dog", "min_confidence": 2}, "body.min_confidence"),
        (422, {"query": "a dog", "limit": 2}, "body.limit"),
    ],
)
def test_a_mistake_is_told_in_one_line(client, status, asked, words):
    assert words in refused(client, status, **asked)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'"x"', b'{"query": NaN}', b'{"query": "\\ud800"}', b"\xff\xfe"]
)
def test_a_body_that_is_no_question_is_refused(client, body):
    answer = client.post("api/search", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422)
    assert set(answer.json()) == {"error"}


@pytest.mark.parametrize("path", ["api/nothing", "media/x", "api/videos/" + "0" * 24, "api/thumbnail/" + "f" * 24])
def test_what_is_not_there_is_refused_in_json(client, path):
    answer = client.get(path)
    assert answer.status_code in (404, 422)
    assert set(answer.json()) == {"error"}
    assert client.put("api/search").status_code == 405
