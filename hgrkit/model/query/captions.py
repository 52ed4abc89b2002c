"""Many sentences as queries; those that cannot be read are named."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

import attrs
import numpy as np

from hgrkit.arguments import check_flag, check_sequence
from hgrkit.errors import GraphError
from hgrkit.library.records import Float32, QueryEmbeddings
from hgrkit.model.query.encoder import QueryEncoder
from hgrkit.model.text.graph_selection import Omitted
from hgrkit.parsing.protocol import GraphParser
from hgrkit.parsing.registry import parse_each

__all__ = ["EmbeddedCaptions", "read_captions"]


UNREADABLE_SCORE = -1.0
"""What a sentence that cannot be read scores with every video: the lowest score."""

_CAPTIONS_AT_ONCE = 512

T = TypeVar("T")


@attrs.frozen(kw_only=True, eq=False, repr=False)
class EmbeddedCaptions:
    """C sentences, those that could be read as queries.

    Attributes:
        queries: the embeddings of those that could be read, in their order.
        positions: where each of them stands among the C sentences.
        failures: position and reason of every sentence that could not be read.
        omitted: what the model's limits left out, over all sentences.
        querybank_norm: of events of queries, [Q, D] -> [Q], if the model has one.
    """

    queries: Sequence[QueryEmbeddings]
    positions: Sequence[int]
    failures: Mapping[int, str]
    omitted: Omitted
    querybank_norm: Callable[[Float32], Float32] | None = None

    def spread(self, scores: Float32, *, querybank_norm: bool = False) -> Float32:
        """Scores of the queries, [V, Q], to scores of all sentences, [V, C]: -1 for those without a graph.

        With `querybank_norm`, what each query scores with any clip is taken off: a video's queries compare then,
        and a query's videos keep their order.
        """
        if check_flag("querybank_norm", querybank_norm) and self.querybank_norm is not None and self.queries:
            parts = _some_at_a_time(self.queries)
            scores = scores - np.concatenate(
                [self.querybank_norm(np.stack([query.event for query in part])) for part in parts]
            )
        if not self.failures:
            return scores
        spread = np.full((len(scores), len(self)), UNREADABLE_SCORE, np.float32)
        spread[:, self.positions] = scores
        return spread

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
        graphs = []
        for position, read in enumerate(parse_each(parser, part), len(positions) + len(failures)):
            if isinstance(read, GraphError):
                failures[position] = str(read)
            else:
                graphs.append(read)
                positions.append(position)
        if graphs:
            embedded, cut = encoder.embed(graphs)
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
