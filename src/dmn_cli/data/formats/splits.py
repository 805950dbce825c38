"""Which stories are trained on, and which are held out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import PurePath

import numpy as np

from dmn_cli.records.text import Story

SPLIT_NAMES = {"train": "train", "valid": "valid", "validation": "valid", "dev": "valid", "test": "test"}


def split_in_name(path: PurePath | str) -> str | None:
    """The split that a file is named after, as in trec.test.jsonl, dev.jsonl or en_ewt-ud-train.conllu."""
    words = PurePath(path).name.replace("_", ".").replace("-", ".").split(".")
    return next((SPLIT_NAMES[word] for word in words if word in SPLIT_NAMES), None)


def hold_out(told: Iterable[tuple[str, Story]], seed: int, every: int = 10) -> Iterator[tuple[str, Story]]:
    """Gives one training story of each `every` to validation, at random by the seed; other splits pass through.

    A story is never split. A stream in, a stream out: only `every` stories are held at a time. Of two stories or more
    at least one is held out.
    """
    random = np.random.default_rng(seed)
    block: list[Story] = []
    full_blocks = 0
    for split, story in told:
        if split != "train":
            yield split, story
            continue
        block.append(story)
        if len(block) == every:
            yield from _marked(block, int(random.integers(every)))
            block, full_blocks = [], full_blocks + 1
    if full_blocks:  # the chance stays 1 in `every`
        yield from _marked(block, int(random.integers(every)))
    else:
        yield from _marked(block, int(random.integers(len(block))) if len(block) > 1 else -1)


def _marked(block: list[Story], chosen: int) -> Iterator[tuple[str, Story]]:
    for i, story in enumerate(block):
        yield ("valid" if i == chosen else "train"), story
