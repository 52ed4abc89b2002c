from itertools import pairwise

import pytest

from hgrkit.errors import ConfigError
from hgrkit.video.efficientnet_layout import VARIANTS, layout, variant_named

PUBLISHED_PARAMETERS = {
    "efficientnet-lite0": 4.7,
    "efficientnet-lite1": 5.4,
    "efficientnet-lite2": 6.1,
    "efficientnet-lite3": 8.2,
    "efficientnet-lite4": 13.0,
}
"""Millions, from the table of the authors' own EfficientNet-Lite page."""

CLASSIFIER_PARAMETERS = (1280 + 1) * 1000

each_variant = pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS.keys())


@each_variant
def test_a_variant_has_as_many_parameters_as_published(variant):
    kernels = sum(
        convolution.out_channels * convolution.in_channels // convolution.groups * convolution.kernel**2
        for convolution in layout(variant).convolutions
    )
    norms = 2 * sum(convolution.out_channels for convolution in layout(variant).convolutions)
    millions = (kernels + norms + CLASSIFIER_PARAMETERS) / 1e6
    assert round(millions, 1) == PUBLISHED_PARAMETERS[variant.name]


@each_variant
def test_every_convolution_takes_what_the_one_before_it_gives(variant):
    chain = layout(variant).convolutions
    assert (chain[0].in_channels, chain[0].in_size) == (3, variant.frame_size[0])
    for before, after in pairwise(chain):
        assert (after.in_channels, after.in_size) == (before.out_channels, before.out_size)


@each_variant
def test_padding_is_the_least_that_reaches_every_output(variant):
    for convolution in layout(variant).convolutions:
        before, after = convolution.padding
        assert after - before in {0, 1}
        room = convolution.in_size + before + after - convolution.kernel
        assert room == (convolution.out_size - 1) * convolution.stride


@each_variant
def test_a_block_adds_its_input_where_the_shapes_agree(variant):
    for block in layout(variant).blocks:
        first, last = block.convolutions[0], block.convolutions[-1]
        same = (first.in_channels, first.in_size) == (last.out_channels, last.out_size)
        assert block.residual == same


@each_variant
def test_channels_are_multiples_of_eight_and_never_far_below_the_width(variant):
    plain, scaled = (
        {block.convolutions[-1].out_channels for block in layout(size).blocks}
        for size in (VARIANTS["efficientnet-lite0"], variant)
    )
    assert all(channels % 8 == 0 for channels in scaled)
    for before, after in zip(sorted(plain), sorted(scaled), strict=True):
        assert 0.9 * variant.width * before <= after < variant.width * before + 8


def test_only_the_second_to_the_last_but_one_stage_get_deeper():
    blocks = layout(VARIANTS["efficientnet-lite2"]).blocks
    widths = [block.convolutions[-1].out_channels for block in blocks]
    assert [widths.count(channels) for channels in sorted(set(widths))] == [1, 3, 3, 4, 4, 5, 1]


def test_sizes_of_lite2_are_halved_upwards():
    chain = layout(VARIANTS["efficientnet-lite2"]).convolutions
    assert sorted({convolution.out_size for convolution in chain}, reverse=True) == [130, 65, 33, 17, 9]
    strided = [convolution for convolution in chain if convolution.stride == 2]
    assert [convolution.padding for convolution in strided] == [(0, 1), (0, 1), (2, 2), (1, 1), (2, 2)]


def test_an_unknown_variant_lists_the_known_ones():
    with pytest.raises(ConfigError, match=r"'efficientnet-lite0', .*or 'efficientnet-lite4', got 'lite2'"):
        variant_named("lite2")
