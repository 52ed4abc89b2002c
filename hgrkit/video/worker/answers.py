"""What a decode worker answers, and what of it is asked for."""

from __future__ import annotations

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.video.cutting.clip import SUFFIXES, CutClip
from hgrkit.video.cutting.web import WebPlay
from hgrkit.video.limits import DecodeLimits
from hgrkit.video.sampling import Sampling, times_between
from hgrkit.video.worker.protocol import Header, ProtocolError, finite

__all__ = ["Decoded", "Pictures", "Times", "clip_of", "sampled_times", "web_play_of"]

Times = npt.NDArray[np.float64]
Pictures = npt.NDArray[np.uint8]


@attrs.frozen(kw_only=True)
class Decoded:
    """How reading one video ended.

    Attributes:
        begin_s: when its first picture is shown, on its own time line.
        duration_s: the video's length; `None` if the file could not be opened.
        decoded_frames: pictures that the decoder put out, as far as that is known.
        reason: why it failed.
        lasting: whether the failure lies in the file's bytes, so that another attempt is useless until they change
            or the limits are raised.
    """

    begin_s: float = 0.0
    duration_s: float | None = None
    decoded_frames: int = 0
    reason: str | None = None
    lasting: bool = False


def web_play_of(header: Header) -> WebPlay:
    """The last message of `web_play`."""
    return WebPlay(media_type=str(header.get("media_type")), reason=str(header.get("reason")))


def clip_of(header: Header) -> CutClip:
    """The last message of `cut`.

    Raises:
        ProtocolError: if it is none.
    """
    container = header.get("container")
    if not isinstance(container, str) or container not in SUFFIXES:
        raise ProtocolError(f"{header} is no clip.")
    start_s, end_s = finite(header, "start_s"), finite(header, "end_s")
    return CutClip(start_s=start_s, end_s=end_s, container=container, encoded=str(header.get("encoded")))


def sampled_times(
    sampling: Sampling | Times | None, opened: Decoded, limits: DecodeLimits, span_s: tuple[float, float] | None
) -> Times:
    """The sampled times of a video, counted before they are made where the sampling knows how many."""
    if sampling is None or opened.duration_s is None:
        return np.empty(0)
    if isinstance(sampling, np.ndarray):
        return sampling
    begin_s, end_s = opened.begin_s, opened.duration_s
    if span_s is not None:
        begin_s, end_s = max(begin_s, span_s[0]), min(end_s, span_s[1])
        if begin_s >= end_s:
            return np.empty(0)
    count = getattr(sampling, "num_times", None)
    if count is not None and (num_frames := count(end_s - begin_s)) > limits.frames:
        raise limits.too_many_frames(num_frames)
    times_s = times_between(sampling, begin_s, end_s)
    if len(times_s) > limits.frames:
        raise limits.too_many_frames(len(times_s))
    return times_s
