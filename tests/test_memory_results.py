"""The tables of tools/memory_results.py."""

import importlib
from pathlib import Path
from typing import Any

import pytest

TOOLS = Path(__file__).parent.parent / "tools"
MORE = {"table": "memory", "valid": 1.0, "epochs": 120, "seconds": 20}


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(TOOLS)
    return importlib.import_module("memory_results")


def test_the_best_by_training_loss_stands_beside_the_mean(tool: Any) -> None:
    lines = [
        {"row": tool.MEMN2N, "task": 2, "seed": 1, "test": 0.9, "train_loss": 0.01, "rate": 1000, **MORE},
        {"row": tool.MEMN2N, "task": 2, "seed": 2, "test": 0.7, "train_loss": 0.30, "rate": 2000, **MORE},
        {"row": tool.MEMNN, "task": 1, "seed": 1, "test": 1.0, "train_loss": 0.0, **MORE},
        {"table": "sentiment", "data": "sst2", "system": "rntn", "test": 0.8},
    ]
    babi = [{"row": "en", "task": 1, "seed": 1, "test": 0.99, "valid": 1.0, "epochs": 9, "seconds": 60, "rate": 900}]
    page = tool.page(lines, babi)
    assert "\n| qa2 | · | · | 100.0 | 80.0 ± 14.1 (2) | 90.0 | 91.7 | · | · | 99.7 |\n" in page
    assert "\n| memnn, en | 1 | 100.0 | 100.0 | 1 | 93.3 | 16 | 20 | · |\n" in page
    assert "\n| memn2n, en, answers only | 1 | 80.0 | 90.0 | 0 | 86.1 | 9 | 20 | 1,500 |\n" in page
    assert "\n| dmn-plus, en | 1 | 99.0 | – | 1 | – | – | 60 | 900 |\n" in page
    assert "\n| dmn, en | 0 | · | – | · | 93.6 | 18 | · | · |\n" in page


def test_what_has_a_line_is_not_trained_again(tool: Any, tmp_path: Path) -> None:
    kept = tmp_path / "systems.jsonl"
    done = []
    wanted = [*tool.jobs([tool.MEMNN], [1, 2], [1])]

    def do(job: Any) -> Any:
        done.append(job.task)
        return {**job._asdict(), "test": 1.0, "train_loss": 0.0, **MORE}

    for _ in range(2):
        tool.work(wanted, do, kept, jobs=1, minutes=1e9)
    assert done == [1, 2]
