"""Writes both sides of a dual encoder as graphs of ONNX, for `hgrkit export-onnx`."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hgrkit.errors import CheckpointError, ConfigError, HgrkitError, MissingPackageError
from hgrkit.model.onnx_sides import GRAPH, PICTURES, TEXTS, TOKENIZER, OnnxSides
from hgrkit_clip.encoders import DualModel

__all__ = ["export"]

_OPSET = 17


def export(dual: DualModel, folder: Path, embed_dim: int) -> OnnxSides:
    """Write `texts` and `pictures` into a folder.

    Args:
        dual: the model.
        folder: an empty one.
        embed_dim: D.

    Returns:
        What has to be known beside the graphs.

    Raises:
        ConfigError: if it is of half precision.
        CheckpointError: if torch cannot express the network in ONNX, or its tokenizer has no file of its own.
        MissingPackageError: if the package onnx is not installed.
    """
    if dual.model.dtype != torch.float32:
        raise ConfigError(f"{dual.name} is exported in float32; leave its precision out.")
    try:
        import onnx  # noqa: F401, torch writes with it
    except ImportError as error:
        raise MissingPackageError(f"an export needs the package onnx: pip install onnx ({error}).") from error
    for side in (TEXTS, PICTURES):
        (folder / side).mkdir()
    _write_tokenizer(dual, folder / TEXTS / TOKENIZER)
    with _exporting(dual):
        texts = dual.text_inputs(["a", "a man throws a ball"])
        known = inspect.signature(dual.model.get_text_features).parameters
        names = [name for name in texts if name in known]
        axes = {0: "B"} if dual.pads_to_limit else {0: "B", 1: "T"}
        inputs = {name: texts[name] for name in names}
        _write_graph(dual.model, "get_text_features", inputs, axes, folder / TEXTS)
        grey = np.full((2, *dual.preparation.scaling.seen_size, 3), 128, np.uint8)
        pictures = {name: torch.from_numpy(values) for name, values in dual.preparation(grey).items()}
        with _traceable_places(dual.model, pictures):
            _write_graph(dual.model, "get_image_features", pictures, {0: "B"}, folder / PICTURES)
    backend = dual.tokenizer
    return OnnxSides(
        original=dual.fingerprint,
        embed_dim=embed_dim,
        text_inputs=names,
        max_tokens=dual.max_tokens,
        pads_to_limit=dual.pads_to_limit,
        padding={
            "pad_id": backend.pad_token_id,
            "pad_type_id": backend.pad_token_type_id,
            "pad_token": backend.pad_token,
            "direction": backend.padding_side,
        },
        preparation=dual.preparation,
    )


def _write_tokenizer(dual: DualModel, path: Path) -> None:
    backend = getattr(dual.tokenizer, "backend_tokenizer", None)
    if backend is None or not hasattr(backend, "save"):
        raise CheckpointError(
            f"{dual.name} cannot be exported: its tokenizer, {type(dual.tokenizer).__name__}, has no form in the "
            "package tokenizers."
        )
    with dual.lock:
        backend.save(str(path))


@contextmanager
def _exporting(dual: DualModel) -> Iterator[None]:
    """Attention in plain products, without warnings; what goes wrong in one line."""
    config = dual.model.config
    before = config._attn_implementation  # noqa: SLF001, its setter below is the public way
    dual.model.set_attn_implementation("eager")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # tracing warns of every size that it takes as it finds it
            yield
    except HgrkitError:
        raise
    except Exception as error:
        said = " ".join(str(error).split())[:200]
        raise CheckpointError(
            f"{dual.name} cannot be exported: torch cannot express {config.model_type!r} in ONNX "
            f"({type(error).__name__}: {said})."
        ) from error
    finally:
        dual.model.set_attn_implementation(before)


def _write_graph(
    model: torch.nn.Module, method: str, inputs: Mapping[str, torch.Tensor], axes: Mapping[int, str], folder: Path
) -> None:
    """Trace a method that gives vectors, with examples of its inputs, whose `axes` may have any length."""
    names = list(inputs)
    torch.onnx.export(
        _Side(model, method, names).eval(),  # it puts all back to the mode in which it found the outer module
        tuple(inputs.values()),
        str(folder / GRAPH),
        input_names=names,
        output_names=["features"],
        dynamic_axes={**dict.fromkeys(names, axes), "features": {0: "B"}},
        opset_version=_OPSET,
        dynamo=False,  # the newer one needs onnxscript, and takes the size of the example for every size
    )


class _Side(torch.nn.Module):
    """A method of a model that gives vectors, with its inputs in a fixed order."""

    def __init__(self, model: torch.nn.Module, method: str, names: list[str]) -> None:
        super().__init__()
        self.model, self.method, self.names = model, method, names

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        made = getattr(self.model, self.method)(**dict(zip(self.names, inputs, strict=True)))
        vectors: torch.Tensor = made if isinstance(made, torch.Tensor) else made.pooler_output
        return vectors


@contextmanager
def _traceable_places(model: Any, inputs: Mapping[str, torch.Tensor]) -> Iterator[None]:
    """Inside, networks of patches of any grid scale their places with what a trace keeps."""
    if "spatial_shapes" not in inputs:
        yield
        return
    before = model.vision_model.embeddings
    model.vision_model.embeddings = _Places(before)
    try:
        yield
    finally:
        model.vision_model.embeddings = before


class _Places(torch.nn.Module):
    """The embeddings of SigLIP 2's NaFlex: a table of places, scaled to each picture's grid of patches.

    The original scales by `torch.nn.functional.interpolate`, bilinear and antialiased, in a loop over pictures,
    which a trace takes for that many pictures of those sizes. Here the same triangle filter is written out.
    """

    def __init__(self, embeddings: Any) -> None:
        super().__init__()
        self.patches = embeddings.patch_embedding
        self.table = embeddings.position_embedding  # [G * G, D]
        self.side = int(embeddings.position_embedding_size)  # G

    def forward(self, pixel_values: torch.Tensor, spatial_shapes: torch.Tensor) -> torch.Tensor:
        """Patches [B, N, P] in grids [B, 2] to embeddings [B, N, D]; those beyond the grid are masked later."""
        number = torch.arange(pixel_values.shape[1])[None]  # [1, N]
        rows, columns = spatial_shapes[:, :1], spatial_shapes[:, 1:]  # [B, 1]
        down = self._weights(torch.div(number, columns, rounding_mode="floor"), rows)  # [B, N, G]
        across = self._weights(number % columns, columns)
        weights = (down[..., None] * across[..., None, :]).flatten(2)  # [B, N, G * G]
        embedded: torch.Tensor = self.patches(pixel_values) + weights @ self.table.weight
        return embedded

    def _weights(self, place: torch.Tensor, length: torch.Tensor) -> torch.Tensor:
        """How much of each of G places goes into one of `length`: [B, N, G]."""
        step = self.side / length.float()  # [B, 1]
        centre = (torch.minimum(place, length - 1).float() + 0.5) * step  # [B, N]
        reach = torch.clamp(step, min=1.0)[..., None]
        apart = torch.arange(self.side)[None, None] + 0.5 - centre[..., None]
        weights = torch.clamp(1 - apart.abs() / reach, min=0.0)
        return weights / weights.sum(-1, keepdim=True)
