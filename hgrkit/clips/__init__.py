"""Cuts the moments of a search out of their videos, each into a file of its own."""

from hgrkit.clips.cutting import MomentClip, cut_hits

__all__ = ["MomentClip", "cut_hits"]
