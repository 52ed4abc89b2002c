"""A small random release, written as the released code would have left it."""

from __future__ import annotations

import json
import random
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

WORDS = ["<BOS>", "<EOS>", "<UNK>", *(f"w{number}" for number in range(20))]
ROLES = ["ARG0", "ARG1", "ARGM-LOC", "C-ARG0", "R-ARG1", "C-V", "ARGM-XYZ", "NOUN"]
NAMES = ["b/1", "a0", "c2", "d3", "e4", "f5"]


def default_config():
    training = {"freeze": False, "lr_mult": 1.0, "opt_alg": "Adam", "weight_decay": 0}
    return {
        "subcfgs": {
            "video_encoder": {
                **training,
                "dim_fts": [10],
                "dim_embed": 16,
                "dropout": 0.1,
                "num_levels": 3,
                "share_enc": False,
            },
            "text_encoder": {
                **training,
                "num_words": len(WORDS),
                "dim_word": 8,
                "fix_word_embed": False,
                "rnn_type": "gru",
                "bidirectional": True,
                "rnn_hidden_size": 16,
                "num_layers": 1,
                "dropout": 0.1,
                "num_roles": 16,
                "gcn_num_layers": 1,
                "gcn_attention": True,
                "gcn_dropout": 0.1,
            },
        },
        "trn_batch_size": 4,
        "tst_batch_size": 5,
        "base_lr": 1e-3,
        "margin": 0.2,
        "monitor_iter": 0,
        "max_frames_in_video": 5,
        "max_words_in_sent": 12,
        "num_verbs": 2,
        "num_nouns": 3,
    }


def random_captions(seed):
    rng = random.Random(seed)
    captions, graphs = {}, {}
    for name in NAMES:
        captions[name] = []
        for _ in range(rng.randint(1, 3)):
            words = [rng.choice([*WORDS[3:], "unseen"]) for _ in range(rng.randint(2, 16))]
            caption = " ".join(words)
            nodes = {"ROOT": {"role": "ROOT", "spans": list(range(len(words))), "words": words}}
            for key in range(1, rng.randint(2, 8)):
                start = rng.randrange(len(words))
                role = "V" if rng.random() < 0.4 else rng.choice(ROLES)
                nodes[str(key)] = {"role": role, "spans": list(range(start, min(start + 3, len(words))))}
            actions = [key for key, node in nodes.items() if node["role"] == "V"]
            others = [key for key, node in nodes.items() if node["role"] not in ("V", "ROOT")]
            captions[name].append(caption)
            graphs[caption] = [nodes, [[rng.choice(actions), key, "ARG0"] for key in others if actions]]
    return captions, graphs


def released_shapes(config):
    """Released names and shapes of all weights, from the config."""
    video, text = config["subcfgs"]["video_encoder"], config["subcfgs"]["text_encoder"]
    dim, gates = text["rnn_hidden_size"], {"gru": 3, "lstm": 4}[text["rnn_type"]]
    directions = ["", "_reverse"] if text["bidirectional"] else [""]
    video_shapes = {"ft_attn.weight": [1, dim], "ft_attn.bias": [1]}
    for level in range(1 if video["share_enc"] else 3):
        video_shapes[f"level_embeds.{level}.weight"] = [dim, sum(video["dim_fts"])]
        video_shapes[f"level_embeds.{level}.bias"] = [dim]
    shapes = {"embedding.we.weight": [text["num_words"], text["dim_word"]]}
    shapes |= {"ft_attn.weight": [1, dim], "ft_attn.bias": [1]}
    for layer in range(text["num_layers"]):
        width = text["dim_word"] if layer == 0 else dim * len(directions)
        for suffix in (f"l{layer}{direction}" for direction in directions):
            shapes |= {f"rnn.weight_ih_{suffix}": [gates * dim, width], f"rnn.bias_ih_{suffix}": [gates * dim]}
            shapes |= {f"rnn.weight_hh_{suffix}": [gates * dim, dim], f"rnn.bias_hh_{suffix}": [gates * dim]}
    if text["num_roles"]:
        shapes["role_embedding.weight"] = [text["num_roles"], dim]
    for layer in (f"gcn.layers.{number}" for number in range(text["gcn_num_layers"])):
        shapes |= {f"{layer}.ctx_layer.weight": [dim, dim]}
        shapes |= {f"{layer}.layernorm.weight": [dim], f"{layer}.layernorm.bias": [dim]}
        for part in ("query", "key") if text["gcn_attention"] else ():
            shapes |= {
                f"{layer}.edge_attn_{part}.weight": [dim // 2, dim],
                f"{layer}.edge_attn_{part}.bias": [dim // 2],
            }
    return {"video_encoder": video_shapes, "text_encoder": shapes}


def random_weights(config, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return {
        encoder: {name: torch.randn(shape, generator=generator) * 0.3 for name, shape in shapes.items()}
        for encoder, shapes in released_shapes(config).items()
    }


@pytest.fixture
def write_release(tmp_path):
    """A function that writes a release and returns its folder."""

    def write(*, top=None, video=None, text=None, published=False, split="trn", name="release"):
        config = default_config()
        config.update(top or {})
        config["subcfgs"]["video_encoder"].update(video or {})
        config["subcfgs"]["text_encoder"].update(text or {})
        root = tmp_path / name
        annotation = root / "annotation" / "RET" if published else root
        names = root / "public_split" if published else root
        results = root / "results" / "RET.released" / "run" if published else root
        checkpoints = results / "model" if published else root
        for folder in (annotation, names, results, checkpoints):
            folder.mkdir(parents=True, exist_ok=True)
        captions, graphs = random_captions(seed=3)
        (results / "model.json").write_text(json.dumps(config))
        (annotation / "ref_captions.json").write_text(json.dumps(captions))
        (annotation / "sent2rolegraph.augment.json").write_text(json.dumps(graphs))
        (annotation / "word2int.json").write_text(json.dumps({word: i for i, word in enumerate(WORDS)}))
        np.save(names / f"{split}_names.npy", np.array(NAMES))
        torch.save(random_weights(config), checkpoints / "epoch.0.th")
        write_features(root, config["subcfgs"]["video_encoder"]["dim_fts"], split, published)
        return root

    return write


def write_features(root: Path, dims: list[int], split: str, published: bool) -> None:
    rng = np.random.default_rng(5)
    videos = {name: rng.standard_normal((rng.integers(1, 9), sum(dims))).astype(np.float32) for name in NAMES}
    folders = [root / "ordered_feature" / "SA" / f"net{i}" for i in range(len(dims))] if published else [root]
    starts = np.cumsum([0, *dims])
    for number, folder in enumerate(folders):
        folder.mkdir(parents=True, exist_ok=True)
        columns = slice(starts[number], starts[number + 1]) if published else slice(None)
        with h5py.File(folder / f"{split}_ft.hdf5", "w") as file:
            for name, features in videos.items():
                file[name.replace("/", "_")] = features[:, columns]
