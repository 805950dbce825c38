"""dmn compare: two files of predictions, two models, or one of each."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from conftest import Dmn, fails
from rich.console import Console
from schemas import Compared

from dmn_cli.cli import output
from dmn_cli.cli.output import Output, show_rows

GOLDEN = Path(__file__).parents[1] / "golden"


def line(n: int, *, correct: bool, task: str = "qa1", **other: Any) -> dict[str, Any]:
    """A line as dmn eval --predictions writes it."""
    prediction = "garden" if correct else "office"
    texts = {"story": [f"Mary went to garden {n}."], "question": "Where is Mary?", "answer": "garden"}
    return {"id": n, "task": task, **texts, "prediction": prediction, "correct": correct, **other}


def written(path: Path, lines: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(one) + "\n" for one in lines), encoding="utf-8")
    return path


@pytest.fixture
def a(tmp_path: Path) -> Path:
    """40 of qa2, of which the first 30 are right; 20 of qa10, all right."""
    lines = [line(n, correct=n < 30, task="qa2") for n in range(40)]
    return written(tmp_path / "a.jsonl", lines + [line(n, correct=True, task="qa10") for n in range(20)])


@pytest.fixture
def b(tmp_path: Path) -> Path:
    """In another order, with other numbers: the first 2 of qa2 are wrong, and the last of qa10."""
    lines = [line(n, correct=n >= 2, task="qa2", id=-n) for n in range(40)]
    lines += [line(n, correct=n < 19, task="qa10", id=-n) for n in range(20)]
    random.Random(1).shuffle(lines)
    return written(tmp_path / "b.jsonl", lines)


def test_questions_are_matched_whatever_their_order_and_number(dmn: Dmn, a: Path, b: Path) -> None:
    result = dmn("compare", a, b, "--json", "--quiet")
    assert (result.code, result.err) == (0, "")
    document = Compared.model_validate_json(result.out)
    assert list(document.tasks) == ["qa2", "qa10"]
    two, ten = document.tasks["qa2"], document.tasks["qa10"]
    assert (two.questions, two.accuracy.a, two.accuracy.b, two.gained, two.lost) == (40, 0.75, 0.95, 10, 2)
    assert (ten.questions, ten.accuracy.a, ten.accuracy.b, ten.gained, ten.lost) == (20, 1, 0.95, 0, 1)
    assert two.p == pytest.approx(2 * (1 + 12 + 66) / 2**12)
    assert two.p_holm == pytest.approx(2 * two.p)
    assert (ten.p, ten.p_holm) == (1, 1)
    assert document.difference == pytest.approx((0.2 - 0.05) / 2)
    assert (document.accuracy.a, document.accuracy.b) == pytest.approx((0.875, 0.95))
    assert (document.questions, document.repeated, document.gained, document.lost) == (60, 0, 10, 3)
    mirrored = Compared.model_validate_json(dmn("compare", b, a, "--json").out)
    assert (-mirrored.high, -mirrored.low) == pytest.approx((document.low, document.high))
    assert (mirrored.p, mirrored.gained, mirrored.lost) == (document.p, 3, 10)
    assert [one.question for one in mirrored.only_a] == [one.question for one in document.only_b]


def test_examples_are_from_the_tasks_in_turn(dmn: Dmn, a: Path, b: Path) -> None:
    document = Compared.model_validate_json(dmn("compare", a, b, "--examples", 2, "--json").out)
    assert [(one.task, one.story, one.a, one.b) for one in document.only_a] == [
        ("qa2", ["Mary went to garden 0."], "garden", "office"),
        ("qa10", ["Mary went to garden 19."], "garden", "office"),
    ]
    assert [(one.a, one.b, one.answer) for one in document.only_b] == [("office", "garden", "garden")] * 2
    assert dmn("compare", a, b, "--examples", 0, "--json").document["only_a"] == []


def test_what_a_person_sees(dmn: Dmn, a: Path, b: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    shown = dmn("compare", a, b).out
    assert "qa2          40   75.0 %  95.0 %  +20.00" in shown
    assert "B is 7.50 points better" in shown
    assert "What A has right and B hasn't:" in shown
    assert "What B has right and A hasn't, 3 of 10:" in shown
    assert "qa2: Where is Mary?   A: garden   B: office   right: garden\n    Mary went to garden 0." in shown
    on_a_terminal = dmn("compare", a, b, terminal=True).out
    assert "A: garden   B: office   right: garden\n" in on_a_terminal
    assert max(map(len, on_a_terminal.replace(str(a.parent), "folder").splitlines())) <= 80


def test_a_text_is_shown_as_one(dmn: Dmn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose facts are its words."""
    monkeypatch.setenv("COLUMNS", "80")
    story = ["What", "is", "the", "oldest", "university", "in", "the", "US", "?"] + ["really"] * 60
    lines = [line(0, correct=right, story=story) for right in (True, False)]
    one, other = (written(tmp_path / f"{one['correct']}.jsonl", [one]) for one in lines)
    shown = dmn("compare", one, other, terminal=True).out
    assert "    What is the oldest university in the US ? really really" in shown
    assert "really …\n" in shown
    assert "before" not in shown
    assert max(map(len, shown.replace(str(tmp_path), "folder").splitlines())) <= 80


def test_a_table_on_a_terminal_has_room(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Its header goes on in a second line, where one is too long; no figure is ever cut."""
    monkeypatch.setattr(Output, "table", True)
    lines = [("task", "95 % interval", "only A"), ("qa1", "+49.51 to +77.87", "3"), ("qa2", "-2.00 to +3.00", "1,000")]
    monkeypatch.setattr(output, "stdout", lambda: Console(width=80))
    show_rows(Output(), lines)
    assert capsys.readouterr().out.splitlines() == [
        "task     95 % interval  only A",
        "──────────────────────────────",
        "qa1   +49.51 to +77.87       3",
        "qa2     -2.00 to +3.00   1,000",
    ]
    monkeypatch.setattr(output, "stdout", lambda: Console(width=29))
    show_rows(Output(), lines)
    assert capsys.readouterr().out.splitlines() == [
        "                         only",
        "task     95 % interval      A",
        "─────────────────────────────",
        "qa1   +49.51 to +77.87      3",
        "qa2     -2.00 to +3.00  1,000",
    ]


def test_a_question_that_is_there_twice_is_matched_twice(dmn: Dmn, tmp_path: Path) -> None:
    """And one with another right answer is another question."""
    first = [line(1, correct=True), line(1, correct=True), line(1, correct=False, answer="hall"), line(2, correct=True)]
    a = written(tmp_path / "a.jsonl", first)
    b = written(tmp_path / "b.jsonl", [{**one, "correct": False} for one in reversed(first)])
    document = Compared.model_validate_json(dmn("compare", a, b, "--json").out)
    assert (document.questions, document.repeated, document.lost, document.gained) == (4, 1, 3, 0)
    assert "1 question is there more than once; each time counts" in dmn("compare", a, b).err
    written(b, first[1:])
    fails(dmn("compare", a, b), 3, "1 of the 4 questions of", "is not in", "(qa1: 1)", "the first: Where is Mary?")


def test_questions_that_do_not_match(dmn: Dmn, a: Path, b: Path) -> None:
    lines = [json.loads(text) for text in b.read_text().splitlines()]
    changed = [one | ({"answer": "hall"} if one["story"][0].endswith((" 3.", " 4.")) else {}) for one in lines]
    written(b, changed)
    said = ("4 of the 60 questions of", "are not in", "(qa2: 2, qa10: 2)", "4 of them have another right answer there")
    fails(dmn("compare", a, b), 3, *said)
    written(b, lines[:50])
    fails(dmn("compare", a, b), 3, "10 of the 60 questions of", "Both must be of the same split")


def test_models_and_files_can_be_mixed(dmn: Dmn, run: Path, world: Path, tmp_path: Path) -> None:
    """A model has right what its predictions say; another model is compared on all questions of the data."""
    file = tmp_path / "p.jsonl"
    assert dmn("eval", run, world, "--split", "valid", "--predictions", file, "--batch-size", 7).code == 0
    split = ("--split", "valid", "--json")
    mixed = Compared.model_validate_json(dmn("compare", file, run, world, *split).out)
    assert (mixed.gained, mixed.lost, mixed.difference) == (0, 0, 0)
    lines = [json.loads(text) for text in file.read_text().splitlines()]
    for one in lines:
        one["correct"] = not one["correct"]
    written(file, lines)
    turned = Compared.model_validate_json(dmn("compare", run, file, world, *split, "--examples", 100).out)
    assert turned.gained + turned.lost == turned.questions == len(lines)
    assert turned.accuracy.a == mixed.accuracy.b
    assert all(one.a != one.answer for one in turned.only_b)
    both = dmn("compare", run, run / "model", world, *split)
    assert both.document["lost"] == 0
    assert dmn("compare", "demo", file, world, *split).document["a"] == "demo"


def test_tags_are_right_or_wrong_as_a_whole(dmn: Dmn) -> None:
    said = dmn("compare", GOLDEN / "model-1", GOLDEN / "model-2", GOLDEN / "data-1", "--split", "train", "--json").out
    document = Compared.model_validate_json(said)
    report = dmn("eval", GOLDEN / "model-1", GOLDEN / "data-1", "--split", "train", "--json").document
    assert document.tasks["tags"].accuracy.a == report["tasks"]["tags"]["exact"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has no predictions"),
        ("\n{}\n", ':2: has no "task"'),
        ("no JSON\n", ":1: is not JSON"),
        ("[1]\n", ":1: is not an object"),
        (
            json.dumps(line(1, correct=True)) + "\n" + json.dumps(line(1, correct=True, correct_=1) | {"correct": 1}),
            ":2:",
        ),
        (json.dumps(line(1, correct=True, story="a text")), ':1: has no "story"'),
        (json.dumps(line(1, correct=True, story=[1])), "list of texts"),
        ("\x00\xff", ":1: is not JSON"),
    ],
)
def test_lines_that_are_no_predictions(dmn: Dmn, a: Path, tmp_path: Path, text: str, said: str) -> None:
    bad = tmp_path / "bad.jsonl"
    bad.write_bytes(text.encode("latin-1"))
    fails(dmn("compare", a, bad), 3, f"{bad}", said)
    fails(dmn("compare", bad, a), 3, f"{bad}", said)


def test_mistakes_on_the_command_line(dmn: Dmn, a: Path, b: Path, run: Path, world: Path, tmp_path: Path) -> None:
    fails(dmn("compare", a, run), 2, str(run), "DATA")
    fails(dmn("compare", a, b, world), 2, str(world))
    fails(dmn("compare", a, tmp_path / "nothing"), 2, "no such file")
    fails(dmn("compare", run, a, world, "--split", "dev"), 2, "test, valid and train")
    fails(dmn("compare", tmp_path, run, world), 4, "no model")
    fails(dmn("compare", a, world), 4, "is a data set, not a model")
    for option in (("--split", "valid"), ("--batch-size", 3), ("--no-bind",)):
        fails(dmn("compare", a, b, *option), 2, option[0], "as they are")
    fails(dmn("compare", a), 2, "B")
