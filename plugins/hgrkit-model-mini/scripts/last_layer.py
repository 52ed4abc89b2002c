"""The transformer's last layer alone, as it is without the early one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from hgrkit.model.text.sentence_reader import SentenceReader

__all__ = ["LastLayerReader"]


class LastLayerReader(SentenceReader):
    """A `SentenceReader` that passes over all but the last layer's states."""

    def __init__(self, *, model: Path, tokenizer: Path) -> None:
        super().__init__(model=model, tokenizer=tokenizer)
        self.hidden_size = self.last_layer_size

    def _states(self, piece_ids: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        return super()._states(piece_ids)[:, :, : self.hidden_size]
