"""Reads checkpoints of OpenCLIP: a vision transformer and a causal text transformer, as `transformers`' CLIP.

OpenCLIP's own package needs torchvision. Its plain models compute what `CLIPModel` computes, under other names of
weights; the others (towers of timm or of Hugging Face, ResNets, CLIPA, CoCa) are refused by what they state.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hgrkit.errors import CheckpointError
from hgrkit.video.preparation import BICUBIC, BILINEAR, PicturePreparation, PictureScaling
from hgrkit_clip.checkpoint import Checkpoint, reading

if TYPE_CHECKING:
    import torch

__all__ = ["read_network", "read_preparation"]

_MEAN, _STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
"""OpenAI's, OpenCLIP's default."""

_VISION = {"layers", "width", "head_width", "mlp_ratio", "patch_size", "image_size"}
_TEXT = {"context_length", "vocab_size", "width", "heads", "layers", "mlp_ratio"}
_IGNORED = {"patch_dropout", "hf_tokenizer_name", "hf_model_pretrained", "pad_id", "tokenizer_mode"}
"""Settings of training, and of a tokenizer whose files are there."""

_PLAIN = {"pos_embed_type": "learnable", "proj_type": "linear"}
_PLAIN_POOL = {"vision_cfg": "tok", "text_cfg": "argmax"}

_NAMES = {
    r"visual\.class_embedding": "vision_model.embeddings.class_embedding",
    r"visual\.conv1\.": "vision_model.embeddings.patch_embedding.",
    r"visual\.positional_embedding": "vision_model.embeddings.position_embedding.weight",
    r"visual\.ln_pre\.": "vision_model.pre_layrnorm.",  # spelt so in transformers
    r"visual\.ln_post\.": "vision_model.post_layernorm.",
    r"visual\.proj": "visual_projection.weight",
    r"visual\.transformer\.resblocks\.": "vision_model.encoder.layers.",
    r"token_embedding\.": "text_model.embeddings.token_embedding.",
    r"positional_embedding": "text_model.embeddings.position_embedding.weight",
    r"ln_final\.": "text_model.final_layer_norm.",
    r"text_projection": "text_projection.weight",
    r"transformer\.resblocks\.": "text_model.encoder.layers.",
}
_IN_BLOCK = {
    "ln_1.": "layer_norm1.",
    "ln_2.": "layer_norm2.",
    "attn.out_proj.": "self_attn.out_proj.",
    "mlp.c_fc.": "mlp.fc1.",
    "mlp.c_proj.": "mlp.fc2.",
}
_NO_VECTOR = ("logit_scale", "logit_bias", "attn_mask")
"""What decides no vector."""


def read_network(checkpoint: Checkpoint, dtype: torch.dtype) -> Any:
    """Read a model.

    Raises:
        CheckpointError: if it is of a family that is not read here, or its weights are not what its config says.
    """
    from safetensors.torch import load_file
    from transformers import CLIPModel

    where = str(checkpoint.folder / checkpoint.layout.config)
    if len(checkpoint.weights) > 1:
        names = ", ".join(path.name for path in checkpoint.weights)
        raise CheckpointError(f"{checkpoint.folder} has several models ({names}); name one of the files.")
    with reading(checkpoint.weights[0]):
        config = _network_config(_config(checkpoint).get("model_cfg") or {}, where)
        weights = _renamed(load_file(checkpoint.weights[0]))
        make: Any = CLIPModel.from_pretrained  # its annotation knows one of its two results
        model, info = make(None, config=config, state_dict=weights, dtype=dtype, output_loading_info=True)
    lost, surplus = sorted(set(info["missing_keys"]) - {"logit_scale"}), sorted(info["unexpected_keys"])
    if lost or surplus:
        name = f"lacks {lost[0]!r}" if lost else f"has {surplus[0]!r} besides"
        raise CheckpointError(f"{checkpoint.weights[0]} is not the model that {where} describes: it {name}.")
    return model


def read_preparation(checkpoint: Checkpoint) -> PicturePreparation:
    """How OpenCLIP prepares pictures for a model.

    Raises:
        CheckpointError: if it does what is not known here.
    """
    config = _config(checkpoint)
    where = checkpoint.folder / checkpoint.layout.config
    with reading(where):
        stated = config.get("preprocess_cfg") or {}
        size = stated.get("size") or config["model_cfg"]["vision_cfg"].get("image_size", 224)
        height, width = size if isinstance(size, list) else (size, size)
        mode, filters = stated.get("resize_mode", "shortest"), {"bilinear": BILINEAR, "bicubic": BICUBIC}
        if mode not in ("shortest", "squash") or (mode == "shortest" and height != width):
            raise CheckpointError(f"{where}: resize_mode {mode!r} for {height}x{width} is not known here.")
        keeps_shape = mode == "shortest"
        return PicturePreparation(
            scaling=PictureScaling(
                size=None if keeps_shape else (height, width),
                shortest_edge=height if keeps_shape else None,
                crop=(height, width) if keeps_shape else None,
                resample=filters[stated.get("interpolation", "bicubic")],
                rounds_crop=True,
            ),
            scale=1 / 255,
            mean=stated.get("mean", _MEAN),
            std=stated.get("std", _STD),
        )


def _config(checkpoint: Checkpoint) -> dict[str, Any]:
    path = checkpoint.folder / checkpoint.layout.config
    with reading(path):
        config = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(config, dict):
            raise CheckpointError(f"{path} is not understood: expected a table of settings.")
        return config


def _network_config(model: Mapping[str, Any], where: str) -> Any:
    from transformers import CLIPConfig

    vision, text = model["vision_cfg"], model["text_cfg"]
    _require_plain(model, where)
    activation = "quick_gelu" if model.get("quick_gelu") else "gelu"
    return CLIPConfig(
        projection_dim=model["embed_dim"],
        vision_config={
            "hidden_size": vision["width"],
            "intermediate_size": int(vision["width"] * vision.get("mlp_ratio", 4)),
            "num_hidden_layers": vision["layers"],
            "num_attention_heads": vision["width"] // vision.get("head_width", 64),
            "image_size": vision.get("image_size", 224),
            "patch_size": vision["patch_size"],
            "hidden_act": activation,
        },
        text_config={
            "hidden_size": text["width"],
            "intermediate_size": int(text["width"] * text.get("mlp_ratio", 4)),
            "num_hidden_layers": text["layers"],
            "num_attention_heads": text["heads"],
            "vocab_size": text["vocab_size"],
            "max_position_embeddings": text["context_length"],
            "hidden_act": activation,
            "eos_token_id": 2,  # transformers' sign for the place of the highest id, as OpenCLIP has it
        },
    )


def _require_plain(model: Mapping[str, Any], where: str) -> None:
    """Refuse a network that computes something else, by the first setting that says so."""
    if isinstance(model["vision_cfg"].get("layers"), list):
        raise CheckpointError(_refusal(where, "vision_cfg.layers", "is a ResNet's"))
    for part, read in (("vision_cfg", _VISION), ("text_cfg", _TEXT)):
        for name, value in model[part].items():
            plain = _PLAIN_POOL[part] if name == "pool_type" else _PLAIN.get(name)
            if name not in read | _IGNORED and value and value != plain:
                raise CheckpointError(_refusal(where, f"{part}.{name}", f"is {value!r}"))
    if model.get("multimodal_cfg"):
        raise CheckpointError(_refusal(where, "multimodal_cfg", "is CoCa's"))


def _refusal(where: str, setting: str, what: str) -> str:
    return (
        f"{where}: {setting} {what}; of OpenCLIP, only plain vision transformers with CLIP's text transformer are "
        "read. If the model is published for transformers as well, as SigLIP is, give that as clip:NAME."
    )


def _renamed(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Weights under the names of `transformers`; what is not known keeps its own."""
    renamed: dict[str, torch.Tensor] = {}
    for name, value in weights.items():
        plain = name.removeprefix("text.")  # as models with `custom_text` have it
        if plain in _NO_VECTOR:
            continue
        place = next((found for start in _NAMES if (found := re.match(start, plain))), None)
        new = plain if place is None else _NAMES[place.re.pattern] + plain[place.end() :]
        if ".attn.in_proj_" in new:
            stem, _, last = new.partition(".attn.in_proj_")
            for part, third in zip("qkv", value.chunk(3), strict=True):
                renamed[f"{stem}.self_attn.{part}_proj.{last}"] = third.contiguous()
            continue
        for old, known in _IN_BLOCK.items():
            new = new.replace(old, known)
        turned = new in ("visual_projection.weight", "text_projection.weight")
        renamed[new] = value.T.contiguous() if turned else value
    return renamed
