"""Records of tensors: shapes that fit each other, and one line that says which does not."""

from __future__ import annotations

import re

import pytest
import torch

from hgrkit.errors import ShapeError
from hgrkit.matching.embeddings import TextEmbeddings, VideoEmbeddings


def video(**changes):
    tensors = {
        "event": torch.ones(2, 4),
        "action": torch.ones(2, 3, 4),
        "entity": torch.ones(2, 3, 4),
        "frame_mask": torch.ones(2, 3, dtype=torch.bool),
    }
    return VideoEmbeddings(**{**tensors, **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"event": torch.ones(3, 4)}, "event must be a tensor [2, D], of floating point, got Tensor [3, 4]"),
        (
            {"entity": torch.ones(2, 3, 5)},
            "entity must be a tensor [2, 3, 4], of floating point, got",
        ),
        ({"action": "runs"}, "action must be a tensor [2, 3, 4], of floating point, got 'runs'."),
        ({"frame_mask": torch.ones(2, 3)}, "frame_mask must be a tensor [V, F], bool, got Tensor [2, 3]"),
        (
            {"frame_mask": torch.ones(2, dtype=torch.bool)},
            "frame_mask must be a tensor [V, F], bool, got",
        ),
        ({"event": torch.ones(2, 4, device="meta")}, "event is on meta and frame_mask on cpu; move one"),
    ],
)
def test_a_tensor_that_does_not_fit_the_others_is_named(changes, message):
    with pytest.raises(ShapeError, match=re.escape(message)):
        video(**changes)


def test_sentences_without_a_node_of_a_level_are_fine():
    none, mask = torch.ones(2, 0, 4), torch.ones(2, 0, dtype=torch.bool)
    text = TextEmbeddings(event=torch.ones(2, 4), action=none, entity=none, action_mask=mask, entity_mask=mask)
    assert len(text) == 2
