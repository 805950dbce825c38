"""How weights θ step down a gradient g.

    sgd         θ ← θ - rate g
    adagrad     s ← s + g²      θ ← θ - rate g / (√s + ε)                                   (Duchi et al. 2011)
    adam        m ← β₁ m + (1 - β₁) g      v ← β₂ v + (1 - β₂) g²                           (Kingma & Ba 2015)
                θ ← θ - rate m / (1 - β₁ⁿ) / (√(v / (1 - β₂ⁿ)) + ε)
    adadelta    u ← ρ u + (1 - ρ) g²      Δ = √(w + ε) / √(u + ε) g                         (Zeiler 2012)
                w ← ρ w + (1 - ρ) Δ²      θ ← θ - rate Δ

n: steps so far, this one included. L2 adds λ θ to g. Of a sparse gradient only its rows are read and written, of
θ and of its means alike: those of other rows stay as they are.

torch.optim has the same, but imports torch's compiler with its first optimiser, which takes two seconds of every
training (a test compares them).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import Parameter

RHO = 0.95  # ρ
BETAS = 0.9, 0.999  # β₁, β₂

State = dict[str, Tensor]


class Rule(ABC):
    """Steps groups of parameters: {"params", and "weight_decay", λ, where there is L2}. Their "lr" can be changed."""

    means: ClassVar[tuple[str, ...]] = ()  # what is kept of each parameter, as large as it is

    def __init__(self, groups: Iterable[Mapping[str, Any]], rate: float) -> None:
        self.groups: list[dict[str, Any]] = [{"weight_decay": 0.0, **group, "lr": rate} for group in groups]
        self.state: dict[Parameter, State] = {parameter: self._begin(parameter) for parameter in self._parameters}

    @property
    def _parameters(self) -> list[Parameter]:
        return [parameter for group in self.groups for parameter in group["params"]]

    def _begin(self, parameter: Parameter) -> State:
        return {name: torch.zeros_like(parameter.data) for name in self.means}

    @torch.no_grad()
    def step(self) -> None:
        """Of those that have a gradient; sparse ones are coalesced."""
        for group in self.groups:
            given = [(parameter, g) for parameter in group["params"] if (g := parameter.grad) is not None]
            self._move([(parameter, g) for parameter, g in given if not g.is_sparse], group)
            for parameter, g in given:
                if g.is_sparse:
                    self._move_rows(parameter, g, group["lr"])

    def _move(self, given: Sequence[tuple[Parameter, Tensor]], group: Mapping[str, Any]) -> None:
        """given: parameters, each with its gradient"""
        for parameter, g in given:
            if group["weight_decay"]:
                g = g.add(parameter, alpha=group["weight_decay"])
            parameter.add_(self.direction(g, self.state[parameter]), alpha=-group["lr"])

    def _move_rows(self, parameter: Parameter, g: Tensor, rate: float) -> None:
        rows, state = g.indices()[0], self.state[parameter]
        of_rows = {name: mean[rows] if name in self.means else mean for name, mean in state.items()}
        parameter.index_add_(0, rows, self.direction(g.values(), of_rows), alpha=-rate)
        for name in self.means:
            state[name].index_copy_(0, rows, of_rows[name])

    @abstractmethod
    def direction(self, g: Tensor, state: State) -> Tensor:
        """What is subtracted, at a rate of one; the state changes in place."""

    def state_dict(self) -> dict[str, Any]:
        rates = [{"lr": group["lr"]} for group in self.groups]
        return {"state": dict(enumerate(self.state.values())), "param_groups": rates}

    def load_state_dict(self, said: Mapping[str, Any]) -> None:
        """Also what optimisers of torch have said of theirs: parameters that had no gradient yet may be missing."""
        for n, state in enumerate(self.state.values()):
            before = said["state"].get(n, {})
            for name in state.keys() & before.keys():
                state[name].copy_(torch.as_tensor(before[name]))
        for group, before in zip(self.groups, said["param_groups"], strict=True):
            group["lr"] = before["lr"]


class Sgd(Rule):
    def direction(self, g: Tensor, state: State) -> Tensor:
        return g


class Adagrad(Rule):
    means = ("sum",)
    eps = 1e-10

    def direction(self, g: Tensor, state: State) -> Tensor:
        s = state["sum"].addcmul_(g, g)
        return g / (s.sqrt() + self.eps)


class Adadelta(Rule):
    means = "square_avg", "acc_delta"
    eps = 1e-6

    def direction(self, g: Tensor, state: State) -> Tensor:
        u, w = state.values()
        u.mul_(RHO).addcmul_(g, g, value=1 - RHO)
        delta = (w + self.eps).sqrt_().div_((u + self.eps).sqrt_()).mul_(g)
        w.mul_(RHO).addcmul_(delta, delta, value=1 - RHO)
        return delta


class Adam(Rule):
    means = "exp_avg", "exp_avg_sq"
    eps = 1e-8

    def _begin(self, parameter: Parameter) -> State:
        return {**super()._begin(parameter), "step": torch.zeros((), dtype=torch.float32, device=parameter.device)}

    def _move(self, given: Sequence[tuple[Parameter, Tensor]], group: Mapping[str, Any]) -> None:
        """All at once."""
        if not given:
            return
        parameters, g = zip(*given, strict=True)
        m, v, n = zip(*(self.state[parameter].values() for parameter in parameters), strict=True)
        torch._foreach_add_(n, 1)  # type: ignore[reportPrivateImportUsage]
        torch._fused_adam_(  # type: ignore[reportPrivateImportUsage]
            *(parameters, g, m, v, [], n),
            lr=group["lr"],
            beta1=BETAS[0],
            beta2=BETAS[1],
            weight_decay=group["weight_decay"],
            eps=self.eps,
            amsgrad=False,
            maximize=False,
        )

    def direction(self, g: Tensor, state: State) -> Tensor:
        (m, v, n), (b1, b2) = state.values(), BETAS
        n += 1
        m.lerp_(g, 1 - b1)
        v.mul_(b2).addcmul_(g, g, value=1 - b2)
        return m / (1 - b1**n) / ((v / (1 - b2**n)).sqrt_() + self.eps)
