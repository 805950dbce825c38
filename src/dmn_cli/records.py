"""What travels between the rooms of the program: plain records.

    formats → Story → store → Batch → network → Output → answers

Shape notation, used everywhere: `stories`, `facts` (of one story), `words` (of one sentence), `questions`, `steps` (of
one answer), `passes`, `hidden`. Padding of a word is 0; of an answer step or a support, -1. A mask is True where real.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from dmn_cli.packing import Bags, FactPackings, Packing, WordPackings


class Question(NamedTuple):
    """One question about the facts that precede it."""

    text: str
    position: int  # it sees facts[:position]
    answer: tuple[str, ...]
    support: tuple[int, ...] = ()  # positions of the supporting facts in reading order; empty: unknown
    each: bool = False  # the answer has a word for each fact that is seen, as tags have


class Story(NamedTuple):
    """Facts in order, and the questions asked along the way."""

    task: str
    facts: tuple[str, ...]
    questions: tuple[Question, ...]
    words: bool = False  # the facts are the words of a text, and not its sentences


class Form(NamedTuple):
    """What the wording of a question says about its facts and its answer."""

    words: bool = False  # Story.words
    each: bool = False  # Question.each


class Example(NamedTuple):
    """One question with what it sees, as text."""

    task: str
    facts: list[str]
    question: str
    answer: list[str]
    support: list[int]


@dataclass(frozen=True)
class Batch:
    """Questions about stories. Each distinct sentence is held once; stories and questions point at it."""

    sentences: Tensor  # (sentences, words) word ids of the distinct fact sentences; or see `vectors`
    story: Tensor  # (stories, facts) rows of `sentences`; 0 past the end
    story_length: Tensor  # (stories,) facts in each story
    question_sentences: Tensor  # (sentences', words) word ids of the distinct questions
    question: Tensor  # (questions,) rows of `question_sentences`
    story_of: Tensor  # (questions,) the story that each question is about
    facts_seen: Tensor  # (questions,) a question sees the first so many facts of its story
    each: Tensor  # (questions,) True where the answer has a word for each fact that is seen, and no end token
    answer: Tensor  # (questions, steps) answer ids, closed by the end token, then -1
    support: Tensor  # (questions, supports) positions of supporting facts in reading order, then -1
    task: Tensor  # (questions,)
    vectors: Tensor | None = None  # (sentences, features) where facts are vectors, and no words

    @cached_property
    def fact_packings(self) -> FactPackings:
        """Its facts without padding; made where the batch was made, on the CPU."""
        from dmn_cli.packing import FactPackings

        return FactPackings.of(self)

    @cached_property
    def word_packings(self) -> WordPackings:
        """The words of its stories without padding."""
        from dmn_cli.packing import WordPackings

        return WordPackings.of(self, self.fact_packings.facts)

    @cached_property
    def bags(self) -> Bags:
        """The words of its sentences without padding."""
        from dmn_cli.packing import Bags

        return Bags.of(self.sentences)

    @cached_property
    def each_among(self) -> tuple[bool, bool]:
        """Whether any of its questions are answered at each fact, and whether all are; known without asking a GPU."""
        return bool(self.each.any()), bool(self.each.all())

    def to(self, device: torch.device) -> Batch:
        if device.type == "cpu":
            return self
        tensors = {f.name: tensor for f in fields(self) if (tensor := getattr(self, f.name)) is not None}
        moved = Batch(**{name: move(tensor, device) for name, tensor in tensors.items()})
        vars(moved)["each_among"] = self.each_among
        vars(moved)["fact_packings"] = self.fact_packings.to(device)
        if self.vectors is None:
            vars(moved)["word_packings"] = self.word_packings.to(device)
            vars(moved)["bags"] = self.bags.to(device)
        return moved

    def __len__(self) -> int:
        return self.question.shape[0]


def move(tensor: Tensor, device: torch.device) -> Tensor:
    """To a GPU without waiting for it, which takes memory that can't be swapped out."""
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


class Facts(NamedTuple):
    """What the input module hands over: one vector for each fact that a question sees, without padding."""

    vectors: Tensor  # (packed, hidden)
    packing: Packing  # of (questions, facts)


class Episode(NamedTuple):
    """What the episodic memory hands over."""

    memory: Tensor  # (questions, hidden) m^T
    gates: Tensor  # (questions, passes, facts) g_i^t
    stop: Tensor | None  # (questions, passes) the gate on the end-of-passes fact, where the model has one
    running: Tensor  # (questions, passes) how much of pass t took place: 1, or less once a stop gate opened


class Output(NamedTuple):
    """What the network says of a batch."""

    logits: Tensor  # (questions, steps, answers)
    episode: Episode
