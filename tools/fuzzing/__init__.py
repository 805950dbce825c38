"""Hostile inputs for everything that dmn reads (tools/fuzz.py)."""
