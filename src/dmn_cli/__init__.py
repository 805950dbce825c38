"""dmn: Dynamic Memory Networks on the command line."""

__version__ = "0.1.0"
