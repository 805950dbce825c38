"""Stories → a prepared data set, as a stream: what `dmn prepare` writes. Its files are described in `layout.py`.

Stories come as chunks of integers (`chunks.py`). Here a chunk's own ids become those of the data set, by array
operations, and its columns go to the files as they are; only sentences that are new are looked at one by one.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from dmn_cli.data.formats.images.pictures import Pictures
from dmn_cli.data.store.attached import Vectors, attach
from dmn_cli.data.store.chunks import Chunk, chunks, note_form
from dmn_cli.data.store.layout import FORMAT_VERSION, SENTENCES, SPLITS, STORIES, Ragged
from dmn_cli.data.store.overlap import Overlap
from dmn_cli.data.store.pictures import attach as attach_pictures
from dmn_cli.data.words.tokenizer import Tokenizer
from dmn_cli.data.words.vocabulary import END, Index, Vocabulary
from dmn_cli.errors import DataError
from dmn_cli.files import atomic_directory, file_digest, write_json
from dmn_cli.records.ragged import spans
from dmn_cli.records.text import Form, Story

_TASKS = 1 << 15


class Limits(NamedTuple):
    """How much is held in memory while a data set is written. They don't change what the data set says."""

    rows: int = 1 << 16  # stories or sentences in a record batch, which ends earlier
    bytes: int = 1 << 24  # once it is as large as this
    sentences: int = 500_000  # how many are remembered, so that none is stored twice; all are forgotten earlier
    letters: int = 1 << 26  # once they have this many letters


USUAL = Limits()


class _Table:
    """An Arrow file that rows are added to. Small record batches are put together."""

    def __init__(self, path: Path, schema: pa.Schema, limits: Limits) -> None:
        self.schema, self.limits = schema, limits
        self.waiting: list[pa.RecordBatch] = []
        self.file = path.open("wb")
        self.writer = pa.ipc.new_file(self.file, schema)

    def add(self, *columns: pa.Array) -> None:
        self.waiting.append(pa.record_batch(list(columns), schema=self.schema))
        rows, size = sum(map(len, self.waiting)), sum(batch.nbytes for batch in self.waiting)
        if rows >= self.limits.rows or size >= self.limits.bytes:
            self.flush()

    def flush(self) -> None:
        self.writer.write_table(pa.Table.from_batches(self.waiting, self.schema).combine_chunks())
        self.waiting = []

    def close(self) -> None:
        try:
            self.flush()
            self.writer.close()
        finally:
            self.file.close()


def _lists(lengths: np.ndarray, values: np.ndarray | pa.Array) -> pa.ListArray:
    return pa.ListArray.from_arrays(pa.array(_offsets(lengths)), pa.array(values))


def _offsets(lengths: np.ndarray) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)


class _Sentences:
    """Gives sentences their ids, and writes each once. Remembers the latest ones, with their words."""

    def __init__(self, path: Path, tokenizer: Tokenizer, words: Index, limits: Limits) -> None:
        self.tokenizer, self.index, self.limits = tokenizer, words, limits
        self.table = _Table(path, SENTENCES, limits)
        self.count = 0
        self._forget()

    def _forget(self) -> None:
        self.ids: dict[str, int] = {}
        self.letters = 0
        self.first = self.count  # the id of the first one that is remembered
        self.words, self.ends = array("i"), array("q", [0])  # their words, end to end, and where each sentence ends

    def ids_of(self, texts: list[str]) -> np.ndarray:
        """(texts,) All of them are remembered until it is called again. Raises: DataError where one has no words."""
        if len(self.ids) >= self.limits.sentences or self.letters >= self.limits.letters:
            self._forget()
        known, first = self.ids, self.count
        ids = [known[text] if text in known else self._new(text) for text in texts]
        if self.count > first:
            words, lengths = self.words_of(np.arange(first, self.count))
            new = [text for text, i in zip(texts, ids, strict=True) if i >= first]
            self.table.add(_lists(lengths, words), pa.array(new, pa.string()))
        return np.array(ids, np.int32)

    def _new(self, text: str) -> int:
        words = self.tokenizer(text)
        if not words:
            raise DataError(f"a sentence has no words: {text!r}")
        self.words.extend(map(self.index.add, words))
        self.ends.append(len(self.words))
        self.letters += len(text)
        self.ids[text] = self.count
        self.count += 1
        return self.ids[text]

    def words_of(self, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The words of sentences that are remembered, end to end, and how many each sentence has."""
        return Ragged(np.frombuffer(self.ends, np.int64), np.frombuffer(self.words, np.int32)).take(ids - self.first)


class _Writer:
    """Turns chunks into rows, giving words, answers, sentences and tasks their ids as they come."""

    def __init__(self, folder: Path, tokenizer: Tokenizer, limits: Limits) -> None:
        self.vocabulary = Vocabulary()
        self.tasks: dict[str, int] = {}
        self.forms: dict[str, Form] = {}
        self.sentences = _Sentences(folder / "sentences.arrow", tokenizer, self.vocabulary.words, limits)
        self.splits = {split: _Table(folder / f"{split}.arrow", STORIES, limits) for split in SPLITS}
        self.overlap = Overlap(folder)
        self.word_counts = {split: Counts() for split in SPLITS}
        self.answer_counts = {split: Counts() for split in SPLITS}
        self.counts = {split: dict.fromkeys(("stories", "questions", "facts"), 0) for split in SPLITS}
        self.longest_story = self.longest_answer = 0
        self.supports = 0
        self.questions: set[str] = set()  # two of them, if there are more

    def add(self, chunk: Chunk) -> None:
        sentences = self.sentences.ids_of(chunk.sentences)
        answers = self._answers(chunk.answers)
        task_ids = [self.tasks.setdefault(task, len(self.tasks)) for task in chunk.tasks]
        if len(self.tasks) > _TASKS:
            raise DataError(f"there are more than {_TASKS:,} tasks")
        task = np.array(task_ids, np.int16)[chunk.task]
        for i, split in enumerate(SPLITS):
            stories = np.flatnonzero(chunk.split == i)
            if len(stories):
                self._add(split, chunk, stories, sentences, answers, task)
        self.overlap.add(chunk, task)
        if len(self.questions) < 2:
            asked = np.unique(chunk.questions.values)
            self.questions.update(chunk.sentences[i] for i in asked[:2])
        for question, form in chunk.forms.items():
            note_form(self.forms, question, form)
        self.longest_story = max(self.longest_story, int(np.diff(chunk.facts.offsets).max()))
        self.longest_answer = max(self.longest_answer, _longest_answer(chunk, answers))
        self.supports += int(np.count_nonzero(np.diff(chunk.support.offsets)))

    def _answers(self, answers: list[tuple[str, ...]]) -> Ragged:
        """The words of each answer. Raises: DataError"""
        words = [self.vocabulary.answers.add(word) for answer in answers for word in answer]
        if 0 in words:
            raise DataError(f"{END!r} can't be an answer: it is what ends one")
        return Ragged(_offsets(np.array([*map(len, answers)], np.int64)), np.array(words, np.int32))

    def _add(
        self,
        split: str,
        chunk: Chunk,
        stories: np.ndarray,
        sentences: np.ndarray,
        answers: Ragged,
        task: np.ndarray,
    ) -> None:
        """Adds those stories of a chunk that are in one split. `sentences`, `answers`, `task`: what the chunk's own ids
        stand for."""
        facts, fact_lengths = chunk.facts.take(stories)
        asked, question_lengths = chunk.questions.take(stories)
        rows = spans(chunk.questions.offsets[stories].astype(np.int64), question_lengths)
        answer = chunk.answer[rows]
        words, answer_lengths = answers.take(answer)
        support, support_lengths = chunk.support.take(rows)
        self.splits[split].add(
            pa.array(task[stories]),
            _lists(fact_lengths, sentences[facts]),
            _lists(question_lengths, sentences[asked]),
            _lists(question_lengths, chunk.position[rows]),
            _lists(question_lengths, _lists(answer_lengths, words)),
            _lists(question_lengths, _lists(support_lengths, support)),
        )
        counts = self.counts[split]
        counts["stories"] += len(stories)
        counts["questions"] += len(rows)
        counts["facts"] += len(facts)
        used = np.bincount(np.concatenate([facts, asked]), minlength=len(sentences))
        self.word_counts[split].add(*self.sentences.words_of(sentences), used)
        used = np.bincount(answer, minlength=len(answers.offsets) - 1)
        self.answer_counts[split].add(answers.values, np.diff(answers.offsets), used)

    def close(self) -> None:
        with ExitStack() as stack:  # each is closed, even where closing another fails
            for table in (self.sentences.table, *self.splits.values(), self.overlap):
                stack.callback(table.close)
        for index, counts in (
            (self.vocabulary.words, self.word_counts),
            (self.vocabulary.answers, self.answer_counts),
        ):
            index.counts = {split: counts[split].padded(len(index)) for split in SPLITS}


class Counts:
    """How often each id was seen."""

    def __init__(self) -> None:
        self.values = np.zeros(0, np.int64)

    def add(self, ids: np.ndarray, lengths: np.ndarray, times: np.ndarray) -> None:
        """Adds rows of ids, end to end; each row has a length, and was seen so many times."""
        seen = np.bincount(ids, np.repeat(times, lengths), minlength=len(self.values)).astype(np.int64)
        seen[: len(self.values)] += self.values
        self.values = seen

    def padded(self, size: int) -> list[int]:
        return [*self.values.tolist(), *[0] * (size - len(self.values))]


def write(
    out: Path,
    stories: Iterable[tuple[str, Story]],
    tokenizer: Tokenizer,
    source: dict[str, Any],
    vectors: Vectors | None = None,
) -> dict[str, Any]:
    """Writes a data set from (split, story) pairs, all or nothing, and returns the contents of its dataset.json.

    `source`: where the stories come from, for dataset.json. `vectors`: finds word vectors once all stories are written.

    Raises: DataError where there is no story, and what `vectors` raises.
    """
    return write_chunks(out, chunks(stories), tokenizer, source, vectors)


def write_chunks(
    out: Path,
    stories: Iterable[Chunk],
    tokenizer: Tokenizer,
    source: dict[str, Any],
    vectors: Vectors | None = None,
    limits: Limits = USUAL,
    finish: Callable[[Path], dict[str, Any]] | None = None,
    pictures: Pictures | None = None,
) -> dict[str, Any]:
    """Does what `write` does, from chunks of stories. pictures: that they are about

    `finish` is given the folder of the data set, which can be read by then, and returns what dataset.json says beside.
    """
    with atomic_directory(out) as folder:
        writer = _Writer(folder, tokenizer, limits)
        try:
            for chunk in stories:
                writer.add(chunk)
            questions, seen = writer.overlap.count(list(writer.tasks))
        finally:
            writer.close()
        if not any(counts["stories"] for counts in writer.counts.values()):
            raise DataError("there is no story in it", where=source.get("path"))
        words = len(writer.vocabulary.words) - 2  # without extra ones
        attached = {"vectors": attach(folder, writer.vocabulary, vectors)} if vectors else {}
        if pictures:
            attached["pictures"] = attach_pictures(folder, pictures)
            seen = {split: {} for split in seen}  # what is told of two pictures is the same
        writer.vocabulary.save(folder / "vocabulary.json")
        for name, content in tokenizer.files.items():
            (folder / name).write_bytes(content)
        summary = {
            "format_version": FORMAT_VERSION,
            "name": out.name,
            "source": source,
            "tasks": list(writer.tasks),
            "splits": writer.counts,
            "questions_of": questions,
            "seen_in_training": seen,
            "sentences": writer.sentences.count,
            "words": words,
            "answers": len(writer.vocabulary.answers) - 1,
            "longest_story": writer.longest_story,
            "longest_answer": writer.longest_answer,
            "questions_with_support": writer.supports,
            "forms": {question: form.as_json() for question, form in writer.forms.items() if any(form)},
            **({"question": min(writer.questions)} if len(writer.questions) == 1 else {}),
            "tokenizer": tokenizer.spec,
            **attached,
            "sha256": {path.name: file_digest(path) for path in sorted(folder.iterdir())},
        }
        write_json(folder / "dataset.json", summary)
        if finish:
            summary |= finish(folder)
            write_json(folder / "dataset.json", summary)
    return summary


def _longest_answer(chunk: Chunk, answers: Ragged) -> int:
    """The most words of an answer to a question that isn't answered at each fact."""
    per_fact = {question for question, form in chunk.forms.items() if form.per_fact}
    asked_per_fact = [i for i, text in enumerate(chunk.sentences) if text in per_fact] if per_fact else []
    once = ~np.isin(chunk.questions.values, asked_per_fact)
    return int(np.diff(answers.offsets)[chunk.answer[once]].max(initial=0))
