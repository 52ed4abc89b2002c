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
from functools import cached_property
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
from choices import BOOTSTRAP, Choice, compare_choices, foils, verb_contrast, vitatecs
from made_dual_encoder import Clips, Data, MadeDualEncoder, Part, Sentences
from result_file import arguments, described, model_described, write_result

from hgrkit.graph import RoleGraph
from hgrkit.levels import LEVELS, PerLevel
from hgrkit.library.records import ClipEmbeddings, QueryEmbeddings
from hgrkit.library.scoring import ClipSet, LevelWeights, SearchSettings
from hgrkit.matching.config import fuse
from hgrkit.model.query.encoder import QueryEncoder, read_captions
from hgrkit.model.query.phrase_encoder import PhraseQueryEncoder, embed_frames
from hgrkit.parsing.lark.parser import LarkParser
from hgrkit.research.evaluation.captions import evaluate_captions
from hgrkit.research.evaluation.comparison import compare_ranks
from hgrkit.research.evaluation.measures import RankMeasure
from hgrkit.research.evaluation.rank_file import QueryRank
from hgrkit.research.evaluation.retrieval import Retrieval
from hgrkit.video.efficientnet_lite import EfficientNetLite

Float32 = npt.NDArray[np.float32]

EVENT_ONLY: LevelWeights = (1.0, 0.0, 0.0)
FOILED_CAPTIONS = 5
"""Of each video of MSR-VTT: with all twenty there are 21,511 foils, which take four times as long."""
MEASURES = tuple(RankMeasure(name) for name in ("R@1", "R@5", "R@10", "mRR"))


class KeptGraphs:
    """The built-in parser, which reads each sentence once."""

    name, version = LarkParser.name, LarkParser.version

    def __init__(self) -> None:
        self._parser, self._kept = LarkParser(), dict[str, RoleGraph]()

    def parse_batch(self, texts: Sequence[str]) -> list[RoleGraph]:
        """As `LarkParser.parse_batch`."""
        new = [text for text in dict.fromkeys(texts) if text not in self._kept]
        self._kept |= dict(zip(new, self._parser.parse_batch(new), strict=True))
        return [self._kept[text] for text in texts]


@attrs.frozen(kw_only=True, eq=False)
class System:
    """How clips and sentences are embedded."""

    embed: Callable[[Float32], PerLevel[Float32]]
    query: QueryEncoder


@attrs.frozen(kw_only=True, eq=False, slots=False)
class Questions:
    """Clips to retrieve, and sets of choices about them."""

    clips: Clips
    choices: Mapping[str, Sequence[Choice]]
    parser: KeptGraphs

    @property
    def captions(self) -> list[str]:
        """Those that are retrieved by, each once."""
        return list(dict.fromkeys(text for own in self.clips.captions.values() for text in own))

    @cached_property
    def _asked(self) -> dict[str, list[str]]:
        asked: dict[str, dict[str, None]] = {}
        for one in (choice for own in self.choices.values() for choice in own):
            asked.setdefault(one.clip, {}).update(dict.fromkeys((one.right, *one.wrong)))
        return {clip: list(texts) for clip, texts in asked.items()}

    def asked_of(self, clip: str) -> list[str]:
        """The sentences of a clip's choices, each once."""
        return self._asked.get(clip, [])


class Scored:
    """Captions of a set against all of its clips, [V, C], and the sentences of choices against their own clip."""

    def __init__(self, questions: Questions, system: System) -> None:
        self._captions, self.names = questions.clips.captions, list(questions.clips.features)
        self._column = {text: number for number, text in enumerate(questions.captions)}
        clips = clip_set([system.embed(features) for features in questions.clips.features.values()])
        self._levels = levels(clips, embedded(system.query, questions.parser, list(self._column)))
        self._own: dict[tuple[str, str], PerLevel[float]] = {}
        for row, name in enumerate(self.names):
            asked = questions.asked_of(name)
            if asked:
                found = levels(clips.some([row]), embedded(system.query, questions.parser, asked))
                self._own |= {
                    (name, text): PerLevel(**{level: float(getattr(found, level)[0, at]) for level in LEVELS})
                    for at, text in enumerate(asked)
                }

    def retrieval(self, weights: LevelWeights) -> Retrieval:
        """Ranks in both directions."""
        table: Float32 = np.asarray(fuse(self._levels, weights), np.float32)
        columns = self._column
        return evaluate_captions(
            self._captions, self.names, lambda texts: table[:, [columns[text] for text in texts]]
        )

    def right(self, choices: Sequence[Choice], weights: LevelWeights) -> npt.NDArray[np.bool_]:
        """Whether the right sentence of each choice scores higher than every wrong one; a tie is wrong."""

        def score(choice: Choice, text: str) -> float:
            return float(fuse(self._own[choice.clip, text], weights))

        return np.array(
            [score(one, one.right) > max(score(one, text) for text in one.wrong) for one in choices], np.bool_
        )


def clip_set(vectors: Sequence[PerLevel[Float32]]) -> ClipSet:
    """Clips that can be scored."""
    return ClipSet.of(
        [
            ClipEmbeddings(
                start_s=0, end_s=1, times_s=np.linspace(0, 1, len(one.action)), **attrs.asdict(one, recurse=False)
            )
            for one in vectors
        ]
    )


def embedded(query: QueryEncoder, parser: KeptGraphs, sentences: Sequence[str]) -> Sequence[QueryEmbeddings]:
    """Sentences as queries, each of which must be readable."""
    read = read_captions(query, parser, sentences)
    if read.failures:
        raise SystemExit(f"{len(read.failures)} sentences cannot be read, first {next(iter(read.failures))}")
    return read.queries


def levels(clips: ClipSet, queries: Sequence[QueryEmbeddings]) -> PerLevel[Float32]:
    """Every level's score, [V, C] each."""
    parts = [clips.levels(queries[at : at + 512], SearchSettings()) for at in range(0, len(queries), 512)]
    return PerLevel(
        **{level: np.concatenate([getattr(part, level) for part in parts], axis=1) for level in LEVELS}
    )


def compare(
    questions: Mapping[str, Questions],
    a: Mapping[str, Scored],
    b: Sequence[Mapping[str, Scored]],
    weights: tuple[LevelWeights, LevelWeights],
) -> dict[str, Any]:
    """One system (a) against one or several seeds of another (b), on everything.

    Args:
        questions: by the name of the set.
        a: the first system's scores, by the same name.
        b: those of each seed of the second.
        weights: of the levels, of a and of b.
    """
    found: dict[str, Any] = {"retrieval": {}, "choices": {}}
    for name, one in questions.items():
        ours = [row for number in range(len(b)) for row in ranks(a[name], weights[0], number)]
        theirs = [row for number, seed in enumerate(b) for row in ranks(seed[name], weights[1], number)]
        found["retrieval"][name] = compare_ranks(ours, theirs, MEASURES, bootstrap=BOOTSTRAP).to_dict()
        for kind, choices in one.choices.items():
            right = np.mean([seed[name].right(choices, weights[1]) for seed in b], axis=0)
            found["choices"][kind] = compare_choices(choices, a[name].right(choices, weights[0]), right)
    return found


def ranks(scored: Scored, weights: LevelWeights, seed: int) -> list[QueryRank]:
    """Ranks of both directions, their queries called by the seed as well."""
    return [attrs.evolve(row, query=f"{row.query} {seed}") for row in scored.retrieval(weights).query_ranks]


def weighed(questions: Mapping[str, Questions], scored: Mapping[str, Scored]) -> list[dict[str, Any]]:
    """What level weights in tenths find on dev, those of the event alone first; no level of the others is 0."""
    tenths = [
        (event / 10, action / 10, (10 - event - action) / 10)
        for event in range(8, 2, -1)
        for action in range(1, 10 - event)
    ]
    return [
        {"level_weights": list(weights), **figures(questions, scored, weights)}
        for weights in (EVENT_ONLY, *tenths)
    ]


def figures(
    questions: Mapping[str, Questions], scored: Mapping[str, Scored], weights: LevelWeights
) -> dict[str, float]:
    """The mRR in both directions and accuracies, in per cent."""
    found = {}
    for name, one in questions.items():
        rows = scored[name].retrieval(weights).query_ranks
        for direction in ("text_to_video", "video_to_text"):
            gains = [100 / row.rank for row in rows if row.direction == direction]
            found[f"{name} {direction} mRR"] = round(float(np.mean(gains)), 3)
        for kind, choices in one.choices.items():
            right = scored[name].right(choices, weights)
            types = [choice.type for choice in choices]
            means = [right[[other == type_ for other in types]].mean() for type_ in dict.fromkeys(types)]
            found[kind] = round(float(100 * np.mean(means)), 3)
    return found


def choose(tried: Sequence[Mapping[str, Any]]) -> LevelWeights:
    """The weights with the highest sum of figures of those that are below the event alone in none of them."""
    event, *others = tried
    names = [name for name in event if name != "level_weights"]
    allowed = [event, *(one for one in others if all(one[name] >= event[name] for name in names))]
    best = max(allowed, key=lambda one: sum(one[name] for name in names))
    return tuple(best["level_weights"])


def questions_of(data: Data, part: Part, *, foiled_captions: int = FOILED_CAPTIONS) -> dict[str, Questions]:
    """What is asked of a part; foils are made of the first captions of each video of MSR-VTT."""
    all_msvd = json.loads((data.folder / "msvd/captions.json").read_text())
    parser = KeptGraphs()
    msr_vtt, msvd = data.msr_vtt("val" if part == "dev" else "test"), data.msvd(part)
    choices = {}
    if foiled_captions:
        some = {name: own[:foiled_captions] for name, own in msr_vtt.captions.items()}
        choices["foils, msr-vtt"] = foils(some, msr_vtt.captions)
    if part == "test":
        choices |= {"vitatecs": list(vitatecs(data.folder)), "verb contrast": list(verb_contrast(data.folder))}
    return {
        "msr-vtt": Questions(clips=msr_vtt, choices=choices, parser=parser),
        "msvd": Questions(clips=msvd, choices={"foils, msvd": foils(msvd.captions, all_msvd)}, parser=parser),
    }


def scored_by(questions: Mapping[str, Questions], system: System) -> dict[str, Scored]:
    """A system's scores of each set."""
    return {name: Scored(one, system) for name, one in questions.items()}


def measure(options: Any) -> dict[str, Any]:
    """Train the dual encoder, choose level weights on dev, compare on test."""
    encoder = EfficientNetLite(options.frames, variant="efficientnet-lite2", num_threads=1)
    data = Data(folder=options.data, cache=options.cache, encoder=encoder)
    options.cache.mkdir(parents=True, exist_ok=True)
    sentences = Sentences(options.cache)
    dual = MadeDualEncoder.train([data.msr_vtt("train"), data.photographs()], sentences, seed=0)
    plain = System(
        embed=lambda features: embed_frames(dual.frames(features)),
        query=PhraseQueryEncoder(dual.texts),
    )
    dev = questions_of(data, "dev")
    tried = weighed(dev, scored_by(dev, plain))
    chosen = choose(tried)
    test = questions_of(data, "test")
    zero_shot = scored_by(test, plain)
    sentences.save()
    return {
        "text encoder": model_described("default"),
        "frame encoder": encoder.fingerprint,
        "level_weights": list(chosen),
        "dev": tried,
        "event alone (a) against all levels (b)": compare(test, zero_shot, [zero_shot], (EVENT_ONLY, chosen)),
    }


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with flickr8k/, msrvtt_frames/ and msvd/")
    parser.add_argument("--frames", type=Path, required=True, help="folder of EfficientNet-Lite2's weights")
    parser.add_argument("--cache", type=Path, required=True)
    options = parser.parse_args()
    write_result({**described(options, seed=0), **measure(options)}, options.out)
