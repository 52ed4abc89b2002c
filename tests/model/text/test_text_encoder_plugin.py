"""Text encoders as plugins: found by name, held to their contract, refused in one line."""

from __future__ import annotations

import numpy as np
import pytest

from hgrkit.errors import ConfigError, PluginError, TextEncoderNotFoundError
from hgrkit.model.text.text_encoder_plugin import encode_texts, load_text_encoder, omitted_tokens
from hgrkit.testing import TextEncoderPluginContract
from tests.letter_encoder import LetterTexts

GROUP = "hgrkit.text_encoders"
SOURCE = """
from tests.letter_encoder import LetterTexts
def thing(device, size="16"):
    return LetterTexts(int(size))
"""


class TestLetterTexts(TextEncoderPluginContract):
    text_encoder = LetterTexts()


def test_an_encoder_is_found_by_name_and_made_for_a_device(install_plugin):
    install_plugin(GROUP, "letters", source=SOURCE)
    assert load_text_encoder("letters", "cpu").embed_dim == 16


def test_what_follows_a_colon_is_given_to_the_factory(install_plugin):
    install_plugin(GROUP, "letters", source=SOURCE)
    assert load_text_encoder("letters:5", "cpu").embed_dim == 5


def test_an_instance_is_taken_as_it_is():
    encoder = LetterTexts()
    assert load_text_encoder(encoder) is encoder


def test_an_unknown_name_lists_what_is_installed(install_plugin):
    install_plugin(GROUP, "letters", source=SOURCE)
    with pytest.raises(TextEncoderNotFoundError, match=r"no text encoder named 'leters'.*Did you mean 'letters'"):
        load_text_encoder("leters", "cpu")


def test_a_device_that_is_not_there_is_refused(install_plugin):
    install_plugin(GROUP, "letters", source=SOURCE)
    with pytest.raises(ConfigError, match="no device 'tpu'"):
        load_text_encoder("letters", "tpu")


def test_a_plugin_that_fails_is_named(install_plugin):
    install_plugin(GROUP, "letters", source="def thing(device):\n    raise OSError('no weights')")
    with pytest.raises(PluginError, match=r"'letters' .*OSError: no weights"):
        load_text_encoder("letters", "cpu")


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (LetterTexts, "not an instance; give LetterTexts"),
        (object(), "without embed_dim, fingerprint, encode"),
        (LetterTexts(0), "embed_dim of the text encoder that was given"),
    ],
)
def test_what_is_no_text_encoder_is_refused(given, reason):
    with pytest.raises(PluginError, match=reason):
        load_text_encoder(given)


class Wrong(LetterTexts):
    def __init__(self, made):
        super().__init__()
        self.made = made

    def encode(self, texts):
        return self.made


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (np.zeros((1, 16)), r"must return numbers \[2, 16\] for 2 texts, got float64 \[1, 16\]"),
        (np.full((2, 16), np.nan), "NaN or infinite"),
        ("words", "must return numbers"),
    ],
)
def test_vectors_that_break_the_contract_are_refused(made, reason):
    with pytest.raises(PluginError, match=reason):
        encode_texts(Wrong(made), ["a dog", "a cat"])


def test_an_encoder_that_does_not_say_reads_every_token():
    class Silent(LetterTexts):
        omitted_tokens = None

    assert omitted_tokens(Silent(), ["a dog"] * 3) == [0, 0, 0]
    assert omitted_tokens(LetterTexts(), ["a dog", "x" * 200]) == [0, 100]
