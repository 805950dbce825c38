"""Batch: questions about stories as tensors, and the same without padding.

Shape notation, used everywhere: `stories`, `facts` (of one story), `words` (of one sentence), `questions`, `steps` (of
one answer), `passes`, `hidden`. Padding of a word is 0; of an answer step or a support, -1. A mask is True where real.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dmn_cli.records.letters import Letters
from dmn_cli.records.ngrams import NGrams
from dmn_cli.records.packing import Packing, Pointers, move, parts_moved, ranked
from dmn_cli.records.spelling import Spelled
from dmn_cli.records.trees import Trees

END = 0  # the answer id that ends every answer
_WORTH_A_BEGINNING = 200  # words that are read once, from which on that saves time
FACTS = 5120  # seen in a batch that is answered: one that outgrows the processor's caches is slower (docs/log.md)


@dataclass(frozen=True)
class Batch:
    """Questions about stories. Each distinct sentence is held once; stories and questions point at it."""

    sentences: Tensor  # (sentences, words) word ids of the distinct fact sentences; or see `vectors` and `pictures`
    story: Tensor  # (stories, facts) rows of `sentences`; 0 past the end
    story_length: Tensor  # (stories,) facts in each story
    question_sentences: Tensor  # (sentences', words) word ids of the distinct questions
    question: Tensor  # (questions,) rows of `question_sentences`
    story_of: Tensor  # (questions,) the story that each question is about
    facts_seen: Tensor  # (questions,) a question sees the first so many facts of its story
    per_fact: Tensor  # (questions,) True where the answer has a word for each fact that is seen, and no end token
    answer: Tensor  # (questions, steps) answer ids, closed by the end token, then -1
    support: Tensor  # (questions, supports) positions of supporting facts in reading order, then -1
    task: Tensor  # (questions,)
    barred: Tensor | None = None  # (questions or 1, answers) True for spares that stand for no name of the story
    any_order: Tensor | None = None  # (questions,) True where the answer is a set; None: nowhere
    vectors: Tensor | None = None  # (sentences, width) where facts are vectors, not words
    pictures: Tensor | None = None  # (pictures, height, width, 3) pixels: fact p * regions + r is region r of picture p
    regions: int = 0  # of each picture
    affix: Tensor | None = None  # (sentences, words) True for what says the form of the word before; None: none does
    spelled: Spelled | None = None  # its sentences as they were written; None: nobody may ask
    nodes: Tensor | None = None  # (sentences, words) of trees in post-order: the answer id of the node that a word
    # closes, -1 where it has no label, -2 at words that close none; None: they are no trees

    @cached_property
    def fact_packings(self) -> FactPackings:
        """Its facts without padding; made where the batch was made, on the CPU."""
        return FactPackings.of(self)

    @cached_property
    def word_packings(self) -> WordPackings:
        """The words of its stories without padding."""
        return WordPackings.of(self, self.fact_packings.facts)

    @cached_property
    def bags(self) -> Bags:
        """The words of its sentences without padding."""
        return Bags.of(self.sentences)

    @cached_property
    def texts(self) -> Texts:
        """Its sentences word by word."""
        return Texts.of(self.sentences, self.affix)

    @cached_property
    def letters(self) -> Letters:
        """The letters of its sentences' words."""
        assert self.spelled
        real = self.sentences.cpu() != 0
        return Letters.of(self.spelled, begins(real.numpy(), self.affix)[real.numpy()], self.texts.packing)

    @cached_property
    def trees(self) -> Trees:
        """Its sentences, where they are trees."""
        assert self.nodes is not None
        return Trees.of(self.sentences, self.nodes)

    def ngrams(self, longest: int) -> NGrams:
        """What its questions see as sets of n-grams of up to so many words; made once."""
        made: dict[int, NGrams] = vars(self).setdefault("_ngrams", {})
        if longest not in made:
            told = self.sentences, self.story, self.story_of, self.facts_seen, self.affix
            made[longest] = NGrams.of(*told, longest)
        return made[longest]

    @cached_property
    def per_fact_among(self) -> tuple[bool, bool]:
        """Whether any of its questions are answered at each fact, and whether all are; known without asking a GPU."""
        return bool(self.per_fact.any()), bool(self.per_fact.all())

    @property
    def has_words(self) -> bool:
        """Whether its facts are sentences, and neither vectors nor regions of pictures."""
        return self.vectors is None and self.pictures is None

    @property
    def distinct_facts(self) -> int:
        """How many rows there are for `story` to point at."""
        if self.pictures is not None:
            return len(self.pictures) * self.regions
        return len(self.sentences if self.vectors is None else self.vectors)

    @property
    def answers_asked(self) -> Tensor:
        """How many answers each question asks for: 1, or one for each fact. (questions,)"""
        return torch.where(self.per_fact, self.facts_seen, 1)

    def to(self, device: torch.device) -> Batch:
        if device.type == "cpu":
            return self
        tensors = {f.name: tensor for f in fields(self) if isinstance(tensor := getattr(self, f.name), Tensor)}
        on_device = {name: move(tensor, device) for name, tensor in tensors.items()}
        moved = Batch(**dict[str, Any](on_device), regions=self.regions)
        vars(moved)["per_fact_among"] = self.per_fact_among
        vars(moved)["fact_packings"] = self.fact_packings.to(device)
        if self.has_words:
            vars(moved)["word_packings"] = self.word_packings.to(device)
            vars(moved)["bags"] = self.bags.to(device)
            vars(moved)["texts"] = self.texts.to(device)
        if "trees" in vars(self):
            vars(moved)["trees"] = self.trees.to(device)
        if self.spelled and "letters" in vars(self):
            vars(moved)["letters"] = self.letters.to(device)
        made: dict[int, NGrams] = vars(self).get("_ngrams", {})
        vars(moved)["_ngrams"] = {longest: ngrams.to(device) for longest, ngrams in made.items()}
        return moved

    def __len__(self) -> int:
        return self.question.shape[0]


@dataclass(frozen=True)
class Words:
    """Words, each distinct one of which is held once."""

    distinct: Tensor  # (distinct,) word ids
    pointers: Pointers  # (words,) at the distinct one that each is

    @classmethod
    def of(cls, words: np.ndarray) -> Words:
        """words: (words,) ids"""
        order, start, index = ranked(words, int(words.max(initial=0)) + 1)
        arrays = words[order[start]], index, order, start
        distinct, *pointers = map(torch.from_numpy, arrays)
        return cls(distinct, Pointers(*pointers))

    def to(self, device: torch.device) -> Words:
        return Words(**parts_moved(self, device))


@dataclass(frozen=True)
class Bags:
    """The words of a batch's distinct sentences, end to end."""

    words: Words
    start: Tensor  # (sentences,) where each sentence begins
    place: Tensor  # (words of all,) j / M: word j of M, from 1
    sentence: Tensor  # (words of all,) the sentence of each, in the order of `words.pointers`
    place_there: Tensor  # (words of all,) its place, in the same order

    @classmethod
    def of(cls, sentences: Tensor) -> Bags:
        """sentences: (sentences, words), padded by 0, on the CPU"""
        rows = sentences.numpy()
        length = np.count_nonzero(rows, axis=1)
        start = np.cumsum(length) - length
        words = Words.of(rows[rows != 0])
        sentence = torch.from_numpy(np.repeat(np.arange(len(rows)), length))
        place = torch.from_numpy(np.arange(1, len(sentence) + 1) - start[sentence]) / torch.from_numpy(length)[sentence]
        order = words.pointers.order
        return cls(words, torch.from_numpy(start), place, sentence[order], place[order])

    def to(self, device: torch.device) -> Bags:
        return Bags(**parts_moved(self, device))


@dataclass(frozen=True)
class Texts:
    """The distinct sentences of a batch, packed word by word; a word and what says its form are one step."""

    packing: Packing  # of (sentences, steps)
    words: Words  # of all steps, in their order
    start: Tensor  # (packed,) where the words of each step begin
    single: Tensor  # (sentences,) True where there is one step alone

    @classmethod
    def of(cls, sentences: Tensor, affix: Tensor | None) -> Texts:
        """sentences, affix: (sentences, words), as of `Batch`, on the CPU"""
        real = sentences.numpy() != 0
        begun = begins(real, affix)
        steps = np.count_nonzero(begun, axis=1)
        packing = Packing.of(torch.from_numpy(steps))
        step = np.cumsum(begun, axis=1) - 1  # of each word in its sentence
        at = np.take_along_axis(packing.at.numpy(), step, axis=1)[real]
        order = np.argsort(at, kind="stable")
        counts = np.bincount(at, minlength=len(packing.row))
        start = torch.from_numpy(np.cumsum(counts) - counts)
        return cls(packing, Words.of(sentences.numpy()[real][order]), start, torch.from_numpy(steps == 1))

    def to(self, device: torch.device) -> Texts:
        return Texts(
            self.packing.to(device), self.words.to(device), move(self.start, device), move(self.single, device)
        )


def begins(real: np.ndarray, affix: Tensor | None) -> np.ndarray:
    """Which words begin a step: all but what says the form of the word before. real: (sentences, words)"""
    begun = real.copy() if affix is None else real & ~affix.numpy()
    begun[:, 0] = True  # whatever it is
    return begun


@dataclass(frozen=True)
class Wordings:
    """The distinct questions of a batch. What all of them begin with can be read once."""

    beginning: int  # how many words that is; 0 where it wouldn't pay
    rest: Packing  # of (distinct questions, words), without these
    words: Words  # of the beginning, then (packed rest,)

    @classmethod
    def of(cls, questions: Tensor) -> Wordings:
        """questions: (distinct questions, words), padded by 0, on the CPU"""
        rows = questions.numpy()
        length = np.count_nonzero(rows, axis=1)
        common = np.append((rows[:, : length.min() - 1] == rows[0, : length.min() - 1]).all(axis=0), False)
        beginning = int(common.argmin())
        if beginning * len(rows) < _WORTH_A_BEGINNING:
            beginning = 0
        rest = Packing.of(torch.from_numpy(length - beginning))
        packed = rest.pack(questions[:, beginning:]).numpy()
        return cls(beginning, rest, Words.of(np.concatenate([rows[0, :beginning], packed])))

    def to(self, device: torch.device) -> Wordings:
        return Wordings(self.beginning, self.rest.to(device), self.words.to(device))


@dataclass(frozen=True)
class FactPackings:
    """The facts of a batch, packed."""

    stories: Packing  # of (stories, facts)
    facts: Packing  # of (questions, facts seen)
    wordings: Wordings
    sentence: Pointers  # (packed stories,) at the distinct sentence that each fact is
    seen: Pointers  # (packed facts,) at where each fact that a question sees lies in the packed stories
    sentence_from_end: Pointers  # (packed facts,) at the sentence of `facts.mirror`

    @classmethod
    def of(cls, batch: Batch) -> FactPackings:
        """`batch` is on the CPU."""
        stories, facts = Packing.of(batch.story_length), Packing.of(batch.facts_seen)
        sentence = stories.pack(batch.story)
        sentences = batch.distinct_facts
        seen = stories.at.flatten().index_select(0, _story_cells(batch, facts, stories.steps))
        return cls(
            stories=stories,
            facts=facts,
            wordings=Wordings.of(batch.question_sentences),
            sentence=Pointers.of(sentence, sentences),
            seen=Pointers.of(seen, len(sentence)),
            sentence_from_end=Pointers.of(sentence.index_select(0, seen.index_select(0, facts.mirror)), sentences),
        )

    def to(self, device: torch.device) -> FactPackings:
        return FactPackings(**parts_moved(self, device))


@dataclass(frozen=True)
class WordPackings:
    """The words of a batch's stories, packed: each story is one row, its sentences joined."""

    stories: Packing  # of (stories, words)
    words: Tensor  # (packed,) word ids
    seen: Pointers  # (packed facts,) at where the last word of each fact that a question sees lies

    @classmethod
    def of(cls, batch: Batch, facts: Packing) -> WordPackings:
        """`batch` is on the CPU; facts: of (questions, facts seen)."""
        words, end = story_words(batch)
        stories = Packing.of(end[:, -1])
        last = stories.at.gather(1, end - 1).flatten()  # (stories x facts,) where each fact's last word lies
        seen = last.index_select(0, _story_cells(batch, facts, end.shape[1]))
        return cls(stories, stories.pack(words), Pointers.of(seen, len(stories.row)))

    def to(self, device: torch.device) -> WordPackings:
        return WordPackings(**parts_moved(self, device))


def _story_cells(batch: Batch, facts: Packing, steps: int) -> Tensor:
    """Where each fact that a question sees would be in (stories, steps), laid out row by row. (packed facts,)"""
    step = facts.cell - facts.row * facts.steps
    return batch.story_of.index_select(0, facts.row) * steps + step


def story_words(batch: Batch) -> tuple[Tensor, Tensor]:
    """Each story as one row of words, its sentences joined.

    Returns words (stories, words), padded by 0, and end (stories, facts): how many words the story has up to and
    including each fact (the story's whole length for facts past its end).
    """
    S, F = batch.story.shape
    real = torch.arange(F) < batch.story_length.unsqueeze(1)
    length = (batch.sentences != 0).sum(dim=1)[batch.story] * real  # (stories, facts)
    end = length.cumsum(dim=1)
    position = torch.arange(int(end[:, -1].max())).expand(S, -1).contiguous()
    fact = torch.searchsorted(end, position, right=True).clamp(max=F - 1)
    offset = position - (end - length).gather(1, fact)
    inside = position < end[:, -1:]
    words = batch.sentences[batch.story.gather(1, fact), offset.where(inside, 0)]
    return words.where(inside, 0), end


def padded(values: np.ndarray, lengths: np.ndarray, fill: int) -> np.ndarray:
    """Rows end to end → a rectangle, filled up on the right. (sum of lengths,), (rows,) → (rows, longest)"""
    rectangle = np.full((len(lengths), int(lengths.max(initial=1))), fill, dtype=np.int64)
    rectangle[np.arange(rectangle.shape[1]) < lengths[:, None]] = values
    return rectangle


def rectangle(rows: Sequence[Sequence[int] | np.ndarray], fill: int) -> np.ndarray:
    """`padded`, of rows that are apart."""
    values = [np.empty(0, np.int64), *(np.asarray(row, np.int64) for row in rows)]
    return padded(np.concatenate(values), np.array([len(row) for row in rows]), fill)


def from_arrays(spelled: Spelled | None = None, regions: int = 0, **arrays: np.ndarray | None) -> Batch:
    """A Batch on the CPU; the names and shapes are its own, and what it may lack may be None."""
    kinds: dict[str, type] = dict.fromkeys(("per_fact", "barred", "any_order", "affix"), np.bool_)
    kinds |= {"vectors": np.float32, "pictures": np.uint8}
    return Batch(
        **{
            name: torch.from_numpy(a.astype(kinds.get(name, np.int64), copy=False))
            for name, a in arrays.items()
            if a is not None
        },
        spelled=spelled,
        regions=regions,
    )


def cuts(lengths: np.ndarray, questions: np.ndarray, batch_size: int, facts: int | None = None) -> np.ndarray:
    """Where a row of stories of so many facts and questions is cut into batches of about `batch_size` questions, that
    see about `facts` facts at most. The places of all beginnings but the first."""
    share, full = questions.astype(np.int64), batch_size
    if facts is not None:
        share, full = share * np.maximum(facts, lengths * batch_size), batch_size * facts
    filled = np.cumsum(share) - share
    return np.flatnonzero(np.diff(filled // full)) + 1
