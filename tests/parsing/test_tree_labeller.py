"""The labeller on dependency trees made by hand: who does what to whom, in three languages and two conventions."""

from __future__ import annotations

import pytest

from hgrkit.errors import ConfigError, GraphError
from hgrkit.parsing.dependency_tree import DependencyTree
from hgrkit.parsing.tree_labeller import label_tree

UPOS = {"DT": "DET", "NN": "NOUN", "IN": "ADP", "JJ": "ADJ", "RB": "ADV", "PRP": "PRON", "WP": "PRON", "RP": "ADP"}


def tree_of(text):
    """Tokens and tree from `word/lemma/tag/governor/relation`, governors counted from 1 and 0 for a root."""
    rows = [token.split("/") for token in text.split()]
    words, lemmas, tags, heads, relations = (list(column) for column in zip(*rows, strict=True))
    upos = [UPOS.get(tag, "VERB" if tag.startswith("VB") else tag) for tag in tags]
    upos = [
        "AUX" if relation.startswith(("aux", "cop")) else tag
        for tag, relation in zip(upos, relations, strict=True)
    ]
    feats = ["VerbForm=Fin" if tag in {"VBZ", "VBP", "VBD"} else "_" for tag in tags]
    return words, DependencyTree(
        upos=upos, xpos=tags, lemma=lemmas, feats=feats, head=[int(head) - 1 for head in heads], deprel=relations
    )


def triples(text, **options):
    graph = label_tree(*tree_of(text), **options)
    nodes = {node.id: node for node in graph.nodes}
    return {
        (graph.phrase(nodes[edge.action]), edge.role, graph.phrase(nodes[edge.entity])) for edge in graph.edges
    }


def verbs(text, **options):
    graph = label_tree(*tree_of(text), **options)
    return [graph.phrase(node) for node in graph.actions]


ENGLISH = {
    "two receivers": (
        (
            "a/a/DT/2/det girl/girl/NN/3/nsubj gives/give/VBZ/0/root the/the/DT/5/det dog/dog/NN/3/iobj "
            "a/a/DT/7/det bath/bath/NN/3/obj"
        ),
        {("gives", "ARG0", "a girl"), ("gives", "ARG2", "the dog"), ("gives", "ARG1", "a bath")},
    ),
    "passive": (
        (
            "the/the/DT/2/det ball/ball/NN/4/nsubj:pass is/be/VBZ/4/aux:pass thrown/throw/VBN/0/root "
            "by/by/IN/7/case a/a/DT/7/det boy/boy/NN/4/obl:agent"
        ),
        {("thrown", "ARG1", "the ball"), ("thrown", "ARG0", "by a boy")},
    ),
    "relative clause": (
        (
            "a/a/DT/2/det dog/dog/NN/6/nsubj that/that/WDT/4/nsubj chases/chase/VBZ/2/acl:relcl "
            "cats/cat/NN/4/obj barks/bark/VBZ/0/root"
        ),
        {("chases", "ARG0", "a dog"), ("chases", "ARG1", "cats"), ("barks", "ARG0", "a dog that chases cats")},
    ),
    "object relative": (
        "the/the/DT/2/det swing/swing/NN/0/root a/a/DT/4/det boy/boy/NN/5/nsubj pushes/push/VBZ/2/acl:relcl",
        {("pushes", "ARG0", "a boy"), ("pushes", "ARG1", "the swing")},
    ),
    "control": (
        "he/he/PRP/2/nsubj tries/try/VBZ/0/root to/to/PART/4/mark climb/climb/VB/2/xcomp trees/tree/NN/4/obj",
        {
            ("tries", "ARG0", "he"),
            ("tries", "ARG1", "to climb trees"),
            ("climb", "ARG0", "he"),
            ("climb", "ARG1", "trees"),
        },
    ),
    "object of a small clause": (
        "he/he/PRP/2/nsubj makes/make/VBZ/0/root them/they/PRP/2/obj dance/dance/VB/2/xcomp",
        {("makes", "ARG0", "he"), ("makes", "ARG1", "them dance"), ("dance", "ARG0", "them")},
    ),
    "coordinated verbs": (
        "girls/girl/NN/2/nsubj wash/wash/VBP/0/root and/and/CCONJ/4/cc dry/dry/VBP/2/conj dishes/dish/NN/2/obj",
        {
            ("wash", "ARG0", "girls"),
            ("wash", "ARG1", "dishes"),
            ("dry", "ARG0", "girls"),
            ("dry", "ARG1", "dishes"),
        },
    ),
    "copula": (
        "the/the/DT/2/det house/house/NN/4/nsubj is/be/VBZ/4/cop white/white/JJ/0/root",
        {("is", "ARG1", "the house"), ("is", "ARG2", "white")},
    ),
    "existential": (
        "there/there/PRON/2/expl is/be/VBZ/0/root a/a/DT/4/det dog/dog/NN/2/nsubj",
        {("is", "ARG1", "a dog")},
    ),
    "clause of a copula": (
        (
            "the/the/DT/2/det aim/aim/NN/5/nsubj:outer is/be/VBZ/5/cop to/to/PART/5/mark hit/hit/VB/0/root "
            "balls/ball/NN/5/obj"
        ),
        {("is", "ARG1", "the aim"), ("hit", "ARG1", "balls")},
    ),
    "while": (
        "he/he/PRP/2/nsubj sings/sing/VBZ/0/root while/while/SCONJ/4/mark driving/drive/VBG/2/advcl",
        {("sings", "ARG0", "he"), ("sings", "ARGM-TMP", "while driving"), ("driving", "ARG0", "he")},
    ),
    "noun that a participle modifies": (
        "a/a/DT/2/det man/man/NN/0/root wearing/wear/VBG/2/acl a/a/DT/5/det hat/hat/NN/3/obj",
        {("wearing", "ARG0", "a man"), ("wearing", "ARG1", "a hat")},
    ),
}


@pytest.mark.parametrize(("text", "expected"), ENGLISH.values(), ids=ENGLISH.keys())
def test_english_trees_get_their_roles(text, expected):
    assert expected <= triples(text)


def test_a_semi_modal_is_no_action_of_a_caption():
    text = "he/he/PRP/2/nsubj has/have/VBZ/0/root to/to/PART/4/mark jump/jump/VB/2/xcomp"
    assert verbs(text) == ["jump"]
    assert triples(text) == {("jump", "ARG0", "he")}


def test_a_prenominal_participle_is_no_action():
    assert verbs("boiling/boil/VBG/2/amod water/water/NN/0/root") == []


def test_a_sentence_without_a_verb_has_its_noun_phrases():
    graph = label_tree(*tree_of("a/a/DT/2/det dog/dog/NN/0/root on/on/IN/5/case a/a/DT/5/det bed/bed/NN/2/nmod"))
    assert [(node.role, graph.phrase(node)) for node in graph.nodes] == [("NOUN", "a dog"), ("NOUN", "a bed")]


def test_five_hundred_chained_clauses_are_read():
    chain = " ".join(f"run/run/VB/{at}/{'conj' if at else 'root'}" for at in range(500))
    assert len(verbs(chain)) == 500


# other languages -----------------------------------------------------------------------------------------------

GERMAN = (
    "eine/ein/DET/2/det Frau/Frau/NOUN/3/nsubj gibt/geben/VERB/0/root dem/der/DET/5/det Hund/Hund/NOUN/3/iobj "
    "einen/ein/DET/7/det Ball/Ball/NOUN/3/obj"
)
GERMAN_PASSIVE = (
    "der/der/DET/2/det Ball/Ball/NOUN/7/nsubj:pass wird/werden/AUX/7/aux:pass von/von/ADP/6/case "
    "einem/ein/DET/6/det Mann/Mann/NOUN/7/obl:agent geworfen/werfen/VERB/0/root"
)
FRENCH = (
    "un/un/DET/2/det homme/homme/NOUN/4/nsubj qui/qui/PRON/4/nsubj court/courir/VERB/0/root "
    "vers/vers/ADP/7/case la/le/DET/7/det plage/plage/NOUN/4/obl"
)
FRENCH_COPULA = "la/le/DET/2/det maison/maison/NOUN/4/nsubj est/être/AUX/4/cop blanche/blanc/ADJ/0/root"


def test_a_german_sentence_has_its_participants():
    assert triples(GERMAN, language="de") == {
        ("gibt", "ARG0", "eine Frau"),
        ("gibt", "ARG2", "dem Hund"),
        ("gibt", "ARG1", "einen Ball"),
    }


def test_a_german_passive_turns_them_round():
    assert {("geworfen", "ARG1", "der Ball"), ("geworfen", "ARG0", "von einem Mann")} <= triples(
        GERMAN_PASSIVE, language="de"
    )


def test_a_german_verb_that_is_an_english_noun_is_a_verb():
    assert verbs("er/er/PRON/2/nsubj hat/haben/VERB/0/root Brot/Brot/NOUN/2/obj", language="de") == ["hat"]


def test_a_french_sentence_has_its_participants():
    found = triples(FRENCH, language="fr")
    assert {phrase for _, _, phrase in found} == {"un homme", "vers la plage"}
    assert ("court", "ARG0", "un homme") in found


def test_a_french_copula_is_one():
    assert triples(FRENCH_COPULA, language="fr") == {("est", "ARG1", "la maison"), ("est", "ARG2", "blanche")}


# plain PropBank ------------------------------------------------------------------------------------------------


def test_plain_propbank_has_no_copulas():
    assert verbs(ENGLISH["copula"][0], conventions="propbank") == []
    assert verbs(ENGLISH["clause of a copula"][0], conventions="propbank") == ["hit"]


def test_plain_propbank_gives_a_light_verb_nothing_but_its_noun():
    text = "we/we/PRP/2/nsubj take/take/VBP/0/root care/care/NN/2/obj"
    assert triples(text, conventions="propbank") == {("take", "ARGM-PRR", "care")}
    assert triples(text) == {("take", "ARG0", "we"), ("take", "ARG1", "care")}


# what is refused -----------------------------------------------------------------------------------------------


def test_unknown_conventions_are_refused():
    with pytest.raises(ConfigError, match="'captions' or 'propbank', got 'mine'"):
        label_tree(*tree_of("go/go/VB/0/root"), conventions="mine")


def test_words_and_tree_must_be_of_one_length():
    with pytest.raises(GraphError, match="a dependency tree of 1 tokens does not fit 2 words"):
        label_tree(["go", "on"], tree_of("go/go/VB/0/root")[1])
