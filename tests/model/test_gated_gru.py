"""The gated GRU is its equations: a step, gates that skip, and torch's own GRU where the two agree."""

import pytest
import torch
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

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
    return gru(gru.project(packing.pack(x)), packing, packing.pack(gates), last=True)


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


def test_is_torchs_gru_where_the_two_agree() -> None:
    """Reset after the product and open gates; gradients too.

    torch has a second bias, which goes with H. Of R and Z it only adds to the first; of H~ it is inside the reset,
    R ∘ (H U_h + b_hn), and we have none. So it is zero here.
    """
    gru, (x, _, length) = make("after", "gru"), inputs()
    start = torch.linspace(-1, 1, ROWS * HIDDEN).double().view(ROWS, HIDDEN)
    theirs = torch.nn.GRU(INPUTS, HIDDEN, batch_first=True).double()
    names = {"weight_ih_l0": gru.W, "weight_hh_l0": gru.U, "bias_ih_l0": gru.b}
    weights = {name: rzn(ours.detach()) for name, ours in names.items()}
    theirs.load_state_dict({**weights, "bias_hh_l0": torch.zeros(3 * HIDDEN)})
    x_ours, x_theirs, start_ours, start_theirs = (t.clone().requires_grad_() for t in (x, x, start, start))
    h = states(gru, x_ours, length, start=start_ours)
    packed = pack_padded_sequence(x_theirs, length, batch_first=True, enforce_sorted=False)
    h_theirs, _ = pad_packed_sequence(theirs(packed, start_theirs.unsqueeze(0))[0], batch_first=True)
    h.sin().sum().backward()
    h_theirs.sin().sum().backward()
    for one, other in (
        (h, h_theirs),
        (x_ours.grad, x_theirs.grad),
        (start_ours.grad, start_theirs.grad),
        *((rzn(ours.grad), theirs.get_parameter(name).grad) for name, ours in names.items()),
    ):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-12)


def rzn(weights: Tensor | None) -> Tensor:
    """The blocks [Z, R, H~] in torch's order, and transposed as torch keeps them."""
    assert weights is not None
    z, r, h = weights.split(HIDDEN, dim=-1)
    return torch.cat([r, z, h], dim=-1).t()


def test_dropout_of_the_recurrent_weights_is_the_same_at_all_steps() -> None:
    """Drawn by hand, those weights give the same states; an evaluation has all of them."""
    x, _, length = inputs()
    gru, plain = GatedGRU(INPUTS, HIDDEN, dropout=0.5).double().train(), GatedGRU(INPUTS, HIDDEN).double()
    plain.load_state_dict(gru.state_dict())
    torch.manual_seed(2)
    found = states(gru, x, length)
    torch.manual_seed(2)
    with torch.no_grad():
        plain.U.copy_(gru.dropout(gru.U))
    torch.testing.assert_close(found, states(plain, x, length))
    assert (plain.U == 0).any()
    plain.load_state_dict(gru.state_dict())
    torch.testing.assert_close(states(gru.eval(), x, length), states(plain, x, length))
