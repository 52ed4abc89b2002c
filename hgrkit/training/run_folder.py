"""A run on disk: its state, its log and its curve, each written whole or not at all."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import torch
from torch import nn

from hgrkit.errors import ConfigError, LibraryLockedError
from hgrkit.library.atomic_file import write_atomically
from hgrkit.library.lock import LOCK_FILE, WriterLock
from hgrkit.model import HgrModel
from hgrkit.training.clips import CaptionedClips
from hgrkit.training.config import TrainConfig
from hgrkit.training.curve import draw_curve
from hgrkit.training.foils import CaptionFoils
from hgrkit.training.paraphrases import Paraphrases
from hgrkit.training.records import EpochRecord
from hgrkit.training.settings_change import settings_changes
from hgrkit.training.state import TrainingState, read_state, write_state
from hgrkit.training.vacancy import CURVE_FILE, LOG_FILE, MODEL_SCRATCH, require_vacancy
from hgrkit.writing import writing

__all__ = ["CURVE_FILE", "LOG_FILE", "RunFolder", "run_settings"]

_SHOWN_NUMBERS = 16
"""Weights of a loss that are written down have at most so many numbers."""


def run_settings(
    model: HgrModel,
    loss: nn.Module,
    config: TrainConfig,
    *,
    train: CaptionedClips,
    dev: CaptionedClips | None,
    paraphrases: Paraphrases | None,
    foils: CaptionFoils | None,
    about: Mapping[str, Any],
) -> dict[str, Any]:
    """What a run is made of, as JSON: the first line of its log, and what must be the same to go on."""
    kept = {name: value for name, value in vars(loss).items() if not name.startswith("_") and name != "training"}
    weights = {
        name: {"start": weight.detach().cpu().tolist(), "trained": weight.requires_grad}
        for name, weight in loss.named_parameters()
        if weight.numel() <= _SHOWN_NUMBERS
    }
    settings = {
        "training": attrs.asdict(config),
        "loss": {"type": type(loss).__name__, **kept, **weights},
        "model": dict(model.config),
        "weights": _weights(model),
        "train": _described(train),
        "dev": None if dev is None else _described(dev),
        "paraphrases": None if paraphrases is None else paraphrases.digest,
        "foils": None if foils is None else foils.described,
        "about": dict(about),
    }
    as_json: dict[str, Any] = json.loads(json.dumps(settings, default=str))
    return as_json


@attrs.frozen(kw_only=True)
class RunFolder:
    """Where a run is kept.

    Attributes:
        path: the folder.
        settings: what the run is made of.
    """

    path: Path
    settings: Mapping[str, Any]

    @classmethod
    def open(cls, path: str | Path, settings: Mapping[str, Any], *, resume: bool | None) -> RunFolder:
        """The folder, made if it is not there.

        Raises:
            HgrkitError: if it cannot hold the run; `require_vacancy` says why.
        """
        require_vacancy(Path(path), resume=resume)
        Path(path).mkdir(parents=True, exist_ok=True)
        return cls(path=Path(path), settings=settings)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other processes out of the folder, and clear up after one that died while it wrote a model.

        The system lets go of the folder when this process dies.

        Raises:
            ConfigError: if another one trains there.
        """
        try:
            with writing(self.path / LOCK_FILE):
                lock = WriterLock(self.path)
        except LibraryLockedError:
            raise ConfigError(
                f"another run is under way in {str(self.path)!r}; wait until it is done, or choose another folder."
            ) from None
        with lock:
            for left in self.path.glob(f"{MODEL_SCRATCH}*"):
                shutil.rmtree(left, ignore_errors=True)
            yield

    def read_state(self) -> TrainingState | None:
        """The state from which the run goes on; `None` if there is none.

        Raises:
            CheckpointError: if it cannot be read.
            ConfigError: if the run was begun with other settings or data; they are listed.
        """
        state = read_state(self.path)
        if state is None:
            return None
        changes = settings_changes(state.record["settings"], self.settings)
        if changes:
            raise ConfigError(
                f"the run in {str(self.path)!r} was begun with other settings or data: {'; '.join(changes[:5])}; "
                "begin anew with --no-resume (resume=False), or choose another folder."
            )
        return state

    def write_state(self, state: TrainingState) -> None:
        """Keep a state, and with it what the run is made of."""
        write_state(attrs.evolve(state, record={**state.record, "settings": self.settings}), self.path)

    def write_log(self, log: Sequence[EpochRecord], *, finished: bool) -> None:
        """Write the log and the curve anew."""
        best = max((record.epoch for record in log if record.best), default=0)
        lines = [
            {"kind": "run", **self.settings, "versions": _versions()},
            *({"kind": "epoch", **attrs.asdict(record)} for record in log),
            *([{"kind": "end", "epochs": len(log), "best_epoch": best}] if finished else []),
        ]
        text = "".join(json.dumps(line) + "\n" for line in lines)
        with writing(self.path / LOG_FILE):
            write_atomically(self.path / LOG_FILE, text.encode())
        if log:
            with writing(self.path / CURVE_FILE):
                write_atomically(self.path / CURVE_FILE, draw_curve(log).encode())


def _weights(model: nn.Module) -> dict[str, Any]:
    """The shapes of the weights, as a digest, and which are not trained."""
    shapes = {name: list(tensor.shape) for name, tensor in model.state_dict().items()}
    return {
        "numbers": sum(tensor.numel() for tensor in model.state_dict().values()),
        "shapes_sha256": hashlib.sha256(json.dumps(shapes).encode()).hexdigest(),
        "frozen": [name for name, weight in model.named_parameters() if not weight.requires_grad],
    }


def _described(clips: CaptionedClips) -> dict[str, Any]:
    return {
        "clips": len(clips),
        "captions": len(clips.graphs),
        "views": len(clips.views),
        "blank": clips.blank,
        "unparsed": clips.unparsed,
        "sha256": clips.digest,
    }


def _versions() -> dict[str, str]:
    return {"torch": torch.__version__, "numpy": np.__version__} | {
        name: metadata.version(name) for name in ("hgrkit", "safetensors", "onnxruntime")
    }
