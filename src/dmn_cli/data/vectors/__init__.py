"""Word vectors: found in files, or trained."""
