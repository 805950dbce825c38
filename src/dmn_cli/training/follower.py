"""A process that computes some parts of each batch for the one of rank 0, and takes each step that it takes
(`distributed.py`). It writes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path

from dmn_cli.data.store.reader import DataSet
from dmn_cli.errors import DataError
from dmn_cli.machine.distributed import World
from dmn_cli.training.averaging import Averaged
from dmn_cli.training.distributed import JOB, JUDGE, NEXT, QUIT, STATE, STEP, Reduction, judge_share, set_state
from dmn_cli.training.learner import Phase
from dmn_cli.training.share import Share, learner_of


def follow(here: World, data: Sequence[Path], stop: Callable[[], int]) -> int:
    """Takes part in one training after another, until the first process quits: returns its exit code. data: the data
    sets, as this machine has them; stop: the signal that told this process to stop, or 0; the first one acts on it

    Raises: Gone; DataError where the data differ from those of the first process.
    """
    while True:
        message = here.hear()
        if message[:1] == QUIT:
            return message[1]
        if message[:1] == JOB:
            _take_part(here, json.loads(message[1:]), data, stop)


def _take_part(here: World, job: dict[str, object], data: Sequence[Path], stop: Callable[[], int]) -> None:
    """In one training."""
    learner = learner_of(job, [DataSet(path) for path in data], here.device)
    if learner.joint.fingerprint != job["fingerprint"]:
        raise DataError("the data differ from those of the first process", where=", ".join(map(str, data)))
    valid = learner.joint.batches("valid")
    reduction = Reduction(learner, here, stop)
    share = Share(learner, reduction.own)
    decay = learner.settings.training.averaging
    averaged, steps = Averaged(learner.network, decay) if decay else None, 0
    while True:
        message = here.hear()
        kind, body = message[:1], message[1:]
        if kind == STATE:
            steps = set_state(learner, averaged, body)
        elif kind == STEP:
            learner.optimiser.learning_rate, step, *phase = NEXT.unpack(body)
            total = reduction([*share.results(Phase(*phase), step)])
            learner.step(total.gradients)
            if averaged:
                averaged.update(steps)
            steps += 1
            share.look_ahead()
        elif kind == JUDGE:
            asked = json.loads(body)
            with averaged.in_use() if averaged else nullcontext():
                batches = valid[asked["which"]]
                for _ in judge_share(here, learner.network, batches, asked["batch_size"], asked["how"]):
                    pass
        else:
            return
