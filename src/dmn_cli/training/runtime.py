"""The machine: which device, and seeds."""

from __future__ import annotations

import os

import torch

from dmn_cli.errors import ResourceError, UsageError
from dmn_cli.model import products


def choose_device(name: str) -> torch.device:
    """auto | cpu | cuda[:N]; auto takes the GPU where there is one.

    Raises: UsageError for another name, ResourceError for a GPU that isn't there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kind, _, number = name.partition(":")
    if kind not in ("cpu", "cuda") or (number and not number.isdecimal()) or (kind == "cpu" and number):
        raise UsageError(f"there is no device {name!r}", hint="Use auto, cpu, cuda or cuda:N.")
    if kind == "cuda" and int(number or 0) >= torch.cuda.device_count():
        there = torch.cuda.device_count()
        raise ResourceError(f"there is no device {name}: {there} GPUs were found", hint="Use --device auto, or cpu.")
    return torch.device(name)


def tune(hidden: int) -> None:
    """Makes the most of the CPU for a network of this width.

    One thread for a small one, unless OMP_NUM_THREADS says otherwise: its products are too small to share. Two threads
    gain little on a quiet machine, and spend two thirds of the time waiting for each other on a busy one (docs/log.md).
    """
    if hidden <= 128 and "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(1)
    products.adapt()


def describe(device: torch.device) -> str:
    """What a person would call it."""
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    threads = torch.get_num_threads()
    return f"cpu ({threads} thread{'s' * (threads > 1)})"


def random_state(device: torch.device) -> dict[str, torch.Tensor]:
    state = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    return state


def restore_random_state(state: dict[str, torch.Tensor], device: torch.device) -> None:
    torch.set_rng_state(state["cpu"])
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"], device)
