"""What can be set about a network and its training: presets, TOML files, single keys."""
