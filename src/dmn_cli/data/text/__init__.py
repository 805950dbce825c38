"""Plain text to read: split into words once, and kept as numbers."""
