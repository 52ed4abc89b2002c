"""Trains models on pairs of clips and captions."""
