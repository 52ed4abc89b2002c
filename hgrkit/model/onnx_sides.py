"""Both sides of a dual encoder in onnxruntime: what `hgrkit export-onnx` writes, run without torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self, final

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.errors import CheckpointError, ConfigError
from hgrkit.library.records import Float32
from hgrkit.model.text.tokenizer_file import load_tokenizer
from hgrkit.storage.digest import file_digest
from hgrkit.storage.json_file import read_json
from hgrkit.storage.onnx_file import OnnxGraph
from hgrkit.video.preparation import PicturePreparation, PictureScaling, check_pictures

__all__ = ["SIDES_FILE", "OnnxFrames", "OnnxSides", "OnnxTexts", "frame_encoder", "text_encoder"]

SIDES_FILE = "sides.json"
"""What stands beside the graphs: how texts and pictures are prepared, and the digests of all files."""

GRAPH, TOKENIZER = "model.onnx", "tokenizer.json"
TEXTS, PICTURES = "texts", "pictures"
"""The folders of the sides."""

_FORMAT = 1
_AT_ONCE = 8
"""Texts or pictures in one run of a graph, for which it has the memory that `OnnxGraph` gives it."""

_LONGEST_S = 300.0
"""Of one run: minutes for the largest models on a slow processor."""


def _names(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(map(str, values))


@final
@attrs.frozen(kw_only=True)
class OnnxSides:
    """What is known of both sides beside their graphs.

    A graph of texts takes what `text_inputs` names, int64 [B, T], and one of pictures what `preparation` makes,
    by name; either puts out `features` [B, D].

    Attributes:
        original: fingerprint of the text encoder that was exported.
        embed_dim: D.
        text_inputs: the graph's inputs: `input_ids`, and of `attention_mask` and `token_type_ids` what it has.
        max_tokens: how many tokens it reads.
        pads_to_limit: whether every text is padded to as many.
        padding: `pad_id`, `pad_type_id`, `pad_token` and `direction`, as the package tokenizers calls them.
        preparation: of pictures.
        files: digests of the graphs and of what lies with them, by their paths from the folder on.
    """

    original: str
    embed_dim: int
    text_inputs: tuple[str, ...] = attrs.field(converter=_names)
    max_tokens: int
    pads_to_limit: bool
    padding: Mapping[str, Any]
    preparation: PicturePreparation
    files: Mapping[str, str] = attrs.field(factory=dict)

    @property
    def fingerprint(self) -> str:
        """Of both sides: of every file, and of how texts and pictures are prepared."""
        decides = json.dumps(attrs.asdict(self), sort_keys=True).encode()
        return f"onnx@sha256:{hashlib.sha256(decides).hexdigest()}"

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read the sides of a folder.

        Raises:
            CheckpointError: if it has none, or they cannot be understood.
        """
        path = folder / SIDES_FILE
        if not path.is_file():
            raise CheckpointError(f"{folder} has no {SIDES_FILE}; make it with hgrkit export-onnx MODEL OUT.")
        record = read_json(path, dict, error=CheckpointError, expected="what stands beside exported graphs")
        if (found := record.pop("format", None)) != _FORMAT:
            raise CheckpointError(f"{path} has format {found!r}; this version of hgrkit reads {_FORMAT}.")
        try:
            record["files"] = dict(record["files"])
            return cls(**{**record, "preparation": PicturePreparation.of_record(record["preparation"])})
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f"{path} is not understood: {error}; export it again.") from error

    def write(self, folder: Path) -> None:
        """Write them, with the digests of the files of both sides that lie there."""
        files = {name: file_digest(path) for name, path in _files(folder).items()}
        record = {"format": _FORMAT, **attrs.asdict(attrs.evolve(self, files=files))}
        (folder / SIDES_FILE).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


@attrs.frozen(eq=False, slots=False)
class _OnnxSide:
    """One side of an export.

    Attributes:
        folder: where the export lies.
        sides: what stands there of it.
        device: `cpu`, or a device that onnxruntime may know.
    """

    folder: Path
    sides: OnnxSides
    device: str = "cpu"

    @property
    def fingerprint(self) -> str:
        """Of the export."""
        return self.sides.fingerprint


@final
@attrs.frozen(eq=False, slots=False)
class OnnxTexts(_OnnxSide):
    """A `TextEncoderPlugin` on an exported graph."""

    @property
    def embed_dim(self) -> int:
        """D."""
        return self.sides.embed_dim

    @property
    def equivalent_to(self) -> str:
        """Fingerprint of the text encoder that was exported, whose vectors these are to 1e-4."""
        return self.sides.original

    def encode(self, texts: Sequence[str]) -> Float32:
        """Encode texts to vectors [B, D]; tokens past the model's limit are not read."""
        made = [np.empty((0, self.embed_dim), np.float32)]
        for start in range(0, len(texts), _AT_ONCE):
            read = self._padding_tokenizer.encode_batch(list(texts[start : start + _AT_ONCE]))
            known = {
                "input_ids": [one.ids for one in read],
                "attention_mask": [one.attention_mask for one in read],
                "token_type_ids": [one.type_ids for one in read],
            }
            made.append(self._run({name: np.array(known[name], np.int64) for name in self.sides.text_inputs}))
        return np.concatenate(made)

    def omitted_tokens(self, texts: Sequence[str]) -> list[int]:
        """How many tokens of each text lie past the model's limit."""
        return [max(0, len(one.ids) - self.sides.max_tokens) for one in self._tokenizer.encode_batch(list(texts))]

    @cached_property
    def _run(self) -> _Graph:
        return _Graph(self.folder / TEXTS / GRAPH, self.device)

    @cached_property
    def _tokenizer(self) -> Any:
        return load_tokenizer(self.folder / TEXTS / TOKENIZER)

    @cached_property
    def _padding_tokenizer(self) -> Any:
        made, most = load_tokenizer(self.folder / TEXTS / TOKENIZER), self.sides.max_tokens
        made.enable_truncation(most)
        made.enable_padding(**self.sides.padding, length=most if self.sides.pads_to_limit else None)
        return made


@final
@attrs.frozen(eq=False, slots=False)
class OnnxFrames(_OnnxSide):
    """A `FrameEncoder` on an exported graph."""

    @property
    def feature_dim(self) -> int:
        """D."""
        return self.sides.embed_dim

    @property
    def frame_size(self) -> PictureScaling:
        """How the model's own processor scales and crops."""
        return self.sides.preparation.scaling

    def encode(self, frames: npt.NDArray[np.uint8]) -> Float32:
        """Encode pictures [B, H, W, 3] of any size to vectors [B, D].

        Raises:
            ShapeError: if they are no such pictures.
        """
        check_pictures(frames)
        made = [np.empty((0, self.feature_dim), np.float32)]
        for start in range(0, len(frames), _AT_ONCE):
            made.append(self._run(self.sides.preparation(frames[start : start + _AT_ONCE])))
        return np.concatenate(made)

    @cached_property
    def _run(self) -> _Graph:
        return _Graph(self.folder / PICTURES / GRAPH, self.device)


def text_encoder(device: str = "cpu", source: str = "") -> OnnxTexts:
    """The text side of an export, what `hgrkit.text_encoders` names `onnx`; raises as `frame_encoder` does."""
    return OnnxTexts(*_checked(source, TEXTS), device)


def frame_encoder(device: str = "cpu", source: str = "") -> OnnxFrames:
    """The picture side of an export, what `hgrkit.frame_encoders` names `onnx`.

    Raises:
        ConfigError: if no folder is named.
        CheckpointError: if there is no export, or its files are not those that were written.
    """
    return OnnxFrames(*_checked(source, PICTURES), device)


@final
class _Graph:
    """A graph in a session of its own; inputs that it does not have are left out."""

    def __init__(self, path: Path, device: str) -> None:
        self._graph = OnnxGraph(path, providers=_providers(device))

    def __call__(self, inputs: Mapping[str, npt.NDArray[Any]]) -> Float32:
        given = {name: values for name, values in inputs.items() if name in self._graph.inputs}
        return self._graph.run("features", given, seconds=_LONGEST_S)


def _providers(device: str) -> list[Any]:
    import onnxruntime

    if not device.startswith("cuda") or "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        return ["CPUExecutionProvider"]
    return [("CUDAExecutionProvider", {"use_tf32": "0"}), "CPUExecutionProvider"]  # TF32 moves vectors by 1e-3


def _checked(source: str, side: str) -> tuple[Path, OnnxSides]:
    """The folder of an export, one side of which is as it was written, and what stands there of both."""
    if not source:
        raise ConfigError("name the folder that hgrkit export-onnx made after the colon, as in onnx:FOLDER.")
    folder = Path(source).expanduser().absolute()
    sides, found = OnnxSides.read(folder), _files(folder)
    for name in sorted({*sides.files, *found}):
        if not name.startswith(f"{side}/"):
            continue
        if name not in found:
            raise CheckpointError(f"{folder} lacks {name}; export it again.")
        if sides.files.get(name) != file_digest(found[name]):
            raise CheckpointError(f"{folder / name} is not what was exported; export it again.")
    return folder, sides


def _files(folder: Path) -> dict[str, Path]:
    """The files of both sides by their paths from the folder on."""
    paths = [path for side in (TEXTS, PICTURES) for path in sorted((folder / side).glob("*"))]
    return {path.relative_to(folder).as_posix(): path for path in paths if not path.name.startswith(".")}
