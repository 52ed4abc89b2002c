"""Video: from files to pictures, to frame features, and to clips of their own."""
