"""The convolutions of EfficientNet-Lite0 as data: what its torch module and its ONNX graph are both built from."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

__all__ = ["FEATURE_DIM", "FRAME_SIZE", "Block", "Convolution", "blocks", "head", "stem"]

FRAME_SIZE = (224, 224)
FEATURE_DIM = 1280

# Stages of EfficientNet-B0 (Tan and Le, ICML 2019, table 1), without squeeze-and-excitation, as the Lite variant
# has them: blocks, kernel, stride of the first block, expansion, output channels.
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
_STEM_CHANNELS = 32


@attrs.frozen(kw_only=True)
class Convolution:
    """One convolution with its batch normalisation folded in.

    Attributes:
        name: prefix of its `.weight` and `.bias` in the weights file.
        in_channels, out_channels, kernel, stride: the usual numbers.
        depthwise: whether each channel has a filter of its own.
        relu6: whether its output is clipped to 0..6.
    """

    name: str
    in_channels: int
    out_channels: int
    kernel: int = 1
    stride: int = 1
    depthwise: bool = False
    relu6: bool = True

    @property
    def groups(self) -> int:
        """Groups of channels that do not see each other."""
        return self.in_channels if self.depthwise else 1

    @property
    def padding(self) -> tuple[int, int]:
        """Zeros before and after each axis: as many as keep `ceil(size / stride)`, the odd one behind."""
        total = self.kernel - self.stride
        return total // 2, total - total // 2


@attrs.frozen
class Block:
    """One inverted residual block: its convolutions, and whether its input is added to their output."""

    convolutions: tuple[Convolution, ...]
    residual: bool


def stem() -> Convolution:
    """The first convolution: RGB to 32 channels at half the size."""
    return Convolution(name="stem", in_channels=3, out_channels=_STEM_CHANNELS, kernel=3, stride=2)


def head() -> Convolution:
    """The last convolution, whose output is averaged over the picture."""
    return Convolution(name="head", in_channels=_STAGES[-1][-1], out_channels=FEATURE_DIM)


def blocks() -> Iterator[Block]:
    """The 16 blocks between stem and head, in order."""
    channels, number = _STEM_CHANNELS, 0
    for repeats, kernel, first_stride, expansion, out_channels in _STAGES:
        for repeat in range(repeats):
            stride = first_stride if repeat == 0 else 1
            convolutions = _inverted_residual(
                f"blocks.{number}", channels, out_channels, kernel=kernel, stride=stride, expansion=expansion
            )
            yield Block(convolutions, residual=stride == 1 and channels == out_channels)
            channels, number = out_channels, number + 1


def _inverted_residual(
    name: str, channels: int, out_channels: int, *, kernel: int, stride: int, expansion: int
) -> tuple[Convolution, ...]:
    wide = channels * expansion
    expand = Convolution(name=f"{name}.expand", in_channels=channels, out_channels=wide)
    depthwise = Convolution(
        name=f"{name}.depthwise", in_channels=wide, out_channels=wide, kernel=kernel, stride=stride, depthwise=True
    )
    project = Convolution(name=f"{name}.project", in_channels=wide, out_channels=out_channels, relu6=False)
    return (expand, depthwise, project) if expansion > 1 else (depthwise, project)
