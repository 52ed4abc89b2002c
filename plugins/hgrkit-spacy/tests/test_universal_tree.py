"""spaCy's labels become Universal Dependencies, rule by rule, on trees made by hand."""

from __future__ import annotations

import attrs
import pytest
from hgrkit_spacy.universal_tree import universal_tree


@attrs.define(eq=False)
class Token:
    """What the conversion reads of a token."""

    i: int
    lower_: str
    lemma_: str
    tag_: str
    pos_: str
    dep_: str
    morph: str = ""
    head: Token = attrs.field(init=False, repr=False)


def converted(text):
    """Arcs `word relation governor` of `word/lemma/tag/pos/governor/label`; counted from 1, a root has 0."""
    rows = [token.split("/") for token in text.split()]
    tokens = [
        Token(number, word, lemma, tag, pos, label)
        for number, (word, lemma, tag, pos, _, label) in enumerate(rows)
    ]
    for token, (*_, head, _) in zip(tokens, rows, strict=True):
        token.head = tokens[int(head) - 1] if head != "0" else token
    tree = universal_tree(tokens)
    words = [token.lower_ for token in tokens]
    return [
        f"{word} {relation} {words[head] if head >= 0 else '-'}"
        for word, relation, head in zip(words, tree.deprel, tree.head, strict=True)
    ]


CASES = {
    "preposition": (
        "dog/dog/NN/NOUN/2/nsubj runs/run/VBZ/VERB/0/ROOT to/to/IN/ADP/2/prep home/home/NN/NOUN/3/pobj",
        ["dog nsubj runs", "runs root -", "to case home", "home obl runs"],
    ),
    "preposition of a noun": (
        "group/group/NN/NOUN/0/ROOT of/of/IN/ADP/1/prep men/man/NNS/NOUN/2/pobj",
        ["group root -", "of case men", "men nmod group"],
    ),
    "two prepositions": (
        "runs/run/VBZ/VERB/0/ROOT out/out/IN/ADP/1/prep of/of/IN/ADP/2/prep water/water/NN/NOUN/3/pobj",
        ["runs root -", "out case water", "of case water", "water obl runs"],
    ),
    "in front of": (
        (
            "sits/sit/VBZ/VERB/0/ROOT in/in/IN/ADP/1/prep front/front/NN/NOUN/2/pobj of/of/IN/ADP/3/prep "
            "cars/car/NNS/NOUN/4/pobj"
        ),
        ["sits root -", "in case cars", "front case cars", "of case cars", "cars obl sits"],
    ),
    "agent of a passive": (
        (
            "ball/ball/NN/NOUN/3/nsubjpass is/be/VBZ/AUX/3/auxpass hit/hit/VBN/VERB/0/ROOT by/by/IN/ADP/3/agent "
            "men/man/NNS/NOUN/4/pobj"
        ),
        ["ball nsubj:pass hit", "is aux:pass hit", "hit root -", "by case men", "men obl:agent hit"],
    ),
    "clause of a preposition": (
        "talks/talk/VBZ/VERB/0/ROOT about/about/IN/ADP/1/prep cooking/cook/VBG/VERB/2/pcomp",
        ["talks root -", "about mark cooking", "cooking advcl talks"],
    ),
    "receivers": (
        "gives/give/VBZ/VERB/0/ROOT dogs/dog/NNS/NOUN/1/dative food/food/NN/NOUN/1/dobj",
        ["gives root -", "dogs iobj gives", "food obj gives"],
    ),
    "copula": (
        "she/she/PRP/PRON/2/nsubj is/be/VBZ/AUX/0/ROOT tall/tall/JJ/ADJ/2/acomp",
        ["she nsubj tall", "is cop tall", "tall root -"],
    ),
    "copula of a place": (
        "he/he/PRP/PRON/2/nsubj is/be/VBZ/AUX/0/ROOT in/in/IN/ADP/2/prep cars/car/NNS/NOUN/3/pobj",
        ["he nsubj cars", "is cop cars", "in case cars", "cars root -"],
    ),
    "existential": (
        "there/there/EX/PRON/2/expl is/be/VBZ/AUX/0/ROOT snow/snow/NN/NOUN/2/attr",
        ["there expl is", "is root -", "snow nsubj is"],
    ),
    "become": (
        "it/it/PRP/PRON/2/nsubj becomes/become/VBZ/VERB/0/ROOT red/red/JJ/ADJ/2/acomp",
        ["it nsubj becomes", "becomes root -", "red xcomp becomes"],
    ),
    "infinitive": (
        "wants/want/VBZ/VERB/0/ROOT to/to/TO/PART/3/aux go/go/VB/VERB/1/xcomp",
        ["wants root -", "to mark go", "go xcomp wants"],
    ),
    "small clause": (
        "makes/make/VBZ/VERB/0/ROOT them/they/PRP/PRON/3/nsubj go/go/VB/VERB/1/ccomp",
        ["makes root -", "them obj makes", "go xcomp makes"],
    ),
    "conjuncts": (
        "men/man/NNS/NOUN/0/ROOT women/woman/NNS/NOUN/1/conj and/and/CC/CCONJ/2/cc dogs/dog/NNS/NOUN/2/conj",
        ["men root -", "women conj men", "and cc dogs", "dogs conj men"],
    ),
    "names of labels": (
        "put/put/VB/VERB/0/ROOT down/down/RP/ADP/1/prt today/today/NN/NOUN/1/npadvmod not/not/RB/PART/1/neg",
        ["put root -", "down compound:prt put", "today obl put", "not advmod put"],
    ),
}


@pytest.mark.parametrize(("text", "arcs"), CASES.values(), ids=CASES.keys())
def test_a_construction_becomes_universal(text, arcs):
    assert converted(text) == arcs


def test_a_negation_says_so():
    row = Token(0, "never", "never", "RB", "ADV", "neg")
    row.head = row
    assert universal_tree([row]).feats == ("Polarity=Neg",)
