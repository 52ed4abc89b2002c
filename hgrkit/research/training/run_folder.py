"""A run on disk: whether a folder may hold one, its state, log and curve, and what has changed since it began."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import attrs
import numpy as np
import torch

from hgrkit.errors import CheckpointError, ConfigError, LibraryLockedError, MissingPathError
from hgrkit.model.folder import CONFIG_FILE
from hgrkit.pages.chart import Axis, Point, draw_chart, quarters
from hgrkit.research.training.records import EpochRecord
from hgrkit.research.training.state import STATE_FILE, TrainingState, read_state, write_state
from hgrkit.storage.atomic_file import TEMPORARY_SUFFIX, write_atomically, writing
from hgrkit.storage.lock import LOCK_FILE, WriterLock

__all__ = ["CURVE_FILE", "LOG_FILE", "MODEL_FOLDER", "RunFolder", "check_run_folder", "draw_curve"]

LOG_FILE = "log.jsonl"
CURVE_FILE = "curve.svg"
MODEL_FOLDER = "model"
"""The best model of a run, within its folder."""
MODEL_SCRATCH = f".{MODEL_FOLDER}."
"""What the names of folders begin with in which a model is put together."""

_FILES = (STATE_FILE, LOG_FILE, CURVE_FILE)
_OWN = frozenset({LOCK_FILE, MODEL_FOLDER, *_FILES, *(name + TEMPORARY_SUFFIX for name in _FILES)})


_Log = Literal["none", "begun", "epochs", "foreign"]
"""What `log.jsonl` of a folder is; a run that has not finished an epoch has written its first line alone."""


def check_run_folder(folder: Path, *, resume: bool | None) -> None:
    """Refuse a folder that is not empty, new or a run's.

    Args:
        folder: where the run is to be written; it need not be there.
        resume: as `Trainer.fit` takes it.

    Raises:
        ConfigError: if it is no folder, holds what no run left there, or what is left of a run without its state.
        CheckpointError: if its `model` is no model folder.
        MissingPathError: if there is nothing to resume and `resume` is true.
    """
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{str(folder)!r} is a file; choose a folder for the run.")
    has_state = (folder / STATE_FILE).is_file()
    if resume and not has_state:
        raise MissingPathError(
            f"there is no {STATE_FILE} in {str(folder)!r} to resume from; start without --resume (resume=True)."
        )
    if not folder.is_dir():
        return
    log = _log(folder / LOG_FILE)
    foreign = sorted(path.name for path in folder.iterdir() if not _is_own(path.name))
    if log == "foreign" or (foreign and not has_state and log == "none"):
        name = LOG_FILE if log == "foreign" else foreign[0]
        raise ConfigError(
            f"{str(folder)!r} is not a run folder: {name!r} in it does not belong to a run; "
            "choose a folder that is empty or new."
        )
    model = folder / MODEL_FOLDER
    is_model = (model / CONFIG_FILE).is_file()
    if model.exists() and not is_model and not (model.is_dir() and not any(model.iterdir())):
        raise CheckpointError(f"{model} exists and is not a model folder; choose another folder for the run.")
    if resume is not False and not has_state and (log == "epochs" or is_model):
        name = LOG_FILE if log == "epochs" else MODEL_FOLDER
        raise ConfigError(
            f"{str(folder)!r} holds {name!r} of a run whose {STATE_FILE} is gone; choose another folder, or "
            "replace that run with --no-resume (resume=False)."
        )


def _is_own(name: str) -> bool:
    return name in _OWN or name.startswith(MODEL_SCRATCH)


def _log(path: Path) -> _Log:
    if not path.exists():
        return "none"
    try:
        with path.open(encoding="utf-8") as file:
            first, second = json.loads(file.readline()), file.readline()
    except (OSError, ValueError, RecursionError):
        return "foreign"
    if not isinstance(first, dict) or first.get("kind") != "run":
        return "foreign"
    return "epochs" if second else "begun"


_CHANGEABLE = frozenset({"device", "save_every"})
"""Settings that may differ when a run is resumed: they change no number on the same machine."""

_ADDED = {"same_clip_negatives": False, "keep_start": False}
"""Settings that runs of older versions do not name, with what those did: they resume."""

_COUNTS = ("clips", "captions", "views", "foils")


def settings_changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What matters and differs between two of `TrainingInputs.settings`, most telling first.

    >>> settings_changes({"training": {"epochs": 2}}, {"training": {"epochs": 3}})
    ['[training] epochs was 2, is 3']
    """
    changes = _differences(before, now, "training", "[training] ") + _differences(before, now, "about", "about.")
    for name in ("train", "dev", "paraphrases", "foils"):
        changes += _data_change(name, before.get(name), now.get(name))
    if changes:
        return changes
    # a model or a loss that no setting explains was made by a program
    changes = _differences(before, now, "loss", "the loss's ") + _differences(before, now, "model", "the model's ")
    old, new = before.get("weights", {}), now.get("weights", {})
    if old.get("frozen") != new.get("frozen"):
        changes.append("other weights of the model are frozen than were")
    if not changes and old != new:
        changes.append(f"the model had {old.get('numbers')} numbers, has {new.get('numbers')} or others in shape")
    return changes


def _differences(before: Mapping[str, Any], now: Mapping[str, Any], part: str, where: str) -> list[str]:
    """What differs in a part of the settings, as `name was this, is that`."""
    old, new = _leaves(before.get(part, {})), _leaves(now.get(part, {}))
    found = []
    for path in {**old, **new}:
        if old.get(path) != new.get(path):
            name = where + ".".join(path)
            # the command hands over the tables of its config
            if part == "about" and path[0] in ("model", "loss") and len(path) > 1:
                name = f"[{'.'.join(path[:-1])}] {path[-1]}"
            found.append(f"{name} was {old.get(path, 'none')!r}, is {new.get(path, 'none')!r}")
    return found


def _leaves(table: Mapping[str, Any], above: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    """The settings within tables of tables, by their path; an absent one and `None` are the same."""
    leaves: dict[tuple[str, ...], Any] = {}
    for name, value in table.items():
        if isinstance(value, Mapping):
            leaves |= _leaves(value, (*above, name))
        elif value not in (None, _ADDED.get(name)) and name not in _CHANGEABLE:
            leaves[*above, name] = value
    return leaves


def _data_change(name: str, before: Any, now: Any) -> list[str]:
    """How a table of data changed."""
    if before == now:
        return []
    if before is None or now is None:
        was, is_ = ("not there" if side is None else "there" for side in (before, now))
        return [f"[data.{name}] was {was}, is {is_}"]
    if not (isinstance(before, Mapping) and isinstance(now, Mapping)):
        return [f"[data.{name}] has other captions than it had"]
    counts = [count for count in _COUNTS if before.get(count) != now.get(count)]
    if not counts:
        other = "sentences" if name == "foils" else "captions or features"
        return [f"[data.{name}] has other {other} than it had"]
    earlier = " and ".join(f"{before.get(count)} {count}" for count in counts)
    return [f"[data.{name}] had {earlier}, has {' and '.join(str(now.get(count)) for count in counts)}"]


@attrs.frozen(kw_only=True)
class RunFolder:
    """The folder of a run, and what the run is made of."""

    path: Path
    settings: Mapping[str, Any]

    @classmethod
    def open(cls, path: str | Path, settings: Mapping[str, Any], *, resume: bool | None) -> RunFolder:
        """The folder, made if it is not there.

        Raises:
            HgrkitError: if it cannot hold the run; `check_run_folder` says why.
        """
        check_run_folder(Path(path), resume=resume)
        Path(path).mkdir(parents=True, exist_ok=True)
        return cls(path=Path(path), settings=settings)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the folder for this process, and remove what one that died while writing a model left.

        The system releases the lock when this process dies.

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
        """The state from which the run resumes; `None` if there is none.

        Raises:
            CheckpointError: if it cannot be read.
            ConfigError: if the run was started with other settings or data; they are listed.
        """
        state = read_state(self.path)
        if state is None:
            return None
        changes = settings_changes(state.record["settings"], self.settings)
        if changes:
            raise ConfigError(
                f"the run in {str(self.path)!r} was started with other settings or data: "
                f"{'; '.join(changes[:5])}; "
                "start over with --no-resume (resume=False), or choose another folder."
            )
        return state

    def write_state(self, state: TrainingState) -> None:
        """Write a state, and with it what the run is made of."""
        write_state(attrs.evolve(state, record={**state.record, "settings": self.settings}), self.path)

    def write_log(
        self, log: Sequence[EpochRecord], *, finished: bool, start: Mapping[str, Any] | None = None
    ) -> None:
        """Rewrite the log and the curve; `start` is what the dev clips measured before the first step."""
        best = max((record.epoch for record in log if record.best), default=0)
        lines = [
            {"kind": "run", **self.settings, "versions": _versions()},
            *([] if start is None else [{"kind": "start", "dev": dict(start)}]),
            *({"kind": "epoch", **attrs.asdict(record)} for record in log),
            *([{"kind": "end", "epochs": len(log), "best_epoch": best}] if finished else []),
        ]
        text = "".join(json.dumps(line) + "\n" for line in lines)
        with writing(self.path / LOG_FILE):
            write_atomically(self.path / LOG_FILE, text.encode())
        if log:
            with writing(self.path / CURVE_FILE):
                write_atomically(self.path / CURVE_FILE, draw_curve(log).encode())


def _versions() -> dict[str, str]:
    return {"torch": torch.__version__, "numpy": np.__version__} | {
        name: metadata.version(name) for name in ("hgrkit", "safetensors", "onnxruntime")
    }


def draw_curve(log: Sequence[EpochRecord]) -> str:
    """The picture of at least one epoch: loss to the left axis, dev Rsum to the right one, the best epoch marked.

    Args:
        log: one record an epoch.

    Returns:
        An SVG document.
    """
    last = max(2, log[-1].epoch)
    best = max((record for record in log if record.best), key=lambda record: record.epoch, default=log[0])
    series = {"loss": {record.epoch: record.loss for record in log}}
    if rsums := {record.epoch: record.dev_rsum for record in log if record.dev_rsum is not None}:
        series["rsum"] = rsums
    ends = {kind: _ends(list(values.values())) for kind, values in series.items()}
    placed = {kind: _placed(values, last, *ends[kind]) for kind, values in series.items()}
    radii = {("rsum", best.epoch): 5.0}  # the best epoch stands out
    dots = [
        (kind, point, f"epoch {epoch}: {series[kind][epoch]:.4g}", radii.get((kind, epoch), 3.0))
        for kind, points in placed.items()
        for epoch, point in points.items()
    ]
    axes = {
        kind: Axis("dev Rsum" if kind == "rsum" else kind, quarters(*ends[kind], "{:.4g}"), kind)
        for kind in series
    }
    return draw_chart(
        _title(log, best),
        bottom=Axis("epoch", _epoch_ticks(last)),
        left=axes["loss"],
        right=axes.get("rsum"),
        lines=[(kind, list(points.values())) for kind, points in placed.items()],
        dots=dots,
        standalone=True,
    )


def _title(log: Sequence[EpochRecord], best: EpochRecord) -> str:
    measured = f"; best dev Rsum {best.dev_rsum:.1f} at epoch {best.epoch}" if best.dev_rsum is not None else ""
    return f"{len(log)} epochs, loss {log[-1].loss:.4g}{measured}"


def _epoch_ticks(last: int) -> list[tuple[float, str]]:
    step = max(1, math.ceil((last - 1) / 10))
    return [((epoch - 1) / (last - 1), str(epoch)) for epoch in range(1, last + 1, step)]


def _placed(values: Mapping[int, float], last: int, low: float, high: float) -> dict[int, Point]:
    return {epoch: ((epoch - 1) / (last - 1), (value - low) / (high - low)) for epoch, value in values.items()}


def _ends(values: Sequence[float]) -> tuple[float, float]:
    """Round ends of an axis that holds all values, a quarter of which is a number of one or two digits."""
    spread = max(max(values) - min(values), abs(max(values)) * 1e-2, 1e-9)
    power = 10.0 ** math.floor(math.log10(spread / 4))
    for step in (factor * power * scale for scale in (1, 10, 100) for factor in (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8)):
        low = math.floor(min(values) / step) * step
        if low + 4 * step >= max(values):
            return low, low + 4 * step
    return min(values), max(values)
