"""What a model answered, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from dmn_cli.answering.bound import Bound
from dmn_cli.answering.pictures import Picture

ABSTAINED = "?"  # in place of an answer, in text


def same_answer(words: Sequence[str], others: Sequence[str], *, any_order: bool) -> bool:
    """Whether two answers to a question say the same. any_order: the order of their words means nothing"""
    return {*words} == {*others} if any_order else [*words] == [*others]


class Without(NamedTuple):
    """What is answered where one or two facts are left out."""

    facts: tuple[int, ...]  # their positions
    answer: str
    confidence: float
    changed: bool  # whether it is another answer

    def as_json(self) -> dict[str, Any]:
        return {"facts": list(self.facts), "answer": self.answer, "confidence": round(self.confidence, 6)}


@dataclass(frozen=True)
class Needs:
    """What an answer needs."""

    without: list[Without]  # all that was left out: first single facts, in the order of the story, and then pairs

    @property
    def changing(self) -> list[Without]:
        """That without which the answer is another: single facts, or pairs where it needs no fact alone."""
        return [one for one in self.without if one.changed]

    @property
    def singles(self) -> int:
        """How many facts were left out one by one."""
        return sum(len(one.facts) == 1 for one in self.without)

    @property
    def paired(self) -> int:
        """Among how many facts all pairs were left out."""
        return len({fact for one in self.without if len(one.facts) == 2 for fact in one.facts})

    def as_json(self) -> dict[str, Any]:
        return {
            "needed": [list(one.facts) for one in self.changing],
            "without": [one.as_json() for one in self.without],
        }


class Answer(NamedTuple):
    """What the model answers, and what the answer rests on."""

    text: str
    confidence: float  # the probability that it gives to the whole answer
    facts: list[str]
    gates: list[list[float]]  # [pass][fact]: how far each pass let each fact through, to six decimals
    read: list[int]  # positions of the facts that it read (see records.output.facts_read)
    unknown: list[str]  # words of the story and the question that never occurred in training
    names: Bound | None = None  # what became of names; None: nothing that would have to be said
    words: tuple[str, ...] = ()  # that the text consists of
    by_fact: list[str] | None = None  # one word for each fact, where the question asks for that
    top: list[tuple[str, float]] | None = None  # the likeliest answers and their probabilities, where asked for
    abstains: bool = False  # the confidence is too low: the text is its best guess, and no answer
    any_order: bool = False  # the order of its words means nothing
    picture: Picture | None = None  # of which the facts are regions
    needs: Needs | None = None  # which facts it needs, where that was asked for and facts can be left out

    @property
    def passes(self) -> list[list[float]]:
        """The gates without passes at the end that let nothing through: a network may stop before its last one."""
        read = [i for i, gates in enumerate(self.gates, start=1) if any(gates)]
        return self.gates[: max(read, default=1)]

    @property
    def notes(self) -> list[str]:
        """What a person should know of its names and words, a line each."""
        return self.names.notes() if self.names else []

    @property
    def about(self) -> list[str] | Picture:
        """What it is about, as it can be asked about again."""
        return self.picture or self.facts

    @property
    def shown(self) -> str:
        """The answer for a person: tags beside their words; `?` where the model abstains."""
        if self.abstains:
            return ABSTAINED
        if self.by_fact is None:
            return self.text
        return " ".join(f"{fact}/{word}" for fact, word in zip(self.facts, self.by_fact, strict=True))

    def same_as(self, other: Answer) -> bool:
        """Whether another answer to this question says the same."""
        return same_answer(self.words, other.words, any_order=self.any_order)

    def as_json(self) -> dict[str, Any]:
        document = self.brief_as_json()
        document["gates"], document["facts"], document["read"] = self.gates, self.facts, self.read
        if self.needs:
            document |= self.needs.as_json()
        document["unknown_words"] = self.unknown
        if self.names:
            document |= self.names.as_json()
        return document

    def brief_as_json(self) -> dict[str, Any]:
        """The answer and how sure it is, alone."""
        document: dict[str, Any] = {"answer": None, "best": self.text} if self.abstains else {"answer": self.text}
        if self.by_fact is not None and not self.abstains:
            document["answers"] = self.by_fact
        document["confidence"] = round(self.confidence, 6)
        if self.top is not None:
            document["top"] = [{"answer": text, "confidence": round(p, 6)} for text, p in self.top]
        return document
