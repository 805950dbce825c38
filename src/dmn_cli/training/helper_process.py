"""A process that helps to train: `python -m dmn_cli.training.helper_process`; `helpers.py` says what to do."""

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
from dmn_cli.training.learner import Learner
from dmn_cli.training.shared_memory import Memory


def main() -> None:
    asked, answers = sys.stdin.buffer, sys.stdout.buffer
    said = json.loads(asked.readline())
    settings = from_dict(said["settings"])
    if not said["compiled"]:
        os.environ["DMN_NATIVE"] = "0"
    tune(settings.model.hidden)
    learner = Learner(Joint.of([DataSet(Path(path)) for path in said["data"]]), settings, torch.device("cpu"))
    with os.fdopen(said["memory"], "r+b") as file:
        memory = Memory(learner.network, said["helpers"], file)
    answers.write(READY)
    answers.flush()
    after, coming, portion = None, iter(()), None
    while len(message := asked.read(NEXT.size)) == NEXT.size:
        epoch, step, beta = NEXT.unpack(message)
        if (epoch, step) != after:
            coming = learner.portions(said["part"], epoch, step)
            portion = next(coming)
        assert portion
        memory.put(said["part"] - 1, learner.compute(portion, beta))
        answers.write(DONE)
        answers.flush()
        after, portion = (epoch, step + 1), next(coming, None)  # while the weights are being changed


if __name__ == "__main__":
    main()
