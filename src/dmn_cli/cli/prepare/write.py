"""Writes a data set as the options say, and reports what is in it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from dmn_cli.cli.output import Output, progress
from dmn_cli.cli.prepare.options import Shared

if TYPE_CHECKING:
    from dmn_cli.data.formats.images.pictures import Pictures
    from dmn_cli.data.formats.unanswerable import Unanswerable
    from dmn_cli.data.prepare import Reader
    from dmn_cli.data.words.pieces import Untrained
    from dmn_cli.data.words.tokenizer import Tokenizer


def write(
    shared: Shared,
    readers: Reader | list[Reader],
    total: int,
    source: dict[str, Any],
    tokenizer: Tokenizer | Untrained | None = None,
    about: dict[str, Any] | None = None,
    unanswerable: Unanswerable | None = None,
    pictures: Pictures | None = None,
) -> None:
    """The arguments are those of `data.prepare.prepare`."""
    from dmn_cli.cli.prepare.summary import describe, warn
    from dmn_cli.data.prepare import prepare

    summary = prepare(
        shared.out,
        readers,
        total,
        source,
        shared.choice,
        tokenizer=tokenizer,
        vectors=shared.vector_choice,
        symmetries=shared.symmetry_choice,
        supports=shared.supports == "auto",
        unanswerable=unanswerable,
        pictures=pictures,
        export=shared.export,
        about=about,
        seed=shared.seed,
        stage=partial(progress, shared.output),
    )
    warn(shared.output, summary)
    shared.output.json({"out": str(shared.out), **summary})
    shared.output.prose(describe(summary))
    if lacking := [split for split in ("train", "valid") if not summary["splits"][split]["questions"]]:
        shared.output.warning(f"no questions for {' and '.join(lacking)}, without which dmn train can't train")
        shared.output.result(f"{shared.out} is ready for dmn eval.")
    else:
        shared.output.result(f"{shared.out} is ready. Next: dmn train {shared.out} --out RUN")


def warn_of_names(output: Output, read: Sequence[str], left: Sequence[str] = (), unless: str = "") -> None:
    """Warns of files that are read as training data, though by their names they may be meant for something else; and of
    those that are left out, though a split is named after them that no other file has."""
    from dmn_cli.data.formats.splits import seems_held_out, split_in_name

    there = {None, *map(split_in_name, read)}
    for name in sorted(name for name in left if split_in_name(PurePath(name).name) not in there):
        output.warning(f"{name} isn't read, because of its suffix: if it is data, give it by itself")
    for name in sorted(filter(seems_held_out, read)):
        output.warning(
            f"{name} is read as training data{unless}: a test file has a name like test.jsonl or my-test.txt"
        )


def as_given(paths: list[str]) -> str:
    """The paths as the user gave them, but for passwords in URLs."""
    from dmn_cli.data.sources.download import shown

    return ", ".join(map(shown, paths))
