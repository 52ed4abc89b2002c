"""The model: role graphs and frame features in, embeddings at three levels out, in torch or without it."""
