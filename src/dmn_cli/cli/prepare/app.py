"""dmn prepare: anything → a data set."""

from __future__ import annotations

import typer

from dmn_cli.cli.commands import add
from dmn_cli.cli.prepare import babi, image, jsonl, sst, story, table, tagged, text

app = typer.Typer(no_args_is_help=True, help="Read data, and write it as a data set that dmn train and dmn eval read.")
COMMANDS = {
    "babi": babi,
    "jsonl": jsonl,
    "table": table,
    "sst": sst,
    "tagged": tagged,
    "story": story,
    "image": image,
    "text": text,
}
add(app, {name: module.command for name, module in COMMANDS.items()})
