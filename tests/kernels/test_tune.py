"""How many threads a network gets, and how many networks work side by side."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from dmn_cli.kernels import tune as tuning
from dmn_cli.kernels.tune import ONE_THREAD, tune
from dmn_cli.machine import device, threads


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("cores", "hidden", "answering", "each", "side_by_side"),
    [
        (2, ONE_THREAD, False, 1, 2),
        (2, ONE_THREAD + 1, False, 2, 1),  # a step of a wide network is shared
        (2, ONE_THREAD + 1, True, 1, 2),  # batches that only want answers are
        (1, 300, True, 1, 1),
        (16, 300, True, 4, 4),
        (7, 300, True, 1, 4),
    ],
)
def test_threads(
    cores: int, hidden: int, answering: bool, each: int, side_by_side: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(threads, "cores", lambda: cores)
    monkeypatch.setattr(tuning, "cores", lambda: cores)
    torch.set_num_threads(cores)
    tune(hidden, answering=answering, build=False)
    assert torch.get_num_threads() == each
    assert device.networks_at_once(torch.device("cpu")) == side_by_side


def test_who_says_how_many_gets_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    torch.set_num_threads(3)
    tune(300, answering=True, build=False)
    assert torch.get_num_threads() == 3
