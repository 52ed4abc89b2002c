"""What the scripts call the positions of photographs, captions and sentences in their lists."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["Indices"]

Indices = npt.NDArray[np.int64]
"""Positions, from 0."""
