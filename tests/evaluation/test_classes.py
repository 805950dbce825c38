"""Answers as classes: counted without a loop over questions, and the figures are those that one computes by hand."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import seen
from conftest import Dmn
from hypothesis import given
from hypothesis import strategies as st

from dmn_cli.data.words.vocabulary import Index, Vocabulary
from dmn_cli.evaluation.classes import MOST, ClassCounts, Classes
from dmn_cli.evaluation.metrics import Judged
from dmn_cli.records.batch import padded

VOCABULARY = Vocabulary(answers=Index(["<end>", "red", "green", "blue", "n", "s"]))
RED, GREEN, BLUE, N, S = range(1, 6)


def judged(*questions: tuple[int, list[int], list[int]], per_fact: bool = False) -> Judged:
    """Of (task, right answer, given answer)."""
    rows = len(questions)
    end: list[int] = [] if per_fact else [0]

    def rectangle(lists: list[list[int]], fill: int) -> np.ndarray:
        values = np.array([value for one in lists for value in one], np.int64)
        return padded(values, np.array([len(one) for one in lists], np.int64), fill)

    return Judged(
        rows=np.arange(rows),
        words=rectangle([given + end for *_, given in questions], 0),
        answer=rectangle([right + end for _, right, _ in questions], -1),
        per_fact=np.full(rows, per_fact),
        confidence=np.ones(rows),
        uncalibrated=np.ones(rows),
        right=np.array([right == given for _, right, given in questions], np.int64),
        answers=np.array([len(right) if per_fact else 1 for _, right, _ in questions], np.int64),
        loss=np.ones(rows),
        task=np.array([task for task, *_ in questions], np.int64),
        facts_read=np.zeros((rows, 1), dtype=bool),
        hits=np.zeros(rows, np.int64),
        read=np.zeros(rows, np.int64),
        supports=np.zeros(rows, np.int64),
    )


def counted(*batches: Judged) -> dict[int, Classes]:
    counts = ClassCounts(VOCABULARY)
    for one in batches:
        counts.add(one)
    return counts.classes()


def test_figures_by_hand() -> None:
    """red: asked 3, given 2, hits 2; green: asked 2, given 2, hits 1; blue: asked 1, given 1, hits 0; n given once."""
    said = [(RED, RED), (RED, RED), (RED, GREEN), (GREEN, GREEN), (GREEN, BLUE), (BLUE, N)]
    found = counted(judged(*((0, [right], [given]) for right, given in said)))[0].as_json()
    names = ("class", "count", "answered", "precision", "recall", "f1")
    by_hand = [("red", 3, 2, 1, 2 / 3, 0.8), ("green", 2, 2, 0.5, 0.5, 0.5), ("blue", 1, 1, 0, 0, 0)]
    for one, row in zip(found["classes"], by_hand, strict=True):
        assert one == pytest.approx(dict(zip(names, row, strict=True)))
    pairs = {(one["right"], one["answer"]): one["count"] for one in found["confusions"]}
    assert pairs == {("red", "green"): 1, ("green", "blue"): 1, ("blue", "n"): 1}
    assert counted(judged(*((0, [r], [g]) for r, g in said)))[0].macro_f1 == pytest.approx((0.8 + 0.5 + 0) / 3)


def test_the_most_frequent_mistake_comes_first() -> None:
    said = [(RED, GREEN)] + [(BLUE, RED)] * 3 + [(GREEN, BLUE)] * 2
    found = counted(judged(*((0, [right], [given]) for right, given in said)))[0].confusions()
    assert [(one["right"], one["count"]) for one in found] == [("blue", 3), ("green", 2), ("red", 1)]


def test_answers_of_several_words_are_classes_by_their_text() -> None:
    asked = [([N, S], [N, S]), ([N, S], [S, N]), ([N], [N]), ([N, N], [N]), ([-1, N], [N, N]), ([-1], [RED])]
    found = counted(judged(*((0, right, given) for right, given in asked)))[0]
    recall = dict(zip(found.answers, found.recall.tolist(), strict=False))
    assert recall == {"n,s": 0.5, "n": 1, "n,n": 0, "<unk>,n": 0, "<unk>": 0}
    assert set(found.answers[len(found.counts) :]) == {"s,n", "red"}


def test_a_set_is_a_hit_in_any_order() -> None:
    told = replace(judged((0, [N, S], [S, N]), (0, [N, S], [N])), right=np.array([1, 0]))
    found = counted(told)[0]
    assert (found.hits.tolist(), found.recall.tolist()) == ([1], [0.5])
    assert found.confusions() == [{"right": "n,s", "answer": "n", "count": 1}]


def test_where_each_fact_is_answered_the_tags_are_classes() -> None:
    tags = judged((0, [RED, GREEN, GREEN], [RED, GREEN, BLUE]), (0, [BLUE], [BLUE]), per_fact=True)
    found = counted(tags, judged((1, [N], [N])))
    assert dict(zip(found[0].answers, found[0].asked.tolist(), strict=True)) == {"green": 2, "red": 1, "blue": 1}
    assert found[0].hits.sum() == 3
    assert found[1].answers == ["n"]


def test_a_task_with_too_many_answers_has_no_classes() -> None:
    vocabulary = Vocabulary(answers=Index(["<end>", *map(str, range(MOST + 1))]))
    for classes in (MOST, MOST + 1):
        counts = ClassCounts(vocabulary)
        counts.add(judged(*((0, [1 + n], [1]) for n in range(classes)), (1, [1], [2])))
        assert counts.classes().keys() == ({0, 1} if classes == MOST else {1})


def test_names_bound_for_a_question_are_no_classes() -> None:
    """Of the answers to questions with new names, only those that are known words count."""
    counts = ClassCounts(Vocabulary(answers=Index(["<end>", "red", "green", "\tname"])))
    counts.add(judged((0, [RED], [RED]), (0, [3], [3]), (0, [RED, 3], [RED]), (0, [-1], [RED]), (1, [3], [3])))
    classes = counts.classes()
    assert classes.keys() == {0}
    assert dict(zip(classes[0].answers, classes[0].asked.tolist(), strict=True)) == {"red": 1, "<unk>": 1}


answers = st.lists(st.integers(1, 5), min_size=1, max_size=3)


@given(st.lists(st.lists(st.tuples(st.integers(0, 2), answers, answers), min_size=1), max_size=4))
def test_it_counts_as_a_loop_does(batches: list[list[tuple[int, list[int], list[int]]]]) -> None:
    def text(ids: list[int]) -> str:
        return ",".join(VOCABULARY.answers.items[i] for i in ids)

    expected: Counter[Any] = Counter((task, text(r), text(g)) for one in batches for task, r, g in one)
    found: Counter[Any] = Counter()
    for task, classes in counted(*(judged(*one) for one in batches)).items():
        for (row, column), count in np.ndenumerate(classes.counts):
            found[task, classes.answers[row], classes.answers[column]] = int(count)
    assert +found == expected


def test_eval_shows_the_classes_of_few_tasks(dmn: Dmn, run: Path, tmp_path: Path) -> None:
    """As plain text and on a terminal; of more than three tasks it shows the macro F1 alone."""
    data = tmp_path / "data"
    assert dmn("prepare", "story", "--tasks", "2,6,7,9", "--questions", 100, "--out", data).code == 0
    for task in (2, 6):
        assert dmn("prepare", "story", "--tasks", task, "--questions", 100, "--out", tmp_path / f"{task}").code == 0
    document = dmn("eval", run, tmp_path / "2", "--json").document["tasks"]["qa2"]
    for terminal in (False, True):
        said = " ".join(seen(dmn("eval", run, tmp_path / "2", terminal=terminal)).split())
        for one in document["classes"]:
            figures = [f"{100 * one[key]:.1f} %" for key in ("precision", "recall", "f1")]
            assert f"{one['class']} {one['count']} {' '.join(figures)}" in said
        first = document["confusions"][0]
        assert "qa2: the most frequent mistakes" in said
        assert f"{first['right']} {first['answer']} {first['count']}" in said
    assert dmn("eval", run, tmp_path / "2", tmp_path / "6").out.count("most frequent mistakes") == 2
    many = dmn("eval", run, data).out
    assert "macro F1" in many
    assert "most frequent mistakes" not in many
