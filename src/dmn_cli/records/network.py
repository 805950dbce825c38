"""What training, evaluation and answering ask of any network: a batch in; losses, answers and gates out.

A network is chosen by name (`settings/networks.py`). Metrics, optimiser, checkpoint, model directory and predictor know
this class and no other, and none of a network's parameters but its word table.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import NamedTuple, Protocol, cast

from torch import Tensor, nn

from dmn_cli.errors import UsageError
from dmn_cli.records.batch import Batch
from dmn_cli.records.regions import PictureForm


@dataclass(frozen=True)
class Sizes:
    """What the data decides about a network."""

    words: int  # in its vocabulary, padding and the unknown word counted
    answers: int  # words that answers are made of, the end token counted
    max_answer_steps: int  # the longest answer, its end token counted
    word_size: int  # the width of word vectors
    per_fact: bool  # whether some questions are answered at each fact
    ngram_rows: int = 0  # n-grams of its texts that it can have rows for
    answer_words: tuple[int, ...] = ()  # the word of its vocabulary that each answer is; 1: none
    pictures: PictureForm | None = None  # of which its facts are regions; None: facts are sentences


class Losses(NamedTuple):
    """The losses of a batch, question by question."""

    answers: Tensor  # (questions,)
    gates: Tensor | None  # (questions,) against the supporting facts, 0 where none are known; None: not asked for
    smoothed: Tensor | None = None  # (questions,) of the answers, which is minimised in their place; None: it isn't


class Answered(NamedTuple):
    """A network's own answers to a batch."""

    words: Tensor  # (questions, steps) answer ids, END from each one's end on
    confidence: Tensor  # (questions,) the probability of the whole answer, at the network's temperature
    gates: Tensor | None  # (questions, passes, facts) as they counted; None: the network has none
    loss: Tensor | None = None  # (questions,) of the right answers, at temperature 1, where it was asked for
    uncalibrated: Tensor | None = None  # (questions,) the confidence at temperature 1, where that is another


class Likeliest(NamedTuple):
    """Several answers to each question of a batch, the likeliest first."""

    words: Tensor  # (questions, k, steps) answer ids, END from each one's end on
    probability: Tensor  # (questions, k) of the whole answer; 0: there are fewer answers


class WordTable(Protocol):
    """The vectors of words, a row a word: row 0 is padding, row 1 the unknown word."""

    @property
    def weight(self) -> nn.Parameter:
        """(words, word_size)"""
        ...

    @property
    def sparse(self) -> bool:
        """Whether its gradients are sparse: of the rows that a batch uses alone."""
        ...

    def give(self, rows: Tensor, vectors: Tensor) -> None:
        """Sets some rows to vectors from outside. rows: (given,); vectors: (given, word_size)"""
        ...

    def freeze(self, rows: Tensor) -> None:
        """Keeps some rows from being trained."""
        ...


def sparse_tables(network: nn.Module) -> list[nn.Parameter]:
    """The parameters whose gradients are sparse: tables, of which a batch uses few rows."""
    tables = (part for part in network.modules() if isinstance(part, nn.Embedding | nn.EmbeddingBag) and part.sparse)
    return [cast("nn.Parameter", part.weight) for part in tables]


class Network(nn.Module, ABC):
    """Anything that can be trained, saved, evaluated and asked.

    Training decays no parameter that is called `b` or `bias`."""

    reads_trees = False  # whether its facts are trees (`Batch.trees`)
    sees = False  # whether its facts can be regions of pictures (`Batch.pictures`)
    classifies = False  # whether it can answer one question alone, with one word
    per_fact = True  # whether it can answer at each fact
    taught_by_supports = False  # whether it learns from questions with supporting facts alone
    gated = False  # whether it has gates, which supporting facts can teach
    teacher_forcing = False  # whether in training it reads what its gates should let through, in place of what they do
    temperature = 1.0  # what divides the logits where a confidence is said; it changes no answer
    label_smoothing = 0.0  # the part of a right answer's weight in training that all answers share
    transferable: tuple[str, ...] = ()  # how the names of parameters begin that another task can begin with

    @property
    def word_table(self) -> WordTable | None:
        """Where word vectors from outside go; None: the network takes none."""
        return None

    def give_ngrams(self, keys: Tensor, w: Tensor) -> None:
        """Says which n-grams its rows are of, if it has any, and how much each says of an answer.

        keys: (ngram_rows,) ascending (`records/ngrams.py`); w: (ngram_rows,)
        """

    def begin_epoch(self, epoch: int) -> None:
        """Called before each batch of its training: says which epoch it is, from 1, so that it can be told apart from
        others. What it makes of that and an answer depends on is a buffer, and so a part of the model."""

    def constrain(self) -> None:
        """Called after each step of its training: sees to it that its weights are what they have to be."""

    def arrange(self, batch: Batch) -> Batch:
        """Has a batch prepare what this network will ask of it, so that it is done where batches are made."""
        return batch

    @abstractmethod
    def losses(self, batch: Batch, supervision: str | None) -> Losses:
        """What training minimises. supervision: how gates are taught (`training.gate_supervision`); None: not at all"""

    @abstractmethod
    def answer(self, batch: Batch, *, with_loss: bool = False) -> Answered:
        """The network's own answers, without gradients. with_loss: that of the right answers too"""

    def answer_logits(self, batch: Batch) -> tuple[Tensor, Tensor] | None:
        """What a temperature is fitted to: the logits at each step of the right answers, given the words before it,
        -inf for what can't be said there, and the right words. None: its confidence takes no temperature

        → (steps, answers), (steps,)
        """
        return None

    def likeliest(self, batch: Batch, k: int) -> Likeliest:
        """Its k likeliest answers, without gradients, where questions are answered once. Raises: UsageError"""
        raise UsageError("this kind of network tells its first answer alone")
