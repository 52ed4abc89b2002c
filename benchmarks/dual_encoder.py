"""What the role graph adds to a dual encoder without training: all levels against the sentence vector alone.

The dual encoder is made here: the default model's frozen transformer (MiniLM) for sentences, EfficientNet-Lite2
with ImageNet weights for frames, and a linear map on each side, which learn from sentences and whole clips alone.
Actions and entities are then texts of their own. Level weights are chosen on MSR-VTT's validation videos and the
first half of 98 MSVD clips, and measured on MSR-VTT's test videos and the second half: retrieval, and choices
between a caption and a sentence that is wrong in one respect. Intervals are of differences, paired, by the
bootstrap over videos.

    python benchmarks/dual_encoder.py --data DATA --frames FRAMES --cache CACHE \
        --out benchmarks/results/dual_encoder.json

FRAMES is what `build_frame_encoder.py` of the default model writes. CACHE keeps features and sentence vectors.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
import torch
from choices import BOOTSTRAP, Choice, compare_choices, foils, verb_contrast, vitatecs
from made_dual_encoder import Clips, Data, MappedTexts, Part, Sentences, train_maps
from result_file import arguments, described, model_described, write_result

from hgrkit.levels import PerLevel
from hgrkit.library.records import ClipEmbeddings
from hgrkit.library.scoring import ClipSet, LevelWeights, SearchSettings
from hgrkit.matching.config import fuse
from hgrkit.model.query.encoder import QueryEncoder, read_captions
from hgrkit.model.query.phrase_encoder import PhraseQueryEncoder, embed_frames
from hgrkit.parsing.lark.parser import LarkParser
from hgrkit.research.evaluation.captions import evaluate_captions
from hgrkit.research.evaluation.comparison import compare_ranks
from hgrkit.research.evaluation.measures import RankMeasure
from hgrkit.research.evaluation.retrieval import Retrieval
from hgrkit.video.efficientnet_lite import EfficientNetLite

Float32 = npt.NDArray[np.float32]

EVENT_ONLY: LevelWeights = (1.0, 0.0, 0.0)
MEASURES = tuple(RankMeasure(name) for name in ("R@1", "R@5", "R@10", "mRR"))


class Scored:
    """Every sentence of a set against all of its clips, at every level, [V, C]."""

    def __init__(
        self,
        clips: Clips,
        choices: Sequence[Choice],
        embed: Callable[[Float32], PerLevel[Float32]],
        query: QueryEncoder,
    ) -> None:
        self.names = list(clips.features)
        captions = [text for own in clips.captions.values() for text in own]
        asked = [text for choice in choices for text in (choice.right, *choice.wrong)]
        self._column = {text: number for number, text in enumerate(dict.fromkeys(captions + asked))}
        self._captions = clips.captions
        vectors = [embed(features) for features in clips.features.values()]
        made = ClipSet.of(
            [
                ClipEmbeddings(
                    start_s=0,
                    end_s=1,
                    times_s=np.linspace(0, 1, len(one.action)),
                    **attrs.asdict(one, recurse=False),
                )
                for one in vectors
            ]
        )
        read = read_captions(query, LarkParser(), list(self._column))
        if read.failures:
            raise SystemExit(f"{len(read.failures)} sentences cannot be read, first {next(iter(read.failures))}")
        parts = [
            made.levels(read.queries[at : at + 512], SearchSettings()) for at in range(0, len(self._column), 512)
        ]
        self._levels = PerLevel(
            **{
                level: np.concatenate([getattr(part, level) for part in parts], 1)
                for level in ("event", "action", "entity")
            }
        )

    def scores(self, weights: LevelWeights) -> Float32:
        """All levels together, [V, C]."""
        fused: Float32 = np.asarray(fuse(self._levels, weights), np.float32)
        return fused

    def retrieval(self, weights: LevelWeights) -> Retrieval:
        """Ranks in both directions."""
        table = self.scores(weights)
        columns = self._column
        return evaluate_captions(
            self._captions, self.names, lambda texts: table[:, [columns[text] for text in texts]]
        )

    def right(self, choices: Sequence[Choice], weights: LevelWeights) -> npt.NDArray[np.bool_]:
        """Whether the right sentence of each choice scores higher than every wrong one; a tie is wrong."""
        table = self.scores(weights)
        row = {name: number for number, name in enumerate(self.names)}

        def score(choice: Choice, text: str) -> float:
            return float(table[row[choice.clip], self._column[text]])

        return np.array(
            [score(one, one.right) > max(score(one, text) for text in one.wrong) for one in choices], np.bool_
        )


@attrs.frozen(kw_only=True, eq=False)
class Questions:
    """What one part asks: clips to retrieve, and sets of choices."""

    scored: Scored
    choices: Mapping[str, Sequence[Choice]]


def against(questions: Mapping[str, Questions], a: LevelWeights, b: LevelWeights) -> dict[str, Any]:
    """Two ways to weigh the levels, compared on everything."""
    found: dict[str, Any] = {"retrieval": {}, "choices": {}}
    for name, one in questions.items():
        ours, theirs = (one.scored.retrieval(weights).query_ranks for weights in (a, b))
        found["retrieval"][name] = compare_ranks(ours, theirs, MEASURES, bootstrap=BOOTSTRAP).to_dict()
        for kind, choices in one.choices.items():
            right = [one.scored.right(choices, weights) for weights in (a, b)]
            found["choices"][kind] = compare_choices(choices, *right)
    return found


def weighed(questions: Mapping[str, Questions]) -> list[dict[str, Any]]:
    """What every level weights in tenths find on dev, those of the event alone first."""
    tenths = [
        (event / 10, action / 10, (10 - event - action) / 10)
        for event in range(10, 2, -1)
        for action in range(11 - event)
    ]
    tried = [EVENT_ONLY, *(weights for weights in tenths if weights != EVENT_ONLY)]
    return [{"level_weights": list(weights), **figures(questions, weights)} for weights in tried]


def figures(questions: Mapping[str, Questions], weights: LevelWeights) -> dict[str, float]:
    """The mRR in both directions and accuracies, in per cent."""
    found = {}
    for name, one in questions.items():
        ranks = one.scored.retrieval(weights).query_ranks
        for direction in ("text_to_video", "video_to_text"):
            gains = [100 / row.rank for row in ranks if row.direction == direction]
            found[f"{name} {direction} mRR"] = float(np.mean(gains))
        for kind, choices in one.choices.items():
            right = one.scored.right(choices, weights)
            types = [choice.type for choice in choices]
            means = [right[[other == kind_ for other in types]].mean() for kind_ in dict.fromkeys(types)]
            found[kind] = float(100 * np.mean(means))
    return found


def choose(tried: Sequence[Mapping[str, Any]]) -> LevelWeights:
    """The weights with the highest sum of figures of those that are below the event alone in none of them."""
    event, *others = tried
    names = [name for name in event if name != "level_weights"]
    allowed = [event, *(one for one in others if all(one[name] >= event[name] for name in names))]
    best = max(allowed, key=lambda one: sum(one[name] for name in names))
    return tuple(best["level_weights"])


def measure(options: Any) -> dict[str, Any]:
    """Train the dual encoder, choose level weights on dev, compare on test."""
    encoder = EfficientNetLite(options.frames, variant="efficientnet-lite2", num_threads=1)
    data = Data(folder=options.data, cache=options.cache, encoder=encoder)
    options.cache.mkdir(parents=True, exist_ok=True)
    sentences = Sentences(options.cache)
    frame_map, text_map = train_maps([data.msr_vtt("train"), data.photographs()], sentences, options.seed)
    texts = MappedTexts(sentences=sentences, weight=text_map.weight.numpy(), bias=text_map.bias.numpy())
    query = PhraseQueryEncoder(texts)

    def embed(features: Float32) -> PerLevel[Float32]:
        return embed_frames(frame_map(torch.from_numpy(features)).numpy())

    def asked(part: Part) -> dict[str, Questions]:
        made = {}
        all_msvd = json.loads((options.data / "msvd/captions.json").read_text())
        for name, clips in {
            "msr-vtt": data.msr_vtt("val" if part == "dev" else "test"),
            "msvd": data.msvd(part),
        }.items():
            choices = {f"foils, {name}": foils(clips.captions, all_msvd if name == "msvd" else clips.captions)}
            if part == "test" and name == "msr-vtt":
                choices |= {
                    "vitatecs": list(vitatecs(options.data)),
                    "verb contrast": list(verb_contrast(options.data)),
                }
            every = [choice for own in choices.values() for choice in own]
            made[name] = Questions(scored=Scored(clips, every, embed, query), choices=choices)
            sentences.save()
        return made

    tried = weighed(asked("dev"))
    chosen = choose(tried)
    return {
        "text encoder": model_described("default"),
        "frame encoder": encoder.fingerprint,
        "level_weights": list(chosen),
        "dev": [tried[0], next(one for one in tried if tuple(one["level_weights"]) == chosen)],
        "test, event alone (a) against all levels (b)": against(asked("test"), EVENT_ONLY, chosen),
    }


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with flickr8k/, msrvtt_frames/ and msvd/")
    parser.add_argument("--frames", type=Path, required=True, help="folder of EfficientNet-Lite2's weights")
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    write_result({**described(options, seed=options.seed), **measure(options)}, options.out)
