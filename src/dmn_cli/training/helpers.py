"""A batch in parts, side by side: other processes compute the gradients of some, and this one adds them all up.

Weights depend on the number of parts (`training.parts`), but not on how many processes there are, nor on when they are
ready or whether they die: a part that no helper has computed is computed here.

Weights and gradients lie in memory that all processes share (`shared_memory.py`). A helper (`helper_process.py`) reads
from one pipe which step is next and writes to another that it is done. Helpers are processes and not threads, since a
network of this size spends much of its time in Python.

On one machine this is quicker than torch.distributed (docs/log.md), and goes on where a helper is late or dies. Where
torchrun started the processes, `ranks.py` takes its place.
"""

from __future__ import annotations

import json
import os
import select
import struct
import subprocess
import sys
import warnings
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Any

from dmn_cli.training.gradients import PartResult, summed
from dmn_cli.training.learner import Learner, Phase
from dmn_cli.training.share import dealt, job_of
from dmn_cli.training.shared_memory import Memory

NEXT = struct.Struct("<qqd???Q")  # step, and the fields of a Phase
READY, DONE = b"r", b"d"


class Helpers:
    """The processes that compute some parts of each batch, once they are ready. Part 0 is never theirs.

    For each step: `ask`, compute what nobody was asked for, then `summed` takes the results of all parts."""

    def __init__(self, learner: Learner, count: int) -> None:
        own, *shares = dealt(learner.parts, count + 1)
        self._parts, self._first = learner.parts, len(own)
        self._memory = Memory(learner.network, learner.parts - len(own))
        self._shares = dict(enumerate(shares, start=1))  # the parts of each process
        self._helper = {part: helper for helper, share in self._shares.items() for part in share}
        self.processes: dict[int, subprocess.Popen[bytes]] = {}  # those alive, by their number, from 1
        self.ready: set[int] = set()  # the parts of those that have reported that they are
        job = {
            **job_of(learner),
            "data": [str(data.path.resolve()) for data in learner.joint.data],
            "parent": os.getpid(),
            "memory": self._memory.file.fileno(),
            "places": learner.parts - len(own),
        }
        for helper, share in self._shares.items():
            own_job = {"parts": [share.start, share.stop], "first_place": share.start - len(own)}
            self.processes[helper] = self._start({**job, **own_job})

    def _start(self, job: dict[str, Any]) -> subprocess.Popen[bytes]:
        """In a session of its own, since Ctrl-C is for this process to handle. It ends when this one does, in whatever
        way."""
        process = subprocess.Popen(
            [sys.executable, "-m", "dmn_cli.training.helper_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            pass_fds=[job["memory"]],
            start_new_session=True,
        )
        assert process.stdin
        with suppress(BrokenPipeError):  # it couldn't even start, which `_listen` will notice
            process.stdin.write(json.dumps(job).encode() + b"\n")
        return process

    def wait(self) -> None:
        """Until all are ready, or dead."""
        for helper in list(self.processes):
            self._listen(helper, None)

    def _listen(self, helper: int, seconds: float | None) -> None:
        stdout = self.processes[helper].stdout
        assert stdout
        if self._shares[helper].start not in self.ready and select.select([stdout], [], [], seconds)[0]:
            if stdout.read(1) == READY:
                self.ready.update(self._shares[helper])
            else:
                self._gone(helper)

    def ask(self, phase: Phase, step: int) -> set[int]:
        """Has all that are ready compute a step. Returns their parts."""
        asked = set()
        for helper, process in list(self.processes.items()):
            self._listen(helper, 0)
            if self._shares[helper].start in self.ready:
                assert process.stdin
                try:
                    process.stdin.write(NEXT.pack(step, *phase))
                    asked.update(self._shares[helper])
                except BrokenPipeError:
                    self._gone(helper)
        return asked

    def summed(self, asked: Collection[int], compute: Callable[[int], PartResult]) -> PartResult:
        """The sum over all parts. compute: a part, here, that helpers weren't asked for, or died over"""
        results = []
        for part in range(self._parts):
            result = self.answer(part) if part in asked else None
            results.append(result or compute(part))
        return summed(results)

    def answer(self, part: int) -> PartResult | None:
        """The result that a helper was asked for, whose parts come in their order; None where it has died."""
        helper = self._helper[part]
        if helper not in self.processes:
            return None
        stdout = self.processes[helper].stdout
        assert stdout
        if stdout.read(1) == DONE:
            return self._memory.take(part - self._first)
        self._gone(helper)
        return None

    def _gone(self, helper: int) -> None:
        process = self.processes.pop(helper)
        self.ready.difference_update(self._shares[helper])
        process.kill()
        process.communicate()
        code = process.returncode
        warnings.warn(f"a process that helped has died ({code}); training goes on without it, slower", stacklevel=2)

    def close(self) -> None:
        for process in self.processes.values():
            process.kill()
            process.communicate()
        self.processes = {}
        self._memory.file.close()
