"""The data sets that networks are timed on, each prepared once.

qa1, qa2, qa3       of the built-in story world; qa3's stories are the long ones
sst, tags           Stanford Sentiment Treebank, all phrases, five classes; universal tags of English EWT: from a folder
                    that has them, or else random words in as many lengths and from as large a vocabulary
babi-qa2            of bAbI's en-10k, where the folder has it
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from dmn_cli.data.store.reader import DataSet
from dmn_cli.records.text import Question, Story

Told = Iterable[tuple[str, Story]]

WORLD = ("qa1", "qa2", "qa3")
_REAL = {
    "babi-qa2": Path("babi") / "tasks_1-20_v1-2.tar.gz",
    "sst": Path("sst") / "trainDevTestTrees_PTB.zip",
    "tags": Path("pos") / "UD_English-EWT.tar.gz",
}
_QUESTIONS = 5000
_SHAPES = {
    "sst": (20_000, 1.0, 6.1),
    "tags": (5000, 1.6, 15.3),
}  # stories; gamma distribution and mean of their length - 1
_LONGEST = 150
_VOCABULARY = 16_600
NAMES = (*WORLD, *_SHAPES)


def names(shared: Path | None) -> list[str]:
    """What there is, with the real data in `shared`."""
    return [*NAMES, *(name for name in _REAL if name not in NAMES and _file(name, shared))]


def prepared(name: str, folder: Path, shared: Path | None = None) -> tuple[str, DataSet]:
    """A data set, from `folder` where it was prepared before, and what to call it: what stands in for real data is
    called "like" them."""
    from dmn_cli.data.store.writer import write
    from dmn_cli.data.words.tokenizer import SpacyTokenizer

    file = _file(name, shared)
    called = name if file or name in WORLD else f"{name}-like"
    path = folder / called
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        told = _real(name, file) if file else _world(name) if name in WORLD else _random(name)
        write(path, told, SpacyTokenizer(), {"benchmark": called})
    return called, DataSet(path)


def _file(name: str, shared: Path | None) -> Path | None:
    file = shared / _REAL[name] if shared and name in _REAL else None
    return file if file and file.is_file() else None


def _world(name: str) -> Told:
    from dmn_cli.data.formats import story_world
    from dmn_cli.data.formats.splits import hold_out

    return hold_out((("train", story) for story in story_world.stories(name, _QUESTIONS, 1, "train")), 1)


def _real(name: str, file: Path) -> Iterator[tuple[str, Story]]:
    from dmn_cli.data.formats import babi_files, sst, tagged

    if name == "sst":
        yield from sst.read(sst.find([file]), 5, "all", 1)
    elif name == "tags":
        yield from tagged.read(tagged.find([file]), name, 1)
    else:
        with babi_files.find([file], "en-10k", ["qa2"]) as found:
            yield from found.stories(1)


def _random(name: str) -> Iterator[tuple[str, Story]]:
    import numpy as np

    stories, shape, mean = _SHAPES[name]
    random = np.random.default_rng(1)
    chance = 1 / (np.arange(_VOCABULARY) + 3)  # Zipf's law
    question: Callable[[int], Question] = _classed if name == "sst" else _tagged
    for i in range(stories):
        length = min(_LONGEST, 1 + int(random.gamma(shape, mean / shape)))
        words = random.choice(_VOCABULARY, length, p=chance / chance.sum())
        split = "valid" if i % 20 == 0 else "train"
        yield split, Story(name, tuple(f"w{word}" for word in words), (question(length),), facts_are_words=True)


def _classed(length: int) -> Question:
    return Question("What is the sentiment?", length, (f"class{length % 5}",))


def _tagged(length: int) -> Question:
    return Question("What are the tags?", length, tuple(f"tag{i % 17}" for i in range(length)), per_fact=True)
