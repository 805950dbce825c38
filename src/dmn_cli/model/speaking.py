"""Networks that answer word by word, so that several can answer together, and several answers be told."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from dmn_cli.model.beam import likeliest
from dmn_cli.model.decoding import Reading, answer_logits, answered
from dmn_cli.records.batch import Batch
from dmn_cli.records.network import Answered, Likeliest, Network


class SpeakingNetwork(Network):
    @abstractmethod
    def read(self, batch: Batch) -> Reading: ...

    @torch.no_grad()
    def answer(self, batch: Batch, *, with_loss: bool = False) -> Answered:
        return answered([self.read(batch)], batch, self.temperature, with_loss=with_loss)

    @torch.no_grad()
    def likeliest(self, batch: Batch, k: int) -> Likeliest:
        return likeliest([self.read(batch)], batch, k, self.temperature)

    @torch.no_grad()
    def answer_logits(self, batch: Batch) -> tuple[Tensor, Tensor]:
        return answer_logits([self.read(batch)], batch)
