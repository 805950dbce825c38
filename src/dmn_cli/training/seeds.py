"""The same training with several seeds, one after another, and the model of the best, or all of them as one.

seed-N/      for each seed, the run that a training with that seed alone would be
model/       a copy of the best one's model, of those that are done; or, once all are done, an ensemble of theirs
config.toml  the settings, with the first of the seeds
seeds.json   the seeds, and what came of those that are done
"""

from __future__ import annotations

import shutil
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from dmn_cli.artifact import directory, trained_on
from dmn_cli.artifact.model import together
from dmn_cli.data.store.reader import DataSet
from dmn_cli.errors import ModelError, UsageError
from dmn_cli.files import atomic_directory, load_versioned_json, tidy, write_json
from dmn_cli.settings.schema import Settings
from dmn_cli.training.checkpoint import Checkpoint
from dmn_cli.training.keep import keep
from dmn_cli.training.lock import locked
from dmn_cli.training.loop import Training, score_of
from dmn_cli.training.run import make
from dmn_cli.training.start import Start, joint_from

RECORD = "seeds.json"
FORMAT_VERSION = 1


@dataclass(frozen=True)
class Result:
    """A training that is over. `best`: epoch, accuracy, loss and score of the validation that chose the model."""

    seed: int
    epochs: int
    reason: str
    best: dict[str, Any]
    seconds: float

    @classmethod
    def of(cls, seed: int, state: Checkpoint) -> Result:
        assert state.finished is not None
        assert state.best is not None
        return cls(seed, state.epoch, state.finished, {**state.best, "score": score_of(state.best)}, state.seconds)

    @classmethod
    def from_json(cls, value: Any) -> Result:
        """Raises: KeyError or TypeError where it isn't what `asdict` made."""
        best = {key: value["best"][key] for key in ("epoch", "accuracy", "loss", "score")}
        return cls(value["seed"], value["epochs"], value["reason"], best, value["seconds"])


class Seeds:
    """Reads and writes the directory."""

    def __init__(
        self,
        data: Sequence[DataSet],
        path: Path,
        settings: Settings,
        seeds: Sequence[int],
        *,
        ensemble: bool = False,
        force: bool = False,
        start: Start | None = None,
    ) -> None:
        """A new one, which is made once the first training could be. settings: of all seeds, but for the seed;
        ensemble: whether all networks are kept, not the best; force: in place of the run that is there; start: what
        each of the networks begins from

        Raises: UsageError where the data sets don't go together.
        """
        self.data, self.path, self.settings, self.seeds = data, path, settings, list(seeds)
        self.ensemble = ensemble
        self.results: dict[int, Result] = {}  # of the seeds that are done
        self.figures: dict[str, float] = {}  # accuracy and loss of the ensemble, once there is one
        self.fingerprint = joint_from(start, data, settings).fingerprint
        self.start = start
        self._made, self._force = False, force

    @classmethod
    def resume(
        cls,
        data: Sequence[DataSet],
        path: Path,
        settings: Settings,
        seeds: Sequence[int] = (),
        *,
        ensemble: bool | None = None,
    ) -> Seeds:
        """The one that is there. seeds: if there are any, those that it shall have from now on, beside those that are
        done; ensemble: whether all networks are kept from now on, None: as it was

        Raises: ModelError where seeds.json is damaged; UsageError where the data has changed.
        """
        record = load_versioned_json(path / RECORD, FORMAT_VERSION, ModelError)
        try:
            known = _known(record)
            results = [Result.from_json(one) for one in record["seeds"] if len(one) > 1]
            fingerprint = record["data"]
        except (KeyError, TypeError) as error:
            raise _damaged(path) from error
        wanted = {*(seeds or known), *(result.seed for result in results)}
        ordered = [seed for seed in dict.fromkeys([*known, *seeds]) if seed in wanted]
        keeps_all = "ensemble" in record
        keeps_all = keeps_all if ensemble is None else ensemble
        found = cls(data, path, settings, ordered, ensemble=keeps_all, start=Start.load(path))
        found.results, found._made = {result.seed: result for result in results}, True
        if found.fingerprint != fingerprint:
            raise UsageError(
                "these seeds were trained on other data",
                where=path,
                hint="Give the data sets that they began with.",
            )
        tidy(path)
        trained_on.write(path, data)  # which may have moved
        found.save()
        return found

    def _records(self) -> None:
        if self.start:
            self.start.save(self.path)
        self.save()

    def save(self) -> None:
        write_json(self.path / RECORD, {"format_version": FORMAT_VERSION, "data": self.fingerprint, **self.as_json()})

    @property
    def open(self) -> list[int]:
        """The seeds that aren't done."""
        return [seed for seed in self.seeds if seed not in self.results]

    @property
    def best(self) -> Result:
        """By validation, as the best epoch of a run is; of equals the first."""
        return max(self._done(), key=lambda result: score_of(result.best))

    @property
    def worst(self) -> Result:
        return min(self._done(), key=lambda result: score_of(result.best))

    def _done(self) -> list[Result]:
        """In the order of the seeds."""
        return [self.results[seed] for seed in self.seeds if seed in self.results]

    def run(self, seed: int) -> Path:
        return self.path / f"seed-{seed}"

    def training(self, seed: int, device: torch.device, processes: int | None = None) -> Training:
        """That of a seed, to be taken up; the directory is made for the first one. processes: as for `Learner`

        Raises: as `Training` does
        """
        values = self.settings.training.model_copy(update={"seed": seed})
        settings = self.settings.model_copy(update={"training": values})
        known = (self.data, self.run(seed), settings, device)
        training = Training(*known, processes=processes, start=self.start, goes_on=self._made)
        if self.ensemble:
            together([training.learner.network])  # or it would turn out in the end that they can't be
        if not self._made:
            make(self.path, self.settings, self.data, force=self._force, also=self._records)
            self._made = True
        return training

    def record(self, seed: int, state: Checkpoint) -> None:
        """Keeps what came of a seed, and its model if none is better."""
        self.results[seed] = Result.of(seed, state)
        if not self.ensemble and self.best.seed == seed:
            self._keep_best()
        self.save()

    def conclude(self, device: torch.device) -> None:
        """Keeps the model, now that all seeds are done."""
        if self.ensemble:
            self._keep_all(device)
        else:
            self._keep_best()
        self.save()

    def _keep_best(self) -> None:
        with atomic_directory(self.path / "model") as folder:
            shutil.copytree(self.run(self.best.seed) / "model", folder, dirs_exist_ok=True)

    def _keep_all(self, device: torch.device) -> None:
        models = [directory.load(self.run(seed), device) for seed in self.seeds]
        if any(one.vocabulary.words.items != models[0].vocabulary.words.items for one in models):
            hint = "Train again with --force."
            raise ModelError("its networks don't know the same words", where=self.path, hint=hint)
        network = together([one.network for one in models]).eval()
        model = replace(models[0], network=network, ensemble=len(models), seed=self.seeds)
        valid = joint_from(self.start, self.data, self.settings).batches("valid")
        report = keep(self.path / "model", model, valid, device)
        self.figures = {"accuracy": report.accuracy, "loss": report.loss}

    def as_json(self) -> dict[str, Any]:
        """All seeds, and once one is done their mean accuracy of validation, its deviation, the worst and the best; of
        an ensemble how many networks it has, and once it is made its accuracy and loss."""
        seeds = [asdict(self.results[s]) if s in self.results else {"seed": s} for s in self.seeds]
        ensemble = {"ensemble": {"networks": len(seeds), **self.figures}} if self.ensemble else {}
        if not self.results:
            return {"seeds": seeds, **ensemble}
        figures = [result.best["accuracy"] for result in self._done()]
        deviation = {"sd": statistics.stdev(figures)} if len(figures) > 1 else {}
        extremes = {name: {"seed": one.seed, **one.best} for name, one in (("worst", self.worst), ("best", self.best))}
        return {"seeds": seeds, "mean": statistics.mean(figures), **deviation, **extremes, **ensemble}


def so_many(count: int, first: int, path: Path | None = None) -> list[int]:
    """The seeds from `first` on; those that the directory has, if there is one, come before others.

    Raises: UsageError where there are none so large; ModelError where seeds.json is damaged.
    """
    known: list[int] = []
    if path:
        try:
            known = _known(load_versioned_json(path / RECORD, FORMAT_VERSION, ModelError))
        except (KeyError, TypeError) as error:
            raise _damaged(path) from error
    others = (seed for seed in range(first, 2**63) if seed not in known)
    found = [*known[:count], *islice(others, max(0, count - len(known)))]
    if len(found) < count:
        raise UsageError(f"there are no {count} seeds from {first} on", hint="Give a smaller --seed.")
    return found


def _known(record: dict[str, Any]) -> list[int]:
    return [one["seed"] for one in record["seeds"]]


def _damaged(path: Path) -> ModelError:
    return ModelError("is damaged: not the seeds that dmn writes", where=path / RECORD)


def train(
    seeds: Seeds, device: torch.device, finish: Callable[[int, Training], None], *, processes: int | None = None
) -> None:
    """Trains the seeds that aren't done, one after another. finish: takes a seed and its training, and trains it to its
    end; where it stops before, this does too; processes: as for `Learner`. Raises: as `Seeds.training` and
    `Training.take_up` do
    """
    while seeds.open and _trained(seeds, seeds.open[0], device, finish, processes):
        pass
    if not seeds.open:
        seeds.conclude(device)


def _trained(
    seeds: Seeds, seed: int, device: torch.device, finish: Callable[[int, Training], None], processes: int | None
) -> bool:
    """Whether it came to its end. (By itself, so that no two trainings are in memory at once.)"""
    training = seeds.training(seed, device, processes)
    with locked(seeds.run(seed)):
        training.take_up()
        if not training.state.finished:
            finish(seed, training)
    if training.state.finished:
        seeds.record(seed, training.state)
    return bool(training.state.finished)
