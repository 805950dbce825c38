"""Keeps out of Typer's help what dmn has no use for: a quarter of the time that help takes.

Typer imports Rich's Markdown and coloured tracebacks (and with them markdown-it and Pygments) as soon as it shows help,
though dmn has neither in its texts. An empty module in place of each saves 30 to 35 ms of `dmn --help`, which
takes 100 ms without them. Typer has no option that would.
"""

from __future__ import annotations

import sys
from types import ModuleType

_UNUSED = {"rich.markdown": "Markdown", "rich.traceback": "Traceback"}


def leave_out_unused() -> None:
    """Puts empty modules in place of those that nobody has imported yet. Called before Typer shows anything."""
    for module, name in _UNUSED.items():
        if module not in sys.modules:
            sys.modules[module] = ModuleType(module)
            setattr(sys.modules[module], name, None)
