"""Cuts one moment of a video into a file of its own: its packets copied, or its pictures re-encoded."""
