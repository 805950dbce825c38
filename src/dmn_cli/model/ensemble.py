"""Several networks of one kind that answer as one.

At each step of an answer, and at each fact, its probabilities are the mean of theirs (`decoding.py`); so are its gates.
Trained on the same data, they have the same words and answers.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from dmn_cli.model.beam import likeliest
from dmn_cli.model.decoding import answer_logits, answered
from dmn_cli.model.speaking import SpeakingNetwork
from dmn_cli.records.batch import Batch
from dmn_cli.records.network import Answered, Likeliest, Losses, Network


class Ensemble(Network):
    def __init__(self, networks: Iterable[SpeakingNetwork]) -> None:
        """networks: of the same settings and sizes, one at least"""
        super().__init__()
        self.members = list(networks)
        self.networks = nn.ModuleList(self.members)
        first = self.members[0]
        self.gated, self.reads_trees = first.gated, first.reads_trees

    def arrange(self, batch: Batch) -> Batch:
        return self.members[0].arrange(batch)

    def losses(self, batch: Batch, supervision: str | None) -> Losses:
        """Theirs, summed: each has the gradient that it has alone."""
        answers, gates, _ = zip(*(network.losses(batch, supervision) for network in self.members), strict=True)
        return Losses(torch.stack(answers).sum(dim=0), None if supervision is None else torch.stack(gates).sum(dim=0))

    @torch.no_grad()
    def answer(self, batch: Batch, *, with_loss: bool = False) -> Answered:
        return answered([one.read(batch) for one in self.members], batch, self.temperature, with_loss=with_loss)

    @torch.no_grad()
    def answer_logits(self, batch: Batch) -> tuple[Tensor, Tensor]:
        return answer_logits([one.read(batch) for one in self.members], batch)

    @torch.no_grad()
    def likeliest(self, batch: Batch, k: int) -> Likeliest:
        return likeliest([network.read(batch) for network in self.members], batch, k, self.temperature)
