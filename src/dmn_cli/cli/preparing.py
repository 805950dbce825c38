"""From stories to a data set: what all `dmn prepare` commands do once they know what to read."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from dmn_cli.cli.output import Output, plural, progress, rows
from dmn_cli.cli.prepare_options import USUAL_SIZE, Shared

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dmn_cli.data.chunks import Chunk
    from dmn_cli.data.tokenizers import Tokenizer, Untrained
    from dmn_cli.data.vectors import WordVectors
    from dmn_cli.data.vocabulary import Vocabulary
    from dmn_cli.data.writer import Vectors
    from dmn_cli.records import Story

Told = Callable[[Callable[[int], None]], "Iterable[tuple[str, Story]]"]
"""Tells (split, story) pairs from the start each time it is called; what it is called with is told of progress."""


def write(
    shared: Shared,
    told: Told | list[Told],
    total: int,
    source: dict[str, Any],
    tokenizer: Tokenizer | Untrained | None = None,
) -> None:
    """Prepares what is told, in `total` units of progress, and says so. Of several, some stories of each in turn."""
    from dmn_cli.data.ahead import ahead
    from dmn_cli.data.chunks import chunks
    from dmn_cli.data.writer import write_chunks

    start = time.perf_counter()
    parts = told if isinstance(told, list) else [told]
    learnt = _trained(shared, parts, total, tokenizer)
    with _exported(parts, shared.export) as passing:
        makes = [lambda advance, told=one: chunks(told(advance)) for one in passing]
        with ahead(makes, processes=1 if shared.export else None) as coming:
            words = learnt or cast("Tokenizer", shared.words())
            stories = _watched(shared.output, coming, total)
            with closing(stories):
                summary = write_chunks(shared.out, stories, words, source, _finds_vectors(shared, words))
    summary["seconds"] = round(time.perf_counter() - start, 3)
    _warn(shared.output, summary)
    shared.output.json({"out": str(shared.out), **summary})
    shared.output.result(describe(summary))
    shared.output.result(f"{shared.out} is ready. Next: dmn train {shared.out} --out RUN")


def _trained(shared: Shared, told: list[Told], total: int, tokenizer: Tokenizer | Untrained | None) -> Tokenizer | None:
    """The tokenizer, once it has learnt its pieces, for which the stories are told once more. None where none was given
    and there is nothing to learn: it is made when the stories are on their way."""
    if shared.tokenizer != "sentencepiece":
        return cast("Tokenizer | None", tokenizer)
    from dmn_cli.data.tokenizers import Untrained

    tokenizer = tokenizer or shared.words()
    if not isinstance(tokenizer, Untrained):
        return tokenizer
    with progress(shared.output, "learning words", total) as advance:
        texts = chain.from_iterable(_training_texts(one(advance)) for one in told)
        return tokenizer.train(texts, shared.seed)


def _training_texts(stories: Iterable[tuple[str, Story]]) -> Iterator[str]:
    """All that is read in training; facts that are words as the text that they are of."""
    for split, story in stories:
        if split == "train":
            yield from [" ".join(story.facts)] if story.words else story.facts
            yield from (question.text for question in story.questions)


def _watched(
    output: Output, coming: Callable[[Callable[[int], None]], Iterator[Chunk]], total: int
) -> Generator[Chunk, None, None]:
    """What comes, with a bar until it has: what is done with it afterwards has bars of its own."""
    with progress(output, "reading", total) as advance:
        yield from coming(advance)


def _finds_vectors(shared: Shared, tokenizer: Tokenizer) -> Vectors | None:
    """How the data set gets its word vectors, if it is to have any."""
    if not (shared.vectors or shared.train_vectors):
        return None
    from dmn_cli.data import corpus, vector_files, vectors

    def read(folder: Path, vocabulary: Vocabulary) -> WordVectors:
        file = shared.vector_file()
        with progress(shared.output, "reading vectors", vector_files.find(file).size) as advance:
            return vectors.of_file(file, vocabulary, tokenizer, shared.extra_words, advance)

    def train(folder: Path, vocabulary: Vocabulary) -> WordVectors:
        texts = shared.texts()
        path = folder / "corpus.txt"
        try:
            with progress(shared.output, "cutting texts into words", corpus.size(texts)) as advance:
                words = corpus.write(path, folder, vocabulary, texts, tokenizer, advance)
            with progress(shared.output, "training vectors", vectors.EPOCHS) as advance:
                return vectors.trained(
                    path,
                    words,
                    vocabulary,
                    tokenizer,
                    size=shared.vector_size or USUAL_SIZE,
                    extra=shared.extra_words,
                    seed=shared.seed,
                    texts=list(map(str, texts)),
                    progress=advance,
                )
        finally:
            path.unlink(missing_ok=True)

    return read if shared.vectors else train


def _warn(output: Output, summary: dict[str, Any]) -> None:
    """Of test questions that a model may simply remember."""
    seen, of = summary["seen_in_training"]["test"], summary["questions_of"]["test"]
    counts = [f"{n:,} of {of[task]:,} test questions of {task}" for task, n in seen.items()]
    if len(counts) > 3:
        counts = [f"{sum(seen.values()):,} of {sum(of.values()):,} test questions (dataset.json counts them by task)"]
    if counts:
        output.warning(f"{', '.join(counts)} also occur in training, with the same story")


@contextmanager
def _exported(told: list[Told], export: Path | None) -> Iterator[list[Told]]:
    """Tell the same; the stories that were taken have been written to the file, if there is to be one."""
    if export is None:
        yield told
        return
    from dmn_cli.data.formats import jsonl
    from dmn_cli.files import atomic_file

    with atomic_file(export) as file:

        def passing(told: Told, advance: Callable[[int], None]) -> Iterator[tuple[str, Story]]:
            for split, story in told(advance):
                file.writelines(line.encode() for line in jsonl.lines(split, story))
                yield split, story
            file.flush()  # of the process that tells

        yield [partial(passing, one) for one in told]


def as_given(paths: list[str]) -> str:
    """What the user wrote, but for passwords in URLs."""
    from dmn_cli.data.download import shown

    return ", ".join(map(shown, paths))


def describe(summary: dict[str, Any]) -> str:
    """What was read, for a person."""
    table = [("", "stories", "questions", "facts")]
    table += [
        (split, *(f"{counts[k]:,}" for k in ("stories", "questions", "facts")))
        for split, counts in summary["splits"].items()
    ]
    return (
        rows(table)
        + f"\n{plural(len(summary['tasks']), 'task')}, {summary['words']:,} words, {summary['answers']:,} answers, "
        + f"{summary['sentences']:,} distinct sentences; the longest story has {summary['longest_story']:,} facts."
        + (f"\n{_coverage(summary['vectors'])}" if "vectors" in summary else "")
    )


def _coverage(vectors: dict[str, Any]) -> str:
    """How many of the words have a vector."""
    table = [("vectors", "words", "found", "of all tokens")]
    table += [
        (split, f"{n['types']:,}", *(f"{100 * n[f'{of}_found'] / n[of]:.1f} %" for of in ("types", "tokens")))
        for split, n in vectors["coverage"].items()
        if n["tokens"]
    ]
    by_case = f" ({vectors['by_case']:,} of them spelled in another case)" if vectors["by_case"] else ""
    return (
        rows(table)
        + f"\n{plural(vectors['found'], 'word')} with a vector of size {vectors['size']:,}{by_case}, "
        + f"{plural(vectors['extra'], 'extra word')}."
    )
