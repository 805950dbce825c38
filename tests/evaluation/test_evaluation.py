"""What counts as right, as read, and as too low."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import batch

from dmn_cli.artifact import directory as model_directory
from dmn_cli.data.batches import Batches
from dmn_cli.data.store.reader import DataSet
from dmn_cli.errors import UsageError
from dmn_cli.evaluation.metrics import Judged, Tally, tally
from dmn_cli.evaluation.report import Report, evaluate
from dmn_cli.evaluation.right import right_answers
from dmn_cli.records.output import facts_read


def right(words: list[list[int]], answer: list[list[int]]) -> list[int]:
    asked = batch([([[2]], [3], [1], [])] * len(answer))
    return right_answers(torch.tensor(words), replace(asked, answer=torch.tensor(answer))).tolist()


def test_an_answer_is_right_only_if_it_is_exactly_right() -> None:
    answer = [[2, 3, 0], [2, 0, -1], [2, 3, 0], [2, 3, 0], [-1, 0, -1], [2, -1, 0]]
    words = [[2, 3, 0, 0], [2, 0, 0, 0], [2, 0, 0, 0], [3, 2, 0, 0], [0, 0, 0, 0], [2, 0, 0, 0]]
    said = ["the list", "the word", "its beginning", "another order", "nothing for an unknown", "half an unknown"]
    assert [what for what, count in zip(said, right(words, answer), strict=True) if count] == ["the list", "the word"]


def test_an_answer_longer_than_what_was_decoded_is_wrong() -> None:
    assert right([[2]], [[2, 3, 0]]) == [0]
    assert right([[2, 3, 4]], [[2, 0]]) == [0]


def test_a_set_is_right_in_any_order() -> None:
    """Where the answer is one; a list beside it still has an order."""
    answer = [[2, 3, 0], [2, 3, 0], [2, 3, 0], [2, 3, 0], [2, 0, -1], [3, -1, 0], [2, 3, 0]]
    words = [[3, 2, 0, 0], [3, 2, 3, 0], [2, 0, 0, 0], [2, 3, 4, 0], [2, 0, 0, 0], [3, 0, 0, 0], [3, 2, 0, 0]]
    said = ["another order", "twice", "a part", "too much", "one", "half an unknown", "a list"]
    asked = batch([([[2]], [3], [1], [])] * len(answer))
    asked = replace(asked, answer=torch.tensor(answer), any_order=torch.arange(len(answer)) < 6)
    counts = right_answers(torch.tensor(words), asked).tolist()
    assert [what for what, count in zip(said, counts, strict=True) if count] == ["another order", "twice", "one"]


def test_answers_at_each_fact_count_one_by_one() -> None:
    """Of three tags and of one, beside an answer that is given once; a tag that the model doesn't know is wrong."""
    asked = batch([([[2], [3], [4]], [5], (1, 2, 3), []), ([[2]], [5], (4,), []), ([[2], [3]], [6], [1], [])])
    words = torch.tensor([[1, 3, 3, 0], [4, 0, 0, 0], [1, 0, 0, 0]])
    assert right_answers(words, asked).tolist() == [2, 1, 1]
    assert asked.answers_asked.tolist() == [3, 1, 1]
    unknown = replace(asked, answer=asked.answer.masked_fill(asked.answer == 3, -1))
    assert right_answers(words, unknown).tolist() == [1, 1, 1]


def test_a_fact_is_read_if_some_pass_reads_it() -> None:
    """1 - Π_t (1 - g): two passes at 0.3 each make 0.51, at 0.25 each 0.44."""
    gates = torch.tensor([[[0.9, 0.1, 0.0], [0.1, 0.2, 0.7]], [[0.3, 0.25, 0.45], [0.3, 0.25, 0.45]]])
    assert facts_read(gates).tolist() == [[True, False, True], [True, False, True]]


def test_tallies_are_kept_apart_by_task() -> None:
    tallies = [Tally(), Tally(), Tally()]
    judged = Judged(
        rows=np.arange(3),
        words=np.zeros((3, 1)),
        answer=np.zeros((3, 1)),
        per_fact=np.zeros(3, dtype=bool),
        confidence=np.ones(3),
        uncalibrated=np.ones(3),
        right=np.array([1, 0, 1]),
        answers=np.array([1, 1, 1]),
        loss=np.array([1.0, 2.0, 3.0]),
        task=np.array([0, 2, 2]),
        facts_read=np.zeros((3, 1), dtype=bool),
        hits=np.array([1, 1, 0]),
        read=np.array([2, 1, 0]),
        supports=np.array([1, 2, 0]),
    )
    tally(judged, tallies)
    tally(judged, tallies)
    assert tallies[0].figures() == {"accuracy": 1, "questions": 2, "loss": 1, "gate_precision": 0.5, "gate_recall": 1}
    assert tallies[1].questions == 0
    assert tallies[2].figures() == {
        "accuracy": 0.5,
        "questions": 4,
        "loss": 2.5,
        "gate_precision": 1,
        "gate_recall": 0.5,
    }


def report(**accuracy: float) -> Report:
    return Report({name: {"accuracy": a, "questions": 10, "loss": 0.0} for name, a in accuracy.items()}, 1.0)


def test_mean_error_counts_each_task_the_same() -> None:
    r = report(qa1=1.0, qa2=0.9, qa3=0.5)
    assert r.accuracy == pytest.approx(0.8)
    assert r.as_json()["mean_error"] == pytest.approx(0.2)
    assert r.failed == ["qa2", "qa3"]
    assert r.questions == 30


def test_below() -> None:
    r = report(qa1=1.0, qa2=0.9)
    assert r.below({"mean": 0.95, "qa2": 0.9}) == []
    assert len(r.below({"mean": 0.96, "qa2": 0.91, "qa1": 1.0})) == 2
    with pytest.raises(UsageError, match="qa7"):
        r.below({"qa7": 0.5})


def test_any_number_of_threads_measures_the_same(run: Path, world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = model_directory.load(run)
    splits = [Batches.of(DataSet(world), "train", model.vocabulary)]

    def measured(threads: int) -> tuple[dict[str, dict[str, float | int]], list[int]]:
        monkeypatch.setenv("OMP_NUM_THREADS", str(threads))
        rows: list[int] = []
        on_judged = lambda _, judged: rows.extend(judged.rows)  # noqa: E731
        return evaluate(model.network, splits, torch.device("cpu"), batch_size=16, on_judged=on_judged).tasks, rows

    one = measured(1)
    assert one == measured(3)
    assert sorted(one[1]) == list(range(450))
