"""Speed, measured in one run: python -m benchmarks [--json]

Two tables. The recurrence: steps a second, forward and backward, of the hot loop, of the plain loop that it must equal,
and of torch.nn.GRU. The network: questions a second in training and in answering, on the built-in world.
Machines are shared and noisy: the ratios within one run are what to quote. Every figure is the best of several.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dmn_cli.data import writer
from dmn_cli.data.batches import Batches
from dmn_cli.data.formats import story_world
from dmn_cli.data.splits import hold_out
from dmn_cli.data.store import DataSet
from dmn_cli.data.tokenizers import SpacyTokenizer
from dmn_cli.evaluation.metrics import judge_stories
from dmn_cli.model.gated_gru import GatedGRU
from dmn_cli.settings import load
from dmn_cli.training.loop import Training

ROWS = 128


def rate(amount: float, work: Callable[[], Any], seconds: float = 1.5) -> float:
    """amount a second, the best of what fits in `seconds`."""
    work()
    best, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return amount / best


def recurrence(hidden: int, steps: int) -> dict[str, Any]:
    ours, theirs = GatedGRU(hidden, hidden), torch.nn.GRU(hidden, hidden, batch_first=True)
    x = torch.randn(ROWS, steps, hidden, requires_grad=True)
    gates = torch.rand(ROWS, steps, requires_grad=True)
    length = torch.full((ROWS,), steps)
    work = {
        "gated_gru": lambda: ours(ours.project(x), length, gates).sum().backward(),
        "plain_loop": lambda: ours.reference(ours.project(x), length, gates).sum().backward(),
        "torch_gru": lambda: theirs(x)[0].sum().backward(),
    }
    rates = {name: rate(ROWS * steps, run) for name, run in work.items()}
    return {"hidden": hidden, "steps": steps, **{f"{name}_steps_per_s": round(r) for name, r in rates.items()}}


def network(preset: str, task: str, folder: Path) -> dict[str, Any]:
    path = folder / task
    if not path.exists():
        told = (("train", story) for story in story_world.stories(task, 3000, 1, "train"))
        writer.write(path, hold_out(told, 1), SpacyTokenizer(), {})
    training = Training([DataSet(path)], folder / "run", load(preset), torch.device("cpu"))
    batches: Batches = training.train[0]
    plan = batches.plan(ROWS, np.random.default_rng(1))
    stories = plan[0]
    batch = batches.batch(stories)
    training.network.train()
    train = rate(len(batch), lambda: training._step(batches.batch(stories), 1.0))
    answer = rate(len(batch), lambda: judge_stories(training.network, batches, stories, torch.device("cpu")))
    return {
        "preset": preset,
        "task": task,
        "facts": round(float(batch.facts_seen.float().mean()), 1),
        "train_questions_per_s": round(train),
        "answer_questions_per_s": round(answer),
    }


def main() -> None:
    loops = [recurrence(hidden, steps) for hidden in (80, 128) for steps in (64, 256)]
    with tempfile.TemporaryDirectory() as folder:
        tasks = ("qa1", "qa2", "qa3")
        networks = [network(preset, task, Path(folder)) for preset in ("dmn", "dmn-plus") for task in tasks]
    result = {"threads": torch.get_num_threads(), "batch": ROWS, "recurrence": loops, "network": networks}
    if "--json" in sys.argv[1:]:
        print(json.dumps(result))
        return
    print(f"{result['threads']} threads, batches of {ROWS}; forward and backward, thousand steps a second")
    print("hidden  steps  gated GRU  plain loop  torch.nn.GRU  ours/plain  ours/torch")
    for r in loops:
        ours, plain, theirs = (r[f"{name}_steps_per_s"] for name in ("gated_gru", "plain_loop", "torch_gru"))
        print(
            f"{r['hidden']:>6}{r['steps']:>7}{ours / 1e3:>11.0f}{plain / 1e3:>12.0f}{theirs / 1e3:>14.0f}"
            f"{ours / plain:>12.2f}{ours / theirs:>12.2f}"
        )
    print("\nquestions a second\npreset     task  facts seen  training  answering")
    for r in networks:
        print(
            f"{r['preset']:<11}{r['task']:<6}{r['facts']:>10}"
            f"{r['train_questions_per_s']:>10}{r['answer_questions_per_s']:>11}"
        )


if __name__ == "__main__":
    main()
