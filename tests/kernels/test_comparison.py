"""The comparison of facts is its equation, and has its gradients."""

import torch

from dmn_cli.kernels import c_library
from dmn_cli.kernels.comparison import compare
from dmn_cli.records.packing import Packing


def test_comparing_has_the_gradients_of_its_equation() -> None:
    """base + W1 [c∘v, |c-v|, cᵀWv], with and without the last feature, and more than one fact for each question.

    By torch; `test_c.py` has it in C.
    """
    torch.manual_seed(0)
    packing = Packing.of(torch.tensor([1, 3, 2]))
    v = torch.randn(3, 3).double().requires_grad_()
    for of, bias, full in ((packing, True, False), (packing, False, True), (None, True, True)):
        n = 6 if of else 3
        c, cW = (torch.randn(n, 3).double().requires_grad_() for _ in range(2))
        base = torch.randn(*([] if bias else [n]), 3).double().requires_grad_()
        W1 = torch.randn(3, 6 + full).double().requires_grad_()
        v_ = v if of is None else v[of.row]
        z = [c * v_, (c - v_).abs(), *([(cW * v_).sum(dim=1, keepdim=True)] if full else [])]
        arguments = (c, v, cW if full else None, W1, base, of)
        with c_library.without():
            torch.testing.assert_close(compare(*arguments), base + torch.cat(z, dim=1) @ W1.t())
            assert torch.autograd.gradcheck(compare, arguments)  # type: ignore[reportArgumentType]
