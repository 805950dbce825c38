"""dmn ask demo: the model that comes with dmn answers, says why, and knows names that nobody has seen."""

import json
import shutil
from pathlib import Path

import pytest
from conftest import Dmn, fails
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput
from schemas import InfoOfModel

import dmn_cli
from dmn_cli.answering.predictor import Predictor
from dmn_cli.answering.samples import Samples
from dmn_cli.artifact.stored import demo_story
from dmn_cli.cli import editor
from dmn_cli.cli.output import Output

DEMO = Path(dmn_cli.__file__).parent / "demo"
README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
ASKED = {  # of its own story
    "Where is the violin?": "observatory",
    "Where is Aisha?": "observatory",
    "Where is Mary?": "office",
    "Is Bob in the garden?": "no",
    "Is Mary in the office?": "yes",
}


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor("demo")


@pytest.mark.parametrize(("question", "answer"), ASKED.items())
def test_its_own_story(dmn: Dmn, question: str, answer: str) -> None:
    assert dmn("ask", "demo", "--story", DEMO / "story.txt", "--question", question).out == f"{answer}\n"


def test_names_that_nobody_has_seen(predictor: Predictor) -> None:
    for who, what, place in (("Xanthe", "lute", "scriptorium"), ("Ngozi", "telescope", "yurt")):
        story = f"{who} moved to the hallway. {who} grabbed the {what}. {who} went back to the {place}."
        asked = [(story, f"Where is the {what}?"), (story, f"Where is {who}?"), (story, f"Is {who} in the {place}?")]
        assert [answer.text for answer in predictor.answer_all(asked)] == [place, place, "yes"]
    given = predictor.answer("Xanthe gave the lute to Ngozi.", "Who gave the lute to Ngozi?")
    assert given.text == "Xanthe"


def test_why(dmn: Dmn) -> None:
    shown = dmn("ask", "demo", "--story", DEMO / "story.txt", "--question", "Where is the violin?", "--why").out
    assert shown.startswith("observatory\n")
    assert "* Aisha picked up the violin there." in shown
    assert "* Aisha journeyed to the observatory." in shown


def test_it_answers_as_when_it_was_saved(dmn: Dmn) -> None:
    golden = DEMO / "model" / "golden.jsonl"
    expected = [json.loads(line)["answer"] for line in golden.read_text(encoding="utf-8").splitlines()]
    assert [line["answer"] for line in dmn("ask", "demo", "--batch", golden).lines] == expected


def test_it_is_small_and_good(dmn: Dmn) -> None:
    about = InfoOfModel.model_validate_json(dmn("info", "demo", "--json").out)
    assert sum(file.stat().st_size for file in DEMO.rglob("*") if file.is_file()) <= 2_000_000
    assert about.validation["accuracy"] > 0.98
    assert len(about.tasks) >= 4
    assert len(about.names) >= 3  # people, places, things


def test_what_is_called_demo_here_wins(dmn: Dmn, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(model, tmp_path / "demo")
    assert dmn("info", "demo", "--json").document["tasks"] == ["qa1"]
    shutil.rmtree(tmp_path / "demo")
    (tmp_path / "demo").mkdir()
    fails(dmn("ask", "demo", "--story", "-", "--question", "Where is Mary?"), 4, "there is no model")


def test_in_a_pipe_there_is_no_story(dmn: Dmn) -> None:
    result = dmn("ask", "demo", stdin=b"Where is Mary?\nMary went to the garden.\nWhere is Mary?\n")
    assert result.out == "garden\n"
    assert "the story is empty" in result.err
    assert "violin" not in result.err


def test_at_a_terminal_its_story_is_there_as_the_readme_shows_it(
    predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("COLUMNS", "80")
    with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
        pipe.send_text("Where is the violin?\r/without 5\r\x04")
        editor.edit(Output(), predictor, Samples(Path("demo")), demo_story(), why=False)
    shown, noted = capsys.readouterr()
    for number, fact in enumerate(demo_story(), start=1):
        assert f"  {number}  {fact}" in shown
    assert "observatory" in shown.partition("Bob is no longer in the garden.")[2]
    assert "was observatory" in shown  # without the last move it is still in the kitchen
    _, *readme = README.partition("$ dmn ask demo\n")[2].partition("```")[0].splitlines()
    for typed in ("  ?  Where is the violin?", "  ›  /without 5"):
        readme.remove(typed)
    assert [line for line in readme if line] == [line for line in f"{noted}{shown}".splitlines() if line]
