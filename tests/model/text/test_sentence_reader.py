"""Reading sentences with a frozen transformer: pieces and words, what is not read, which files are refused."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper
from tokenizers import Tokenizer

from hgrkit.errors import CheckpointError
from hgrkit.model.text.sentence_reader import MAX_PIECES, SentenceReader
from tests.tiny_transformer import make_tokenizer


@pytest.fixture(scope="module")
def reader(transformer):
    return transformer.reader()


def unit(vector):
    return vector / np.linalg.norm(vector)


def assert_same(found, expected):
    np.testing.assert_allclose(found, expected, atol=2e-6, rtol=0)


def test_a_word_is_the_mean_of_its_pieces_and_a_sentence_the_mean_of_all(reader, transformer):
    read = reader.read([["A", "woman", "throws", "balls"]])
    states = transformer.states(["[CLS]", "a", "woman", "throw", "##s", "ball", "##s", "[SEP]"])
    assert_same(read.words[0], [states[1], states[2], states[3:5].mean(axis=0), states[5:7].mean(axis=0)])
    assert_same(read.sentence[0], unit(states.mean(axis=0)))
    assert (read.words.dtype, read.sentence.dtype) == (np.float32, np.float32)
    assert reader.hidden_size == states.shape[1]


def test_shorter_sentences_are_padded_with_zeros(reader):
    read = reader.read([["a", "dog", "runs"], ["snow"]])
    assert read.words.shape == (2, 3, reader.hidden_size)
    assert not read.words[1, 1:].any()
    assert repr(read) == f"SentenceStates(sentences=2, words=3, hidden_size={reader.hidden_size})"


def test_a_word_with_a_space_stays_one_word(reader, transformer):
    states = transformer.states(["[CLS]", "red", "dog", "snow", "[SEP]"])
    assert_same(reader.read([["red dog", "snow"]]).words[0], [states[1:3].mean(axis=0), states[3]])


@given(
    st.lists(
        st.lists(st.sampled_from(["a", "dog", "runs", "xyz", "", "\u200b", "\ud800"]) | st.text(), max_size=12),
        min_size=1,
        max_size=5,
    )
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_neighbours_in_a_batch_change_nothing_and_everything_is_finite(reader, sentences):
    together = reader.read(sentences)
    assert np.isfinite(together.words).all()
    assert np.isfinite(together.sentence).all()
    for number, sentence in enumerate(sentences):
        alone = reader.read([sentence])
        assert_same(alone.words[0], together.words[number, : len(sentence)])
        assert_same(alone.sentence[0], together.sentence[number])


def test_no_sentences_give_no_states(reader):
    read = reader.read([])
    assert (read.words.shape, read.sentence.shape) == ((0, 0, reader.hidden_size), (0, reader.hidden_size))


def test_words_past_the_limit_are_not_read(reader):
    fits = MAX_PIECES - 2  # beside the two end marks
    read = reader.read([["dog"] * fits + ["snow"] * 10])
    assert read.words[0, :fits].any(axis=1).all()
    assert not read.words[0, fits:].any()


def test_end_marks_are_read_however_long_a_sentence_is(reader):
    fits = MAX_PIECES - 2
    long, cut = reader.read([["dog"] * (fits + 10)]), reader.read([["dog"] * fits])
    assert_same(long.sentence, cut.sentence)
    assert_same(long.words[:, :fits], cut.words)


def test_a_word_at_the_limit_is_the_mean_of_the_pieces_that_were_read(reader, transformer):
    words = ["dog"] * (MAX_PIECES - 3) + ["throws", "snow"]
    read = reader.read([words])
    states = transformer.states(["[CLS]", *["dog"] * (MAX_PIECES - 3), "throw", "[SEP]"])
    assert_same(read.words[0, -2], states[-2])
    assert not read.words[0, -1].any()


def test_lone_surrogates_are_read_as_characters_of_no_meaning(reader):
    odd, plain = reader.read([["a", "\ud83d", "dog\udcff"]]), reader.read([["a", "?", "dog?"]])
    assert_same(odd.words, plain.words)
    assert_same(odd.sentence, plain.sentence)


@pytest.mark.parametrize("word", ["", " ", "\x00", "\ufffd", "\u200b"])
def test_a_word_that_the_tokeniser_drops_has_zeros_and_moves_no_other(reader, word):
    with_it, without = reader.read([["a", word, "dog"]]), reader.read([["a", "dog"]])
    assert not with_it.words[0, 1].any()
    assert_same(with_it.words[0, [0, 2]], without.words[0])
    assert_same(with_it.sentence, without.sentence)


def test_the_tokenisers_own_padding_and_truncation_do_not_count(transformer, tmp_path):
    tokenizer = Tokenizer.from_file(str(transformer.tokenizer))
    tokenizer.enable_padding(length=16)
    tokenizer.enable_truncation(4)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    reader = SentenceReader(model=transformer.model, tokenizer=tmp_path / "tokenizer.json")
    sentence = ["a", "woman", "throws", "a", "ball"]
    found, expected = reader.read([sentence]), transformer.reader().read([sentence])
    assert_same(found.words, expected.words)
    assert_same(found.sentence, expected.sentence)


def test_nothing_to_read_gives_zeros(transformer, tmp_path):
    make_tokenizer(end_marks=False).save(str(tmp_path / "tokenizer.json"))
    reader = SentenceReader(model=transformer.model, tokenizer=tmp_path / "tokenizer.json")
    read = reader.read([["", "\x00"], ["dog"]])
    assert not read.words[0].any()
    assert not read.sentence[0].any()
    assert np.linalg.norm(read.sentence[1]) == pytest.approx(1, abs=1e-6)


# files ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", ["model", "tokenizer"])
def test_a_missing_file_is_named(transformer, tmp_path, missing):
    files = {"model": transformer.model, "tokenizer": transformer.tokenizer, missing: tmp_path / "gone"}
    with pytest.raises(CheckpointError, match=rf"the text encoder needs {tmp_path / 'gone'}, which is missing"):
        SentenceReader(**files)


@pytest.mark.parametrize("broken", ["model", "tokenizer"])
@pytest.mark.parametrize("content", [b"", b"{}", b"\x00\xff" * 100])
def test_a_damaged_file_is_refused_in_one_line(transformer, tmp_path, broken, content):
    (tmp_path / "broken").write_bytes(content)
    files = {"model": transformer.model, "tokenizer": transformer.tokenizer, broken: tmp_path / "broken"}
    refused = "broken (cannot be loaded|is not JSON|is not an ONNX file)"
    with pytest.raises(CheckpointError, match=refused) as caught:
        SentenceReader(**files)
    assert "\n" not in str(caught.value)


def save_identity(
    path, *, inputs=("piece_ids", "piece_mask"), output="states", shape=("C", "L", 8), metadata=None
):
    """A graph that only has the right outside, or nearly so."""
    infos = [helper.make_tensor_value_info(name, TensorProto.INT64, ["C", "L"]) for name in inputs]
    out = helper.make_tensor_value_info(output, TensorProto.FLOAT, shape)
    nodes = [
        helper.make_node("Cast", [inputs[0]], ["number"], to=TensorProto.FLOAT),
        helper.make_node("Expand", ["number", "rank"], [output]),
    ]
    rank = helper.make_tensor("rank", TensorProto.INT64, [len(shape)], [1] * len(shape))
    graph = helper.make_graph(nodes, "identity", infos, [out], [rank])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, metadata or {})
    onnx.save(model, path)


@pytest.mark.parametrize(
    ("outside", "names"),
    [
        ({"inputs": ("input_ids", "attention_mask")}, r"\['attention_mask', 'input_ids', 'states'\]"),
        ({"inputs": ("piece_ids",)}, r"\['piece_ids', 'states'\]"),
        ({"inputs": ("piece_ids", "piece_mask", "types")}, r"\['piece_ids', 'piece_mask', 'states', 'types'\]"),
        ({"output": "last_hidden_state"}, r"\['last_hidden_state', 'piece_ids', 'piece_mask'\]"),
    ],
    ids=["other inputs", "no mask", "one more", "other output"],
)
def test_a_graph_with_other_inputs_or_outputs_is_refused_with_their_names(transformer, tmp_path, outside, names):
    save_identity(tmp_path / "model.onnx", **outside)
    with pytest.raises(CheckpointError, match=rf"must map piece_ids and piece_mask to states, it has {names}"):
        SentenceReader(model=tmp_path / "model.onnx", tokenizer=transformer.tokenizer)


@pytest.mark.parametrize("shape", [("C", "L"), ("C", "L", "H"), ("C", "L", 1, 8), ("C", "L", 1 << 40)], ids=str)
def test_states_of_another_shape_are_refused(transformer, tmp_path, shape):
    save_identity(tmp_path / "model.onnx", shape=shape)
    with pytest.raises(CheckpointError, match=r"must make states \[C, L, H\] of a fixed H up to 65536, it makes"):
        SentenceReader(model=tmp_path / "model.onnx", tokenizer=transformer.tokenizer)


def test_a_graph_says_how_many_numbers_are_the_last_layers(transformer, tmp_path):
    save_identity(tmp_path / "model.onnx", metadata={"last_layer_size": "3"})
    reader = SentenceReader(model=tmp_path / "model.onnx", tokenizer=transformer.tokenizer)
    assert (reader.hidden_size, reader.last_layer_size) == (8, 3)


def test_a_graph_that_does_not_say_has_one_layer(transformer):
    reader = transformer.reader()
    assert reader.last_layer_size == reader.hidden_size


@pytest.mark.parametrize("stated", ["0", "9", "-1", "half", ""])
def test_an_absurd_size_of_the_last_layer_is_refused(transformer, tmp_path, stated):
    save_identity(tmp_path / "model.onnx", metadata={"last_layer_size": stated})
    with pytest.raises(CheckpointError, match=f"must state a last_layer_size from 1 to 8, it states '{stated}'"):
        SentenceReader(model=tmp_path / "model.onnx", tokenizer=transformer.tokenizer)


def test_words_that_are_one_piece_or_in_the_lexicon_are_known(transformer):
    reader = transformer.reader()
    assert all(map(reader.knows, ("dog", "throw", "throws", "Zebra")))
    assert not any(map(reader.knows, ("throwssss", "blorp")))


def test_a_piece_that_the_transformer_does_not_have_is_an_error_of_one_line(transformer, tmp_path):
    record = json.loads(transformer.tokenizer.read_text(encoding="utf-8"))
    record["model"]["vocab"]["dog"] = 4_000_000_000
    (tmp_path / "tokenizer.json").write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(CheckpointError, match="cannot be computed") as caught:
        SentenceReader(model=transformer.model, tokenizer=tmp_path / "tokenizer.json").read([["dog"]])
    assert "\n" not in str(caught.value)


def test_states_of_another_size_than_stated_or_not_finite_are_refused(transformer, tmp_path):
    save_identity(tmp_path / "model.onnx")
    reader = SentenceReader(model=tmp_path / "model.onnx", tokenizer=transformer.tokenizer)
    with pytest.raises(CheckpointError, match=r"cannot be computed|must make finite float32 states"):
        reader.read([["dog"]])


def test_many_sentences_are_read_as_one_by_one(transformer, monkeypatch):
    sentences = [["a", "dog"], ["the", "dog"], ["red", "snow"]] * 3
    reader = transformer.reader()
    together = reader.read(sentences)
    monkeypatch.setattr("hgrkit.model.text.sentence_reader._PIECES_AT_ONCE", 1)
    assert_same(reader.read(sentences).words, together.words)
