"""Plots, as PNG or SVG. They are drawn by matplotlib, which comes with `pip install dmn-cli[plot]`."""
