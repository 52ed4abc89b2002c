"""EfficientNet-Lite, the default frame encoder: onnxruntime on a CPU, torch on a GPU, one file of weights."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from functools import cached_property, partial
from pathlib import Path
from typing import final

import numpy as np
import numpy.typing as npt

from hgrkit.errors import CheckpointError, ShapeError
from hgrkit.storage.onnx_graph import open_graph
from hgrkit.video.efficientnet_layout import FEATURE_DIM, Variant, layout, variant_named

__all__ = ["EfficientNetLite"]

_Pictures = npt.NDArray[np.uint8]
_Features = npt.NDArray[np.float32]


@final
class EfficientNetLite:
    """Features of an EfficientNet-Lite: 1,280 numbers a picture, the head averaged over the picture.

    Pictures are RGB, as large as the variant's `frame_size`, and enter the network as `(x - 127) / 128`.

    Args:
        folder: holds `VARIANT.safetensors` (the weights) and `VARIANT.onnx` (the graph, which reads the same
            weights from the safetensors file).
        variant: `efficientnet-lite0` to `efficientnet-lite4`.
        device: `cpu` runs the graph in onnxruntime; any other name is a torch device.
        engine: `onnxruntime` or `torch`; chosen by the device unless given.
        num_threads: threads on a CPU; by default as many as the process may use.

    Raises:
        CheckpointError: if a file is missing.
        ConfigError: if there is no such variant.
    """

    feature_dim = FEATURE_DIM

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        variant: str,
        device: str = "cpu",
        engine: str | None = None,
        num_threads: int | None = None,
    ) -> None:
        self._variant = variant_named(variant)
        weights, graph = Path(folder) / f"{variant}.safetensors", Path(folder) / f"{variant}.onnx"
        for file in (weights, graph):
            if not file.is_file():
                raise CheckpointError(
                    f"no {file.name} in {os.fspath(folder)!r}; reinstall the package that brings it."
                )
        self.fingerprint = f"{variant}@sha256:{hashlib.sha256(weights.read_bytes()).hexdigest()[:12]}"
        # made for the first picture: an unchanged folder is looked through without it
        self._make_engine: Callable[[], Callable[[_Pictures], _Features]]
        if (engine or ("onnxruntime" if device == "cpu" else "torch")) == "onnxruntime":
            self._make_engine, self._chunk = partial(_onnxruntime_engine, graph, num_threads), 8
        else:
            self._make_engine, self._chunk = partial(_torch_engine, weights, self._variant, device), 64

    def __repr__(self) -> str:
        return f"EfficientNetLite({self.fingerprint})"

    @property
    def frame_size(self) -> tuple[int, int]:
        """Height and width of the pictures that it encodes."""
        return self._variant.frame_size

    @cached_property
    def _run(self) -> Callable[[_Pictures], _Features]:
        return self._make_engine()

    def encode(self, frames: _Pictures) -> _Features:
        """Encode pictures `[B, H, W, 3]`, H and W being `frame_size`, to features `[B, 1280]`.

        Raises:
            ShapeError: if the pictures have another type or shape.
            CheckpointError: if the engine cannot read the weights or the graph.
        """
        if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[1:] != (*self.frame_size, 3):
            raise ShapeError(
                f"frames must be uint8 [B, {', '.join(map(str, self.frame_size))}, 3], "
                f"got {frames.dtype} {list(frames.shape)}; decode them to this encoder's frame_size."
            )
        features = np.empty((len(frames), FEATURE_DIM), dtype=np.float32)
        for start in range(0, len(frames), self._chunk):
            chunk = slice(start, start + self._chunk)
            features[chunk] = self._run(np.ascontiguousarray(frames[chunk]))
        return features


def _onnxruntime_engine(graph: Path, num_threads: int | None) -> Callable[[_Pictures], _Features]:
    session = open_graph(graph, num_threads=num_threads)

    def run(pictures: _Pictures) -> _Features:
        features: _Features = session.run(["features"], {"pictures": pictures})[0]
        return features

    return run


def _torch_engine(weights: Path, variant: Variant, device: str) -> Callable[[_Pictures], _Features]:
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from hgrkit.video.efficientnet_torch import EfficientNetLiteModule

    try:
        module = EfficientNetLiteModule.from_weights(layout(variant), load_file(weights)).to(device)
    except (SafetensorError, RuntimeError) as error:
        raise CheckpointError(f"{weights} does not hold {variant.name}: {str(error).splitlines()[0]}") from error

    def run(pictures: _Pictures) -> _Features:
        # TF32 would move features by 1e-2 on recent GPUs.
        with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            features: _Features = module(torch.tensor(pictures, device=device)).cpu().numpy()
        return features

    return run
