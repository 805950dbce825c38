"""bAbI tasks (Weston et al. 2015, arXiv 1502.05698), v1.2, as downloaded.

    1 Mary moved to the bathroom.
    2 John went to the hallway.
    3 Where is Mary? <tab> bathroom <tab> 1

Ids start again at 1 with each story. A question is a line with tabs: after it come its answer, whose words are joined
by commas, and the ids of its supporting facts in the order of the reasoning, which some files omit.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import count

from dmn_cli.data.words.vocabulary import ANSWER_SEPARATOR
from dmn_cli.errors import DataError
from dmn_cli.notation import decoded
from dmn_cli.records.text import Question, Story

_UNTABBED = re.compile(r"\?( {2,}\S+| +\S+(\s+\d+)+)\s*$")  # a question whose tabs have become blanks


def parse(lines: Iterable[bytes], task: str, name: str) -> Iterator[Story]:
    """The stories of one file.

    Raises: DataError, with `name`:line, at the first line that isn't bAbI.
    """
    facts: list[str] = []
    questions: list[Question] = []
    position_of: dict[int, int] = {}  # line id → position among the facts
    last_id = number = 0

    def wrong(message: str, hint: str | None = None) -> DataError:
        return DataError(message, where=f"{name}:{number}", hint=hint)

    for number, raw in enumerate(lines, start=1):
        line = decoded(raw, name, number).strip(" \r\n")
        if not line:
            continue
        head, _, text = line.partition(" ")
        if not (head.isascii() and head.isdigit() and len(head) < 10):
            raise wrong(f"the line doesn't start with a number: {line[:60]!r}", "Every line of bAbI is 'ID text'.")
        line_id = int(head)
        if line_id == 1:
            if questions:
                yield Story(task, tuple(facts), tuple(questions))
            facts, questions, position_of = [], [], {}
        elif not line_id:
            raise wrong("a line has the id 0", "A story starts at 1.")
        elif line_id <= last_id:
            raise wrong(
                f"line id {line_id} comes after {last_id}",
                "Ids increase within a story; a new story starts at 1.",
            )
        last_id = line_id
        if "\t" in text:
            questions.append(_question(text, len(facts), position_of, wrong))
        elif _UNTABBED.search(text):
            raise wrong("the question has no tabs", "It is 'ID question<tab>answer<tab>ids of supporting facts'.")
        elif text.strip():
            position_of[line_id] = len(facts)
            facts.append(text.strip())
        else:
            raise wrong("the line has an id but no text")
    if questions:
        yield Story(task, tuple(facts), tuple(questions))


def _question(text: str, position: int, position_of: dict[int, int], wrong: Callable[..., DataError]) -> Question:
    columns = [column.strip() for column in text.split("\t")]
    if len(columns) > 3:
        raise wrong(f"a question has at most 3 columns (question, answer, supporting facts), not {len(columns)}")
    if position == 0:
        raise wrong("the story is empty: a question comes before any fact")
    answer = tuple(word.strip() for word in columns[1].split(ANSWER_SEPARATOR))
    if not columns[0] or not all(answer):
        raise wrong("the question has no text" if not columns[0] else "the question has no answer")
    support = []
    for token in columns[2].split() if len(columns) == 3 else []:
        if not (token.isascii() and token.isdigit() and len(token) < 10):
            raise wrong(f"the supporting fact {token!r} is not a line id")
        if int(token) not in position_of:
            raise wrong(f"supporting fact {token} is not a fact of this story before the question")
        support.append(position_of[int(token)])
    return Question(columns[0], position, answer, tuple(support))


def lines(story: Story) -> Iterator[str]:
    """One story, as `parse` reads it."""
    ids: list[int] = []  # of the facts
    number = count(1)
    for question in (*story.questions, None):  # None: for the facts after the last question
        for fact in story.facts[len(ids) : question.position if question else None]:
            ids.append(next(number))
            yield f"{ids[-1]} {fact}\n"
        if question:
            support = " ".join(str(ids[i]) for i in question.support)
            yield f"{next(number)} {question.text}\t{ANSWER_SEPARATOR.join(question.answer)}\t{support}\n"
