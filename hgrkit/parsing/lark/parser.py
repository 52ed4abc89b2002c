"""The default graph parser: lexicon, tagger, LALR grammar of word groups and rules for clauses."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from hgrkit.checks.arguments import check_sequence
from hgrkit.errors import GraphError
from hgrkit.graph import NOUN_ROLE, Node, RoleGraph, Span
from hgrkit.parsing.finished_graph import finished
from hgrkit.parsing.lark import noun_phrases, verb_phrases
from hgrkit.parsing.lark.chunker import Chunk, group_words, refine
from hgrkit.parsing.lark.state import SentenceState
from hgrkit.parsing.lark.tagger import Tagger
from hgrkit.parsing.lexicon import Lexicon
from hgrkit.parsing.phrase import Phrase, clause_graph, close_spans, share_dependents
from hgrkit.parsing.query import read_query
from hgrkit.parsing.query_part import together
from hgrkit.parsing.roles import RoleLabeller, RoleTable
from hgrkit.parsing.tokenize import tokenize

__all__ = ["LarkParser"]


class LarkParser:
    """Parses captions and queries to role graphs, without a download and in linear time.

    >>> print(LarkParser().parse("A man throws the ball to his dog."))
    a man throws the ball to his dog .
      throws
        ARG0      a man
        ARG1      the ball
        ARG2      to his dog
    """

    name = "lark"
    version = "3"
    language = "en"

    def __init__(self) -> None:
        self._tagger = Tagger.load()
        self._roles = RoleTable.load()

    def parse_batch(self, texts: Sequence[str]) -> list[RoleGraph]:
        """Parse each text into one graph, in order.

        Raises:
            GraphError: if a text holds nothing to parse.
        """
        texts = check_sequence("texts", texts, str, of="sentences", error=GraphError)
        return [self.parse(text) for text in texts]

    def parse(self, text: str) -> RoleGraph:
        """Parse one text; its tokens are lower-cased, with punctuation and clitics split off.

        Raises:
            GraphError: if the text holds nothing to parse.
        """
        return self.parse_tokens(tokenize(text))

    def parse_tokens(self, tokens: Sequence[str]) -> RoleGraph:
        """Parse given tokens, which the graph keeps as they are.

        Raises:
            GraphError: if there is no token, or one is empty.
        """
        tokens = check_sequence("tokens", tokens, str, of="words", error=GraphError)
        if not tokens:
            raise GraphError("nothing to parse: expected at least one token, got none.")
        words = [token.lower() for token in tokens]
        parts = read_query(words)
        if parts is None:
            return finished(self._graph(tokens, words))
        texts = [[word.text for word in part.words] for part in parts]
        return finished(together(tokens, parts, [finished(self._graph(text, text)) for text in texts]))

    def _graph(self, tokens: Sequence[str], words: Sequence[str]) -> RoleGraph:
        tags = refine(words, self._tagger.tag(words))
        chunks = group_words(tags)
        clauses = _build_clauses(words, tags, chunks, self._tagger.lexicon)
        if not clauses:
            return _noun_graph(tokens, chunks)
        return clause_graph(tokens, clauses, RoleLabeller(words, self._roles).roles)

    def phrases(self, tokens: Sequence[str]) -> tuple[list[Span], list[Span]]:
        """Find the base noun phrases and main verbs of given tokens, without roles.

        Raises:
            GraphError: as `parse_tokens` does.
        """
        tokens = check_sequence("tokens", tokens, str, of="words", error=GraphError)
        words = [token.lower() for token in tokens]
        tags = refine(words, self._tagger.tag(words))
        nouns = _noun_graph(tokens, group_words(tags))
        verbs = self.parse_tokens(tokens).actions
        return [node.span for node in nouns.nodes], [node.span for node in verbs]


_RULES: Mapping[str, Callable[[SentenceState, Chunk], None]] = {
    "noun_group": noun_phrases.noun_group,
    "verb_group": verb_phrases.verb_group,
    "preposition": noun_phrases.preposition,
    "adverb": noun_phrases.adverb,
    "CC": noun_phrases.conjunction,
    "SUB": noun_phrases.subordinator,
    "REL": noun_phrases.relative_pronoun,
    "WH": noun_phrases.question_word,
    "EX": noun_phrases.existential,
    "PUNCT": noun_phrases.punctuation,
}
"""What each kind of chunk does to a sentence; the other kinds do nothing."""


def _build_clauses(
    words: Sequence[str], tags: Sequence[str], chunks: Sequence[Chunk], lexicon: Lexicon
) -> list[Phrase]:
    """The clauses of a sentence in order, each with its subject and its dependents, spans closed.

    One pass from left to right, in linear time.
    """
    state = SentenceState(words=words, tags=tags, chunks=chunks, lexicon=lexicon)
    for state.index, chunk in enumerate(chunks):
        rule = _RULES.get(chunk.kind)
        if rule is not None and state.index > state.skipped:
            rule(state, chunk)
    close_spans(state.phrases)
    share_dependents(words, state.clauses)
    return state.clauses


_NOMINAL = frozenset({"NOUN", "NOUNS", "PRON"})


def _noun_graph(tokens: Sequence[str], chunks: Iterable[Chunk]) -> RoleGraph:
    """The graph of a caption without verbs: every base noun phrase is a node of role `NOUN`."""
    nodes: list[Node] = []
    for chunk in chunks:
        nouns = [chunk.start + at for at, tag in enumerate(chunk.tags) if tag in _NOMINAL]
        if chunk.kind == "noun_group" and nouns:
            nodes.append(Node(len(nodes) + 1, NOUN_ROLE, Span(chunk.start, chunk.stop), nouns[-1]))
    return RoleGraph(tokens=tokens, nodes=nodes)
