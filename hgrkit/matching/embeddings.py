"""What the encoders hand to the matcher: a clip and a sentence at three levels (HGR, sections 3.2 and 3.3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import attrs
import torch
from torch import Tensor

from hgrkit.checks.arguments import shown
from hgrkit.checks.device import device_memory
from hgrkit.errors import ConfigError, ShapeError

__all__ = ["TextEmbeddings", "VideoEmbeddings", "check_tensors", "moved"]

T = TypeVar("T")


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape))


def moved(record: T, device: torch.device | str) -> T:
    """The same record with its tensors on a device.

    Raises:
        ConfigError: if there is no such device.
        DeviceMemoryError: if its memory is full.
    """
    fields = attrs.asdict(record, recurse=False)  # type: ignore[arg-type]
    try:
        with device_memory("give fewer clips or sentences at once"):
            tensors = {name: value.to(device) for name, value in fields.items() if isinstance(value, Tensor)}
    except (RuntimeError, AssertionError, TypeError) as error:
        raise ConfigError(f"device {shown(device)} cannot be used here: {str(error).splitlines()[0]}") from error
    return attrs.evolve(record, **tensors)  # type: ignore[misc]


def check_tensors(record: object, shapes: Mapping[str, str], *, hint: str = "") -> None:
    """Refuse a record whose tensors are not what they should be: masks bool, the others of floating point.

    Args:
        record: holds them.
        shapes: a letter for each dimension of each tensor, by its name; equal letters are equal sizes.
        hint: what to do, as the end of a sentence, such as `; make one`.

    Raises:
        ShapeError: if one is of another type or shape, or they are not all on one device.
    """
    sizes: dict[str, int] = {}
    for name, letters in shapes.items():
        value, kind = getattr(record, name), "bool" if name.endswith("_mask") else "of floating point"
        fits = isinstance(value, Tensor) and (
            value.dtype == torch.bool if kind == "bool" else value.is_floating_point()
        )
        shape = dict(zip(letters, value.shape, strict=True)) if fits and value.ndim == len(letters) else {}
        if not shape or any(sizes.get(letter, size) != size for letter, size in shape.items()):
            listed = ", ".join(str(sizes.get(letter, letter)) for letter in letters)
            raise ShapeError(f"{name} must be a tensor [{listed}], {kind}, got {shown(value)}{hint}.")
        sizes |= shape
    first, *others = ((name, getattr(record, name).device) for name in shapes)
    for name, device in others:
        if device != first[1]:
            raise ShapeError(f"{name} is on {device} and {first[0]} on {first[1]}; move one: .to(...).")


@attrs.frozen(kw_only=True, eq=False, repr=False)
class VideoEmbeddings:
    """Clips as the matcher reads them.

    Attributes:
        event: one vector a clip, [V, D].
        action: one vector a frame, [V, F, D].
        entity: one vector a frame, [V, F, D].
        frame_mask: True where a frame is real, bool [V, F].

    Raises:
        ShapeError: if the shapes do not agree.
    """

    event: Tensor
    action: Tensor
    entity: Tensor
    frame_mask: Tensor

    def __attrs_post_init__(self) -> None:
        check_tensors(self, {"frame_mask": "VF", "event": "VD", "action": "VFD", "entity": "VFD"})

    def __len__(self) -> int:
        """Number of clips."""
        return self.event.shape[0]

    def __repr__(self) -> str:
        return f"VideoEmbeddings(event={_shape(self.event)}, frames={_shape(self.action)})"


@attrs.frozen(kw_only=True, eq=False, repr=False)
class TextEmbeddings:
    """Sentences as the matcher reads them; rows that a mask leaves out mean nothing.

    Attributes:
        event: one vector a sentence, [C, D].
        action: one vector a verb, [C, Pa, D].
        entity: one vector a phrase, [C, Pe, D].
        action_mask: True where a verb is real, bool [C, Pa].
        entity_mask: True where a phrase is real, bool [C, Pe].

    Raises:
        ShapeError: if the shapes do not agree.
    """

    event: Tensor
    action: Tensor
    entity: Tensor
    action_mask: Tensor
    entity_mask: Tensor

    def __attrs_post_init__(self) -> None:
        masks = {"action_mask": "CA", "entity_mask": "CE"}
        check_tensors(self, {"event": "CD", **masks, "action": "CAD", "entity": "CED"})

    @classmethod
    def from_nodes(cls, nodes: Tensor, *, action_mask: Tensor, entity_mask: Tensor) -> TextEmbeddings:
        """Split nodes [C, 1 + Pa + Pe, D] that lie in the order event, actions, entities."""
        num_actions = action_mask.shape[1]
        return cls(
            event=nodes[:, 0],
            action=nodes[:, 1 : 1 + num_actions],
            entity=nodes[:, 1 + num_actions :],
            action_mask=action_mask,
            entity_mask=entity_mask,
        )

    def __len__(self) -> int:
        """Number of sentences."""
        return self.event.shape[0]

    def __repr__(self) -> str:
        return (
            f"TextEmbeddings(event={_shape(self.event)}, actions={_shape(self.action)}, "
            f"entities={_shape(self.entity)})"
        )
