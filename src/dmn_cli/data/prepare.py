"""From stories to a data set: what all `dmn prepare` commands do once they know what to read.

read → chunks, in other processes → words → store → vectors
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np

from dmn_cli.data.formats import jsonl
from dmn_cli.data.formats.images.pictures import Pictures
from dmn_cli.data.formats.unanswerable import Unanswerable, adding
from dmn_cli.data.store.attached import Vectors
from dmn_cli.data.store.chunks import Chunk, chunks
from dmn_cli.data.store.found import write as write_supports
from dmn_cli.data.store.layout import SUPPORTS
from dmn_cli.data.store.reader import DataSet, training_sentences
from dmn_cli.data.store.writer import write_chunks
from dmn_cli.data.symmetries import Symmetries
from dmn_cli.data.symmetries.files import as_json, check, to_toml
from dmn_cli.data.symmetries.findings import Findings, look
from dmn_cli.data.text import blocks
from dmn_cli.data.vectors import corpus, files, read, train
from dmn_cli.data.vectors.entries import Rows
from dmn_cli.data.vectors.found import FoundVectors
from dmn_cli.data.words.spec import Choice
from dmn_cli.data.words.tokenizer import Tokenizer
from dmn_cli.data.words.vocabulary import Vocabulary
from dmn_cli.errors import UsageError
from dmn_cli.files import atomic_file, write_text
from dmn_cli.machine.processes import ahead
from dmn_cli.records.text import Story

if TYPE_CHECKING:
    from dmn_cli.data.words.pieces import Untrained

Advance = Callable[[int], None]
Reader = Callable[[Advance], Iterable[tuple[str, Story]]]
"""Reads (split, story) pairs, from the start each time it is called, and reports its progress to its argument."""
Stage = Callable[[str, int | None], AbstractContextManager[Advance]]
"""Takes what is done next, and how much of it there is; yields what progress is reported to."""

USUAL_SIZE = 100


class VectorChoice(NamedTuple):
    """Which word vectors a data set gets."""

    file: str | Rows | None  # as `vectors.read.read` takes it; None: they are trained
    extra_words: int = 0
    size: int = USUAL_SIZE
    texts: tuple[Path, ...] = ()  # to train them on, in addition to the training split


@contextmanager
def no_stage(verb: str, total: int | None) -> Iterator[Advance]:
    yield lambda n: None


def prepare(
    out: Path,
    readers: Reader | list[Reader],
    total: int,
    source: dict[str, Any],
    choice: Choice,
    *,
    tokenizer: Tokenizer | Untrained | None = None,
    vectors: VectorChoice | None = None,
    symmetries: Mapping[str, Symmetries] | None = None,
    supports: bool = True,
    unanswerable: Unanswerable | None = None,
    pictures: Pictures | None = None,
    export: Path | None = None,
    about: Mapping[str, Any] | None = None,
    seed: int = 1,
    stage: Stage = no_stage,
) -> dict[str, Any]:
    """Writes a data set of what is read, and returns the contents of its dataset.json.

    Several readers take turns, a chunk of stories each. `total`: the progress that they report in all. `source`: where
    the stories come from, for dataset.json. `tokenizer`: the one of the `choice`, if it is made already. `symmetries`:
    by task, which words may change places; None: they are looked for in the training stories. `supports`: whether
    the facts that answers rest on are looked for where nothing says it. `unanswerable`: which
    questions without an answer are added. `pictures`: that the stories are about. `export`: a file for the same stories
    as JSON lines. `about`: what dataset.json says beside.

    Raises: DataError where there is no story, and what reading and the tokenizer raise.
    """
    start = time.perf_counter()
    readers = readers if isinstance(readers, list) else [readers]
    if unanswerable:
        readers = [partial(_with_unanswerable, read, unanswerable, seed) for read in readers]
    learnt = _learnt(readers, total, choice, tokenizer, seed, stage)
    with _exported(readers, export) as exporting:
        makes = [lambda advance, read=read: chunks(read(advance)) for read in exporting]
        with ahead(makes, processes=1 if export else None) as coming:
            words = learnt or cast("Tokenizer", choice.tokenizer())  # made while the stories are being read
            found = None if vectors is None else _finder(vectors, words, seed, stage)
            with closing(_watched(stage, coming, total)) as stories:

                def finish(folder: Path) -> dict[str, Any]:
                    data = DataSet(folder, trusted=True)
                    added = _added(data, unanswerable) if unanswerable else {}
                    stays = unanswerable and unanswerable.label
                    return {**(about or {}), **added, **_findings(symmetries, supports, stage, data, stays)}

                summary = write_chunks(out, stories, words, source, found, finish=finish, pictures=pictures)
    summary["seconds"] = round(time.perf_counter() - start, 3)
    return summary


def _with_unanswerable(
    read: Reader, unanswerable: Unanswerable, seed: int, advance: Advance
) -> Iterator[tuple[str, Story]]:
    return adding(read(advance), unanswerable, seed)


def _added(data: DataSet, unanswerable: Unanswerable) -> dict[str, Any]:
    """What dataset.json says of questions that no fact answers. Theirs is the only answer that is the label."""
    answers = data.vocabulary.answers
    counts = {split: of[answers.ids[unanswerable.label]] for split, of in answers.counts.items()}
    return {"unanswerable": {"label": unanswerable.label, "share": unanswerable.share, "added": counts}}


def _findings(
    given: Mapping[str, Symmetries] | None, supports: bool, stage: Stage, data: DataSet, stays: str | None
) -> dict[str, Any]:
    """What dataset.json says of symmetries, which also stand in a file that a person can correct, and of supporting
    facts that were found. stays: an answer that never changes places

    Raises: UsageError where those that were given aren't of this data set.
    """
    if given is not None:
        training = data.vocabulary.of_training()
        for task, symmetries in given.items():
            if task not in data.tasks:
                raise UsageError(f"there is no task {task!r}", hint=f"There are: {', '.join(data.tasks)}.")
            check(symmetries, training.words.ids, training.answers.items, f"the symmetries of {task}")
    with stage("looking for names", None):
        findings = look(data, given, supports=supports)
    found = findings.symmetries
    if data.vectors:
        with_vector = {data.vocabulary.words.items[i] for i in data.vectors[0]}
        words = data.vocabulary.words.ids
        found = {
            task: s.where(lambda form: all(w in with_vector or w not in words for w in form.split(" ")))
            for task, s in found.items()
        }
    if stays:
        label = stays.casefold()
        found = {task: s.where(lambda form: form.casefold() != label) for task, s in found.items()}
    found = {task: symmetries for task, symmetries in found.items() if symmetries}
    if found or given is None:
        write_text(data.path / "symmetries.toml", to_toml({task: found.get(task, Symmetries()) for task in data.tasks}))
    said = {"symmetries": {task: as_json(symmetries) for task, symmetries in found.items()}}
    return said | (_with_supports(data, findings) if findings.supports or findings.ordered else {})


def _with_supports(data: DataSet, findings: Findings) -> dict[str, Any]:
    """What dataset.json says of supporting facts that were found."""
    supports = findings.all_supports(data.split("train"))
    digest = write_supports(data.path, supports)
    counts = {task: int(np.count_nonzero(np.diff(one.offsets))) for task, one in findings.supports.items()}
    said = {"found_supports": counts, "ordered_supports": [*findings.ordered]}
    return {
        **{key: tasks for key, tasks in said.items() if tasks},
        "questions_with_support": data.summary["questions_with_support"] + sum(counts.values()),
        "sha256": {**data.summary["sha256"], SUPPORTS: digest},
    }


def _learnt(
    readers: list[Reader],
    total: int,
    choice: Choice,
    tokenizer: Tokenizer | Untrained | None,
    seed: int,
    stage: Stage,
) -> Tokenizer | None:
    """The tokenizer, with its pieces learnt, for which the stories are read an extra time. None where none is given and
    there is nothing to learn: it can then be made while the stories are being read."""
    if not choice.learns:
        return cast("Tokenizer | None", tokenizer)
    from dmn_cli.data.words.pieces import Untrained

    tokenizer = tokenizer or choice.tokenizer()
    if not isinstance(tokenizer, Untrained):
        return tokenizer
    with stage("learning words", total) as advance:
        return tokenizer.train(chain.from_iterable(_training_texts(read(advance)) for read in readers), seed)


def _training_texts(stories: Iterable[tuple[str, Story]]) -> Iterator[str]:
    """The texts of the training split; facts that are words are joined to the text that they come from."""
    for split, story in stories:
        if split == "train":
            yield from [" ".join(story.facts)] if story.facts_are_words else story.facts
            yield from (question.text for question in story.questions)


def _watched(stage: Stage, coming: Callable[[Advance], Iterator[Chunk]], total: int) -> Generator[Chunk, None, None]:
    """The same chunks, within a stage that ends with the last of them: what comes after has stages of its own."""
    with stage("reading", total) as advance:
        yield from coming(advance)


def _finder(choice: VectorChoice, tokenizer: Tokenizer, seed: int, stage: Stage) -> Vectors:
    """What finds, or trains, word vectors for a data set whose stories are written."""

    def from_file(folder: Path, vocabulary: Vocabulary) -> FoundVectors:
        assert choice.file is not None
        size = files.find(choice.file).size if isinstance(choice.file, str) else None
        with stage("reading vectors", size) as advance:
            return read.of_file(choice.file, vocabulary, tokenizer, choice.extra_words, folder, advance)

    def trained(folder: Path, vocabulary: Vocabulary) -> FoundVectors:
        path, texts = folder / "corpus.txt", list(choice.texts)
        try:
            with stage("splitting texts into words", blocks.size(texts)) as advance:
                words = corpus.write(path, training_sentences(folder, vocabulary), texts, tokenizer, advance)
            with stage("training vectors", train.EPOCHS) as advance:
                return train.trained(
                    path,
                    words,
                    vocabulary,
                    tokenizer,
                    size=choice.size,
                    extra=choice.extra_words,
                    seed=seed,
                    texts=list(map(str, texts)),
                    progress=advance,
                )
        finally:
            path.unlink(missing_ok=True)

    return trained if choice.file is None else from_file


def vectors_of_data(path: Path) -> Rows | None:
    """The word vectors of a data set; None where it is a file.

    Raises: UsageError where the data set has none; DataError where it is damaged.
    """
    if not path.is_dir():
        return None
    data = DataSet(path)
    if data.vectors is None:
        raise UsageError("has no word vectors", where=path, hint="Prepare it with --train-vectors or --vectors.")
    ids, vectors = data.vectors
    items = data.vocabulary.words.items
    return Rows([items[i] for i in ids], vectors, str(path))


@contextmanager
def _exported(readers: list[Reader], export: Path | None) -> Iterator[list[Reader]]:
    """The same readers; if there is a file to export to, they write each story to it as well."""
    if export is None:
        yield readers
        return
    with atomic_file(export) as file:

        def exporting(read: Reader, advance: Advance) -> Iterator[tuple[str, Story]]:
            for split, story in read(advance):
                file.writelines(line.encode() for line in jsonl.lines(split, story))
                yield split, story
            file.flush()  # in the process that reads

        yield [partial(exporting, read) for read in readers]
