"""Training: a generator of events. It prints nothing; whoever iterates it shows the progress and may stop it.

The weights after step n depend on the settings, the data and n alone (`learner.py`). So a training that was stopped or
killed and then resumed ends with the weights of one that ran through: bit for bit on a CPU with the same number of
threads.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

import torch

from dmn_cli.artifact import directory
from dmn_cli.data.joint import Joint
from dmn_cli.data.store.reader import DataSet
from dmn_cli.errors import UsageError
from dmn_cli.evaluation.predictions import golden
from dmn_cli.evaluation.report import evaluate
from dmn_cli.settings.schema import Settings, TrainingSettings
from dmn_cli.training.checkpoint import Checkpoint, Totals
from dmn_cli.training.events import Epoch, Event, Finished, Step, Stopped
from dmn_cli.training.gradients import summed
from dmn_cli.training.helpers import Helpers
from dmn_cli.training.learner import Learner, Portion
from dmn_cli.training.run import Run
from dmn_cli.training.sampling import PlannedBatch

_REPORT_EVERY = 0.2  # seconds
_SAVE_EVERY = 300.0  # seconds, within an epoch; at the end of each it is saved anyway


def learning_rate(settings: TrainingSettings, epoch: int) -> float:
    """Falls from the first to the final rate along half a cosine."""
    done = (epoch - 1) / max(1, settings.epochs - 1)
    low, high = settings.final_learning_rate, settings.learning_rate
    return low + (high - low) * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


class Training:
    """A run directory in the making: one model of all data sets together."""

    def __init__(
        self,
        data: Sequence[DataSet],
        run: Path,
        settings: Settings,
        device: torch.device,
        *,
        processes: int | None = None,
        helpers: Callable[[Learner, int], Helpers] = Helpers,
    ) -> None:
        """processes: as for `Learner`; helpers: starts the others of them

        Raises: UsageError where the data sets don't go together; DataError where one lacks a split.
        """
        joint = Joint.of(data)
        self.settings, self.device, self.run = settings, device, Run(run)
        self.learner = Learner(joint, settings, device, processes=processes)
        self.valid = joint.batches("valid")
        self.waiting = 0.0  # Epoch.waiting
        self.helpers: Helpers | None = None
        self._start_helpers = helpers
        self.state = Checkpoint(answers_from=None if self.learner.supervision else 1, data=joint.fingerprint)

    def begin(self, *, force: bool = False) -> None:
        """Makes the run directory; with `force`, in place of the run that is there."""
        self.run.begin(self.settings, force=force)

    def resume(self) -> None:
        """Continues from the last checkpoint. Raises as `Run.load` does."""
        self.state = state = self.run.load(self.state.data, self.settings.training.epochs, self.device)
        self.learner.network.load_state_dict(state.network)
        self.learner.optimiser.load_state_dict(state.optimiser)
        if state.finished:
            state.finished = None
            self._next_epoch()
        self.run.forget_metrics_from(state.epoch)

    def save(self) -> None:
        self.state.network = self.learner.network.state_dict()
        self.state.optimiser = self.learner.optimiser.state_dict()
        self.run.save(self.state)

    def events(self, stop: Callable[[], bool] = lambda: False) -> Iterator[Event]:
        """Trains to the end. `stop` is asked between steps; once it is true, the state is saved and Stopped is last."""
        began = time.perf_counter() - self.state.seconds
        self.help(self.learner.processes - 1)
        try:
            yield from self._events(stop, began)
        finally:
            self.help(0)

    def help(self, processes: int) -> None:
        """Has so many other processes compute parts of each batch from now on."""
        if self.helpers:
            self.helpers.close()
        self.helpers = self._start_helpers(self.learner, processes) if processes else None

    def _events(self, stop: Callable[[], bool], began: float) -> Iterator[Event]:
        state = self.state
        while not state.finished:
            for event in self._epoch(stop):
                if isinstance(event, Stopped):
                    state.seconds = time.perf_counter() - began
                    self.save()
                    yield event
                    return
                yield event
            yield self._end_epoch(began)
            if stop() and not state.finished:
                yield Stopped(state.epoch, 0)
                return
        assert state.best is not None
        yield Finished(state.finished, state.epoch, state.best, state.seconds)

    def _epoch(self, stop: Callable[[], bool]) -> Iterator[Step | Stopped]:
        settings, state, learner = self.settings.training, self.state, self.learner
        learner.optimiser.learning_rate = learning_rate(settings, state.epoch)
        plan = learner.plan(state.epoch)
        if state.answers_from is None and state.epoch >= settings.answers_from_epoch:
            state.answers_from = settings.answers_from_epoch
        beta = 1.0 if state.answers_from and state.epoch >= state.answers_from else 0.0
        losses = torch.tensor(state.totals.losses, dtype=torch.float64, device=self.device)
        began = reported = saved = time.perf_counter()
        steps = range(state.step, len(plan))
        made = learner.in_turn(lambda step: self._made(plan[step], step), steps)
        waited = 0.0
        for step in steps:
            begun = self.helpers.ask(state.epoch, step, beta) if self.helpers else ()
            asked = time.perf_counter()
            portions = next(made)
            waited += time.perf_counter() - asked
            losses += self.step(plan[step], portions, beta, begun)
            state.totals.supervised += portions[0].known > 0
            state.step += 1
            if stop():
                state.totals.losses = losses.tolist()
                yield Stopped(state.epoch, state.step)
                return
            now = time.perf_counter()
            if now - saved > _SAVE_EVERY:
                saved, state.totals.losses = now, losses.tolist()
                self.save()
            if now - reported > _REPORT_EVERY:
                reported = now
                yield Step(state.epoch, state.step, len(plan), losses[0].item() / state.step)
        state.totals.losses = losses.tolist()
        self.waiting = waited / (time.perf_counter() - began)

    def _made(self, planned: PlannedBatch, step: int) -> list[Portion]:
        """The parts of a batch that no helper will compute: part 0, and those whose helpers aren't ready."""
        parts, ready = range(self.learner.parts), self.helpers.ready if self.helpers else ()
        return [self.learner.portion(planned, self.state.epoch, step, n) for n in parts if n == 0 or n not in ready]

    def step(
        self, planned: PlannedBatch, portions: Sequence[Portion], beta: float, begun: Collection[int] = ()
    ) -> torch.Tensor:
        """One step of J = α CE(gates) + β CE(answers). Returns both mean losses, (2,) float64.

        portions: those parts of the batch that are made already, the others are made if needed; begun: the parts that
        helpers are computing
        """
        made = {portion.part: portion for portion in portions}
        learner, state, results = self.learner, self.state, []
        for part in range(learner.parts):
            result = self.helpers.answer(part) if self.helpers and part in begun else None
            if result is None:
                portion = made.get(part) or learner.portion(planned, state.epoch, state.step, part)
                result = learner.compute(portion, beta)
            results.append(result)
        gradients, losses = summed(results)
        learner.optimiser.step(gradients)
        return losses

    def _end_epoch(self, began: float) -> Epoch:
        """Validates, keeps the model if it is the best so far, decides whether to end, and saves the state.

        Raises: UsageError where the training has diverged; what was saved before remains.
        """
        state = self.state
        if not all(map(math.isfinite, state.totals.losses)):
            raise UsageError(
                f"the loss of epoch {state.epoch} is not a number",
                where=self.run.path,
                hint="Train with a lower training.learning_rate or training.clip.",
            )
        report = evaluate(self.learner.network, self.valid, self.device)
        score = (report.accuracy, -report.loss)
        better = state.best is None or score > (state.best["accuracy"], -state.best["loss"])
        if better:
            state.best = {"epoch": state.epoch, "accuracy": report.accuracy, "loss": report.loss}
            model = self.learner.model
            directory.save(self.run.model, model, report.as_json(), golden(model, self.valid, self.device))
        state.flawless = state.flawless + report.questions if report.accuracy == 1 else 0
        state.seconds = time.perf_counter() - began
        epoch = Epoch(
            epoch=state.epoch,
            loss=state.totals.losses[0] / state.step,
            gate_loss=state.totals.losses[1] / max(1, state.totals.supervised),
            validation=report,
            best=better,
            learning_rate=self.learner.optimiser.learning_rate,
            waiting=self.waiting,
            seconds=state.seconds,
        )
        self.run.log(epoch.as_json())
        if state.answers_from is None and epoch.gate_loss < self.settings.training.answers_from_gate_loss:
            state.answers_from = state.epoch + 1
        state.finished = self._reason_to_end()
        if not state.finished:
            self._next_epoch()
        self.save()
        return epoch

    def _next_epoch(self) -> None:
        self.state.epoch, self.state.step, self.state.totals = self.state.epoch + 1, 0, Totals()

    def _reason_to_end(self) -> str | None:
        settings, state = self.settings.training, self.state
        assert state.best is not None
        if state.flawless >= settings.flawless:
            return f"the last {state.flawless} validation questions were all answered right"
        if state.answers_from and state.epoch - max(state.best["epoch"], state.answers_from - 1) >= settings.patience:
            return f"{settings.patience} epochs without a better validation"
        if state.epoch >= settings.epochs:
            return f"{settings.epochs} epochs are done"
        return None
