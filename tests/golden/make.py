"""Makes golden files of today's format versions: python tests/golden/make.py

They are made once for each format version and then never again: later versions of dmn must read them.

data-N, model-N   a data set, a model
run-N             a run that was stopped in its third epoch; run-N.json has what its fourth one comes to
reading-N         a run that was stopped while it read; start-N what such a run has read in the end
seeds-N, tune-N   what a training with several seeds, and a search for settings, know of themselves

run-2, and model-1-text and run-3-text, whose networks have all that is for text, were made by what dmn was then.
"""

import json
import shutil
import tempfile
from pathlib import Path

import numpy as np
import torch

from dmn_cli.artifact import directory, stored, trained_on
from dmn_cli.data.joint import Joint
from dmn_cli.data.store import layout, writer
from dmn_cli.data.store.reader import DataSet
from dmn_cli.data.vectors.found import FoundVectors
from dmn_cli.data.words.tokenizer import WhitespaceTokenizer
from dmn_cli.data.words.vocabulary import Vocabulary
from dmn_cli.evaluation.report import evaluate
from dmn_cli.records.text import Question, Story
from dmn_cli.settings.load import load
from dmn_cli.training import checkpoint, reading, saved, seeds, start
from dmn_cli.training.loop import Training
from dmn_cli.training.reading import ReadingStopped
from dmn_cli.training.to_read import ToRead
from dmn_cli.training.tuning import search
from dmn_cli.training.tuning.budget import Budget
from dmn_cli.training.tuning.search import Search

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


CPU = torch.device("cpu")
SMALL = {"model.hidden": 6, "model.dropout": 0.0, "model.passes": 2}
SMALL |= {"training.learning_rate": 0.03, "training.batch_size": 8, "training.flawless": 10**6}


def finish(seed: int, training: Training) -> None:
    for _ in training.events():
        pass


def run(data: DataSet, out: Path) -> None:
    """Whose weights are small, and whose path names nothing of this machine."""
    settings = load(overrides=[*SMALL.items(), ("training.epochs", 4)])
    with tempfile.TemporaryDirectory() as folder:
        for name, last in (("stopped", 2), ("whole", 4)):
            training = Training([data], Path(folder) / name, settings, CPU)
            training.begin()
            state = training.state
            for _ in training.events(lambda state=state, last=last: state.epoch > last and state.step > 0):
                pass
        keep(Path(folder) / "stopped", out)
        figures = json.loads((Path(folder) / "whole" / "metrics.jsonl").read_text().splitlines()[-1])
    wanted = {key: figures[key] for key in ("epoch", "loss", "gate_loss", "valid_loss")}
    out.with_suffix(".json").write_text(json.dumps(wanted, indent=1) + "\n")


def read(data: DataSet, stopped: Path, done: Path) -> None:
    settings = load(overrides=[*SMALL.items(), ("model.sentence", "gru"), ("reading.epochs", 4)])
    with tempfile.TemporaryDirectory() as folder:
        path, text = Path(folder) / "run", Path(folder) / "text.txt"
        text.write_text("Mary is in the garden . John is in the kitchen .\n" * 40)
        training = Training([data], path, settings, CPU)
        training.begin()
        to_read = ToRead.of([text], 0, [data], settings)
        to_read.save(path)
        texts = to_read.texts(path, data)
        now = to_read.reading(texts, path, [data], settings, CPU, None)
        if not isinstance(list(now.events(lambda: now.state.epoch > 1))[-1], ReadingStopped):
            raise SystemExit("it has read everything")
        keep(path, stopped)
        for _ in to_read.reading(texts, path, [data], settings, CPU, None).events():
            pass
        made = (path / start.START).with_suffix(saved.SUFFIX)
        if not done.exists():
            (done / made.relative_to(path)).parent.mkdir(parents=True)
            shutil.copy(made, done / made.relative_to(path))
    record = json.loads((stopped / "reading.json").read_text())
    (stopped / "reading.json").write_text(json.dumps({**record, "paths": ["text.txt"]}, indent=1) + "\n")


def several(data: DataSet, of_seeds: Path, of_search: Path) -> None:
    """Without the runs in them."""
    settings = load(overrides=[*SMALL.items(), ("training.epochs", 1)])
    with tempfile.TemporaryDirectory() as folder:
        both = seeds.Seeds([data], Path(folder) / "seeds", settings, [1, 2])
        seeds.train(both, CPU, finish)
        found = Search(
            [data],
            Path(folder) / "tune",
            settings,
            Budget.parse("400-questions"),
            CPU,
            wanted={"training.learning_rate"}.__contains__,
        )
        found.begin(force=False)
        for _ in found.events():
            pass
        keep(Path(folder) / "seeds", of_seeds, "seed-*", "model")
        keep(Path(folder) / "tune", of_search, "trial-*", "model")


def keep(path: Path, out: Path, *without: str) -> None:
    """A copy of a run in which data are named by their folder's name alone."""
    shutil.copytree(path, out, ignore=shutil.ignore_patterns(*without))
    record = json.loads((out / trained_on.RECORD).read_text())
    record["data"] = [{**one, "path": one["name"]} for one in record["data"]]
    (out / trained_on.RECORD).write_text(json.dumps(record, indent=1) + "\n")


def main() -> None:
    torch.set_num_threads(1)
    tokenizer = WhitespaceTokenizer("en", True, json.dumps(RULES).encode())
    splits = [(("train", "train", "train", "valid", "test")[i % 5], story) for i, story in enumerate(stories())]
    data = HERE / f"data-{layout.FORMAT_VERSION}"
    if not data.exists():
        writer.write(data, splits, tokenizer, {"format": "by hand"}, vectors)
    model = HERE / f"model-{stored.FORMAT_VERSION}"
    if not model.exists():
        settings = load(overrides=[*SMALL.items(), ("training.epochs", 60)])
        with tempfile.TemporaryDirectory() as folder:
            both = seeds.Seeds([DataSet(data)], Path(folder), settings, [1, 2], ensemble=True)
            seeds.train(both, CPU, finish)
            shutil.copytree(Path(folder) / "model", model)
        report = evaluate(directory.load(model).network, Joint.of([DataSet(data)]).batches("test"), CPU)
        (HERE / f"report-{stored.FORMAT_VERSION}.json").write_text(json.dumps(report.tasks, indent=1) + "\n")
    stopped = HERE / f"run-{checkpoint.FORMAT_VERSION}"
    if not stopped.exists():
        run(DataSet(data), stopped)
    reading_run, started = HERE / f"reading-{reading.FORMAT_VERSION}", HERE / f"start-{start.FORMAT_VERSION}"
    if not reading_run.exists() or not started.exists():
        read(DataSet(data), reading_run, started)
    of_seeds, of_search = HERE / f"seeds-{seeds.FORMAT_VERSION}", HERE / f"tune-{search.FORMAT_VERSION}"
    if not of_seeds.exists() or not of_search.exists():
        several(DataSet(data), of_seeds, of_search)


if __name__ == "__main__":
    main()
