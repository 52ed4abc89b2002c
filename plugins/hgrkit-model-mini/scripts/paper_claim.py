"""The paper's claim on other data: HGR against its own levels, a global baseline and HGR without parts of it.

Every variant starts from the preset `paper`, or another one that is named, and is trained by hgrkit's trainer with
several seeds on Flickr8k's photographs, clips of one frame, as the published frame encoder sees them. Asked are
photographs of the test split in both directions, the second half of 98 MSVD clips by name, none of which was seen,
and foils of the captions of all 98. A lead above zero says that HGR is better; it is paired and resampled by clip.
Needs the cache that `train_model.py` leaves, or fills with `--cache-only`; models that are trained are kept there
too, and a training that was stopped goes on where it was.

    python scripts/paper_claim.py --data DATA --cache build/cache --out ../../benchmarks/results/paper_claim.json
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import torch
from cache_file import cache_file
from encoders import Encoders
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
from foil_choices import ACCURACY, ALL, ELSEWHERE, FOILS, rank_choices
from msvd_clips import Clips
from one_frame_loss import one_frame_clips
from paper_variants import HGR, PRESET, TRAINED
from photographs import Photographs
from recipe import Recipe
from rich.progress import Progress

import hgrkit
from hgrkit.checks.settings import read_settings
from hgrkit.graph import RoleGraph
from hgrkit.levels import LEVELS, PerLevel
from hgrkit.matching.matcher import Matcher
from hgrkit.model.hgr_model import HgrModel
from hgrkit.model.video import VideoFeatures
from hgrkit.parsing.lark.parser import LarkParser
from hgrkit.research.evaluation.measures import RankMeasure
from hgrkit.research.training.clips import CaptionedClips, read_graphs
from hgrkit.research.training.config import LossConfig, TrainConfig
from hgrkit.research.training.model_config import ModelConfig
from hgrkit.research.training.records import TrainingProgress
from hgrkit.research.training.run_folder import LOG_FILE
from hgrkit.research.training.state import STATE_FILE
from hgrkit.research.training.trainer import Trainer

MEAN = "mean of the types"
CUTOFFS = tuple(RankMeasure(name) for name in ("R@1", "R@5", "R@10", "mRR"))


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
        texts = self.photographs.texts
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


def train_model(
    name: str, seed: int, questions: Questions, cache: Path, *, preset: str = PRESET
) -> tuple[HgrModel, dict[str, Any]]:
    """Train one variant of a preset, or take it from the cache; with it, how its training went."""
    tables = TRAINED[name].tables(seed, preset)
    train, dev = (questions.captioned(part, nodes=TRAINED[name].nodes) for part in ("train", "dev"))
    folder = cache_file(cache, "paper", tables, train.digest, dev.digest)
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
    on_foils = {name: ranks for name, ranks in hgr.items() if name.startswith(FOILS)}
    elsewhere = {name: ranks for name, ranks in hgr.items() if name not in on_foils}
    found = leads(elsewhere, other) | leads(on_foils, other, [ACCURACY])
    return {name: found[name] for name in hgr}


def read_questions(data: Path, cache: Path) -> tuple[Questions, str]:
    """Everything that is learned from and asked; with it the frame encoder's fingerprint."""
    encoders = Encoders.read(cache)
    text = encoders.text(Recipe())
    photographs = Photographs.read(data / "flickr8k", encoders.network, cache, augmented_views=0, mirrored=False)
    graphs, _ = read_graphs(LarkParser(), photographs.texts)
    clips = Clips.read(data / "msvd", encoders.frames, text, cache, sampling=Recipe().sampling)
    return Questions.of(photographs, graphs, clips), encoders.frames.fingerprint


def measure(
    data: Path,
    cache: Path,
    seeds: Sequence[int],
    names: Sequence[str],
    save: Callable[[Any], None],
    *,
    preset: str = PRESET,
) -> None:
    """Train and compare, saving after every variant."""
    questions, fingerprint = read_questions(data, cache)
    script = "paper_claim.py" + (f" --preset {preset}" if preset != PRESET else "")
    result: dict[str, Any] = {
        **described_run(script, fingerprint, seeds),
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
        result["settings"][name] = TRAINED[name].tables(seeds[0], preset)
        models = []
        for seed in seeds:
            model, log = train_model(name, seed, questions, cache, preset=preset)
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
    main(__doc__, TRAINED, measure, presets=(PRESET, "released"))
