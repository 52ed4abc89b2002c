"""The two halves of the frame encoder: the upper one is what follows the lower one, and what of it is tuned."""

from __future__ import annotations

import torch

from hgrkit.video.efficientnet_layout import VARIANTS, layout


@torch.inference_mode()
def test_the_upper_half_is_what_follows_the_lower_one(scripts, random_network):
    variant, network = VARIANTS["efficientnet-lite2"], random_network
    upper = scripts.frame_halves.UpperHalf(layout(variant), network.state_dict()).eval()
    first = scripts.frame_halves.first_tuned_block(layout(variant))
    pictures = torch.randint(0, 256, (2, *variant.frame_size, 3), generator=torch.Generator().manual_seed(1))
    block_input = network.stem((pictures.permute(0, 3, 1, 2).float() - 127) / 128)
    for block in network.blocks[:first]:
        block_input = block(block_input)
    torch.testing.assert_close(upper(block_input), network(pictures), atol=1e-4, rtol=1e-4)
    own = upper.tuned_weights
    assert own.keys() == {name for name in network.state_dict() if tuned_name(name, first)}
    assert all(torch.equal(tensor, network.state_dict()[name]) for name, tensor in own.items())


def tuned_name(name, first):
    part, _, rest = name.partition(".")
    return part == "head" or (part == "blocks" and int(rest.partition(".")[0]) >= first)


def test_only_pointwise_convolutions_are_tuned(scripts, random_network):
    variant = VARIANTS["efficientnet-lite2"]
    upper = scripts.frame_halves.UpperHalf(layout(variant), random_network.state_dict())
    upper.train()
    upper(torch.rand(2, 120, 17, 17)).sum().backward()
    tuned = {name for name, parameter in upper.named_parameters() if parameter.grad is not None}
    assert tuned == {name for name, _ in upper.named_parameters() if ".depthwise." not in name}
