"""hgrkit-model-mini: the small default model of hgrkit, found by hgrkit through its entry points."""
