"""A run on disk: its state, its log and its curve, each written whole or not at all."""

from __future__ import annotations

import hashlib
import json
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
from hgrkit.library.lock import WriterLock
from hgrkit.model import HgrModel
from hgrkit.training.clips import CaptionedClips
from hgrkit.training.config import TrainConfig
from hgrkit.training.curve import draw_curve
from hgrkit.training.foils import CaptionFoils
from hgrkit.training.paraphrases import Paraphrases
from hgrkit.training.records import EpochRecord
from hgrkit.training.state import TrainingState, read_state, write_state

__all__ = ["CURVE_FILE", "LOG_FILE", "RunFolder", "run_settings"]

LOG_FILE = "log.jsonl"
CURVE_FILE = "curve.svg"

_SHOWN_NUMBERS = 16
"""Weights of a loss that are written down have at most so many numbers."""

_CHANGEABLE = frozenset({"device", "save_every"})
"""Settings that may differ when a run goes on: they change no number on the same machine."""


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
    def open(cls, path: str | Path, settings: Mapping[str, Any]) -> RunFolder:
        """The folder, made if it is not there."""
        Path(path).mkdir(parents=True, exist_ok=True)
        return cls(path=Path(path), settings=settings)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other processes out of the folder; the system lets go when this one dies.

        Raises:
            ConfigError: if another one trains there.
        """
        try:
            lock = WriterLock(self.path)
        except LibraryLockedError:
            raise ConfigError(
                f"another run is under way in {str(self.path)!r}; wait until it is done, or choose another folder."
            ) from None
        with lock:
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
        differing = _differences(state.record["settings"], self.settings)
        if differing:
            raise ConfigError(
                f"the run in {str(self.path)!r} was begun with other settings: {'; '.join(differing[:5])}; "
                "begin anew (--no-resume), or choose another folder."
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
        write_atomically(self.path / LOG_FILE, text.encode())
        if log:
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
        "unparsed": clips.unparsed,
        "sha256": clips.digest,
    }


def _versions() -> dict[str, str]:
    return {"torch": torch.__version__, "numpy": np.__version__} | {
        name: metadata.version(name) for name in ("hgrkit", "safetensors", "onnxruntime")
    }


def _differences(before: Mapping[str, Any], now: Mapping[str, Any], where: str = "") -> list[str]:
    """What differs, as `name was this, is that`."""
    found = []
    for name in [*before, *(name for name in now if name not in before)]:
        old, new = before.get(name), now.get(name)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found += _differences(old, new, f"{where}{name}.")
        elif old != new and name not in _CHANGEABLE:
            found.append(f"{where}{name} was {old!r}, is {new!r}")
    return found
