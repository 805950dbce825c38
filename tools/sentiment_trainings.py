"""The trainings of the table of sentiment systems: each done once and kept as a line of docs/systems.jsonl.

Ours are presets, by the shell commands of docs/tour.md; paragraph vectors, which have neither batches nor a loss, are a
script of tools/peers. A line: {"table": "sentiment", "data", "system", "vectors", "seed", "test", "valid", "seconds",
"rate"}: accuracies of the model that the validation chose, CPU seconds of its training, questions answered a second.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from lines import Line
from runs import answered
from text_data import Store
from text_trainings import GIVEN, PEERS

TABLE = "sentiment"
DATA = ("sst2", "sst5")
SEEDS = (1, 2, 3, 4, 5)
OWN, SAME = "own", "same"  # vectors as the paper has them, as far as they can be had; those that all are given
EXTRA = ("--extra-words", "20000")  # words of the validation and the test have vectors too, as in the papers
GLOVE = ("--vectors", "@vectors/glove.840B.300d.8bit.9910.txt.gz", *EXTRA)
WORD2VEC = ("--vectors", "@vectors/word2vec-GoogleNews.300d.8000.w2v.txt.gz", *EXTRA)
TREES = ("--trees",)


@dataclass(frozen=True)
class System:
    """A row of the table."""

    published: dict[str, float]  # by data set, in %
    own: tuple[str, ...] | None = None  # options of dmn prepare for the paper's own vectors; None: there is no paper
    trees: bool = False
    binary: tuple[str, ...] = ()  # options of dmn train for two classes, where the paper's are others
    peer: str | None = None  # a script of tools/peers in place of a preset


SYSTEMS = {
    "bi-lstm": System({"sst2": 87.5, "sst5": 49.1}),
    "pvec": System({"sst2": 87.8, "sst5": 48.7}, own=(), peer="pvec.py"),
    "sentence-cnn": System({"sst2": 88.1, "sst5": 47.4}, own=WORD2VEC),
    "dcnn": System(
        {"sst2": 86.8, "sst5": 48.5}, own=(), binary=("--set", "model.maps=[6, 14]", "--set", "model.top=4")
    ),
    "mv-rnn": System({"sst2": 82.9, "sst5": 44.4}, own=(), trees=True),
    "rntn": System({"sst2": 85.4, "sst5": 45.7}, own=(), trees=True),
    "drnn": System({"sst2": 86.6, "sst5": 49.8}, own=WORD2VEC, trees=True),
    "tree-lstm": System({"sst2": 88.0, "sst5": 51.0}, own=GLOVE, trees=True),
}


class Job(NamedTuple):
    """A training that a line is to be written of."""

    table: str
    data: str
    system: str
    vectors: str
    seed: int


def does(system: str, vectors: str) -> bool:
    """Whether there is such a cell."""
    one = SYSTEMS[system]
    return one.own is not None if vectors == OWN else one.peer is None


def jobs(systems: Sequence[str], seeds: Sequence[int]) -> list[Job]:
    """Seed by seed, so that what is broken off has figures of everything; five classes first."""
    return [
        Job(TABLE, data, system, vectors, seed)
        for seed in seeds
        for data in reversed(DATA)
        for system in systems
        for vectors in (SAME, OWN)
        if does(system, vectors)
    ]


class Shop:
    """Where they are trained."""

    def __init__(self, shared: Path, folder: Path, options: Sequence[str] = ()) -> None:
        """options: more of them for dmn train"""
        self.folder, self.options, self.store = folder, options, Store(shared, folder)

    def done(self, job: Job) -> Line:
        """Trains and measures, and says what came of it."""
        of_peer = SYSTEMS[job.system].peer
        return job._asdict() | (self._peer(job, of_peer) if of_peer else self._trained(job))

    def _trained(self, job: Job) -> dict[str, Any]:
        system = SYSTEMS[job.system]
        vectors = (system.own or ()) if job.vectors == OWN else GIVEN
        kind = Path(vectors[1]).name.partition(".")[0] if vectors else "random"
        trees = TREES if system.trees else ()
        data = self.store.prepared(job.data, job.seed, f"{kind}{'-trees' if trees else ''}", (*trees, *vectors))
        run = self.folder / f"{job.system}-{job.vectors}-{job.data}-{job.seed}.run"
        how = "--preset", job.system, "--seed", job.seed, "--device", "cpu"
        how = *how, *(system.binary if job.data == "sst2" else ()), *self.options
        trained, seconds = dmn("train", data, "--out", run, "--force", *how)
        measured, _ = dmn("eval", run, data, "--device", "cpu")
        return {
            "test": round(measured["accuracy"], 4),
            "valid": round(trained["best"]["accuracy"], 4),
            "seconds": round(seconds),
            "epochs": trained["epochs"],
            "rate": answered(measured),
        }

    def _peer(self, job: Job, script: str) -> dict[str, Any]:
        lines = self.store.lines(job.data, job.seed)
        line, _ = measured_json([sys.executable, PEERS / script, lines, "--seed", job.seed])
        return {"test": line["test"], "valid": line["valid"], "seconds": round(line["search_seconds"])}


def dmn(*arguments: object) -> tuple[dict[str, Any], float]:
    """The JSON that a command prints, and the CPU seconds that it took."""
    return measured_json([sys.executable, "-m", "dmn_cli", *arguments, "--json", "--quiet"])


def measured_json(command: Sequence[object]) -> tuple[dict[str, Any], float]:
    """Raises: subprocess.CalledProcessError"""
    words = [*map(str, command)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE)
    assert process.stdout
    said = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, words)
    return json.loads(said), used.ru_utime + used.ru_stime
