"""Writes docs/cli.md: the `--help` of dmn and of each of its commands."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import typer.main

from dmn_cli.cli.app import app

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "cli.md"

_INTRODUCTION = """\
# The command line

What `--help` says of `dmn` and of each command. Written by `tools/cli_reference.py`; don't edit it by hand.
"""

# nothing of the caller's environment comes through, so that the page is the same everywhere
_ENVIRONMENT = {"COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb", "PYTHONUTF8": "1", "PYTHONPATH": str(ROOT / "src")}
_HELP = """
import sys
from dmn_cli.cli.app import app
for words in sys.argv[1:]:
    try:
        app([*words.split(), "--help"], prog_name="dmn")
    except SystemExit as ended:
        if ended.code:
            raise
        print(end=chr(0), flush=True)
"""


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words of each command after `dmn`, in the order that help lists them."""
    yield path
    if hasattr(command, "commands"):
        for name in command.list_commands(typer.Context(command)):
            yield from commands(command.commands[name], (*path, name))


def helps(paths: Sequence[tuple[str, ...]]) -> list[str]:
    """Of each, by one process."""
    program = [sys.executable, "-c", _HELP, *map(" ".join, paths)]
    shown = subprocess.run(program, env=_ENVIRONMENT, check=True, capture_output=True).stdout.decode()
    return [
        "\n".join(line.rstrip() for line in one.splitlines()).strip("\n")
        for one in shown.removesuffix("\0").split("\0")
    ]


def reference() -> str:
    """The page."""
    paths = [*commands(typer.main.get_command(app))]
    blocks = [
        f"\n## {' '.join(('dmn', *path))}\n\n```text\n{shown}\n```\n"
        for path, shown in zip(paths, helps(paths), strict=True)
    ]
    return _INTRODUCTION + "".join(blocks)


def main() -> None:
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(reference(), encoding="utf-8")


if __name__ == "__main__":
    main()
