"""The table of variations: what is trained once, and what is not."""

from __future__ import annotations

import attrs


def test_what_is_trained_has_a_name_that_says_all_that_is_otherwise(scripts):
    module = scripts.variations
    named = {name: module.described(variation.trained) for name, variation in module.VARIATIONS.items()}
    assert named["questions read by Stanza"] == named["frames weighed evenly"] == {}
    assert named["two rounds of messages"] == {"text": {"graph_layers": 2}}
    trained = [str(found) for found in named.values() if found]
    assert len(set(trained)) == len(trained)


def test_the_first_stage_is_all_that_does_not_tune(scripts):
    recipe = scripts.recipe.Recipe()
    settings = scripts.variations.first_stage(recipe)
    assert settings == scripts.variations.first_stage(attrs.evolve(recipe, tuning_epochs=1, tuning_anchor=0.0))
    assert settings != scripts.variations.first_stage(attrs.evolve(recipe, epochs=1))
