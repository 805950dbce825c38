"""Presets: complete settings, by name."""
