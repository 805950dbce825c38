"""--abstain-below: no answer where the confidence is too low, in every way to ask, and what dmn eval says of it."""

import csv
import io
import itertools
import json
from pathlib import Path

import pytest
from commands import QUESTION, STORY
from conftest import Dmn, fails, strict_json
from schemas import Answered, AnsweredLine, Evaluated

GOLDEN = Path(__file__).parents[1] / "golden"
LINES = [
    {"story": STORY, "question": QUESTION},
    {"story": "John went to the office.", "question": QUESTION},
    {"story": "Mary went to the kitchen.\nMary went to the zzz.", "question": QUESTION},
]


@pytest.fixture
def asked(tmp_path: Path) -> Path:
    path = tmp_path / "asked.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in LINES), encoding="utf-8")
    return path


@pytest.fixture
def between(dmn: Dmn, run: Path, asked: Path) -> float:
    """A confidence that some of the answers to LINES have and others don't."""
    said = sorted(line["confidence"] for line in dmn("ask", run, "--batch", asked, "--no-bind").lines)
    assert said[0] < said[-1]
    return (said[0] + said[-1]) / 2


def test_a_stream(dmn: Dmn, run: Path, asked: Path, between: float) -> None:
    plain = dmn("ask", run, "--batch", asked, "--no-bind").lines
    told = dmn("ask", run, "--batch", asked, "--no-bind", "--abstain-below", between).lines
    abstained = [line for line in told if line["answer"] is None]
    assert 0 < len(abstained) < len(told)
    for before, now in zip(plain, told, strict=True):
        AnsweredLine.model_validate_json(json.dumps(now))
        assert (now["answer"] is None) == (before["confidence"] < between)
        assert now.get("best", now["answer"]) == before["answer"]
        assert now["confidence"] == before["confidence"]


def test_one_question(dmn: Dmn, run: Path, story: Path) -> None:
    question = ("ask", run, "--story", story, "--question", QUESTION)
    assert dmn(*question, "--abstain-below", 0.1).out == "kitchen\n"
    assert dmn(*question, "--abstain-below", 1).out == "?\n"
    document = Answered.model_validate_json(dmn(*question, "--abstain-below", 1, "--json").out)
    assert (document.answer, document.best) == (None, "kitchen")


def test_tags(dmn: Dmn) -> None:
    asked = ("ask", GOLDEN / "model-1", "--story", "-", "--question", "What are the tags ?", "--abstain-below", 1)
    document = Answered.model_validate_json(dmn(*asked, "--json", stdin=b"the dog").out)
    assert (document.answer, document.best) == (None, "DET NOUN")
    assert dmn(*asked, stdin=b"the dog").out == "?\n"


def test_the_prompt(dmn: Dmn, run: Path) -> None:
    typed = f"{STORY}{QUESTION}\n".encode()
    assert dmn("ask", run, "--abstain-below", 1, stdin=typed).out == "?\n"
    assert dmn("ask", run, "--abstain-below", 1, "--json", stdin=typed).document["answer"] is None


def test_a_table(dmn: Dmn, run: Path, tmp_path: Path, between: float) -> None:
    table, out = tmp_path / "t.csv", tmp_path / "out.csv"
    with table.open("w", newline="") as file:
        csv.writer(file).writerows([["text"], *([line["story"]] for line in LINES)])
    options = ("--table", table, "--input", "text", "--question", QUESTION, "--no-bind", "--out", out)
    result = dmn("ask", run, *options, "--abstain-below", between, "--json")
    rows = list(csv.DictReader(io.StringIO(out.read_text(), newline="")))
    assert all((row["answer"] == "?") == (float(row["confidence"]) < between) for row in rows if row["answer"])
    assert result.document["abstained"] == sum(row["answer"] == "?" for row in rows) > 0
    assert "answered by ?" in result.err


def test_eval_says_coverage_and_the_accuracy_of_what_is_answered(
    dmn: Dmn, run: Path, world: Path, tmp_path: Path
) -> None:
    written = tmp_path / "predictions.jsonl"
    split = ("--split", "train")
    assert dmn("eval", run, world, *split, "--predictions", written).code == 0
    lines = [strict_json(line) for line in written.read_text().splitlines()]
    sure = sorted(line["confidence"] for line in lines)[len(lines) // 4 : len(lines) // 2]
    gap, below = max((above - one, (one + above) / 2) for one, above in itertools.pairwise(sure))
    assert gap > 1e-6  # no rounding reaches across
    answered = [line for line in lines if line["confidence"] >= below]
    result = dmn("eval", run, world, *split, "--abstain-below", below, "--json")
    document = Evaluated.model_validate_json(result.out)
    assert document.abstaining is not None
    assert document.abstaining.answered == len(answered)
    assert document.abstaining.coverage == len(answered) / len(lines)
    right = sum(line["correct"] for line in answered) / len(answered)
    assert document.abstaining.selective_accuracy == right
    task = document.tasks["qa1"]
    assert (task.coverage, task.selective_accuracy) == (len(answered) / len(lines), right)
    shown = dmn("eval", run, world, *split, "--abstain-below", below).out
    assert f"{100 * len(answered) / len(lines):.2f} % of the questions answered" in shown
    assert "accuracy of answered" in shown


def test_where_nothing_is_answered_there_is_no_accuracy_of_it(dmn: Dmn) -> None:
    said = dmn("eval", GOLDEN / "model-1", GOLDEN / "data-1", "--split", "train", "--abstain-below", 1, "--json")
    document = Evaluated.model_validate_json(said.out)
    assert document.abstaining is not None
    assert document.abstaining.model_fields_set == {"below", "answered", "coverage"}
    assert document.abstaining.coverage == document.tasks["tags"].coverage == 0
    assert "selective_accuracy" not in document.tasks["tags"].model_fields_set
    plain = dmn("eval", GOLDEN / "model-1", GOLDEN / "data-1", "--split", "train", "--abstain-below", 1)
    assert "0.00 % of the questions answered with a confidence of 1.0 or more\n" in plain.out


@pytest.mark.parametrize("value", ["1.5", "-0.1", "nan", "high"])
@pytest.mark.parametrize("command", ["ask", "eval"])
def test_what_is_no_fraction(dmn: Dmn, run: Path, world: Path, command: str, value: str) -> None:
    fails(dmn(command, run, *([world] if command == "eval" else []), f"--abstain-below={value}"), 2, "--abstain-below")
