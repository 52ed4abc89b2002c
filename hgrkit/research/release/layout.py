"""Finds the files of a release, flat in one folder or laid out as published."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Literal

import attrs
import numpy as np

from hgrkit.checks.arguments import finite_number
from hgrkit.errors import MissingPathError, ReleaseError
from hgrkit.storage import json_file

__all__ = ["EVALUATION_SPLITS", "ReleaseFolder", "Split", "read_json"]

Split = Literal["trn", "val", "tst"]

EVALUATION_SPLITS: tuple[Split, ...] = ("tst", "val", "trn")
"""Which split is evaluated: the first that is there."""

CONFIG_NAMES = ("model.json", "model.cfg")

_EPOCH = re.compile(r"epoch\.(\d+)\.th")
_VALIDATION = re.compile(r"val\.epoch\.(\d+)\.step\.\d+\.json")


@attrs.frozen
class ReleaseFolder:
    """A folder in the layout of the released code.

    Annotations lie in it or in `annotation/RET`, names in it or in `public_split`, features in it or in
    `ordered_feature/SA/<features>`, and `model.json` with its checkpoints in it or under `results`.

    Raises:
        ReleaseError: from every method, if what it looks for is missing, broken or not the only one.
        MissingPathError: if what the caller named does not exist.
    """

    root: Path = attrs.field(converter=Path)

    def __attrs_post_init__(self) -> None:
        if not self.root.is_dir():
            raise MissingPathError(f"no folder {self.root}; expected one in the layout of the HGR release.")

    def annotation(self, name: str) -> Path:
        """An annotation file, such as `ref_captions.json`."""
        return self._first((self.root / "annotation" / "RET" / name, self.root / name))

    def evaluation_split(self) -> Split:
        """The first of tst, val and trn that has a list of names."""
        for split in EVALUATION_SPLITS:
            if self.has(split):
                return split
        raise ReleaseError(
            f"{self.root} has no list of videos: expected tst_names.npy, val_names.npy or trn_names.npy in it "
            "or in its folder public_split."
        )

    def names(self, split: Split) -> list[str]:
        """The names of a split's videos, in the file's order."""
        path = self._first(self._names_paths(split))
        try:
            names = np.load(path, allow_pickle=False)
        except (ValueError, EOFError) as error:  # EOFError: an empty file
            raise ReleaseError(
                f"{path} is not a plain array of names ({error}); save it again as "
                "numpy.save(path, numpy.array(names, dtype=str))."
            ) from error
        if names.ndim != 1 or names.dtype.kind not in "US" or not names.size:
            raise ReleaseError(f"{path} must hold names, a list of text; got {names.dtype} {list(names.shape)}.")
        return [str(name, "utf-8") if isinstance(name, bytes) else str(name) for name in names.tolist()]

    def feature_files(self, split: Split) -> dict[str, Path]:
        """The feature files of a split by the name of their features; flat ones by their own."""
        stored = self.root / "ordered_feature" / "SA"
        found = {path.parent.name: path for path in sorted(stored.glob(f"*/{split}_ft.hdf5"))}
        found = found or {path.name: path for path in sorted(self.root.glob(f"{split}_ft*.hdf5"))}
        found = found or {path.parent.name: path for path in sorted(self.root.glob(f"*/{split}_ft.hdf5"))}
        if not found:
            raise ReleaseError(
                f"{self.root} has no features: expected {split}_ft.hdf5 in it or in ordered_feature/SA/<features>."
            )
        return found

    def config_path(self, checkpoint: Path | None = None) -> Path:
        """The `model.json`: the nearest above a checkpoint, otherwise the only one of the folder."""
        if checkpoint is not None:
            above = list(checkpoint.resolve().parents)[:4]
            near = _files(folder / name for folder in above for name in CONFIG_NAMES)
            if near:
                return near[0]
        here = _files(self.root / name for name in CONFIG_NAMES)
        for name in CONFIG_NAMES:
            here = here or sorted(self.root.rglob(name))
        if len(here) == 1:
            return here[0]
        if not here:
            raise ReleaseError(f"{self.root} has no model.json, in it or below it; it says what the weights mean.")
        listed = ", ".join(str(path.parent.relative_to(self.root)) for path in here)
        raise ReleaseError(
            f"{self.root} has several results ({listed}); name one of their files with --checkpoint."
        )

    def has(self, split: Split) -> bool:
        """Whether there is a list of a split's videos."""
        return bool(_files(self._names_paths(split)))

    def checkpoint(self, config: Path) -> tuple[Path, str]:
        """A checkpoint `epoch.N.th` beside or below a `model.json`, and why that one.

        It is the one with the best validation Rsum, the earliest of equals, where the release's log has
        `val.epoch.N.step.S.json` of one that is there, as the released code's `find_best_val_models` takes it;
        otherwise the one with the highest N.
        """
        epochs: dict[int, list[Path]] = {}
        for path in config.parent.rglob("epoch.*.th"):
            if match := _EPOCH.fullmatch(path.name):
                epochs.setdefault(int(match[1]), []).append(path)
        if not epochs:
            raise ReleaseError(f"{config.parent} has no checkpoint epoch.N.th; name one with --checkpoint.")
        logged = self._validation_rsums(config)
        known = {epoch: rsum for epoch, rsum in logged.items() if epoch in epochs}
        best = max(known, key=lambda epoch: (known[epoch], -epoch)) if known else max(epochs)
        if len(epochs[best]) > 1:
            listed = ", ".join(str(path.relative_to(config.parent)) for path in sorted(epochs[best]))
            raise ReleaseError(f"{config.parent} has several checkpoints {listed}; name one with --checkpoint.")
        if not known:
            return epochs[best][0], "the highest epoch; no log tells its validation Rsum"
        of = f"of {len(known)} epochs with a checkpoint and a log"
        return epochs[best][0], f"the best validation Rsum, {known[best]:.1f}, {of}"

    def _validation_rsums(self, config: Path) -> dict[int, float]:
        """Rsum on the validation split by epoch, as the log beside or below a `model.json` tells it."""
        found = {}
        for path in sorted(config.parent.rglob("val.epoch.*.step.*.json")):
            if match := _VALIDATION.fullmatch(path.name):
                rsum = finite_number(read_json(path).get("rsum"))
                if rsum is None:
                    raise ReleaseError(f"{path} has no number rsum; take it away, or name one with --checkpoint.")
                found[int(match[1])] = rsum
        return found

    def named_checkpoint(self, checkpoint: str | Path) -> Path:
        """A checkpoint that the caller named, by a path from here or from the release's folder."""
        found = _files((Path(checkpoint), self.root / checkpoint))
        if not found:
            raise MissingPathError(f"no checkpoint {checkpoint}, neither from here nor from {self.root}.")
        return found[0]

    def _names_paths(self, split: Split) -> tuple[Path, ...]:
        name = f"{split}_names.npy"
        return (self.root / "public_split" / name, self.root / name)

    def _first(self, paths: tuple[Path, ...]) -> Path:
        found = _files(paths)
        if not found:
            raise ReleaseError(f"{self.root} has no {paths[-1].name}: expected it there or in {paths[0].parent}.")
        return found[0]


read_json = partial(json_file.read_json, shape=dict, error=ReleaseError, expected="a file of a release")
"""The JSON object in a file of a release, or a `ReleaseError`."""


def _files(paths: Iterable[Path]) -> list[Path]:
    return [path for path in paths if path.is_file()]
