"""The loop, which every kernel must equal, equals the equations step by step, gradients included."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from helpers import by_forward_and_by_reference

from dmn_cli.kernels import c_library
from dmn_cli.kernels.recurrence import kernel_for
from dmn_cli.kernels.recurrence_loop import Recurrence
from dmn_cli.model.gated_gru import GatedGRU
from dmn_cli.records.packing import Packing

LENGTHS = torch.tensor([4, 7, 1, 7, 2])
MANY_STEPS = torch.tensor([*[40] * 50, *range(1, 40)])  # more than the backward pass works on at a time
FORMS = [(reset, update) for reset in ("before", "after") for update in ("gru", "gate")]


@pytest.fixture(autouse=True)
def _by_the_loop() -> Iterator[None]:
    with c_library.without():
        yield


def make(reset: Any, update: Any) -> GatedGRU:
    torch.manual_seed(0)
    return GatedGRU(3, 4, reset=reset, update=update).double()


@pytest.mark.parametrize(("reset", "update"), FORMS)
@pytest.mark.parametrize("gated", [True, False])
@pytest.mark.parametrize("started", [True, False])
@pytest.mark.parametrize("length", [LENGTHS, MANY_STEPS], ids=["few", "many"])
def test_equals_the_equations_with_its_gradients(
    reset: str, update: str, gated: bool, started: bool, length: torch.Tensor
) -> None:
    gru = make(reset, update)
    x = torch.zeros(1, gru.U.shape[1], dtype=torch.float64)
    assert kernel_for(x, gru.U, gates=gated, before=reset == "before") is Recurrence
    for fast, plain in zip(*by_forward_and_by_reference(gru, length, gated=gated, started=started), strict=True):
        torch.testing.assert_close(fast, plain, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("reset", "update"), FORMS)
def test_gradcheck(reset: str, update: str) -> None:
    gru, packing = make(reset, update), Packing.of(LENGTHS)
    x = torch.randn(21, gru.U.shape[1], dtype=torch.float64, requires_grad=True)
    gates = torch.rand(21, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, g: gru(x, packing, g), (x, gates))
    assert torch.autograd.gradcheck(lambda x, g: gru(x, packing, g, last=True), (x, gates))


def test_time_grows_with_the_steps_and_not_with_their_square() -> None:
    """The backward pass of a loop over slices writes a whole sequence at each step; ours must not."""
    gru = GatedGRU(16, 16)

    def seconds(steps: int) -> float:
        best = float("inf")
        for _ in range(5):
            packing = Packing.of(torch.full((4,), steps))
            x = torch.randn(4 * steps, 48, requires_grad=True)
            start = time.process_time()
            gru(x, packing).sum().backward()
            best = min(best, time.process_time() - start)
        return best

    seconds(100)
    assert seconds(1600) < 10 * seconds(400)  # 4 if linear, 16 if quadratic
