"""A class's fields as options of several commands.

Typer reads a command's options from its signature, and has no way to take them from a class. All `dmn prepare` commands
share sixteen options, so each gets a signature that is put together here: its own parameters, then the class's fields.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import fields
from functools import cache
from typing import Any, get_type_hints


def sharing(shared: type[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A decorator: the fields of the dataclass `shared` become options of a command, after its own.

    The command's last parameter is named `shared` and takes an instance. The first field has no default.
    """

    def shares(function: Callable[..., None]) -> Callable[..., None]:
        own = _parameters(function)[:-1]
        theirs = _parameters(shared)

        def command(**options: Any) -> None:
            given = {field.name: options.pop(field.name) for field in fields(shared)}
            function(**options, shared=shared(**given))

        needed = [p for p in own if p.default is p.empty]
        optional = [p for p in own if p.default is not p.empty]
        command.__signature__ = inspect.Signature([*needed, theirs[0], *optional, *theirs[1:]])  # type: ignore[attr-defined]
        command.__name__, command.__doc__ = function.__name__, function.__doc__
        return command

    return shares


@cache
def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    hints = get_type_hints(function, include_extras=True)
    parameters = inspect.signature(function).parameters.values()
    return [p.replace(annotation=hints[p.name], kind=inspect.Parameter.KEYWORD_ONLY) for p in parameters]
