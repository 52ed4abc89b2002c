"""Sentences as they are read once, foils of captions, and captions of one clip."""

from __future__ import annotations

import json

import numpy as np
import torch
from onnx import TensorProto, helper, numpy_helper, save

from hgrkit.levels import PerLevel
from hgrkit.model.text.sentence_encoder import SentenceTextEncoder
from hgrkit.model.text.sentence_reader import SentenceReader

CAPTIONS = {
    "one.jpg": [
        (3, "A man rides a brown horse on the beach ."),
        (4, "???"),
        (7, "A woman in a red coat rides a bicycle down the street ."),
    ],
    "two.jpg": [(9, "A woman cuts an onion .")],
}


def test_foils_belong_to_their_captions(scripts, model, tmp_path):
    foils = scripts.sentences.Foils.make(
        CAPTIONS, model.text, tmp_path, most={"switch_roles": 5, "replace_action": 5}
    )
    assert set(foils.of) == {3, 7, 9}
    words = {where: set(text.lower().split()) for own in CAPTIONS.values() for where, text in own}
    numbers = []
    for where, own in foils.of.items():
        numbers += own.tolist()
        for number in own:
            shared = set(foils.sentences.graphs[number].tokens) & words[where]
            assert len(shared) > max(len(shared & words[other]) for other in words if other != where)
    assert sorted(numbers) == list(range(len(foils.sentences.graphs)))
    rows, chosen = foils.draw(np.array([4, 3, 3]), np.random.default_rng(0))
    assert rows.tolist() == [1, 2]
    assert all(number in foils.of[3] for number in chosen)


def test_foils_of_a_type_are_never_more_than_its_cap(scripts, model, tmp_path):
    def made(**most):
        return len(scripts.sentences.Foils.make(CAPTIONS, model.text, tmp_path, most=most).sentences.graphs)

    actions, switched = made(replace_action=100), made(switch_roles=100)
    assert actions >= 2
    assert switched >= 1
    assert made(replace_action=1) == 1
    assert made(replace_action=1, switch_roles=100) == 1 + switched
    assert made(replace_action=actions - 1) == actions - 1


def test_captions_without_nodes_keep_their_event(scripts, model, captions, tmp_path):
    sentences = scripts.sentences.Sentences.read(captions, model.text, tmp_path)
    bare = sentences.without_nodes()
    states, batch = bare.batch(np.array([0, 1]), model.text)
    assert isinstance(states, PerLevel)
    assert not batch.action_mask.any()
    torch.testing.assert_close(states.event, sentences.states.event[:2])


def test_sentences_of_one_reader_are_never_taken_for_those_of_another(scripts, model, captions, tmp_path):
    transformer, tokenizer = model.text.reader.files
    alone = scripts.last_layer.LastLayerReader(model=transformer, tokenizer=tokenizer)
    text = type(model.text)(reader=alone, embed_dim=8)
    read = [scripts.sentences.Sentences.read(captions, each, tmp_path) for each in (model.text, text, text)]
    assert [sentences.states.event.shape[1] for sentences in read] == [768, 384, 384]


def looked_up(folder, model, seed):
    """A transformer of eight numbers a piece, whatever stands beside it."""
    folder.mkdir()
    table = np.random.default_rng(seed).standard_normal((30522, 8)).astype(np.float32)
    pieces = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["C", "T"]) for name in ("piece_ids", "piece_mask")
    ]
    states = helper.make_tensor_value_info("states", TensorProto.FLOAT, ["C", "T", 8])
    node = helper.make_node("Gather", ["table", "piece_ids"], ["states"])
    graph = helper.make_graph([node], "table", pieces, [states], [numpy_helper.from_array(table, "table")])
    opset = [helper.make_opsetid("", 17)]
    save(helper.make_model(graph, opset_imports=opset, ir_version=8), folder / "sentence.onnx")
    reader = SentenceReader(model=folder / "sentence.onnx", tokenizer=model.text.reader.files[1])
    return SentenceTextEncoder(reader=reader, embed_dim=8)


def test_two_transformers_of_equal_size_do_not_share_a_file(scripts, model, captions, tmp_path):
    (tmp_path / "cache").mkdir()
    encoders = [looked_up(tmp_path / str(seed), model, seed) for seed in (0, 1)]
    first, second, again = (
        scripts.sentences.Sentences.read(captions, encoders[which], tmp_path / "cache") for which in (0, 1, 0)
    )
    assert first.states.event.shape == second.states.event.shape
    assert not np.allclose(first.states.event, second.states.event)
    assert np.array_equal(first.states.event, again.states.event)
    assert len(list((tmp_path / "cache").iterdir())) == 2
    assert first.fingerprint == again.fingerprint != second.fingerprint


def test_paraphrases_are_two_captions_of_one_clip(scripts, model, tmp_path):
    captions = {
        "one": ["a dog runs", "the dog runs", "a dog"],
        "two": ["a cat"],
        "three": ["a man", "a guy"],
    }
    paraphrases = scripts.sentences.Paraphrases.of(captions, model.text, tmp_path)
    owner = np.repeat(np.arange(3), [3, 1, 2])
    first, second = paraphrases.pairs(5, np.random.default_rng(0))
    assert (first != second).all()
    assert np.array_equal(owner[first], owner[second])
    assert sorted(owner[first]) == [0, 2]


def test_clips_that_are_asked_about_are_left_out(scripts, tmp_path):
    (tmp_path / "all.json").write_text(json.dumps({"one.avi": ["b", "a", "b"], "two.avi": ["c"]}))
    (tmp_path / "asked.json").write_text(json.dumps({"two.mp4": ["c"]}))
    found = scripts.sentences.read_clip_captions(tmp_path / "all.json", left_out=tmp_path / "asked.json")
    assert found == {"one.avi": ["a", "b"]}
