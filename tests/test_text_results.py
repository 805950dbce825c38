"""The tables of tools/text_results.py, the data sets that it draws, and what its peers compute by themselves."""

import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

TOOLS = Path(__file__).parent.parent / "tools"
DONE = {"valid": 0.5, "seconds": 10}


@pytest.fixture(scope="module")
def tools() -> Any:
    """The modules by name."""
    with pytest.MonkeyPatch.context() as patch:
        for folder in (TOOLS, TOOLS / "peers", TOOLS / "recipes"):
            patch.syspath_prepend(folder)
        names = ("text_data", "text_trainings", "text_results", "peer", "nb_svm", "crf", "two_kinds")
        return {name: importlib.import_module(name) for name in names}


def line(data: str, system: str, seed: int, test: float) -> dict[str, Any]:
    return {"data": data, "system": system, "seed": seed, "test": test, **DONE}


def cells(page: str, start: str, table: int) -> list[str]:
    """Those of the line that begins so, in the table of that number among those that have one."""
    return page.split(f"\n| {start} | ")[table + 1].split(" |\n")[0].split(" | ")


def test_the_tables(tools: Any) -> None:
    lines = [line("trec", "dmn", seed, test) for seed, test in ((1, 0.9), (2, 0.92))]
    lines += [line("trec", "NB-SVM", 1, 0.891), line("ewt-upos", "CRF", 1, 0.95)]
    for draw, ours in enumerate((0.74, 0.75, 0.76), start=1):
        lines += [line("trec-300", "NB-SVM", draw, 0.7), line("trec-300", "dmn", draw, ours)]
    lines.append(line("sst2-300", "dmn", 1, 0.7))
    lines.append(line("sst2", "dmn, 5 together", 1, 0.9) | {"rate": 1234})
    page = tools["text_results"].page(lines)
    assert cells(page, "dmn", 0) == ["·", "·", "91.0 ± 1.4 (2)", "·", "·", "·"]
    assert cells(page, "NB-SVM", 0) == ["·", "·", "89.1", "·", "–", "–"]
    assert cells(page, "CRF", 0) == ["–", "–", "–", "–", "95.0", "·"]
    assert cells(page, "dmn", 1)[2] == "10"
    assert cells(page, "dmn, 5 together", 0) == ["90.0", "·", "–", "–", "–", "–"]
    assert cells(page, "dmn, 5 together", 2)[:2] == ["1,234", "·"]
    assert cells(page, "NB-SVM", 2)[:2] == ["70.0 ± 0.0 (3)", "·"]
    assert cells(page, "dmn", 4) == ["+5.0 (+2.5 to +7.5)", "·", "·", "·", "·"]
    assert tools["text_results"].page([])


def test_the_gain_over_all_is_that_of_each_draws_mean(tools: Any) -> None:
    few = list(tools["text_data"].FEW_OF)
    lines = [line(data, "NB-SVM", draw, 0.7) for data in few for draw in (1, 2)]
    lines += [
        line(data, "dmn", draw, 0.7 + draw / 100 + (0.02 if data == few[0] else 0)) for data in few for draw in (1, 2)
    ]
    assert cells(tools["text_results"].page(lines), "dmn", 4)[-1] == "+2.0 (-4.4 to +8.4)"  # of 1.5 and 2.5


def test_an_interval_is_students(tools: Any) -> None:
    """As `scipy.stats.t.interval(0.95, 4, ...)` has it."""
    mean, reach = tools["text_results"].interval([1.0, 2.0, 3.0, 4.0, 5.0])
    assert mean == 3.0
    assert reach == pytest.approx(1.9632, abs=1e-3)


def test_what_is_done(tools: Any) -> None:
    jobs = tools["text_trainings"].jobs
    assert jobs(["trec/NB-SVM"], None) == [("trec", "NB-SVM", 1)]
    assert jobs(["trec/NB-SVM"], [2, 3]) == []  # its seeds don't differ
    assert jobs(["trec/fastText"], [2]) == [("trec", "fastText", 2)]
    assert [job.seed for job in jobs(["trec-300/NB-SVM"], None)] == [1, 2, 3, 4, 5]
    every = jobs(["*"], None)
    assert [job.seed for job in every] == sorted(job.seed for job in every)
    assert not {"UDPipe 1"} & {job.system for job in every}
    assert {job.data for job in jobs(["*/UDPipe 1"], None)} == {"ewt-upos", "ewt-xpos"}


def test_networks_of_an_ensemble_are_trained_once(tools: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, ...]] = []

    def dmn(*arguments: object) -> dict[str, Any]:
        command, *rest = map(str, arguments)
        asked.append((command, *rest))
        best = {"accuracy": 0.5}
        if command == "eval":
            return {"accuracy": 0.4 if "seed-" in rest[0] else 0.45, "questions": 30, "seconds": 2.0}
        said = {"best": best, "seconds": 10.4, "epochs": 3}
        seeds = [{"seed": seed, **said, "seconds": 10.0 + seed} for seed in range(1, 6)]
        return {"ensemble": {"accuracy": 0.55}, "seeds": seeds} if "--ensemble" in rest else said

    trainings = tools["text_trainings"]
    for module in (trainings, importlib.import_module("runs")):
        monkeypatch.setattr(module, "dmn", dmn)
    shop = trainings.Shop(tmp_path, tmp_path)

    def done(system: str, seed: int) -> dict[str, Any]:
        return shop.done(trainings.Job("sst2", system, seed))

    ensemble = {"test": 0.45, "valid": 0.55, "seconds": 65, "rate": 15}
    assert done("dmn, 5 together", 1) == {"data": "sst2", "system": "dmn, 5 together", "seed": 1} | ensemble
    alone = {"test": 0.4, "valid": 0.5, "seconds": 12, "rate": 15, "epochs": 3}
    assert done("dmn", 2) == {"data": "sst2", "system": "dmn", "seed": 2} | alone
    assert [command for command, *_ in asked] == ["prepare", "train", "eval", "prepare", "eval"]
    assert done("dmn", 6)["seconds"] == 10  # it has five
    assert sum(command == "train" for command, *_ in asked) == 2


def test_a_stopped_training_goes_on_if_it_is_the_same(
    tools: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs, asked = importlib.import_module("runs"), []
    run, stopped = tmp_path / "run", True

    def dmn(*arguments: object) -> dict[str, Any]:
        asked.append(arguments[4:])  # train DATA --out RUN …
        run.mkdir(exist_ok=True)
        (run / "config.toml").touch()
        if stopped:
            raise KeyboardInterrupt
        return {"seconds": 3}

    monkeypatch.setattr(runs, "dmn", dmn)
    for options in (("--seed", 1), ("--seed", 1), ("--seed", 2)):
        with pytest.raises(KeyboardInterrupt):
            runs.trained(run, tmp_path, *options)
    stopped = False
    for _ in range(2):
        assert runs.trained(run, tmp_path, "--seed", 2) == {"seconds": 3}
    assert asked == [("--force", "--seed", 1), ("--resume",), ("--force", "--seed", 2), ("--resume",)]


def test_a_peer_is_told_nothing_of_the_vectors_that_read_its_test(tools: Any) -> None:
    reads = tools["text_trainings"].reads_vectors
    assert reads("fastText", "sst2")
    assert not reads("fastText", "imdb")
    assert not reads("NB-SVM", "sst2")


def test_what_cannot_be_installed_is_left_out(tools: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trainings = tools["text_trainings"]

    class Offline(trainings.Shop):
        def _installed(self) -> bool:
            return False

    shop = Offline(tmp_path, tmp_path)
    ours, peer = trainings.Job("trec", "dmn", 1), trainings.Job("trec", "NB-SVM", 1)
    assert shop.can([ours, peer]) == [ours]
    assert capsys.readouterr().err == "left out, since pip couldn't install their packages: NB-SVM\n"
    assert shop.can([ours]) == [ours]


@given(number=st.integers(1, 5), known=st.sets(st.integers(0, 400)))
def test_a_draw_knows_nothing_of_the_test(tools: Any, number: int, known: set[int]) -> None:
    """known: texts that training has too"""
    text_data = tools["text_data"]
    lines = [
        {"story": ["text", str(i)], "split": "test" if i in known else "valid" if i % 9 == 0 else "train"}
        for i in range(800)
    ]
    lines += [{"story": ["text", str(i)], "split": "train"} for i in known]
    drawn = list(text_data.draw(lines, number))
    parts = {
        split: [" ".join(one["story"]) for one in drawn if one["split"] == split]
        for split in ("train", "valid", "test")
    }
    assert [len(parts[split]) for split in ("train", "valid")] == [text_data.FEW, text_data.FEW_VALID]
    assert parts["test"] == [f"text {i}" for i in range(800) if i in known]
    assert len({*parts["train"], *parts["valid"], *parts["test"]}) == len(drawn)
    assert list(text_data.draw(reversed(lines), number))[: text_data.FEW] == drawn[: text_data.FEW]


def test_draws_differ(tools: Any) -> None:
    lines = [{"story": str(i), "split": "train"} for i in range(2000)]
    first, second = (list(tools["text_data"].draw(lines, number)) for number in (1, 2))
    assert len({one["story"] for one in first} & {one["story"] for one in second}) < 120  # 65 by chance


def test_the_split_of_two_kinds_depends_on_the_texts_alone(tools: Any) -> None:
    texts = [f"text {i}" for i in range(50)]
    split = dict(tools["two_kinds"].split(texts, test=10))
    assert list(split.values()).count("test") == 10
    assert split == dict(tools["two_kinds"].split(texts[::-1], test=10))


def test_a_log_count_ratio(tools: Any) -> None:
    """p = (1 + 3, 1 + 0) / 5, q = (1 + 1, 1 + 1) / 4"""
    r = tools["nb_svm"].log_count_ratio(np.array([3.0, 0.0]), np.array([1.0, 1.0]))
    np.testing.assert_allclose(r, np.log([0.8 / 0.5, 0.2 / 0.5]))


def test_interpolated_weights(tools: Any) -> None:
    w = np.array([1.0, -3.0])
    np.testing.assert_allclose(tools["nb_svm"].interpolated(w, 1.0), w)
    np.testing.assert_allclose(tools["nb_svm"].interpolated(w, 0.0), [2.0, 2.0])
    np.testing.assert_allclose(tools["nb_svm"].interpolated(w, 0.25), [1.75, 0.75])


@pytest.mark.parametrize(("word", "shape"), [("Running", "Xx"), ("U.S.", "X.X."), ("3,000", "d,d"), ("a", "x")])
def test_the_shape_of_a_word(tools: Any, word: str, shape: str) -> None:
    assert tools["crf"].shape(word) == shape


def test_a_peer_chooses_by_the_validation_and_reads_the_test_once(
    tools: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    peer = tools["peer"]
    splits = {"train": ["x", "y"], "valid": ["y", "y", "x"], "test": ["x", "x", "x", "y"]}
    data = tmp_path / "data.jsonl"
    data.write_text(
        "".join(
            json.dumps({"story": ["A", "Text!"], "facts": "words", "answer": answer, "split": split}) + "\n"
            for split, answers in splits.items()
            for answer in answers
        )
    )
    asked: list[tuple[str, int]] = []

    def fit(task: Any, *, always: str) -> Any:
        assert task.classes == ["x", "y"]
        assert task.train[0] == peer.Example(["a", "text", "!"], "x")

        def predict(texts: list[list[str]]) -> list[str]:
            asked.append((always, len(texts)))
            return [always] * len(texts)

        return predict

    monkeypatch.setattr("sys.argv", ["peer", str(data), "--seed", "2"])
    peer.run(fit, lambda task: peer.grid(always=("x", "y")))
    said = json.loads(capsys.readouterr().out)
    assert (said["test"], said["valid"], said["chosen"]) == (0.25, 0.6667, {"always": "y"})
    assert asked == [("x", 3), ("y", 3), ("y", 4)]


def test_tags_count_by_word(tools: Any) -> None:
    peer = tools["peer"]
    examples = [peer.Example(["The", "dog"], ["DET", "NOUN"]), peer.Example(["Go"], ["VERB"])]
    assert peer.accuracy(lambda texts: [["DET", "VERB"], ["VERB"]], examples) == pytest.approx(2 / 3)
