"""What is generated is current: make docs and make completions would change nothing."""

import runpy
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def test_the_command_reference_is_current() -> None:
    reference = runpy.run_path(str(ROOT / "tools" / "cli_reference.py"))["reference"]
    assert (ROOT / "docs" / "cli.md").read_text(encoding="utf-8") == reference()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_scripts_are_current(shell: str) -> None:
    tool = runpy.run_path(str(ROOT / "tools" / "completions.py"))
    assert (ROOT / "completions" / tool["FILES"][shell]).read_text(encoding="utf-8") == tool["script"](shell)


@pytest.mark.skipif(not shutil.which("bash"), reason="there is no bash")
def test_bash_reads_its_completion_script() -> None:
    subprocess.run(["bash", "-n", ROOT / "completions" / "dmn.bash"], check=True)
