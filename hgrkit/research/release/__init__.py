"""Reads what the authors of HGR released: checkpoints, captions, role graphs and features, in their layout."""
