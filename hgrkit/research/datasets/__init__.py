"""Published benchmarks as records: a small adapter each, from annotation files to videos, captions and moments."""
