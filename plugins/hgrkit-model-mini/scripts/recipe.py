"""The settings of the default model's training: what was chosen, and what each of them means."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from hgrkit.research.foils.generate import FoilType

__all__ = ["FOIL_CAPS", "FRAME_ENCODER", "Recipe"]

FRAME_ENCODER = "efficientnet-lite2"

FOIL_CAPS: Mapping[FoilType, int] = {
    "switch_roles": 6000,
    "replace_action": 6000,
    "incomplete_event": 6000,
    "replace_person": 3000,
    "replace_scene": 2000,
}
"""How many foils of each type are drawn at most from all that can be made."""


@attrs.frozen(kw_only=True)
class Recipe:
    """What was chosen, on Flickr8k dev and the first half of MSVD-98.

    Attributes:
        embed_dim: size of the space that both sides share, from 1.
        text_dropout: share of the transformer's numbers that the text side's maps do not see, from 0 up to 1.
        temperature: that similarities are divided by in the losses of both stages, above 0.
        level_losses: weights of InfoNCE at the event, action and entity level, each from 0.
        paraphrase_weight: weight of InfoNCE between two captions of a clip, from 0; at 0 no such caption is read.
        foil_weight: weight, at each of two levels, of the loss that asks a photograph to fit its caption better
            than a foil, from 0.
        class_weight: weight of the loss that ImageNet's classes and their names find each other, from 0; at 0 no
            name is read.
        class_batch_size: names in a step of either stage, from 2.
        weight_decay: of AdamW, for the maps alone, from 0.
        warm_up: share of a stage's steps in which the rates rise, from 0 to 1.
        augmented_views: looks at each photograph that are cropped and altered at random, beside the one as it is
            and the mirrored one, from 0.

        epochs: of the first stage, which trains the maps, from 1; an epoch sees every caption once.
        batch_size: pairs of a photograph and a caption in a step of the first stage, from 2; in both stages also
            the number of clips whose paraphrases are compared.
        learning_rate: the highest of the first stage, above 0.
        feature_dropout: share of a photograph's features that the first stage hides, from 0 up to 1.

        tuning_epochs: of the second stage, which tunes the frame encoder too, from 1; an epoch sees every
            photograph once.
        tuning_batch_size: photographs in a step of the second stage, from 2.
        tuning_captions: different captions of each photograph in a step of the second stage, from 1 to the number
            that every photograph has.
        tuning_rate: the highest learning rate of the frame encoder's blocks, above 0.
        tuning_maps_rate: the highest learning rate of the maps in the second stage, above 0.
        tuning_feature_dropout: share of a photograph's features that the second stage hides, from 0 up to 1.
        tuning_anchor: weight of how far tuned features turn away from the published ones, 1 - cosine, from 0.
        tuning_average: decay of the running average of all weights, a step, from 0 up to 1.
        tuning_clip_norm: largest length of all gradients together in the second stage, above 0.

        background: training photographs in the model's background, from 1.
        background_temperature: of the background's mean over them, above 0.
        level_weights: of the event, action and entity score in the model's score, each from 0.
        graph_layers: rounds of messages along a sentence's graph, from 0.
        sampling: how frames of videos are picked, as `hgrkit index` takes it; photographs are one frame.
        clip_seconds: length of the clips that the model is said to be made for, in seconds, above 0.
        seed: of the weights and of everything that is drawn, from 0; photographs are altered, and foils made,
            alike with all seeds.
    """

    embed_dim: int = 512
    text_dropout: float = 0.3
    temperature: float = 0.05
    level_losses: tuple[float, float, float] = (1.0, 1.0, 1.0)
    paraphrase_weight: float = 0.0
    foil_weight: float = 0.5
    class_weight: float = 0.3
    class_batch_size: int = 256
    weight_decay: float = 1e-2
    warm_up: float = 0.1
    augmented_views: int = 1

    epochs: int = 12
    batch_size: int = 512
    learning_rate: float = 2e-3
    feature_dropout: float = 0.6

    tuning_epochs: int = 6
    tuning_batch_size: int = 256
    tuning_captions: int = 2
    tuning_rate: float = 3e-4
    tuning_maps_rate: float = 5e-4
    tuning_feature_dropout: float = 0.5
    tuning_anchor: float = 5.0
    tuning_average: float = 0.998
    tuning_clip_norm: float = 5.0

    background: int = 2000
    background_temperature: float = 0.08
    level_weights: tuple[float, float, float] = (2.0, 0.5, 2.0)
    graph_layers: int = 1
    sampling: str = "fps:2"
    clip_seconds: float = 30.0
    seed: int = 2
