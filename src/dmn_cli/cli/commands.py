"""Commands are added with their docstrings as help."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import typer


def add(app: typer.Typer, commands: Mapping[str, Callable[..., Any]]) -> None:
    """commands: by name"""
    for name, command in commands.items():
        app.command(name, help=_as_help(command.__doc__ or ""))(command)


def _as_help(text: str) -> str:
    """Each paragraph as one line, since Typer's help keeps the line breaks of all but the first, and with brackets that
    rich shows."""
    paragraphs = inspect.cleandoc(text).replace("[", "\\[").split("\n\n")
    return "\n\n".join(" ".join(paragraph.split("\n")) for paragraph in paragraphs)
