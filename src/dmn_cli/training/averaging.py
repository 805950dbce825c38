"""Averaged weights: a running mean over the steps, which is what is validated and kept (Polyak & Juditsky 1992).

w̄_n = d_n w̄_{n-1} + (1 - d_n) w_n,   d_n = min(decay, (n + 1) / (n + 10))
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from dmn_cli.records.network import Network


class Averaged:
    def __init__(self, network: Network, decay: float) -> None:
        self.decay, self._parameters = decay, list(network.parameters())
        self.mean = [weight.clone() for weight in self._weights]

    @property
    def _weights(self) -> list[Tensor]:
        """Where they are now: helpers have them moved."""
        return [parameter.data for parameter in self._parameters]

    def update(self, n: int) -> None:
        """After step n, from 0."""
        kept = min(self.decay, (n + 1) / (n + 10))
        torch._foreach_lerp_(self.mean, self._weights, 1 - kept)  # type: ignore[reportPrivateImportUsage]

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Here the network has the averaged weights."""
        own = [weight.clone() for weight in self._weights]
        self._put(self.mean)
        try:
            yield
        finally:
            self._put(own)

    def load(self, mean: list[Tensor]) -> None:
        for mine, its in zip(self.mean, mean, strict=True):
            mine.copy_(its)

    def _put(self, values: list[Tensor]) -> None:
        torch._foreach_copy_(self._weights, values)  # type: ignore[reportPrivateImportUsage]
