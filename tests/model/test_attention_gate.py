"""The attention gate is the papers' layer over all features."""

import pytest
import torch

from dmn_cli.model.attention_gate import AttentionGate
from dmn_cli.records.packing import Packing


@pytest.mark.parametrize("features", ["dmn", "dmn-plus"])
def test_gate_is_one_layer_over_all_features(features: str) -> None:
    """In parts, it equals W2 tanh(W1 z + b1) + b2 with the whole z of the paper."""
    torch.manual_seed(0)
    H = 3
    gate = AttentionGate(H, features).double()  # type: ignore[arg-type]
    torch.nn.init.normal_(gate.W1_q.bias)
    c, q, m = torch.randn(2, 4, H).double(), torch.randn(2, H).double(), torch.randn(2, H).double()
    length = torch.tensor([2, 4])
    packing = Packing.of(length)
    score = packing.unpack(gate(gate.read(packing.pack(c), q, packing), m, q))
    for row in range(2):
        for i in range(int(length[row])):
            f, q_, m_ = c[row, i], q[row], m[row]
            with_q, with_m = [f * q_, (f - q_).abs()], [f * m_, (f - m_).abs()]
            alone = torch.zeros(H).double()
            if features == "dmn":
                W = gate.W.weight.t()
                with_q += [f, (f @ W @ q_).reshape(1)]
                with_m += [(f @ W @ m_).reshape(1)]
                alone = gate.W1_alone.weight @ torch.cat([m_, q_])
            z = gate.W1_q.weight @ torch.cat(with_q) + gate.W1_m.weight @ torch.cat(with_m) + alone
            expected = gate.W2.weight @ torch.tanh(z + gate.W1_q.bias) + gate.W2.bias
            torch.testing.assert_close(score[row, i], expected.squeeze())
