"""Compares clips with sentences: tensors for training and evaluation, arrays for search."""
