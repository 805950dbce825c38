"""dmn: Dynamic Memory Networks on the command line, and in Python: `from dmn_cli import Predictor` (docs/library.md).

What is named here is imported once it is asked for: torch takes a second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dmn_cli.version import __version__ as __version__

if TYPE_CHECKING:
    from dmn_cli.answering.answer import Answer
    from dmn_cli.answering.predictor import Predictor
    from dmn_cli.errors import DataError, DmnError, ModelError

__all__ = ["Answer", "DataError", "DmnError", "ModelError", "Predictor", "__version__"]

_HOMES = {
    "Answer": "dmn_cli.answering.answer",
    "Predictor": "dmn_cli.answering.predictor",
    **dict.fromkeys(("DataError", "DmnError", "ModelError"), "dmn_cli.errors"),
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
