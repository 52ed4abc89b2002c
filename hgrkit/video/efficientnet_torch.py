"""EfficientNet-Lite as a torch module, for GPUs; the ONNX graph beside the weights does the same on a CPU."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from hgrkit.video.efficientnet_layout import Block, Convolution, Layout

__all__ = ["EfficientNetLiteModule"]


class EfficientNetLiteModule(nn.Module):
    """RGB pictures of 0..255 `[B, H, W, 3]` to the head's features, averaged over the picture, `[B, 1280]`.

    H and W must be the `frame_size` that the layout was made for: the padding depends on it.

    Architecture: Tan and Le, "EfficientNet", ICML 2019, in the Lite variants (ReLU6, no squeeze-and-excitation);
    batch normalisation is folded into the convolutions.
    """

    def __init__(self, layout: Layout) -> None:
        super().__init__()
        self.stem = _ConvolutionModule(layout.stem)
        self.blocks = nn.ModuleList(_BlockModule(block) for block in layout.blocks)
        self.head = _ConvolutionModule(layout.head)

    @classmethod
    def from_weights(cls, layout: Layout, weights: Mapping[str, Tensor]) -> EfficientNetLiteModule:
        """A module with these weights, in evaluation mode; their names must be exactly its own."""
        with torch.device("meta"):
            module = cls(layout)
        module.load_state_dict(dict(weights), strict=True, assign=True)
        return module.eval().requires_grad_(requires_grad=False)

    def forward(self, pictures: Tensor) -> Tensor:
        """Encode pictures; every picture is on its own."""
        hidden = (pictures.permute(0, 3, 1, 2).float() - 127.0) / 128.0  # [B, 3, H, W]
        hidden = self.stem(hidden)
        for block in self.blocks:
            hidden = block(hidden)
        return cast("Tensor", self.head(hidden).mean(dim=(2, 3)))  # [B, 1280]


class _ConvolutionModule(nn.Conv2d):
    def __init__(self, layout: Convolution) -> None:
        super().__init__(
            layout.in_channels, layout.out_channels, layout.kernel, stride=layout.stride, groups=layout.groups
        )
        self._pad = layout.padding * 2
        self._relu6 = layout.relu6

    def forward(self, hidden: Tensor) -> Tensor:
        output = super().forward(functional.pad(hidden, self._pad))
        return functional.relu6(output) if self._relu6 else output


class _BlockModule(nn.Module):
    def __init__(self, layout: Block) -> None:
        super().__init__()
        self._residual = layout.residual
        for convolution in layout.convolutions:
            self.add_module(convolution.name.rpartition(".")[2], _ConvolutionModule(convolution))

    def forward(self, hidden: Tensor) -> Tensor:
        output = hidden
        for convolution in self.children():
            output = convolution(output)
        return output + hidden if self._residual else output
