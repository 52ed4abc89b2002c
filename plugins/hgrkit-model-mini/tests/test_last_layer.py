"""A transformer without its early layer."""

from __future__ import annotations

import numpy as np


def test_the_last_layer_alone_is_what_the_transformer_itself_says(scripts, model, captions):
    reader = model.text.reader
    transformer, tokenizer = reader.files
    alone = scripts.last_layer.LastLayerReader(model=transformer, tokenizer=tokenizer)
    size = alone.hidden_size
    assert size == reader.last_layer_size < reader.hidden_size
    words = [caption.split() for caption in captions]
    both, last = reader.read(words), alone.read(words)
    np.testing.assert_allclose(last.words, both.words[:, :, :size], atol=1e-6)
    own = both.sentence[:, :size]
    np.testing.assert_allclose(last.sentence, own / np.linalg.norm(own, axis=1, keepdims=True), atol=1e-6)
