"""Formats of stories, one a file: each reads (split, Story) pairs."""
