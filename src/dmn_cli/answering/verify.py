"""Whether a model still answers as when it was saved: its golden questions, asked again."""

from __future__ import annotations

from typing import Any, NamedTuple

from dmn_cli.answering.pictures import named
from dmn_cli.answering.predictor import Predictor
from dmn_cli.artifact import golden, stored
from dmn_cli.errors import DataError, ModelError, UsageError

TOLERANCE = 1e-3  # that a confidence may differ by: another machine, device or version of torch rounds otherwise


class Differs(NamedTuple):
    """A question that is answered otherwise."""

    number: int  # from 1
    question: str
    answer: str
    was: str
    confidence: float
    confidence_was: float


class Verified(NamedTuple):
    questions: int
    differing: list[Differs]
    largest: float  # by which a confidence differs

    def as_json(self) -> dict[str, Any]:
        return {
            "questions": self.questions,
            "differing": [one._asdict() for one in self.differing],
            "largest_difference": self.largest,
            "tolerance": TOLERANCE,
        }


def verify(predictor: Predictor) -> Verified:
    """Asks a model its golden questions. predictor: one that binds no names, as those that were asked then

    Raises: ModelError where there are no such questions, or they aren't those that were saved.
    """
    folder = predictor.model.folder
    assert folder is not None
    stored.check(folder, stored.read_config(folder), also=(stored.GOLDEN,))
    asked = golden.read(folder)
    if not asked:
        raise ModelError("has no golden questions", where=folder, hint="Measure it on a data set: dmn eval MODEL DATA")
    try:
        told = [named(one.story) if isinstance(one.story, str) else one.story for one in asked]
        answers = predictor.answer_all([(story, one.question) for story, one in zip(told, asked, strict=True)])
    except (DataError, UsageError) as error:
        raise ModelError(f"can't be asked: {error.message}", where=folder / stored.GOLDEN, hint=stored.AGAIN) from error
    pairs = [*enumerate(zip(asked, answers, strict=True), start=1)]
    differing = [
        Differs(number, was.question, now.text, was.answer, now.confidence, was.confidence)
        for number, (was, now) in pairs
        if now.text != was.answer or not abs(now.confidence - was.confidence) <= TOLERANCE
    ]
    return Verified(len(asked), differing, max(abs(now.confidence - was.confidence) for _, (was, now) in pairs))
