"""Rows of a table in, their answers out, in order: what `dmn ask --table` does between reading and writing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

from dmn_cli.answering.answer import ABSTAINED
from dmn_cli.answering.predictor import Predictor
from dmn_cli.answering.stream import Lines, in_order
from dmn_cli.data.formats.table import texts_of


class Labelled(NamedTuple):
    """A row's answer."""

    answer: str | None  # `?`: the model abstains; None: the row has no text
    confidence: float | None  # the probability of the whole answer, to six decimals
    abstains: bool = False


NOTHING = Labelled(None, None)


def labelled(
    predictor: Predictor, rows: Iterable[Sequence[str]], question: str, separator: str | None
) -> Iterator[list[Labelled]]:
    """The answers to one question about each row, as they come, some at a time.

    rows: the cells of the columns that are read, cut into facts as `dmn prepare table` does; separator: between the
    words of an answer that has several; None: as elsewhere
    """
    answered = partial(_labelled, question=question, separator=separator)
    return in_order(predictor, ([row] for row in rows), answered, size=lambda cells: sum(map(len, cells)))


def _labelled(predictor: Predictor, rows: Lines[Sequence[str]], question: str, separator: str | None) -> list[Labelled]:
    story = predictor.encoder.story
    told = [[fact for text in texts_of(cells) for fact in story(text, question)] for cells in rows.lines]
    answers = iter(predictor.answer_all([(facts, question) for facts in told if facts]))
    results: list[Labelled] = []
    for facts in told:
        if not facts:
            results.append(NOTHING)
            continue
        answer = next(answers)
        text = answer.text if separator is None or answer.by_fact else separator.join(dict.fromkeys(answer.words))
        text = ABSTAINED if answer.abstains else text
        results.append(Labelled(text, round(answer.confidence, 6), answer.abstains))
    return results
