"""Sentences as queries: what turns role graphs into them, and many sentences at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol, TypeVar

import attrs
import numpy as np

from hgrkit.checks.arguments import check_flag, check_sequence
from hgrkit.errors import GraphError, LibraryMismatchError
from hgrkit.graph import Node, RoleGraph
from hgrkit.library.records import Float32, QueryEmbeddings
from hgrkit.library.scoring import SearchSettings
from hgrkit.model.text.graph_selection import Omitted, SelectedGraph
from hgrkit.parsing.protocol import GraphParser
from hgrkit.parsing.registry import parse_each

__all__ = ["EmbeddedCaptions", "EmbeddedQuery", "QueryEncoder", "QuerySide", "query_of", "read_captions"]

UNREADABLE_SCORE = -1.0
"""What a sentence that cannot be read scores with every video: the lowest score."""

_CAPTIONS_AT_ONCE = 512

T = TypeVar("T")


@attrs.frozen(kw_only=True, eq=False)
class EmbeddedQuery:
    """A sentence as the library is asked with it.

    Attributes:
        embeddings: its vectors.
        actions: the graph's nodes behind the action rows, in their order.
        entities: the graph's nodes behind the entity rows, in their order.
    """

    embeddings: QueryEmbeddings
    actions: tuple[Node, ...]
    entities: tuple[Node, ...]


def query_of(graph: RoleGraph, kept: SelectedGraph, nodes: Float32) -> EmbeddedQuery:
    """A sentence's nodes [1 + A + E, D] as a query."""
    by_id = {node.id: node for node in graph.nodes}
    entities = 1 + len(kept.actions)
    return EmbeddedQuery(
        embeddings=QueryEmbeddings(event=nodes[0], action=nodes[1:entities], entity=nodes[entities:]),
        actions=tuple(by_id[node.id] for node in kept.actions),
        entities=tuple(by_id[node.id] for node in kept.entities),
    )


class QueryEncoder(Protocol):
    """Role graphs to queries: `hgrkit.model.query` without torch, `hgrkit.model.scorer` with a model in torch."""

    @property
    def querybank_norm(self) -> Callable[[Float32], Float32] | None:
        """How well events of queries fit any clip, [Q, D] -> [Q], if the model knows that."""
        ...

    def knows(self, word: str) -> bool:
        """Whether a word is one that the model has met; of another it guesses the meaning, or takes none."""
        ...

    def embed(
        self, graphs: Sequence[RoleGraph], sentences: Sequence[str] | None = None
    ) -> tuple[list[EmbeddedQuery], Omitted]:
        """Embed sentences.

        Args:
            graphs: at least one.
            sentences: the text that each graph was read from, where it is known: for encoders with a way of their
                own to read words.

        Returns:
            A query for each graph, and what the model's limits left out over all of them.

        Raises:
            ShapeError: if there is no graph, or the limits leave a graph no token.
        """
        ...


@attrs.frozen(kw_only=True, eq=False)
class QuerySide:
    """How a model's questions are put and compared.

    Attributes:
        encoder: role graphs to queries.
        settings: the matcher's, as the library takes them.
        embed_dim: D.
    """

    encoder: QueryEncoder
    settings: SearchSettings
    embed_dim: int


@attrs.frozen(kw_only=True, eq=False, repr=False)
class EmbeddedCaptions:
    """C sentences, those that could be read as queries.

    Attributes:
        queries: the embeddings of those that could be read, in their order.
        positions: where each of them stands among the C sentences.
        failures: position and reason of every sentence that could not be read.
        omitted: what the model's limits left out, over all sentences.
        querybank_norm: of events of queries, [Q, D] -> [Q], if the model has one.
        model_fingerprint: of the model that embedded them, where that is known.
    """

    queries: Sequence[QueryEmbeddings]
    positions: Sequence[int]
    failures: Mapping[int, str]
    omitted: Omitted
    querybank_norm: Callable[[Float32], Float32] | None = None
    model_fingerprint: str | None = None

    def require_model(self, fingerprint: str) -> None:
        """Refuse to be compared with what another model made.

        Raises:
            LibraryMismatchError: if one embedded the sentences.
        """
        if self.model_fingerprint not in (None, fingerprint):
            raise LibraryMismatchError(
                "the sentences were embedded with another model than the library; read them again."
            )

    def spread(self, scores: Float32, *, querybank_norm: bool = False) -> Float32:
        """Scores of the queries, [V, Q], to scores of all sentences, [V, C]: -1 for those without a graph.

        With `querybank_norm`, what each query scores with any clip is taken off: a video's queries compare then,
        and a query's videos keep their order.
        """
        if check_flag("querybank_norm", querybank_norm):
            scores = self.normalised(scores)
        if not self.failures:
            return scores
        spread = np.full((len(scores), len(self)), UNREADABLE_SCORE, np.float32)
        spread[:, self.positions] = scores
        return spread

    def normalised(self, scores: Float32) -> Float32:
        """Scores of the queries, [..., Q], less what each query scores with any clip, if the model knows that."""
        if self.querybank_norm is None or not self.queries:
            return scores
        parts = _some_at_a_time(self.queries)
        norms = [self.querybank_norm(np.stack([query.event for query in part])) for part in parts]
        return scores - np.concatenate(norms)

    def __len__(self) -> int:
        """C."""
        return len(self.positions) + len(self.failures)

    def __repr__(self) -> str:
        return f"EmbeddedCaptions(queries={len(self.queries)}, failures={len(self.failures)})"


def read_captions(
    encoder: QueryEncoder,
    parser: GraphParser,
    captions: Sequence[str],
    *,
    on_progress: Callable[[int], object] | None = None,
) -> EmbeddedCaptions:
    """Parse and embed sentences, some at a time; one that cannot be read never stops the others.

    Args:
        encoder: embeds what the parser read.
        parser: reads the sentences.
        captions: C sentences.
        on_progress: called with the number of sentences that are done.

    Raises:
        ConfigError: if they are no list of strings.
        PluginError: if the parser breaks its contract.
    """
    captions = check_sequence("sentences", captions, str, of="sentences")
    queries: list[QueryEmbeddings] = []
    positions: list[int] = []
    failures: dict[int, str] = {}
    omitted = Omitted()
    for part in _some_at_a_time(captions):
        graphs, texts = [], []
        for position, read in enumerate(parse_each(parser, part), len(positions) + len(failures)):
            if isinstance(read, GraphError):
                failures[position] = str(read)
            else:
                graphs.append(read)
                texts.append(captions[position])
                positions.append(position)
        if graphs:
            embedded, cut = encoder.embed(graphs, texts)
            queries += [query.embeddings for query in embedded]
            omitted += cut
        if on_progress is not None:
            on_progress(len(positions) + len(failures))
    return EmbeddedCaptions(
        queries=queries,
        positions=positions,
        failures=failures,
        omitted=omitted,
        querybank_norm=encoder.querybank_norm,
    )


def _some_at_a_time(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), _CAPTIONS_AT_ONCE):
        yield items[start : start + _CAPTIONS_AT_ONCE]
