"""The version of dmn."""

__version__ = "0.1.0"
