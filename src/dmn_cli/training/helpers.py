"""A batch in parts, side by side: other processes compute the gradients of some, and this one adds them all up.

Weights depend on the number of parts (`training.parts`), but not on how many processes there are, nor on when they are
ready or whether they die: a part that no helper has computed is computed here.

Weights and gradients lie in memory that all processes share (`shared_memory.py`). A helper (`helper_process.py`) reads
from one pipe which step is next and writes to another that it is done. Helpers are processes and not threads, since a
network of this size spends much of its time in Python.

torch.distributed (gloo, two processes in lockstep, each with an optimiser, one all_reduce of a flat buffer while the
next portion is made) gave the same weights, bit for bit, at fewer questions a second: in the median of 12 alternating
runs of 60 steps on two busy cores 2142 against 2389 on qa1, 1700 against 1883 on qa2, 1917 against 2147 on SST, for 12
to 27 % more CPU time a question. A helper that joins late or dies would need more code around it than is here.
"""

from __future__ import annotations

import json
import select
import struct
import subprocess
import sys
import warnings
from contextlib import suppress
from typing import Any

from dmn_cli.kernels.tune import compiled
from dmn_cli.settings.load import as_dict
from dmn_cli.training.gradients import PartResult
from dmn_cli.training.learner import Learner, Phase
from dmn_cli.training.shared_memory import Memory

NEXT = struct.Struct("<qqd???")  # step, and the fields of a Phase
READY, DONE = b"r", b"d"


class Helpers:
    """The processes that compute parts 1, 2, … of each batch, once they are ready. Part 0 is never theirs.

    For each step: `ask`, compute what nobody was asked for, then `answer` of each part that was."""

    def __init__(self, learner: Learner, count: int) -> None:
        self._memory = Memory(learner.network, count)
        self.processes: dict[int, subprocess.Popen[bytes]] = {}  # those alive, by their part
        self.ready: set[int] = set()  # parts whose processes have reported that they are
        job = {
            "settings": as_dict(learner.settings),
            "data": [str(data.path.resolve()) for data in learner.joint.data],
            "more_words": list(learner.joint.more_words),
            "vector_size": learner.joint.vector_size,
            "start": learner.start.words if learner.start else None,
            "memory": self._memory.file.fileno(),
            "helpers": count,
            "compiled": compiled(),  # as here: who computes a part must not change a bit
        }
        for part in range(1, count + 1):
            self.processes[part] = self._start({**job, "part": part})

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
        for part in list(self.processes):
            self._listen(part, None)

    def _listen(self, part: int, seconds: float | None) -> None:
        stdout = self.processes[part].stdout
        assert stdout
        if part not in self.ready and select.select([stdout], [], [], seconds)[0]:
            if stdout.read(1) == READY:
                self.ready.add(part)
            else:
                self._gone(part)

    def ask(self, phase: Phase, step: int) -> set[int]:
        """Has all that are ready compute a step. Returns their parts."""
        asked = set()
        for part, process in list(self.processes.items()):
            self._listen(part, 0)
            if part in self.ready:
                assert process.stdin
                try:
                    process.stdin.write(NEXT.pack(step, *phase))
                    asked.add(part)
                except BrokenPipeError:
                    self._gone(part)
        return asked

    def answer(self, part: int) -> PartResult | None:
        """The result that a helper was asked for; None where it has died."""
        stdout = self.processes[part].stdout
        assert stdout
        if stdout.read(1) == DONE:
            return self._memory.take(part - 1)
        self._gone(part)
        return None

    def _gone(self, part: int) -> None:
        process = self.processes.pop(part)
        self.ready.discard(part)
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
