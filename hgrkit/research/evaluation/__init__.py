"""Judges scores: ranks and retrieval measures, whatever the scores come from."""
