"""Plots, as PNG or SVG. They are drawn by matplotlib, which is an extra, `plot`."""
