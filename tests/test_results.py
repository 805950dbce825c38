"""The tables of tools/babi_results.py and tools/seed_results.py, and how their trainings are done once each."""

import argparse
import importlib
import json
from pathlib import Path
from typing import Any

import pytest

TOOLS = Path(__file__).parent.parent / "tools"
OLD = {"valid": 1.0, "epochs": 8, "reason": "done", "seconds": 100}  # of a line from before names were measured
NEW = {**OLD, "valid_loss": 0.1}


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The modules by name."""
    monkeypatch.syspath_prepend(TOOLS)
    return {
        name: importlib.import_module(name)
        for name in ("lines", "babi_trainings", "babi_results", "seed_results", "summary")
    }


def cells(page: str, start: str, table: int = 0) -> list[str]:
    """Those of the line that begins so, in the first table that has one, or the next."""
    return page.split(f"\n| {start} | ")[table + 1].split(" |\n")[0].split(" | ")


def test_the_tables_of_babi(tools: Any) -> None:
    lines = [
        {"row": "en", "task": 1, "seed": 1, "test": 1.0, **OLD},
        {"row": "en", "task": 2, "seed": 1, "test": 0.9, **OLD},
        {"row": "en", "task": 2, "seed": 2, "test": 0.97, "unseen": 0.95, **NEW},
        {"row": "en", "task": 2, "seed": 3, "test": 0.99, "unseen": 0.97, **NEW},
        {"row": "en", "task": 4, "seed": 1, "test": 1.0, "unseen": None, **NEW},
        {"row": "en-10k", "task": 3, "seed": 1, "test": 0.987, "unseen": 0.9, **NEW, "seconds": 300},
        {
            "row": "joint, en-10k",
            "seed": 1,
            "tests": {"qa1": 1.0, "qa3": 0.8},
            "unseen": {"qa1": None, "qa3": 0.7},
            **NEW,
        },
    ]
    page = tools["babi_results"].page(lines)
    published = ["98.2", "99.7"]
    assert cells(page, "task")[:3] == ["en", "en-10k", "joint, en-10k"]
    assert cells(page, "en") == ["3", "1", "96.7", "3", "96.7 (seed 1)", "100"]
    assert cells(page, "en-10k") == ["1", "1", "98.7", "1", "98.7 (seed 1)", "300"]
    assert cells(page, "Kumar 2016: DMN, en")[2:4] == ["93.6", "18"]
    assert cells(page, "Xiong 2016: DMN+, en-10k, answers only")[2:4] == ["97.2", "19"]
    assert cells(page, "qa1") == ["100.0", "·", "100.0", "100.0", "100.0"]
    assert cells(page, "qa2") == ["95.3 ± 4.7 (3), worst 90.0", "·", "·", *published]
    assert cells(page, "qa3")[:3] == ["·", "98.7\\*", "80.0\\*"]
    assert "\n\\* The training file of qa3" in page
    assert cells(page, "qa1", 1) == ["100.0 / ·", "·", "100.0 / –"]
    assert cells(page, "qa2", 1) == ["98.0 / 96.0", "·", "·"]  # of the seeds that were measured on both
    assert cells(page, "qa3", 1) == ["·", "98.7\\* / 90.0", "80.0\\* / 70.0"]
    assert cells(page, "qa4", 1) == ["100.0 / –", "·", "·"]
    assert tools["babi_results"].page([])


def test_the_summary_has_rows_that_are_whole(tools: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools["summary"], "DOCS", tmp_path)
    lines = [
        {"row": "en", "task": task, "seed": seed, "test": 0.8 if task == seed else 1.0, "unseen": None, **NEW}
        for seed in (1, 2)
        for task in range(1, 21)
        if (seed, task) != (2, 20)
    ]
    lines[2] |= {"unseen": 0.8}
    lines.append({"row": "en-10k", "task": 1, "seed": 1, "test": 1.0, **NEW})
    lines.append({"row": "joint, en-10k", "seed": 3, "tests": {f"qa{task}": 0.5 for task in range(1, 21)}, **NEW})
    (tmp_path / "babi.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    summary = tools["summary"].summary()
    assert cells(summary, "bAbI en")[:5] == ["1", "99.0", "99.0", "18; lowest qa1 90.0", "–"]
    assert cells(summary, "bAbI en, names that nobody has seen")[:4] == ["1", "80.0", "80.0", "0; lowest qa3 80.0"]
    assert cells(summary, "bAbI joint, en-10k")[:4] == ["1", "50.0", "50.0", "0; lowest qa1 50.0"]
    assert "| bAbI en-10k |" not in summary
    assert "\nTasks of bAbI en below the published: qa1 90.0 (100.0), qa2 90.0 (98.2)." in summary
    assert cells(summary, "SST-2") == ["·", "·", "·", "–", "·", "DMN 88.6, Tree-LSTM 88.0, CNN 87.2"]
    assert "labels" not in summary
    page = f"before\n{tools['summary'].BEGIN}old\n{tools['summary'].END}after\n"
    assert tools["summary"].written(page) == page.replace("old\n", summary)


def test_seeds_are_told_worst_first(tools: Any) -> None:
    tests = {2: (0.99, 0.97, 0.98), 19: (1.0, 0.5, 1.0)}
    lines = [
        {"row": "en-10k", "task": task, "seed": seed, "test": test, **NEW, "valid_loss": seed / 10}
        for task, accuracies in tests.items()
        for seed, test in enumerate(accuracies, 1)
    ]
    page = tools["seed_results"].page(lines)
    assert page.index("| qa19 ") < page.index("| qa2 ")
    assert cells(page, "qa2") == [
        *("3", "98.0 ± 1.0", "97.0 (seed 2)", "99.0 (seed 1)", "100"),
        "97.0, 98.0, 99.0",
    ]
    assert cells(page, "qa19")[2:4] == ["50.0 (seed 2)", "100.0 (seed 1)"]


def test_the_table_of_seeds_is_of_some_of_all_trainings(
    tools: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = {"row": "en-10k", "task": 19, "seed": 1, "test": 1.0, **NEW}
    others = [{**line, "row": "en"}, {**line, "task": 1}, {"row": "joint, en-10k", "seed": 1, "tests": {}, **NEW}]
    lines = [line, *others, {**line, "seed": 2, "test": 0.9}]
    (tmp_path / "babi.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines))
    monkeypatch.setattr("sys.argv", ["seed_results.py", "archive", "work", "--docs", str(tmp_path), "--minutes", "0"])
    monkeypatch.chdir(tmp_path)
    tools["seed_results"].main()
    page = (tmp_path / "seeds.md").read_text()
    assert cells(page, "qa19") == ["2", "95.0 ± 7.1", "90.0 (seed 2)", "100.0 (seed 1)", "100", "90.0, 100.0"]
    assert "qa1 " not in page


def test_a_training_is_a_line_and_is_done_once(tools: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trainings = tools["babi_trainings"]
    said: list[tuple[str, ...]] = []

    def dmn(*words: object) -> dict[str, Any]:
        said.append(tuple(map(str, words)))
        if words[0] == "train":
            return {"best": {"accuracy": 1.0, "loss": 0.1}, "epochs": 8, "reason": "done", "seconds": 99.6}
        tasks = {f"qa{task}": {"accuracy": task / 20} for task in range(1, 21)}
        return {"tasks": tasks, "questions": 1000, "seconds": 0.5}

    def data(self: object, row: object, task: int) -> Any:
        return trainings.Data(Path(f"train-{task}"), Path(f"test-{task}"), Path(f"new-{task}") if task != 4 else None)

    monkeypatch.setattr(trainings, "dmn", dmn)
    monkeypatch.setattr(trainings.Shop, "_data", data)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    kept = tmp_path / "kept.jsonl"
    kept.write_text(json.dumps({"row": "en-10k", "task": 1, "seed": 1, "test": 1.0, **OLD}) + "\n")
    given = argparse.Namespace(data=tmp_path, folder=tmp_path / "build", options=["--epochs", "1"], jobs=1, minutes=1e9)
    wanted = (["en-10k", "joint, en-10k, answers only"], [1, 4, 5], [1])
    trainings.work(trainings.jobs(*wanted), kept, given)
    lines = tools["lines"].read(kept)
    done = {"valid": 1.0, "valid_loss": 0.1, "epochs": 8, "reason": "done", "seconds": 100, "rate": 2000}
    assert lines[1:3] == [
        {"row": "en-10k", "task": 4, "seed": 1, "test": 0.2, "unseen": None, **done},
        {"row": "en-10k", "task": 5, "seed": 1, "test": 0.25, "unseen": 0.25, **done},
    ]
    joint = lines[3]
    assert joint.keys() == {"row", "seed", "tests", "unseen", *done}
    assert joint["tests"] == {f"qa{task}": task / 20 for task in range(1, 21)}
    assert joint["unseen"] == {**joint["tests"], "qa4": None}
    run = str(tmp_path / "build" / "en-10k-qa5-1")
    assert said[2:5] == [
        ("train", "train-5", "--out", run, "--force", "--seed", "1", "--epochs", "1"),
        ("eval", run, "test-5"),
        ("eval", run, "new-5"),
    ]
    assert said[5][:21] == ("train", *(f"train-{task}" for task in range(1, 21)))
    said.clear()
    trainings.work(trainings.jobs(*wanted), kept, given)
    given.minutes = 0
    trainings.work(trainings.jobs(["en-10k"], [2], [1]), kept, given)
    assert said == []
    assert tools["lines"].read(kept) == lines
