"""A second tower of text: a BiGRU over the transformer's word vectors, which reads the event alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import attrs
import torch
from build_text_encoder import published_words
from encoders import even_pooling
from material import Material
from recipe import FRAME_ENCODER, Recipe
from tokenizers import Tokenizer
from torch import Tensor, nn

from hgrkit.graph import RoleGraph
from hgrkit.levels import PerLevel
from hgrkit.matching.embeddings import TextEmbeddings
from hgrkit.matching.matcher import Matcher
from hgrkit.model.hgr_model import HgrModel, ModelOrigin
from hgrkit.model.text.graph_batch import GraphBatch
from hgrkit.model.text.sentence_reader import STATE_SCALE, SentenceReader
from hgrkit.model.text.text_encoder import TextEncoder
from hgrkit.model.text.vocabulary import Vocabulary
from hgrkit.model.video import VideoEncoder

__all__ = ["TOWER", "WordTower", "make_tower", "of_words", "word_vectors"]

TOWER = Recipe(
    embed_dim=256,
    epochs=6,
    foil_weight=0.0,
    paraphrase_weight=0.3,
    class_weight=0.0,
    level_losses=(1.0, 0.0, 0.0),
    graph_layers=0,
)
"""Half as wide as the recipe and half as long, to end on two cores."""


class WordTower(TextEncoder):
    """A `TextEncoder` that is trained as a `SentenceTextEncoder` is: what the transformer says it passes over."""

    def encode(self, _states: PerLevel[Tensor], batch: GraphBatch) -> TextEmbeddings:
        """Encode C sentences."""
        embeddings: TextEmbeddings = self(batch)
        return embeddings


def make_tower(vectors: Tensor, vocabulary: Vocabulary, feature_dim: int, recipe: Recipe) -> HgrModel:
    """An untrained tower over word vectors [W, H], which stay as they are."""
    torch.manual_seed(recipe.seed)
    tower = WordTower(
        vocabulary=vocabulary,
        embed_dim=recipe.embed_dim,
        word_dim=vectors.shape[1],
        dropout=recipe.text_dropout,
        num_roles=0,
        graph_layers=0,
        train_words=False,
        max_actions=None,
        max_entities=None,
        max_tokens=128,
    )
    tower.words.weight.data.copy_(vectors)
    return HgrModel(
        text=tower,
        video=even_pooling(VideoEncoder(feature_dim=feature_dim, embed_dim=recipe.embed_dim)),
        matcher=Matcher(level_weights=(1, 0, 0)),
        origin=ModelOrigin(name="words", frame_encoder=FRAME_ENCODER),
    )


def word_vectors(sentences: Iterable[Sequence[RoleGraph]], reader: SentenceReader) -> tuple[Vocabulary, Tensor]:
    """All words of some sentences and their vectors, [W, H]: the mean of its pieces in the published table."""
    tokenizer = Tokenizer.from_file(str(reader.files[1]))
    vocabulary = Vocabulary.from_sentences(graph.tokens for graphs in sentences for graph in graphs)
    table = nn.functional.normalize(published_words(), dim=1)
    vectors = torch.zeros(vocabulary.size, table.shape[1])
    for word, number in vocabulary.ids.items():
        if number != vocabulary.unknown_id:
            pieces = tokenizer.encode(word, add_special_tokens=False).ids
            vectors[number] = table[pieces].mean(dim=0)
    return vocabulary, STATE_SCALE * vectors


def of_words(material: Material) -> Material:
    """The same material, of whose captions only the words are used."""
    return attrs.evolve(material, captions=material.captions.without_nodes())
