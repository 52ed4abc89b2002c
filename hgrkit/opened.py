"""What a retriever has open: a library, and the model that fits its vectors."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import attrs

from hgrkit.errors import ConfigError
from hgrkit.library.candidates import CandidateSource
from hgrkit.library.library import Library
from hgrkit.library.scoring import LevelWeights, SearchSettings
from hgrkit.model.loaded import LoadedModel

if TYPE_CHECKING:
    from hgrkit.indexing.example import ExampleReader
    from hgrkit.indexing.parts import Parts
    from hgrkit.video.frame_encoder import FrameEncoder

__all__ = ["Opened", "StrPath", "folder_of"]

StrPath = str | PathLike[str]


@attrs.frozen(kw_only=True, eq=False, slots=False)
class Opened:
    """A library and what made it: one thing, so that no question meets the vectors of another model.

    Attributes:
        library: open.
        model: what made it.
        parts: all of what made it, where it was opened for writing.
        frame_encoder: a name or an instance to be used instead of the name in the library's manifest.
    """

    library: Library
    model: LoadedModel
    parts: Parts | None = None
    frame_encoder: str | FrameEncoder | None = None

    @classmethod
    def read(
        cls,
        path: StrPath | Sequence[StrPath],
        *,
        mode: Literal["r", "w"],
        model: StrPath | None,
        frame_encoder: str | FrameEncoder | None,
        candidates: CandidateSource,
        device: str,
        **asked: Any,
    ) -> Opened:
        """Open a library with the model that is asked for, or that made it; raises what `Retriever.open` says."""
        library = Library.open(path, mode=mode, candidates=candidates)
        folder = folder_of(path)
        try:
            made_with = library.manifest
            model_ = LoadedModel.load(made_with.model if model is None else model, device=device)
            dim = model_.query_side.embed_dim if mode == "r" else model_.config.video.embed_dim
            may = mode == "r" and model_.may_search(made_with.model_fingerprint)
            fingerprint = made_with.model_fingerprint if may else model_.fingerprint
            used = attrs.evolve(made_with, model=model_.name, model_fingerprint=fingerprint, embed_dim=dim)
            made_with.require(used, library=fspath(folder))
            parts = None
            if mode == "w":
                from hgrkit.indexing.parts import Parts

                asked = {**asked, "frame_encoder": frame_encoder, "device": device}
                parts = Parts.of_library(library, folder, model_, **asked)
        except BaseException:
            library.close()
            raise
        return cls(library=library, model=model_, parts=parts, frame_encoder=frame_encoder)

    def settings(self, level_weights: LevelWeights | None = None) -> SearchSettings:
        """How clips are scored: as the model does, with these weights, or with those that the library has."""
        weights = self.library.level_weights if level_weights is None else level_weights
        return self.model.query_side.settings.reweighted(weights)

    def writing_parts(self, task: str) -> Parts:
        """All of what made it, to write.

        Raises:
            ConfigError: if it was opened to read.
        """
        if self.parts is None:
            raise ConfigError(f"this library was opened to read; open it with mode='w' to {task}.")
        return self.parts

    @cached_property
    def examples(self) -> ExampleReader:
        """Reads what is given as an example; made for the first one."""
        from hgrkit.indexing.example import ExampleReader

        return ExampleReader(self.library, self.model, self.parts, self.frame_encoder)


def folder_of(path: StrPath | Sequence[StrPath]) -> Path:
    """Return the folder of a library, or of the first of several."""
    return Path(path) if isinstance(path, str | PathLike) else Path(path[0])
