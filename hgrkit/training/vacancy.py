"""Whether a folder may hold a run: nothing of anyone else's is there, and no run whose state is gone."""

from __future__ import annotations

import enum
import json
from pathlib import Path

from hgrkit.errors import CheckpointError, ConfigError, MissingPathError
from hgrkit.library.atomic_file import TEMPORARY_SUFFIX
from hgrkit.library.lock import LOCK_FILE
from hgrkit.model_folder import CONFIG_FILE
from hgrkit.training.state import STATE_FILE

__all__ = ["CURVE_FILE", "LOG_FILE", "MODEL_FOLDER", "MODEL_SCRATCH", "require_vacancy"]

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
