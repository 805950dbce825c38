"""How a training is interrupted, and what continues it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from dmn_cli.errors import Interrupted

if TYPE_CHECKING:
    from dmn_cli.training.events import Stopped


@contextmanager
def until_interrupted() -> Iterator[Callable[[], bool]]:
    """Yields what tells between steps whether Ctrl-C or a termination signal came, to this process or to another that
    trains with it. A second one ends dmn at once."""
    from dmn_cli.machine.distributed import stopping

    asked = False

    def handler(number: int, frame: object) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True

    before = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: asked or stopping()
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def stopped(at: Stopped, data: Sequence[Path], out: Path, *, of: str = "") -> Interrupted:
    """What to raise once a training has saved itself. of: says which, where there are several"""
    return to_continue(f"{of}at epoch {at.epoch}, step {at.step}", data, out)


def to_continue(where: str, data: Sequence[Path], out: Path) -> Interrupted:
    """The same, of any kind of run. where: it was stopped"""
    import shlex

    command = shlex.join(["dmn", "train", *map(str, data), "--out", str(out), "--resume"])
    return Interrupted(f"{where}; everything is saved", hint=f"Continue with: {command}")
