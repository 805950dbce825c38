"""The gradient and the losses of each part of a batch, and their sum.

J = Σ_parts J_part,   so   dJ/dW = Σ_parts dJ_part/dW
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class PartResult(NamedTuple):
    """What one part of a batch contributes to the whole."""

    gradients: list[Tensor | None]  # of each parameter, in their order; None where the loss doesn't depend on it
    losses: Tensor  # (2,) float64: its share of the batch's mean losses, of answers and of gates


def summed(parts: Sequence[PartResult]) -> PartResult:
    """The sum, in the order of the parts. Sparse gradients are coalesced."""
    if len(parts) == 1:
        return parts[0]
    columns = zip(*(part.gradients for part in parts), strict=True)
    gradients = [_sum([g for g in column if g is not None]) for column in columns]
    return PartResult(gradients, torch.stack([part.losses for part in parts]).sum(dim=0))


def _sum(gradients: list[Tensor]) -> Tensor | None:
    if len(gradients) < 2:
        return gradients[0] if gradients else None
    if not gradients[0].is_sparse:
        total = gradients[0] + gradients[1]
        for gradient in gradients[2:]:
            total += gradient
        return total
    indices = torch.cat([g.indices() for g in gradients], dim=1)
    values = torch.cat([g.values() for g in gradients])
    return torch.sparse_coo_tensor(indices, values, gradients[0].shape, check_invariants=False).coalesce()
