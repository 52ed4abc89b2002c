"""The paper's claim on other data: HGR against its own levels, a global baseline and HGR without parts of it.

Every variant starts from the preset `paper` and is trained by `hgrkit.training` with several seeds on Flickr8k's
photographs, clips of one frame, as the published frame encoder sees them. Asked are photographs of the test split
in both directions, the second half of 98 MSVD clips by name, none of which was seen, and foils of the captions of
all 98. A lead above zero says that HGR is better; it is paired and resampled by clip. Needs what `train_model.py`
has cached; models that are trained are kept there too, and a training that was stopped goes on where it was.

    python scripts/paper_claim.py --data DATA --cache build/cache --out ../../benchmarks/results/paper_claim.json
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import torch
from experiment import (
    SENTENCES_AT_ONCE,
    Ranks,
    described_run,
    leads,
    main,
    of_all_seeds,
    rank_photographs,
    rank_texts,
    reported,
)
from msvd_clips import Clips
from photographs import Photographs
from rich.progress import Progress
from train_model import Encoders, Recipe, one_frame_clips

import hgrkit
from hgrkit.evaluation.query_rank import QueryRank
from hgrkit.evaluation.rank_measure import RankMeasure
from hgrkit.graph import RoleGraph
from hgrkit.levels import LEVELS, PerLevel
from hgrkit.matching.matcher import Matcher
from hgrkit.model import HgrModel
from hgrkit.parsing.lark_parser import LarkParser
from hgrkit.training.clips import CaptionedClips, read_graphs
from hgrkit.training.config import TrainConfig
from hgrkit.training.loss_config import LossConfig
from hgrkit.training.model_config import ModelConfig
from hgrkit.training.preset import with_preset
from hgrkit.training.records import TrainingProgress
from hgrkit.training.run_folder import LOG_FILE
from hgrkit.training.setting import read_settings
from hgrkit.training.state import STATE_FILE
from hgrkit.training.trainer import Trainer
from hgrkit.video.features import VideoFeatures

PRESET = "paper"
SMALLER_MODEL = {"embed_dim": 256, "even_pooling": True}
SHORTER_TRAINING = {
    "epochs": 5,
    "learning_rate": 1e-3,
    "warm_up": 0.05,
    "schedule": "cosine",
    "bucket": 10,
    "device": "cpu",
}
"""What is not as in the preset, to end on two cores. One frame teaches no attention over frames, so it is even."""

FOILS, ELSEWHERE = "foils", "foils beside another clip"
ALL, MEAN = "all choices", "mean of the types"
CUTOFFS = tuple(RankMeasure(name) for name in ("R@1", "R@5", "R@10", "mRR"))
ACCURACY = RankMeasure("R@1")


@attrs.frozen(kw_only=True)
class Variant:
    """What is otherwise than in the preset.

    Attributes:
        text: settings of `[model.text]`.
        matcher: settings of `[model.matcher]`.
        loss: settings of `[loss]`.
        nodes: whether actions and entities are read; without them the event is the same, in less time.
    """

    text: Mapping[str, Any] = attrs.field(factory=dict)
    matcher: Mapping[str, Any] = attrs.field(factory=dict)
    loss: Mapping[str, Any] = attrs.field(factory=dict)
    nodes: bool = True

    def tables(self, seed: int) -> dict[str, Any]:
        """A run's tables as a config would have them, the preset's among them."""
        changed = {
            "model": {**SMALLER_MODEL, "text": self.text, "matcher": self.matcher},
            "training": {**SHORTER_TRAINING, "seed": seed},
            "loss": self.loss,
        }
        return with_preset(changed, PRESET)


HGR = "HGR"
TRAINED: Mapping[str, Variant] = {
    HGR: Variant(),
    "global baseline": Variant(
        text={"graph_layers": 0},
        matcher={"level_weights": [1.0, 0.0, 0.0]},
        loss={"level_weights": [0.0, 1.0, 0.0, 0.0]},
        nodes=False,
    ),
    "without the graph": Variant(text={"graph_layers": 0}),
    "without attention": Variant(text={"graph_attention": False}),
}


@attrs.frozen(kw_only=True, eq=False)
class Questions:
    """What models learn from and are asked; every number of a frame's features has mean 0 and deviation 1.

    Attributes:
        photographs: of Flickr8k; mean and deviation are those of the photographs to train on.
        graphs: their captions, read.
        clips: of MSVD, with captions and foils.
    """

    photographs: Photographs
    graphs: tuple[RoleGraph, ...]
    clips: Clips

    @classmethod
    def of(cls, photographs: Photographs, graphs: tuple[RoleGraph, ...], clips: Clips) -> Questions:
        """Shift and scale the features: as they are, all photographs look alike to fresh weights."""
        view, own = photographs.views[0], clips.features
        seen = view.features[photographs.split["train"]]
        mean, deviation = seen.mean(dim=0), seen.std(dim=0)
        view = attrs.evolve(view, features=(view.features - mean) / deviation)
        frames = ((own.frames - mean) / deviation) * own.frame_mask[:, :, None]
        return cls(
            photographs=attrs.evolve(photographs, views=(view,)),
            graphs=graphs,
            clips=attrs.evolve(clips, features=attrs.evolve(own, frames=frames)),
        )

    def captioned(self, part: str, *, nodes: bool) -> CaptionedClips:
        """The photographs of one part as clips of one frame."""
        rows, pairs = np.sort(self.photographs.split[part]), self.photographs.pairs(part)
        texts = [caption for own in self.photographs.captions for caption in own]
        features = self.photographs.views[0].features[rows].numpy()
        graphs = [self.graphs[caption] for caption in pairs[:, 1]]
        return CaptionedClips(
            names=tuple(self.photographs.names[row] for row in rows),
            views=(tuple(features[:, None]),),
            graphs=tuple(graphs if nodes else map(without_nodes, graphs)),
            texts=tuple(texts[caption] for caption in pairs[:, 1]),
            owners=np.searchsorted(rows, pairs[:, 0]),
        )


def without_nodes(graph: RoleGraph) -> RoleGraph:
    """The words alone."""
    return RoleGraph(tokens=graph.tokens)


def train_model(name: str, seed: int, questions: Questions, cache: Path) -> tuple[HgrModel, dict[str, Any]]:
    """Train one variant, or take it from the cache; with it, how its training went."""
    tables = TRAINED[name].tables(seed)
    train, dev = (questions.captioned(part, nodes=TRAINED[name].nodes) for part in ("train", "dev"))
    described = json.dumps([tables, train.digest, dev.digest], sort_keys=True)
    folder = cache / f"paper-{hashlib.sha256(described.encode()).hexdigest()[:16]}"
    if not (folder / "model").is_dir():
        model = read_settings(ModelConfig, tables["model"], "[model]").make(
            train.graphs, feature_dim=train.feature_dim, seed=seed
        )
        trainer = Trainer(
            model,
            loss=read_settings(LossConfig, tables["loss"], "[loss]").make(),
            config=read_settings(TrainConfig, tables["training"], "[training]"),
        )
        with Progress() as progress:
            task = progress.add_task(f"{name}, seed {seed}")

            def show(now: TrainingProgress) -> None:
                progress.update(task, completed=now.step, total=now.total)

            run = trainer.fit(train, dev, folder=folder, on_progress=show)
        hgrkit.save_model(run.best, folder / "model")
        (folder / STATE_FILE).unlink()
    return hgrkit.load_model(folder / "model"), told_by_log(folder / LOG_FILE)


def told_by_log(path: Path) -> dict[str, Any]:
    """Best epoch, Rsum on the dev photographs after each epoch, and minutes."""
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    epochs = [line for line in lines if line["kind"] == "epoch"]
    return {
        "best_epoch": max(epoch["epoch"] for epoch in epochs if epoch["best"]),
        "dev_rsum": [round(epoch["dev"]["Rsum"], 1) for epoch in epochs],
        "minutes": round(sum(epoch["seconds"] for epoch in epochs) / 60, 1),
    }


@torch.inference_mode()
def score_levels(model: HgrModel, features: VideoFeatures, graphs: Sequence[RoleGraph]) -> PerLevel[torch.Tensor]:
    """Each level's scores, [V, C]."""
    video = model.video(features)
    starts = range(0, len(graphs), SENTENCES_AT_ONCE)
    parts = [
        model.matcher(video, model.text(model.text.batch(graphs[start : start + SENTENCES_AT_ONCE]))).levels
        for start in starts
    ]
    return PerLevel(**{level: torch.cat([part[level] for part in parts], dim=1) for level in LEVELS})


@attrs.frozen(kw_only=True, eq=False)
class Answers:
    """What one model says of all questions, each level apart.

    Attributes:
        seed: of the model.
        photographs: scores of the test split, [V, C].
        clips: scores of the clips with captions and then foils, [V, C].
    """

    seed: int
    photographs: PerLevel[torch.Tensor]
    clips: PerLevel[torch.Tensor]

    @classmethod
    def of(cls, model: HgrModel, seed: int, questions: Questions, *, nodes: bool) -> Answers:
        """Ask one model everything."""
        photographs, clips = questions.photographs, questions.clips
        graphs = (
            [questions.graphs[caption] for caption in photographs.pairs("test")[:, 1]],
            list(clips.sentences.graphs),
        )
        of_photographs, of_clips = graphs if nodes else ([without_nodes(graph) for graph in own] for own in graphs)
        frames = [own[mask] for own, mask in zip(clips.features.frames, clips.features.frame_mask, strict=True)]
        return cls(
            seed=seed,
            photographs=score_levels(
                model, one_frame_clips(photographs.views[0].features[photographs.split["test"]]), of_photographs
            ),
            clips=score_levels(
                model, VideoFeatures.from_arrays(frames, max_frames=model.video.max_frames), of_clips
            ),
        )

    def ranks(self, matcher: Matcher, questions: Questions) -> Ranks:
        """Ranks by question, levels weighed as that matcher does."""
        clips, number = questions.clips, len(questions.clips.captions)
        photographs, scores = (matcher.fuse(levels).numpy() for levels in (self.photographs, self.clips))
        flickr8k = rank_photographs(photographs, questions.photographs, "test", self.seed)
        msvd = rank_texts(scores[:, :number], clips.owners, clips.names, clips.captions, self.seed)
        return {
            **reported(flickr8k, msvd, clips),
            "flickr8k test, image to text": rank_photographs(
                photographs, questions.photographs, "test", self.seed, direction="video_to_text"
            ),
            **rank_choices(scores, clips, self.seed),
            **rank_choices(scores, clips, self.seed, elsewhere=True),
        }


def rank_choices(scores: np.ndarray, clips: Clips, seed: int, *, elsewhere: bool = False) -> Ranks:
    """Each caption's rank among two, itself and its foil: by type of foil, and all of them.

    The R@1 is the accuracy of binary selection (HGR, section 4.4); where both score alike the foil stands first.
    Beside another clip the choice should be a coin toss: what is above was told from the sentences alone.

    Args:
        scores: [V, C], the captions and then the foils.
        clips: theirs.
        seed: of the model; it goes into the names of the choices.
        elsewhere: choose beside the clip that is half of all clips further on, not beside the caption's own.
    """
    prefix, shift = (ELSEWHERE, len(clips.names) // 2) if elsewhere else (FOILS, 0)
    rows = {name: (row + shift) % len(clips.names) for row, name in enumerate(clips.names)}
    columns = {
        (clips.names[owner], text): column
        for column, (owner, text) in enumerate(zip(clips.owners, clips.captions, strict=True))
    }
    ranks: Ranks = {}
    for number, pair in enumerate(clips.foils):
        row, column = rows[pair.video], columns[pair.video, pair.caption]
        chosen = bool(scores[row, column] > scores[row, len(clips.captions) + number])
        choice = QueryRank(query=f"foil {number} {seed}", video=pair.video, rank=1 if chosen else 2, candidates=2)
        for kind in (f"{prefix}, {pair.type}", f"{prefix}, {ALL}"):
            ranks.setdefault(kind, []).append(choice)
    return ranks


def figures(ranks: Ranks, seeds: int) -> dict[str, Any]:
    """Means over the seeds, and R@1 of each seed; of foils the accuracies and the mean of the types."""
    found: dict[str, Any] = {}
    for name, rows in ranks.items():
        own = np.array([row.rank for row in rows])
        measures = (ACCURACY,) if name.startswith(FOILS) else CUTOFFS
        found[name] = {str(measure): measure.of(own) for measure in measures}
        found[name]["R@1 of each seed"] = [ACCURACY.of(part) for part in np.split(own, seeds)]
    for prefix in (FOILS, ELSEWHERE):
        types = [name for name in ranks if name.startswith(f"{prefix}, ") and not name.endswith(ALL)]
        found[f"{prefix}, {MEAN}"] = {"R@1": float(np.mean([found[name]["R@1"] for name in types]))}
    return found


def hgr_leads(hgr: Ranks, other: Ranks) -> dict[str, Any]:
    """HGR's leads by question; of foils the accuracy's."""
    found = leads(hgr, other)
    return {name: {"R@1": lead["R@1"]} if name.startswith(FOILS) else lead for name, lead in found.items()}


def read_questions(data: Path, cache: Path) -> tuple[Questions, str]:
    """Everything that is learned from and asked; with it the frame encoder's fingerprint."""
    encoders = Encoders.read(cache)
    text = encoders.text(Recipe())
    photographs = Photographs.read(data / "flickr8k", encoders.network, cache, spoilt_views=0)
    graphs, _ = read_graphs(LarkParser(), [caption for own in photographs.captions for caption in own])
    clips = Clips.read(data / "msvd", encoders.frames, text, cache, sampling=Recipe().sampling)
    return Questions.of(photographs, graphs, clips), encoders.frames.fingerprint


def measure(
    data: Path, cache: Path, seeds: Sequence[int], names: Sequence[str], save: Callable[[Any], None]
) -> None:
    """Train and compare, saving after every variant."""
    questions, fingerprint = read_questions(data, cache)
    result: dict[str, Any] = {
        **described_run("paper_claim.py", fingerprint, seeds),
        "settings": {},
        "trained": {},
        "minutes": 0.0,
        "systems": {},
    }
    asked: dict[str, Ranks] = {}

    def add(name: str, answers: Sequence[Answers], matcher: Matcher) -> None:
        asked[name] = of_all_seeds([one.ranks(matcher, questions) for one in answers])
        result["systems"][name] = figures(asked[name], len(seeds))
        if name != HGR:
            result["systems"][name]["HGR's lead"] = hgr_leads(asked[HGR], asked[name])

    for name in (HGR, *(name for name in names if name != HGR)):
        result["settings"][name] = TRAINED[name].tables(seeds[0])
        models = []
        for seed in seeds:
            model, log = train_model(name, seed, questions, cache)
            models.append(model)
            result["trained"].setdefault(name, []).append(log)
            result["minutes"] = round(result["minutes"] + log["minutes"], 1)
        answers = [
            Answers.of(model, seed, questions, nodes=TRAINED[name].nodes)
            for model, seed in zip(models, seeds, strict=True)
        ]
        add(name, answers, models[0].matcher)
        if name == HGR:
            for number, level in enumerate(LEVELS):
                alone = Matcher(level_weights=[float(number == other) for other in range(len(LEVELS))])
                add(f"HGR, {level} level alone", answers, alone)
        save(result)


if __name__ == "__main__":
    main(__doc__, TRAINED, measure)
