"""The convolutions of EfficientNet-Lite as data, from which its torch module and its ONNX graph are built."""

from __future__ import annotations

import math
from collections.abc import Iterator

import attrs

from hgrkit.checks.arguments import check_choice

__all__ = ["FEATURE_DIM", "VARIANTS", "Block", "Convolution", "Layout", "Variant", "layout", "variant_named"]

FEATURE_DIM = 1280

# Stages of EfficientNet-B0 (Tan and Le, ICML 2019, table 1), without squeeze-and-excitation, as the Lite variants
# have them: blocks, kernel, stride of the first block, expansion, output channels.
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
_CHANNEL_MULTIPLE = 8


@attrs.frozen(kw_only=True)
class Variant:
    """One size of the family: how far the stages of EfficientNet-B0 are scaled (section 3.3 of the paper).

    Attributes:
        name: name of its files, its fingerprint and its frame encoder.
        width: factor of the channels of every stage; stem and head keep theirs.
        depth: factor of the blocks of every stage but the first and the last.
        frame_size: height and width of its pictures, in pixels; always square.
    """

    name: str
    width: float
    depth: float
    frame_size: tuple[int, int]


VARIANTS = {
    variant.name: variant
    for variant in (
        Variant(name="efficientnet-lite0", width=1.0, depth=1.0, frame_size=(224, 224)),
        Variant(name="efficientnet-lite1", width=1.0, depth=1.1, frame_size=(240, 240)),
        Variant(name="efficientnet-lite2", width=1.1, depth=1.2, frame_size=(260, 260)),
        Variant(name="efficientnet-lite3", width=1.2, depth=1.4, frame_size=(280, 280)),
        Variant(name="efficientnet-lite4", width=1.4, depth=1.8, frame_size=(300, 300)),
    )
}


@attrs.frozen(kw_only=True)
class Convolution:
    """One convolution with its batch normalisation folded in.

    Attributes:
        name: prefix of its `.weight` and `.bias` in the weights file.
        in_channels, out_channels, kernel, stride: the usual numbers.
        in_size: height and width of its input.
        depthwise: whether each channel has a filter of its own.
        relu6: whether its output is clipped to 0..6.
    """

    name: str
    in_channels: int
    out_channels: int
    in_size: int
    kernel: int = 1
    stride: int = 1
    depthwise: bool = False
    relu6: bool = True

    @property
    def groups(self) -> int:
        """The number of groups of channels with filters of their own."""
        return self.in_channels if self.depthwise else 1

    @property
    def out_size(self) -> int:
        """Height and width of its output: `ceil(in_size / stride)`."""
        return -(-self.in_size // self.stride)

    @property
    def padding(self) -> tuple[int, int]:
        """Zeros before and after each axis: as many as `out_size` needs, an odd one after it, as in TensorFlow."""
        total = max((self.out_size - 1) * self.stride + self.kernel - self.in_size, 0)
        return total // 2, total - total // 2


@attrs.frozen
class Block:
    """One inverted residual block: its convolutions, and whether its input is added to their output."""

    convolutions: tuple[Convolution, ...]
    residual: bool


@attrs.frozen
class Layout:
    """A network: pictures pass the stem, the blocks in order and the head, whose output is averaged."""

    stem: Convolution
    blocks: tuple[Block, ...]
    head: Convolution

    @property
    def convolutions(self) -> tuple[Convolution, ...]:
        """Every convolution of the network, in order."""
        inner = (convolution for block in self.blocks for convolution in block.convolutions)
        return (self.stem, *inner, self.head)


def variant_named(name: str) -> Variant:
    """Return the variant of that name.

    Raises:
        ConfigError: if there is none.
    """
    check_choice("the variant", name, VARIANTS)
    return VARIANTS[name]


def layout(variant: Variant) -> Layout:
    """Lay out the network of a variant, for pictures of its `frame_size`."""
    stem = Convolution(
        name="stem", in_channels=3, out_channels=_STEM_CHANNELS, in_size=variant.frame_size[0], kernel=3, stride=2
    )
    blocks = tuple(_blocks(variant, stem))
    last = blocks[-1].convolutions[-1]
    head = Convolution(name="head", in_channels=last.out_channels, out_channels=FEATURE_DIM, in_size=last.out_size)
    return Layout(stem, blocks, head)


def _blocks(variant: Variant, stem: Convolution) -> Iterator[Block]:
    before, number = stem, 0
    for stage, (repeats, kernel, first_stride, expansion, channels) in enumerate(_STAGES):
        out_channels = _scaled_channels(channels, variant.width)
        inner = 0 < stage < len(_STAGES) - 1
        for repeat in range(math.ceil(variant.depth * repeats) if inner else repeats):
            stride = first_stride if repeat == 0 else 1
            convolutions = _inverted_residual(
                f"blocks.{number}", before, out_channels, kernel=kernel, stride=stride, expansion=expansion
            )
            yield Block(convolutions, residual=stride == 1 and before.out_channels == out_channels)
            before, number = convolutions[-1], number + 1


def _scaled_channels(channels: int, width: float) -> int:
    """Round to a multiple of 8, upwards where the nearest would lose more than 10 % of the channels."""
    scaled = channels * width
    nearest = int(scaled + _CHANNEL_MULTIPLE / 2) // _CHANNEL_MULTIPLE * _CHANNEL_MULTIPLE
    return nearest if nearest >= 0.9 * scaled else nearest + _CHANNEL_MULTIPLE


def _inverted_residual(
    name: str, before: Convolution, out_channels: int, *, kernel: int, stride: int, expansion: int
) -> tuple[Convolution, ...]:
    channels, size = before.out_channels, before.out_size
    wide = channels * expansion
    expand = Convolution(name=f"{name}.expand", in_channels=channels, out_channels=wide, in_size=size)
    depthwise = Convolution(
        name=f"{name}.depthwise",
        in_channels=wide,
        out_channels=wide,
        in_size=size,
        kernel=kernel,
        stride=stride,
        depthwise=True,
    )
    project = Convolution(
        name=f"{name}.project",
        in_channels=wide,
        out_channels=out_channels,
        in_size=depthwise.out_size,
        relu6=False,
    )
    return (expand, depthwise, project) if expansion > 1 else (depthwise, project)
