"""Reads a prepared data set: memory-mapped, row by row."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from safetensors import SafetensorError
from safetensors.numpy import load_file

from dmn_cli.data.store import check as checks
from dmn_cli.data.store.check import AGAIN
from dmn_cli.data.store.layout import FORMAT_VERSION, FOUND, SENTENCES, STORIES, SUPPORTS, VECTORS, fingerprint_of
from dmn_cli.data.store.pictures import FILE, INDEX, StoredPictures
from dmn_cli.data.words.spec import file_names
from dmn_cli.data.words.trees import labels_of
from dmn_cli.data.words.vocabulary import Vocabulary
from dmn_cli.errors import DataError
from dmn_cli.files import file_digest, load_versioned_json, unreadable
from dmn_cli.records.ragged import spans
from dmn_cli.records.regions import PictureForm
from dmn_cli.records.text import Example, Form

_STORIES = 256  # how many are read at a time by what reads them all
_MAKE = "Make one with dmn prepare; dmn prepare --help says how."


class Column:
    """A list column of a file, in chunks. Rows are gathered from all chunks at once: the whole file is one array of
    integers, in which each chunk has its place."""

    def __init__(self, file: np.ndarray, chunks: list[pa.ListArray]) -> None:
        """`file`: (bytes / 4,) int32, the memory-mapped file that the chunks are views of."""
        self._file = file
        self._offsets = [chunk.offsets.to_numpy() for chunk in chunks]
        self._first_row = np.cumsum([0, *(len(offsets) - 1 for offsets in self._offsets)])[:-1]
        self._offsets_at = np.array([_place(offsets, file) for offsets in self._offsets])
        self._values_at = np.array([_place(chunk.values.to_numpy(), file) for chunk in chunks])

    def take(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The values of some rows, end to end, and the length of each."""
        chunk = np.searchsorted(self._first_row, rows, side="right") - 1 if len(self._offsets) != 1 else 0
        at = rows + (self._offsets_at - self._first_row)[chunk]
        starts = self._file[at].astype(np.int64)
        lengths = self._file[at + 1] - starts
        return self._file[spans(starts + self._values_at[chunk], lengths)], lengths

    @cached_property
    def lengths(self) -> np.ndarray:
        return np.concatenate([np.empty(0, np.int32), *(np.diff(offsets) for offsets in self._offsets)])


def _lists(taken: tuple[np.ndarray, np.ndarray]) -> list[list[int]]:
    """What `Column.take` gives, as a list a row."""
    values, end = taken[0].tolist(), taken[1].cumsum().tolist()
    return [values[first:last] for first, last in zip([0, *end], end, strict=False)]


def _place(part: np.ndarray, file: np.ndarray) -> int:
    """Where a view of a file begins in it."""
    return (part.ctypes.data - file.ctypes.data) // file.itemsize


Trust = Callable[[Path, list[pa.RecordBatch]], None] | None
"""Is called with a file and its record batches before these are used, and raises DataError where they can't be; None:
they were written just now."""


def _open(path: Path, schema: pa.Schema, trust: Trust) -> tuple[np.ndarray, list[pa.RecordBatch]]:
    """A file as an array of int32, and its record batches."""
    try:
        path.open("rb").close()  # of which Python says better than Arrow why it can't be read
        file = pa.memory_map(os.fsencode(path)).read_buffer()
        batches = list(checks.batches(file, schema))
        if trust is not None:
            trust(path, batches)
        return np.frombuffer(file, np.int32, count=file.size // 4), batches
    except DataError as error:
        raise DataError(error.message, where=error.where or path, hint=AGAIN) from error
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno:
            raise DataError(unreadable(error, "data set"), where=path, hint=AGAIN) from error
        raise DataError(f"is damaged ({error})", where=path, hint=AGAIN) from error


class Sentences:
    """All distinct sentences of a data set."""

    def __init__(self, path: Path, trust: Trust) -> None:
        file, batches = _open(path, SENTENCES, trust)
        self.words = Column(file, [batch.column("words") for batch in batches])
        self._texts = pa.chunked_array([batch.column("text") for batch in batches], pa.string())

    def __len__(self) -> int:
        return len(self._texts)

    def ids_of(self, texts: list[str]) -> np.ndarray:
        """The ids of some texts, in ascending order."""
        if not texts:
            return np.empty(0, np.int64)
        found = pc.is_in(self._texts, pa.array(texts, pa.string()))  # type: ignore[attr-defined]
        return np.flatnonzero(found.to_numpy())

    def text(self, sentence: int) -> str:
        return self._texts[int(sentence)].as_py()

    def texts(self, sentences: np.ndarray) -> list[str]:
        return self._texts.take(pa.array(sentences)).to_pylist()


class Split:
    """The stories of one split. Its questions are numbered throughout: those of story i begin at question_offset[i]."""

    def __init__(self, path: Path, trust: Trust) -> None:
        file, batches = _open(path, STORIES, trust)
        self.name = path.stem
        self.task = np.concatenate([np.empty(0, np.int16), *(batch.column("task").to_numpy() for batch in batches)])
        self.facts = Column(file, [batch.column("facts") for batch in batches])
        self.questions = Column(file, [batch.column("questions") for batch in batches])
        self.positions = Column(file, [batch.column("positions") for batch in batches])
        self.answers = Column(file, [batch.column("answers").values for batch in batches])  # one row per question
        self.supports = Column(file, [batch.column("supports").values for batch in batches])
        self.question_offset = np.concatenate([[0], np.cumsum(self.questions.lengths, dtype=np.int64)])

    @property
    def stories(self) -> int:
        return len(self.task)

    def __len__(self) -> int:
        return int(self.question_offset[-1])

    def story_of(self, rows: np.ndarray) -> np.ndarray:
        """The story that each of some questions is about."""
        return np.searchsorted(self.question_offset, rows, side="right") - 1


def summary_of(path: Path) -> dict[str, Any]:
    """dataset.json, of the data set in a folder. Raises: DataError where there is none, or it is damaged"""
    file = path / "dataset.json"
    if not path.is_dir():
        raise DataError("there is no such data set", where=path, hint=_MAKE)
    if not file.exists():
        raise DataError("is missing: the folder holds no data set", where=file, hint=_MAKE)
    summary = load_versioned_json(file, FORMAT_VERSION, DataError)
    checks.summary(summary, file)
    return summary


class DataSet:
    """A prepared data set, opened for reading.

    Raises: DataError where the folder isn't one, is damaged, or was written by a newer dmn.
    """

    def __init__(self, path: Path, *, trusted: bool = False) -> None:
        """trusted: it was written just now, and its files needn't be compared with their digests"""
        self._trusted = trusted
        self.path = path
        self.summary = summary_of(path)
        self.vocabulary = Vocabulary.load(path / "vocabulary.json")
        self._check("vocabulary.json")
        if not trusted:
            checks.counts(path / "vocabulary.json", self.vocabulary.words.counts, self.vocabulary.answers.counts)
        self.sentences = Sentences(path / "sentences.arrow", None if trusted else self._trust_sentences)

    def tokenizer_files(self) -> dict[str, bytes]:
        """What the tokenizer needs beside its spec. Raises: DataError where a file is missing or damaged."""
        try:
            names = file_names(self.summary["tokenizer"])
            for name in names:
                self._check(name)
            return {name: (self.path / name).read_bytes() for name in names}
        except OSError as error:
            raise DataError(unreadable(error, "data set"), where=error.filename, hint=AGAIN) from error

    def check(self) -> None:
        """Raises: DataError where a file is missing, or isn't the one that was written."""
        for name in self.summary["sha256"]:
            try:
                self._check(name)
            except OSError as error:
                raise DataError(unreadable(error, "data set"), where=error.filename, hint=AGAIN) from error

    def _trust_sentences(self, path: Path, batches: list[pa.RecordBatch]) -> None:
        self._check(path.name)
        checks.sentences(batches, len(self.vocabulary.words))

    def _trust_stories(self, path: Path, batches: list[pa.RecordBatch]) -> None:
        self._check(path.name)
        limits = {"tasks": len(self.tasks), "sentences": len(self.sentences), "answers": len(self.vocabulary.answers)}
        checks.stories(batches, **limits)

    def _check(self, name: str) -> None:
        if not self._trusted and file_digest(self.path / name) != self.summary["sha256"].get(name):
            raise DataError("is damaged: it isn't the file that was written", where=self.path / name, hint=AGAIN)

    @property
    def tasks(self) -> list[str]:
        return self.summary["tasks"]

    @cached_property
    def forms(self) -> dict[str, Form]:
        """The questions whose facts are words, that are answered at each fact, or whose answers are sets."""
        return {question: Form.from_json(form) for question, form in self.summary["forms"].items()}

    @property
    def labels(self) -> list[str] | None:
        """The answers that labels of its trees stand for; None: its facts are no trees."""
        return labels_of(self.summary["tokenizer"])

    @cached_property
    def unknown(self) -> int | None:
        """The answer id of the label that says that no fact answers; None where the data set has no such questions."""
        label = self.summary.get("unanswerable", {}).get("label")
        return self.vocabulary.answers.ids.get(label)

    def unanswerable(self, split: Split, rows: np.ndarray) -> np.ndarray:
        """Which of some questions of a split no fact answers. (rows,) bool"""
        answers, lengths = split.answers.take(rows)
        return answers[np.cumsum(lengths) - lengths] == (-1 if self.unknown is None else self.unknown)

    @cached_property
    def questions_in_any_order(self) -> np.ndarray:
        """The sentence ids of the questions whose answers are sets."""
        return self.sentences.ids_of([question for question, form in self.forms.items() if form.any_order])

    @cached_property
    def questions_per_fact(self) -> np.ndarray:
        """The sentence ids of the questions that are answered at each fact."""
        return self.sentences.ids_of([question for question, form in self.forms.items() if form.per_fact])

    @cached_property
    def vectors(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Word ids, (n,) int32, and their vectors, (n, size) float32; None where the data set has none.

        Raises: DataError where they are damaged.
        """
        if "vectors" not in self.summary:
            return None
        path = self.path / VECTORS
        try:
            self._check(VECTORS)
            arrays = load_file(path)
            ids, vectors = arrays["ids"], arrays["vectors"]
            checks.vectors(ids, vectors, len(self.vocabulary.words))
        except OSError as error:
            raise DataError(unreadable(error, "data set"), where=path, hint=AGAIN) from error
        except (SafetensorError, KeyError, TypeError) as error:
            raise DataError(f"is damaged ({error})", where=path, hint=AGAIN) from error
        return ids, vectors

    @cached_property
    def picture_form(self) -> PictureForm | None:
        """Of the pictures that its stories are; None where they are texts."""
        found = self.summary.get("pictures")
        return found and PictureForm.from_json({key: n for key, n in found.items() if key != "count"})

    @cached_property
    def pictures(self) -> StoredPictures | None:
        """The pictures that its stories are; None where they are texts. Raises: DataError where they are damaged."""
        if self.picture_form is None:
            return None
        for name in (FILE, INDEX):
            try:
                self._check(name)
            except FileNotFoundError as error:
                raise DataError("is missing from the data set", where=self.path / name, hint=AGAIN) from error
        return StoredPictures.open(self.path, self.picture_form, self.summary["pictures"]["count"])

    @cached_property
    def fingerprint(self) -> str:
        """Changes whenever the data does."""
        return fingerprint_of(self.path)

    def picture(self, split: Split, row: int) -> np.ndarray | None:
        """What question number `row` of a split is about, as it is stored; None where that is a text."""
        if self.pictures is None:
            return None
        return self.pictures.take(split.name, split.story_of(np.array([row])))[0][0]

    def example(self, split: Split, row: int) -> Example:
        """Question number `row` of a split, as text."""
        return self.examples(split, np.array([row]))[0]

    def examples(self, split: Split, rows: np.ndarray) -> list[Example]:
        """Some questions of a split, by their numbers, as text. Each distinct sentence is read once."""
        story = split.story_of(rows)
        stories, place = np.unique(story, return_inverse=True)
        facts, told = split.facts.take(stories)
        questions, asked = split.questions.take(stories)
        positions, _ = split.positions.take(stories)
        nth = (np.cumsum(asked) - asked)[place] + rows - split.question_offset[story]  # among all of these
        sentences, which = np.unique(np.concatenate([facts, questions[nth]]), return_inverse=True)
        texts, which = self.sentences.texts(sentences), which.tolist()
        answers, supports = split.answers.take(rows), split.supports.take(rows)
        words = self.vocabulary.answers.items
        begins = (np.cumsum(told) - told)[place]
        columns = (begins.tolist(), positions[nth].tolist(), *map(_lists, (answers, supports)))
        return [
            Example(
                task=self.tasks[task],
                facts=[texts[sentence] for sentence in which[first : first + seen]],
                question=texts[which[len(facts) + i]],
                answer=[words[word] for word in answer],
                support=support,
            )
            for i, (task, first, seen, answer, support) in enumerate(
                zip(split.task[story].tolist(), *columns, strict=True)
            )
        ]

    def split(self, name: str) -> Split:
        """Raises: DataError where the split is empty."""
        split = Split(self.path / f"{name}.arrow", None if self._trusted else self._trust_stories)
        if not len(split):
            raise DataError(f"has no questions for {name}", where=self.path)
        if name == "train" and SUPPORTS in self.summary["sha256"]:
            split.supports = self._found_supports(split)
        if self.pictures:
            checks.regions(split.facts.lengths, self.pictures.form.regions, len(self.pictures.of[name]), self.path)
        return split

    def _found_supports(self, split: Split) -> Column:
        def trust(path: Path, batches: list[pa.RecordBatch]) -> None:
            self._check(path.name)
            checks.supports(batches, split.positions.take(np.arange(split.stories))[0])

        file, batches = _open(self.path / SUPPORTS, FOUND, None if self._trusted else trust)
        return Column(file, [batch.column("supports") for batch in batches])


def training_sentences(folder: Path, vocabulary: Vocabulary) -> Iterator[list[str]]:
    """The words of each fact and each question of the training stories, without what says their form.

    Where the facts of a story are the words of a text, they are one sentence together.
    """
    split = Split(folder / "train.arrow", None)
    sentences = Sentences(folder / "sentences.arrow", None)
    items, affixes = np.array(vocabulary.words.items, dtype=object), vocabulary.words.affixes()
    for start in range(0, split.stories, _STORIES):
        stories = np.arange(start, min(start + _STORIES, split.stories))
        facts, facts_of = split.facts.take(stories)
        questions, _ = split.questions.take(stories)
        ids, lengths = sentences.words.take(np.concatenate([facts, questions]))
        written = ~affixes[ids]
        ends = np.concatenate([[0], np.cumsum(written)])[np.cumsum(lengths)]
        cut = [words.tolist() for words in np.split(items[ids[written]], ends[:-1])]
        first = 0
        for count in facts_of:
            told = cut[first : first + count]
            first += count
            whole = sum(map(len, told)) < 2 * len(told)
            yield from [[word for fact in told for word in fact]] if whole else told
        yield from cut[len(facts) :]
