"""Makes a model folder from a released checkpoint."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import torch
from torch import Tensor

from hgrkit.errors import ConfigError, ReleaseError
from hgrkit.model.checkpoint import build_model, save_model
from hgrkit.model.folder import NOTES_FOLDER
from hgrkit.model.hgr_model import HgrModel
from hgrkit.model.text.text_encoder import TextEncoder
from hgrkit.model.text.vocabulary import Vocabulary
from hgrkit.research.release.checkpoint_file import look_at_checkpoint
from hgrkit.research.release.config import ReleaseConfig, read_config
from hgrkit.research.release.layout import ReleaseFolder, read_json
from hgrkit.research.training.word_vectors import draw_as_released
from hgrkit.storage.atomic_file import writing

__all__ = [
    "SETTINGS_FILE",
    "ImportReport",
    "build_released_model",
    "fresh_released_model",
    "import_release",
    "load_weights",
]

_NAMES: dict[str, tuple[tuple[str, str], ...]] = {
    "video_encoder": (
        (r"level_embeds\.(\d+)\.(weight|bias)", r"video.projections.\1.\2"),
        (r"ft_attn\.(weight|bias)", r"video.pooling.\1"),
    ),
    "text_encoder": (
        (r"embedding\.we\.weight", r"text.words.weight"),
        (r"rnn\.(\w+)", r"text.rnn.\1"),
        (r"ft_attn\.(weight|bias)", r"text.pooling.\1"),
        (r"role_embedding\.weight", r"text.roles.weight"),
        (r"gcn\.layers\.(\d+)\.ctx_layer\.weight", r"text.graph.layers.\1.context.weight"),
        (r"gcn\.layers\.(\d+)\.layernorm\.(weight|bias)", r"text.graph.layers.\1.norm.\2"),
        (r"gcn\.layers\.(\d+)\.edge_attn_(query|key)\.(weight|bias)", r"text.graph.layers.\1.\2.\3"),
    ),
}
"""Released names by encoder, as patterns, and hgrkit's."""


def read_checkpoint(path: Path) -> dict[str, dict[str, Tensor]]:
    """The tensors of a checkpoint by encoder, then by their released names.

    Raises:
        ReleaseError: if the file holds anything but tensors of the two encoders.
    """
    size = look_at_checkpoint(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the age of the pickle; what matters is raised
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        reason = str(error).strip().split("\n", 1)[0] or type(error).__name__
        raise ReleaseError(f"{path} cannot be read as a checkpoint of weights only: {reason}") from error
    if not isinstance(content, Mapping) or set(content) != set(_NAMES):
        found = sorted(map(str, content)) if isinstance(content, Mapping) else type(content).__name__
        raise ReleaseError(f"{path} must hold the weights of {sorted(_NAMES)}, got {found}.")
    for encoder, weights in content.items():
        if not isinstance(weights, Mapping) or not all(isinstance(value, Tensor) for value in weights.values()):
            raise ReleaseError(f"{path}: {encoder} must hold tensors by name.")
    # tensors may be views of few bytes, repeated without end, and share them
    held = sum(
        tensor.numel() * tensor.element_size() for weights in content.values() for tensor in weights.values()
    )
    if held > size:
        raise ReleaseError(f"{path} has {size} bytes, and tensors of {held}; save them whole: tensor.clone().")
    return {encoder: dict(weights) for encoder, weights in content.items()}


def load_weights(model: HgrModel, checkpoint: Mapping[str, Mapping[str, Tensor]], path: Path) -> None:
    """Put a checkpoint's weights into a model of the same config.

    Args:
        model: changed in place; of sizes without memory, which it gets, if it is on torch's device `meta`.
        checkpoint: what `read_checkpoint` read.
        path: where it was read, for messages.

    Raises:
        ReleaseError: if weights are surplus, missing, of another shape or not finite; they are listed.
    """
    expected = model.state_dict()
    released = {
        _renamed(encoder, name): (f"{encoder}.{name}", tensor)
        for encoder, weights in checkpoint.items()
        for name, tensor in weights.items()
    }
    problems = [f"surplus {old}" for new, (old, _) in released.items() if new not in expected]
    problems += [f"missing {new} (hgrkit's name)" for new in expected if new not in released]
    for new, (old, tensor) in released.items():
        if new in expected and tensor.shape != expected[new].shape:
            problems.append(f"{old} is {list(tensor.shape)}, not {list(expected[new].shape)}")
        elif not bool(tensor.isfinite().all()):
            problems.append(f"{old} holds numbers that are not finite")
    if problems:
        raise ReleaseError(f"{path} does not fit its model.json: {'; '.join(problems)}.")
    if any(tensor.is_meta for tensor in expected.values()):
        model.to_empty(device="cpu")
    model.load_state_dict({new: tensor.float() for new, (_, tensor) in released.items()})


def _renamed(encoder: str, name: str) -> str:
    """What hgrkit calls a released weight; one without such a name keeps its own and is found to be surplus."""
    for pattern, replacement in _NAMES[encoder]:
        if match := re.fullmatch(pattern, name):
            return match.expand(replacement)
    return f"{encoder}.{name}"


SETTINGS_FILE = "release.json"
"""The released `model.json` as it was read, kept in the model folder for those who want to train on."""

_UNKNOWN_ID = 2
"""The id of words that `word2int.json` does not list, fixed in the released code."""


@attrs.frozen(kw_only=True)
class ImportReport:
    """What was imported.

    Attributes:
        model: the model folder that was written.
        checkpoint: the checkpoint that was read.
        chosen: why that one.
        config: the `model.json` that was read.
        tensors: number of weight tensors.
        parameters: number of weights in them.
        words: rows of the word vectors.
        embed_dim: D.
        feature_dim: K.
    """

    model: Path
    checkpoint: Path
    chosen: str
    config: Path
    tensors: int
    parameters: int
    words: int
    embed_dim: int
    feature_dim: int

    def to_dict(self) -> dict[str, Any]:
        """The report as plain JSON types."""
        record = attrs.asdict(self)
        return {key: str(value) if isinstance(value, Path) else value for key, value in record.items()}


def import_release(
    directory: str | Path, out: str | Path, *, checkpoint: str | Path | None = None
) -> ImportReport:
    """Turn a release into a model folder that gives the same numbers.

    Args:
        directory: a folder in the layout of the released code, or flat.
        out: the model folder to write.
        checkpoint: which weights; otherwise those of the epoch with the best validation Rsum, as the release's own
            log tells it, and without a log the highest `epoch.N.th`.

    Raises:
        MissingPathError: if the folder or the checkpoint does not exist.
        ReleaseError: if a file is missing or broken, a setting cannot be honoured, or the weights do not fit.
        CheckpointError: if something that is not a model folder is at `out`.
    """
    folder = ReleaseFolder(directory)
    named = None if checkpoint is None else folder.named_checkpoint(checkpoint)
    config_path = folder.config_path(named)
    weights_path, chosen = (named, "as it was named") if named is not None else folder.checkpoint(config_path)
    config = read_config(config_path)
    vocabulary = _read_vocabulary(folder, config.text.num_words)
    try:
        with torch.device("meta"):  # no memory for sizes that the checkpoint may not have
            model = build_released_model(config, vocabulary, name=folder.root.resolve().name)
    except (RuntimeError, OverflowError, TypeError) as error:  # torch's, of sizes beyond 64 bits
        reason = str(error).splitlines()[0]
        raise ReleaseError(f"{config_path} describes what cannot be built: {reason}") from error
    load_weights(model, read_checkpoint(weights_path), weights_path)
    notes = {SETTINGS_FILE: config_path.read_text(encoding="utf-8")}
    with writing(Path(out)):
        save_model(model, out, card=_card(model, folder, weights_path, chosen), notes=notes)
    weights = model.state_dict()
    return ImportReport(
        model=Path(out),
        checkpoint=weights_path,
        chosen=chosen,
        config=config_path,
        tensors=len(weights),
        parameters=sum(tensor.numel() for tensor in weights.values()),
        words=config.text.num_words,
        embed_dim=model.embed_dim,
        feature_dim=model.feature_dim,
    )


def build_released_model(config: ReleaseConfig, vocabulary: Vocabulary, *, name: str = "") -> HgrModel:
    """The model that a released config describes, with fresh weights."""
    model = config.model(name=name)
    return build_model(model, TextEncoder(vocabulary=vocabulary, **model.text))


def fresh_released_model(folder: ReleaseFolder, config: ReleaseConfig) -> HgrModel:
    """The same with a release's vocabulary, its weights drawn as the released code draws them.

    Raises:
        ReleaseError: if the vocabulary is missing or does not fit.
    """
    vocabulary = _read_vocabulary(folder, config.text.num_words)
    model = build_released_model(config, vocabulary, name=folder.root.resolve().name)
    if isinstance(model.text, TextEncoder):
        draw_as_released(model.text)
    return model


def _read_vocabulary(folder: ReleaseFolder, num_words: int) -> Vocabulary:
    path = folder.annotation("word2int.json")
    ids = read_json(path)
    if not all(isinstance(number, int) for number in ids.values()):
        raise ReleaseError(f"{path} must give each word a whole number.")
    try:
        return Vocabulary(ids=ids, unknown_id=_UNKNOWN_ID, size=num_words)
    except ConfigError as error:
        raise ReleaseError(f"{path} does not fit num_words {num_words} of model.json: {error}") from error


def _card(model: HgrModel, folder: ReleaseFolder, checkpoint: Path, chosen: str) -> str:
    return f"""# {model.origin.name}

Imported from a release of HGR (Chen, Zhao, Jin, Wu: "Fine-grained Video-Text Retrieval with Hierarchical Graph
Reasoning", CVPR 2020), checkpoint `{checkpoint.name}` of `{folder.root.resolve().name}` ({chosen}).

- embedding size {model.embed_dim}
- {model.feature_dim} numbers a frame, at most {model.video.max_frames} frames a clip
- `{NOTES_FOLDER}/{SETTINGS_FILE}` is the `model.json` that it was trained with
- the terms are those of the release and of the data that it was trained on
"""
