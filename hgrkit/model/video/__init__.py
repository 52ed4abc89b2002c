"""The model's video side: frame features in, embeddings at three levels out."""
