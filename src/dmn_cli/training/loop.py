"""Training: a generator of what happened. It prints nothing; whoever iterates it shows the progress and may stop it.

The weights after step n depend on the settings, the data and n alone: batches are planned from (seed, epoch), dropout
draws from (seed, epoch, step, part). So a training that was stopped or killed and resumed ends with the weights of one
that never was (bit for bit on a CPU with the same number of threads), whoever computed which part (`parts.py`).
"""

from __future__ import annotations

import json
import math
import os
import shutil
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from dmn_cli import model_directory
from dmn_cli.data.batches import Batches
from dmn_cli.data.store import DataSet
from dmn_cli.data.vocabulary import Vocabulary
from dmn_cli.errors import UsageError
from dmn_cli.evaluation.metrics import judge_stories
from dmn_cli.evaluation.report import Report, evaluate
from dmn_cli.files import write_text
from dmn_cli.records import Batch, Form
from dmn_cli.settings import Settings, TrainingSettings, to_toml
from dmn_cli.threads import in_order
from dmn_cli.training import checkpoint as checkpoints
from dmn_cli.training import sampling
from dmn_cli.training.checkpoint import Checkpoint
from dmn_cli.training.objective import GateSupervision, answer_loss, gate_loss
from dmn_cli.training.optimiser import Optimiser
from dmn_cli.training.parts import Done, Helpers, added
from dmn_cli.training.runtime import ONE_THREAD, cores_to_use, networks_at_once, seed

CHECKPOINT = Path("checkpoints") / "last.pt"
_GOLDEN = 8  # questions in golden.jsonl
_REPORT_EVERY = 0.2  # seconds
_SAVE_EVERY = 300.0  # seconds, within an epoch; each epoch's end is saved anyway
_WORTH_TWO = 5000  # questions from which on two parts are computed side by side: a helper takes seconds to start


@dataclass(frozen=True)
class Step:
    """Some steps of an epoch are done."""

    epoch: int
    step: int
    steps: int  # in this epoch
    loss: float  # of the answers, the epoch's mean so far


@dataclass(frozen=True)
class Epoch:
    """An epoch is done and validated."""

    epoch: int
    loss: float
    gate_loss: float
    validation: Report
    best: bool
    learning_rate: float
    waiting: float  # the share of its steps' time that went by waiting for batches, in this session
    seconds: float  # of training so far, over all sessions

    def as_json(self) -> dict[str, Any]:
        return {
            "epoch": self.epoch,
            "loss": self.loss,
            "gate_loss": self.gate_loss,
            "valid_accuracy": self.validation.accuracy,
            "valid_loss": self.validation.loss,
            "valid_tasks": {name: task["accuracy"] for name, task in self.validation.tasks.items()},
            "best": self.best,
            "learning_rate": self.learning_rate,
            "waiting": round(self.waiting, 6),
            "seconds": self.seconds,
        }


@dataclass(frozen=True)
class Finished:
    """The training is over. `best` holds the epoch, accuracy and loss of the validation that chose the model."""

    reason: str
    epochs: int
    best: dict[str, Any]
    seconds: float


@dataclass(frozen=True)
class Stopped:
    """The training was asked to stop, and has saved itself."""

    epoch: int
    step: int


Event = Step | Epoch | Finished | Stopped


def learning_rate(settings: TrainingSettings, epoch: int) -> float:
    """Falls from the first to the final rate along half a cosine."""
    done = (epoch - 1) / max(1, settings.epochs - 1)
    low, high = settings.final_learning_rate, settings.learning_rate
    return low + (high - low) * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


class Portion(NamedTuple):
    """One part of a batch."""

    part: int
    batch: Batch | None  # None: the batch has fewer stories than parts
    asked: int  # answers that the whole batch asks for
    known: int  # questions of the whole batch whose supporting facts are known
    seed: int


class Training:
    """A run directory in the making: one model of all the data sets together.

    Raises: UsageError where the data sets don't go together.
    """

    def __init__(self, data: Sequence[DataSet], run: Path, settings: Settings, device: torch.device) -> None:
        self.data, self.run, self.settings, self.device = data, run, settings, device
        torch.manual_seed(settings.training.seed)
        tasks = list(dict.fromkeys(task for one in data for task in one.tasks))
        forms = _joined_forms(data)
        self.model = model_directory.build(
            settings.model,
            Vocabulary.joined(one.vocabulary.of_training() for one in data),
            model_directory.Sizes(
                max_answer_steps=max(one.summary["longest_answer"] for one in data) + 1,
                word_size=_vector_size(data) or settings.model.hidden,
                each=any(form.each for form in forms.values()),
            ),
            _same_tokenizer(data),
            tasks,
            forms,
            settings.preset,
        )
        self.model.tokenizer_files = data[0].tokenizer_files()
        self.network = self.model.network.to(device)
        self.train = [Batches.of(one, "train", self.model.vocabulary, tasks) for one in data]
        self.valid = [Batches.of(one, "valid", self.model.vocabulary, tasks) for one in data]
        given = self._give_vectors(data)
        self.optimiser = Optimiser(self.network, settings.training, given=given)
        form = settings.training.gate_supervision
        self.waiting = 0.0  # Epoch.waiting
        self.parts = min(settings.training.parts or self._parts_that_pay(), settings.training.batch_size)
        self.helpers: Helpers | None = None
        self.gate_supervision: GateSupervision | None = (
            None if form == "off" or not any(one.summary["questions_with_support"] for one in data) else form
        )
        self.state = Checkpoint(
            epoch=1,
            step=0,
            network={},
            optimiser={},
            answers_from=None if self.gate_supervision else 1,
            totals=[0.0] * 3,
            best=None,
            flawless=0,
            seconds=0.0,
            finished=None,
            data=" ".join(one.fingerprint for one in data),
        )

    def _parts_that_pay(self) -> int:
        """Two where they can be computed side by side, and are large enough. It doesn't depend on how many cores there
        are, since the weights depend on it."""
        questions = sum(len(batches.split) for batches in self.train)
        small = self.settings.model.hidden <= ONE_THREAD
        two = small and self.settings.training.batch_size >= 64 and questions >= _WORTH_TWO
        return 2 if two and self.device.type == "cpu" else 1

    def _give_vectors(self, data: Sequence[DataSet]) -> bool:
        """Sets the vectors that the data sets bring; those of the first one that has a word count. Whether any do."""
        brought = [
            (batches.words[one.vectors[0]], one.vectors[1])
            for one, batches in zip(data, self.train, strict=True)
            if one.vectors
        ]
        if not brought:
            return False
        rows, first = np.unique(np.concatenate([rows for rows, _ in brought]), return_index=True)
        vectors = np.concatenate([vectors for _, vectors in brought])[first]
        known = rows > 1
        given = torch.from_numpy(rows[known]).to(self.device)
        self.network.word_vectors.give(given, torch.from_numpy(vectors[known]).to(self.device))
        if self.settings.training.vectors_rate == 0:
            self.network.word_vectors.freeze(given)
        return True

    def begin(self, *, force: bool = False) -> None:
        """Makes the run directory; with `force`, in place of the run that is there."""
        if force and (self.run / "config.toml").is_file():
            shutil.rmtree(self.run.resolve())
        self.run.mkdir(parents=True, exist_ok=True)
        write_text(self.run / "config.toml", to_toml(self.settings))
        (self.run / "metrics.jsonl").write_text("")

    def resume(self) -> None:
        """Takes up the last checkpoint.

        Raises: ModelError where there is none; UsageError where the data has changed or the training is over.
        """
        path = self.run / CHECKPOINT
        state = checkpoints.load(path, self.device)
        if state.data != self.state.data:
            raise UsageError(
                "this run was trained on other data",
                where=self.run,
                hint="Give the data set that it began with.",
            )
        if state.finished and state.epoch >= self.settings.training.epochs:
            raise UsageError(
                f"the training is over: {state.finished}",
                where=self.run,
                hint="Go on for longer with --resume --epochs N.",
            )
        self.network.load_state_dict(state.network)
        self.optimiser.load_state_dict(state.optimiser)
        self.state = state
        if state.finished:
            state.finished = None
            self._next_epoch()
        self._forget_metrics_after(state)

    def _forget_metrics_after(self, state: Checkpoint) -> None:
        """A killed run may have logged an epoch that it will now do again."""
        path = self.run / "metrics.jsonl"
        lines = path.read_text().splitlines(keepends=True) if path.exists() else []
        write_text(path, "".join(line for line in lines if json.loads(line)["epoch"] < state.epoch))

    def save(self) -> None:
        self.state.network = self.network.state_dict()
        self.state.optimiser = self.optimiser.state_dict()
        checkpoints.save(self.run / CHECKPOINT, self.state)

    def events(self, stop: Callable[[], bool] = lambda: False) -> Iterator[Event]:
        """Trains to the end. `stop` is asked between steps; once it says so, the state is saved and Stopped is last."""
        state = self.state
        began = time.perf_counter() - state.seconds
        self.help(self.processes - 1)
        try:
            yield from self._events(stop, began)
        finally:
            self.help(0)

    @property
    def processes(self) -> int:
        """How many compute the parts of a batch side by side."""
        possible = os.name == "posix" and self.device.type == "cpu"
        return min(self.parts, networks_at_once(self.device)) if possible else 1

    def help(self, processes: int) -> None:
        """Has so many other processes compute parts of each batch."""
        if self.helpers:
            self.helpers.close()
        self.helpers = Helpers(self, processes) if processes else None

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

    def _end_epoch(self, began: float) -> Epoch:
        """Validates, keeps the model if it is the best so far, decides whether to end, and saves the state.

        Raises: UsageError where the training has diverged; what was saved before stays.
        """
        state = self.state
        if not all(map(math.isfinite, state.totals)):
            raise UsageError(
                f"the loss of epoch {state.epoch} is not a number",
                where=self.run,
                hint="Train with a lower training.learning_rate or training.clip.",
            )
        report = evaluate(self.network, self.valid, self.device)
        score = (report.accuracy, -report.loss)
        better = state.best is None or score > (state.best["accuracy"], -state.best["loss"])
        if better:
            state.best = {"epoch": state.epoch, "accuracy": report.accuracy, "loss": report.loss}
            model_directory.save(self.run / "model", self.model, report.as_json(), self._golden())
        state.flawless = state.flawless + report.questions if report.accuracy == 1 else 0
        state.seconds = time.perf_counter() - began
        epoch = Epoch(
            epoch=state.epoch,
            loss=state.totals[0] / state.step,
            gate_loss=state.totals[1] / max(1.0, state.totals[2]),
            validation=report,
            best=better,
            learning_rate=self.optimiser.learning_rate,
            waiting=self.waiting,
            seconds=state.seconds,
        )
        with (self.run / "metrics.jsonl").open("a") as file:
            file.write(json.dumps(epoch.as_json()) + "\n")
        if state.answers_from is None and epoch.gate_loss < self.settings.training.answers_from_gate_loss:
            state.answers_from = state.epoch + 1
        state.finished = self._reason_to_end()
        if not state.finished:
            self._next_epoch()
        self.save()
        return epoch

    def _next_epoch(self) -> None:
        self.state.epoch, self.state.step, self.state.totals = self.state.epoch + 1, 0, [0.0] * 3

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

    def _epoch(self, stop: Callable[[], bool]) -> Iterator[Step | Stopped]:
        settings, state = self.settings.training, self.state
        self.optimiser.learning_rate = learning_rate(settings, state.epoch)
        plan = sampling.plan(self.train, settings, state.epoch)
        if state.answers_from is None and state.epoch >= settings.answers_from_epoch:
            state.answers_from = settings.answers_from_epoch
        beta = 1.0 if state.answers_from and state.epoch >= state.answers_from else 0.0
        losses = torch.tensor(state.totals[:2], dtype=torch.float64, device=self.device)
        began = reported = saved = time.perf_counter()
        steps = range(state.step, len(plan))
        made = self._in_turn(lambda step: self._made(plan[step], step), steps)
        waited = 0.0
        for step in steps:
            begun = self.helpers.ask(state.epoch, step, beta) if self.helpers else ()
            asked = time.perf_counter()
            portions = next(made)
            waited += time.perf_counter() - asked
            losses += self.step(plan[step], portions, beta, begun)
            state.totals[2] += portions[0].known > 0
            state.step += 1
            if stop():
                state.totals[:2] = losses.tolist()
                yield Stopped(state.epoch, state.step)
                return
            now = time.perf_counter()
            if now - saved > _SAVE_EVERY:
                saved, state.totals[:2] = now, losses.tolist()
                self.save()
            if now - reported > _REPORT_EVERY:
                reported = now
                yield Step(state.epoch, state.step, len(plan), losses[0].item() / state.step)
        state.totals[:2] = losses.tolist()
        self.waiting = waited / (time.perf_counter() - began)

    def portion(self, planned: sampling.Part, step: int, part: int) -> Portion:
        """One part of a batch of this epoch. The stories, in the order of their length, are dealt out in turn, to the
        first part last: who computes that has more to do."""
        batches, stories = planned
        number = np.random.SeedSequence([self.settings.training.seed, self.state.epoch, step, part])
        own = stories[self.parts - 1 - part :: self.parts]
        batch = self.network.arrange(batches.batch(own)).to(self.device) if len(own) else None
        return Portion(part, batch, *batches.asked(stories), int(number.generate_state(1)[0]))

    def portions(self, part: int, epoch: int, step: int) -> Iterator[Portion]:
        """Part number `part` of each batch of an epoch, from a step on."""
        self.state.epoch = epoch
        plan = sampling.plan(self.train, self.settings.training, epoch)
        return self._in_turn(lambda n: self.portion(plan[n], n, part), range(step, len(plan)))

    def _in_turn(self, make: Callable[[int], Any], steps: range) -> Iterator[Any]:
        """Made ahead by a thread, where there is a core for it: beside a network that computes it takes more than it
        gives (docs/log.md)."""
        busy = self.processes * torch.get_num_threads() if self.device.type == "cpu" else 0
        return in_order(make, steps) if busy < cores_to_use() else map(make, steps)

    def _made(self, planned: sampling.Part, step: int) -> list[Portion]:
        """The parts of a batch that no helper will make: the first one, and others where helpers aren't ready."""
        mine = [part for part in range(self.parts) if part == 0 or not (self.helpers and part in self.helpers.ready)]
        return [self.portion(planned, step, part) for part in mine]

    def step(
        self, planned: sampling.Part, portions: Sequence[Portion], beta: float, begun: Collection[int] = ()
    ) -> torch.Tensor:
        """One step of J = α CE(gates) + β CE(answers). Returns both mean losses, (2,) float64.

        portions: the parts of the batch that are made already; what turns out to be missing is made now; begun: those
        that helpers compute"""
        made = {portion.part: portion for portion in portions}
        done = []
        for part in range(self.parts):
            one = self.helpers.answer(part) if self.helpers and part in begun else None
            done.append(one or self.compute(made.get(part) or self.portion(planned, self.state.step, part), beta))
        gradients, losses = added(done)
        self.optimiser.step(gradients)
        return losses

    def compute(self, portion: Portion, beta: float) -> Done:
        """The gradient and the losses of one part of a batch.

        β is for the questions whose supporting facts are known; the others have nothing else to learn from."""
        batch, settings = portion.batch, self.settings.training
        if batch is None:
            return Done([None for _ in self.network.parameters()], torch.zeros(2, dtype=torch.float64))
        seed(self.device, portion.seed)
        self.network.train()
        output = self.network(batch)
        loss = answer_loss(output, batch)
        answers = loss.sum() / portion.asked
        gates = answers.new_zeros(())
        if self.gate_supervision and portion.known:
            gates = gate_loss(output.episode, batch, self.gate_supervision, self.settings.model.gates).sum()
            gates = gates / portion.known
        counted = answers
        if beta != 1:
            known = (batch.support >= 0).any(dim=1)
            counted = torch.where(known, beta, 1.0).mul(loss).sum() / portion.asked
        gradients = self.optimiser.gradients(settings.gate_weight * gates + counted)
        return Done(gradients, torch.stack([answers.detach(), gates.detach()]).double())

    def _golden(self) -> list[dict[str, Any]]:
        """The first validation questions of each data set, with the answers that the network gives them now."""
        lines: list[dict[str, Any]] = []
        for valid in self.valid:
            judged = judge_stories(self.network, valid, valid.plan(_GOLDEN)[0], self.device)
            for i, row in enumerate(judged.rows[:_GOLDEN]):
                example = valid.data.example(valid.split, int(row))
                lines.append(
                    {
                        "id": len(lines) + 1,
                        "story": example.facts,
                        "question": example.question,
                        "answer": self.model.vocabulary.answer_text(
                            judged.words[i], each=self.model.form(example.question).each
                        ),
                        "confidence": round(float(judged.confidence[i]), 6),
                    }
                )
        return lines


def _vector_size(data: Sequence[DataSet]) -> int | None:
    """The width of the vectors that the data sets bring. Raises: UsageError where it isn't the same."""
    sizes = {one.path: one.vectors[1].shape[1] for one in data if one.vectors}
    if len(set(sizes.values())) > 1:
        said = ", ".join(f"{path}: {size}" for path, size in sizes.items())
        raise UsageError(f"the data sets bring word vectors of different widths ({said})")
    return next(iter(sizes.values()), None)


def _same_tokenizer(data: Sequence[DataSet]) -> dict[str, Any]:
    """Raises: UsageError"""
    first = data[0].summary["tokenizer"]
    for one in data:
        if one.summary["tokenizer"] != first:
            raise UsageError(
                f"its words are cut otherwise than those of {data[0].path}: {one.summary['tokenizer']}, not {first}",
                where=one.path,
                hint="Prepare both with the same --tokenizer, --language and --case.",
            )
    return first


def _joined_forms(data: Sequence[DataSet]) -> dict[str, Form]:
    """Raises: UsageError where two data sets ask the same question in two ways."""
    joined: dict[str, Form] = {}
    for one in data:
        for question, form in one.forms.items():
            if joined.setdefault(question, form) != form:
                raise UsageError(f"asks {question!r} in another way than the data sets before it", where=one.path)
    return joined
