"""The clips that a run trains on and measures, as settings: the `[data]` table and those below it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

import attrs

from hgrkit.checks.settings import read_settings, setting
from hgrkit.errors import BenchmarkError, ConfigError
from hgrkit.parsing.protocol import GraphParser
from hgrkit.research.evaluation.captions import match_base_names, read_captions
from hgrkit.research.evaluation.foil_choice import read_foils
from hgrkit.research.training.clips import CaptionedClips, Float32, check_views
from hgrkit.research.training.foils import CaptionFoils
from hgrkit.research.training.paraphrases import Paraphrases
from hgrkit.video.feature_file import FeatureFile

__all__ = ["ClipFiles", "DataConfig", "FoilFile", "ParaphraseFiles"]


@attrs.frozen(kw_only=True)
class ClipFiles:
    """A `[data.train]` or `[data.dev]` table; paths start from the folder of the config file."""

    captions: str = setting(meaning="JSON of {clip: [captions]}")
    features: tuple[str, ...] = setting(
        meaning="files of frame features: .npz, .h5, .parquet, .lance; of several, training draws one a clip"
    )

    def __attrs_post_init__(self) -> None:
        if not self.features:
            raise ConfigError("features names no file; name at least one, such as F.h5.")

    def read(self, base: Path, parser: GraphParser) -> CaptionedClips:
        """Read, parse and join.

        Raises:
            MissingPathError: if a file is not there.
            BenchmarkError: if the captions are no such JSON or have no words, a clip has no features, or two clips
                have the same.
            FeatureFileError: if features cannot be read.
            ShapeError: if clips differ in the numbers of a frame.
        """
        captions = read_captions(base / self.captions)
        worded = [name for name, own in captions.items() if any(text.split() for text in own)]
        if not worded:
            blank = sum(map(len, captions.values()))
            raise BenchmarkError(
                f"{base / self.captions} holds no caption with words, {blank} are empty; give clips captions."
            )
        views = [_features(base / path, worded) for path in self.features]
        check_views(views, [str(base / path) for path in self.features])
        return CaptionedClips.of(captions, *views, parser=parser)


@attrs.frozen(kw_only=True)
class ParaphraseFiles:
    """The `[data.paraphrases]` table: captions of clips without frames, for `paraphrase_weight`."""

    captions: str = setting(meaning="JSON of {clip: [captions]}")
    left_out: tuple[str, ...] = setting((), "JSON files whose clips are left out, such as those of a test")

    def read(self, base: Path, parser: GraphParser) -> Paraphrases:
        """Read and parse; a clip is left out if its stem is that of a clip in `left_out`.

        Raises:
            MissingPathError, BenchmarkError: as `ClipFiles.read` does.
        """
        out = {PurePath(name).stem for path in self.left_out for name in read_captions(base / path)}
        captions = read_captions(base / self.captions)
        kept = {name: own for name, own in captions.items() if PurePath(name).stem not in out}
        return Paraphrases.of(kept, parser=parser)


@attrs.frozen(kw_only=True)
class FoilFile:
    """The `[data.foils]` table: sentences that are wrong where a caption is right, for `foil_weight`."""

    file: str = setting(meaning="JSON lines of {video, caption, foil, type}, as hgrkit foils writes them")

    def read(self, base: Path, parser: GraphParser, clips: CaptionedClips) -> CaptionFoils:
        """Read the foils of the captions of `clips`, and parse them.

        Raises:
            MissingPathError: if there is no such file.
            BenchmarkError: if it is not a file of foils, or none is of those captions.
        """
        path = base / self.file
        foils = read_foils(path)
        try:
            return CaptionFoils.of(foils, clips, parser=parser)
        except BenchmarkError as error:
            raise BenchmarkError(f"{path}: {error}") from error


@attrs.frozen(kw_only=True)
class DataConfig:
    """The `[data]` table of a run."""

    parser: str = setting("lark", "reads the captions; a name as `--parser` takes it")
    train: ClipFiles
    dev: ClipFiles | None = None
    paraphrases: ParaphraseFiles | None = None
    foils: FoilFile | None = None

    @classmethod
    def read(cls, table: Mapping[str, Any]) -> DataConfig:
        """Of the tables of a file.

        Raises:
            ConfigError: if a key is unknown or missing, or a value does not fit.
        """
        kinds = {"train": ClipFiles, "dev": ClipFiles, "paraphrases": ParaphraseFiles, "foils": FoilFile}
        made: dict[str, Any] = {
            name: read_settings(kind, table[name], f"[data.{name}]")
            for name, kind in kinds.items()
            if name in table
        }
        return read_settings(cls, {**table, **made}, "[data]")


def _features(path: Path, names: Sequence[str]) -> dict[str, Float32]:
    """Features of the clips with captions, all in memory."""
    with FeatureFile(path) as file:
        found = match_base_names(names, file)
        missing = [name for name in names if name not in found]
        if missing:
            raise BenchmarkError(
                f"{path} has no features of {len(missing)} of {len(names)} clips, first {missing[0]!r}."
            )
        owners: dict[str, str] = {}
        for name, key in found.items():
            other = owners.setdefault(key, name)
            if other != name:
                raise BenchmarkError(
                    f"the clips {other!r} and {name!r} have the same features, {key!r} of {path}; put "
                    "their captions under one name."
                )
        return {name: file[key] for name, key in found.items()}
