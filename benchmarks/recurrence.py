"""The recurrence alone: steps a second of the hot loop, of the plain loop that it must equal, and of torch.nn.GRU.

A step is one token of one row, its input's projection included. All read the same rows of one length, so that steps
a second that don't fall with the length are time linear in it. torch.nn.GRU has no gates and is the plain GRU always
(on a GPU it is cuDNN's). The plain loop is timed at the shortest length alone: autograd takes time for its gradient
that grows with the square of the length.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor

from benchmarks import floors, loops
from benchmarks.table import Column
from benchmarks.timing import Work, take_turns
from dmn_cli.model.forms import Update
from dmn_cli.model.gated_gru import GatedGRU

ROWS = 128
FORMS: dict[str, tuple[Update, bool]] = {
    "gru": ("gru", False),
    "gated gru": ("gru", True),
    "attention gru": ("gate", True),
}
COLUMNS = [
    Column("form", "form", width=13),
    Column("hidden", "hidden"),
    Column("steps", "steps"),
    Column("forward, k steps/s", "forward_steps_per_s", scale=1e-3),
    Column("/ torch.nn.GRU", "forward_over_torch", ".2f"),
    Column("/ plain loop", "forward_over_plain", ".2f"),
    Column("and backward, k steps/s", "both_steps_per_s", scale=1e-3),
    Column("/ torch.nn.GRU", "both_over_torch", ".2f"),
    Column("/ plain loop", "both_over_plain", ".2f"),
    Column("of floor %", "both_of_floor", ".0f", scale=100),
]


def rows(
    hiddens: Sequence[int], steps: Sequence[int], device: torch.device, seconds: float
) -> Iterator[dict[str, Any]]:
    """A row for each form of the loop, width and length. `seconds`: to take the times of one width and length in."""
    for hidden in hiddens:
        for length in steps:
            yield from _compared(hidden, length, device, seconds, with_plain=length == min(steps))


def _compared(
    hidden: int, steps: int, device: torch.device, seconds: float, *, with_plain: bool
) -> Iterator[dict[str, Any]]:
    torch.manual_seed(1)
    x = torch.randn(ROWS, steps, hidden, device=device, requires_grad=True)
    gates = torch.rand(ROWS, steps, device=device, requires_grad=True)
    theirs = torch.nn.GRU(hidden, hidden, batch_first=True).to(device)
    works = _both("torch", lambda: theirs(x)[0], usual=True)
    for form, (update, gated) in FORMS.items():
        gru = GatedGRU(hidden, hidden, update=update).to(device)
        g = gates if gated else None
        works |= _both(f"hot {form}", lambda gru=gru, g=g: loops.hot(gru, x, g))
        if with_plain:
            works |= _both(f"plain {form}", lambda gru=gru, g=g: loops.plain(gru, x, g), usual=True)
        works[f"floor {form}"] = floors.recorded(works[f"hot {form} both"], device).replay()
    best = take_turns(works, device, seconds)
    for form in FORMS:
        row: dict[str, Any] = {"form": form, "hidden": hidden, "steps": steps, "rows": ROWS}
        for way in ("forward", "both"):
            hot = best[f"hot {form} {way}"]
            row[f"{way}_steps_per_s"] = ROWS * steps / hot
            for name, other in (("torch", "torch"), ("plain", f"plain {form}")):
                if f"{other} {way}" in best:
                    taken = best[f"{other} {way}"]
                    row |= {f"{name}_{way}_steps_per_s": ROWS * steps / taken, f"{way}_over_{name}": taken / hot}
        row["both_of_floor"] = best[f"floor {form}"] / best[f"hot {form} both"]
        yield row


def _both(name: str, states: Callable[[], Tensor], *, usual: bool = False) -> dict[str, Work]:
    """`usual`: with torch's own choice of the library that multiplies."""
    products = loops.usual_products if usual else nullcontext

    def forward() -> None:
        with products(), torch.no_grad():
            states()

    def both() -> None:
        with products():
            states().sum().backward()

    return {f"{name} forward": forward, f"{name} both": both}
