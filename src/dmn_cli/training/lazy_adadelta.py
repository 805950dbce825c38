"""Adadelta (Zeiler 2012, arXiv 1212.5701) of tables, which reads and writes only the rows that a gradient has.

    E[g²] ← ρ E[g²] + (1 - ρ) g²      Δ = √(E[Δ²] + ε) / √(E[g²] + ε) · g
    E[Δ²] ← ρ E[Δ²] + (1 - ρ) Δ²      θ ← θ - rate · Δ

Both means of a row stay as they are in steps without it, as those of torch's SparseAdam do: where g is 0, so is Δ.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

RHO, EPS = 0.95, 1e-6


class LazyAdadelta(torch.optim.Optimizer):
    """For parameters whose gradients are sparse and coalesced."""

    def __init__(self, params: Iterable[Any], lr: float) -> None:
        super().__init__(params, {"lr": lr})
        for group in self.param_groups:
            for parameter in group["params"]:
                state = self.state[parameter]
                state["square_avg"], state["acc_delta"] = torch.zeros_like(parameter), torch.zeros_like(parameter)

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                rows, g = parameter.grad.indices()[0], parameter.grad.values()
                state = self.state[parameter]
                of_g, of_delta = state["square_avg"], state["acc_delta"]
                square = RHO * of_g[rows] + (1 - RHO) * g.square()
                before = of_delta[rows]
                delta = (before + EPS).sqrt() / (square + EPS).sqrt() * g
                of_g[rows] = square
                of_delta[rows] = RHO * before + (1 - RHO) * delta.square()
                parameter[rows] -= group["lr"] * delta
