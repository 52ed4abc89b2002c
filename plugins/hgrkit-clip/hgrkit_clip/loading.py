"""Loads a checkpoint as a dual encoder, as exactly and as fast as its name asks, and refuses what is none."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, Self, get_args
from urllib.parse import parse_qsl

import attrs

from hgrkit.errors import CheckpointError, ConfigError
from hgrkit.video.preparation import PicturePreparation
from hgrkit_clip import open_clip
from hgrkit_clip.checkpoint import CLIP, OPEN_CLIP, Checkpoint, Layout, one_line, reading
from hgrkit_clip.encoders import DualModel
from hgrkit_clip.pictures import read_preparation

if TYPE_CHECKING:
    import torch

__all__ = ["Options", "load"]

Precision = Literal["float32", "bfloat16", "float16"]

_CHOICES: dict[str, tuple[str, ...]] = {"precision": get_args(Precision), "compile": ("no", "yes")}

_PICTURES = (("preprocessor_config.json", None), ("processor_config.json", "image_processor"))
"""Files that say how pictures are prepared, and under which key; older models have the first."""


@attrs.frozen
class Options:
    """How a model is computed, as in `clip:FOLDER?precision=bfloat16&compile=yes`.

    Attributes:
        precision: of weights and products. Another than float32 makes other vectors, and so another fingerprint.
        compile: whether `torch.compile` makes the picture side faster; vectors are the same but for rounding.
    """

    precision: Precision = "float32"
    compile: bool = False

    @classmethod
    def split(cls, named: str) -> tuple[str, Self]:
        """What stands before the question mark, and the options after it.

        Raises:
            ConfigError: if one is not known.
        """
        source, mark, stated = named.rpartition("?")
        if not mark or "=" not in stated:
            return named, cls()
        given = dict(parse_qsl(stated, keep_blank_values=True))
        for name, value in given.items():
            if value not in _CHOICES.get(name, ()):
                known = " and ".join(f"{name} ({', '.join(values)})" for name, values in _CHOICES.items())
                raise ConfigError(f"{named!r}: {name}={value} is not known; a model's options are {known}.")
        precision: Any = given.get("precision", "float32")
        return source, cls(precision, given.get("compile") == "yes")

    @property
    def suffix(self) -> str:
        """What a model's name says of them: what decides its vectors."""
        return "" if self.precision == "float32" else f"?precision={self.precision}"


def load(layout: Layout, named: str, device: str) -> DualModel:
    """Load a model, or take the one that was loaded last.

    Args:
        layout: of its files.
        named: a folder, a file or a name on the hub, and options.
        device: a torch device.

    Raises:
        ConfigError: if no model is named, or an option is not known.
        ModelNotFoundError: if there is no such folder, and the hub's model is neither cached nor to be had.
        CheckpointError: if the model is incomplete, damaged, pickled, or no dual encoder.
        MissingPackageError: if its tokenizer needs a package that is not installed.
    """
    source, options = Options.split(named)
    if not source:
        example = "clip:openai/clip-vit-base-patch32" if layout is CLIP else "open_clip:FILE.safetensors"
        raise ConfigError(f"name the model after the colon, such as {layout.kind}:FOLDER or {example}.")
    checkpoint = Checkpoint.find(layout, source)
    return _load(checkpoint, checkpoint.fingerprint, options, device)


@lru_cache(maxsize=1)  # the text side and the picture side are one network
def _load(checkpoint: Checkpoint, fingerprint: str, options: Options, device: str) -> DualModel:
    import torch

    dtype = getattr(torch, options.precision)
    if checkpoint.layout is OPEN_CLIP:
        preparation = open_clip.read_preparation(checkpoint)
        model = open_clip.read_network(checkpoint, dtype)
    else:
        preparation = _preparation(checkpoint)
        model = _network(checkpoint, dtype)
    if options.compile and preparation.scaling.patches:
        raise ConfigError(f"{checkpoint.folder} takes pictures of any shape, which compile=yes does not go with.")
    with reading(checkpoint.folder):
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(checkpoint.folder, local_files_only=True)
    text_config = getattr(model.config, "text_config", model.config)
    limits = (tokenizer.model_max_length, getattr(text_config, "max_position_embeddings", None))
    model = model.eval().to(device)
    made = DualModel(
        name=f"{checkpoint.layout.kind}:{checkpoint.source}{options.suffix}",
        fingerprint=fingerprint + (f"+{options.precision}" if options.suffix else ""),
        model=model,
        encode_pictures=torch.compile(model.get_image_features) if options.compile else model.get_image_features,
        tokenizer=tokenizer,
        max_tokens=min(limit for limit in limits if limit),
        pads_to_limit=model.config.model_type.startswith("siglip"),
        preparation=preparation,
        device=device,
    )
    _try_both(made, checkpoint)
    return made


def _network(checkpoint: Checkpoint, dtype: torch.dtype) -> Any:
    folder = checkpoint.folder
    with reading(folder):
        from transformers import AutoModel

        model, info = AutoModel.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, dtype=dtype, output_loading_info=True
        )
    missing = [method for method in ("get_text_features", "get_image_features") if not hasattr(model, method)]
    if missing:
        raise CheckpointError(
            f"{folder} is no dual encoder: its model type, {model.config.model_type!r}, has no "
            f"{' and no '.join(missing)}; give one with text and image features, such as CLIP or SigLIP."
        )
    if lost := sorted(info["missing_keys"]):
        raise CheckpointError(f"{folder} lacks {len(lost)} of its weights, first {lost[0]!r}; download it again.")
    return model


def _try_both(dual: DualModel, checkpoint: Checkpoint) -> None:
    """Encode a word and a grey picture, so that what cannot work is told before anything is made with it."""
    import numpy as np

    try:
        text = dual.text_features(["a"]).shape[1]
        grey = np.full((1, *dual.preparation.scaling.seen_size, 3), 128, np.uint8)
        picture = dual.picture_features(grey).shape[1]
    except Exception as error:
        raise CheckpointError(f"{checkpoint.folder} cannot encode: {one_line(error)}.") from error
    if text != picture:
        raise CheckpointError(
            f"{checkpoint.folder} has texts of {text} numbers and pictures of {picture}; in a dual encoder both "
            "are equal."
        )


def _preparation(checkpoint: Checkpoint) -> PicturePreparation:
    folder = checkpoint.folder
    for file, key in _PICTURES:
        path = folder / file
        if path.is_file():
            with reading(folder):
                settings = json.loads(path.read_text(encoding="utf-8"))
            if settings := settings if key is None else settings.get(key):
                return read_preparation(settings, str(path))
    raise CheckpointError(f"{folder} does not say how pictures are prepared: it has no {_PICTURES[0][0]}.")
