"""A process that computes some parts of each batch: `python -m dmn_cli.training.helper_process`.

`helpers.py` starts it. Its first line of input is a JSON object, each further message the step to compute (`NEXT`).
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import torch

from dmn_cli.data.store.reader import DataSet
from dmn_cli.machine.parent import end_with_parent
from dmn_cli.training.helpers import DONE, NEXT, READY
from dmn_cli.training.learner import Phase
from dmn_cli.training.share import Share, learner_of
from dmn_cli.training.shared_memory import Memory


def main() -> None:
    requests, replies = sys.stdin.buffer, sys.stdout.buffer
    job = json.loads(requests.readline())
    end_with_parent(job["parent"])
    learner = learner_of(job, [DataSet(Path(path)) for path in job["data"]], torch.device("cpu"))
    with os.fdopen(job["memory"], "r+b") as file:
        memory = Memory(learner.network, job["places"], file)
    share = Share(learner, range(*job["parts"]))
    replies.write(READY)
    replies.flush()
    while len(message := requests.read(NEXT.size)) == NEXT.size:
        step, *fields = NEXT.unpack(message)
        for place, result in enumerate(share.results(Phase(*fields), step), start=job["first_place"]):
            memory.put(place, result)
            replies.write(DONE)
            replies.flush()
        share.look_ahead()


if __name__ == "__main__":
    main()
