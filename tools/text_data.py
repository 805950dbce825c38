"""The data sets of text_results.py: how each is prepared, and small ones drawn from them.

A peer reads the JSON lines that `dmn prepare … --export` writes, ours are prepared from the same sources with the same
options: so the splits are the same, whoever trains.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import Any

from runs import prepared

from dmn_cli.files import write_text

SST = "@sst/trainDevTestTrees_PTB.zip"
EWT = "@pos/UD_English-EWT.tar.gz"
FEW, FEW_VALID = 300, 60  # lines of a small data set's training and validation


@dataclass(frozen=True)
class Source:
    """What a data set is made from. Paths begin with @ where they are within the folder of the data."""

    prepare: tuple[str, ...]  # dmn prepare's format, paths and what decides about splits and words
    recipe: tuple[str, ...] = ()  # a script of tools/recipes, and what it reads: makes the JSON lines first
    tags: bool = False
    read_by_vectors: bool = False  # whether the test's texts are among those that the given vectors were trained on


JSONL = ("jsonl", "--tokenizer", "whitespace")
SOURCES = {
    "sst2": Source(("sst", SST, "--classes", "2")),
    "sst5": Source(("sst", SST)),
    "trec": Source(JSONL, ("trec.py", "@trec/train_5500.label", "@trec/TREC_10.label")),
    "imdb": Source(("jsonl",), ("imdb.py", "@text/aclImdb_labelled.tar.xz"), read_by_vectors=True),
    "ewt-upos": Source(("tagged", EWT, "--tokenizer", "whitespace", "--column", "upos"), tags=True),
    "ewt-xpos": Source(("tagged", EWT, "--tokenizer", "whitespace", "--column", "xpos"), tags=True),
    "sst2-sentences": Source(("sst", SST, "--classes", "2", "--phrases", "root")),
    "subjectivity": Source(("jsonl",), ("two_kinds.py", "@sst/subjectivity.zip")),
    "pros-cons": Source(("jsonl",), ("two_kinds.py", "@sst/pros_cons.zip")),
}
WHOLE = ("sst2", "sst5", "trec", "imdb", "ewt-upos", "ewt-xpos")
FEW_OF = {"trec-300": "trec", "sst2-300": "sst2-sentences", "subj-300": "subjectivity", "pros-cons-300": "pros-cons"}


def source(data: str) -> Source:
    """What a data set of WHOLE is made from, or what one of FEW_OF is drawn from."""
    return SOURCES[FEW_OF.get(data, data)]


def draw(lines: Iterable[dict[str, Any]], number: int) -> Iterator[dict[str, Any]]:
    """A small data set: FEW lines to train on and FEW_VALID others for the validation, and the whole test.

    They are drawn from the training and the validation of `lines`, each text once and none that the test has. A draw
    depends on its number and on the texts alone.
    """
    every = list(lines)
    test = [line for line in every if line["split"] == "test"]
    taken = {_text(line) for line in test}
    pool = {_text(line): line for line in every if _text(line) not in taken}
    order = sorted(pool, key=lambda text: hashlib.sha256(f"{number} {text}".encode()).digest())
    for place, text in enumerate(islice(order, FEW + FEW_VALID)):
        yield pool[text] | {"split": "train" if place < FEW else "valid"}
    yield from test


def _text(line: dict[str, Any]) -> str:
    story = line["story"]
    return story if isinstance(story, str) else " ".join(story)


def placed(arguments: tuple[str, ...], shared: Path) -> list[str]:
    """The arguments, and @PATH as the path in `shared`."""
    return [str(shared / part[1:]) if part.startswith("@") else part for part in arguments]


class Store:
    """Where data sets are prepared, each once, even if several trainings ask for it."""

    def __init__(self, shared: Path, folder: Path) -> None:
        self.shared, self.folder = shared, folder
        self._preparing = Lock()

    def lines(self, data: str, seed: int) -> Path:
        """The JSON lines of a data set with its splits; `seed` is the number of the draw of a small one."""
        with self._preparing:
            return self._drawn(data, seed) if data in FEW_OF else self._exported(data)

    def prepared(self, data: str, seed: int, name: str, options: tuple[str, ...]) -> Path:
        """The data set for a model of ours, of that name, with these options of dmn prepare."""
        with self._preparing:
            if data in FEW_OF:
                arguments = "jsonl", self._drawn(data, seed), "--tokenizer", "whitespace", *placed(options, self.shared)
                return prepared(self.folder / f"{name}-{data}-{seed}", *arguments)
            return prepared(self.folder / f"{name}-{data}", *self._arguments(data), *placed(options, self.shared))

    def plain(self, script: str, paths: Sequence[str]) -> Path:
        """Plain text that a script of tools/recipes writes."""
        made = self.folder / f"{Path(script).stem}.txt"
        if not made.exists():
            self._run(script, made, paths)
        return made

    def _drawn(self, data: str, seed: int) -> Path:
        few = self.folder / f"{data}-{seed}.jsonl"
        if not few.exists():
            with self._exported(FEW_OF[data]).open(encoding="utf-8") as file:
                drawn = [json.dumps(line | {"task": data}) for line in draw(map(json.loads, file), seed)]
            write_text(few, "\n".join(drawn) + "\n")
        return few

    def _exported(self, data: str) -> Path:
        lines = self.folder / f"{data}.jsonl"
        if not lines.exists():
            prepared(self.folder / data, *self._arguments(data), "--export", lines)
        return lines

    def _arguments(self, data: str) -> list[object]:
        """What dmn prepare is given."""
        kind, *options = placed(SOURCES[data].prepare, self.shared)
        if not SOURCES[data].recipe:
            return [kind, *options]
        made = self.folder / f"{data}.source.jsonl"
        if not made.exists():
            script, *paths = placed(SOURCES[data].recipe, self.shared)
            self._run(script, made, paths)
        return [kind, made, *options]

    def _run(self, script: str, made: Path, paths: Sequence[str]) -> None:
        subprocess.run([sys.executable, Path(__file__).parent / "recipes" / script, made, *paths], check=True)
