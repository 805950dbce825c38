"""Where files come from: the disk, archives, the web."""
