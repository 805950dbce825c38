"""From stories to a data set: what all `dmn prepare` commands do once they know what to read.

tell → chunks, in other processes → words → store → vectors
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from dmn_cli.data.formats import jsonl
from dmn_cli.data.store.attached import Vectors
from dmn_cli.data.store.chunks import Chunk, chunks
from dmn_cli.data.store.reader import training_sentences
from dmn_cli.data.store.writer import write_chunks
from dmn_cli.data.vectors import corpus, files, read, train
from dmn_cli.data.vectors.found import FoundVectors
from dmn_cli.data.words.spec import Choice
from dmn_cli.data.words.tokenizer import Tokenizer
from dmn_cli.data.words.vocabulary import Vocabulary
from dmn_cli.files import atomic_file
from dmn_cli.machine.processes import ahead
from dmn_cli.records.text import Story

if TYPE_CHECKING:
    from dmn_cli.data.words.pieces import Untrained

Advance = Callable[[int], None]
Tell = Callable[[Advance], Iterable[tuple[str, Story]]]
"""Tells (split, story) pairs from the start each time it is called, and its argument how far it has come."""
Stage = Callable[[str, int | None], AbstractContextManager[Advance]]
"""Called with what is done next and how much of it there is; the context is told how much is done."""

USUAL_SIZE = 100


class VectorChoice(NamedTuple):
    """Which word vectors a data set gets."""

    file: str | None  # as `vectors.files.find` takes it; None: they are trained
    extra_words: int = 0
    size: int = USUAL_SIZE
    texts: tuple[Path, ...] = ()  # to train them on, beside the training split


@contextmanager
def no_stage(verb: str, total: int | None) -> Iterator[Advance]:
    yield lambda n: None


def prepare(
    out: Path,
    tell: Tell | list[Tell],
    total: int,
    source: dict[str, Any],
    choice: Choice,
    *,
    tokenizer: Tokenizer | Untrained | None = None,
    vectors: VectorChoice | None = None,
    export: Path | None = None,
    seed: int = 1,
    stage: Stage = no_stage,
) -> dict[str, Any]:
    """Writes a data set of what is told, in `total` units of progress, and returns what its dataset.json says.

    Of several that tell, some stories of each are taken in turn. `source`: where they come from, which is kept.
    `tokenizer`: that of the `choice`, where there is one already. `export`: a file for the same as JSON lines.

    Raises: DataError where there is no story in it, and what reading and the tokenizer raise.
    """
    start = time.perf_counter()
    sources = tell if isinstance(tell, list) else [tell]
    learnt = _learnt(sources, total, choice, tokenizer, seed, stage)
    with _exported(sources, export) as passing:
        makes = [lambda advance, one=one: chunks(one(advance)) for one in passing]
        with ahead(makes, processes=1 if export else None) as coming:
            words = learnt or cast("Tokenizer", choice.tokenizer())  # made while the stories are on their way
            found = None if vectors is None else _finder(vectors, words, seed, stage)
            with closing(_watched(stage, coming, total)) as stories:
                summary = write_chunks(out, stories, words, source, found)
    summary["seconds"] = round(time.perf_counter() - start, 3)
    return summary


def _learnt(
    tell: list[Tell], total: int, choice: Choice, tokenizer: Tokenizer | Untrained | None, seed: int, stage: Stage
) -> Tokenizer | None:
    """The tokenizer, once it has learnt its pieces, for which the stories are told once more. None where none was given
    and there is nothing to learn: it is made when the stories are on their way."""
    if not choice.learns:
        return cast("Tokenizer | None", tokenizer)
    from dmn_cli.data.words.pieces import Untrained

    tokenizer = tokenizer or choice.tokenizer()
    if not isinstance(tokenizer, Untrained):
        return tokenizer
    with stage("learning words", total) as advance:
        return tokenizer.train(chain.from_iterable(_training_texts(one(advance)) for one in tell), seed)


def _training_texts(stories: Iterable[tuple[str, Story]]) -> Iterator[str]:
    """All that is read in training; facts that are words as the text that they are of."""
    for split, story in stories:
        if split == "train":
            yield from [" ".join(story.facts)] if story.words else story.facts
            yield from (question.text for question in story.questions)


def _watched(stage: Stage, coming: Callable[[Advance], Iterator[Chunk]], total: int) -> Generator[Chunk, None, None]:
    """What comes; its stage ends with it, since what is done afterwards has stages of its own."""
    with stage("reading", total) as advance:
        yield from coming(advance)


def _finder(choice: VectorChoice, tokenizer: Tokenizer, seed: int, stage: Stage) -> Vectors:
    """How the data set gets its word vectors."""

    def from_file(folder: Path, vocabulary: Vocabulary) -> FoundVectors:
        assert choice.file is not None
        with stage("reading vectors", files.find(choice.file).size) as advance:
            return read.of_file(choice.file, vocabulary, tokenizer, choice.extra_words, folder, advance)

    def trained(folder: Path, vocabulary: Vocabulary) -> FoundVectors:
        path, texts = folder / "corpus.txt", list(choice.texts)
        try:
            with stage("cutting texts into words", corpus.size(texts)) as advance:
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


@contextmanager
def _exported(tell: list[Tell], export: Path | None) -> Iterator[list[Tell]]:
    """The same that tell, which write each story to the file, if there is to be one, once it is taken."""
    if export is None:
        yield tell
        return
    with atomic_file(export) as file:

        def passing(one: Tell, advance: Advance) -> Iterator[tuple[str, Story]]:
            for split, story in one(advance):
                file.writelines(line.encode() for line in jsonl.lines(split, story))
                yield split, story
            file.flush()  # of the process that tells

        yield [partial(passing, one) for one in tell]
