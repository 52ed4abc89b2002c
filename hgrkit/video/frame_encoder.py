"""Frame encoders turn pictures into one vector each, between decoding and the video encoder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from hgrkit.checks.arguments import check_whole, shown
from hgrkit.checks.device import resolve_device
from hgrkit.errors import FrameEncoderNotFoundError, PluginError
from hgrkit.plugins import Registry, plugin_errors
from hgrkit.video.preparation import FrameSize, PictureScaling

__all__ = [
    "DEFAULT_FRAME_SIZE",
    "FRAME_ENCODERS",
    "FrameEncoder",
    "FrameEncoderFactory",
    "encode_frames",
    "frame_size_of",
    "load_frame_encoder",
]

DEFAULT_FRAME_SIZE = (224, 224)
"""Height and width of the pictures for an encoder without a `frame_size` of its own."""

FRAME_ENCODERS = Registry(
    "hgrkit.frame_encoders",
    "frame encoder",
    FrameEncoderNotFoundError,
    {"efficientnet-lite2": "hgrkit-model-mini", "clip": "hgrkit-clip", "open_clip": "hgrkit-clip"},
)
"""Installed frame encoders. An entry point names a callable `(device) -> FrameEncoder`; for a name
with an argument, `NAME:ARGUMENT`, it is called with that as well."""


@runtime_checkable
class FrameEncoder(Protocol):
    """Turns pictures into feature vectors; `hgrkit.testing.FrameEncoderContract` holds one to its rules.

    An encoder may also have `frame_size`: the height and width that pictures are decoded to before they reach it
    (the whole picture, squashed, never cropped), or a `PictureScaling`, which may keep their shape. Without it
    they are 224 x 224. Pictures of one call have one size; where that depends on the picture, it takes any.
    """

    @property
    def feature_dim(self) -> int:
        """Length of one frame's vector."""

    @property
    def fingerprint(self) -> str:
        """Names the encoder and its weights: features of equal fingerprints may be mixed in one library."""

    def encode(self, frames: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Encode RGB pictures `[B, H, W, 3]` to features `[B, feature_dim]`, each independent of the others."""


FrameEncoderFactory = Callable[..., FrameEncoder]
"""What an entry point of `hgrkit.frame_encoders` loads: called with `cpu`, `cuda`, `cuda:1`, `mps`, ..., and with
the argument of `NAME:ARGUMENT`."""


def frame_size_of(encoder: FrameEncoder | None) -> FrameSize:
    """Return what pictures are decoded to for this encoder, or without one.

    Raises:
        PluginError: if the encoder's `frame_size` is no `PictureScaling` and no pair of whole numbers above 0.
    """
    size = getattr(encoder, "frame_size", DEFAULT_FRAME_SIZE)
    if isinstance(size, PictureScaling):
        return size
    try:
        height, width = map(int, size)
    except (TypeError, ValueError):
        height = width = 0
    if height < 1 or width < 1:
        raise PluginError(f"a frame encoder's frame_size must be (height, width), both at least 1, got {size!r}.")
    return height, width


def load_frame_encoder(encoder: str | FrameEncoder, device: str = "auto") -> FrameEncoder:
    """Load the installed frame encoder of that name on a device; an instance is checked and returned.

    Args:
        encoder: a name such as `efficientnet-lite2`, or a ready encoder.
        device: `auto` (CUDA, else MPS, else CPU) or the name of a torch device.

    Raises:
        FrameEncoderNotFoundError: if no such name is installed.
        PluginError: if the plugin fails, or what it makes is no frame encoder.
        ConfigError: if the device is unknown or absent.
    """
    if not isinstance(encoder, str):
        return _checked(encoder, "the frame encoder that was given")
    plugin, argument = FRAME_ENCODERS.find_with_argument(encoder)
    made: FrameEncoder = plugin.make(resolve_device(device), *argument)
    return _checked(made, f"the frame encoder {encoder!r} ({plugin.distribution})")


def encode_frames(encoder: FrameEncoder, frames: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Encode pictures to features `[B, feature_dim]`, and check that the encoder keeps its contract.

    Raises:
        PluginError: if the encoder fails, or does not return that many finite real numbers.
    """
    with plugin_errors(f"the frame encoder {encoder.fingerprint} fails"):
        features = np.asarray(encoder.encode(frames))
    if features.shape != (len(frames), encoder.feature_dim) or features.dtype.kind not in "fiu":
        raise PluginError(
            f"the frame encoder {encoder.fingerprint} must return numbers [{len(frames)}, {encoder.feature_dim}] "
            f"for {len(frames)} frames, got {features.dtype} {list(features.shape)}."
        )
    with np.errstate(over="ignore"):
        single = features.astype(np.float32, copy=False)
    if not np.isfinite(single).all():
        raise PluginError(
            f"the frame encoder {encoder.fingerprint} returns numbers that are NaN or infinite; fix it, "
            "or use another encoder."
        )
    return single


def _checked(encoder: FrameEncoder, owner: str) -> FrameEncoder:
    if isinstance(encoder, type):
        raise PluginError(f"{owner} is {shown(encoder)}, not an instance; give {encoder.__name__}(...).")
    missing = [name for name in ("feature_dim", "fingerprint", "encode") if not hasattr(encoder, name)]
    if missing:
        raise PluginError(f"{owner} is {shown(encoder)}, without {', '.join(missing)}; see FrameEncoder.")
    check_whole(f"feature_dim of {owner}", encoder.feature_dim, error=PluginError)
    if not isinstance(encoder.fingerprint, str) or not callable(encoder.encode):
        raise PluginError(f"{owner} needs a string as its fingerprint and a method encode; see FrameEncoder.")
    return encoder
