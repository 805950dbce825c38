"""Text → words → numbers."""
