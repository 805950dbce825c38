"""The prepared data set on disk: what `dmn prepare` writes and everything else reads.

    DIR/dataset.json        name, tasks, counts, tokenizer; written last
    DIR/vocabulary.json     words and answers
    DIR/sentences.arrow     each distinct sentence once: words (list of word ids), text
    DIR/{train,valid,test}.arrow   a row a story: task, facts (sentence ids), and for each of its questions the
                            sentence id, the position (how many facts it sees), the answer ids, the support positions

Arrow IPC files, uncompressed, written in record batches as stories arrive and read memory-mapped: neither way does
memory grow with the data. (What is held for each story is its length: 8 bytes.)
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from dmn_cli.data.tokenizers import Tokenizer
from dmn_cli.data.vocabulary import END, Vocabulary, load_versioned_json
from dmn_cli.errors import DataError
from dmn_cli.files import atomic_directory, write_json
from dmn_cli.records import Example, Story

FORMAT_VERSION = 1
SPLITS = ("train", "valid", "test")
_ROWS = 8192  # stories, or sentences, in one record batch
_CACHE = 1_000_000  # distinct sentences remembered while writing; past it, one may be stored again

_ids = pa.list_(pa.int32())
_SENTENCES = pa.schema([("words", _ids), ("text", pa.string())])
_STORIES = pa.schema(
    [
        ("task", pa.int16()),
        ("facts", _ids),
        ("questions", _ids),
        ("positions", _ids),
        ("answers", pa.list_(_ids)),
        ("supports", pa.list_(_ids)),
    ]
)


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
        self.sentence_ids: dict[str, int] = {}
        self.sentence_words: list[np.ndarray] = []
        self.sentences = _Table(folder / "sentences.arrow", _SENTENCES)
        self.splits = {split: _Table(folder / f"{split}.arrow", _STORIES) for split in SPLITS}
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
        answers = [[self.vocabulary.answers.add(word) for word in question.answer] for question in questions]
        for answer in answers:
            if 0 in answer:
                raise DataError(f"{END!r} can't be an answer: it is what ends one")
            self.answer_counts[split].add(answer)
            self.longest_answer = max(self.longest_answer, len(answer))
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


def write(
    out: Path, stories: Iterable[tuple[str, Story]], tokenizer: Tokenizer, source: dict[str, Any]
) -> dict[str, Any]:
    """Writes a data set from (split, story) pairs, all or nothing, and returns what its dataset.json says.

    `source` says where the stories came from and is kept. Raises: DataError where there is no story.
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
        writer.vocabulary.save(folder / "vocabulary.json")
        summary = {
            "format_version": FORMAT_VERSION,
            "name": out.name,
            "source": source,
            "tasks": list(writer.tasks),
            "splits": writer.counts,
            "sentences": writer.sentences.written,
            "words": len(writer.vocabulary.words) - 2,
            "answers": len(writer.vocabulary.answers) - 1,
            "longest_story": writer.longest_story,
            "longest_answer": writer.longest_answer,
            "questions_with_support": writer.supports,
            "tokenizer": tokenizer.spec,
            "sha256": {path.name: _sha256(path) for path in sorted(folder.iterdir())},
        }
        write_json(folder / "dataset.json", summary)
    return summary


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class Ragged:
    """Rows of different lengths, end to end: row i is values[offsets[i]:offsets[i + 1]]."""

    offsets: np.ndarray
    values: np.ndarray

    def take(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The values of some rows, end to end, and the length of each."""
        starts = self.offsets[rows].astype(np.int64)
        lengths = self.offsets[rows + 1] - starts
        return self.values[spans(starts, lengths)], lengths


def spans(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """The numbers starts[0], starts[0] + 1, …, then those from starts[1], and so on, as one array."""
    ends = np.cumsum(lengths)
    return np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - (ends - lengths), lengths)


class _Column:
    """A list column of a chunked table, as numpy views on the file; gathers rows across chunks."""

    def __init__(self, chunks: list[pa.ListArray]) -> None:
        self.parts = [Ragged(c.offsets.to_numpy(), c.values.to_numpy()) for c in chunks]
        self.starts = np.cumsum([0, *(len(p.offsets) - 1 for p in self.parts)])

    def take(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if len(self.parts) == 1:
            return self.parts[0].take(rows)
        # the rows of each chunk in one go, then back into the order asked for
        chunk = np.searchsorted(self.starts, rows, side="right") - 1
        order = np.argsort(chunk, kind="stable")
        taken = [self.parts[c].take(rows[chunk == c] - self.starts[c]) for c in np.unique(chunk)]
        values = np.concatenate([np.empty(0, np.int32), *(v for v, _ in taken)])
        lengths = np.concatenate([np.empty(0, np.int64), *(n for _, n in taken)])
        starts = np.empty(len(rows), np.int64)
        starts[order] = np.cumsum(lengths) - lengths
        in_order = np.empty(len(rows), np.int64)
        in_order[order] = lengths
        return values[spans(starts, in_order)], in_order

    @cached_property
    def lengths(self) -> np.ndarray:
        return np.concatenate([np.empty(0, np.int32), *(np.diff(p.offsets) for p in self.parts)])


_AGAIN = "Run dmn prepare again."


def _open(path: Path, schema: pa.Schema, check: Callable[[str], None]) -> list[pa.RecordBatch]:
    """`check` is asked about the file's name before its rows are believed."""
    try:
        reader = pa.ipc.open_file(pa.memory_map(str(path)))
        if not reader.schema.equals(schema):
            raise DataError("does not have the columns of a prepared data set", where=path)
        check(path.name)
        return [reader.get_batch(i) for i in range(reader.num_record_batches)]
    except FileNotFoundError as error:
        raise DataError("is missing from the data set", where=path, hint=_AGAIN) from error
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"is damaged ({error})", where=path, hint=_AGAIN) from error


class Sentences:
    """All distinct sentences of a data set."""

    def __init__(self, path: Path, check: Callable[[str], None]) -> None:
        batches = _open(path, _SENTENCES, check)
        self.words = _Column([batch.column("words") for batch in batches])
        self._texts = pa.chunked_array([batch.column("text") for batch in batches], pa.string())

    def text(self, number: int) -> str:
        return self._texts[int(number)].as_py()


class Split:
    """The stories of one split. Questions are numbered through: story i has those from question_offset[i] on."""

    def __init__(self, path: Path, check: Callable[[str], None]) -> None:
        batches = _open(path, _STORIES, check)
        self.task = np.concatenate([np.empty(0, np.int16), *(batch.column("task").to_numpy() for batch in batches)])
        self.facts = _Column([batch.column("facts") for batch in batches])
        self.questions = _Column([batch.column("questions") for batch in batches])
        self.positions = _Column([batch.column("positions") for batch in batches])
        self.answers = _Column([batch.column("answers").values for batch in batches])  # a row a question
        self.supports = _Column([batch.column("supports").values for batch in batches])
        self.question_offset = np.concatenate([[0], np.cumsum(self.questions.lengths, dtype=np.int64)])

    @property
    def stories(self) -> int:
        return len(self.task)

    def __len__(self) -> int:
        return int(self.question_offset[-1])


class DataSet:
    """A prepared data set, opened for reading.

    Raises: DataError where the folder isn't one, is damaged, or was written by a newer dmn.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_dir():
            raise DataError(
                "there is no such data set",
                where=path,
                hint="Make one with dmn prepare; dmn prepare --help says how.",
            )
        self.path = path
        self.summary = load_versioned_json(path / "dataset.json", FORMAT_VERSION, DataError)
        missing = {"tasks", "tokenizer", "longest_answer", "sha256"} - self.summary.keys()
        if missing or not isinstance(self.summary["tasks"], list):
            raise DataError(
                f"is damaged: it lacks {min(missing, default='tasks')}", where=path / "dataset.json", hint=_AGAIN
            )
        self.vocabulary = Vocabulary.load(path / "vocabulary.json")
        self._check("vocabulary.json")
        self.sentences = Sentences(path / "sentences.arrow", self._check)

    def _check(self, name: str) -> None:
        if _sha256(self.path / name) != self.summary["sha256"].get(name):
            raise DataError("is damaged: it isn't the file that was written", where=self.path / name, hint=_AGAIN)

    @property
    def tasks(self) -> list[str]:
        return self.summary["tasks"]

    @cached_property
    def fingerprint(self) -> str:
        """Changes whenever the data does."""
        digest = hashlib.sha256()
        for name in ("dataset.json", "vocabulary.json"):
            digest.update((self.path / name).read_bytes())
        return digest.hexdigest()[:16]

    def example(self, split: Split, row: int) -> Example:
        """Question number `row` of a split, as text."""
        story = int(np.searchsorted(split.question_offset, row, side="right")) - 1
        nth = row - split.question_offset[story]
        one = np.array([story])
        facts = split.facts.take(one)[0][: split.positions.take(one)[0][nth]]
        answers = self.vocabulary.answers.items
        return Example(
            task=self.tasks[split.task[story]],
            facts=[self.sentences.text(number) for number in facts],
            question=self.sentences.text(int(split.questions.take(one)[0][nth])),
            answer=[answers[i] for i in split.answers.take(np.array([row]))[0]],
            support=split.supports.take(np.array([row]))[0].tolist(),
        )

    def split(self, name: str) -> Split:
        """Raises: DataError where the split is empty."""
        split = Split(self.path / f"{name}.arrow", self._check)
        if not len(split):
            raise DataError(f"has no questions for {name}", where=self.path)
        return split
