"""The two sides of a dual encoder as hgrkit's plugins: texts and pictures to vectors of one space."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.video.preparation import PicturePreparation, PictureScaling, check_pictures

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from hgrkit.model.onnx_sides import OnnxSides

__all__ = ["ClipFrames", "ClipTexts", "DualModel"]

Float32 = npt.NDArray[np.float32]

_AT_ONCE = 32
"""Texts or pictures in one pass of the network."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class DualModel:
    """A network of `transformers` with text and image features, and what prepares both.

    Attributes:
        name: `clip:` or `open_clip:`, the absolute folder or the hub's name, and what was asked of its precision.
        fingerprint: of every file that decides its vectors.
        model: the network, in evaluation mode.
        encode_pictures: its `get_image_features`, compiled perhaps.
        tokenizer: its words to ids.
        max_tokens: how many of them it reads.
        pads_to_limit: whether it was trained on texts that were all padded to `max_tokens`, as SigLIP was.
        preparation: of pictures.
        device: where the network is.
        lock: tokenizers keep padding and truncation as state.
    """

    name: str
    fingerprint: str
    model: Any
    encode_pictures: Any
    tokenizer: Any
    max_tokens: int
    pads_to_limit: bool
    preparation: PicturePreparation
    device: str
    lock: Lock = attrs.field(factory=Lock)

    def text_inputs(self, texts: Sequence[str]) -> dict[str, torch.Tensor]:
        """What the network takes for texts, by name: [B, T] each."""
        with self.lock:
            inputs = self.tokenizer(
                list(texts),
                padding="max_length" if self.pads_to_limit else True,
                truncation=True,
                max_length=self.max_tokens,
                return_tensors="pt",
            )
        return dict(inputs)

    def text_features(self, texts: Sequence[str]) -> Float32:
        """Vectors as the network puts them out: [B, D]."""
        return self._features(self.model.get_text_features, self.text_inputs(texts))

    def picture_features(self, pictures: npt.NDArray[np.uint8]) -> Float32:
        """Vectors as the network puts them out: uint8 [B, H, W, 3] -> [B, D]."""
        import torch

        inputs = {name: torch.from_numpy(values) for name, values in self.preparation(pictures).items()}
        return self._features(self.encode_pictures, inputs)

    def num_tokens(self, text: str) -> int:
        """How many tokens a text has, read or not."""
        with self.lock:
            return len(self.tokenizer(text, truncation=False, verbose=False)["input_ids"])

    def _features(self, method: Any, inputs: dict[str, torch.Tensor]) -> Float32:
        import torch

        given = {
            name: value.to(self.device, self.model.dtype if value.is_floating_point() else None)
            for name, value in inputs.items()
        }
        # TF32 would move vectors by 1e-3 on recent GPUs
        with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            made = method(**given)
        vectors = made if isinstance(made, torch.Tensor) else made.pooler_output
        found: Float32 = vectors.float().cpu().numpy()
        return found


@attrs.frozen(eq=False)
class ClipTexts:
    """A `TextEncoderPlugin`.

    Attributes:
        dual: the model.
        embed_dim: D.
    """

    dual: DualModel
    embed_dim: int = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "embed_dim", self.dual.text_features(["a"]).shape[1])

    @property
    def name(self) -> str:
        """Such as `clip:/models/clip-vit-base-patch32`."""
        return self.dual.name

    @property
    def fingerprint(self) -> str:
        """Of every file that decides the vectors."""
        return self.dual.fingerprint

    def encode(self, texts: Sequence[str]) -> Float32:
        """Encode texts to vectors [B, D]; tokens past the model's limit are not read."""
        parts = [
            self.dual.text_features(texts[start : start + _AT_ONCE]) for start in range(0, len(texts), _AT_ONCE)
        ]
        return np.concatenate([np.empty((0, self.embed_dim), np.float32), *parts])

    def export_onnx(self, folder: Path) -> OnnxSides:
        """Write both sides of the model as graphs, as `hgrkit.model.onnx_export.OnnxExportable` says."""
        from hgrkit_clip.onnx_export import export

        return export(self.dual, folder, self.embed_dim)

    def omitted_tokens(self, texts: Sequence[str]) -> list[int]:
        """How many tokens of each text lie past the model's limit."""
        return [max(0, self.dual.num_tokens(text) - self.dual.max_tokens) for text in texts]


@attrs.frozen(eq=False)
class ClipFrames:
    """A `FrameEncoder`.

    Attributes:
        dual: the model.
        feature_dim: D.
    """

    dual: DualModel
    feature_dim: int = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        grey = np.full((1, *self.frame_size.seen_size, 3), 128, np.uint8)
        object.__setattr__(self, "feature_dim", self.dual.picture_features(grey).shape[1])

    @property
    def fingerprint(self) -> str:
        """Of every file that decides the vectors."""
        return self.dual.fingerprint

    @property
    def frame_size(self) -> PictureScaling:
        """How the model's own processor scales and crops."""
        return self.dual.preparation.scaling

    def encode(self, frames: npt.NDArray[np.uint8]) -> Float32:
        """Encode pictures [B, H, W, 3] of any size to vectors [B, D].

        Raises:
            ShapeError: if they are no such pictures.
        """
        check_pictures(frames)
        starts = range(0, len(frames), _AT_ONCE)
        parts = [self.dual.picture_features(frames[start : start + _AT_ONCE]) for start in starts]
        return np.concatenate([np.empty((0, self.feature_dim), np.float32), *parts])
