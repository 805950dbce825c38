"""A network that learns from batches: what a step computes, from its plan to its gradient.

The gradient of a step depends on the settings, the data and the step alone, whichever process computes which part
(`helpers.py`): batches are planned from (seed, epoch), dropout draws from (seed, epoch, step, part).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from dmn_cli.artifact.model import build
from dmn_cli.data.batches import Batches
from dmn_cli.data.joint import Joint
from dmn_cli.data.ngrams import NONE, of_training
from dmn_cli.errors import UsageError
from dmn_cli.kernels.tune import ONE_THREAD
from dmn_cli.machine.device import networks_at_once, seed
from dmn_cli.machine.threads import cores_to_use, in_order
from dmn_cli.records.batch import Batch
from dmn_cli.records.network import Sizes
from dmn_cli.settings.schema import Settings
from dmn_cli.training import sampling
from dmn_cli.training.class_weights import balanced
from dmn_cli.training.decide import decide
from dmn_cli.training.gradients import PartResult, summed
from dmn_cli.training.optimiser import Optimiser
from dmn_cli.training.start import Start
from dmn_cli.training.suits import check_suits, of_texts
from dmn_cli.wording import plural

_PER_DRAW = 8  # questions of a batch for each time that names are drawn
WORTH_TWO = 5000  # questions that make a second process worthwhile, which takes seconds to start


class Phase(NamedTuple):
    """How an epoch is trained."""

    epoch: int
    beta: float  # the weight of the answers
    in_order: bool  # whether gates are taught the order of the supporting facts, where that changes
    spares: bool  # whether all stories and spare names take part, and swaps in all draws, where names change
    thin: bool  # whether facts that support nothing are left out
    seldom: int = 0  # tasks that don't come in every step, where all come together: bit i of task i


USUAL = Phase(epoch=1, beta=1.0, in_order=True, spares=True, thin=False)


class Piece(NamedTuple):
    """A batch, or as much of it as one part has."""

    batch: Batch
    asked: int  # answers that the whole batch asks for
    known: int  # questions of the whole batch whose supporting facts are known
    seed: int
    weights: Tensor | None = None  # (questions of the piece,) how much their answers count; None: all the same


class Portion(NamedTuple):
    """One part of a step."""

    part: int
    pieces: list[Piece]  # none where the batch has fewer stories than there are parts
    batches: int  # of the step
    supervised: int  # of these, with questions whose supporting facts are known


class Learner:
    """A new network for some data sets, and the optimiser that trains it."""

    def __init__(
        self,
        joint: Joint,
        settings: Settings,
        device: torch.device,
        *,
        processes: int | None = None,
        worth_two: int = WORTH_TWO,
        start: Start | None = None,
        decided: Mapping[str, Any] | None = None,
    ) -> None:
        """processes: so many compute side by side; None: as many as there are cores for; worth_two: questions from
        which on a batch is computed in two parts; start: what the network begins from; decided: as for `decide`

        Raises: DataError where a data set has no training split; UsageError where the network can't learn from such
        data, or there are more processes than parts.
        """
        self.joint, self.device = joint, device
        settings, self.decided = decide(settings, joint, decided)
        self.settings = settings
        torch.manual_seed(settings.training.seed)
        longest = dict(settings.model).get("ngrams", 0)
        self._ngrams = of_training(joint.train, longest) if longest else NONE
        sizes = Sizes(
            words=len(joint.vocabulary.words),
            answers=len(joint.vocabulary.answers),
            max_answer_steps=joint.longest_answer + 1,
            word_size=joint.vector_size or settings.model.hidden,
            per_fact=any(form.per_fact for form in joint.forms.values()),
            ngram_rows=len(self._ngrams.keys),
            answer_words=joint.vocabulary.words_of_answers(),
            pictures=joint.pictures,
        )
        parts = (joint.vocabulary, sizes, joint.tokenizer_spec, joint.tasks, joint.forms, settings.preset)
        self._build = partial(build, settings.model, *parts)
        self.model = self._build()
        self.model.tokenizer_files = joint.data[0].tokenizer_files()
        self.model.names = joint.names()
        self.model.question, self.model.table, self.model.texts = joint.question, joint.table, of_texts(joint)
        self.model.seed = settings.training.seed
        self.network = self.model.network.to(device)
        form = settings.training.gate_supervision
        self.supervision = form if form != "off" and joint.supported and self.network.gated else None
        check_suits(self.network, joint, settings.training.gate_supervision)
        self.network.label_smoothing = settings.training.label_smoothing
        self.train = joint.train
        weigh = balanced if settings.training.class_weights == "balanced" else None
        self.class_weights = {id(batches): weigh(batches) for batches in self.train if weigh}
        self.start, self.taken = start, ""
        self.model.read = start.read if start else []
        self.optimiser = self._new_optimiser()
        self.parts = min(settings.training.parts or self._parts_that_pay(worth_two), settings.training.batch_size)
        if processes and processes > self.parts:
            raise UsageError(
                f"{processes} processes can't share a batch of {plural(self.parts, 'part')}",
                hint=f"Begin with --set training.parts={processes} (its weights depend on it), or use fewer processes.",
            )
        self._processes = processes

    def begin_anew(self, attempt: int) -> None:
        """Other weights, in place, as by chance as the first ones. attempt: the first is 0"""
        torch.manual_seed(int(np.random.SeedSequence([self.settings.training.seed, attempt]).generate_state(1)[0]))
        self.network.load_state_dict(self._build().network.state_dict())
        self.optimiser = self._new_optimiser()

    def _new_optimiser(self) -> Optimiser:
        given = self._give_weights()
        return Optimiser(self.network, self.network.word_table, self.settings.training, given=given)

    def _give_weights(self) -> bool:
        """Sets which n-grams are known, the word vectors of the data sets, and then all that the network begins
        from, and returns whether any word vectors were given."""
        self.network.give_ngrams(*map(torch.from_numpy, self._ngrams))
        brought, table = self.joint.vectors(), self.network.word_table
        rows = [np.empty(0, np.int64)]
        if brought and table:
            rows.append(brought[0])
            table.give(*(torch.from_numpy(array).to(self.device) for array in brought))
        if self.start:
            rows.append(self.start.rows(self.joint.vocabulary))
            self.taken = self.start.give(self.network, self.joint.vocabulary)
        given = np.unique(np.concatenate(rows))
        if table and len(given) and self.settings.training.vectors_rate == 0:
            table.freeze(torch.from_numpy(given).to(self.device))
        return len(given) > 0

    def step(self, gradients: Sequence[Tensor | None]) -> Tensor:
        """Takes one step down a gradient, and returns its norm: `Optimiser.step`."""
        norm = self.optimiser.step(gradients)
        self.network.constrain()
        return norm

    def _parts_that_pay(self, worth_two: int) -> int:
        """Two where they can be computed side by side and each is large enough. This must not depend on how many cores
        there are, since the weights depend on it."""
        small = self.settings.model.hidden <= ONE_THREAD
        training = self.settings.training
        epoch = max(self.questions, training.steps * training.batch_size)
        two = small and training.batch_size >= 64 and epoch >= worth_two
        return 2 if two and self.device.type == "cpu" else 1

    @property
    def questions(self) -> int:
        """How many it is trained on."""
        return sum(len(batches.split) for batches in self.train)

    @property
    def processes(self) -> int:
        """How many compute the parts of a batch side by side, this one included."""
        if self._processes or os.name != "posix" or self.device.type != "cpu":
            return self._processes or 1
        return min(self.parts, networks_at_once(self.device))

    def plan(self, phase: Phase) -> list[sampling.PlannedStep]:
        """The steps of an epoch, in their order."""
        return sampling.plan(self.train, self.settings.training, phase.epoch, few=not phase.spares, seldom=phase.seldom)

    def portion(self, planned: sampling.PlannedStep, phase: Phase, step: int, part: int) -> Portion:
        """One part of a step: some of its batches, or some stories of its only one."""
        whole = [batches.asked(stories) for batches, stories in planned]
        pieces = []
        for n, own in self._dealt(planned, part):
            spawn = (n,) if len(planned) > 1 else ()
            random = np.random.SeedSequence([self.settings.training.seed, phase.epoch, step, part], spawn_key=spawn)
            pieces.append(self._piece(planned[n].batches, own, *whole[n], phase, random))
        return Portion(part, pieces, len(planned), sum(known > 0 for _, known in whole))

    def _dealt(self, planned: sampling.PlannedStep, part: int) -> list[tuple[int, np.ndarray]]:
        """Which stories of which batches are a part's. Several batches are dealt out as they are, the one with the most
        facts first; else stories, in the order of their length. Both in turn, to part 0 last, so that it has the
        fewest: the process that computes it also changes the weights."""
        turn = slice(self.parts - 1 - part, None, self.parts)
        if len(planned) < self.parts or len(planned) == 1:
            return [(n, own) for n, (_, stories) in enumerate(planned) if len(own := stories[turn])]
        facts = [batches.split.facts.lengths[stories].sum() for batches, stories in planned]
        return [(n, planned[n].stories) for n in np.argsort(facts, kind="stable")[::-1][turn].tolist()]

    def _piece(
        self,
        batches: Batches,
        stories: np.ndarray,
        asked: int,
        known: int,
        phase: Phase,
        random: np.random.SeedSequence,
    ) -> Piece:
        names, thin = map(np.random.default_rng, random.spawn(2))
        draws = -(-self.settings.training.batch_size // _PER_DRAW)
        batch = batches.batch(stories, names, draws=draws, spares=phase.spares, thin=thin if phase.thin else None)
        batch, weights = self.network.arrange(batch).to(self.device), None
        if id(batches) in self.class_weights:
            weights = torch.from_numpy(self.class_weights[id(batches)][batches.question_rows(stories)]).to(self.device)
        return Piece(batch, asked, known, int(random.generate_state(1)[0]), weights)

    def portions(self, parts: Sequence[int], phase: Phase, step: int) -> Iterator[list[Portion]]:
        """Some parts of each step of an epoch, beginning with a step."""
        plan = self.plan(phase)

        def made(n: int) -> list[Portion]:
            return [self.portion(plan[n], phase, n, part) for part in parts]

        return self.in_turn(made, range(step, len(plan)))

    def in_turn(self, make: Callable[[int], Any], steps: range) -> Iterator[Any]:
        """`make` of each step, done ahead by a thread where a core is idle: on a core that computes already, the thread
        costs more than it gains (docs/log.md)."""
        busy = self.processes * torch.get_num_threads() if self.device.type == "cpu" else 0
        return in_order(make, steps) if busy < cores_to_use() else map(make, steps)

    def compute(self, portion: Portion, phase: Phase) -> PartResult:
        """The gradient and the losses of one part of a step: J = α CE(gates) + β CE(answers), in the mean over the
        batches of the step.

        β weighs only the questions whose supporting facts are known; the others have nothing else to learn from. Where
        classes are balanced, each answer's cross-entropy is weighted; what is reported is neither that nor smoothed.
        """
        self.network.begin_epoch(phase.epoch)
        self.network.train()
        total = None
        for piece in portion.pieces:
            result = self._of_piece(piece, portion, phase)
            total = summed([total, result]) if total else result
        return total or PartResult([None for _ in self.network.parameters()], torch.zeros(2, dtype=torch.float64))

    def _of_piece(self, piece: Piece, portion: Portion, phase: Phase) -> PartResult:
        minimised, answers, gates = self._losses(piece, phase)
        clip = self.settings.training.clip_each if portion.batches > 1 else 0.0
        gradients = self.optimiser.gradients(minimised / portion.batches, clip / portion.batches)
        of_gates = gates.detach() / max(1, portion.supervised)  # which aren't taught to all
        return PartResult(gradients, torch.stack([answers.detach() / portion.batches, of_gates]).double())

    def _losses(self, piece: Piece, phase: Phase) -> tuple[Tensor, Tensor, Tensor]:
        """J, and the mean losses of the answers and of the gates: shares of the whole batch's."""
        batch, settings = piece.batch, self.settings.training
        seed(self.device, piece.seed)
        supervision = self.supervision if piece.known else None
        if supervision == "ordered-first":
            supervision = "ordered" if phase.in_order else "any-pass"
        self.network.teacher_forcing = supervision == "ordered" and phase.epoch <= settings.teacher_forcing
        loss, gate_loss, smoothed = self.network.losses(batch, supervision)
        answers = loss.sum() / piece.asked
        gates = answers.new_zeros(()) if gate_loss is None else gate_loss.sum() / piece.known
        minimised = loss if smoothed is None else smoothed
        counted = minimised.sum() / piece.asked
        if phase.beta != 1 or piece.weights is not None:
            known = (batch.support >= 0).any(dim=1)
            weights = 1.0 if piece.weights is None else piece.weights
            counted = (torch.where(known, phase.beta, 1.0) * weights * minimised).sum() / piece.asked
        return settings.gate_weight * gates + counted, answers, gates
