"""Rows of different lengths that lie end to end. Without torch, which data are prepared without."""

from __future__ import annotations

import numpy as np


def spans(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """lengths[0] numbers from starts[0] on, then lengths[1] from starts[1] on, and so forth, as one array."""
    ends = np.cumsum(lengths)
    return np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - (ends - lengths), lengths)
