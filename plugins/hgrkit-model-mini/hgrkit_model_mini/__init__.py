"""hgrkit-model-mini: the small default model of hgrkit, found by hgrkit through its entry points."""

from __future__ import annotations

from pathlib import Path

__all__ = ["model_folder"]


def model_folder() -> Path:
    """The model's folder; what `hgrkit.models` names `mini`."""
    return Path(__file__).parent / "model"
