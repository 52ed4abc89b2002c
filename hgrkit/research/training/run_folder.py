"""A run on disk: whether a folder may hold one, its state, log and curve, and what changed since it began."""

from __future__ import annotations

import enum
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

from hgrkit.errors import CheckpointError, ConfigError, LibraryLockedError, MissingPathError
from hgrkit.model.folder import CONFIG_FILE
from hgrkit.model.hgr_model import HgrModel
from hgrkit.research.training.clips import CaptionedClips
from hgrkit.research.training.config import TrainConfig
from hgrkit.research.training.curve import draw_curve
from hgrkit.research.training.foils import CaptionFoils
from hgrkit.research.training.paraphrases import Paraphrases
from hgrkit.research.training.records import EpochRecord
from hgrkit.research.training.state import STATE_FILE, TrainingState, read_state, write_state
from hgrkit.storage.atomic_file import TEMPORARY_SUFFIX, write_atomically
from hgrkit.storage.lock import LOCK_FILE, WriterLock
from hgrkit.storage.writing import writing

__all__ = ["CURVE_FILE", "LOG_FILE", "MODEL_FOLDER", "RunFolder", "require_vacancy", "run_settings"]

LOG_FILE = "log.jsonl"
CURVE_FILE = "curve.svg"
MODEL_FOLDER = "model"
"""The best model of a run, within its folder."""
MODEL_SCRATCH = f".{MODEL_FOLDER}."
"""What the names of folders begin with in which a model is put together."""

_FILES = (STATE_FILE, LOG_FILE, CURVE_FILE)
_OWN = frozenset({LOCK_FILE, MODEL_FOLDER, *_FILES, *(name + TEMPORARY_SUFFIX for name in _FILES)})


class _Log(enum.Enum):
    """What `log.jsonl` of a folder is; a run that has not finished an epoch has written its first line alone."""

    NONE = enum.auto()
    BEGUN = enum.auto()
    EPOCHS = enum.auto()
    FOREIGN = enum.auto()


def require_vacancy(folder: Path, *, resume: bool | None) -> None:
    """Refuse a folder that a run would spoil.

    Args:
        folder: where the run is to be kept; it need not be there.
        resume: as `Trainer.fit` takes it.

    Raises:
        ConfigError: if it is no folder, holds what no run left there, or what is left of a run without its state.
        CheckpointError: if its `model` is no model folder.
        MissingPathError: if there is nothing to go on from and `resume` is true.
    """
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{str(folder)!r} is a file; choose a folder for the run.")
    has_state = (folder / STATE_FILE).is_file()
    if resume and not has_state:
        raise MissingPathError(
            f"there is no {STATE_FILE} in {str(folder)!r} to go on from; begin without --resume (resume=True)."
        )
    if not folder.is_dir():
        return
    log = _log(folder / LOG_FILE)
    foreign = sorted(path.name for path in folder.iterdir() if not _is_own(path.name))
    if log is _Log.FOREIGN or (foreign and not has_state and log is _Log.NONE):
        name = LOG_FILE if log is _Log.FOREIGN else foreign[0]
        raise ConfigError(
            f"{str(folder)!r} is no run folder: {name!r} in it is of no run; choose a folder that is empty or new."
        )
    model = folder / MODEL_FOLDER
    is_model = (model / CONFIG_FILE).is_file()
    if model.exists() and not is_model and not (model.is_dir() and not any(model.iterdir())):
        raise CheckpointError(f"{model} exists and is not a model folder; choose another folder for the run.")
    if resume is not False and not has_state and (log is _Log.EPOCHS or is_model):
        name = LOG_FILE if log is _Log.EPOCHS else MODEL_FOLDER
        raise ConfigError(
            f"{str(folder)!r} holds {name!r} of a run whose {STATE_FILE} is gone; choose another folder, or "
            "replace that run with --no-resume (resume=False)."
        )


def _is_own(name: str) -> bool:
    return name in _OWN or name.startswith(MODEL_SCRATCH)


def _log(path: Path) -> _Log:
    if not path.exists():
        return _Log.NONE
    try:
        with path.open(encoding="utf-8") as file:
            first, second = json.loads(file.readline()), file.readline()
    except (OSError, ValueError, RecursionError):
        return _Log.FOREIGN
    if not isinstance(first, dict) or first.get("kind") != "run":
        return _Log.FOREIGN
    return _Log.EPOCHS if second else _Log.BEGUN


_CHANGEABLE = frozenset({"device", "save_every"})
"""Settings that may differ when a run goes on: they change no number on the same machine."""

_DATA = {
    "train": "[data.train]",
    "dev": "[data.dev]",
    "paraphrases": "[data.paraphrases]",
    "foils": "[data.foils]",
}
_COUNTS = ("clips", "captions", "views", "foils")


def settings_changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs between two of `run_settings`, most telling first; empty if nothing that matters does.

    >>> settings_changes({"training": {"epochs": 2}}, {"training": {"epochs": 3}})
    ['[training] epochs was 2, is 3']
    """
    said = _differences(before.get("training", {}), now.get("training", {}), "[training] ")
    about_before, about_now = before.get("about", {}), now.get("about", {})
    for table in ("model", "loss"):  # as the config has them, which the command hands over
        said += _tables(about_before, about_now, table)
    others = {name for name in (*about_before, *about_now) if name not in ("model", "loss")}
    said += _differences(_only(about_before, others), _only(about_now, others), "about.")
    data = [_data(name, before.get(name), now.get(name)) for name in _DATA]
    said += [change for change in data if change is not None]
    return said or _made(before, now)


def _tables(before: Mapping[str, Any], now: Mapping[str, Any], table: str) -> list[str]:
    """Changes of a table of a config and of the tables below it."""
    old, new = before.get(table) or {}, now.get(table) or {}
    nested = [name for name in (*old, *new) if isinstance(old.get(name, new.get(name)), Mapping)]
    found = _differences(_without(old, nested), _without(new, nested), f"[{table}] ")
    for name in dict.fromkeys(nested):
        found += _differences(old.get(name) or {}, new.get(name) or {}, f"[{table}.{name}] ")
    return found


def _data(name: str, before: Any, now: Any) -> str | None:
    """How one of the tables of data changed."""
    table = _DATA[name]
    if before == now:
        return None
    if before is None or now is None:
        return f"{table} was {_whether(before)}, is {_whether(now)}"
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        counts = [count for count in _COUNTS if before.get(count) != now.get(count)]
        if counts:
            told = " and ".join(f"{before.get(count)} {count}" for count in counts)
            return f"{table} had {told}, has {' and '.join(str(now.get(count)) for count in counts)}"
        return f"{table} has other {'sentences' if name == 'foils' else 'captions or features'} than it had"
    return f"{table} has other captions than it had"


def _made(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Changes of a model or a loss that no setting explains: those that a program makes itself."""
    said = _differences(before.get("loss", {}), now.get("loss", {}), "the loss's ")
    said += _differences(before.get("model", {}), now.get("model", {}), "the model's ")
    old, new = before.get("weights", {}), now.get("weights", {})
    if old.get("frozen") != new.get("frozen"):
        said.append("other weights of the model are frozen than were")
    if not said and old != new:
        said.append(f"the model had {old.get('numbers')} numbers, has {new.get('numbers')} or others in shape")
    return said


def _differences(before: Mapping[str, Any], now: Mapping[str, Any], where: str) -> list[str]:
    """What differs, as `name was this, is that`."""
    found = []
    for name in [*before, *(name for name in now if name not in before)]:
        old, new = before.get(name), now.get(name)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found += _differences(old, new, f"{where}{name}.")
        elif old != new and name not in _CHANGEABLE:
            found.append(f"{where}{name} was {_shown(old)}, is {_shown(new)}")
    return found


def _shown(value: Any) -> str:
    return "'none'" if value is None else repr(value)


def _whether(value: Any) -> str:
    return "not there" if value is None else "there"


def _only(table: Mapping[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: value for name, value in table.items() if name in names}


def _without(table: Mapping[str, Any], names: list[str]) -> dict[str, Any]:
    return {name: value for name, value in table.items() if name not in names}


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
