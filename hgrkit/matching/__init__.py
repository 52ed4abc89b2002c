"""Compares clips with sentences: tensors for training and evaluation, packed arrays for search."""
