"""Measures how many pictures a second a dual encoder encodes, beside `transformers`' plain loop; writes JSON.

    python benchmarks/picture_encoding.py --rounds 7 --out picture_encoding.json

The network is CLIP's ViT-B/32 with random weights: they cost what trained ones cost, but say little about how much
a lower precision moves a trained model's vectors. Pictures of 640 x 360 go through scaling, cropping and network.
The plain loops are the model's own processor and `get_image_features`, a batch of 32 or one picture at a time. All
ways run in turns on one thread; a figure is the median over rounds of processor time.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import hgrkit_clip
import numpy as np
import torch
from result_file import arguments, described, write_result
from timing import Taken, medians, timed
from transformers import AutoImageProcessor, CLIPConfig, CLIPModel, CLIPTokenizer

from hgrkit.matching.frame_weights import unit_vectors
from hgrkit.model.onnx_export import export_onnx
from hgrkit.model.onnx_sides import frame_encoder

PREPARATION = {
    "size": {"shortest_edge": 224},
    "crop_size": {"height": 224, "width": 224},
    "resample": 3,
    "image_processor_type": "CLIPImageProcessor",
    "do_center_crop": True,
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
}
PLAIN, ONE, OURS = "transformers, batches of 32", "transformers, one at a time", "hgrkit"

Encode = Callable[[np.ndarray], np.ndarray]


def write_model(folder: Path) -> Path:
    """CLIP ViT-B/32 with random weights, and a text side of one layer, which is not measured."""
    torch.manual_seed(0)
    config = CLIPConfig(
        text_config={"num_hidden_layers": 1, "vocab_size": 4, "bos_token_id": 2, "eos_token_id": 3}
    )
    CLIPModel(config).save_pretrained(folder)
    vocabulary = {"a": 0, "a</w>": 1, "<|startoftext|>": 2, "<|endoftext|>": 3}
    CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=77).save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(PREPARATION))
    return folder


def plain_loop(folder: Path, at_once: int) -> Encode:
    """What a user of `transformers` writes."""
    model = CLIPModel.from_pretrained(folder).eval()
    processor = AutoImageProcessor.from_pretrained(folder, backend="pil")

    def encode(pictures: np.ndarray) -> np.ndarray:
        made = []
        for start in range(0, len(pictures), at_once):
            inputs = processor(images=list(pictures[start : start + at_once]), return_tensors="pt")
            with torch.inference_mode():
                made.append(model.get_image_features(**inputs).pooler_output.numpy())
        return np.concatenate(made)

    return encode


def ways(folder: Path, scratch: Path) -> dict[str, Encode]:
    """Every way to encode pictures, by name."""
    exported = {int8: export_onnx(f"clip:{folder}", scratch / f"int8-{int8}", int8=int8) for int8 in (False, True)}
    return {
        PLAIN: plain_loop(folder, 32),
        ONE: plain_loop(folder, 1),
        OURS: hgrkit_clip.frame_encoder("cpu", str(folder)).encode,
        "hgrkit, bfloat16": hgrkit_clip.frame_encoder("cpu", f"{folder}?precision=bfloat16").encode,
        "hgrkit, ONNX": frame_encoder("cpu", str(exported[False].folder)).encode,
        "hgrkit, ONNX, int8": frame_encoder("cpu", str(exported[True].folder)).encode,
    }


def measure(rounds: int, num_pictures: int, seed: int) -> dict[str, object]:
    """Pictures a second of processor time by each way, and how far its vectors are from the plain loop's."""
    pictures = np.random.default_rng(seed).integers(0, 256, (num_pictures, 360, 640, 3), dtype=np.uint8)
    with tempfile.TemporaryDirectory() as scratch:
        encoders = ways(write_model(Path(scratch) / "model"), Path(scratch))
        vectors = {name: unit_vectors(encode(pictures)) for name, encode in encoders.items()}  # also the warm-up
        taken: list[dict[str, Taken]] = [
            {name: timed(lambda encode=encode: encode(pictures))[1] for name, encode in encoders.items()}
            for _ in range(rounds)
        ]
    seconds = medians(taken, "cpu_s")
    exact = vectors[PLAIN]
    return {
        "benchmark": "picture_encoding",
        "ways": {
            name: {
                "pictures_per_cpu_second": num_pictures / seconds[name],
                "speed": seconds[PLAIN] / seconds[name],
                "least_cosine": float((made * exact).sum(axis=1).min()),
                "largest_difference": float(np.abs(made - exact).max()),
            }
            for name, made in vectors.items()
        },
        "rounds": rounds,
        "pictures": num_pictures,
    }


def main() -> None:
    """Measure, print, and write a file if one is named."""
    parser = arguments(__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--pictures", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0, help="of the pictures")
    options = parser.parse_args()
    torch.set_num_threads(1)
    write_result({**described(options), **measure(options.rounds, options.pictures, options.seed)}, options.out)


if __name__ == "__main__":
    main()
