"""dmn prepare text: plain text to learn to read from, split into words once for many trainings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dmn_cli.cli.options import Force, Json, Quiet
from dmn_cli.cli.output import Output, plural, progress
from dmn_cli.cli.prepare.options import Affixes, Case, Words
from dmn_cli.errors import UsageError

_Pieces = Annotated[
    str | None,
    typer.Option(
        metavar="FILE.model",
        help="For sentencepiece, and needed there: the pieces of a data set, DATA/tokenizer.model.",
        show_default=False,
    ),
]


def command(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH",
            help="Text: plain, .gz, .xz, an archive or a folder of .txt files.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="The folder to write: a new one.", show_default=False)],
    tokenizer: Words = "spacy",
    language: Annotated[str, typer.Option(help="The language whose rules spaCy uses: en, de, fr, xx, …")] = "en",
    case: Case = "lower",
    pieces: _Pieces = None,
    affixes: Affixes = False,
    force: Force = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Prepare plain text, which dmn train --read then reads without splitting it into words again.

    Its words must be split as those of the data are: give both the same --tokenizer, --language, --case and --affixes.

    Example: dmn prepare text wiki.txt.gz books --out data/text
    """
    output = Output(as_json=json, quiet=quiet)

    from dmn_cli.data.text import blocks
    from dmn_cli.data.text.prepare import prepare
    from dmn_cli.data.text.store import is_prepared
    from dmn_cli.data.words.pieces import Untrained
    from dmn_cli.data.words.spec import choose
    from dmn_cli.files import check_directory

    for path in paths:
        if not path.exists():
            raise UsageError("there is no such text", where=path)
    check_directory(out, force=force, ours=is_prepared)
    words = choose(tokenizer, language, case == "lower", pieces, affixes)
    if isinstance(words, Untrained):
        raise UsageError(
            "the pieces of words are learnt from the data that are asked about",
            hint="Give those of such a data set: --pieces DATA/tokenizer.model",
        )
    with progress(output, "splitting texts into words", blocks.size(paths)) as advance:
        text = prepare(out, paths, words, advance)
    distinct = len(text.items) - 1  # without the unknown word
    output.json({"text": str(out), "words": text.words, "sentences": text.sentences, "distinct": distinct})
    output.result(
        f"{plural(text.words, 'word')}, {distinct:,} of them distinct, in {plural(text.sentences, 'sentence')}.\n"
        f"{out} is ready. Next: dmn train DATA --out RUN --read {out}"
    )
