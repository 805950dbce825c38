"""A model asked: one question, a stream, or a prompt."""
