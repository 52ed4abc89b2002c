"""The frame encoder in two halves: the lower one stays as it was published, the upper one is tuned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from hgrkit.video.efficientnet_layout import Layout
from hgrkit.video.efficientnet_torch import EfficientNetLiteModule

__all__ = ["UpperHalf", "first_tuned_block"]


def first_tuned_block(layout: Layout) -> int:
    """Position of the block that halves the picture for the last time: it and what follows is tuned."""
    halving = [
        number
        for number, block in enumerate(layout.blocks)
        if any(convolution.stride == 2 for convolution in block.convolutions)
    ]
    return halving[-1]


class UpperHalf(nn.Module):
    """The last blocks and the head, from the lower half's output `[B, C, H, W]` to features `[B, 1280]`.

    The pointwise convolutions are tuned; a depthwise one has few weights, and its gradient costs more than all
    else. In training they are multiplied in bfloat16, which recent processors do several times faster.

    Args:
        layout: the network.
        weights: of the whole network, under the names of the weights file.
    """

    def __init__(self, layout: Layout, weights: Mapping[str, Tensor]) -> None:
        super().__init__()
        network = EfficientNetLiteModule.from_weights(layout, weights)
        self._first = first_tuned_block(layout)
        self.blocks = network.blocks[self._first :]
        self.head = network.head
        for name, parameter in self.named_parameters():
            parameter.requires_grad_(".depthwise." not in name)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def tuned_weights(self) -> dict[str, Tensor]:
        """The weights under their names in the weights file."""
        renamed = {}
        for name, tensor in self.state_dict().items():
            part, _, rest = name.partition(".")
            number, _, inner = rest.partition(".")
            whole = f"blocks.{int(number) + self._first}.{inner}" if part == "blocks" else name
            renamed[whole] = tensor.detach().contiguous()
        return renamed

    def forward(self, block_input: Tensor) -> Tensor:
        """Encode what the lower half made of B pictures."""
        features: Tensor = self.positions(block_input).mean(dim=(1, 2))
        return features

    def positions(self, block_input: Tensor) -> Tensor:
        """What stands at each position of the last map, [B, H, W, 1280]; its mean is the features."""
        hidden = block_input.permute(0, 2, 3, 1)  # channels last, as matrices of positions
        for block in self.blocks:
            expand, depthwise, project = (
                cast("nn.Conv2d", part) for part in (block.expand, block.depthwise, block.project)
            )
            wide = functional.relu6(self._pointwise(expand, hidden)).float()
            spread = depthwise(wide.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
            output = self._pointwise(project, spread).float()
            hidden = hidden + output if output.shape == hidden.shape else output
        return functional.relu6(self._pointwise(self.head, hidden)).float()

    @torch.inference_mode()
    def encode(self, block_input: npt.NDArray[np.float16]) -> Tensor:
        """Features of many pictures, [N, C, H, W] -> [N, 1280], in float32."""
        self.eval()
        parts = [
            self(torch.from_numpy(block_input[start : start + 64].astype(np.float32)))
            for start in range(0, len(block_input), 64)
        ]
        return torch.cat(parts)

    def _pointwise(self, convolution: nn.Conv2d, hidden: Tensor) -> Tensor:
        weight, bias = convolution.weight[:, :, 0, 0], cast("Tensor", convolution.bias)
        if self.training:
            hidden, weight, bias = hidden.bfloat16(), weight.bfloat16(), bias.bfloat16()
        return functional.linear(hidden, weight, bias)
