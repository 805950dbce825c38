"""A training step never waits for a GPU: it asks for no number, and for no shape that depends on one."""

from typing import Any

import pytest
import torch
from helpers import batch, network
from torch.utils._python_dispatch import TorchDispatchMode

from dmn_cli.model.forms import GateSupervision
from dmn_cli.settings.load import load
from dmn_cli.training.optimiser import Optimiser

WAITS = {"_local_scalar_dense", "nonzero", "masked_select", "equal", "bincount", "_unique2", "unique_dim", "_coalesce"}
ONCE = [([[2, 3], [4], [5]], [6, 7], [1, 2], [2, 0]), ([[3], [4, 2]], [7], [3], [])]
EACH = [([[2], [3], [4]], [8], (1, 2, 1), [1])]
FIXED = [("training.learning_rate", 0.001), ("training.l2", 0.0)]  # which data would decide


class Waits(TorchDispatchMode):
    """Notes every operation that would have the host wait for a GPU."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        by_mask = name in ("index", "index_put", "index_put_", "_index_put_impl_") and any(
            where is not None and where.dtype == torch.bool for where in args[1]
        )
        if name in WAITS or by_mask or name == "repeat_interleave":
            self.seen.append(name)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("preset", ["dmn", "dmn-plus"])
@pytest.mark.parametrize("supervision", ["any-pass", "ordered"])
@pytest.mark.parametrize("asked", [ONCE, EACH, ONCE + EACH], ids=["once", "each", "both"])
def test_a_training_step_waits_for_nothing(preset: str, supervision: GateSupervision, asked: Any) -> None:
    net = network(preset, per_fact=True).float().train()
    optimiser = Optimiser(net, net.word_table, load(preset, overrides=FIXED).training, given=False)
    optimiser.looks = False  # as on a GPU
    given = batch(asked)
    _ = given.fact_packings, given.word_packings, given.bags, given.per_fact_among  # made on the CPU, before
    with Waits() as waits:
        losses = net.losses(given, supervision)
        assert losses.gates is not None
        optimiser.step(optimiser.gradients(losses.answers.sum() / given.answers_asked.sum() + losses.gates.sum()))
    assert waits.seen == []


def test_what_would_wait_is_noticed() -> None:
    x = torch.tensor([1.0, 2.0])
    with Waits() as waits:
        assert bool((x > 0).all())
        _ = x[x > 1]
    assert waits.seen == ["_local_scalar_dense", "index"]


@pytest.mark.parametrize(
    ("asked", "among"), [(ONCE, (False, False)), (EACH, (True, True)), (ONCE + EACH, (True, False))]
)
def test_how_a_batch_is_answered_is_known_wherever_it_is(asked: Any, among: tuple[bool, bool]) -> None:
    assert batch(asked).per_fact_among == among
    assert batch(asked).to(torch.device("meta")).per_fact_among == among  # whose numbers nobody can ask for
