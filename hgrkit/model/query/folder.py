"""Reads a model folder's query side without torch, or leaves the folder to torch."""

from __future__ import annotations

from pathlib import Path

from hgrkit.errors import CheckpointError, ConfigError
from hgrkit.matching.config import SearchSettings
from hgrkit.model.config import HgrModelConfig
from hgrkit.model.folder import QUERYBANK_NORM_KEY, WEIGHTS_FILE
from hgrkit.model.query.encoder import QuerySide
from hgrkit.model.query.layers import QuerybankNorm, Weights
from hgrkit.model.text.registry import text_encoder_kind
from hgrkit.settings import to_json

__all__ = ["read_query_side"]


def read_query_side(folder: Path) -> QuerySide | None:
    """The query side of a model folder, without torch.

    `None` leaves the folder to `hgrkit.model.checkpoint`: only torch has its kind of text encoder, or it is
    damaged, which torch's loader tells with all that is wrong. What is read here answers as torch does, to
    rounding.

    Raises:
        ModelNotFoundError: if there is no model folder at that path.
    """
    try:
        config = HgrModelConfig.read(folder)
        make = text_encoder_kind(config.text_kind).query
        embed_dim = config.video.embed_dim
        if make is None or config.text.get("embed_dim") != embed_dim:
            return None
        weights = [Weights.read(folder / WEIGHTS_FILE, name) for name in ("text", QUERYBANK_NORM_KEY)]
        norm = None
        if config.querybank_norm is not None:
            norm = QuerybankNorm(weights[1], config.querybank_norm, embed_dim=embed_dim)
        encoder = make(config.text, folder, weights[0], norm)
        for part in weights:
            part.require_all_taken()
        return QuerySide(encoder=encoder, settings=SearchSettings(**to_json(config.matcher)), embed_dim=embed_dim)
    except (CheckpointError, ConfigError):
        return None
