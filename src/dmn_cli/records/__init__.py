"""What travels between the rooms: text, batches, what networks answer. Knows nothing of them."""
