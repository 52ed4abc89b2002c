"""What of a question a model hears: its content, and what it excludes by itself."""

from __future__ import annotations

import numpy as np
import pytest

from hgrkit.library.records import QueryEmbeddings
from hgrkit.model.query.encoder import EmbeddedQuery
from hgrkit.model.query.question import put_question
from hgrkit.model.text.graph_selection import Omitted
from hgrkit.parsing.lark.parser import LarkParser

PARSER = LarkParser()


class Ear:
    """Stands for a model's query side; keeps what it is given to embed."""

    def __init__(self):
        self.heard = []

    def embed(self, graphs, sentences=None):
        self.heard += [graph.text for graph in graphs]
        empty = np.zeros((0, 2))
        return [
            EmbeddedQuery(
                embeddings=QueryEmbeddings(event=np.ones(2), action=empty, entity=empty), actions=(), entities=()
            )
            for _ in graphs
        ], Omitted()


@pytest.mark.parametrize(
    ("text", "heard"),
    [
        ("a man playing guitar", ["a man playing guitar"]),
        ("find shots of a man playing guitar", ["a man playing guitar"]),
        ("show me a street without cars", ["cars", "a street"]),
        ("no people", ["people"]),
    ],
)
def test_a_model_hears_what_is_wanted_and_what_is_excluded_each_by_itself(text, heard):
    ear = Ear()
    question = put_question(ear, text, lambda: PARSER)
    assert ear.heard == heard
    assert question.graph is not None
    assert question.graph.text == text
    assert len(question.query.embeddings.excluded) == len(question.phrases)
