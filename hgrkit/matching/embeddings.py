"""What the encoders hand to the matcher: a clip and a sentence at three levels (HGR, sections 3.2 and 3.3)."""

from __future__ import annotations

from typing import TypeVar

import attrs
import torch
from torch import Tensor

from hgrkit.arguments import shown
from hgrkit.errors import ConfigError, ShapeError

__all__ = ["TextEmbeddings", "VideoEmbeddings", "moved"]

T = TypeVar("T")


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape))


def moved(record: T, device: torch.device | str) -> T:
    """The same record with its tensors on a device.

    Raises:
        ConfigError: if there is no such device.
    """
    fields = attrs.asdict(record, recurse=False)  # type: ignore[arg-type]
    try:
        tensors = {name: value.to(device) for name, value in fields.items() if isinstance(value, Tensor)}
    except (RuntimeError, AssertionError, TypeError) as error:
        raise ConfigError(f"device {shown(device)} cannot be used here: {str(error).splitlines()[0]}") from error
    return attrs.evolve(record, **tensors)  # type: ignore[misc]


def _check_tensors(embeddings: VideoEmbeddings | TextEmbeddings) -> None:
    """Refuse what is no tensor of real numbers, or not as many-dimensional or on the device that it should be."""
    for name, value in attrs.asdict(embeddings, recurse=False).items():
        mask = name.endswith("_mask")
        ndim = 2 if mask or name == "event" else 3
        fits = isinstance(value, Tensor) and value.ndim == ndim and (mask or value.is_floating_point())
        if not fits:
            kind = "a bool tensor" if mask else "a floating-point tensor"
            raise ShapeError(f"{name} must be {kind} of {ndim} dimensions, got {shown(value)}.")
        if value.device != embeddings.event.device:
            raise ShapeError(
                f"{name} is on {value.device} and event on {embeddings.event.device}; move one of them."
            )


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
        _check_tensors(self)
        clips, dim = self.event.shape
        expected = (clips, self.frame_mask.shape[1], dim)
        if tuple(self.action.shape) != expected or tuple(self.entity.shape) != expected:
            raise ShapeError(
                f"action and entity embeddings must be {list(expected)} to fit event [{clips}, {dim}] and "
                f"frame_mask, got {list(self.action.shape)} and {list(self.entity.shape)}."
            )
        if self.frame_mask.shape[0] != clips or self.frame_mask.dtype != torch.bool:
            raise ShapeError(
                f"frame_mask must be bool [{clips}, F], got {self.frame_mask.dtype} {list(self.frame_mask.shape)}."
            )

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
        _check_tensors(self)
        captions, dim = self.event.shape
        for level, nodes, mask in (
            ("action", self.action, self.action_mask),
            ("entity", self.entity, self.entity_mask),
        ):
            if mask.dtype != torch.bool or mask.ndim != 2 or mask.shape[0] != captions:
                raise ShapeError(
                    f"{level}_mask must be bool [{captions}, P], got {mask.dtype} {list(mask.shape)}."
                )
            if tuple(nodes.shape) != (captions, mask.shape[1], dim):
                raise ShapeError(
                    f"{level} embeddings must be [{captions}, {mask.shape[1]}, {dim}] to fit the event "
                    f"embeddings and the mask, got {list(nodes.shape)}."
                )

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
