"""dmn prepare: anything → a data set."""

from __future__ import annotations

import typer

from dmn_cli.cli.prepare import babi, jsonl, sst, story, tagged

app = typer.Typer(no_args_is_help=True, help="Read data, and write it as a data set that dmn train and dmn eval read.")
for name, module in {"babi": babi, "jsonl": jsonl, "sst": sst, "tagged": tagged, "story": story}.items():
    app.command(name)(module.command)
