"""Variants of the paper: the preset, but for what they say."""

from __future__ import annotations

from hgrkit.checks.settings import read_settings
from hgrkit.research.training.config import LossConfig, TrainConfig
from hgrkit.research.training.model_config import ModelConfig
from hgrkit.research.training.run_config import with_preset


def test_variants_are_the_paper_preset_but_for_what_they_say(scripts):
    module = scripts.paper_variants
    preset = with_preset({}, "paper")
    for name, variant in module.TRAINED.items():
        tables = variant.tables(3)
        for table, cls in (("model", ModelConfig), ("training", TrainConfig), ("loss", LossConfig)):
            read_settings(cls, tables[table], table)
        assert tables["training"] == {**preset["training"], **module.SHORTER_TRAINING, "seed": 3}
        assert tables["model"]["text"] == {**preset["model"]["text"], **variant.text}, name
    assert module.TRAINED["HGR"].tables(3)["loss"] == preset["loss"]
    assert module.TRAINED["global baseline"].tables(3)["loss"]["level_weights"] == [0.0, 1.0, 0.0, 0.0]
