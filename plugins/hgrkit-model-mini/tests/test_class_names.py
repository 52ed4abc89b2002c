"""Names of classes are those that captions would use, and a kind's name is right of all that it covers."""

from __future__ import annotations

import numpy as np
import pytest


def named(scripts, wordnet, captions, frequency=lambda name: 4.0):
    folder, at = wordnet
    module = scripts.class_names
    classes = [module.ImageNetClass("tabby cat", at["tabby"]), module.ImageNetClass("mouse", at["mouse"])]
    return module.ClassNames.of(classes, module.WordNetNouns(folder), captions, frequency)


CAPTIONS = ["A cat sleeps .", "the cat and an animal", "an animal", "one cat , one animal", "a beast"]


def test_a_kind_is_named_as_captions_name_it_and_covers_all_of_its_classes(scripts, wordnet):
    names = named(scripts, wordnet, CAPTIONS)
    assert names.names == ("animal", "cat", "mouse", "tabby", "tabby cat")
    called = {name: names.bears[:, column].tolist() for column, name in enumerate(names.names)}
    assert called["animal"] == [True, True]
    assert called["cat"] == called["tabby"] == [True, False]
    assert called["mouse"] == [False, True]


def test_words_that_mean_something_else_first_and_latin_ones_are_no_names(scripts, wordnet):
    names = named(scripts, wordnet, [*CAPTIONS, "true cat", "a true cat", "true cat"])
    assert "true cat" in names.names
    assert "Felis catus" not in names.names
    folder, at = wordnet
    module = scripts.class_names
    device = module.ImageNetClass("computer mouse", at["device"])
    pest = module.ImageNetClass("pest", at["mouse"])
    found = module.ClassNames.of([device, pest], module.WordNetNouns(folder), [], lambda name: 4.0)
    assert found.names == ("computer mouse", "mouse", "pest")
    assert found.bears[:, 1].tolist() == [True, False]


def test_common_names_are_drawn_more_often_and_rare_ones_never(scripts, wordnet):
    frequencies = {"animal": 4.0, "cat": 2.0, "tabby": 0.5}
    names = named(scripts, wordnet, CAPTIONS, lambda name: frequencies.get(name, 0.0))
    assert names.names == ("animal", "cat")
    np.testing.assert_allclose(names.shares, [10 / 11, 1 / 11])
    assert names.phrases == ["an animal", "a cat"]


def test_a_drawn_class_bears_its_name(scripts, wordnet):
    names = named(scripts, wordnet, CAPTIONS)
    drawn, classes = names.draw(200, np.random.default_rng(0))
    assert names.bears[classes, drawn].all()
    assert set(classes[drawn == 0]) == {0, 1}


def test_without_wordnet_the_message_says_how_to_get_it(scripts, tmp_path):
    with pytest.raises(SystemExit, match="wordnet-base"):
        scripts.class_names.WordNetNouns(tmp_path)
