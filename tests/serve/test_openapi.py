"""Requests made from the API's own document, good and bad: nothing fails, and answers are as it describes them."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings

from tests.serve.live_server import ids_of, start_process, stop_process

schemathesis = pytest.importorskip("schemathesis", reason="needs schemathesis, of the extra 'dev'")
checks = pytest.importorskip("schemathesis.specs.openapi.checks")

ROUTES = {
    ("post", "/api/search"), ("post", "/api/parse"), ("post", "/api/examples"), ("get", "/api/columns"),
    ("get", "/api/health"), ("get", "/api/videos"), ("get", "/api/videos/{video}"), ("get", "/media/{video}"),
    ("get", "/api/play/{video}"), ("get", "/play/{video}"), ("get", "/api/thumbnail/{video}"),
    ("post", "/api/index"), ("get", "/api/index"), ("delete", "/api/index"),
}  # fmt: skip


@pytest.fixture(scope="module")
def fuzzed(made, tmp_path_factory):
    """A server that may index one folder, which is empty: what is generated may be any folder's name."""
    running = start_process(made.library, "--allow-folder", tmp_path_factory.mktemp("empty"))
    yield running
    stop_process(running)


@pytest.fixture(scope="module")
def document(fuzzed):
    return schemathesis.openapi.from_url(f"{fuzzed.address}openapi.json")


def test_the_document_describes_every_route_and_its_answers(client):
    document = client.get("openapi.json").json()
    operations = {
        (method, path): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    assert set(operations) == ROUTES
    for operation in operations.values():
        good = next(answer for status, answer in operation["responses"].items() if status.startswith("2"))
        assert all(content.get("schema", {"of": "bytes"}) for content in good["content"].values())
        assert operation["responses"]["4XX"]["content"]["application/json"]["schema"]


@pytest.mark.parametrize("mode", ["positive", "negative"])
@pytest.mark.parametrize(("method", "path"), sorted(ROUTES))
def test_what_the_document_allows_and_what_it_does_not_is_answered_as_it_says(document, method, path, mode):
    operation = document[path][method]
    if mode == "negative" and not (operation.body or operation.query or operation.path_parameters):
        return  # nothing of it can be wrong

    @given(operation.as_strategy(generation_mode=schemathesis.GenerationMode(mode)))
    @settings(
        max_examples=3 if "examples" in path else 12,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    def ask(case):
        # No document says that a question has words or an example, or that a moment begins before it ends.
        case.call_and_validate(timeout=60, excluded_checks=[checks.positive_data_acceptance])

    ask()


def test_what_is_asked_of_a_real_video_and_a_real_question_is_answered_as_the_document_says(fuzzed, document):
    """Ids that are made up lead to no video."""
    asked = [("get", path, {}) for _, path in ROUTES if "{video}" in path]
    questions = (
        {"query": "a ball without a dog", "per_video": 2, "k": 3},
        {"query": "ball", "like": {"video": "{video}"}},
        {"like": {"video": "{video}", "start_s": 1, "end_s": 2}},
    )
    asked += [("post", "/api/search", question) for question in questions]
    with fuzzed.client() as client:
        video = ids_of(client)["old.avi"]
    for method, path, question in asked:
        operation = document[path][method]
        query = {"start": 0.0, "end": 1.0} if "play" in path else {}
        body = json.loads(
            json.dumps({"body": question, "media_type": "application/json"}).replace("{video}", video)
        )
        case = operation.Case(
            path_parameters={"video": video} if "{video}" in path else {},
            query=query,
            **(body if question else {}),
        )
        assert case.call_and_validate(timeout=60).status_code == 200
