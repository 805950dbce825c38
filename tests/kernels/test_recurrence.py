"""The hot loop equals its equations, gradients included."""

import pytest
import torch
from torch import Tensor

from dmn_cli.model.gated_gru import GatedGRU
from dmn_cli.records.packing import Packing

ROWS, STEPS, INPUTS, HIDDEN = 5, 7, 3, 4
FORMS = [(reset, update) for reset in ("before", "after") for update in ("gru", "gate")]


def make(reset: str, update: str) -> GatedGRU:
    torch.manual_seed(0)
    gru = GatedGRU(INPUTS, HIDDEN, reset=reset, update=update).double()  # type: ignore[arg-type]
    torch.nn.init.normal_(gru.b)
    return gru


def inputs() -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(1)
    x = torch.randn(ROWS, STEPS, INPUTS, dtype=torch.float64)
    gates = torch.rand(ROWS, STEPS, dtype=torch.float64)
    return x, gates, torch.tensor([4, 7, 1, 7, 2])


def states(gru: GatedGRU, x: Tensor, length: Tensor, gates: Tensor | None = None, **start: Tensor | None) -> Tensor:
    """`GatedGRU.forward` on padded rows."""
    packing = Packing.of(length)
    packed = gru(packing.pack(gru.project(x)), packing, None if gates is None else packing.pack(gates), **start)
    return packing.unpack(packed)


def last(gru: GatedGRU, x: Tensor, length: Tensor, gates: Tensor) -> Tensor:
    packing = Packing.of(length)
    return gru.last(gru.project(packing.pack(x)), packing, packing.pack(gates))


@pytest.mark.parametrize(("reset", "update"), FORMS)
@pytest.mark.parametrize("gated", [True, False])
@pytest.mark.parametrize("started", [True, False])
def test_equals_the_plain_loop_with_its_gradients(reset: str, update: str, gated: bool, started: bool) -> None:
    results = []
    for fast in (True, False):
        gru = make(reset, update)
        x, gates, length = inputs()
        x.requires_grad_()
        gates.requires_grad_()
        start = torch.linspace(-1, 1, ROWS * HIDDEN).double().view(ROWS, HIDDEN).requires_grad_() if started else None
        g = gates if gated else None
        out = states(gru, x, length, g, start=start) if fast else gru.reference(gru.project(x), length, g, start=start)
        out.sin().sum().backward()
        gradients = [x.grad, gru.W.grad, gru.U.grad, gru.b.grad, *([gates.grad] if gated else [])]
        gradients += [start.grad] if start is not None else []
        results.append([out, *gradients])
    for fast, plain in zip(*results, strict=True):
        torch.testing.assert_close(fast, plain, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("reset", "update"), FORMS)
def test_gradcheck(reset: str, update: str) -> None:
    gru = make(reset, update)
    x, gates, length = inputs()
    packing = Packing.of(length)
    projected = packing.pack(gru.project(x)).detach().requires_grad_()
    gates = packing.pack(gates).requires_grad_()
    assert torch.autograd.gradcheck(lambda x, g: gru(x, packing, g), (projected, gates))
    assert torch.autograd.gradcheck(lambda x, g: gru.last(x, packing, g), (projected, gates))


@pytest.mark.parametrize("reset", ["before", "after"])
def test_step_is_the_equation(reset: str) -> None:
    """R, Z, H~ and H' written once more, with the blocks of W and U taken apart."""
    gru = make(reset, "gru")
    x, h = torch.randn(ROWS, INPUTS).double(), torch.randn(ROWS, HIDDEN).double()
    (W_z, W_r, W_h), (U_z, U_r, U_h), (b_z, b_r, b_h) = (p.split(HIDDEN, dim=-1) for p in (gru.W, gru.U, gru.b))
    R = torch.sigmoid(x @ W_r + h @ U_r + b_r)
    Z = torch.sigmoid(x @ W_z + h @ U_z + b_z)
    inner = (R * h) @ U_h if reset == "before" else R * (h @ U_h)
    candidate = torch.tanh(x @ W_h + inner + b_h)
    torch.testing.assert_close(gru.step(gru.project(x), h), Z * h + (1 - Z) * candidate)


@pytest.mark.parametrize(("reset", "update"), FORMS)
def test_a_closed_gate_skips_and_an_open_one_reads(reset: str, update: str) -> None:
    """With a gate of one on fact 3 and zero elsewhere, the episode is what fact 3 alone gives."""
    gru = make(reset, update)
    x, _, _ = inputs()
    gates = torch.zeros(ROWS, STEPS, dtype=torch.float64)
    gates[:, 3] = 1.0
    everything = torch.full((ROWS,), STEPS)
    episode = last(gru, x, everything, gates)
    alone = gru.step(gru.project(x[:, 3]), torch.zeros(ROWS, HIDDEN).double(), torch.ones(ROWS, 1).double())
    torch.testing.assert_close(episode, alone)
    assert last(gru, x, everything, gates * 0).abs().max() == 0


def test_what_lies_past_the_end_changes_nothing() -> None:
    gru = make("after", "gru")
    x, gates, length = inputs()
    before = last(gru, x, length, gates)
    x[0, 4:], gates[0, 4:] = 1e6, 1.0
    torch.testing.assert_close(last(gru, x, length, gates), before, rtol=0, atol=0)


def test_time_grows_with_the_steps_and_not_with_their_square() -> None:
    """The backward of a loop over slices writes a whole sequence at each step; ours must not."""
    import time

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
