"""A head trained on a dual encoder against the same without training: three seeds, all levels in both.

The dual encoder is made as in `dual_encoder.py`, but of photographs alone, so that the videos are new to it: where
it has seen them, a head finds nothing more on the validation videos. The choices are those of that file. Heads
learn from two captions of each of MSR-VTT's training videos and from foils of them; the validation videos say
which epoch is kept, the start among them. Of the test videos each is asked for by its first caption.

    python benchmarks/dual_encoder_head.py --data DATA --frames FRAMES --cache CACHE \
        --out benchmarks/results/dual_encoder_head.json
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
from dual_encoder import System, compare, questions_of, scored_by
from made_dual_encoder import Data, HeadMaterial, MadeDualEncoder, Sentences, train_head
from result_file import arguments, described, model_described, write_result

from hgrkit.library.scoring import LevelWeights
from hgrkit.model.hgr_model import HgrModel
from hgrkit.model.query.phrase_encoder import PhraseQueryEncoder, embed_frames
from hgrkit.model.scorer import ModelQueryEncoder, embed_features
from hgrkit.video.efficientnet_lite import EfficientNetLite

WEIGHTS: LevelWeights = (0.6, 0.3, 0.1)
"""What `dual_encoder.py` chooses on dev."""
SEEDS = 3


def system_of(dual: MadeDualEncoder, head: HgrModel) -> System:
    """A head over the dual encoder's frozen parts."""
    return System(
        embed=lambda features: embed_features(head, dual.frames(features)), query=ModelQueryEncoder(head)
    )


def measure(options: Any) -> dict[str, Any]:
    """Train the dual encoder and the heads, compare on test."""
    encoder = EfficientNetLite(options.frames, variant="efficientnet-lite2", num_threads=1)
    data, sentences = Data(folder=options.data, cache=options.cache, encoder=encoder), Sentences(options.cache)
    dual = MadeDualEncoder.train([data.photographs()], sentences, seed=0)
    material = HeadMaterial.read(dual, data)
    heads = [train_head(dual, material, WEIGHTS, seed) for seed in range(SEEDS)]
    sentences.save()
    test = questions_of(data, "test", foiled_captions=0)
    few = {clip: own[:1] for clip, own in test["msr-vtt"].clips.captions.items()}
    test["msr-vtt"] = attrs.evolve(test["msr-vtt"], clips=attrs.evolve(test["msr-vtt"].clips, captions=few))
    plain = System(
        embed=lambda features: embed_frames(dual.frames(features)), query=PhraseQueryEncoder(dual.texts)
    )
    untrained, trained = scored_by(test, plain), [scored_by(test, system_of(dual, head.best)) for head in heads]
    return {
        "text encoder": model_described("default"),
        "frame encoder": encoder.fingerprint,
        "level_weights": list(WEIGHTS),
        "heads": [
            {"best_epoch": head.best_epoch, "start": head.start, "dev": [record.dev_rsum for record in head.log]}
            for head in heads
        ],
        "untrained (a) against trained heads (b)": compare(test, untrained, trained, (WEIGHTS, WEIGHTS)),
    }


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with flickr8k/, msrvtt_frames/ and msvd/")
    parser.add_argument("--frames", type=Path, required=True, help="folder of EfficientNet-Lite2's weights")
    parser.add_argument("--cache", type=Path, required=True)
    options = parser.parse_args()
    write_result({**described(options, seed=0), **measure(options)}, options.out)
