"""A model measured: what it answered, how often it was right, what it read."""
