"""hgrkit: search video with sentences, by hierarchical graph reasoning."""
