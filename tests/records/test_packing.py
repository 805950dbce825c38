"""Packed rows are the padded ones without their padding."""

from dataclasses import fields

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings

from dmn_cli.records.packing import Packing

lengths = st.lists(st.integers(1, 9), min_size=1, max_size=7)


@settings(deadline=None)
@given(length=lengths, wider=st.integers(0, 2))
def test_packing_is_of_what_is_real_step_by_step(length: list[int], wider: int) -> None:
    rows, steps = len(length), max(length)
    packing = Packing.of(torch.tensor(length))
    names = torch.arange(rows * (steps + wider)).view(rows, steps + wider)
    real = torch.arange(steps) < torch.tensor(length).unsqueeze(1)
    packed = packing.pack(names)
    longest_first = sorted(range(rows), key=lambda row: -length[row])
    assert packed.tolist() == [int(names[row, t]) for t in range(steps) for row in longest_first if t < length[row]]
    assert packing.counts == [sum(n > t for n in length) for t in range(steps)]
    assert torch.equal(packing.unpack(packed, fill=-1), names[:, :steps].where(real, -1))
    assert packed[packing.last].tolist() == [int(names[row, n - 1]) for row, n in enumerate(length)]


@pytest.mark.parametrize(("rows", "steps"), [(1, 1), (4, 1), (1, 3), (5, 3)])
def test_even_rows_are_packed_as_any_are(rows: int, steps: int) -> None:
    even, any_rows = Packing.even(rows, steps, torch.device("cpu")), Packing.of(torch.full((rows,), steps))
    for field in fields(Packing):
        torch.testing.assert_close(getattr(even, field.name), getattr(any_rows, field.name), rtol=0, atol=0)


@settings(deadline=None)
@given(length=lengths)
def test_rows_spread_add_up_and_are_reversed(length: list[int]) -> None:
    packing = Packing.of(torch.tensor(length))
    rows = torch.randn(len(length), 3, dtype=torch.float64)
    spread = packing.spread(rows)
    for row, n in enumerate(length):
        assert torch.equal(packing.unpack(spread)[row, :n], rows[row].expand(n, 3))
    torch.testing.assert_close(packing.total(spread), rows * torch.tensor(length).unsqueeze(1))
    x = torch.randn(sum(length), 2)
    turned = packing.unpack(packing.reverse(x))
    for row, n in enumerate(length):
        assert torch.equal(turned[row, :n], packing.unpack(x)[row, :n].flip(0))


def test_gradients_of_moving_about() -> None:
    packing = Packing.of(torch.tensor([2, 4, 1]))
    packed, rows = (torch.randn(n, 2, dtype=torch.float64, requires_grad=True) for n in (7, 3))
    padded = torch.randn(3, 5, 2, dtype=torch.float64, requires_grad=True)
    for move, x in (
        (packing.pack, padded),
        (packing.unpack, packed),
        (packing.spread, rows),
        (packing.reverse, packed),
        (packing.total, packed),
    ):
        assert torch.autograd.gradcheck(move, x)
