"""From text to batches: sources → formats → words → store → batches. Knows no network."""
