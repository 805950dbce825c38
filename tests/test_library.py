"""dmn from Python: what the README shows runs as it says, the CLI says the same, and importing it is light."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Dmn

import dmn_cli

ROOT = Path(__file__).parent.parent
STORY = ["Mary went to the kitchen.", "Mary got the football.", "Mary went to the garden."]
QUESTION = "Where is the football?"


@pytest.mark.parametrize("page", ["README.md", "docs/library.md"])
def test_what_the_pages_show_runs(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    [code] = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(code.strip().splitlines()) <= 10
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
    assert ran.stderr == ""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"```\n{ran.stdout}```\n" in readme


def test_importing_it_is_light() -> None:
    code = "import sys, dmn_cli; dmn_cli.__version__; dmn_cli.DmnError; print(*sys.modules)"
    imported = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert not {"torch", "numpy", "typer", "rich", "pydantic"} & {*imported}
    assert {"dmn_cli", "dmn_cli.errors"} <= {*imported}


def test_every_name_is_there_and_no_other() -> None:
    assert all(getattr(dmn_cli, name) is not None for name in dmn_cli.__all__)
    assert dir(dmn_cli) == sorted(dmn_cli.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'Predicter'"):
        _ = dmn_cli.Predicter  # type: ignore[attr-defined]


def test_a_story_is_facts_or_a_text() -> None:
    predictor = dmn_cli.Predictor("demo")
    as_facts, as_text = predictor.answer_all([(STORY, QUESTION), (" ".join(STORY), QUESTION)])
    alone = predictor.answer(STORY, QUESTION)
    for answer in (as_facts, as_text, alone):
        assert (answer.facts, answer.text, answer.read) == (STORY, "garden", [1, 2])
        assert answer.confidence == pytest.approx(alone.confidence, abs=1e-5)


def test_the_command_says_the_same(dmn: Dmn, tmp_path: Path) -> None:
    path = tmp_path / "story.txt"
    path.write_text(" ".join(STORY), encoding="utf-8")
    said = dmn("ask", "demo", "--story", path, "--question", QUESTION, "--why", "--json").document
    assert dmn_cli.Predictor("demo", why=True).answer(path.read_text(), QUESTION).as_json() == said


def test_what_goes_wrong_is_a_dmn_error(tmp_path: Path) -> None:
    with pytest.raises(dmn_cli.ModelError, match="there is no model") as caught:
        dmn_cli.Predictor(str(tmp_path))
    assert isinstance(caught.value, dmn_cli.DmnError)
    with pytest.raises(dmn_cli.DataError, match="the story is empty"):
        dmn_cli.Predictor("demo").answer("", QUESTION)
