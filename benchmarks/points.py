"""One point of a curve of growth, in a process of its own, whose peak memory is then the point's.

    python -m benchmarks.points PRESET FACTS PASSES

times a training step on 8 stories of so many facts, with one question each, and prints JSON: seconds, cpu_seconds, mib.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

STORIES = 8


def point(preset: str, facts: int, passes: int, seconds: float = 1.0) -> dict[str, float]:
    """The best time of a step, and the peak memory of this process. The time of the CPU leaves out what it did for
    others meanwhile."""
    import torch

    from benchmarks.networks import Cell, training_on
    from benchmarks.timing import take_turns
    from dmn_cli.data.formats import story_world
    from dmn_cli.data.store.reader import DataSet
    from dmn_cli.data.store.writer import write
    from dmn_cli.data.words.tokenizer import WhitespaceTokenizer
    from dmn_cli.kernels.tune import tune
    from dmn_cli.training.learner import USUAL
    from dmn_cli.training.sampling import PlannedBatch

    device, cell = torch.device("cpu"), Cell(preset)
    tune(cell.hidden)
    told = story_world.stories("qa1", 10**6, 1, "train", story_world.Dials(facts=(facts, facts)))
    stories = [story._replace(questions=story.questions[:1]) for story, _ in zip(told, range(STORIES), strict=False)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder / "data", [("valid", stories[0]), *(("train", s) for s in stories)], WhitespaceTokenizer(), {})
        training = training_on(cell, DataSet(folder / "data"), folder, device, **{"model.passes": passes})
        batches = training.learner.train[0]
        (plan,) = batches.plan(STORIES)
        planned = [PlannedBatch(batches, plan)]
        cpu_seconds: list[float] = []

        def step() -> None:
            start = time.process_time()
            training.step(planned, [training.learner.portion(planned, USUAL, 0, 0)], USUAL)
            cpu_seconds.append(time.process_time() - start)

        best = take_turns({"step": step}, device, seconds)
    return {"seconds": best["step"], "cpu_seconds": min(cpu_seconds), "mib": peak_mib()}


def peak_mib() -> float:
    """The most memory that this process has had."""
    import resource

    return in_mib(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def in_mib(peak: int) -> float:
    """`ru_maxrss`, which is in KiB, or on macOS in bytes."""
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)


if __name__ == "__main__":
    print(json.dumps(point(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))
