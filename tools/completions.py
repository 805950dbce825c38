"""Writes completions/: the completion scripts that Typer makes for dmn, for packages that install them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "completions"

# each shell's file under the name that its completion looks for
FILES = {"bash": "dmn.bash", "zsh": "_dmn", "fish": "dmn.fish"}

_DMN = "from dmn_cli.cli.app import app; app(prog_name='dmn')"


def script(shell: str) -> str:
    """The completion script for a shell."""
    shown = subprocess.run(
        [sys.executable, "-c", _DMN],
        env={"_DMN_COMPLETE": f"source_{shell}", "PYTHONUTF8": "1", "PYTHONPATH": str(ROOT / "src")},
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # Typer warns there where it finds no new enough bash
    )
    return shown.stdout.decode().strip() + "\n"


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for shell, name in FILES.items():
        (FOLDER / name).write_text(script(shell), encoding="utf-8")


if __name__ == "__main__":
    main()
