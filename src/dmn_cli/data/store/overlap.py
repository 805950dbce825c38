"""Which held-out questions also occur in training: with the same facts before them, in any case, and the same answer.

Each question is hashed to 64 bits, by array operations alone. The hashes go to scratch files, equal ones to the same
file, and the files are looked at one by one, so that memory holds one of them at a time. (The chance that any two
different questions among ten million have the same hash is a few in a million.)
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import IO

import numpy as np

from dmn_cli.data.store.chunks import Chunk
from dmn_cli.data.store.layout import SPLITS

_FILES = 64
_QUESTION = np.dtype([("hash", "u8"), ("task", "i2"), ("split", "i1")])


class Overlap:
    """Counts questions by split and task, and those of the held-out splits that training has too."""

    def __init__(self, folder: Path) -> None:
        """The scratch files are in `folder`, without a name, until they are closed."""
        self._open = ExitStack()
        self._files: list[IO[bytes]] = []
        for _ in range(_FILES):
            file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
            self._files.append(self._open.enter_context(file))

    def add(self, chunk: Chunk, task: np.ndarray) -> None:
        """`task`: (stories,) the id of each story's task in the data set."""
        asked = np.diff(chunk.questions.offsets)
        rows = np.empty(len(chunk.position), _QUESTION)
        rows["hash"] = _hashes(chunk)
        rows["task"] = np.repeat(task, asked)
        rows["split"] = np.repeat(chunk.split, asked)
        which = rows["hash"] % np.uint64(_FILES)
        rows = rows[np.argsort(which, kind="stable")]
        ends = np.cumsum(np.bincount(which.astype(np.int64), minlength=_FILES))
        for file, some in zip(self._files, np.split(rows, ends[:-1]), strict=True):
            file.write(some.tobytes())

    def count(self, tasks: list[str]) -> tuple[dict[str, dict[str, int]], dict[str, dict[str, int]]]:
        """How many questions each split has for each task; and how many of the held-out ones occur in training."""
        there, seen = (np.zeros((len(SPLITS), len(tasks)), np.int64) for _ in range(2))
        for file in self._files:
            file.seek(0)
            rows = np.fromfile(file, _QUESTION)
            trained = rows["split"] == SPLITS.index("train")
            held_out = rows[~trained]
            known = held_out[np.isin(held_out["hash"], rows["hash"][trained])]
            for total, of in ((there, rows), (seen, known)):
                np.add.at(total, (of["split"], of["task"]), 1)
        seen_in_training = _by_name(seen, tasks)
        del seen_in_training["train"]
        return _by_name(there, tasks), seen_in_training

    def close(self) -> None:
        self._open.close()


def _by_name(counts: np.ndarray, tasks: list[str]) -> dict[str, dict[str, int]]:
    """Without the tasks that have none."""
    return {
        split: {task: int(n) for task, n in zip(tasks, row, strict=True) if n}
        for split, row in zip(SPLITS, counts, strict=True)
    }


def _hashes(chunk: Chunk) -> np.ndarray:
    """(questions,) the same for equal questions, within this process."""
    sentence = np.array([hash(text.lower()) for text in chunk.sentences], np.int64).view(np.uint64)
    answer = np.array([*map(hash, chunk.answers)], np.int64).view(np.uint64)
    starts = chunk.facts.offsets[:-1]
    nth = np.arange(len(chunk.facts.values)) - np.repeat(starts, np.diff(chunk.facts.offsets))
    facts = _mixed(sentence[chunk.facts.values] + _mixed(nth.astype(np.uint64)))  # a fact, and where it stands
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(facts)])  # modulo 2^64, as all of this
    start = np.repeat(starts, np.diff(chunk.questions.offsets))
    seen = sums[start + chunk.position] - sums[start]
    return _mixed(_mixed(seen + sentence[chunk.questions.values]) + answer[chunk.answer])


def _mixed(x: np.ndarray) -> np.ndarray:
    """64 bits → 64 bits, one to one, each bit depending on all (the finaliser of splitmix64; Stafford 2011)."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
