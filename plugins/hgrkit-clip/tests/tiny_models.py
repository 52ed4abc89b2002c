"""Dual encoders with random weights, a few thousand numbers each, made on the spot and saved to folders."""

from __future__ import annotations

import json

import torch

SIDE = 32
WIDTH = 24
TOKENS = 20
CLIP_PICTURES = {
    "do_resize": True,
    "size": {"shortest_edge": SIDE},
    "resample": 3,
    "do_center_crop": True,
    "crop_size": {"height": SIDE, "width": SIDE},
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": [0.48, 0.46, 0.41],
    "image_std": [0.27, 0.26, 0.28],
}
SIGLIP_PICTURES = {
    "do_resize": True,
    "size": {"height": SIDE, "width": SIDE},
    "resample": 2,
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
}
NAFLEX_PICTURES = {
    **{name: value for name, value in SIGLIP_PICTURES.items() if name != "size"},
    "max_num_patches": 16,
    "patch_size": 8,
}
LAYERS = {
    "hidden_size": WIDTH,
    "intermediate_size": 2 * WIDTH,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
}


def write_clip(folder, *, seed=0, projection_dim=WIDTH):
    from transformers import CLIPConfig, CLIPModel, CLIPTokenizer

    letters = [chr(code) for code in range(33, 127)] + [chr(code) for code in range(161, 324) if code != 173]
    pieces = [*letters, *(letter + "</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    tokenizer = CLIPTokenizer(
        vocab={piece: number for number, piece in enumerate(pieces)}, merges=[], model_max_length=TOKENS
    )
    config = CLIPConfig(
        text_config={
            **LAYERS,
            "vocab_size": len(pieces),
            "max_position_embeddings": TOKENS,
            "bos_token_id": len(pieces) - 2,
            "eos_token_id": len(pieces) - 1,
            "pad_token_id": len(pieces) - 1,
        },
        vision_config={**LAYERS, "image_size": SIDE, "patch_size": 8},
        projection_dim=projection_dim,
    )
    return _write(folder, CLIPModel, config, tokenizer, CLIP_PICTURES, seed)


def write_siglip(folder, *, seed=0, projection_size=WIDTH):
    from transformers import SiglipConfig, SiglipModel

    tokenizer = _word_tokenizer()
    text = {**LAYERS, "vocab_size": len(tokenizer), "max_position_embeddings": TOKENS}
    config = SiglipConfig(
        text_config={**text, "projection_size": projection_size},
        vision_config={**LAYERS, "image_size": SIDE, "patch_size": 8},
    )
    return _write(folder, SiglipModel, config, tokenizer, SIGLIP_PICTURES, seed)


def write_siglip2(folder, *, seed=0):
    """SigLIP 2 of pictures of any shape (NaFlex); that of one size is SigLIP's network with another tokenizer."""
    from transformers import Siglip2Config, Siglip2Model, Siglip2Tokenizer

    letters = [chr(code) for code in range(33, 127)] + ["▁"]
    special = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
    pieces = [*special, *letters, *(f"<0x{byte:02X}>" for byte in range(256))]
    tokenizer = Siglip2Tokenizer(
        vocab={piece: number for number, piece in enumerate(pieces)}, merges=[], model_max_length=TOKENS
    )
    config = Siglip2Config(
        text_config={**LAYERS, "vocab_size": len(pieces), "max_position_embeddings": TOKENS},
        vision_config={**LAYERS, "num_patches": 16, "patch_size": 8},
    )
    return _write(folder, Siglip2Model, config, tokenizer, NAFLEX_PICTURES, seed)


def write_chinese_clip(folder, *, seed=0):
    """Texts are read by a BERT, and padded ones stay apart by a mask."""
    from transformers import BertTokenizer, ChineseCLIPConfig, ChineseCLIPModel

    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(chr(code) for code in range(33, 127)), "狗", "人"]
    tokenizer = BertTokenizer(
        vocab={piece: number for number, piece in enumerate(pieces)}, model_max_length=TOKENS
    )
    config = ChineseCLIPConfig(
        text_config={**LAYERS, "vocab_size": len(pieces), "max_position_embeddings": TOKENS, "pad_token_id": 0},
        vision_config={**LAYERS, "image_size": SIDE, "patch_size": 8},
        projection_dim=WIDTH,
    )
    return _write(folder, ChineseCLIPModel, config, tokenizer, CLIP_PICTURES, seed)


def write_metaclip2(folder, *, seed=0):
    from transformers import MetaClip2Config, MetaClip2Model

    tokenizer = _word_tokenizer()
    text = {**LAYERS, "vocab_size": len(tokenizer), "max_position_embeddings": TOKENS, "eos_token_id": 1}
    config = MetaClip2Config(
        text_config={**text, "bos_token_id": 0, "pad_token_id": 1},
        vision_config={**LAYERS, "image_size": SIDE, "patch_size": 8},
        projection_dim=WIDTH,
    )
    return _write(folder, MetaClip2Model, config, tokenizer, CLIP_PICTURES, seed)


OPEN_CLIP_VISION = {"layers": 2, "width": WIDTH, "head_width": 12, "patch_size": 8, "image_size": SIDE}
OPEN_CLIP_TEXT = {
    "context_length": TOKENS,
    "vocab_size": 514,
    "width": 36,
    "heads": 3,
    "layers": 2,
    "mlp_ratio": 2.0,
}


def write_open_clip(folder, *, seed=0, embed_dim=16, custom_text=False, **changes):
    """A model in OpenCLIP's layout; `changes` replace parts of its `model_cfg`."""
    from safetensors.torch import save_file

    write_clip(folder)  # its tokenizer is CLIP's
    for name in ("config.json", "model.safetensors", "preprocessor_config.json"):
        (folder / name).unlink()
    random = torch.Generator().manual_seed(seed)

    def tensor(*shape):
        return 0.3 * torch.randn(shape, generator=random)

    def blocks(stem, width, layers, wide):
        for layer in range(layers):
            block = f"{stem}.resblocks.{layer}."
            for name, shape in {
                "ln_1": (width,),
                "ln_2": (width,),
                "attn.out_proj": (width, width),
                "mlp.c_fc": (wide, width),
                "mlp.c_proj": (width, wide),
            }.items():
                yield from ((f"{block}{name}.weight", tensor(*shape)), (f"{block}{name}.bias", tensor(shape[0])))
            yield f"{block}attn.in_proj_weight", tensor(3 * width, width)
            yield f"{block}attn.in_proj_bias", tensor(3 * width)

    width, wide = WIDTH, OPEN_CLIP_TEXT["width"]
    text = {
        "token_embedding.weight": tensor(514, wide),
        "positional_embedding": tensor(TOKENS, wide),
        "ln_final.weight": tensor(wide),
        "ln_final.bias": tensor(wide),
        "text_projection": tensor(wide, embed_dim),
        **dict(blocks("transformer", wide, 2, 2 * wide)),
    }
    weights = {
        "logit_scale": torch.tensor(2.0),
        "visual.class_embedding": tensor(width),
        "visual.conv1.weight": tensor(width, 3, 8, 8),
        "visual.positional_embedding": tensor(17, width),
        **{
            f"visual.{name}.{part}": tensor(width) for name in ("ln_pre", "ln_post") for part in ("weight", "bias")
        },
        "visual.proj": tensor(width, embed_dim),
        **dict(blocks("visual.transformer", width, 2, 4 * width)),
        **{f"text.{name}" if custom_text else name: value for name, value in text.items()},
    }
    save_file(weights, folder / "open_clip_model.safetensors")
    model = {"embed_dim": embed_dim, "vision_cfg": OPEN_CLIP_VISION, "text_cfg": OPEN_CLIP_TEXT, **changes}
    pictures = {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.3, 0.2]}
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": model, "preprocess_cfg": pictures}))
    return folder


def write_bert(folder):
    """A model of texts alone."""
    from transformers import BertConfig, BertModel

    tokenizer = _word_tokenizer()
    config = BertConfig(**LAYERS, vocab_size=len(tokenizer), max_position_embeddings=TOKENS)
    return _write(folder, BertModel, config, tokenizer, CLIP_PICTURES, 0)


MODELS = {"clip": write_clip, "siglip": write_siglip, "siglip2": write_siglip2}
OTHERS = {"chinese_clip": write_chinese_clip, "metaclip2": write_metaclip2}
"""Families that only a few tests are run with."""


def _word_tokenizer():
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    words = "a an the man woman dog cat ball throws catches runs sleeps red park in to on with and is by".split()
    vocab = {word: number for number, word in enumerate(["<unk>", "</s>", *words])}
    backend = Tokenizer(models.WordLevel(vocab, unk_token="<unk>"))
    backend.normalizer = normalizers.Lowercase()
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        unk_token="<unk>",
        eos_token="</s>",
        pad_token="</s>",
        model_max_length=TOKENS,
        model_input_names=["input_ids"],
    )


def _write(folder, make, config, tokenizer, pictures, seed):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = make(config).eval()
        for value in model.parameters():  # as published weights spread, not nearly zero
            value.data += 0.05 * torch.randn_like(value)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(pictures))
    return folder
