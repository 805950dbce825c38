"""A picture as a pass saw it: what it didn't let through fades."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dmn_cli.records.regions import PictureForm

_FAINTEST = 0.12  # how much is left of what a pass didn't let through


def in_place(gates: Sequence[float], form: PictureForm, regions: Sequence[int]) -> np.ndarray:
    """Gates where their regions are, 0 where none is seen. regions: in reading order → (rows, columns)"""
    grid = np.zeros(form.regions)
    grid[form.snake[list(regions)]] = gates
    return grid.reshape(form.rows, form.columns)


def faded(picture: np.ndarray, gates: np.ndarray) -> np.ndarray:
    """picture: (height, width, 3) uint8; gates: (rows, columns) → (height, width, 3) uint8"""
    shown = gates / max(gates.max(), 0.01)
    rows, columns = (np.arange(n) * m // n for n, m in zip(picture.shape[:2], gates.shape, strict=True))
    kept = _FAINTEST + (1 - _FAINTEST) * shown[rows][:, columns, np.newaxis]
    return (255 - (255 - picture.astype(float)) * kept).astype(np.uint8)
