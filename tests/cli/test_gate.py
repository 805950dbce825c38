"""dmn eval --baseline and --summary: pass, fail or investigate, and what a job's page says."""

import json
from pathlib import Path

import pytest
from commands import disk_that_fills_up
from conftest import Dmn, fails
from schemas import Evaluated

MODEL = Path(__file__).parents[1] / "golden" / "model-1"
PEOPLE, ROOMS = ("Mary", "John"), ("garden", "kitchen", "attic")


@pytest.fixture(scope="module")
def folder(dmn: Dmn, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same 300 questions twice: in `known` the model knows all words, in `strange` it knows no names, so that it
    answers many of them wrongly. `few` has 12 of them. And what the model had right of `known` and of `few`."""
    folder = tmp_path_factory.mktemp("gate")
    stories = [
        [f"{one} is in the {first} .", f"{other} is in the {second} ."]
        for one, other in (PEOPLE, PEOPLE[::-1])
        for first in ROOMS
        for second in ROOMS
        if first != second
    ]
    lines = []
    for n in range(300):
        story = stories[n % len(stories)]
        fact = story[n // len(stories) % 2].split()
        asked = {"story": story, "question": f"Where is {fact[0]} ?", "answer": fact[4], "task": f"qa{1 + n % 2}"}
        lines += [{**asked, "split": "test"}, *([{**asked, "split": "train"}] if n < 24 else [])]
    for name, case, some in (("known", "lower", lines), ("strange", "keep", lines), ("few", "lower", lines[:24])):
        file = folder / f"{name}-lines.jsonl"
        file.write_text("".join(json.dumps(line) + "\n" for line in some))
        options = ("--tokenizer", "whitespace", "--case", case, "--out", folder / name)
        result = dmn("prepare", "jsonl", file, *options)
        assert result.code == 0, result.err
    for name in ("known", "few"):
        assert dmn("eval", MODEL, folder / name, "--predictions", folder / f"{name}.jsonl").code == 0
    return folder


def test_as_good_as_the_baseline(dmn: Dmn, folder: Path) -> None:
    against = ("eval", MODEL, folder / "known", "--baseline", folder / "known.jsonl")
    result = dmn(*against, "--max-drop", 0.02, "--json")
    assert (result.code, result.err) == (0, "")
    found = Evaluated.model_validate_json(result.out).baseline
    assert found is not None
    assert (found.verdict, found.max_drop, found.difference) == ("pass", 0.02, 0)
    assert (found.gained, found.lost, found.questions) == (0, 0, 300)
    assert found.low > -0.02
    assert 0.5 < found.power < 1
    assert found.repeated > 0
    shown = dmn(*against, "--max-drop", 0.02).out.splitlines()
    assert shown[-2] == "pass: not 2 points less accurate than the baseline"
    assert shown[-1] == f"would see a drop of 2 points {100 * found.power:.0f} % of the time"


def test_worse_than_the_baseline(dmn: Dmn, folder: Path) -> None:
    result = dmn("eval", MODEL, folder / "strange", "--baseline", folder / "known.jsonl", "--json")
    assert result.code == 1
    assert result.err == "error: more than 1 point less accurate than the baseline\n"
    document = Evaluated.model_validate_json(result.out)
    assert document.baseline is not None
    assert (document.baseline.verdict, document.baseline.max_drop) == ("fail", 0.01)
    assert document.baseline.high < -0.01
    assert document.baseline.accuracy.b == pytest.approx(document.accuracy)
    assert document.baseline.lost > 50


def test_too_few_questions_to_tell(dmn: Dmn, folder: Path, tmp_path: Path) -> None:
    against = ("eval", MODEL, folder / "few", "--baseline", folder / "few.jsonl")
    summary = tmp_path / "summary.md"
    result = dmn(*against, "--summary", summary)
    assert result.code == 6
    assert "investigate: too few questions to tell whether it is 1 point less accurate" in result.out
    assert result.err.startswith("investigate: too few questions to tell")
    assert "investigate**: too few" in summary.read_text(encoding="utf-8")
    assert dmn(*against, "--json", "--quiet").document["baseline"]["verdict"] == "investigate"
    assert dmn(*against, "--max-drop", 0.6).code == 0


def test_a_required_score_that_is_not_reached_wins(dmn: Dmn, folder: Path) -> None:
    strange = ("eval", MODEL, folder / "strange", "--baseline", folder / "known.jsonl")
    result = dmn(*strange, "--fail-under", "mean=0.99", "--json")
    assert result.code == 1
    assert "below 0.99; more than 1 point less accurate" in result.err
    undecided = (*strange, "--max-drop", -result.document["baseline"]["difference"])
    assert dmn(*undecided).code == 6
    below = dmn(*undecided, "--fail-under", "mean=0.99")
    assert below.code == 1
    assert "too few questions" in below.out
    assert "too few questions" not in below.err


def test_the_summary(dmn: Dmn, folder: Path, tmp_path: Path) -> None:
    summary = tmp_path / "summary.md"
    against = ("--baseline", folder / "known.jsonl", "--fail-under", "mean=0.99", "--summary", summary)
    assert dmn("eval", MODEL, folder / "strange", *against).code == 1
    text = summary.read_text(encoding="utf-8")
    assert text.startswith("## ")
    assert "below the required score" in text
    assert "❌ fail**: more than 1 point less accurate than the baseline" in text
    assert "would see a drop of 1 point" in text
    assert "| task | questions | accuracy | difference | 95 % interval | gained | lost |" in text
    assert "| qa1 | 150 |" in text
    assert "<details><summary>Lost: 10 of" in text
    fails(dmn("eval", MODEL, folder / "few", "--summary", summary), 2, "exists already")
    assert dmn("eval", MODEL, folder / "few", "--summary", summary, "--force").code == 0
    plain = summary.read_text(encoding="utf-8")
    assert "| task | questions | accuracy |\n" in plain
    assert "baseline" not in plain
    with disk_that_fills_up(100):
        assert dmn("eval", MODEL, folder / "few", "--summary", tmp_path / "full.md").code == 5
    assert not (tmp_path / "full.md").exists()


def test_a_baseline_of_other_questions(dmn: Dmn, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dmn_cli.evaluation.report.evaluate", lambda *args, **options: pytest.fail("it worked first"))
    outputs = ("--predictions", tmp_path / "p.jsonl", "--summary", tmp_path / "s.md")
    result = dmn("eval", MODEL, folder / "known", "--baseline", folder / "few.jsonl", *outputs)
    fails(result, 3, "of the 300 questions of", "known (test) are not in", "few.jsonl", "qa1: ", "Where is ")
    assert not list(tmp_path.iterdir())
    bad = tmp_path / "bad.jsonl"
    bad.write_text((folder / "known.jsonl").read_text() + "{}\n")
    fails(dmn("eval", MODEL, folder / "known", "--baseline", bad, *outputs), 3, f'{bad}:301: has no "task"')
    assert list(tmp_path.iterdir()) == [bad]


def test_a_baseline_can_be_replaced_by_the_predictions_that_it_is_compared_with(
    dmn: Dmn, folder: Path, tmp_path: Path
) -> None:
    baseline = tmp_path / "baseline.jsonl"
    baseline.write_text((folder / "known.jsonl").read_text())
    options = ("--baseline", baseline, "--predictions", baseline, "--force")
    assert dmn("eval", MODEL, folder / "strange", *options).code == 1
    assert dmn("eval", MODEL, folder / "strange", *options, "--max-drop", 0.1).code == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--max-drop", 0.1), "--baseline"),
        (("--baseline", "known.jsonl", "--max-drop", 0), "above 0 and below 1"),
        (("--baseline", "known.jsonl", "--max-drop", 1), "above 0 and below 1"),
        (("--baseline", "known.jsonl", "--max-drop", "nan"), "above 0 and below 1"),
        (("--baseline", "nothing.jsonl"), "no such file"),
        (("--summary", "known"), "exists already"),
    ],
)
def test_mistakes_on_the_command_line(
    dmn: Dmn, folder: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], said: str
) -> None:
    monkeypatch.chdir(folder)
    fails(dmn("eval", MODEL, folder / "known", *options), 2, said)
