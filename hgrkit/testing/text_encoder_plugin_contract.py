"""The rules that every text encoder plugin keeps, as tests for a plugin's own suite to inherit."""

from __future__ import annotations

import numpy as np
import pytest

from hgrkit.model.text.text_encoder_plugin import TextEncoderPlugin, omitted_tokens

__all__ = ["TextEncoderPluginContract"]

_TEXTS = (
    "a woman throws a ball to a dog",
    "snow",
    "two men in red jackets slowly carry a long ladder across an icy street while a child watches them",
    "A dog runs.",
    "a cat",
)


class TextEncoderPluginContract:
    """Inherit, and give the encoder as a class attribute or a fixture.

        class TestMyText(TextEncoderPluginContract):
            text_encoder = MyText()

    Attributes:
        text_encoder: the encoder under test.
        tolerance: how far a batch may move a text's vector, as a share of the largest number in them.
    """

    text_encoder: TextEncoderPlugin
    tolerance: float = 1e-5

    def test_it_states_its_size_and_its_fingerprint(self, text_encoder: TextEncoderPlugin) -> None:
        """`embed_dim` is a positive number, `fingerprint` a line of text."""
        assert isinstance(text_encoder, TextEncoderPlugin), (
            "must have what hgrkit.model.text.text_encoder_plugin.TextEncoderPlugin names"
        )
        assert text_encoder.embed_dim > 0, "embed_dim must be positive"
        assert text_encoder.fingerprint.strip(), "the fingerprint must not be empty"
        assert "\n" not in text_encoder.fingerprint, "the fingerprint must be one line"

    @pytest.mark.parametrize("num_texts", [0, 1, 3])
    def test_vectors_have_the_stated_shape_and_type(self, text_encoder: TextEncoderPlugin, num_texts: int) -> None:
        """Finite float32 `[B, embed_dim]` for any B."""
        vectors = text_encoder.encode(_TEXTS[:num_texts])
        expected = (num_texts, text_encoder.embed_dim)
        assert vectors.shape == expected, f"vectors must be {expected}, got {vectors.shape}"
        assert vectors.dtype == np.float32, f"vectors must be float32, got {vectors.dtype}"
        assert np.isfinite(vectors).all(), "vectors must be finite"

    def test_encoding_again_gives_the_same_vectors(self, text_encoder: TextEncoderPlugin) -> None:
        """The same batch gives the same numbers."""
        np.testing.assert_array_equal(text_encoder.encode(_TEXTS), text_encoder.encode(_TEXTS))

    def test_batch_neighbours_never_change_a_text(self, text_encoder: TextEncoderPlugin) -> None:
        """Alone, in a batch or in another order, a text has the same vector, short or long."""
        together = text_encoder.encode(_TEXTS)
        alone = np.concatenate([text_encoder.encode([text]) for text in _TEXTS])
        allowed = self.tolerance * float(np.abs(together).max())
        np.testing.assert_allclose(alone, together, rtol=0, atol=allowed)
        np.testing.assert_allclose(text_encoder.encode(_TEXTS[::-1]), together[::-1], rtol=0, atol=allowed)

    def test_different_texts_have_different_vectors(self, text_encoder: TextEncoderPlugin) -> None:
        """The encoder looks at its input."""
        vectors = text_encoder.encode(_TEXTS)
        assert len(np.unique(vectors, axis=0)) == len(_TEXTS), "different texts must not have the same vector"

    def test_any_text_is_encoded_and_what_is_cut_is_counted(self, text_encoder: TextEncoderPlugin) -> None:
        """A mark, another script and a text of 2,000 words have vectors; `omitted_tokens` is 0 or more of each."""
        texts = ["?", "ein Hund läuft", "犬", "dog " * 2000]
        vectors = text_encoder.encode(texts)
        assert vectors.shape == (len(texts), text_encoder.embed_dim), "every text must have a vector"
        assert np.isfinite(vectors).all(), "vectors must be finite"
        assert min(omitted_tokens(text_encoder, texts)) >= 0, "a number of tokens must not be negative"

    @pytest.fixture(name="text_encoder")
    def _text_encoder(self) -> TextEncoderPlugin:
        return self.text_encoder
