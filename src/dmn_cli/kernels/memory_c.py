"""All passes of the episodic memory of DMN+ in C, for answering on CPUs: `csrc/memory.c`."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from dmn_cli.kernels import c_library
from dmn_cli.kernels.comparison import compare
from dmn_cli.kernels.recurrence import recurrence
from dmn_cli.records.packing import Packing

_Arguments = c_library.structure(
    numbers=("rows", "hidden", "passes", "steps", "sigmoid", "threads"),
    tensors=(
        *("begin", "length", "order", "c", "q", "W1_q", "b1", "W1_m", "W2", "b2", "W", "b", "U", "W_t", "b_t"),
        *("m", "gates"),
    ),
)


class Weights(NamedTuple):
    """Of the attention gate (`model/attention_gate.py`), the episode (`model/gated_gru.py`) and the updates of the
    memory (`model/episodic_memory.py`)."""

    W1_q: Tensor  # (hidden, 2 hidden)
    b1: Tensor  # (hidden,)
    W1_m: Tensor  # (hidden, 2 hidden)
    W2: Tensor  # (1, hidden)
    b2: Tensor  # (1,)
    W: Tensor  # (hidden, 2 hidden), as U
    b: Tensor  # (2 hidden,)
    U: Tensor  # (hidden, 2 hidden), of [R, H~]
    W_t: Tensor  # (passes, hidden, 3 hidden), of [m, e, q]
    b_t: Tensor  # (passes, hidden)


def passes(c: Tensor, packing: Packing, q: Tensor, weights: Weights, *, softmax: bool) -> tuple[Tensor, Tensor]:
    """The last memory and all gates, without gradients. c: (packed, hidden); q: (questions, hidden) → (questions,
    hidden), (questions, passes, facts)

    Raises: MemoryError"""
    (rows, hidden), count = q.shape, len(weights.W_t)
    m, gates = torch.empty_like(q), q.new_zeros(rows, count, packing.steps)
    numbers = {"rows": rows, "hidden": hidden, "passes": count, "steps": packing.steps, "sigmoid": int(not softmax)}
    lie = {"begin": packing.begin, "length": packing.longest_first, "order": packing.order}
    given = {name: tensor.contiguous() for name, tensor in {"c": c, "q": q, **weights._asdict()}.items()}
    threads = torch.get_num_threads()
    c_library.call("memory", _Arguments, q.dtype, **numbers, **lie, **given, m=m, gates=gates, threads=threads)
    return m, gates


def passes_by_torch(
    c: Tensor, packing: Packing, q: Tensor, weights: Weights, *, softmax: bool
) -> tuple[Tensor, Tensor]:
    """The same, operation by operation."""
    x = torch.addmm(weights.b, c, weights.W)
    base = compare(c, q, None, weights.W1_q, weights.b1, packing)
    m, gates = q, []
    for W, b in zip(weights.W_t, weights.b_t, strict=True):
        a = compare(c, m, None, weights.W1_m, base, packing)
        score = packing.unpack(F.linear(a.tanh(), weights.W2, weights.b2).squeeze(1), fill=-torch.inf)
        gates.append(score.softmax(dim=1) if softmax else score.sigmoid())
        opened = packing.pack(gates[-1]).unsqueeze(1)
        e = recurrence(x, weights.U, opened, None, packing, packing.last, before=False)
        m = F.linear(torch.cat([m, e, q], dim=1), W, b).relu()
    return m, torch.stack(gates, dim=1)
