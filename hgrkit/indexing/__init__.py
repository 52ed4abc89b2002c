"""Indexing: folders of video to a library of clips."""
