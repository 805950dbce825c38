"""How a training is interrupted, and what continues it."""

from __future__ import annotations

import shlex
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dmn_cli.errors import Interrupted, Terminated

if TYPE_CHECKING:
    from dmn_cli.cli.train_asked import Asked
    from dmn_cli.training.events import Stopped


class Stop:
    """Tells between steps whether Ctrl-C or a termination signal came, to this process or to another that trains with
    it."""

    def __init__(self, asked: Asked | None) -> None:
        self._asked = asked
        self._signal = 0  # that came to this process

    def __call__(self) -> bool:
        return self.signal != 0

    @property
    def signal(self) -> int:
        """The one that came; 0: none did."""
        from dmn_cli.machine.distributed import stopping

        return self._signal or stopping()

    def handle(self, number: int, frame: object) -> None:
        """The second one ends dmn at once. Raises: KeyboardInterrupt"""
        if self._signal:
            raise KeyboardInterrupt
        self._signal = number

    def stopped(self, at: Stopped, *, of: str = "") -> Interrupted:
        """What to raise once a training has saved itself. of: says which, where there are several"""
        return self.to_continue(f"{of}at epoch {at.epoch}, step {at.step}")

    def to_continue(self, where: str, saved: str = "everything is saved") -> Interrupted:
        """The same, of any kind of run. where: it was stopped"""
        error = Terminated if self.signal == signal.SIGTERM else Interrupted
        hint = f"Continue with: {command_to_resume(self._asked)}" if self._asked else None
        return error(f"{where}; {saved}", hint=hint)


@contextmanager
def ended_at_once(asked: Asked, where: str) -> Iterator[None]:
    """Here a signal ends what is done, and what was done before stays. where: that is. Raises: Interrupted"""
    from dmn_cli.machine.signals import handled

    stop = Stop(asked)

    def handle(number: int, frame: object) -> None:
        stop.handle(number, frame)
        raise KeyboardInterrupt

    with handled(handle):
        try:
            yield
        except KeyboardInterrupt as interrupt:
            raise stop.to_continue(where) from interrupt


def command_to_resume(asked: Asked) -> str:
    return shlex.join(["dmn", "train", *map(str, asked.data), "--out", str(asked.out), "--resume"])


@contextmanager
def until_interrupted(asked: Asked | None = None) -> Iterator[Stop]:
    """Here the first signal lets a step be finished. asked: None in a process that takes part in what another runs

    Raises: Interrupted where a second one came
    """
    from dmn_cli.machine.signals import handled

    stop = Stop(asked)
    with handled(stop.handle):
        try:
            yield stop
        except KeyboardInterrupt as interrupt:
            raise stop.to_continue("at once", "what was saved before is there") from interrupt
