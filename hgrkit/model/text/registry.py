"""The kinds of text encoders: what a model folder, a training run and a search must know of each.

A new kind is a torch module that is a `TextModel`, in a file of its own, and an entry in `TEXT_ENCODERS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

import attrs

from hgrkit.checks.arguments import check_choice
from hgrkit.graph import RoleGraph

if TYPE_CHECKING:
    from hgrkit.matching.embeddings import TextEmbeddings
    from hgrkit.model.query.encoder import QueryEncoder
    from hgrkit.model.query.layers import QuerybankNorm, Weights
    from hgrkit.model.text.graph_batch import GraphBatch
    from hgrkit.model.text.sentence_reader import SentenceReader

__all__ = ["TEXT_ENCODERS", "TextEncoderKind", "TextModel", "text_encoder_kind"]


class TextModel(Protocol):
    """What every text encoder offers, beside being a `torch.nn.Module`.

    Attributes:
        kind: name of its type in a model folder's `config.json`, a key of `TEXT_ENCODERS`.
        config: the attrs class of its settings (`hgrkit.checks.settings`), with `embed_dim` among them.
        embed_dim: D.
        settings: the JSON arguments that make an encoder of the same shape.
    """

    kind: ClassVar[str]
    config: ClassVar[type]
    embed_dim: int
    settings: dict[str, Any]

    @classmethod
    def from_folder(cls, settings: dict[str, Any], folder: Path) -> Self:
        """An encoder of these settings with the files of a model folder; its weights are not loaded."""
        ...

    @classmethod
    def from_captions(
        cls,
        settings: dict[str, Any],
        graphs: Sequence[RoleGraph],
        *,
        min_count: int,
        reader: Callable[[], SentenceReader],
    ) -> Self:
        """An encoder of these settings to be trained.

        Args:
            settings: by name.
            graphs: the training captions.
            min_count: how often a word must stand in them to be known, for encoders with words of their own.
            reader: a frozen transformer, for encoders that stand on one.
        """
        ...

    def batch(self, graphs: Sequence[RoleGraph]) -> GraphBatch:
        """Batch role graphs as this encoder reads them."""
        ...

    def write_files(self, folder: Path) -> None:
        """Write what a model folder needs beside the weights."""
        ...

    def __call__(self, batch: GraphBatch, /) -> TextEmbeddings:
        """Encode C sentences."""
        ...


# What is known of a kind stands in functions, which import when they are called: a search reads this module and
# must not import torch (decision 13).
@attrs.frozen(kw_only=True)
class TextEncoderKind:
    """One kind of text encoder; nothing of it is imported before it is needed.

    Attributes:
        load: imports the torch module's class.
        query: makes what embeds questions without torch, of the `text` settings of a model folder, the folder, the
            weights of the text encoder and the querybank normalisation; `None` puts questions with torch.
    """

    load: Callable[[], type[TextModel]]
    query: Callable[[Mapping[str, Any], Path, Weights, QuerybankNorm | None], QueryEncoder] | None = None


def _rnn() -> type[TextModel]:
    from hgrkit.model.text.text_encoder import TextEncoder

    return TextEncoder


def _sentence() -> type[TextModel]:
    from hgrkit.model.text.sentence_encoder import SentenceTextEncoder

    return SentenceTextEncoder


def _sentence_query(
    settings: Mapping[str, Any], folder: Path, weights: Weights, querybank_norm: QuerybankNorm | None
) -> QueryEncoder:
    from hgrkit.model.query.sentence_encoder import SentenceQueryEncoder

    return SentenceQueryEncoder.from_folder(settings, folder, weights, querybank_norm)


def _phrases() -> type[TextModel]:
    from hgrkit.model.text.phrase_text_encoder import PhraseTextEncoder

    return PhraseTextEncoder


def _phrases_query(
    settings: Mapping[str, Any], folder: Path, weights: Weights, querybank_norm: QuerybankNorm | None
) -> QueryEncoder:
    from hgrkit.model.query.phrase_encoder import PhraseHeadQueryEncoder

    return PhraseHeadQueryEncoder.from_folder(settings, folder, weights, querybank_norm)


TEXT_ENCODERS: dict[str, TextEncoderKind] = {
    "rnn": TextEncoderKind(load=_rnn),
    "sentence": TextEncoderKind(load=_sentence, query=_sentence_query),
    "phrases": TextEncoderKind(load=_phrases, query=_phrases_query),
}
"""The kinds by the `type` of `text` in `config.json`, which is also `text_encoder` of a training run."""


def text_encoder_kind(kind: str, name: str = "text_encoder") -> TextEncoderKind:
    """What is known of a kind.

    Args:
        kind: a key of `TEXT_ENCODERS`.
        name: what a message calls it.

    Raises:
        ConfigError: if there is no such kind.
    """
    check_choice(name, kind, TEXT_ENCODERS)
    return TEXT_ENCODERS[kind]
