"""Trees of queries are corrected, step by step, on trees made by hand."""

from __future__ import annotations

from hgrkit.parsing.dependency_tree import DependencyTree
from hgrkit.parsing.tree_repair import repaired


def arcs(text):
    """Arcs `word relation governor` of `word/tag/upos/governor/relation`; counted from 1, a root has 0."""
    rows = [token.split("/") for token in text.split()]
    words, tags, upos, heads, relations = (list(column) for column in zip(*rows, strict=True))
    tree = DependencyTree(
        upos=upos,
        xpos=tags,
        lemma=words,
        feats=["_"] * len(words),
        head=[int(head) - 1 for head in heads],
        deprel=relations,
    )
    fixed = repaired(words, tree)
    named = [
        f"{word} {relation} {words[head] if head >= 0 else '-'}"
        for word, relation, head in zip(words, fixed.deprel, fixed.head, strict=True)
    ]
    return named, fixed is tree


def test_the_noun_before_a_place_heads_the_phrase():
    found, _ = arcs("man/NN/NOUN/0/root with/IN/ADP/4/case hair/NN/NOUN/4/compound indoors/NNS/NOUN/1/nmod")
    assert found == ["man root -", "with case hair", "hair nmod man", "indoors advmod hair"]


def test_a_place_alone_is_no_object():
    found, _ = arcs("man/NN/NOUN/0/root singing/VBG/VERB/1/acl indoors/NNS/NOUN/2/obj")
    assert found[2] == "indoors advmod singing"


def test_visible_without_a_copula_modifies_its_noun():
    found, _ = arcs("with/IN/ADP/3/case tattoos/NNS/NOUN/3/advmod visible/JJ/ADJ/0/root")
    assert found == ["with case tattoos", "tattoos root -", "visible amod tattoos"]
    assert arcs("dogs/NNS/NOUN/3/nsubj are/VBP/AUX/3/cop visible/JJ/ADJ/0/root")[1]


def test_a_word_between_an_article_and_a_participle_is_its_subject():
    found, _ = arcs("a/DT/DET/3/det train/NN/NOUN/3/obl crossing/VBG/VERB/0/root bridges/NNS/NOUN/3/obj")
    assert found == ["a det train", "train nsubj crossing", "crossing root -", "bridges obj crossing"]


def test_a_participle_between_two_nouns_is_a_clause_of_the_first():
    found, _ = arcs("the/DT/DET/4/det dress/NN/NOUN/4/compound holding/VBG/VERB/4/amod flowers/NNS/NOUN/0/root")
    assert found == ["the det dress", "dress root -", "holding acl dress", "flowers obj holding"]


def test_a_phrase_with_without_belongs_to_the_verb():
    found, _ = arcs(
        "man/NN/NOUN/0/root riding/VBG/VERB/1/acl bikes/NNS/NOUN/2/obj without/IN/ADP/5/case help/NN/NOUN/3/nmod"
    )
    assert found[4] == "help obl riding"


def test_shoes_that_someone_lacks_do_not_walk():
    found, _ = arcs("man/NN/NOUN/0/root without/IN/ADP/3/case shoes/NNS/NOUN/1/nmod walking/VBG/VERB/3/acl")
    assert found[3] == "walking acl man"


def test_other_trees_are_left_alone():
    assert arcs("a/DT/DET/2/det dog/NN/NOUN/3/nsubj runs/VBZ/VERB/0/root")[1]
