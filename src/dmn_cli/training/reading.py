"""Reading before being asked: a generator of events, as training is (`loop.py`).

The weights after step n depend on the settings, the texts and n alone: batches are planned from (seed, epoch), sampled
words and dropout are drawn from (seed, epoch, step). So a reading that was stopped or killed and then resumed ends with
the weights of one that ran through: bit for bit on a CPU with the same number of threads.

reading.json            which texts, as they were given, and how many of their words the model takes in
text/                   those that weren't prepared before
reading.jsonl           a line a checkpoint
checkpoints/reading.…   what a resumed reading needs, until it is over; then checkpoints/start.… has what was learnt
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dmn_cli.data.text.batches import TextBatches
from dmn_cli.errors import Diverged, UsageError
from dmn_cli.files import append_line
from dmn_cli.machine.device import seed
from dmn_cli.machine.threads import cores_to_use, in_order
from dmn_cli.model.language_model import LanguageModel
from dmn_cli.notation import json_line
from dmn_cli.records.next_words import NextWords
from dmn_cli.settings.load import as_dict
from dmn_cli.settings.schema import Settings
from dmn_cli.training import saved
from dmn_cli.training.learner import Learner
from dmn_cli.training.optimiser import Optimiser
from dmn_cli.training.resuming import check_settings, fitting
from dmn_cli.training.run import keep_lines
from dmn_cli.training.start import Start

CHECKPOINT = Path("checkpoints") / "reading"  # with the suffix that `saved` gives it
LOG = "reading.jsonl"
FORMAT_VERSION = 3
_REPORT_EVERY, _SAVE_EVERY = 0.5, 300.0  # seconds
_RANDOM = 0x7EAD  # keeps its random numbers apart from those of training
_DISTORTION = 0.75  # words are sampled by their frequency to this power (Mikolov et al. 2013)
_HELD_OUT = 64  # sentences that are measured at a time


@dataclass(frozen=True)
class Read:
    """Some batches are read."""

    words: int  # so far
    of: int  # in all epochs
    loss: float  # of a word, among the sampled ones, since the last report
    words_per_second: float
    seconds_left: float


@dataclass(frozen=True)
class Measured:
    """What was held out was measured, and everything saved."""

    epoch: int
    step: int
    words: int
    perplexity: float
    learning_rate: float
    words_per_second: float  # since the last one
    seconds: float
    over: bool

    def as_json(self) -> dict[str, Any]:
        return {key: value for key, value in vars(self).items() if key != "over"}


@dataclass(frozen=True)
class ReadingStopped:
    """It was asked to stop, and has saved itself."""

    words: int
    of: int


ReadingEvent = Read | Measured | ReadingStopped


@dataclass
class _State:
    epoch: int = 1
    step: int = 0
    words: int = 0
    seconds: float = 0.0
    texts: str = ""  # their fingerprints
    settings: dict[str, Any] = field(default_factory=dict)  # of the run, as given; empty: not known, of before
    model: dict[str, torch.Tensor] = field(default_factory=dict)
    optimiser: dict[str, Any] = field(default_factory=dict)


class Reading:
    """The network of a learner learns to read."""

    def __init__(
        self, learner: Learner, batches: TextBatches, run: Path, given: Settings, *, save_every: float = _SAVE_EVERY
    ) -> None:
        """given: the settings of the run, of which the learner has decided the rest

        Raises: UsageError where the network doesn't read sentences word by word; DataError where no word of the
        texts is one of the vocabulary."""
        self.learner, self.batches, self.run, self.device = learner, batches, run, learner.device
        self.settings, self.seed = learner.settings.reading, learner.settings.training.seed
        torch.manual_seed(self.seed)
        counts = torch.from_numpy(batches.counts)
        self.model = LanguageModel(learner.network, counts, self.settings.dropout).to(self.device)
        rates = {"l2": 0.0, **{key: getattr(self.settings, key) for key in ("learning_rate", "vectors_rate")}}
        training = learner.settings.training
        self.optimiser = Optimiser(self.model, self.model.word_vectors, training.model_copy(update=rates), given=True)
        self.sampler = Sampler(batches.counts, self.settings.negatives)
        self.log_expected = torch.from_numpy(self.sampler.log_expected).to(self.device)
        self.words = int(batches.steps.sum(dtype=np.int64) - batches.steps[batches.held_out].sum(dtype=np.int64))
        texts = " ".join(text.fingerprint for text in batches.texts)
        self.state = _State(texts=texts, settings=as_dict(given))
        self._save_every = save_every

    def resume(self) -> list[str]:
        """Goes on from the last checkpoint, if there is one that can be read. Returns what is to be said if not.

        Raises: UsageError where the texts or the settings have changed; ModelError where it is of another network or
        format version.
        """
        remarks = []
        if path := saved.find(self.run / CHECKPOINT):
            try:
                state = saved.load(path, range(FORMAT_VERSION + 1), lambda values: _State(**values), self.device)
            except saved.Damaged:
                remarks.append(f"{path} is damaged: reading begins anew")
            else:
                self._restore(state)
        keep_lines(self.run / LOG, lambda line: line["words"] <= self.state.words)
        return remarks

    def _restore(self, state: _State) -> None:
        if state.texts != self.state.texts:
            raise UsageError("the texts have changed", where=self.run, hint="Train again with --force.")
        check_settings(self.run, state.settings, self.state.settings)
        with fitting(self.run):
            self.model.load_state_dict(state.model)
            self.optimiser.load_state_dict(state.optimiser)
        self.state = replace(state, settings=self.state.settings)

    def save(self) -> None:
        state = self.state
        state.model, state.optimiser = self.model.state_dict(), self.optimiser.state_dict()
        saved.save((self.run / CHECKPOINT).with_suffix(saved.SUFFIX), FORMAT_VERSION, vars(state))

    def events(self, stop: Callable[[], bool] = lambda: False) -> Iterator[ReadingEvent]:
        """Reads to the end; checkpoints/start.… has what was learnt. `stop` is asked between steps; once it is
        true, everything is saved and ReadingStopped is last."""
        threads = torch.get_num_threads()
        if self.device.type == "cpu":
            torch.set_num_threads(cores_to_use())  # its products are large, however narrow the network is
        try:
            yield from self._events(stop)
        finally:
            torch.set_num_threads(threads)

    def _events(self, stop: Callable[[], bool]) -> Iterator[ReadingEvent]:
        state, of = self.state, self.words * self.settings.epochs
        began = time.perf_counter() - state.seconds
        reported = measured = time.perf_counter()
        at_start, words_at_start, words_measured = reported, state.words, state.words
        losses, count = torch.zeros((), dtype=torch.float64, device=self.device), 0
        while state.epoch <= self.settings.epochs:
            plan = self.batches.plan(self.seed, state.epoch, self.settings.words)
            for batch in self._made(plan, state.epoch, range(state.step, len(plan))):
                done = (state.epoch - 1 + state.step / len(plan)) / self.settings.epochs
                self.optimiser.learning_rate = self.settings.learning_rate * (1 - done)
                losses += self.step(batch)
                count += 1
                state.step += 1
                state.words += len(batch.after)
                now = time.perf_counter()
                state.seconds = now - began
                if stop():
                    self._check(losses.item())
                    self.save()
                    yield ReadingStopped(state.words, of)
                    return
                if now - reported > _REPORT_EVERY:
                    self._check(losses.item())
                    speed = (state.words - words_at_start) / (now - at_start)
                    yield Read(state.words, of, losses.item() / count, speed, (of - state.words) / speed)
                    losses.zero_()
                    count, reported = 0, now
                if now - measured > self._save_every:
                    event = self._measured(stop, speed=(state.words - words_measured) / (now - measured))
                    yield event
                    if isinstance(event, ReadingStopped):
                        return
                    measured, words_measured = time.perf_counter(), state.words
            state.epoch, state.step = state.epoch + 1, 0
        speed = (state.words - words_measured) / max(1e-9, time.perf_counter() - measured)
        yield self._measured(stop, speed=speed, over=True)

    def _made(self, plan: Any, epoch: int, steps: range) -> Iterator[NextWords]:
        """The batches of some steps, made ahead by a thread: with large products, that pays."""
        return in_order(lambda step: self.batch(plan[step], epoch, step), steps)

    def batch(self, sentences: np.ndarray, epoch: int, step: int) -> NextWords:
        sampled = self.sampler.draw(np.random.default_rng([_RANDOM, self.seed, epoch, step]))
        return NextWords.of(*self.batches.take(sentences), sampled).to(self.device)

    def step(self, batch: NextWords) -> torch.Tensor:
        """One step down the mean loss of a word foretold, which is returned; NaN where its gradient isn't finite."""
        state = self.state
        number = np.random.SeedSequence([_RANDOM, self.seed, state.epoch, state.step]).generate_state(1)[0]
        seed(self.device, int(number))
        self.model.train()
        loss, count = self.model(batch, self.log_expected)
        loss = loss / max(1, count)
        norm = self.optimiser.step(self.optimiser.gradients(loss))
        return torch.where(norm.isfinite(), loss.detach(), math.nan)

    def perplexity(self, stop: Callable[[], bool] = lambda: False) -> float | None:
        """Of the sentences that are held out, by the softmax over all words, in both directions. None: `stop` became
        true."""
        self.model.eval()
        held_out, loss, count = self.batches.held_out, 0.0, 0
        none = np.empty(0, np.int64)
        for start in range(0, len(held_out), _HELD_OUT):
            batch = NextWords.of(*self.batches.take(held_out[start : start + _HELD_OUT]), none).to(self.device)
            total, words = self.model.full_loss(batch)
            loss, count = loss + total.item(), count + words
            if stop():
                return None
        return math.exp(min(loss / count, 700.0))

    def _measured(self, stop: Callable[[], bool], *, speed: float, over: bool = False) -> Measured | ReadingStopped:
        """Raises: Diverged; what was saved before remains."""
        state, perplexity = self.state, self.perplexity(stop)
        if perplexity is None:
            self.save()
            return ReadingStopped(state.words, self.words * self.settings.epochs)
        self._check(perplexity)
        rate = self.optimiser.learning_rate
        event = Measured(
            min(state.epoch, self.settings.epochs),
            state.step,
            state.words,
            perplexity,
            rate,
            speed,
            state.seconds,
            over,
        )
        append_line(self.run / LOG, json_line(event.as_json()))
        if over:
            self._hand_over(perplexity)
        else:
            self.save()
        return event

    def _check(self, figure: float) -> None:
        """Raises: Diverged where a loss or a perplexity is not a number."""
        if not math.isfinite(figure):
            raise Diverged(
                "the loss of the language model is not a number",
                where=self.run,
                hint="Read with a lower reading.learning_rate. What was saved before remains.",
            )

    def _hand_over(self, perplexity: float) -> None:
        """Keeps what was learnt for the training to begin with."""
        self.model.hand_over()
        learner = self.learner
        texts = [
            {"name": ", ".join(text.names), "words": text.words, "fingerprint": text.fingerprint}
            for text in self.batches.texts
        ]
        read = [*learner.model.read, *({**text, "perplexity": round(perplexity, 2)} for text in texts)]
        vocabulary, settings = learner.joint.vocabulary, learner.settings.model
        Start.of(learner.network, vocabulary, settings, read, read_here=True).save(self.run)
        if path := saved.find(self.run / CHECKPOINT):
            path.unlink()


class Sampler:
    """Draws the words that a batch's words are compared with."""

    def __init__(self, counts: np.ndarray, tries: int) -> None:
        """counts: (words,) how often each occurs; tries: how often one is drawn, words that are drawn twice count once.
        With as many tries as there are words, all of them are taken."""
        words = np.flatnonzero(counts)
        p = counts[words].astype(np.float64) ** _DISTORTION
        p /= p.sum()
        self._words, self._upto, self._tries = words, np.cumsum(p), tries
        self.log_expected = np.zeros(len(counts), np.float32)  # of each word, how often it is sampled in the mean
        if tries < len(words):
            self.log_expected[words] = np.log(-np.expm1(tries * np.log1p(-p)))

    def draw(self, random: np.random.Generator) -> np.ndarray:
        """Distinct word ids, ascending."""
        if self._tries >= len(self._words):
            return self._words
        drawn = np.searchsorted(self._upto, random.random(self._tries), side="right")
        return self._words[np.unique(drawn.clip(max=len(self._words) - 1))]
