"""A search for settings: trials, each a run of its own, trained stage by stage until the budget is spent.

trial-N/      for each trial, the run that a training with its settings would be, as far as it was trained
model/        a copy of the best one's model
tuned.toml    its settings, as --config takes them
trials.jsonl  what came of the trials
tune.json     the budget, the keys that are looked for, and once the search is over what it found
config.toml   the settings that it began with

A trial goes on from its own checkpoint, so that nothing is trained twice, and what is trained next follows from
trials.jsonl alone: a search that was killed goes on to where it would have got anyway.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch

from dmn_cli.artifact import trained_on
from dmn_cli.data.joint import Joint
from dmn_cli.data.store.reader import DataSet
from dmn_cli.errors import Diverged, ModelError, UsageError
from dmn_cli.files import atomic_directory, load_versioned_json, tidy, write_json
from dmn_cli.settings.load import CONFIG, to_toml
from dmn_cli.settings.schema import Settings
from dmn_cli.training import sampling
from dmn_cli.training.decide import decide
from dmn_cli.training.events import Event, Step, Stopped
from dmn_cli.training.lock import locked
from dmn_cli.training.loop import Training, score_of
from dmn_cli.training.run import make
from dmn_cli.training.tuning import halving, trials
from dmn_cli.training.tuning.budget import Budget
from dmn_cli.training.tuning.halving import Next
from dmn_cli.training.tuning.space import Space, Values, searched
from dmn_cli.training.tuning.trials import Stage, Trial

RECORD = "tune.json"
FORMAT_VERSION = 1
_SURE = 2.0  # seconds of training that tell how long an epoch takes


@dataclass(frozen=True)
class Begun:
    """A stage of a trial begins."""

    trial: int
    values: Values
    training: Training
    epochs: int  # that it is to have in all


@dataclass(frozen=True)
class Ended:
    """A stage of a trial is over."""

    stage: Stage
    best: bool  # whether this trial is now the best of all


class Search:
    def __init__(
        self,
        data: Sequence[DataSet],
        path: Path,
        settings: Settings,
        budget: Budget,
        device: torch.device,
        *,
        wanted: Callable[[str], bool],
        processes: int | None = None,
    ) -> None:
        """settings: of trial 0; wanted: whether a key is to be looked for, of those that can be; processes: as for
        `Learner`

        Raises: UsageError where there is nothing to look for, or the data sets don't go together; DataError where one
        lacks a split.
        """
        self.data, self.path, self.given, self.budget, self.device = data, path, settings, budget, device
        self._processes = processes
        self.joint = Joint.of(data, symmetries=settings.training.symmetries)
        self.decided = decide(settings, self.joint).settings
        ranges = searched(settings.model.network, vectors=self.joint.vector_size is not None)
        self.ranges = {key: span for key, span in ranges.items() if wanted(key)}
        if not self.ranges:
            raise UsageError(
                "there is no setting left to look for",
                hint=f"Settings that are given stay as they are; leave some of these open: {', '.join(ranges)}.",
            )
        self.space = Space(self.ranges, settings, self.decided, settings.training.seed)
        self.ends = halving.stages(self.decided.training.epochs)
        self.trials: list[Trial] = []
        self._questions = cache(self._questions_of)

    @classmethod
    def resume(
        cls,
        data: Sequence[DataSet],
        path: Path,
        settings: Settings,
        budget: Budget | None,
        device: torch.device,
        *,
        processes: int | None = None,
    ) -> Search:
        """The one that is there. budget: if there is one, what it has from now on; processes: as for `Learner`

        Raises: ModelError where a file of it is damaged; UsageError where the data has changed.
        """
        record = load_versioned_json(path / RECORD, FORMAT_VERSION, ModelError)
        try:
            budget = budget or Budget.parse(record["budget"])
            keys, fingerprint = [*record["keys"]], record["data"]
        except (KeyError, TypeError, UsageError) as error:
            raise ModelError("is damaged: not a search that dmn writes", where=path / RECORD) from error
        found = cls(data, path, settings, budget, device, wanted=keys.__contains__, processes=processes)
        if found.joint.fingerprint != fingerprint:
            raise UsageError(
                "this search was made on other data", where=path, hint="Give the data sets that it began with."
            )
        tidy(path)
        trained_on.write(path, data)  # which may have moved
        found.trials = trials.trials_of(trials.read(path))
        found.save()
        return found

    def begin(self, *, force: bool) -> None:
        """Makes the directory; force: in place of the run that is there. Raises: UsageError where the budget can't fit
        the first stage of a trial."""
        first = self._cost(0, self.ends[0])
        if first > self.budget.amount:
            raise UsageError(
                f"--tune {self.budget.text} is less than {self._epochs(self.ends[0])}: {first:,.0f} questions",
                hint=f"A whole training has {self._cost(0, self.ends[-1]):,.0f}; give it several times as much.",
            )
        make(self.path, self.given, self.joint.data, force=force, also=self.save)

    def save(self, found: dict[str, Any] | None = None) -> None:
        record = {"data": self.joint.fingerprint, "budget": self.budget.text, "keys": [*self.ranges], **(found or {})}
        write_json(self.path / RECORD, {"format_version": FORMAT_VERSION, **record})

    @property
    def spent(self) -> float:
        """Of the budget."""
        return sum(getattr(trial.last, self.budget.unit) for trial in self.trials)

    @property
    def short(self) -> bool:
        """Whether the budget is known to be too small for the best trial to be trained to its end."""
        return not halving.finishes(self.budget.amount, self._cost(len(self.trials), self.ends[-1]))

    @property
    def leader(self) -> Trial | None:
        return halving.leader(self.trials, self.ends)

    def run(self, trial: int) -> Path:
        return self.path / f"trial-{trial}"

    def events(self, stop: Callable[[], bool] = lambda: False) -> Iterator[Begun | Event | Ended]:
        """Trains until the budget is spent. `stop` is asked between steps; once it is true, all is saved and Stopped is
        last.

        Raises: UsageError where the budget turns out not to fit an epoch, or trial 0 can't be trained.
        """
        whole = self.budget.amount
        while step := halving.next_stage(self.trials, self.ends, whole - self.spent, whole, self._cost):
            if stop():
                return
            last = None
            for last in self._stage(step, stop):
                yield last
            if not isinstance(last, Ended):
                return

    def _stage(self, step: Next, stop: Callable[[], bool]) -> Iterator[Begun | Event | Ended]:
        """The last event is Ended, or Stopped where it was stopped or the time is over."""
        number, epochs = step
        is_new = number == len(self.trials)
        values = self._new_values() if is_new else self.trials[number].values
        settings = self.settings(number, values)
        if is_new:
            self._clear(number, settings)
        failed, training = None, None
        try:
            training = Training(self.data, self.run(number), settings, self.device, processes=self._processes)
            with locked(self.run(number)):
                training.take_up()
                yield Begun(number, values, training, epochs)
                yield from self._trained(training, number, epochs, stop)
        except (Diverged, MemoryError, RuntimeError) as error:
            if number == 0 or not _of_the_trial(error):
                raise
            failed = error.message if isinstance(error, Diverged) else "memory ran out"
        if not failed and training and not training.state.finished and training.state.epoch <= epochs:
            return
        stage = self._outcome(number, values, training, failed, epochs)
        trials.add(self.path, stage)
        before = self.leader
        if is_new:
            self.trials.append(Trial(number, []))
        self.trials[number].stages.append(stage)
        now_best = self.leader
        if now_best and (now_best is not before or now_best.number == number):
            self.keep(now_best)
        yield Ended(stage, best=now_best is self.trials[number])

    def _clear(self, number: int, settings: Settings) -> None:
        """Removes what is left of a trial with other settings, which was broken off under another budget."""
        config = self.run(number) / CONFIG
        if config.is_file() and config.read_text(encoding="utf-8") != to_toml(settings):
            shutil.rmtree(self.run(number))

    def keep(self, trial: Trial) -> None:
        """Its model is the search's."""
        with atomic_directory(self.path / "model") as folder:
            shutil.copytree(self.run(trial.number) / "model", folder, dirs_exist_ok=True)

    def settings(self, number: int, values: Values) -> Settings:
        return self.space.settings(values) if number else self.given

    def _new_values(self) -> Values:
        ranked = sorted(
            (trial for trial in self.trials if not trial.last.failed),
            key=lambda trial: (trial.last.epochs, trial.score(trial.last.epochs)),
            reverse=True,
        )
        best = ranked[: -(-len(ranked) // 4)]
        return self.space.values(
            len(self.trials), [trial.values for trial in self.trials], [trial.values for trial in best]
        )

    def _trained(self, training: Training, number: int, epochs: int, stop: Callable[[], bool]) -> Iterator[Event]:
        """All events but the last one, where the stage is over."""
        state = training.state
        began = time.perf_counter() - state.seconds
        before = self.trials[number].last.seconds if number < len(self.trials) else 0.0
        left = self.budget.amount - self.spent if self.budget.unit == "seconds" else float("inf")

        def over() -> bool:
            return training.state.epoch > epochs or stop() or time.perf_counter() - began - before > left

        if state.finished or state.epoch > epochs:
            return
        first: tuple[float, int] | None = None  # when a step was reported, and which
        for event in training.events(over):
            if isinstance(event, Step) and not self.trials and event.epoch == 1:
                now = time.perf_counter()
                first = first or (now, event.step)
                if now - first[0] > _SURE:
                    self._check_time((now - first[0]) / (event.step - first[1]) * event.steps)
            if isinstance(event, Stopped) and training.state.epoch > epochs:
                return
            yield event

    def _check_time(self, epoch: float) -> None:
        """epoch: about how many seconds the first one takes. Raises: UsageError where that is more than there are"""
        if self.budget.unit == "seconds" and epoch > self.budget.amount:
            raise UsageError(
                f"--tune {self.budget.text} is less than {self._epochs(1)}, which takes about {epoch:,.0f} s",
                where=self.path,
                hint="Continue with --resume --tune and several times as much as a whole training takes.",
            )

    def _epochs(self, count: int) -> str:
        return "one epoch of the settings given" if count == 1 else f"{count} epochs of the settings given"

    def _outcome(
        self, number: int, values: Values, training: Training | None, failed: str | None, epochs: int
    ) -> Stage:
        state = training.state if training else None
        done = 0
        if state:
            done = min(epochs, state.epoch) if failed or state.finished else epochs
        best = {**state.best, "score": score_of(state.best)} if state and state.best and not failed else None
        settings = training.settings if training else self.decided
        return Stage(
            trial=number,
            values=values,
            epochs=done,
            questions=sum(self._questions(settings.training.batch_size, epoch) for epoch in range(1, done + 1)),
            seconds=state.seconds if state else 0.0,
            best=best,
            finished=state.finished if state and not failed else None,
            failed=failed,
        )

    def _cost(self, number: int, epochs: int) -> float:
        """Of training a trial, known or the next one, to so many epochs in all."""
        trial = self.trials[number] if number < len(self.trials) else None
        done = trial.last.epochs if trial else 0
        if epochs <= done or (trial and trial.over):
            return 0.0
        if self.budget.unit == "seconds":
            known = [trial] if trial else self.trials
            trained = sum(one.last.epochs for one in known)
            return (epochs - done) * sum(one.last.seconds for one in known) / trained if trained else 0.0
        values = trial.values if trial else self._new_values()
        size = values.get("training.batch_size", self.decided.training.batch_size)
        return sum(self._questions(size, epoch) for epoch in range(done + 1, epochs + 1))

    def _questions_of(self, batch_size: int, epoch: int) -> int:
        """Questions in an epoch, counted as often as they come; a training may begin with epochs of fewer."""
        settings = self.decided.training.model_copy(update={"batch_size": batch_size})
        plan = sampling.plan(self.joint.train, settings, epoch)
        return sum(int(batches.split.questions.lengths[stories].sum()) for step in plan for batches, stories in step)


def _of_the_trial(error: Exception) -> bool:
    """Whether it is its settings that don't work: the loss became no number, or the memory ran out."""
    text = str(error)
    return isinstance(error, Diverged | MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in text
