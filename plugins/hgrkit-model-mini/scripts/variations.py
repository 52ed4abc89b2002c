"""What `what_pays.py` does otherwise than the plain recipe, one thing at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
from recipe import Recipe

from hgrkit.matching.losses import HingeLoss

__all__ = ["PLAIN", "VARIATIONS", "Variation", "described", "first_stage"]

PLAIN = Recipe(graph_layers=0, paraphrase_weight=0.3, class_weight=0.0)
"""What every variation is compared with: the default model's first stage before the table changed it."""


@attrs.frozen(kw_only=True)
class Variation:
    """One thing that is done otherwise.

    Attributes:
        recipe: settings of the recipe with other values.
        text: settings of the text encoder with other values.
        video: settings of the video encoder with other values.
        views: looks at each photograph that training draws from; all unless given.
        matcher: settings of the matcher with other values; with nothing else changed the recipe's own models are
            asked again.
        parser: that reads the questions, by name; the models were trained on graphs of `lark`.
        hinge_margin: of the hinge on the hardest negative, in the place of InfoNCE.
        regions: whether entities look at nine regions of a picture too.
        second_tower: whether the event is the mean of two scores, the other of a BiGRU over words.
        early_layer: whether the transformer's early layer is heard beside the last one.
    """

    recipe: Mapping[str, Any] = attrs.field(factory=dict)
    text: Mapping[str, Any] = attrs.field(factory=dict)
    video: Mapping[str, Any] = attrs.field(factory=dict)
    views: int | None = None
    matcher: Mapping[str, Any] = attrs.field(factory=dict)
    parser: str = "lark"
    hinge_margin: float | None = None
    regions: bool = False
    second_tower: bool = False
    early_layer: bool = False

    @property
    def trained(self) -> Variation:
        """What of it bears on the training of its model."""
        return attrs.evolve(self, matcher={}, parser="lark", second_tower=False)

    def loss(self, recipe: Recipe) -> HingeLoss | None:
        """The loss, if it is not the recipe's."""
        if self.hinge_margin is None:
            return None
        return HingeLoss(margin=self.hinge_margin, level_weights=(0.0, *recipe.level_losses))


VARIATIONS: Mapping[str, Variation] = {
    "event level alone": Variation(matcher={"level_weights": (1, 0, 0)}),
    "action level alone": Variation(matcher={"level_weights": (0, 1, 0)}),
    "entity level alone": Variation(matcher={"level_weights": (0, 0, 1)}),
    "levels weighed alike": Variation(matcher={"level_weights": (1, 1, 1)}),
    "similarities averaged over the frames": Variation(matcher={"fusion": "sim"}),
    "frames weighed evenly": Variation(matcher={"sharpness": 1e-6}),
    "frames weighed more sharply": Variation(matcher={"sharpness": 16.0}),
    "questions read by Stanza": Variation(parser="stanza"),
    "questions read by spaCy": Variation(parser="spacy"),
    "no foils": Variation(recipe={"foil_weight": 0.0}),
    "graph attention, as published": Variation(text={"graph_layers": 1}),
    "two rounds of messages": Variation(text={"graph_layers": 2}),
    "graph attention from identity": Variation(text={"graph_layers": 1, "graph_start": "identity"}),
    "no vectors of roles": Variation(text={"num_roles": 0}),
    "no paraphrases": Variation(recipe={"paraphrase_weight": 0.0}),
    "photographs as they are": Variation(views=1),
    "one map for all levels of a frame": Variation(video={"shared_projection": True}),
    "hinge on the hardest negative": Variation(hinge_margin=0.2),
    "graph, even weights": Variation(text={"graph_layers": 1, "graph_attention": False}),
    "graph attention from identity, two-way edges": Variation(
        text={"graph_layers": 1, "graph_start": "identity", "edges": "two_way"}
    ),
    "entities look at nine regions too": Variation(regions=True),
    "a second tower of text, for the event": Variation(second_tower=True),
    "an early layer of the transformer too": Variation(early_layer=True),
    "names of classes too": Variation(recipe={"class_weight": 0.3}),
}


def first_stage(recipe: Recipe) -> dict[str, Any]:
    """The settings that the first stage reads."""
    return {name: value for name, value in attrs.asdict(recipe).items() if not name.startswith("tuning")}


def described(variation: Variation) -> dict[str, Any]:
    """What is otherwise than in the recipe."""
    plain = attrs.asdict(Variation())
    return {name: value for name, value in attrs.asdict(variation).items() if value != plain[name]}
