"""Steps of all weights of a network, with tables in groups of their own: that of words where it is large or was given,
and that of n-grams.

A batch has few of the words of a large vocabulary, and few n-grams. The gradients of their tables are then sparse, and
only the rows of what the batch has are read and written: else Adam's step would cost more than the network's
(docs/log.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from dmn_cli.records.network import WordTable, sparse_tables
from dmn_cli.settings.schema import TrainingSettings
from dmn_cli.training.rules import Adadelta, Adagrad, Adam, Rule, Sgd

RULES: dict[str, type[Rule]] = {"adam": Adam, "sgd": Sgd, "adagrad": Adagrad, "adadelta": Adadelta}


class Optimiser:
    """Clips the gradient to a norm, and steps."""

    def __init__(self, network: nn.Module, words: WordTable | None, settings: TrainingSettings, *, given: bool) -> None:
        """words: the network's table of them, if it has one; given: whether word vectors came from outside. They are
        trained at a rate of their own and without L2, which would pull the vectors of words that no batch has to zero.
        Large tables have no L2 for the same reason."""
        self.parameters, self.clip = list(network.parameters()), settings.clip
        self.looks = settings.non_finite == "skip" or self.parameters[0].is_cpu
        sparse = words is not None and words.sparse
        table = [words.weight] if words and (given or sparse) else []
        ngrams = [p for p in sparse_tables(network) if words is None or p is not words.weight]
        others = [(n, p) for n, p in network.named_parameters() if all(p is not t for t in (*table, *ngrams))]
        biases = [parameter for name, parameter in others if _is_bias(name)]
        weights = [parameter for name, parameter in others if not _is_bias(name)]
        groups: list[dict[str, Any]] = [
            {"params": weights, "weight_decay": settings.l2, "rate": 1.0},
            {"params": biases, "rate": 1.0},
        ]
        rate = (settings.vectors_rate or 1.0) if given else 1.0  # where it is 0, the given ones are frozen
        of_table = {"params": table, "rate": rate}
        lazy: list[dict[str, Any]] = [of_table] if sparse else []
        if ngrams:
            lazy.append({"params": ngrams, "rate": settings.ngrams_rate})
        if table and not sparse:
            groups.append(of_table)
        at_once = settings.optimiser in ("sgd", "adagrad")  # as checkpoints have them
        parts = [[*groups, *lazy]] if at_once else [lazy, groups]
        self.parts = [RULES[settings.optimiser](part, settings.learning_rate) for part in parts if part]

    @property
    def learning_rate(self) -> float:
        return self.parts[-1].groups[0]["lr"]

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        for part in self.parts:
            for group in part.groups:
                group["lr"] = value * group["rate"]

    def gradients(self, loss: torch.Tensor, clip: float = 0.0) -> list[torch.Tensor | None]:
        """Of each parameter, in their order; None where the loss doesn't depend on it. Sparse ones are coalesced.
        clip: the norm of all together; 0: as it is"""
        for parameter in self.parameters:
            parameter.grad = None
        loss.backward()
        gradients = [parameter.grad for parameter in self.parameters]
        gradients = [g.coalesce() if g is not None and g.is_sparse else g for g in gradients]
        if clip:
            _clipped(gradients, clip)
        return gradients

    def step(self, gradients: Sequence[torch.Tensor | None]) -> torch.Tensor:
        """Clips a gradient, in place, and takes one step down it. Returns its norm before.

        Where that isn't finite no step is taken if it looks; a GPU would have to be waited for, so there it does so
        only if such batches are to be skipped.
        """
        for parameter, gradient in zip(self.parameters, gradients, strict=True):
            parameter.grad = gradient
        norm = _clipped(gradients, self.clip, looks=self.looks)
        if self.looks and not norm.isfinite():
            return norm
        for part in self.parts:
            part.step()
        return norm

    def state_dict(self) -> dict[str, Any]:
        return {str(i): part.state_dict() for i, part in enumerate(self.parts)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for i, part in enumerate(self.parts):
            part.load_state_dict(state[str(i)])


def _clipped(gradients: Sequence[torch.Tensor | None], clip: float, *, looks: bool = False) -> torch.Tensor:
    """Makes their norm no larger, in place, and returns what it was. looks: they stay where it isn't finite"""
    dense = [g.values() if g.is_sparse else g for g in gradients if g is not None]
    norm = nn.utils.get_total_norm(dense, foreach=True)
    if not looks or norm.isfinite():
        scale = (clip / (norm + 1e-6)).clamp(max=1.0)
        torch._foreach_mul_(dense, scale)  # type: ignore[reportPrivateImportUsage]
    return norm


def _is_bias(name: str) -> bool:
    return name.rpartition(".")[2] in ("b", "bias")
