"""Accuracy by story length, against counts by hand."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dmn_cli.artifact import directory
from dmn_cli.data.batches import Batches
from dmn_cli.data.store.reader import DataSet
from dmn_cli.evaluation.lengths import LengthCounts, wilson
from dmn_cli.evaluation.metrics import judge


def test_groups_hold_every_answer_once_and_share_its_right_ones(run: Path, world: Path) -> None:
    model, data = directory.load(run), DataSet(world)
    batches = Batches.of(data, "train", model.vocabulary, data.tasks)
    counts = LengthCounts(data.tasks)
    seen: dict[int, list[bool]] = {}
    for judged in judge(model.network, batches, 64, torch.device("cpu")):
        judged = replace(judged, right=(judged.rows % 3 > 0).astype(np.int64))
        counts.add(batches, judged)
        for row, right in zip(judged.rows.tolist(), judged.right.tolist(), strict=True):
            seen.setdefault(len(data.example(batches.split, row).facts), []).append(right > 0)
    groups = counts.as_json()
    assert groups[""] == groups["qa1"]
    assert [one["from"] for one in groups[""]] == sorted(one["from"] for one in groups[""])
    for one in groups[""]:
        among = [right for length in range(one["from"], one["to"] + 1) for right in seen.get(length, [])]
        assert one["answers"] == len(among)
        assert one["accuracy"] == pytest.approx(np.mean(among))
        assert one["low"] <= one["accuracy"] <= one["high"]
    assert sum(one["answers"] for one in groups[""]) == len(batches.split)


def test_the_interval_is_wilsons() -> None:
    assert wilson(0, 10) == pytest.approx((0, 0.2775), abs=1e-3)
    assert wilson(5, 10) == pytest.approx((0.2366, 0.7634), abs=1e-3)


@given(st.integers(1, 1000), st.floats(0, 1))
def test_an_interval_holds_the_share(answers: int, share: float) -> None:
    right = round(share * answers)
    low, high = wilson(right, answers)
    assert 0 <= low <= right / answers + 1e-9
    assert right / answers - 1e-9 <= high <= 1
