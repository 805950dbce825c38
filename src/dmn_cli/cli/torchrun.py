"""dmn train under torchrun: the first process runs the command, the others take part in what it trains.

torchrun starts the same command once for each process, and again where one of them dies, so it goes on with a run that
is there.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from dmn_cli.cli.train_stop import until_interrupted
from dmn_cli.errors import DmnError, UsageError

if TYPE_CHECKING:
    import torch

    from dmn_cli.machine.distributed import World

_SAYS = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")  # what a process needs to know to find the others
_COMMAND = "train"


def launched() -> bool:
    """Whether torchrun started this process, or what speaks as torchrun does."""
    return all(name in os.environ for name in _SAYS)


def refuse(command: str | None) -> None:
    """Raises: UsageError where torchrun started a command that would run once in each process."""
    if launched() and command != _COMMAND:
        raise UsageError(f"torchrun is for dmn {_COMMAND}", hint="dmn eval and dmn ask take --processes N.")


def together(command: Callable[..., None]) -> Callable[..., None]:
    """The same command, of which one process of several runs the body."""

    @wraps(command)
    def run(**options: Any) -> None:
        if not launched():
            command(**options)
            return
        from dmn_cli.machine.distributed import join

        device = _device(options["device"])
        here = join(device)
        try:
            if here.rank:
                _follow(here, options["data"])
            _lead(here, lambda: command(**options | {"device": str(device)}))
        finally:
            here.leave()

    return run


def _device(name: str) -> torch.device:
    """That of this process: one GPU each, where there are any. Raises: UsageError, ResourceError"""
    import torch

    from dmn_cli.machine.device import choose_device
    from dmn_cli.machine.distributed import local_rank

    if name.startswith("cuda:"):
        raise UsageError("under torchrun each process has a GPU of its own", hint="Give --device cuda.")
    device = choose_device(name)
    if device.type == "cuda":
        device = choose_device(f"cuda:{local_rank()}")
        torch.cuda.set_device(device)
    return device


def _follow(here: World, data: list[Path]) -> NoReturn:
    """Ends as the first process does."""
    from dmn_cli.training.follower import follow

    try:
        with until_interrupted() as stop:
            code = follow(here, data, lambda: stop.signal)
    except DmnError as error:
        error.message = f"in process {here.rank} of {here.size}: {error.message}"
        raise
    raise SystemExit(code)


def _lead(here: World, command: Callable[[], None]) -> None:
    """Runs the command, and has the other processes end as it ends."""
    from dmn_cli.machine.distributed import Gone
    from dmn_cli.training.distributed import QUIT

    code = DmnError.exit_code
    try:
        command()
        code = 0
    except DmnError as error:
        code = error.exit_code
        raise
    finally:
        with suppress(Gone):
            here.tell(QUIT + bytes([code]))
