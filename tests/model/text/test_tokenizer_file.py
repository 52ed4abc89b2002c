"""Tokenisers of strangers: what could hang, grow or end the process is refused in one line."""

import json

import pytest

from hgrkit.errors import CheckpointError
from hgrkit.model.text.tokenizer_file import load_tokenizer, rust_errors

SOUND = {
    "version": "1.0",
    "truncation": None,
    "padding": None,
    "added_tokens": [],
    "normalizer": {"type": "Lowercase"},
    "pre_tokenizer": {"type": "Whitespace"},
    "post_processor": None,
    "decoder": None,
    "model": {"type": "WordLevel", "vocab": {"a": 0, "<UNK>": 1}, "unk_token": "<UNK>"},
}


def saved(tmp_path, **parts):
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps({**SOUND, **parts}), encoding="utf-8")
    return path


def replace(**settings):
    return {"type": "Replace", "pattern": {"String": "a"}, "content": "b", **settings}


def special(ids):
    return {"[X]": {"id": "[X]", "ids": ids, "tokens": ["[X]"] * len(ids)}}


REFUSED = {
    "a text that grows": (
        {"normalizer": replace(content="a" * 1000)},
        "more than 8 characters in the place of one",
    ),
    "a text that grows from nothing": ({"normalizer": replace(pattern={"String": ""})}, "more than 8 characters"),
    "a long beginning": ({"normalizer": {"type": "Prepend", "prepend": "a" * 1000}}, "more than 8 characters"),
    "parts that double each other": (
        {"normalizer": {"type": "Sequence", "normalizers": [replace(content="aa")] * 40}},
        "its normalizer has more than 32 parts",
    ),
    "an expression that never ends": (
        {
            "pre_tokenizer": {
                "type": "Split",
                "pattern": {"Regex": "(a+)+$"},
                "behavior": "Isolated",
                "invert": False,
            }
        },
        r"the regular expression '\(a\+\)\+\$', which is not one of the known ones",
    ),
    "a pattern of another kind": ({"normalizer": replace(pattern=["a"])}, "neither text nor a regular expression"),
    "an unknown part": ({"normalizer": {"type": "Precompiled"}}, "a part of the type 'Precompiled'"),
    "many pieces around a text": (
        {
            "post_processor": {
                "type": "TemplateProcessing",
                "single": [{}] * 5000,
                "pair": [],
                "special_tokens": {},
            }
        },
        "puts more than 16 pieces around a text",
    ),
    "a special token of many pieces": (
        {
            "post_processor": {
                "type": "TemplateProcessing",
                "single": [{"Sequence": {"id": "A", "type_id": 0}}],
                "pair": [],
                "special_tokens": special([0] * 5000),
            }
        },
        "has a special token of more than 16 pieces",
    ),
    "words without end": (
        {"model": {"type": "WordPiece", "vocab": {"a": 0}, "max_input_chars_per_word": 10**12}},
        "takes words of more than 1000 characters",
    ),
    "no object": ({"model": [1]}, "a part of the type list"),
}


def test_a_sound_tokeniser_is_loaded_without_padding_and_truncation(tmp_path):
    padding = {"strategy": {"Fixed": 1 << 40}, "direction": "Right", "pad_to_multiple_of": None}
    padding |= {"pad_id": 0, "pad_type_id": 0, "pad_token": "a"}
    tokenizer = load_tokenizer(saved(tmp_path, padding=padding))
    assert tokenizer.encode("A b").ids == [0, 1]


@pytest.mark.parametrize("what", REFUSED)
def test_what_could_hang_or_grow_is_refused(tmp_path, what):
    parts, said = REFUSED[what]
    with pytest.raises(CheckpointError, match=said) as caught:
        load_tokenizer(saved(tmp_path, **parts))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("content", [b"", b"[1]", b"\xff\xfe", b"{", b"[" * 100_000, b'{"model": null}'])
def test_what_is_no_tokeniser_is_refused_in_one_line(tmp_path, content):
    path = tmp_path / "tokenizer.json"
    path.write_bytes(content)
    with pytest.raises(CheckpointError) as caught:
        load_tokenizer(path)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    path = tmp_path / "tokenizer.json"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(CheckpointError, match="has 1048576 MB"):
        load_tokenizer(path)


def test_a_panic_is_an_error_of_one_line():
    class PanicException(BaseException):
        """What pyo3 raises where Rust panics."""

    def panics():
        raise PanicException("index out of bounds\nnote: run with RUST_BACKTRACE=1")

    with pytest.raises(CheckpointError, match=r"^it failed: index out of bounds$"):
        rust_errors(panics, "it failed")
    with pytest.raises(KeyboardInterrupt):
        rust_errors(lambda: (_ for _ in ()).throw(KeyboardInterrupt), "it failed")
