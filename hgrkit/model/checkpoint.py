"""From model folders to models and back: config to modules, weights that have to fit it to the last one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import attrs
import safetensors
import safetensors.torch
import torch
from torch import Tensor

from hgrkit.checks.arguments import check_instance, check_path
from hgrkit.checks.device import device_memory, resolve_device
from hgrkit.checks.settings import read_settings, to_json
from hgrkit.errors import CheckpointError, ConfigError
from hgrkit.matching.matcher import Matcher
from hgrkit.matching.querybank_norm import QuerybankNorm
from hgrkit.model.config import HgrModelConfig
from hgrkit.model.dual_encoder import DualEncoder
from hgrkit.model.folder import CARD_FILE, FORMAT, WEIGHTS_FILE, model_fingerprint
from hgrkit.model.hgr_model import HgrModel
from hgrkit.model.text.phrase_text_encoder import PhraseTextEncoder
from hgrkit.model.text.registry import TextModel, text_encoder_kind
from hgrkit.model.video import VideoEncoder

__all__ = ["CARD_FILE", "FORMAT", "build_model", "head_on", "load_model", "model_fingerprint", "save_model"]


def build_model(config: HgrModelConfig, text: TextModel) -> HgrModel:
    """The model that a config describes, with fresh weights.

    Args:
        config: its parts.
        text: the text encoder, which needs more than its settings, such as a vocabulary.

    Raises:
        ConfigError: if the embedding sizes differ.
    """
    norm = None
    if config.querybank_norm is not None:
        norm = QuerybankNorm(**to_json(config.querybank_norm), embed_dim=config.video.embed_dim)
    return HgrModel(
        text=text,
        video=VideoEncoder(**to_json(config.video)),
        matcher=Matcher(**to_json(config.matcher)),
        origin=config.origin,
        querybank_norm=norm,
    )


def head_on(dual: DualEncoder) -> HgrModel:
    """An untrained head on a dual encoder, in evaluation mode: it scores as that does.

    Args:
        dual: its frozen encoder of texts stays where it is; a model folder names it.
    """
    config = dual.config
    text = PhraseTextEncoder(
        texts=dual.text, name=dual.phrases.name, prompts=dual.phrases.prompts, embed_dim=dual.text.embed_dim
    )
    video = attrs.evolve(config.video, start="identity")
    return build_model(attrs.evolve(config, video=video), text).eval()


def _from_folder(folder: Path) -> HgrModel:
    """The model that a folder's config describes, on torch's default device, weights not loaded."""
    config = HgrModelConfig.read(folder)
    try:
        encoder = text_encoder_kind(config.text_kind, "the type of text").load()
        settings = attrs.asdict(read_settings(encoder.config, config.text, "text"))
        return build_model(config, encoder.from_folder(settings, folder))
    except ConfigError as error:
        raise CheckpointError(f"{folder}: config.json: {error}") from error
    except (RuntimeError, OverflowError, TypeError) as error:  # torch's, of sizes beyond 64 bits
        reason = str(error).splitlines()[0]
        raise CheckpointError(f"{folder}: config.json describes what cannot be built: {reason}") from error


def save_model(
    model: HgrModel, folder: str | Path, *, card: str = "", notes: dict[str, str] | None = None
) -> Path:
    """Write a model folder: `HgrModel.save`, as a function."""
    return check_instance("model", model, HgrModel).save(folder, card=card, notes=notes)


def load_model(folder: str | Path, *, device: torch.device | str = "cpu") -> HgrModel:
    """Read a model folder, in evaluation mode.

    Raises:
        ModelNotFoundError: if there is no model folder at that path.
        ConfigError: if the device cannot be used.
        CheckpointError: if it is incomplete or damaged, or its weights do not fit its config; they are listed.
    """
    source = Path(check_path("folder", folder))
    device = resolve_device(device)
    # sizes without memory, until the file of weights has been found to hold as much as the config speaks of
    with torch.device("meta"):
        model = _from_folder(source)
    weights = _read_weights(source / WEIGHTS_FILE, partial(_check_weights, source, model.state_dict()))
    model.to_empty(device="cpu")
    model.load_state_dict(weights)
    with device_memory("free some, or use device='cpu'"):
        model.to(device)
    model.eval()
    return model


def _read_weights(path: Path, check: Callable[[Mapping[str, Tensor]], None]) -> dict[str, Tensor]:
    """The weights of a file; their names, sizes and kinds are checked before they are read, then once more."""
    if not path.is_file():
        raise CheckpointError(f"the weights {path} are missing.")
    try:
        with safetensors.safe_open(path, "torch") as file:
            parts = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 - the file is no mapping
            check({name: _sized(part.get_shape(), part.get_dtype()) for name, part in parts.items()})
        weights = safetensors.torch.load_file(path)
    except (safetensors.SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from error
    check(weights)
    return weights


_KINDS = {
    "BOOL": torch.bool,
    "U8": torch.uint8,
    "I8": torch.int8,
    "I16": torch.int16,
    "I32": torch.int32,
    "I64": torch.int64,
}
"""What is no real number; real ones of any precision are taken."""


def _sized(shape: Sequence[int], dtype: str) -> Tensor:
    """A tensor of that size and kind, as safetensors calls it, without memory."""
    return torch.empty(shape, dtype=_KINDS.get(dtype, torch.float32), device="meta")


def _check_weights(folder: Path, expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> None:
    # all at once, so that a folder mended by hand need not be loaded once for each mistake
    problems = [f"missing {name}" for name in expected if name not in found]
    problems += [f"surplus {name}" for name in found if name not in expected]
    for name in (name for name in expected if name in found):
        tensor, wanted = found[name], expected[name]
        if tensor.is_floating_point() != wanted.is_floating_point():
            problems.append(f"{name} holds {tensor.dtype} and should hold {wanted.dtype}")
        if tensor.shape != wanted.shape:
            problems.append(f"{name} is {list(tensor.shape)} and should be {list(wanted.shape)}")
        if not tensor.is_meta and not bool(tensor.isfinite().all()):
            problems.append(f"{name} holds numbers that are not finite")
    if problems:
        raise CheckpointError(f"{folder}: the weights do not fit the config: {'; '.join(problems)}.")
