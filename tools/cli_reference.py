"""Writes docs/cli.md: the `--help` of dmn and of each of its commands."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
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
_DMN = "from dmn_cli.cli.app import app; app(prog_name='dmn')"


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words of each command after `dmn`, in the order that help lists them."""
    yield path
    if hasattr(command, "commands"):
        for name in command.list_commands(typer.Context(command)):
            yield from commands(command.commands[name], (*path, name))


def help_of(path: tuple[str, ...]) -> str:
    shown = subprocess.run(
        [sys.executable, "-c", _DMN, *path, "--help"], env=_ENVIRONMENT, check=True, capture_output=True
    )
    return "\n".join(line.rstrip() for line in shown.stdout.decode().splitlines()).strip("\n")


def reference() -> str:
    """The page."""
    blocks = [
        f"\n## {' '.join(('dmn', *path))}\n\n```text\n{help_of(path)}\n```\n"
        for path in commands(typer.main.get_command(app))
    ]
    return _INTRODUCTION + "".join(blocks)


def main() -> None:
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(reference(), encoding="utf-8")


if __name__ == "__main__":
    main()
