"""dmn prepare jsonl: any task as JSON lines."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from dmn_cli.cli.prepare.options import Label, Share, Shared, shares_options, unanswerable
from dmn_cli.cli.prepare.write import as_given, warn_of_names, write


@shares_options
def command(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH",
            help="Files of JSON lines, plain or compressed, or folders or archives of .jsonl files; or their URLs.",
            show_default=False,
        ),
    ],
    task: Annotated[
        str | None,
        typer.Option(help="The task of the lines that name none, if not the name of --out.", show_default=False),
    ] = None,
    facts: Annotated[
        Literal["sentences", "words"],
        typer.Option(help="What a story that is a text is split into, where its line doesn't say."),
    ] = "sentences",
    unanswerable_: Share = 0.0,
    unknown_label: Label = None,
    *,
    shared: Shared,
) -> None:
    """Prepare JSON lines: any task that can be expressed as a story, a question and an answer.

    A line is an object with "story" (a list of facts, or a text), "question" and "answer" (a text, or a list of them),
    and, if you like, "support" (positions of facts, from 0), "task", "split" (train, valid or test), "facts" ("words",
    where facts are words), "each" (true, where the answer has a text for each fact) and "id", which no two lines share.

    An answer may be a number, true or false. A line that names no split belongs to the one that its file is named after
    (test.jsonl, Dev.jsonl), or else to training. Where no line is for validation, a tenth of the training stories,
    chosen by the seed, is held out.

    Example: dmn prepare jsonl train.jsonl test.jsonl --out data/mine
    """
    shared.check()
    added = unanswerable(unanswerable_, unknown_label, shared.by_words)

    from dmn_cli.data.formats import jsonl as reader
    from dmn_cli.data.sources.archives import chosen

    words, files = shared.choice.tokenizer(), shared.local(paths)
    cut: reader.Cut = {"sentences": words.sentences, "words": words.words}
    source = {"format": "jsonl", "path": as_given(paths), "facts": facts, "seed": shared.seed}
    warn_of_names(shared.output, *chosen(files, reader.is_jsonl), unless=", but for lines that name a split")
    named = shared.task_name(task)
    write(
        shared,
        lambda advance: reader.read(files, named, shared.seed, cut, facts, advance),
        reader.size(files),
        source,
        words,
        unanswerable=added,
    )
