"""Which seed is the best: that whose validation is, as of the epochs of a run."""

from pathlib import Path

import pytest

from dmn_cli.data.store.reader import DataSet
from dmn_cli.settings.load import load
from dmn_cli.training.seeds import Result, Seeds


@pytest.mark.parametrize(
    ("scores", "best", "worst"),
    [
        ({1: (0.5, 0.2), 2: (0.7, 0.9), 3: (0.6, 0.1)}, 2, 1),
        ({1: (0.7, 0.2), 2: (0.7, 0.1), 3: (0.7, 0.3)}, 2, 3),  # then by loss
        ({3: (0.7, 0.2), 2: (0.7, 0.2), 1: (0.7, 0.2)}, 3, 3),  # then the first that was given
    ],
)
def test_the_best_of_seeds(
    world: Path, tmp_path: Path, scores: dict[int, tuple[float, float]], best: int, worst: int
) -> None:
    seeds = Seeds([DataSet(world)], tmp_path / "run", load(), list(scores))
    for seed, (accuracy, loss) in reversed(scores.items()):
        found = {"epoch": 1, "accuracy": accuracy, "loss": loss}
        seeds.results[seed] = Result(seed, 1, "done", found, 1.0)
    assert (seeds.best.seed, seeds.worst.seed) == (best, worst)
    # with names that change, it is the score that counts
    seeds.results[worst].best["score"] = [0.99, -0.1]
    assert seeds.best.seed == worst
