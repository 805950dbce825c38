"""A model and the data that it is measured on, opened: what dmn eval and dmn compare begin with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from dmn_cli.cli.input import check_once
from dmn_cli.cli.output import Output
from dmn_cli.errors import UsageError

if TYPE_CHECKING:
    import torch

    from dmn_cli.artifact.model import Model
    from dmn_cli.data.batches import Batches
    from dmn_cli.evaluation.metrics import Judged
    from dmn_cli.evaluation.report import Report

SPLITS = ("test", "valid", "train")


class Measured(NamedTuple):
    """A model, and one split of each data set."""

    model: Model
    splits: list[Batches]
    device: torch.device

    @property
    def tasks(self) -> list[str]:
        """Of the data."""
        return self.splits[0].tasks

    @property
    def fingerprints(self) -> list[str]:
        """Of the data sets."""
        return [batches.data.fingerprint for batches in self.splits]

    def report(
        self,
        *,
        bind: bool,
        batch_size: int,
        watching: Sequence[Callable[[Batches, Judged], None]],
        abstain_below: float = 0.0,
        why: bool = False,
        processes: int | None = None,
    ) -> Report:
        """Evaluates. bind: names, as `dmn ask` does; watching: what is called with every judged batch; why: what the
        answers need too; processes: that share the work"""
        from dmn_cli.answering.judge import BindingJudge
        from dmn_cli.evaluation.metrics import judge
        from dmn_cli.evaluation.report import evaluate

        def on_judged(batches: Batches, judged: Judged) -> None:
            for watches in watching:
                watches(batches, judged)

        options: dict[str, Any] = {"why": why, "processes": processes}
        judges = BindingJudge(self.model, **options) if bind else partial(judge, **options)
        return evaluate(
            self.model.network,
            self.splits,
            self.device,
            batch_size=batch_size,
            on_judged=on_judged,
            judge=judges,
            vocabulary=self.model.vocabulary,
            abstain_below=abstain_below,
        )


def check_split(split: str) -> None:
    """Raises: UsageError"""
    if split not in SPLITS:
        raise UsageError(f"there is no split {split!r}", hint=f"There are: {SPLITS[0]}, {SPLITS[1]} and {SPLITS[2]}.")


def opened(output: Output, model: Path, data: Sequence[Path], split: str, device: str) -> Measured:
    """Raises: ModelError, DataError, ResourceError; UsageError where the model can't read the data"""
    from dmn_cli.artifact import directory as model_directory
    from dmn_cli.data.batches import Batches
    from dmn_cli.data.store.reader import DataSet
    from dmn_cli.evaluation.pictures import check_pictures
    from dmn_cli.evaluation.trees import check_trees
    from dmn_cli.kernels.tune import tune
    from dmn_cli.machine.device import choose_device

    check_once(data)
    where = choose_device(device)
    loaded = model_directory.load(model, where)
    with output.warned():
        tune(loaded.settings.hidden, answering=True)
    data_sets = [DataSet(path) for path in data]
    for data_set in data_sets:
        check_trees(loaded.network, data_set)
        check_pictures(loaded, data_set)
    tasks = list(dict.fromkeys(task for data_set in data_sets for task in data_set.tasks))
    return Measured(loaded, [Batches.of(data_set, split, loaded.vocabulary, tasks) for data_set in data_sets], where)
