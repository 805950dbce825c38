"""The weights of a model directory, which are looked at before memory is asked for: whoever made it may have lied."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

import dmn_cli.model.network  # noqa: F401 (imported within `check`, its constants would have no numbers)
from dmn_cli.records.network import Sizes
from dmn_cli.settings.networks import NETWORKS
from dmn_cli.settings.schema import NetworkSettings


def check(path: Path, settings: NetworkSettings, sizes: Sizes, networks: int) -> None:
    """Raises: ValueError where the file's tensors aren't those of so many networks with these settings and sizes;
    safetensors.SafetensorError where it isn't one of weights."""
    with safetensors.safe_open(path, framework="pt") as file:
        found = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    with torch.device("meta"), _Unfilled():  # where tensors have shapes, and nothing in them
        network = NETWORKS[settings.network].build(settings, sizes)
    one = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    if networks > len(found):
        raise ValueError("weights")
    prefixes = [f"networks.{i}." for i in range(networks)] if networks > 1 else [""]
    wanted = {prefix + name: shape for prefix in prefixes for name, shape in one.items()}
    if any(wanted.get(name) != shape for name, shape in found.items()):
        raise ValueError("shapes")
    missing = sum(math.prod(shape) for name, shape in wanted.items() if name not in found)  # as models of before may
    if missing > sum(map(math.prod, found.values())):
        raise ValueError("weights")


class _Unfilled(TorchFunctionMode):
    """Leaves tensors as they are made: to fill those that have no memory, torch would import its compiler."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        name, kwargs = getattr(func, "__name__", ""), kwargs or {}
        if name in ("uniform_", "normal_", "zero_", "fill_"):
            return args[0] if args else kwargs["tensor"]
        return (torch.empty if name in ("randn", "rand") else func)(*args, **kwargs)


def load(path: Path) -> dict[str, Tensor]:
    """Raises: ValueError where a number is infinite, or none (NaN)."""
    tensors = safetensors.torch.load_file(path)
    if not all(tensor.isfinite().all() for tensor in tensors.values()):
        raise ValueError("numbers")
    return tensors
