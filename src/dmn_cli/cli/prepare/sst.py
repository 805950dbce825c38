"""dmn prepare sst: the Stanford Sentiment Treebank."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from dmn_cli.cli.prepare.options import Shared, shares_options
from dmn_cli.cli.prepare.write import as_given, write
from dmn_cli.errors import UsageError

if TYPE_CHECKING:
    from dmn_cli.data.words.tokenizer import SpacyTokenizer, WhitespaceTokenizer


@shares_options
def command(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH",
            help="trainDevTestTrees_PTB.zip as downloaded, its unpacked folder, or train.txt, dev.txt, test.txt; "
            "or its URL, or sst, to fetch it.",
            show_default=False,
        ),
    ],
    classes: Annotated[
        Literal["5", "2"], typer.Option(help="2: negative or positive; neutral sentences are left out.")
    ] = "5",
    phrases: Annotated[
        Literal["all", "root"],
        typer.Option(help="Train on all labelled phrases, each once, or on whole sentences."),
    ] = "all",
    with_trees: Annotated[
        bool,
        typer.Option("--trees", help="Keep the tree of each sentence, with the labels of its nodes, for tree systems."),
    ] = False,
    *,
    shared: Shared,
) -> None:
    """Prepare the Stanford Sentiment Treebank (Socher et al. 2013). Words are facts; validation and test are sentences.

    With --trees a sentence is one fact, its tree; --phrases root then leaves out the labels of all nodes but the root.

    Example: dmn prepare sst trainDevTestTrees_PTB.zip --classes 2 --out data/sst2
    """
    shared.check()

    from dmn_cli.data.formats import sst as reader

    files = reader.find(shared.local(paths, "sst"))
    source = {
        "format": "sst",
        "path": as_given(paths),
        "classes": int(classes),
        "phrases": phrases,
        "seed": shared.seed,
    }
    n = 5 if classes == "5" else 2
    total = sum(file.size for file in files)
    if not with_trees:
        write(shared, lambda advance: reader.read(files, n, phrases, shared.seed, advance), total, source)
        return
    from dmn_cli.data.words.trees import TreeTokenizer

    write(
        replace(shared, symmetries="off"),
        lambda advance: reader.read_trees(files, n, phrases, shared.seed, advance),
        total,
        {**source, "trees": True},
        TreeTokenizer(_of_words(shared), reader.labels(n)),
    )


def _of_words(shared: Shared) -> SpacyTokenizer | WhitespaceTokenizer:
    """Raises: UsageError where the words of a tree can't be split so."""
    from dmn_cli.data.words.tokenizer import SpacyTokenizer, WhitespaceTokenizer

    tokenizer = shared.choice.tokenizer()
    if not isinstance(tokenizer, SpacyTokenizer | WhitespaceTokenizer):
        refused = "--affixes" if shared.affixes else "--tokenizer sentencepiece"
        raise UsageError(f"{refused} is for plain text: a tree has its words already", hint="Leave out one of the two.")
    return tokenizer
