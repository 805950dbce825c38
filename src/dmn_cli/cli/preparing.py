"""What all `dmn prepare` commands share: their options, and the way from stories to a data set."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, fields
from functools import cache, partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast, get_type_hints

import typer

from dmn_cli.cli.options import Force, Json, Quiet
from dmn_cli.cli.output import Output, plural, rows, stderr
from dmn_cli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dmn_cli.data.chunks import Chunk
    from dmn_cli.data.fetch import Local
    from dmn_cli.data.tokenizers import Tokenizer, Untrained
    from dmn_cli.data.vectors import WordVectors
    from dmn_cli.data.vocabulary import Vocabulary
    from dmn_cli.data.writer import Vectors
    from dmn_cli.records import Story

Told = Callable[[Callable[[int], None]], "Iterable[tuple[str, Story]]"]
"""Tells (split, story) pairs from the start each time it is called; what it is called with is told of progress."""

_USUAL_SIZE = 100

_Seed = Annotated[int, typer.Option(help="Decides everything that is random.", min=0)]
_Words = Annotated[
    Literal["spacy", "whitespace", "sentencepiece"],
    typer.Option(
        "--tokenizer",
        help="What words are: spaCy's rules, whatever stands between blanks, or pieces of words that are learnt.",
    ),
]
_Case = Annotated[Literal["lower", "keep"], typer.Option(help="Whether words are lower-cased.")]
_Affixes = Annotated[
    bool,
    typer.Option("--affixes", help="Read each word with its shape and its endings: unknown words then say something."),
]
_Pieces = Annotated[
    str | None,
    typer.Option(
        metavar="N|FILE.model",
        help="For sentencepiece: how many pieces to learn from the training stories, 8000 if not said; or a model.",
        show_default=False,
    ),
]
_Export = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Write it all as JSON lines too, as dmn prepare jsonl reads it.", show_default=False
    ),
]
_Vectors = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="Word vectors: of GloVe, word2vec, fastText (.vec) or gensim; plain, .gz or .zip (FILE.zip:MEMBER).",
        show_default=False,
    ),
]
_ExtraWords = Annotated[
    int,
    typer.Option(help="Keep the vectors of so many more words, the most frequent ones that training lacks.", min=0),
]
_TrainVectors = Annotated[
    bool,
    typer.Option("--train-vectors", help="Train word vectors, on the training split and on what --text names."),
]
_VectorSize = Annotated[
    int | None,
    typer.Option(help=f"How long the vectors to train are: {_USUAL_SIZE}, if not this.", min=1, show_default=False),
]
_Text = Annotated[
    list[str] | None,
    typer.Option(
        "--text",
        metavar="FILE",
        help="Text to train the vectors on: plain, .gz, .xz, an archive or a folder of .txt files. May be repeated.",
        show_default=False,
    ),
]


@dataclass(frozen=True)
class Shared:
    """The options that every command has after its own."""

    out: Annotated[Path, typer.Option("--out", help="The data set to write: a new folder.", show_default=False)]
    tokenizer: _Words = "spacy"
    language: Annotated[str, typer.Option(help="Whose rules spaCy takes: en, de, fr, xx, …")] = "en"
    case: _Case = "lower"
    pieces: _Pieces = None
    affixes: _Affixes = False
    export: _Export = None
    vectors: _Vectors = None
    extra_words: _ExtraWords = 0
    train_vectors: _TrainVectors = False
    vector_size: _VectorSize = None
    text: _Text = None
    seed: _Seed = 1
    force: Force = False
    json: Json = False
    quiet: Quiet = False

    @property
    def output(self) -> Output:
        return Output(as_json=self.json, quiet=self.quiet)

    def check_out(self) -> None:
        """Before any work is done.

        Raises: UsageError where something stands in the way of the output, or the word vectors can't be had; DataError
        where the file of these is none.
        """
        from dmn_cli.data.formats.babi import SOURCE
        from dmn_cli.data.vocabulary import load_versioned_json
        from dmn_cli.errors import DataError
        from dmn_cli.files import check_output

        def ours(path: Path) -> bool:
            for name, key in (("dataset.json", "tokenizer"), (SOURCE, "tasks")):
                try:
                    if key in load_versioned_json(path / name, 1 << 30, DataError):
                        return True
                except DataError:
                    continue
            return False

        check_output(self.out, force=self.force, ours=ours)
        if self.export:
            check_output(self.export, force=self.force)
        self._check_vectors()

    def _check_vectors(self) -> None:
        if self.vectors and self.train_vectors:
            raise UsageError("--vectors reads word vectors, --train-vectors trains them: choose one of them")
        if self.extra_words and not (self.vectors or self.train_vectors):
            raise UsageError("--extra-words is for word vectors", hint="Say --vectors FILE, or --train-vectors.")
        for option, given in (("--vector-size", self.vector_size), ("--text", self.text)):
            if given and not self.train_vectors:
                raise UsageError(f"{option} is for vectors that are trained", hint="Say --train-vectors, too.")
        for path in self._texts():
            if not path.exists():
                raise UsageError("there is no such text", where=path)
        if self.vectors:
            from dmn_cli.data import vector_files

            vector_files.check(vector_files.find(self._vector_file()))

    def _texts(self) -> list[Path]:
        return self.local(self.text or [])

    def _vector_file(self) -> str:
        """FILE, or FILE.zip:MEMBER, fetched if need be."""
        from dmn_cli.data.fetch import VECTORS

        assert self.vectors is not None
        local = self.fetched(self.vectors, *VECTORS)
        return f"{local.path}:{local.member}" if local.member else str(local.path)

    def finds_vectors(self, tokenizer: Tokenizer) -> Vectors | None:
        """How the data set gets its word vectors, if it is to have any."""
        if not (self.vectors or self.train_vectors):
            return None
        from dmn_cli.data import corpus, vector_files, vectors

        def read(folder: Path, vocabulary: Vocabulary) -> WordVectors:
            file = self._vector_file()
            with progress(self.output, "reading vectors", vector_files.find(file).size) as advance:
                return vectors.of_file(file, vocabulary, tokenizer, self.extra_words, advance)

        def train(folder: Path, vocabulary: Vocabulary) -> WordVectors:
            texts = self._texts()
            path = folder / "corpus.txt"
            try:
                with progress(self.output, "cutting texts into words", corpus.size(texts)) as advance:
                    words = corpus.write(path, folder, vocabulary, texts, tokenizer, advance)
                with progress(self.output, "training vectors", vectors.EPOCHS) as advance:
                    return vectors.trained(
                        path,
                        words,
                        vocabulary,
                        tokenizer,
                        size=self.vector_size or _USUAL_SIZE,
                        extra=self.extra_words,
                        seed=self.seed,
                        texts=list(map(str, texts)),
                        progress=advance,
                    )
            finally:
                path.unlink(missing_ok=True)

        return read if self.vectors else train

    def fetched(self, path: str, *names: str) -> Local:
        """A path as it is; of a URL, or of one of these known names, where its copy lies, fetched if need be."""
        from dmn_cli.data.fetch import fetch

        return fetch(path, names, self.output.note, partial(progress, self.output, "fetching"))

    def local(self, paths: list[str], *names: str) -> list[Path]:
        """Where all of them lie, of those as well that are URLs or among these known names."""
        return [self.fetched(path, *names).path for path in paths]

    def words(self) -> Tokenizer | Untrained:
        """The tokenizer that was chosen; `write` trains it where it is yet to learn its pieces."""
        from dmn_cli.data.tokenizers import choose

        return choose(self.tokenizer, self.language, self.case == "lower", self.pieces, self.affixes)


@cache
def _shared_parameters() -> list[inspect.Parameter]:
    hints = get_type_hints(Shared, include_extras=True)
    parameters = inspect.signature(Shared).parameters.values()
    return [p.replace(annotation=hints[p.name], kind=inspect.Parameter.KEYWORD_ONLY) for p in parameters]


def shares_options(function: Callable[..., None]) -> Callable[..., None]:
    """Gives a command, whose last parameter is `shared: Shared`, the options of Shared after its own."""
    own = list(inspect.signature(function).parameters.values())[:-1]
    hints = get_type_hints(function, include_extras=True)
    keyword = inspect.Parameter.KEYWORD_ONLY
    own = [p.replace(annotation=hints[p.name], kind=keyword) for p in own]
    shared = _shared_parameters()

    def command(**options: Any) -> None:
        given = {field.name: options.pop(field.name) for field in fields(Shared)}
        function(**options, shared=Shared(**given))

    parameters = [p for p in own if p.default is p.empty] + shared[:1] + [p for p in own if p.default is not p.empty]
    command.__signature__ = inspect.Signature(parameters + shared[1:])  # type: ignore[attr-defined]
    command.__name__, command.__doc__ = function.__name__, function.__doc__
    return command


@contextmanager
def progress(output: Output, verb: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal; nothing elsewhere, since the summary says it all."""
    if not output.live:
        yield lambda n: None
        return
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=stderr(), transient=True, redirect_stdout=False) as bar:
        task = bar.add_task(verb, total=total)
        yield lambda n: bar.advance(task, n)


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
                summary = write_chunks(shared.out, stories, words, source, shared.finds_vectors(words))
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


def _warn(output: Output, summary: dict[str, Any]) -> None:
    """Of test questions that a model may simply remember."""
    seen, of = summary["seen_in_training"]["test"], summary["questions_of"]["test"]
    if seen:
        counts = [f"{n:,} of {of[task]:,} test questions of {task}" for task, n in seen.items()]
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
