"""Makes a golden data set and a golden model of today's format versions: python tests/golden/make.py

They are made once for each format version and then never again: later versions of dmn must read them.
"""

import json
import shutil
import tempfile
from pathlib import Path

import numpy as np
import torch

from dmn_cli.artifact import directory, stored
from dmn_cli.data.joint import Joint
from dmn_cli.data.store import layout, writer
from dmn_cli.data.store.reader import DataSet
from dmn_cli.data.vectors.found import FoundVectors
from dmn_cli.data.words.tokenizer import WhitespaceTokenizer
from dmn_cli.data.words.vocabulary import Vocabulary
from dmn_cli.evaluation.report import evaluate
from dmn_cli.records.text import Question, Story
from dmn_cli.settings.load import load
from dmn_cli.training.loop import Training
from dmn_cli.training.seeds import Seeds, train

HERE = Path(__file__).parent
RULES = {  # a language of few words, so that its file is small
    "format_version": 1,
    **{"prefix": None, "suffix": r"[.?]$", "infix": None, "token": None, "url": None},
    "special_cases": {"don't": ["do", "n't"]},
    "phrases": [],
    "sentence_ends": [".", "?"],
}
PEOPLE, PLACES = ("Mary", "John"), ("garden", "kitchen", "attic")
TAGS = {"the": "DET", "a": "DET", "cat": "NOUN", "dog": "NOUN", "saw": "VERB"}
VECTORS = {"mary": (1, 0, 0), "john": (0, 1, 0), "garden": (0, 0, 1), "cellar": (1, 1, 1)}


def stories() -> list[Story]:
    """Who is where, with supporting facts and a list; and tags, one for each word."""
    told = []
    for i in range(18):
        first, second = PLACES[i % 3], PLACES[(i // 3) % 3]
        facts = (f"Mary is in the {first} .", f"John is in the {second} .")
        questions = [Question(f"Where is {PEOPLE[who]} ?", 2, ((first, second)[who],), (who,)) for who in (0, 1)]
        told.append(Story("where", facts, (*questions, Question("Who is mentioned ?", 2, PEOPLE))))
    for noun in ("cat", "dog"):
        words = ("the", noun, "saw", "a", "cat")
        tags = tuple(TAGS[word] for word in words)
        told += [
            Story("tags", words, (Question("What are the tags ?", 5, tags, per_fact=True),), facts_are_words=True)
        ] * 3
    return told


def vectors(folder: Path, vocabulary: Vocabulary) -> FoundVectors:
    return FoundVectors(list(VECTORS), np.array([*VECTORS.values()], np.float32), [], ["cellar"], {"path": "by hand"})


def finish(seed: int, training: Training) -> None:
    for _ in training.events():
        pass


def main() -> None:
    torch.set_num_threads(1)
    tokenizer = WhitespaceTokenizer("en", True, json.dumps(RULES).encode())
    splits = [(("train", "train", "train", "valid", "test")[i % 5], story) for i, story in enumerate(stories())]
    data = HERE / f"data-{layout.FORMAT_VERSION}"
    if not data.exists():
        writer.write(data, splits, tokenizer, {"format": "by hand"}, vectors)
    quick = {"model.hidden": 6, "model.dropout": 0.0, "model.passes": 2, "training.epochs": 60}
    quick |= {"training.learning_rate": 0.03, "training.batch_size": 8, "training.flawless": 10**6}
    device = torch.device("cpu")
    model = HERE / f"model-{stored.FORMAT_VERSION}"
    with tempfile.TemporaryDirectory() as folder:
        seeds = Seeds([DataSet(data)], Path(folder), load(overrides=[*quick.items()]), [1, 2], ensemble=True)
        train(seeds, device, finish)
        shutil.copytree(Path(folder) / "model", model)
    report = evaluate(directory.load(model).network, Joint.of([DataSet(data)]).batches("test"), device)
    (HERE / f"report-{stored.FORMAT_VERSION}.json").write_text(json.dumps(report.tasks, indent=1) + "\n")


if __name__ == "__main__":
    main()
