"""Training: a small model on made-up clips, the best epoch kept in a folder, and what it scores on other captions.

python examples/train.py
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from hgrkit import (
    CaptionedClips,
    HgrModel,
    InfoNCE,
    Matcher,
    TextEncoder,
    TrainConfig,
    Trainer,
    VideoEncoder,
    Vocabulary,
    load_model,
)
from hgrkit.parsing import LarkParser

FEATURE_DIM = 32
SCENES = {
    "dog": ["a dog chases a ball", "a dog runs after a ball"],
    "guitar": ["a man plays the guitar", "someone plays a guitar on a stage"],
    "onion": ["a woman slices an onion", "a woman is cutting an onion"],
    "horse": ["two people ride horses", "people are riding on horses"],
}


def clips(captions: Mapping[str, list[str]], *, seed: int) -> CaptionedClips:
    """Clips whose frames are noise around one direction for each scene, with their captions."""
    generator = np.random.default_rng(seed)
    features: dict[str, npt.NDArray[np.float32]] = {}
    for direction, scene in enumerate(captions):
        frames = 0.3 * generator.standard_normal((int(generator.integers(6, 12)), FEATURE_DIM))
        frames[:, direction] += 3
        features[scene] = frames.astype(np.float32)
    return CaptionedClips.of(captions, features, parser=LarkParser())


def build(vocabulary: Vocabulary) -> HgrModel:
    """A small model of the paper's shape."""
    return HgrModel(
        text=TextEncoder(vocabulary=vocabulary, embed_dim=32, num_layers=1),
        video=VideoEncoder(feature_dim=FEATURE_DIM, embed_dim=32),
        matcher=Matcher(),
    )


def train(folder: Path, *, epochs: int = 20) -> float:
    """Train, keep the best epoch in `folder`, and return its Rsum on other captions of the same scenes."""
    torch.manual_seed(0)  # the weights that a new model begins with
    parser = LarkParser()
    words = [graph.tokens for texts in SCENES.values() for graph in parser.parse_batch(texts)]
    first = clips({scene: texts[:1] for scene, texts in SCENES.items()}, seed=0)
    second = clips({scene: texts[1:] for scene, texts in SCENES.items()}, seed=1)
    config = TrainConfig(epochs=epochs, batch_size=4, seed=0)
    run = Trainer(build(Vocabulary.from_sentences(words)), loss=InfoNCE(), config=config).fit(first, second)
    run.best.save(folder)
    best = [record.dev_rsum for record in run.log if record.dev_rsum is not None]
    return max(best)


def main() -> None:
    """Train into a folder that is gone afterwards, and load what was saved."""
    with tempfile.TemporaryDirectory() as folder:
        rsum = train(Path(folder) / "model")
        model = load_model(Path(folder) / "model")
    print(f"Rsum {rsum:.1f} of 600, embeddings of {model.embed_dim} numbers")


if __name__ == "__main__":
    main()
