"""The shell commands of docs/ci.md, taken from the page and run as CI runs them, on tiny data."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "ci.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def steps(workflow: str) -> dict[str, str]:
    """The script of each `run: |` of a GitHub workflow, by the name of its step."""
    found = re.findall(r"^ {6}- name: (\w+)\n {8}run: \|\n((?: {10}.*\n)+)", workflow, re.MULTILINE)
    return {name: re.sub(r"^ {10}", "", script, flags=re.MULTILINE) for name, script in found}


def script(job: str) -> str:
    """The lines of a GitLab job's `script`, without those that install."""
    [lines] = re.findall(r"^  script:\n((?:    - .*\n)+)", job, re.MULTILINE)
    commands = [line.removeprefix("    - ") for line in lines.splitlines()]
    return "\n".join(line for line in commands if not line.startswith("pip install "))


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository as the page has it, and the command dmn."""
    rooms = ("garden", "kitchen", "office")
    lines = [
        json.dumps(
            {"story": [f"Mary went to the {room}."], "question": "Where is Mary?", "answer": room, "task": "where"}
        )
        for room in rooms * 8
    ]
    for name, times in (("train.jsonl", 4), ("test.jsonl", 1)):
        (tmp_path / name).write_text("\n".join(times * lines) + "\n", encoding="utf-8")
    settings = "[model]\nhidden = 16\n[training]\nepochs = 12\nsteps = 1\nlearning_rate = 0.02\nbatch_size = 8\n"
    (tmp_path / "train.toml").write_text(settings, encoding="utf-8")
    command = tmp_path / "bin" / "dmn"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m dmn_cli "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    return tmp_path


def run(checkout: Path, commands: str) -> "subprocess.CompletedProcess[str]":
    """As GitHub and GitLab run them: in bash, to the first command that fails."""
    environment = os.environ | {
        "PATH": f"{checkout / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "GITHUB_STEP_SUMMARY": str(checkout / "step-summary"),
    }
    file = checkout / "script.sh"
    file.write_text(commands, encoding="utf-8")
    return subprocess.run(["bash", "-e", file], cwd=checkout, env=environment, capture_output=True, text=True)


def test_the_commands_of_the_page(checkout: Path) -> None:
    [workflow, job] = blocks("yaml")
    [baseline, compare] = blocks("sh")
    github = steps(workflow)
    assert list(github) == ["Install", "Train", "Gate"]
    trained = run(checkout, github["Train"])
    assert trained.returncode == 0, trained.stderr
    assert run(checkout, baseline).returncode == 0

    gated = run(checkout, github["Gate"])
    assert gated.returncode == 0, gated.stderr  # 24 questions are too few, which is a warning there
    assert gated.stdout.endswith("::warning::too few questions to tell whether the model is worse\n")
    assert "investigate" in (checkout / "step-summary").read_text(encoding="utf-8")
    assert (checkout / "predictions.jsonl").exists()
    assert "B is neither better nor worse" in run(checkout, compare).stdout

    wrong = (checkout / "baseline.jsonl").read_text(encoding="utf-8").replace("Where is Mary?", "Where is John?")
    (checkout / "baseline.jsonl").write_text(wrong, encoding="utf-8")
    (checkout / "summary.md").unlink()
    (checkout / "predictions.jsonl").unlink()
    other = run(checkout, github["Gate"])
    assert (other.returncode, "24 of the 24 questions" in other.stderr) == (3, True)

    [gitlab_eval] = [line for line in script(job).splitlines() if line.startswith("dmn eval ")]
    assert script(job).splitlines()[:-1] == github["Train"].splitlines()
    (checkout / "baseline.jsonl").write_text(wrong.replace("John", "Mary"), encoding="utf-8")
    ended = run(checkout, gitlab_eval)
    allowed = re.search(r"exit_codes: (\d+)", job)
    assert allowed
    assert ended.returncode == int(allowed[1]) == 6
