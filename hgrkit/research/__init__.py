"""For researchers: benchmarks, training, the released code, foils, and evaluation."""
