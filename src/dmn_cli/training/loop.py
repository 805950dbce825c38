"""Training: a generator of events. It prints nothing; whoever iterates it shows the progress and may stop it.

The weights after step n depend on the settings, the data and n alone (`learner.py`). So a training that was stopped or
killed and then resumed ends with the weights of one that ran through: bit for bit on a CPU with the same number of
threads.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from dmn_cli.data.store.reader import DataSet
from dmn_cli.evaluation.metrics import judge
from dmn_cli.evaluation.report import Judge
from dmn_cli.kernels.tune import computing
from dmn_cli.machine.distributed import Gone, world
from dmn_cli.settings.load import CONFIG, as_dict
from dmn_cli.settings.schema import Settings
from dmn_cli.training import checkpoint, resuming, turns
from dmn_cli.training.averaging import Averaged
from dmn_cli.training.checkpoint import Checkpoint, Totals
from dmn_cli.training.distributed import Ranks
from dmn_cli.training.events import Epoch, Event, Finished, Step, Stopped
from dmn_cli.training.gradients import PartResult, summed
from dmn_cli.training.helpers import Helpers
from dmn_cli.training.keep import keep
from dmn_cli.training.learner import Learner, Phase, Portion
from dmn_cli.training.non_finite import Watch
from dmn_cli.training.run import Run
from dmn_cli.training.sampling import PlannedStep
from dmn_cli.training.schedule import rate
from dmn_cli.training.start import Start, joint_from
from dmn_cli.training.suits import taught
from dmn_cli.training.validation import Validation

_REPORT_EVERY = 0.2  # seconds


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
        start: Start | None = None,
        goes_on: bool = False,
    ) -> None:
        """processes: as for `Learner`; helpers: starts the others of them, where torchrun hasn't; start: what the
        network begins from; goes_on: whether it is the run that is there, if one is, of which what was decided stays

        Raises: UsageError where the data sets don't go together; DataError where one lacks a split.
        """
        joint, ranks = joint_from(start, data, settings), world()
        self.given, self.device, self.run = settings, device, Run(run)
        processes, decided = ranks.size if ranks else processes, checkpoint.decided(run) if goes_on else None
        self.learner = Learner(joint, settings, device, processes=processes, start=start, decided=decided)
        self.settings = self.learner.settings
        self.validation = Validation(joint.batches("valid"), self.learner, self._judge)
        decay = self.settings.training.averaging
        self.averaged = Averaged(self.learner.network, decay) if decay else None
        self.waiting = 0.0  # Epoch.waiting
        self.remarks: list[str] = []  # what a user should know of how it was resumed
        self.helpers: Helpers | Ranks | None = None
        self._start_helpers = Ranks if ranks else helpers
        answers_from = None if self.learner.supervision else 1
        self.state = Checkpoint(answers_from=answers_from, data=joint.fingerprint, decided=self.learner.decided)

    def begin(self, *, force: bool = False) -> None:
        """Makes the run directory, which keeps what the network begins from; with `force`, in place of the run that is
        there."""
        start = self.learner.start
        also = partial(replace(start, read_here=False).save, self.run.path) if start else lambda: None
        self.run.begin(self.given, self.learner.joint.data, force=force, also=also)

    def resume(self) -> None:
        """Continues from the last checkpoint that can be read, or from the beginning where there is none yet.

        Raises: ModelError where all checkpoints are damaged; UsageError where the data or the settings have changed, or
        the training is over.
        """
        self._go_on(*checkpoint.last(self.run.path, self.device))

    def _go_on(self, state: Checkpoint | None, remarks: list[str]) -> None:
        self.remarks = remarks
        resuming.check_data(self.run.path, state, self.learner.joint.data)
        if state:
            self._restore(state)
        self.run.take_up(self.given, self.learner.joint.data, self.state)

    def _restore(self, state: Checkpoint) -> None:
        epochs = self.settings.training.epochs
        resuming.check_settings(self.run.path, state.settings, as_dict(self.settings))
        resuming.check_epochs(self.run.path, state, epochs)
        self.state = state
        with resuming.fitting(self.run.path):
            self.learner.network.load_state_dict(state.network)
            self.learner.optimiser.load_state_dict(state.optimiser)
            if self.averaged:
                self.averaged.load(state.averaged)
        epochs_before, rate_before = resuming.epochs_before(state, epochs), self.learner.optimiser.learning_rate
        if state.finished:
            state.finished = None
            self._next_epoch()
        if epochs_before != epochs:
            next_rate = rate(self.settings.training, state, len(self.learner.plan(self._phase())))
            self.remarks.append(resuming.longer(epochs, epochs_before, next_rate, rate_before))
        self.remarks += resuming.differently_computed(state, computing(self.device))

    def take_up(self) -> None:
        """Begins, or resumes the run if there is one. Its state then says whether the training is over: it may have
        been killed before anybody took note of that. Raises as `resume` does"""
        if not (self.run.path / CONFIG).is_file():
            self.begin(force=True)
            return
        state, remarks = checkpoint.last(self.run.path, self.device)
        if state and state.finished:
            self.state, self.remarks = state, remarks
        else:
            self._go_on(state, remarks)

    @property
    def last_epoch(self) -> int:
        """The one that it ends with at the latest, as far as is known by now."""
        return turns.last_epoch(self.settings.training, self.state)

    def save(self) -> None:
        self.state.network = self.learner.network.state_dict()
        self.state.optimiser = self.learner.optimiser.state_dict()
        self.state.averaged = self.averaged.mean if self.averaged else []
        self.state.settings, self.state.computed_by = as_dict(self.settings), computing(self.device)
        checkpoint.save(self.run.path, self.state, self.settings.training.checkpoints)

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
        self._tell_state()

    def _tell_state(self) -> None:
        """To processes that don't share this one's memory."""
        if isinstance(self.helpers, Ranks):
            self.helpers.tell_state(self.averaged, self.state.steps)

    def _events(self, stop: Callable[[], bool], began: float) -> Iterator[Event]:
        state = self.state
        while not state.finished:
            try:
                for event in self._epoch(stop):
                    if isinstance(event, Stopped):
                        state.seconds = time.perf_counter() - began
                        self.save()
                        yield event
                        return
                    yield event
            except Gone:  # the last step that all took is still there
                state.seconds, state.totals.losses = time.perf_counter() - began, self._losses.tolist()
                if all(map(math.isfinite, state.totals.losses)):
                    self.save()
                raise
            yield self._end_epoch(began)
            if stop() and not state.finished:
                yield Stopped(state.epoch, 0)
                return
        assert state.best is not None
        best = {key: state.best[key] for key in ("epoch", "accuracy", "loss")}
        yield Finished(state.finished, state.epoch, best, state.seconds)

    def _epoch(self, stop: Callable[[], bool]) -> Iterator[Step | Stopped]:
        settings, state, learner = self.settings.training, self.state, self.learner
        if state.answers_from is None and state.epoch >= settings.answers_from_epoch:
            state.answers_from = settings.answers_from_epoch
        phase = self._phase()
        plan = learner.plan(phase)
        self._losses = losses = torch.tensor(state.totals.losses, dtype=torch.float64, device=self.device)
        watch = Watch(self.run.path, settings, state, at_once=self.device.type == "cpu")
        began = reported = saved = time.perf_counter()
        steps = range(state.step, len(plan))
        made = learner.in_turn(lambda step: self._made(plan[step], phase, step), steps)
        waited = 0.0
        for step in steps:
            learner.optimiser.learning_rate = rate(settings, state, len(plan))
            begun = self.helpers.ask(phase, step) if self.helpers else ()
            asked = time.perf_counter()
            portions = next(made)
            waited += time.perf_counter() - asked
            of_step = self.step(plan[step], portions, phase, begun)
            if watch.counts(step, plan[step], of_step):
                losses += of_step
            if self.averaged:
                self.averaged.update(state.steps)
            state.steps += 1
            state.totals.supervised += portions[0].supervised > 0
            state.step += 1
            if stop():
                watch.check()
                state.totals.losses = losses.tolist()
                yield Stopped(state.epoch, state.step)
                return
            now = time.perf_counter()
            if now - saved >= 60 * settings.save_minutes:
                watch.check()
                saved, state.totals.losses = now, losses.tolist()
                self.save()
            if now - reported > _REPORT_EVERY:
                watch.check()
                reported = now
                yield Step(state.epoch, state.step, len(plan), losses[0].item() / state.step)
        watch.check()
        state.totals.losses = losses.tolist()
        self.waiting = waited / (time.perf_counter() - began)

    def _phase(self) -> Phase:
        """How this epoch is trained."""
        state, at_once = self.state, self.settings.training.schedule != "solved"
        answers, spares, thin = (
            first is not None and state.epoch >= first
            for first in (state.answers_from, state.spares_from, state.thin_from)
        )
        seldom = state.learnt if state.falls_from is None else 0
        return Phase(state.epoch, float(answers), state.in_order, spares or at_once, thin, seldom)

    def _made(self, planned: PlannedStep, phase: Phase, step: int) -> list[Portion]:
        """The parts of a step that no helper will compute: part 0, and those whose helpers aren't ready."""
        parts, ready = range(self.learner.parts), self.helpers.ready if self.helpers else ()
        return [self.learner.portion(planned, phase, step, n) for n in parts if n == 0 or n not in ready]

    def step(
        self, planned: PlannedStep, portions: Sequence[Portion], phase: Phase, begun: Collection[int] = ()
    ) -> torch.Tensor:
        """One step of J = α CE(gates) + β CE(answers). Returns both mean losses, (2,) float64; NaN where
        the gradient isn't finite.

        portions: those parts of the batch that are made already, the others are made if needed; begun: the parts that
        helpers are computing
        """
        made = {portion.part: portion for portion in portions}
        learner, state = self.learner, self.state

        def compute(part: int) -> PartResult:
            portion = made.get(part) or learner.portion(planned, phase, state.step, part)
            return learner.compute(portion, phase)

        whole = self.helpers.summed(begun, compute) if self.helpers else summed([*map(compute, range(learner.parts))])
        norm = learner.step(whole.gradients)
        return torch.where(norm.isfinite(), whole.losses, math.nan)

    def _end_epoch(self, began: float) -> Epoch:
        """Validates, keeps the model if it is the best so far, decides whether to end, and saves the state."""
        settings, state = self.settings.training, self.state
        with self._averages():
            reports = self.validation.reports()
            score = [sum(r.accuracy for r in reports) / len(reports), -sum(r.loss for r in reports) / len(reports)]
            better = state.best is None or score > score_of(state.best)
            if better:
                report = reports[0]
                state.best = {"epoch": state.epoch, "accuracy": report.accuracy, "loss": report.loss, "score": score}
                keep(self.run.model, self.learner.model, self.validation.batches, self.device)
        flawless = all(report.accuracy == 1 for report in reports)
        state.flawless = state.flawless + sum(report.questions for report in reports) if flawless else 0
        state.seconds = time.perf_counter() - began
        loss = state.totals.losses[0] / max(1, state.step - state.totals.skipped)
        anew = turns.leads_nowhere(settings, state, loss)
        epoch = Epoch(
            epoch=state.epoch,
            loss=loss,
            gate_loss=state.totals.losses[1] / max(1, state.totals.supervised),
            validation=reports[0],
            changed=sum(r.accuracy for r in reports[1:]) / (len(reports) - 1) if len(reports) > 1 else None,
            best=better,
            anew=anew,
            learning_rate=self.learner.optimiser.learning_rate,
            waiting=self.waiting,
            seconds=state.seconds,
        )
        self.run.log(epoch.as_json())
        if state.answers_from is None and epoch.gate_loss < settings.answers_from_gate_loss:
            state.answers_from = state.epoch + 1
        state.in_order = state.in_order and epoch.gate_loss >= turns.READ
        state.finished = turns.reason_to_end(settings, state, [loss, epoch.gate_loss, *(r.loss for r in reports)])
        if settings.schedule == "solved":
            told = [report.tasks for report in (reports if state.spares_from else reports[:1])]
            lowest = None
            if settings.sampling == "together" and len(tasks := self.learner.joint.tasks) > 1:
                right = {task: min(copy[task]["accuracy"] for copy in told) for task in tasks if task in told[0]}
                state.learnt = turns.learnt([right.get(task, 0.0) for task in tasks])
                lowest = min((right[task] for task in taught(self.learner.joint) if task in right), default=None)
            turns.look_ahead(settings, state, loss, score[0], lowest)
        if not state.thin_from and turns.may_thin(settings, state, epoch.gate_loss):
            with self._averages():
                thin = self.validation.as_good_thinned(reports[0])
            state.thin_from = state.epoch + 1 if thin else None
        if anew:
            self._begin_anew()
        if not state.finished:
            self._next_epoch()
        self.save()
        return epoch

    def _averages(self) -> AbstractContextManager[None]:
        """Here the network has its averaged weights, if it has any."""
        return self.averaged.in_use() if self.averaged else nullcontext()

    def _next_epoch(self) -> None:
        self.state.epoch, self.state.step, self.state.totals = self.state.epoch + 1, 0, Totals()

    def _judge(self, **how: int) -> Judge:
        """As `evaluation.metrics.judge` does, by all processes."""
        if isinstance(self.helpers, Ranks):
            return self.helpers.judge(self.validation.batches, **how)
        return partial(judge, **how)

    def _begin_anew(self) -> None:
        """From other weights; the best model so far stays the best until there is a better one."""
        state = self.state
        state.attempt += 1
        state.lowest, state.highest = (state.epoch, math.inf), (state.epoch, 0.0)
        state.in_order, state.spares_from, state.thin_from, state.learnt = True, None, None, 0
        self.learner.begin_anew(state.attempt)
        if self.averaged:
            self.averaged.load([weight.data for weight in self.learner.network.parameters()])
        self._tell_state()


def score_of(best: dict[str, Any]) -> list[float]:
    """What a better validation must exceed: accuracy, then minus loss, both means over the validation as it is and with
    other names; of an older checkpoint those of the validation as it is. best: `Checkpoint.best`"""
    return best.get("score", [best["accuracy"], -best["loss"]])
