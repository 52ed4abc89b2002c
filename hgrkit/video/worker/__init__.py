"""Reads and cuts videos in a confined process of its own, which a damaged or hostile file may crash."""
