"""dmn prepare: a command for each format."""
