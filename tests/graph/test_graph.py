"""Role graphs: what is refused and in which words, JSON and back, the readable form, leaving a phrase out."""

from __future__ import annotations

import json

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hgrkit.errors import GraphError
from hgrkit.graph import ACTION_ROLE, NOUN_ROLE, Edge, Node, RoleGraph, Span

VERB = Node(1, "V", Span(2, 3), head=2)
AGENT = Node(2, "ARG0", Span(0, 2), head=1)


@pytest.fixture
def graph():
    """A woman throws a red ball to the dog of a friend."""
    return RoleGraph(
        tokens=["a", "woman", "throws", "a", "red", "ball", "to", "the", "dog", "of", "a", "friend"],
        nodes=[
            Node(10, "V", Span(2, 3), head=2),
            Node(4, "ARG0", Span(0, 2), head=1),
            Node(5, "ARG1", Span(3, 6), head=5),
            Node(6, "ARG2", Span(6, 12), head=8),
            Node(7, NOUN_ROLE, Span(10, 12), head=11),
        ],
        edges=[Edge(10, 4, "ARG0"), Edge(10, 5, "ARG1"), Edge(10, 6, "ARG2")],
    )


def refused(message):
    return pytest.raises(GraphError, match=f"^{message}$")


# spans and nodes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("start", "stop"), [(0, 0), (2, 1), (-1, 2)])
def test_an_empty_or_reversed_or_negative_span_is_refused(start, stop):
    message = r"a span must be \[start, stop\) with 0 <= start < stop, got "
    with refused(rf"{message}\[{start}, {stop}\)\."):
        Span(start, stop)


def test_a_span_is_half_open():
    span = Span(2, 5)
    assert len(span) == 3
    assert [token for token in range(8) if token in span] == [2, 3, 4]


def test_spans_are_ordered_by_their_beginning():
    assert sorted([Span(2, 3), Span(0, 5), Span(0, 2)]) == [Span(0, 2), Span(0, 5), Span(2, 3)]


def test_an_empty_role_is_refused():
    with refused("node 3 has an empty role; an action's is 'V', a bare phrase's 'NOUN'."):
        Node(3, "", Span(0, 1))


@pytest.mark.parametrize("head", [0, 3, -1])
def test_a_head_outside_its_span_is_refused(head):
    with refused(rf"node 3 has its head at token {head}, outside its span \[1, 3\)\."):
        Node(3, "ARG0", Span(1, 3), head=head)


def test_only_the_role_v_is_an_action():
    assert Node(1, ACTION_ROLE, Span(0, 1)).is_action
    assert not Node(1, NOUN_ROLE, Span(0, 1)).is_action


# the rules of a graph ------------------------------------------------------------------------------------------


def test_a_graph_without_tokens_is_refused():
    with refused("a role graph needs at least one token, got none."):
        RoleGraph(tokens=[])


@pytest.mark.parametrize("token", ["", " ", "\n", None, 3])
def test_a_token_that_is_no_word_is_refused(token):
    with refused(f"token 1 must be a word, got {token!r}.".replace("\\", r"\\")):
        RoleGraph(tokens=["a", token])


def test_an_id_that_is_used_twice_is_refused():
    with refused("two nodes have the id 1; ids must be unique within a graph."):
        RoleGraph(tokens=["a", "dog", "runs"], nodes=[VERB, attrs.evolve(AGENT, id=1)])


def test_a_span_beyond_the_sentence_is_refused():
    with refused(r"node 1 spans \[2, 3\) but the sentence has 2 tokens\."):
        RoleGraph(tokens=["dog", "runs"], nodes=[VERB])


@pytest.mark.parametrize("edge", [Edge(1, 9, "ARG0"), Edge(9, 2, "ARG0")])
def test_an_edge_to_a_missing_node_is_refused(edge):
    with refused("an edge names node 9, which the graph does not have."):
        RoleGraph(tokens=["a", "dog", "runs"], nodes=[VERB, AGENT], edges=[edge])


@pytest.mark.parametrize(("action", "entity"), [(2, 1), (1, 1), (2, 2), (1, 3)])
def test_an_edge_must_lead_from_an_action_to_an_entity(action, entity):
    nodes = [VERB, AGENT, Node(3, "V", Span(0, 1))]
    with refused(rf"the edge {action} -> {entity} must lead from an action \(role 'V'\) to an entity\."):
        RoleGraph(tokens=["a", "dog", "runs"], nodes=nodes, edges=[Edge(action, entity, "ARG0")])


def test_an_edge_without_a_role_is_refused():
    with refused("the edge 1 -> 2 has an empty role."):
        RoleGraph(tokens=["a", "dog", "runs"], nodes=[VERB, AGENT], edges=[Edge(1, 2, "")])


def test_an_edge_that_is_given_twice_is_refused():
    with refused("the edge 1 -> 2 is given twice."):
        RoleGraph(tokens=["a", "dog", "runs"], nodes=[VERB, AGENT], edges=[Edge(1, 2, "ARG0"), Edge(1, 2, "ARG1")])


def test_a_sentence_without_any_node_is_a_graph():
    assert RoleGraph(tokens=["snow"]).nodes == ()


def test_a_graph_is_frozen_and_equal_graphs_are_one_key(graph):
    assert len({graph, RoleGraph.from_dict(graph.to_dict())}) == 1
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        graph.tokens = ()


# reading -------------------------------------------------------------------------------------------------------


def test_actions_and_entities_stand_in_graph_order(graph):
    assert [node.id for node in graph.actions] == [10]
    assert [node.id for node in graph.entities] == [4, 5, 6, 7]
    assert graph.phrase(graph.node(6)) == "to the dog of a friend"


def test_a_node_that_is_not_there_is_refused_with_those_that_are(graph):
    with refused(r"the graph has no node 9; its ids are \[10, 4, 5, 6, 7\]\."):
        graph.node(9)


def test_the_first_edge_decides_an_entitys_role():
    nodes = [VERB, attrs.evolve(AGENT, role="ARG9"), Node(3, "V", Span(1, 2))]
    graph = RoleGraph(tokens=["a", "dog", "runs"], nodes=nodes, edges=[Edge(3, 2, "ARG1"), Edge(1, 2, "ARG0")])
    assert [graph.role(node) for node in graph.nodes] == ["V", "ARG1", "V"]


def test_the_readable_form_lists_actions_with_their_entities_then_bare_phrases(graph):
    assert str(graph).splitlines() == [
        "a woman throws a red ball to the dog of a friend",
        "  throws",
        "    ARG0      a woman",
        "    ARG1      a red ball",
        "    ARG2      to the dog of a friend",
        "  NOUN        a friend",
    ]


def test_the_readable_form_of_a_bare_sentence_is_the_sentence():
    assert str(RoleGraph(tokens=["let", "it", "snow"])) == "let it snow"


# JSON ----------------------------------------------------------------------------------------------------------


@st.composite
def graphs(draw):
    words = st.text(st.characters(), min_size=1).filter(str.strip)
    tokens = draw(st.lists(words, min_size=1, max_size=8))
    nodes = []
    for number in draw(st.lists(st.integers(), unique=True, max_size=6)):
        start = draw(st.integers(0, len(tokens) - 1))
        stop = draw(st.integers(start + 1, len(tokens)))
        role = draw(st.sampled_from(["V", "ARG0", "ARGM-LOC", "NOUN"]))
        head = draw(st.none() | st.integers(start, stop - 1))
        nodes.append(Node(number, role, Span(start, stop), head, draw(st.booleans())))
    ends = [(a.id, e.id) for a in nodes if a.is_action for e in nodes if not e.is_action]
    chosen = draw(st.lists(st.sampled_from(ends), unique=True)) if ends else []
    edges = [Edge(action, entity, draw(st.sampled_from(["ARG0", "ARG1"]))) for action, entity in chosen]
    return RoleGraph(tokens=tokens, nodes=nodes, edges=edges)


@given(graphs())
def test_a_graph_is_what_its_json_says(graph):
    assert RoleGraph.from_json(graph.to_json()) == graph
    assert RoleGraph.from_dict(graph.to_dict()) == graph


@given(graphs())
def test_json_is_one_line_of_plain_types(graph):
    line = graph.to_json()
    assert "\n" not in line
    assert json.loads(line) == graph.to_dict()


@given(graphs(), st.data())
def test_what_is_left_without_a_phrase_is_the_same_sentence_without_its_words(graph, data):
    if not graph.nodes:
        return
    node = data.draw(st.sampled_from(graph.nodes))
    try:
        left = graph.without(graph.phrase(node))
    except GraphError:
        return  # the phrase is ambiguous, or all there is
    assert list(left.tokens) == [token for at, token in enumerate(graph.tokens) if at not in node.span]
    for other in left.nodes:
        before = graph.node(other.id)
        kept = [graph.tokens[t] for t in range(before.span.start, before.span.stop) if t not in node.span]
        assert list(left.tokens[other.span.start : other.span.stop]) == kept
        assert other.head is None or left.tokens[other.head] == graph.tokens[before.head]


def test_the_json_of_a_graph_has_the_documented_shape():
    graph = RoleGraph(
        tokens=["a", "dog", "runs"], nodes=[VERB, attrs.evolve(AGENT, head=None)], edges=[Edge(1, 2, "ARG0")]
    )
    assert graph.to_dict() == {
        "tokens": ["a", "dog", "runs"],
        "nodes": [
            {"id": 1, "role": "V", "span": [2, 3], "head": 2},
            {"id": 2, "role": "ARG0", "span": [0, 2]},
        ],
        "edges": [[1, 2, "ARG0"]],
        "excluded": [],
    }


def test_keys_that_are_not_the_graphs_are_left_alone(graph):
    record = {**graph.to_dict(), "tree": {"upos": ["DET"]}}
    record["nodes"][0]["comment"] = "the verb"
    assert RoleGraph.from_dict(record) == graph


def record_with(**changes):
    record = {
        "tokens": ["a", "dog", "runs"],
        "nodes": [{"id": 1, "role": "V", "span": [2, 3]}, {"id": 2, "role": "ARG0", "span": [0, 2]}],
        "edges": [[1, 2, "ARG0"]],
    }
    return {**record, **changes}


@pytest.mark.parametrize("key", ["tokens", "nodes", "edges"])
def test_a_missing_key_is_named(key):
    record = record_with()
    del record[key]
    with pytest.raises(GraphError, match=f"not a role graph: KeyError: '{key}'; expected 'tokens', 'nodes'"):
        RoleGraph.from_dict(record)


@pytest.mark.parametrize(
    "changes",
    [
        {"tokens": "a dog runs"},
        {"tokens": ["a", 1, "runs"]},
        {"nodes": 3},
        {"nodes": ["V"]},
        {"nodes": [{"id": 1, "role": "V"}]},
        {"nodes": [{"id": 1.5, "role": "V", "span": [2, 3]}]},
        {"nodes": [{"id": "1", "role": "V", "span": [2, 3]}]},
        {"nodes": [{"id": float("inf"), "role": "V", "span": [2, 3]}]},
        {"nodes": [{"id": 1, "role": None, "span": [2, 3]}]},
        {"nodes": [{"id": 1, "role": "V", "span": [2]}]},
        {"nodes": [{"id": 1, "role": "V", "span": [1, 2, 3]}]},
        {"nodes": [{"id": 1, "role": "V", "span": [0, 1.9]}]},
        {"nodes": [{"id": 1, "role": "V", "span": [2, 3], "head": 2.5}]},
        {"edges": [[1, 2]]},
        {"edges": [[1, 2, 3]]},
        {"edges": [1]},
        {"edges": [["1", 2, "ARG0"]]},
        {"excluded": None},
        {"excluded": 2},
        {"excluded": [[2]]},
    ],
    ids=str,
)
def test_a_value_of_the_wrong_type_is_refused(changes):
    with pytest.raises(GraphError):
        RoleGraph.from_dict(record_with(**changes))


def test_a_record_that_breaks_a_rule_says_which_rule():
    with refused("the edge 2 -> 1 must lead from an action .*"):
        RoleGraph.from_dict(record_with(edges=[[2, 1, "ARG0"]]))
    with refused("a span must be .*"):
        RoleGraph.from_dict(record_with(nodes=[{"id": 1, "role": "V", "span": [3, 2]}]))


# what the searcher does not want ------------------------------------------------------------------------------


def test_excluded_nodes_are_listed_by_id_and_struck_through():
    graph = RoleGraph.from_dict(record_with(excluded=[2]))
    assert [node.id for node in graph.nodes if node.excluded] == [2]
    assert graph.to_dict()["excluded"] == [2]
    assert str(graph).splitlines()[1:] == ["  runs", "    ARG0      ~~a dog~~"]


def test_without_the_key_nothing_is_excluded():
    assert not any(node.excluded for node in RoleGraph.from_dict(record_with()).nodes)


def test_an_excluded_id_that_no_node_has_is_refused():
    with refused(r"'excluded' names \[7\], which are not ids of nodes in the graph\."):
        RoleGraph.from_dict(record_with(excluded=[2, 7]))


def test_leaving_a_phrase_out_keeps_what_is_excluded():
    graph = RoleGraph.from_dict(record_with(excluded=[1]))
    assert graph.without("a dog").to_dict()["excluded"] == [1]


@pytest.mark.parametrize("excluded", [None, 1, "yes"])
def test_excluded_is_true_or_false(excluded):
    with pytest.raises(GraphError, match="excluded of node 1"):
        Node(1, "V", Span(0, 1), excluded=excluded)


@pytest.mark.parametrize("text", ["", "{", "1" * 5000, "[" * 100_000], ids=["empty", "cut", "long", "deep"])
def test_text_that_is_not_json_is_refused(text):
    with pytest.raises(GraphError, match="the text is not JSON"):
        RoleGraph.from_json(text)


@pytest.mark.parametrize(("text", "kind"), [("[]", "list"), ("null", "NoneType"), ('"a dog"', "str")])
def test_json_that_is_no_object_is_refused(text, kind):
    with refused(f"not a role graph: expected a JSON object, got {kind}."):
        RoleGraph.from_json(text)


# leaving a phrase out ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("phrase", ["a red ball", "A Red  BALL", "red ball", "ball", " red "])
def test_a_phrase_is_named_by_its_words_or_some_of_them_in_any_case(graph, phrase):
    left = graph.without(phrase)
    assert left.text == "a woman throws to the dog of a friend"
    assert [node.id for node in left.nodes] == [10, 4, 6, 7]
    assert left.edges == (Edge(10, 4, "ARG0"), Edge(10, 6, "ARG2"))


def test_spans_and_heads_move_with_their_words(graph):
    left = graph.without("a woman")
    assert [(left.phrase(node), left.tokens[node.head]) for node in left.nodes] == [
        ("throws", "throws"),
        ("a red ball", "ball"),
        ("to the dog of a friend", "dog"),
        ("a friend", "friend"),
    ]


def test_a_phrase_inside_another_leaves_the_rest_of_the_other(graph):
    left = graph.without("a friend")
    assert left.text == "a woman throws a red ball to the dog of"
    assert [node.id for node in left.nodes] == [10, 4, 5, 6]
    assert left.phrase(left.node(6)) == "to the dog of"
    assert left.node(6).head == 8


def test_a_phrase_takes_the_phrases_inside_it_along(graph):
    left = graph.without("to the dog of a friend")
    assert left.text == "a woman throws a red ball"
    assert [node.id for node in left.nodes] == [10, 4, 5]


def test_a_phrase_in_the_middle_of_another_closes_the_gap():
    graph = RoleGraph(
        tokens=["the", "dog", "of", "a", "friend", "that", "barks"],
        nodes=[Node(1, "NOUN", Span(0, 7), head=1), Node(2, "NOUN", Span(3, 5), head=4)],
    )
    left = graph.without("a friend")
    assert left.phrase(left.node(1)) == "the dog of that barks"
    assert left.node(1).head == 1


def test_a_phrase_that_loses_its_content_word_has_no_head():
    graph = RoleGraph(
        tokens=["the", "dog", "barks"],
        nodes=[Node(1, "NOUN", Span(0, 3), head=1), Node(2, "NOUN", Span(0, 2), head=1)],
    )
    assert graph.without("the dog").nodes == (Node(1, "NOUN", Span(0, 1)),)


def test_a_verb_leaves_its_phrases_behind_without_a_governor(graph):
    left = graph.without("throws")
    assert left.edges == ()
    assert [left.role(node) for node in left.entities] == ["ARG0", "ARG1", "ARG2", "NOUN"]


def test_the_exact_phrase_counts_before_phrases_that_hold_its_words(graph):
    assert graph.without("a friend").text.endswith("the dog of")


def test_words_of_several_phrases_are_refused_with_all_phrases(graph):
    with refused(
        "several phrases of the sentence have the words 'a'; its phrases: 'throws', 'a woman', 'a red ball', "
        "'to the dog of a friend', 'a friend'."
    ):
        graph.without("a")


def test_a_phrase_that_stands_twice_is_refused():
    graph = RoleGraph(
        tokens=["a", "dog", "meets", "a", "dog"],
        nodes=[Node(1, "NOUN", Span(0, 2)), Node(2, "NOUN", Span(3, 5))],
    )
    with pytest.raises(GraphError, match="several phrases of the sentence have the words 'a dog'"):
        graph.without("a dog")


@pytest.mark.parametrize("phrase", ["a cat", "woman throws", "ball red", "wom"])
def test_words_of_no_phrase_are_refused(graph, phrase):
    with pytest.raises(GraphError, match=f"^no phrase of the sentence has the words '{phrase}'; its phrases: 'th"):
        graph.without(phrase)


def test_a_sentence_without_phrases_says_so():
    with refused("no phrase of the sentence has the words 'snow'; its phrases: none."):
        RoleGraph(tokens=["snow"]).without("snow")


@pytest.mark.parametrize("phrase", ["", "  \t"])
def test_an_empty_phrase_is_refused(graph, phrase):
    with refused("name the words to leave out; got an empty phrase."):
        graph.without(phrase)


def test_nothing_may_not_be_left():
    graph = RoleGraph(tokens=["a", "dog"], nodes=[Node(1, "NOUN", Span(0, 2))])
    with refused("'dog' is the whole sentence; nothing would be left without it."):
        graph.without("dog")
