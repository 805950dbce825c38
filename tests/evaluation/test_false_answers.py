"""How often a question without an answer is answered, and one with an answer isn't."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from conftest import Dmn
from schemas import Evaluated

from dmn_cli.evaluation.unanswerable import UnanswerableCounts


def counted(label: int | None, batches: Iterator[tuple[list[int], list[int], list[int]]]) -> UnanswerableCounts:
    """Of batches: the right answers, what was answered, the tasks. Answer n of the data is n + 1 for the model, but for
    9, which it doesn't know."""
    counts = UnanswerableCounts(["one", "two", "three"])
    for right, given, task in batches:
        data: Any = SimpleNamespace(unknown=label, unanswerable=lambda split, rows, of=right: np.array(of) == label)
        of_model = np.array([*range(1, 10), -1])
        judged: Any = SimpleNamespace(rows=None, words=np.array(given)[:, None], task=np.array(task))
        counts.add(SimpleNamespace(data=data, split=None, answers=of_model), judged)  # type: ignore[arg-type]
    return counts


def test_rates_by_hand() -> None:
    first = [2, 2, 2, 5, 5], [3, 3, 4, 3, 6], [0, 0, 0, 0, 0]
    counts = counted(2, iter([first, ([2, 5, 5], [3, 6, 6], [1, 2, 2])]))
    assert counts.tasks == {
        "one": {"unanswerable": 3, "false_answers": 1 / 3, "false_unknowns": 1 / 2},
        "two": {"unanswerable": 1, "false_answers": 0.0},
    }
    assert counts.as_json() == {"questions": 4, "false_answers": 1 / 4, "false_unknowns": 1 / 2}


def test_data_without_such_questions() -> None:
    counts = counted(None, iter([([2, 5], [3, 3], [0, 0])]))
    assert counts.tasks == counts.as_json() == {}


def test_a_model_that_doesn_t_know_the_label() -> None:
    counts = counted(9, iter([([9, 9, 5], [3, 4, 6], [0, 0, 0])]))
    assert counts.as_json() == {"questions": 2, "false_answers": 1.0, "false_unknowns": 0.0}


def test_eval_tells_them(dmn: Dmn, run: Path, tmp_path: Path) -> None:
    """Of a model that never learnt to say that it doesn't know."""
    data = tmp_path / "data"
    prepared = dmn("prepare", "story", "--tasks", 1, "--questions", 300, "--unanswerable", 0.2, "--out", data)
    assert prepared.code == 0, prepared.err
    report = dmn("eval", run, data, "--json")
    Evaluated.model_validate_json(report.out)
    figures = {"false_answers": 1.0, "false_unknowns": 0.0}
    assert report.document["unanswerable"] == {"questions": 6, **figures}
    told = report.document["tasks"]["qa1"]
    assert {key: told[key] for key in ("unanswerable", *figures)} == {"unanswerable": 6, **figures}
    assert told["accuracy"] == pytest.approx(30 / 36)
    said = dmn("eval", run, data).out
    assert "100.00 % of 6 unanswerable questions answered, 0.00 % of the others not" in said
    assert "false answers" in said
