"""The frame encoder that the model reads: EfficientNet-Lite0 on the weights in this package."""

from __future__ import annotations

from pathlib import Path

from hgrkit.video.efficientnet_lite import EfficientNetLite0

__all__ = ["efficientnet_lite0"]


def efficientnet_lite0(device: str) -> EfficientNetLite0:
    """The encoder on `cpu` or on a torch device; what `hgrkit.frame_encoders` names `efficientnet-lite0`."""
    return EfficientNetLite0(Path(__file__).parent / "frames", device=device)
