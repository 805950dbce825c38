"""Numbers → tensors: what everything that makes a Batch shares."""

from __future__ import annotations

import numpy as np
import torch

from dmn_cli.records import Batch

FACTS = 5120  # seen in a batch that is answered: one that outgrows the processor's caches is slower (docs/log.md)


def padded(values: np.ndarray, lengths: np.ndarray, fill: int) -> np.ndarray:
    """Rows end to end → a rectangle, filled up on the right. (sum of lengths,), (rows,) → (rows, longest)"""
    rectangle = np.full((len(lengths), int(lengths.max(initial=1))), fill, dtype=np.int64)
    rectangle[np.arange(rectangle.shape[1]) < lengths[:, None]] = values
    return rectangle


def from_arrays(**arrays: np.ndarray) -> Batch:
    """A Batch on the CPU; the names and shapes are its own."""
    kinds: dict[str, type] = {"each": np.bool_, "vectors": np.float32}
    return Batch(
        **{name: torch.from_numpy(a.astype(kinds.get(name, np.int64), copy=False)) for name, a in arrays.items()}
    )


def cuts(lengths: np.ndarray, questions: np.ndarray, batch_size: int, facts: int | None = None) -> np.ndarray:
    """Where a row of stories of so many facts and questions is cut into batches of about `batch_size` questions, that
    see about `facts` facts at most. The places of all beginnings but the first."""
    share, full = questions.astype(np.int64), batch_size
    if facts is not None:
        share, full = share * np.maximum(facts, lengths * batch_size), batch_size * facts
    filled = np.cumsum(share) - share
    return np.flatnonzero(np.diff(filled // full)) + 1
