"""The frame encoder that the model reads: EfficientNet-Lite2 on the weights in this package."""

from __future__ import annotations

from pathlib import Path

from hgrkit.video.efficientnet_lite import EfficientNetLite

__all__ = ["efficientnet_lite2"]


def efficientnet_lite2(device: str) -> EfficientNetLite:
    """The encoder on `cpu` or on a torch device; what `hgrkit.frame_encoders` names `efficientnet-lite2`."""
    return EfficientNetLite(Path(__file__).parent / "frames", variant="efficientnet-lite2", device=device)
