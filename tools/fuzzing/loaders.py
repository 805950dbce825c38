"""Reads a file as dmn does, up to the end: one function for each door that strangers' files come in by.

They return where a file is read, and raise a DmnError where it is refused. Anything else is a finding.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from dmn_cli.errors import DmnError
from fuzzing.samples import GOLDEN, SOUND, WORDS, predictions

SPLIT, SEED = "train", 1
_ASKED = 1 << 20  # bytes of a text that is asked about
_SYMMETRIC = {"mary", "john", "mouse", "mice", "cat", "cats", "north", "south", "n", "s", "east", "west"}


def consume(values: Any) -> None:
    for _ in values:
        pass


@cache
def cut() -> Any:
    """English sentences and words, by the rules that the model which comes with dmn has."""
    from dmn_cli.artifact import stored
    from dmn_cli.data.words.rules import Rules

    rules = Rules((stored.find(Path("demo")) / "rules.json").read_bytes())
    return {"sentences": rules.sentences, "words": rules.words}


@cache
def whitespace() -> Any:
    from dmn_cli.data.words.tokenizer import WhitespaceTokenizer

    return WhitespaceTokenizer("en", True, (GOLDEN / "model-1" / "rules.json").read_bytes())


@cache
def predictor() -> Any:
    """One that is sound."""
    from dmn_cli.answering.predictor import Predictor

    return Predictor(GOLDEN / "model-1", top=2)


def archive(path: Path) -> None:
    from dmn_cli.data.sources import archives

    archives.names(path)
    archives.size([path])
    for member in archives.members(path):
        consume(member.lines())


def babi(path: Path) -> None:
    from dmn_cli.data.formats import babi_files

    with babi_files.find([path], None, None, skip_missing=True) as found:
        consume(found.stories(SEED))


def sst(path: Path) -> None:
    from dmn_cli.data.formats import sst

    files = sst.find([path])
    consume(sst.read(files, 5, "all", SEED))
    consume(sst.read(files, 2, "root", SEED))


def trees(path: Path) -> None:
    """Kept as trees, and asked about."""
    from dmn_cli.data.formats import sst
    from dmn_cli.data.words.trees import TreeTokenizer

    files, cut = sst.find([path]), TreeTokenizer(whitespace(), sst.FIVE)

    def asked() -> None:
        for text in cut.sentences(path.read_bytes()[:_ASKED].decode("utf-8", "replace")):
            _ = cut(text), cut.words(text)

    _tried(
        lambda: consume(sst.read_trees(files, 5, "all", SEED)),
        lambda: consume(sst.read_trees(files, 2, "root", SEED)),
        asked,
    )


def pictures(path: Path) -> None:
    """A folder of them with JSON lines."""
    from dmn_cli.data.formats.images import lines
    from dmn_cli.data.formats.images.asked import pictured

    found = pictured(lines.read([path], "task"), SEED, side=16, grid=2)
    consume(found.stories(lambda n: None))
    consume(found.pictures.read())


def tagged(path: Path) -> None:
    from dmn_cli.data.formats import tagged

    sources = tagged.find([path])
    tagged.describe(sources, "upos", None, word_column=None, tag_column=None)
    consume(tagged.read(sources, "pos", SEED))


def jsonl(path: Path) -> None:
    from dmn_cli.data.formats import jsonl
    from dmn_cli.data.sources import archives

    archives.chosen([path], jsonl.is_jsonl)
    for split, story in jsonl.read([path], "task", SEED, cut()):
        consume(line.encode() for line in jsonl.lines(split, story))


def table(path: Path) -> None:
    """As it is prepared, and as it is answered."""
    from dmn_cli.data.formats import table, table_copy, table_files
    from dmn_cli.data.formats.table_survey import Survey
    from dmn_cli.data.formats.table_text import Written

    columns, written = table.Columns(("subject", "body"), "label", "split", ";"), Written()
    rows = partial(table.rows, [path], columns, written)
    survey = Survey.of(rows(), SEED)
    survey.divide(None, None)
    survey.as_json()
    consume(table.read(rows(), survey.splits, "task", "Which?", cut(), several=True))
    with table_files.one_table(path, written, ["subject"]) as opened:
        out = io.BytesIO()
        with table_copy.copy(opened, out, {"answer": str, "confidence": float}) as made:
            for record in made.records(["subject"]):
                made.add(record, ("red", 0.5))


def trec(path: Path) -> None:
    """As the recipe says, and then as JSON lines."""
    from recipes import trec

    try:
        text = "\n".join(trec.lines(path))
    except SystemExit:
        return
    lines = path.with_name("lines.jsonl")
    lines.write_text(text, encoding="utf-8")
    jsonl(lines)


def vectors(path: Path) -> None:
    from dmn_cli.data.vectors import files, read

    files.check(files.find(str(path)))
    read.read(str(path), WORDS, extra=2, folder=path.parent)


def text(path: Path) -> None:
    """What --read reads: prepared, and opened."""
    from dmn_cli.data.text.batches import TextBatches
    from dmn_cli.data.text.prepare import prepare
    from dmn_cli.data.words.vocabulary import Vocabulary

    made = prepare(path.with_name("made"), [path], whitespace())
    batches = TextBatches([made], Vocabulary.load(GOLDEN / "model-1" / "vocabulary.json"))
    batches.take(batches.held_out)


def prepared_text(path: Path) -> None:
    from dmn_cli.data.text.batches import TextBatches
    from dmn_cli.data.text.store import Text, frequent
    from dmn_cli.data.words.vocabulary import Vocabulary
    from dmn_cli.reporting.info import describe

    describe(path)
    known = Vocabulary.load(GOLDEN / "model-1" / "vocabulary.json")
    made = Text(path)
    frequent([made], known.words, 10)
    batches = TextBatches([made], known)
    for ids in batches.plan(SEED, 1, 100):
        batches.take(ids)


def config(path: Path) -> None:
    from dmn_cli.settings.load import is_settings, keys_given, load, to_toml

    is_settings(path)
    keys_given(path, [])
    to_toml(load(config=path))


def override(path: Path) -> None:
    """What is after --set."""
    from dmn_cli.settings.load import load, parse_override

    load(overrides=[parse_override(path.read_bytes().decode("utf-8", "surrogateescape"))])


def symmetries(path: Path) -> None:
    from dmn_cli.data.symmetries.files import as_json, check, describe, from_json, from_toml, read, to_toml

    found = read(path)
    from_toml(to_toml(found), path)
    for task, one in found.items():
        describe(one)
        from_json(as_json(one), task)
        check(one, _SYMMETRIC, ["mary", "john"], path)


def marked(path: Path) -> None:
    """What a baseline and two files of predictions go through."""
    from dmn_cli.cli.gate import read_predictions
    from dmn_cli.evaluation.compare import Comparison
    from dmn_cli.evaluation.gate import Gate
    from dmn_cli.evaluation.marked import Predictions
    from dmn_cli.notation import to_json

    other = Predictions.read("other", predictions().splitlines())
    found = read_predictions(path)
    comparison = Comparison.of(other, found)
    to_json([comparison.as_json(), Gate(str(path), comparison, 0.01).as_json()])


def model(path: Path) -> None:
    """Described, loaded and asked."""
    from dmn_cli.answering.predictor import Predictor
    from dmn_cli.notation import json_line
    from dmn_cli.reporting.about import about
    from dmn_cli.reporting.info import describe

    for door in (describe, about, partial(_ask, make=Predictor)):
        _tried(lambda door=door: json_line(door(path)) if door is describe else door(path))


def _ask(path: Path, make: Callable[..., Any]) -> None:
    from dmn_cli.notation import json_line

    asked = make(path, top=2, why=True)
    for story, question in (
        ("Mary is in the garden . John is in the attic .", "Where is Mary ?"),
        (["Zoe is in the kitchen ."], "Who is mentioned ?"),
        ("the cat saw a dog", "What are the tags ?"),
    ):
        json_line(asked.answer(story, question).as_json())


def _tried(*doors: Callable[[], Any]) -> None:
    """Each is tried, even where one before it refuses. Raises what the last one that refused has raised."""
    refused = None
    for door in doors:
        try:
            door()
        except DmnError as error:
            refused = error
    if refused:
        raise refused


def data(path: Path) -> None:
    """Described, read through, and answered by a model."""
    from dmn_cli.answering.judge import BindingJudge
    from dmn_cli.data.batches import Batches
    from dmn_cli.data.joint import Joint
    from dmn_cli.data.store.reader import DataSet
    from dmn_cli.evaluation.report import evaluate
    from dmn_cli.notation import json_line
    from dmn_cli.reporting.info import describe

    def measured() -> None:
        opened = DataSet(path)
        known = predictor().model
        splits = [Batches.of(opened, "test", known.vocabulary, opened.tasks)]
        evaluate(known.network, splits, known.network.word_table.weight.device, judge=BindingJudge(known))

    def trained() -> None:
        opened = DataSet(path)
        joint = Joint.of([opened], symmetries=True)
        _ = opened.tokenizer_files(), opened.vectors, joint.vocabulary, joint.names(), joint.question, joint.table
        consume(joint.train[0].batch(stories) for stories in joint.train[0].plan(16))
        consume(opened.examples(split := opened.split(SPLIT), np.arange(len(split))))

    _tried(lambda: json_line(describe(path)), measured, trained)


def run(path: Path) -> None:
    """Described, and gone on with."""
    import torch

    from dmn_cli.notation import json_line
    from dmn_cli.reporting.about import about
    from dmn_cli.reporting.info import describe
    from dmn_cli.training import checkpoint
    from dmn_cli.training.run import METRICS, keep_lines
    from dmn_cli.training.seeds import so_many
    from dmn_cli.training.start import Start
    from dmn_cli.training.to_read import ToRead
    from dmn_cli.training.tuning import trials

    _tried(
        lambda: json_line(describe(path)),
        lambda: about(path),
        lambda: checkpoint.last(path, torch.device("cpu")),
        lambda: Start.load(path),
        lambda: ToRead.load(path),
        lambda: so_many(2, 1, path) if (path / "seeds.json").exists() else None,
        lambda: trials.read(path),
        lambda: keep_lines(path / METRICS, lambda line: line["epoch"] < 1),
    )


def pieces(path: Path) -> None:
    from dmn_cli.data.words.spec import Choice

    tokenizer = Choice("sentencepiece", pieces=str(path)).tokenizer()
    words: Any = tokenizer
    words.spelled(words("Mary moved to the garden. Zoë didn't!"))


def batch(path: Path) -> None:
    from dmn_cli.answering.stream import answers
    from dmn_cli.cli.input import lines_of

    with lines_of(str(path)) as lines:
        consume(answers(predictor(), lines, processes=1))


def story(path: Path) -> None:
    from dmn_cli.cli.input import text_of

    told = text_of(str(path))
    for question in ("Where is Mary ?", "What are the tags ?"):
        predictor().answer(told, question).as_json()


_COMMANDS: dict[str, tuple[str, ...]] = {
    "qa1_x_train.txt": ("prepare", "babi", "FILE", "--out", "OUT"),
    "train.txt": ("prepare", "sst", "FILE", "--out", "OUT"),
    "a.conllu": ("prepare", "tagged", "FILE", "--out", "OUT"),
    "a.jsonl": ("prepare", "jsonl", "FILE", "--out", "OUT"),
    "t.csv": ("prepare", "table", "FILE", "--input", "subject,body", "--label", "label", "--out", "OUT"),
    "v.txt": ("prepare", "jsonl", "SOUND", "--vectors", "FILE", "--out", "OUT"),
    "s.toml": ("prepare", "jsonl", "SOUND", "--symmetries", "FILE", "--out", "OUT"),
    "c.toml": ("train", "DATA", "--config", "FILE", "--epochs", "none", "--out", "OUT"),
    "p.jsonl": ("compare", "FILE", "FILE"),
    "q.jsonl": ("ask", "MODEL", "--batch", "FILE"),
    "s.txt": ("ask", "MODEL", "--story", "FILE", "--question", "Where is Mary ?", "--json"),
}


def command(path: Path) -> None:
    """The program itself, in this process, with the one file of a folder. Raises: AssertionError where it fails as it
    shouldn't."""
    from dmn_cli.cli.app import main

    (file,) = path.iterdir()
    sound = path.with_name("sound.jsonl")
    sound.write_bytes(SOUND)
    places = {"FILE": file, "OUT": path / "out", "SOUND": sound, "MODEL": GOLDEN / "model-1", "DATA": GOLDEN / "data-1"}
    args = [str(places.get(word, word)) for word in _COMMANDS[file.name]]
    code: Any = 0
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="backslashreplace") for _ in range(2))
    with (
        mock.patch.object(sys, "argv", ["dmn", *args]),
        mock.patch.multiple(sys, stdin=io.TextIOWrapper(io.BytesIO(), encoding="utf-8"), stdout=out, stderr=err),
        mock.patch.dict(os.environ),
    ):
        try:
            main()
        except SystemExit as ended:
            code = ended.code or 0
    sound.unlink()
    err.flush()
    said = err.buffer.getvalue().decode()  # type: ignore[attr-defined]
    if code not in range(7) or "Traceback" in said or bool(code) != ("error: " in said):
        raise AssertionError(f"exit {code}: {said[-600:]}")
    if code:
        refused = DmnError(said)
        refused.exit_code = int(code)
        raise refused
