"""Exports a dual encoder to a model folder both of whose sides run in onnxruntime."""

from __future__ import annotations

import json
import logging
import tempfile
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.checks.settings import to_json
from hgrkit.errors import CheckpointError, ConfigError
from hgrkit.library.records import Float32
from hgrkit.model.dual_encoder import PLUGIN_KIND, DualEncoder, find_dual_encoder
from hgrkit.model.folder import CONFIG_FILE, FORMAT
from hgrkit.model.loaded import LoadedModel
from hgrkit.model.onnx_sides import PICTURES, OnnxFrames, OnnxSides, OnnxTexts
from hgrkit.model.text.text_encoder_plugin import encode_texts
from hgrkit.plugins import plugin_errors
from hgrkit.video.frame_encoder import FrameEncoder, encode_frames, load_frame_encoder
from hgrkit.video.preparation import PictureScaling

__all__ = ["OnnxExport", "OnnxExportable", "export_onnx"]

TOLERANCE = 1e-4
"""How far a unit vector may move: a library's half precision moves it by more."""

_TEXTS = (
    "a",
    "A woman throws a ball to a dog.",
    "two men, who wear red hats, run through a park in the rain " * 8,  # longer than any model reads
)


@runtime_checkable
class OnnxExportable(Protocol):
    """A text encoder plugin that can write both of its model's sides."""

    def export_onnx(self, folder: Path) -> OnnxSides:
        """Write both sides.

        Args:
            folder: an empty one, for `texts/model.onnx`, `texts/tokenizer.json` and `pictures/model.onnx`.

        Returns:
            What has to be known beside them; it is written by the caller.

        Raises:
            HgrkitError: if it cannot be exported.
        """


@attrs.frozen(kw_only=True)
class OnnxExport:
    """What an export came to.

    Attributes:
        folder: the model folder.
        fingerprint: of the exported model.
        texts_apart: the largest difference of a number in a unit vector of a text.
        pictures_apart: the same of pictures.
        int8: whether the picture side computes with 8-bit weights.
    """

    folder: Path
    fingerprint: str
    texts_apart: float
    pictures_apart: float
    int8: bool


def export_onnx(model: str, out: Path, *, int8: bool = False) -> OnnxExport:
    """Export a dual encoder and compare both forms; nothing is left of one that differs.

    The export has a fingerprint of its own. It also searches libraries that the original made; it adds no videos
    to them.

    Args:
        model: such as `clip:FOLDER`.
        out: a folder that does not exist yet.
        int8: give the picture side 8-bit weights: faster on most CPUs, and less exact.

    Raises:
        ConfigError: if the model is none that can be exported, or `out` exists.
        CheckpointError: if the export does not compute what the original does.
        MissingPackageError: if a package that the export needs is not installed.
    """
    if out.exists():
        raise ConfigError(f"{out} exists; name a folder that does not exist yet.")
    dual, frames = _both_sides(model)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as scratch:
        made = Path(scratch) / "model"
        made.mkdir()
        with plugin_errors(f"the text encoder {dual.text.fingerprint} cannot be exported"):
            sides = dual.text.export_onnx(made)  # type: ignore[attr-defined]  # `_both_sides` has looked
        _write_config(dual, made)
        texts_apart, pictures_apart = _compared(dual, frames, made, sides)
        if int8:
            _quantise(made / PICTURES)
            pictures_apart = _compared(dual, frames, made, sides, tolerance=np.inf)[1]
        sides.write(made)
        made.rename(out)
    return OnnxExport(
        folder=out,
        fingerprint=LoadedModel.load(out, device="cpu").fingerprint,
        texts_apart=texts_apart,
        pictures_apart=pictures_apart,
        int8=int8,
    )


def _both_sides(model: str) -> tuple[DualEncoder, FrameEncoder]:
    dual = find_dual_encoder(model, device="cpu")
    if dual is None:
        LoadedModel.load(model, device="cpu")  # tells of a model that is not there
        raise ConfigError(
            f"the model {model!r} has weights of its own; only dual encoders such as clip:FOLDER can be exported."
        )
    if not isinstance(dual.text, OnnxExportable):
        raise ConfigError(
            f"the text encoder {dual.phrases.name!r} cannot be exported: it has no method export_onnx."
        )
    name = dual.config.origin.frame_encoder
    if name != dual.phrases.name:
        raise ConfigError(
            f"texts ({dual.phrases.name}) and frames ({name}) of {model!r} are encoded by two models; one that "
            "does both can be exported."
        )
    return dual, load_frame_encoder(name, "cpu")


def _write_config(dual: DualEncoder, folder: Path) -> None:
    here = "onnx:."
    config = {
        "format": FORMAT,
        "text": {"type": PLUGIN_KIND, "name": here, "prompts": dual.phrases.prompts},
        "video": to_json(dual.config.video),
        "matcher": to_json(dual.config.matcher),
        "frame_encoder": here,
    }
    (folder / CONFIG_FILE).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def _compared(
    dual: DualEncoder, frames: FrameEncoder, folder: Path, sides: OnnxSides, tolerance: float = TOLERANCE
) -> tuple[float, float]:
    """How far the two forms are apart, for texts and for pictures."""
    from hgrkit.matching.frame_weights import unit_vectors

    def apart(what: str, original: Float32, exported: Float32) -> float:
        most = float(np.abs(unit_vectors(original) - unit_vectors(exported)).max())
        if not most <= tolerance:  # NaN is none
            raise CheckpointError(
                f"the export computes other vectors of {what} than the model, {most:.1g} apart in a unit vector, "
                f"more than {tolerance:g}; it is not kept."
            )
        return most

    texts = OnnxTexts(folder, sides)
    texts_apart = apart("texts", encode_texts(dual.text, _TEXTS), encode_texts(texts, _TEXTS))
    if dual.text.embed_dim != sides.embed_dim or dual.text.fingerprint != sides.original:
        raise CheckpointError("the export is not of the model that was asked for.")
    exported, pictures_apart = OnnxFrames(folder, sides), 0.0
    for pictures in _pictures(sides.preparation.scaling):
        vectors = encode_frames(frames, pictures), encode_frames(exported, pictures)
        pictures_apart = max(pictures_apart, apart("pictures", *vectors))
    return texts_apart, pictures_apart


def _pictures(scaling: PictureScaling) -> list[npt.NDArray[np.uint8]]:
    """Noise over ramps in the size that the network sees, wider, and upright."""
    height, width = scaling.seen_size
    random, made = np.random.default_rng(0), []
    for shape in ((3, height, width), (2, height, 2 * width), (1, 2 * height, width)):
        ramp = np.linspace(0, 200, shape[2], dtype=np.uint8)[None, None, :, None]
        made.append(ramp + random.integers(0, 56, (*shape, 3), dtype=np.uint8))
    return made


def _quantise(folder: Path) -> None:
    """Give a graph's products 8-bit weights, of each column its own scale; values are scaled as they come."""
    from hgrkit.errors import MissingPackageError

    try:
        from onnxruntime.quantization import QuantType, quantize_dynamic
    except ImportError as error:
        raise MissingPackageError(f"int8 needs the package onnx: pip install onnx ({error}).") from error
    graph: Any = folder / "model.onnx"
    quantised = folder / "int8.onnx"
    logging.disable(logging.WARNING)  # it recommends a preparation that changes nothing here
    try:
        quantize_dynamic(
            graph,
            quantised,
            weight_type=QuantType.QInt8,
            per_channel=True,
            op_types_to_quantize=["MatMul", "Gemm"],
        )
    finally:
        logging.disable(logging.NOTSET)
    quantised.replace(graph)
