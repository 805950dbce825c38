"""The optimisers step as torch's do, on tables with sparse gradients too."""

from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn

from dmn_cli.model.word_vectors import WordVectors
from dmn_cli.settings.load import load
from dmn_cli.settings.schema import TrainingSettings
from dmn_cli.training.optimiser import Optimiser


class Sum(nn.Module):
    """The sum of the vectors of some words, to one number."""

    def __init__(self, *, sparse: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.words = WordVectors(8, 3, 3, large=0 if sparse else 100)
        self.W = nn.Linear(3, 1)

    def forward(self, words: Tensor) -> Tensor:
        return self.W(self.words(words).sum(dim=0)).square()


def settings(**keys: Any) -> TrainingSettings:
    given = {"learning_rate": 0.1, "clip": 1e9, **keys}
    return cast(
        "TrainingSettings", load("dmn", overrides=[(f"training.{key}", v) for key, v in given.items()]).training
    )


PLAIN: dict[str, Any] = {
    "sgd": torch.optim.SGD,
    "adagrad": torch.optim.Adagrad,
    "adadelta": lambda parameters, lr: torch.optim.Adadelta(parameters, lr=lr, rho=0.95, eps=1e-6),
    "adam": torch.optim.Adam,
}


LAZY = [("adam", True), ("adadelta", True)]
STEPS = [(name, sparse) for name in PLAIN for sparse in (False, True) if (name, sparse) not in LAZY]


@pytest.mark.parametrize(("name", "sparse"), STEPS)
def test_steps_are_torchs(name: str, sparse: bool) -> None:
    """Of a sparse table as well as of a dense one, but for those that are lazy."""
    ours, plain = Sum(sparse=sparse), Sum(sparse=False)
    optimiser = Optimiser(ours, ours.words, settings(optimiser=name), given=False)
    other = PLAIN[name](plain.parameters(), lr=0.1)
    for words in ([2, 3, 3], [4], [2, 5], [4, 4, 6]):
        norm = optimiser.step(optimiser.gradients(ours(torch.tensor(words)).sum()))
        other.zero_grad()
        plain(torch.tensor(words)).sum().backward()
        torch.testing.assert_close(
            norm, nn.utils.get_total_norm([p.grad for p in plain.parameters() if p.grad is not None])
        )
        other.step()
    for one, another in zip(ours.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(one, another)


def test_lazy_steps_of_adadelta() -> None:
    """Where all rows have a gradient they are torch's; a row without one stays as it is, its means too."""
    ours, plain = Sum(sparse=True), Sum(sparse=False)
    optimiser = Optimiser(ours, ours.words, settings(optimiser="adadelta"), given=False)
    other = PLAIN["adadelta"](plain.parameters(), lr=0.1)
    every = torch.arange(1, 8)
    for _ in range(4):
        optimiser.step(optimiser.gradients(ours(every).sum()))
        other.zero_grad()
        plain(every).sum().backward()
        other.step()
    torch.testing.assert_close(ours.words.weight, plain.words.weight)
    before = [t[2].clone() for t in (ours.words.weight, *optimiser.parts[0].state[ours.words.weight].values())]
    optimiser.step(optimiser.gradients(ours(torch.tensor([3, 4])).sum()))
    after = [t[2] for t in (ours.words.weight, *optimiser.parts[0].state[ours.words.weight].values())]
    assert all(map(torch.equal, before, after))
    assert not torch.equal(ours.words.weight[3], plain.words.weight[3])


@pytest.mark.parametrize("name", PLAIN)
def test_its_state_goes_on_where_it_was_saved(name: str) -> None:
    found = []
    for saved in (True, False):
        network = Sum(sparse=True)
        optimiser = Optimiser(network, network.words, settings(optimiser=name), given=False)
        for words in ([2, 3], [4], [3, 5]):
            optimiser.step(optimiser.gradients(network(torch.tensor(words)).sum()))
            if saved:
                state = optimiser.state_dict()
                optimiser = Optimiser(network, network.words, settings(optimiser=name), given=False)
                optimiser.load_state_dict(state)
        found.append([*network.parameters()])
    for one, other in zip(*found, strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("name", PLAIN)
def test_l2_and_rates_are_of_their_groups(name: str) -> None:
    """Weights shrink, biases and given vectors don't; these have a rate of their own."""
    network = Sum(sparse=False)
    optimiser = Optimiser(network, network.words, settings(optimiser=name, l2=0.5, vectors_rate=0.25), given=True)
    optimiser.learning_rate = 0.2
    rates = {p: group["lr"] for part in optimiser.parts for group in part.groups for p in group["params"]}
    shrinks = {p: group["weight_decay"] for part in optimiser.parts for group in part.groups for p in group["params"]}
    assert [rates[p] for p in (network.W.weight, network.W.bias, network.words.weight)] == [0.2, 0.2, 0.05]
    assert [shrinks[p] for p in (network.W.weight, network.W.bias, network.words.weight)] == [0.5, 0, 0]
