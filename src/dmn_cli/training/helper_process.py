"""A process that computes one part of each batch: `python -m dmn_cli.training.helper_process`.

`helpers.py` starts it. Its first line of input is a JSON object, each further message the step to compute (`NEXT`).
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import torch

from dmn_cli.data.joint import Joint
from dmn_cli.data.store.reader import DataSet
from dmn_cli.kernels.tune import tune
from dmn_cli.settings.load import from_dict
from dmn_cli.training.helpers import DONE, NEXT, READY
from dmn_cli.training.learner import Learner, Phase
from dmn_cli.training.shared_memory import Memory
from dmn_cli.training.start import Start


def main() -> None:
    requests, replies = sys.stdin.buffer, sys.stdout.buffer
    job = json.loads(requests.readline())
    settings = from_dict(job["settings"])  # decided
    if not job["compiled"]:
        os.environ["DMN_NATIVE"] = "0"
    tune(settings.model.hidden)
    data = [DataSet(Path(path)) for path in job["data"]]
    more_words, size = job["more_words"], job["vector_size"]
    joint = Joint.of(data, symmetries=settings.training.symmetries, more_words=more_words, vector_size=size)
    start = None if job["start"] is None else Start.named(job["start"], size or settings.model.hidden)
    learner = Learner(joint, settings, torch.device("cpu"), start=start)
    with os.fdopen(job["memory"], "r+b") as file:
        memory = Memory(learner.network, job["helpers"], file)
    replies.write(READY)
    replies.flush()
    expected, portions, portion = None, iter(()), None
    while len(message := requests.read(NEXT.size)) == NEXT.size:
        step, *fields = NEXT.unpack(message)
        phase = Phase(*fields)
        if (phase, step) != expected:
            portions = learner.portions(job["part"], phase, step)
            portion = next(portions)
        assert portion
        memory.put(job["part"] - 1, learner.compute(portion, phase))
        replies.write(DONE)
        replies.flush()
        expected, portion = (phase, step + 1), next(portions, None)  # made while the weights are being changed


if __name__ == "__main__":
    main()
