"""The options that all `dmn prepare` commands share: their checks, and what they stand for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from dmn_cli.cli.options import Force, Json, Quiet, no_nan
from dmn_cli.cli.output import Output, progress
from dmn_cli.cli.signatures import sharing
from dmn_cli.errors import UsageError

if TYPE_CHECKING:
    from dmn_cli.data.formats.unanswerable import Bears, Unanswerable
    from dmn_cli.data.prepare import VectorChoice
    from dmn_cli.data.sources.fetch import Local
    from dmn_cli.data.symmetries import Symmetries
    from dmn_cli.data.words.spec import Choice

_Seed = Annotated[int, typer.Option(help="The seed of everything random.", min=0)]
Words = Annotated[
    Literal["spacy", "plain", "whitespace", "sentencepiece"],
    typer.Option(
        "--tokenizer",
        help="How text is split into words: by spaCy's rules, with or without (plain) punctuation, at blanks, or into "
        "pieces of words that are learnt.",
    ),
]
Case = Annotated[Literal["lower", "keep"], typer.Option(help="Whether words are lower-cased.")]
Affixes = Annotated[
    bool,
    typer.Option(
        "--affixes", help="Read each word with its shape and its endings, so that unknown words say something too."
    ),
]
Pieces = Annotated[
    str | None,
    typer.Option(
        metavar="N|FILE.model",
        help="For sentencepiece: how many pieces to learn from the training stories (8000 by default), or a model.",
        show_default=False,
    ),
]
_Export = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Also write everything as JSON lines, as dmn prepare jsonl reads them.", show_default=False
    ),
]
_Vectors = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="Word vectors of GloVe, word2vec, fastText (.vec) or gensim: FILE, compressed or not, or FILE.zip:MEMBER; "
        "or the data set whose vectors these are to be.",
        show_default=False,
    ),
]
_ExtraWords = Annotated[
    int,
    typer.Option(help="Also keep the vectors of this many words that training lacks, the most frequent first.", min=0),
]
_TrainVectors = Annotated[
    bool,
    typer.Option(
        "--train-vectors", help="Train word vectors, on the training split and on the text that --text names."
    ),
]
_VectorSize = Annotated[
    int | None,
    typer.Option(help="The size of the vectors to train (100 by default).", min=1, show_default=False),
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


Share = Annotated[
    float,
    typer.Option(
        "--unanswerable",
        metavar="SHARE",
        help="Also ask so many questions, for each one there is, of stories without the facts that answer them: 0.1 "
        "adds a tenth.",
        min=0,
        max=0.5,
        show_default=False,
        callback=no_nan,
    ),
]
Label = Annotated[
    str | None,
    typer.Option(
        "--unknown-label",
        metavar="WORD",
        help="What answers a question of --unanswerable (unknown by default).",
        show_default=False,
    ),
]
_Symmetries = Annotated[
    str,
    typer.Option(
        metavar="auto|off|FILE",
        help="Which names may change places, by task: found in the training stories, none, or said in a TOML file.",
    ),
]


_Supports = Annotated[
    Literal["auto", "given"],
    typer.Option(
        help="Which facts an answer rests on, in tasks that don't say, and in which order they are read: looked for by "
        "the names that link them, or no more than what is given.",
    ),
]


@dataclass(frozen=True)
class Shared:
    """The options that each command has after its own."""

    out: Annotated[Path, typer.Option("--out", help="The data set to write: a new folder.", show_default=False)]
    tokenizer: Words = "spacy"
    language: Annotated[str, typer.Option(help="The language whose rules spaCy uses: en, de, fr, xx, …")] = "en"
    case: Case = "lower"
    pieces: Pieces = None
    affixes: Affixes = False
    export: _Export = None
    vectors: _Vectors = None
    extra_words: _ExtraWords = 0
    train_vectors: _TrainVectors = False
    vector_size: _VectorSize = None
    text: _Text = None
    symmetries: _Symmetries = "auto"
    supports: _Supports = "auto"
    seed: _Seed = 1
    force: Force = False
    json: Json = False
    quiet: Quiet = False

    @property
    def output(self) -> Output:
        return Output(as_json=self.json, quiet=self.quiet)

    def check(self) -> None:
        """Refuses what can't work before any work is done.

        Raises: UsageError where something is in the way of the output, or the options for word vectors make no sense;
        DataError where the file of word vectors isn't one.
        """
        from dmn_cli.data.formats.babi_files import SOURCE
        from dmn_cli.errors import DataError
        from dmn_cli.files import check_directory, check_output, load_versioned_json

        def ours(path: Path) -> bool:
            for name, key in (("dataset.json", "tokenizer"), (SOURCE, "tasks")):
                try:
                    if key in load_versioned_json(path / name, 1 << 30, DataError):
                        return True
                except DataError:
                    continue
            return False

        check_directory(self.out, force=self.force, ours=ours)
        if self.export:
            if self.export.resolve().is_relative_to(self.out.resolve()):
                raise UsageError("--export lies in --out, which is written as a whole", where=self.export)
            check_output(self.export, force=self.force)
        self._check_vectors()
        _ = self.symmetry_choice

    @cached_property
    def symmetry_choice(self) -> dict[str, Symmetries] | None:
        """None: they are looked for. Raises: UsageError where the file is none"""
        if self.symmetries == "auto":
            return None
        if self.symmetries == "off":
            return {}
        from dmn_cli.data.symmetries.files import read

        return read(Path(self.symmetries))

    def _check_vectors(self) -> None:
        if self.vectors and self.train_vectors:
            raise UsageError("--vectors reads word vectors, --train-vectors trains them: choose one of them")
        if self.extra_words and not (self.vectors or self.train_vectors):
            raise UsageError("--extra-words is for word vectors", hint="Give --vectors FILE or --train-vectors too.")
        for option, given in (("--vector-size", self.vector_size), ("--text", self.text)):
            if given and not self.train_vectors:
                raise UsageError(f"{option} is for vectors that are trained", hint="Give --train-vectors too.")
        choice = self.vector_choice
        for path in choice.texts if choice else ():
            if not path.exists():
                raise UsageError("there is no such text", where=path)
        if choice and isinstance(choice.file, str):
            from dmn_cli.data.vectors import files

            files.check(files.find(choice.file))

    @cached_property
    def vector_choice(self) -> VectorChoice | None:
        """The word vectors that were chosen, fetched if need be; None: no vectors."""
        if not (self.vectors or self.train_vectors):
            return None
        from dmn_cli.data.prepare import USUAL_SIZE, VectorChoice, vectors_of_data
        from dmn_cli.data.sources.known import VECTORS

        if self.vectors:
            local = self.fetched(self.vectors, *VECTORS)
            file = f"{local.path}:{local.member}" if local.member else str(local.path)
            return VectorChoice(vectors_of_data(local.path) or file, self.extra_words)
        texts = tuple(self.local(self.text or []))
        return VectorChoice(None, self.extra_words, self.vector_size or USUAL_SIZE, texts)

    def task_name(self, given: str | None) -> str:
        """The task's name: that of --out where none was given."""
        from dmn_cli.notation import as_text

        return as_text(given or self.out.name)

    def fetched(self, path: str, *names: str) -> Local:
        """A path as it is; for a URL, or one of these known names, its copy in the cache, fetched if need be."""
        from dmn_cli.data.sources.fetch import fetch

        return fetch(path, names, self.output.note, partial(progress, self.output, "fetching"))

    def local(self, paths: list[str], *names: str) -> list[Path]:
        """`fetched`, for all of them.

        Raises: UsageError also where --export is one of them, or in a folder that is."""
        files = [self.fetched(path, *names).path for path in paths]
        if self.export:
            read = {self.export.resolve(), *self.export.resolve().parents}
            if any(file.resolve() in read for file in files):
                raise UsageError("is what is read, or lies in it: it isn't written to", where=self.export)
        return files

    def by_words(self) -> Bears:
        """What bears on a question, by the words of the language."""
        from dmn_cli.data.formats.unanswerable import by_words
        from dmn_cli.data.words.from_spacy import stop_words

        return by_words(stop_words(self.language))

    @property
    def choice(self) -> Choice:
        """The tokenizer that was chosen."""
        from dmn_cli.data.words.spec import Choice

        return Choice(self.tokenizer, self.language, self.case == "lower", self.pieces, self.affixes)


def unanswerable(
    share: float, label: str | None, bears: Callable[[], Bears], tasks: Iterable[str] = ()
) -> Unanswerable | None:
    """The questions without an answer that are wanted; None: none. bears: see `Unanswerable`; tasks: families of bAbI

    Raises: UsageError where one of these has no such questions, or the label is no word.
    """
    if not share:
        if label is not None:
            raise UsageError("--unknown-label is for --unanswerable", hint="For example: --unanswerable 0.1")
        return None
    from dmn_cli.data.formats import unanswerable as questions
    from dmn_cli.notation import as_text

    label = "unknown" if label is None else as_text(label).strip()
    if not label.isprintable() or not label:
        raise UsageError("--unknown-label is no word", hint="For example: --unknown-label unknown")
    if refused := questions.closed(tasks):
        named = ", ".join(f"{task} ({answers})" for task, answers in refused.items())
        raise UsageError(
            f"--unanswerable is for answers that can be open, and not for those of {named}",
            hint="Say which tasks with --tasks: of bAbI's, 1-5,11-16,20 can have such questions.",
        )
    return questions.Unanswerable(share, label, bears())


shares_options = sharing(Shared)


def numbers(text: str, highest: int) -> list[int]:
    """'1,2,5-7' → [1, 2, 5, 6, 7]. Raises: UsageError"""
    numbers: set[int] = set()
    for part in text.replace("qa", "").split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise UsageError(f"--tasks {text!r} is not a list of numbers", hint="For example: --tasks 1,2,5-7")
        numbers.update(range(int(first), min(int(last or first), highest + 1) + 1))
    if not numbers or min(numbers) < 1 or max(numbers) > highest:
        raise UsageError(f"--tasks {text!r}: the tasks are 1 to {highest}")
    return sorted(numbers)
