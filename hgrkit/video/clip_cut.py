"""One moment of a video as a file of its own: copied where that can be done, else or where asked encoded anew."""

from __future__ import annotations

import attrs

from hgrkit.video.clip_encoder import encode_clip
from hgrkit.video.clip_output import ByteSink, CutClip
from hgrkit.video.reader import VideoReader
from hgrkit.video.stream_copy import CannotCopyError, copy_clip

__all__ = ["cut_clip"]


def cut_clip(reader: VideoReader, start_s: float, end_s: float, sink: ByteSink, *, exact: bool) -> CutClip:
    """Write a clip of a moment.

    Args:
        reader: of the video; its limits are kept.
        start_s: seconds on the video's own time line.
        end_s: the same, after it.
        sink: where the clip goes.
        exact: encode the moment anew, to a frame; else copy from the last key frame before it on, if that works.

    Raises:
        DecodeError: if the video cannot be decoded.
    """
    reason = "to be exact"
    if not exact:
        try:
            return copy_clip(reader, start_s, end_s, sink)
        except CannotCopyError as error:
            reason = str(error)
    return attrs.evolve(encode_clip(reader, start_s, end_s, sink), encoded=reason)
