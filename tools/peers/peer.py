"""What every peer does: it reads the examples, chooses by the validation, reads the test once, and prints a JSON line.

    python tools/peers/NAME.py EXPORT.jsonl [--seed N] [--vectors FILE]

EXPORT.jsonl is what `dmn prepare … --export` writes, so that a peer has the splits that a model of ours has. The line:
{"test", "valid", "seconds", "search_seconds", "chosen"}: accuracies of the best configuration by validation, CPU
seconds of its training and of all that were tried, and what was chosen. Tags count by word, everything else by text.
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

SPLITS = ("train", "valid", "test")
_WORD = re.compile(r"\w+(?:['’]\w+)*|[^\w\s]")
Answer = str | list[str]


class Example(NamedTuple):
    """A text with its class, or words with a tag each."""

    words: list[str]  # of a text lower-cased, of a tagged sentence as they are
    answer: Answer


@dataclass(frozen=True)
class Task:
    """What a peer may see while it trains. The test isn't in it."""

    train: list[Example]
    valid: list[Example]
    seed: int
    vectors: Path | None  # word2vec's text, gzipped

    @cached_property
    def classes(self) -> list[str]:
        return sorted({label for example in self.train for label in labels(example.answer)})


Predict = Callable[[list[list[str]]], Sequence[Answer]]
"""Takes the words of each text, and gives an answer for each."""


def labels(answer: Answer) -> list[str]:
    return [answer] if isinstance(answer, str) else answer


def words(story: list[str] | str) -> list[str]:
    """Those of a text and its punctuation, lower-cased."""
    return _WORD.findall((story if isinstance(story, str) else " ".join(story)).lower())


def read(path: Path) -> dict[str, list[Example]]:
    """The examples of each split."""
    examples: dict[str, list[Example]] = {split: [] for split in SPLITS}
    with path.open(encoding="utf-8") as file:
        for line in map(json.loads, file):
            own = line["story"] if line.get("each") else words(line["story"])
            examples[line["split"]].append(Example(own, line["answer"]))
    return examples


def accuracy(predict: Predict, examples: list[Example]) -> float:
    """The share of classes, or of tags, that are right."""
    predicted = predict([example.words for example in examples])
    pairs = [
        (given, right)
        for answer, example in zip(predicted, examples, strict=True)
        for given, right in zip(labels(answer), labels(example.answer), strict=True)
    ]
    return sum(given == right for given, right in pairs) / len(pairs)


def grid(**choices: Iterable[Any]) -> list[dict[str, Any]]:
    """Every combination, the first of each choice first."""
    return [dict(zip(choices, values, strict=True)) for values in product(*choices.values())]


def run(fit: Callable[..., Predict], configurations: Callable[[Task], list[dict[str, Any]]]) -> None:
    """Trains `fit(task, **configuration)` for each configuration; of equally good ones the first is kept."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--vectors", type=Path)
    given = parser.parse_args()
    splits = read(given.data)
    task = Task(splits["train"], splits["valid"], given.seed, given.vectors)
    best: tuple[float, float, dict[str, Any], Predict] | None = None
    searched = 0.0
    for configuration in configurations(task):
        start = time.process_time()
        predict = fit(task, **configuration)
        seconds = time.process_time() - start
        searched += seconds
        valid = accuracy(predict, task.valid)
        if best is None or valid > best[0]:
            best = valid, seconds, configuration, predict
    assert best, "there is no configuration"
    valid, seconds, chosen, predict = best
    print(
        json.dumps(
            {
                "test": round(accuracy(predict, splits["test"]), 4),
                "valid": round(valid, 4),
                "seconds": round(seconds, 1),
                "search_seconds": round(searched, 1),
                "chosen": chosen,
            }
        )
    )


@contextmanager
def vector_lines(path: Path) -> Iterator[Iterator[str]]:
    """The lines of a file of word vectors, the first of which has their number and their size."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        yield iter(file)
