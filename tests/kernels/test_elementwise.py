"""Dropout and tanh do what torch's do."""

import torch

from dmn_cli.kernels.elementwise import Dropout, tanh


def test_dropout_keeps_the_mean_and_the_share() -> None:
    torch.manual_seed(0)
    dropout, x = Dropout(0.3), torch.ones(1001, 97)
    kept = dropout(x)
    assert set(kept.unique().tolist()) == {0.0, kept.max().item()}
    assert abs(kept.max().item() - 1 / 0.7) < 1e-4
    assert abs((kept == 0).float().mean().item() - 0.3) < 0.005  # 3 standard deviations: 0.0044
    assert abs(kept.mean().item() - 1) < 0.007
    assert not torch.equal(dropout(x), kept)
    assert torch.equal(dropout.eval()(x), x)


def test_dropout_of_each_number_is_its_own() -> None:
    """Four numbers share a draw: neighbours must not be dropped together more often than chance has it."""
    torch.manual_seed(0)
    dropped = (Dropout(0.5)(torch.ones(100_000)) == 0).float()
    for apart in (1, 2, 3, 4):
        assert abs((dropped[apart:] * dropped[:-apart]).mean().item() - 0.25) < 0.006


def test_tanh_is_tanh() -> None:
    x = torch.linspace(-30, 30, 1001, dtype=torch.float64).requires_grad_()
    torch.testing.assert_close(tanh(x), torch.tanh(x))
    assert torch.autograd.gradcheck(tanh, torch.linspace(-3, 3, 7, dtype=torch.float64).requires_grad_())
