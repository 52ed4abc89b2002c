"""Search results as plain JSON: the shape that `hgrkit search --json` prints."""

from __future__ import annotations

import json

import attrs
import pytest

from hgrkit.graph import RoleGraph
from hgrkit.levels import PerLevel
from hgrkit.results import Hit, Phrase, SearchResult, signed

GRAPH = RoleGraph.from_dict(
    {
        "tokens": ["a", "dog", "runs"],
        "nodes": [{"id": 1, "role": "V", "span": [2, 3]}, {"id": 2, "role": "ARG0", "span": [0, 2]}],
        "edges": [[1, 2, "ARG0"]],
    }
)

PHRASE = Phrase(
    node_id=2,
    text="a dog",
    role="ARG0",
    level="entity",
    similarity=0.5,
    times_s=(0.0, 0.5, 1.0),
    weights=(0.25, 0.5, 0.25),
)

HIT = Hit(
    rank=1,
    video="videos/dog.mp4",
    start_s=0.25,
    end_s=1.5,
    score=0.4,
    levels=PerLevel(event=0.3, action=0.4, entity=0.5),
    phrases=(PHRASE,),
)

RESULT = SearchResult(query="a dog runs", graph=GRAPH, hits=(HIT,), elapsed_ms=1.25)


def test_a_result_has_exactly_the_documented_shape():
    assert RESULT.to_dict() == {
        "query": "a dog runs",
        "graph": {
            "tokens": ["a", "dog", "runs"],
            "nodes": [{"id": 1, "role": "V", "span": [2, 3]}, {"id": 2, "role": "ARG0", "span": [0, 2]}],
            "edges": [[1, 2, "ARG0"]],
            "excluded": [],
        },
        "like": None,
        "hits": [
            {
                "rank": 1,
                "video": "videos/dog.mp4",
                "start_s": 0.25,
                "end_s": 1.5,
                "score": 0.4,
                "likeness": None,
                "levels": {"event": 0.3, "action": 0.4, "entity": 0.5},
                "phrases": [
                    {
                        "node_id": 2,
                        "text": "a dog",
                        "role": "ARG0",
                        "level": "entity",
                        "similarity": 0.5,
                        "times_s": [0.0, 0.5, 1.0],
                        "weights": [0.25, 0.5, 0.25],
                    }
                ],
            }
        ],
        "exact": True,
        "notes": [],
        "elapsed_ms": 1.25,
    }


def test_keys_come_in_the_documented_order():
    record = RESULT.to_dict()
    assert list(record) == ["query", "graph", "like", "hits", "exact", "notes", "elapsed_ms"]
    assert list(record["hits"][0]) == [
        "rank",
        "video",
        "start_s",
        "end_s",
        "score",
        "likeness",
        "levels",
        "phrases",
    ]
    assert list(record["hits"][0]["levels"]) == ["event", "action", "entity"]


def test_json_carries_a_result_unchanged():
    assert json.loads(json.dumps(RESULT.to_dict(), allow_nan=False)) == RESULT.to_dict()


def test_a_result_without_hits_is_a_result():
    assert attrs.evolve(RESULT, hits=()).to_dict()["hits"] == []


def test_a_level_that_was_not_asked_for_is_null_and_a_dash():
    hit = attrs.evolve(HIT, levels=PerLevel(event=0.3, action=None, entity=None))
    assert json.loads(json.dumps(hit.to_dict()))["levels"] == {"event": 0.3, "action": None, "entity": None}
    assert signed(hit.levels.action) == "-"


def test_notes_are_in_the_record_and_in_a_notebook():
    result = attrs.evolve(RESULT, notes=("The question has 3 words; the model compares the first <2>.",))
    assert result.to_dict()["notes"] == list(result.notes)
    assert "compares the first &lt;2&gt;." in result._repr_html_()


def test_the_best_time_is_that_of_the_heaviest_frame():
    assert PHRASE.best_time_s == 0.5


def test_of_equal_frames_the_first_is_the_best():
    assert attrs.evolve(PHRASE, weights=(0.1, 0.45, 0.45)).best_time_s == 0.5


def test_results_are_frozen():
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        HIT.rank = 2


def test_a_notebook_shows_a_table_of_escaped_words():
    hit = attrs.evolve(HIT, video="<b>dog</b> & cat.mp4")
    shown = attrs.evolve(RESULT, query="<i>a dog</i>", hits=(hit,))._repr_html_()
    assert "&lt;b&gt;dog&lt;/b&gt; &amp; cat.mp4" in shown
    assert "<i>" not in shown
    assert hit._repr_html_() in shown
    assert "<b>+0.50</b> at 0:00.5" in shown
