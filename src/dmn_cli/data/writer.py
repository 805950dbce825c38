"""Stories → a prepared data set, as a stream: what `dmn prepare` writes. Its files are described in `store.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from safetensors.numpy import save

from dmn_cli.data.store import FORMAT_VERSION, SENTENCES, SPLITS, STORIES, VECTORS, file_digest
from dmn_cli.data.tokenizers import Tokenizer
from dmn_cli.data.vectors import WordVectors
from dmn_cli.data.vocabulary import END, Vocabulary
from dmn_cli.errors import DataError
from dmn_cli.files import atomic_directory, write_json
from dmn_cli.records import Form, Story

_ROWS = 8192  # stories, or sentences, in one record batch
_CACHE = 1_000_000  # distinct sentences remembered; past it, one may be stored again


class _Table:
    """Rows that go to an Arrow file in record batches."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.schema, self.rows, self.written = schema, [], 0
        self.file = path.open("wb")
        self.writer = pa.ipc.new_file(self.file, schema)

    def add(self, row: tuple[Any, ...]) -> int:
        self.rows.append(row)
        if len(self.rows) == _ROWS:
            self.flush()
        return self.written + len(self.rows) - 1

    def flush(self) -> None:
        if self.rows:
            columns = [
                pa.array(column, field.type)
                for column, field in zip(zip(*self.rows, strict=True), self.schema, strict=True)
            ]
            self.writer.write_batch(pa.record_batch(columns, schema=self.schema))
            self.written += len(self.rows)
            self.rows = []

    def close(self) -> None:
        try:
            self.flush()
            self.writer.close()
        finally:
            self.file.close()


class _Writer:
    """Turns stories into rows of numbers, giving words, answers and sentences their numbers as they come."""

    def __init__(self, folder: Path, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self.vocabulary = Vocabulary()
        self.tasks: dict[str, int] = {}
        self.forms: dict[str, Form] = {}  # of the questions that have one of their own
        self.sentence_ids: dict[str, int] = {}
        self.sentences = _Table(folder / "sentences.arrow", SENTENCES)
        self.splits = {split: _Table(folder / f"{split}.arrow", STORIES) for split in SPLITS}
        self.words_of: dict[int, list[int]] = {}
        self.word_counts = {split: Counts() for split in SPLITS}
        self.answer_counts = {split: Counts() for split in SPLITS}
        self.counts = {split: dict.fromkeys(("stories", "questions", "facts"), 0) for split in SPLITS}
        self.longest_story = self.longest_answer = 0
        self.supports = 0

    def sentence(self, text: str, split: str) -> int:
        number = self.sentence_ids.get(text)
        if number is None:
            if len(self.sentence_ids) >= _CACHE:
                self.sentence_ids, self.words_of = {}, {}
            words = [self.vocabulary.words.add(word) for word in self.tokenizer(text)]
            if not words:
                raise DataError(f"a sentence has no words: {text!r}")
            number = self.sentence_ids[text] = self.sentences.add((words, text))
            self.words_of[number] = words
        self.word_counts[split].add(self.words_of[number])
        return number

    def add(self, split: str, story: Story) -> None:
        facts = [self.sentence(fact, split) for fact in story.facts]
        questions = story.questions
        for question in questions:
            if self.forms or story.words or question.each:
                self.form(question.text, Form(story.words, question.each))
        answers = [[self.vocabulary.answers.add(word) for word in question.answer] for question in questions]
        for answer in answers:
            if 0 in answer:
                raise DataError(f"{END!r} can't be an answer: it is what ends one")
            self.answer_counts[split].add(answer)
        self.longest_answer = max(self.longest_answer, *(len(q.answer) for q in questions if not q.each), 0)
        self.splits[split].add(
            (
                self.tasks.setdefault(story.task, len(self.tasks)),
                facts,
                [self.sentence(question.text, split) for question in questions],
                [question.position for question in questions],
                answers,
                [question.support for question in questions],
            )
        )
        counts = self.counts[split]
        counts["stories"] += 1
        counts["questions"] += len(questions)
        counts["facts"] += len(facts)
        self.longest_story = max(self.longest_story, len(facts))
        self.supports += sum(bool(question.support) for question in questions)

    def form(self, question: str, form: Form) -> None:
        """One wording, one form: that is how a model tells them apart. A question that came up earlier in the usual
        form is found out only if it comes up again."""
        if form != self.forms.setdefault(question, form):
            raise DataError(
                f"the question {question!r} is asked of words and of sentences, or answered once and at each fact",
                hint="Word the two questions differently.",
            )

    def close(self) -> None:
        with ExitStack() as stack:  # each is closed, whatever becomes of the others
            for table in (self.sentences, *self.splits.values()):
                stack.callback(table.close)
        for index, counts in (
            (self.vocabulary.words, self.word_counts),
            (self.vocabulary.answers, self.answer_counts),
        ):
            index.counts = {split: counts[split].padded(len(index)) for split in SPLITS}


class Counts:
    """How often each number was seen."""

    def __init__(self) -> None:
        self.values: list[int] = []

    def add(self, ids: list[int]) -> None:
        for i in ids:
            if i >= len(self.values):
                self.values.extend([0] * (i + 1 - len(self.values)))
            self.values[i] += 1

    def padded(self, size: int) -> list[int]:
        return self.values + [0] * (size - len(self.values))


Vectors = Callable[[Path, Vocabulary], WordVectors]
"""Finds vectors for a vocabulary, with its counts; the folder is that in which the stories are."""


def write(
    out: Path,
    stories: Iterable[tuple[str, Story]],
    tokenizer: Tokenizer,
    source: dict[str, Any],
    vectors: Vectors | None = None,
) -> dict[str, Any]:
    """Writes a data set from (split, story) pairs, all or nothing, and returns what its dataset.json says.

    `source` says where the stories came from and is kept. `vectors` is asked for word vectors once all stories are
    written. Raises: DataError where there is no story, and what `vectors` raises.
    """
    with atomic_directory(out) as folder:
        writer = _Writer(folder, tokenizer)
        try:
            for split, story in stories:
                writer.add(split, story)
        finally:
            writer.close()
        if not any(counts["stories"] for counts in writer.counts.values()):
            raise DataError("there is no story in it", where=source.get("path"))
        words = len(writer.vocabulary.words) - 2  # without extra ones
        attached = {"vectors": _attach(folder, writer.vocabulary, vectors)} if vectors else {}
        writer.vocabulary.save(folder / "vocabulary.json")
        for name, content in tokenizer.files.items():
            (folder / name).write_bytes(content)
        summary = {
            "format_version": FORMAT_VERSION,
            "name": out.name,
            "source": source,
            "tasks": list(writer.tasks),
            "splits": writer.counts,
            "sentences": writer.sentences.written,
            "words": words,
            "answers": len(writer.vocabulary.answers) - 1,
            "longest_story": writer.longest_story,
            "longest_answer": writer.longest_answer,
            "questions_with_support": writer.supports,
            "forms": {question: form._asdict() for question, form in writer.forms.items() if any(form)},
            "tokenizer": tokenizer.spec,
            **attached,
            "sha256": {path.name: file_digest(path) for path in sorted(folder.iterdir())},
        }
        write_json(folder / "dataset.json", summary)
    return summary


def _attach(folder: Path, vocabulary: Vocabulary, vectors: Vectors) -> dict[str, Any]:
    """Writes the vectors of the words, adds the extra words to the vocabulary, and returns what dataset.json says."""
    found = vectors(folder, vocabulary)
    wanted = len(vocabulary.words)
    vocabulary.extra = found.extra
    vocabulary.words.add_unseen(found.extra)
    ids = np.array([vocabulary.words.ids[word] for word in found.words], np.int32)
    (folder / VECTORS).write_bytes(save({"ids": ids, "vectors": found.vectors}))
    known = np.zeros(len(vocabulary.words), bool)
    known[ids] = True
    return {
        "file": VECTORS,
        "origin": found.origin,
        "size": found.vectors.shape[1],
        "found": int(known[:wanted].sum()),
        "by_case": len(found.by_case),
        "extra": len(found.extra),
        "coverage": {split: _coverage(known, np.array(vocabulary.words.counts[split])) for split in SPLITS},
    }


def _coverage(known: np.ndarray, counts: np.ndarray) -> dict[str, int]:
    """How many of a split's words have a vector: each once (types), and as often as it occurs (tokens)."""
    return {
        "types": int((counts > 0).sum()),
        "types_found": int((counts[known] > 0).sum()),
        "tokens": int(counts.sum()),
        "tokens_found": int(counts[known].sum()),
    }
