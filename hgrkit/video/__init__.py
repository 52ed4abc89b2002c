"""Video: from files to frames, features and embeddings."""
