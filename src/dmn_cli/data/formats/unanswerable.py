"""Questions that their story doesn't answer: stories with every fact taken out that bears on one of their questions.

A network that has only seen questions with an answer always gives one. Here are questions of its data whose answer is
"unknown", because the facts that told it are gone. (That questions without an answer must look like those with one:
Rajpurkar, Jia and Liang 2018, arXiv 1806.03822.)

It isn't enough to take out the supporting facts: without somebody's last move, an earlier one answers. So a format says
which facts bear on a question. The story world knows (`story_world/bearing.py`). Of other stories (`by_words`), all
facts are taken to bear on a question that name what it asks about, or that refer to one which does; what is left over
then names nothing of it.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import NamedTuple

import numpy as np

from dmn_cli.errors import DataError
from dmn_cli.records.text import Question, Story

MOST = 0.5  # added questions for each question that there is: with more, "unknown" is the usual answer
CLOSED = {
    "qa6": "yes or no",
    "qa7": "counts",
    "qa8": "lists",
    "qa9": "yes or no",
    "qa10": "yes, no or maybe",
    "qa17": "yes or no",
    "qa18": "yes or no",
    "qa19": "lists",
}
"""The bAbI families whose answers can't be open, and what these are."""

Bears = Callable[[Story, Question], Collection[int] | None]
"""The positions of all facts that bear on a question of a story; None: without them it isn't sure to be open."""

_CLOSED_ANSWERS = frozenset({"yes", "no", "maybe", "true", "false", "none", "nothing"})
_COUNTED = re.compile(r"how (?:many|much)\b", re.IGNORECASE)
_WHOLE = 1 - 1e-9  # a question: ten tenths are a little less
_WORD = re.compile(r"\w+")
_PRONOUNS = frozenset(["he", "she", "it", "they", "him", "her", "them", "his", "hers", "its", "their", "theirs"])


class Unanswerable(NamedTuple):
    """Which questions are added."""

    share: float  # for each question that there is; at most MOST
    label: str  # their answer
    bears: Bears


def closed(tasks: Iterable[str]) -> dict[str, str]:
    """Those bAbI families among some tasks whose answers can't be open, and what these are."""
    return {task: CLOSED[task] for task in tasks if task in CLOSED}


def adding(stories: Iterable[tuple[str, Story]], unanswerable: Unanswerable, seed: int) -> Iterator[tuple[str, Story]]:
    """(split, story) pairs, each followed by those that are made of it: in each split and task as many questions as the
    share says, or as can be made.

    Raises: DataError where a task has questions that can't be open, an answer that is the label, no supporting facts,
    or stories of which none can be made.
    """
    random = np.random.default_rng(seed)
    owed: defaultdict[tuple[str, str], float] = defaultdict(float)  # (split, task): questions still to be made
    made, asked, supported = Counter[str](), Counter[str](), Counter[str]()  # by task: questions
    for split, story in stories:
        yield split, story
        task, questions = story.task, story.questions
        for question in questions:
            _check(story, question, unanswerable.label)
        asked[task] += len(questions)
        supported[task] += sum(bool(question.support) for question in questions)
        owed[split, task] += unanswerable.share * len(questions)
        if owed[split, task] < _WHOLE:
            continue
        for i in random.permutation(len(questions)):
            if owed[split, task] < _WHOLE:
                break
            if open_story := without(story, questions[i], unanswerable):
                owed[split, task] -= 1
                made[task] += 1
                yield split, open_story
    for task, questions in asked.items():
        if not supported[task]:
            raise DataError(
                f"no question of {task} can be made unanswerable: its supporting facts aren't known",
                hint="--unanswerable takes out the facts that support an answer, so the data must name them.",
            )
        if not made[task] and unanswerable.share * questions >= 2:
            raise DataError(
                f"no question of {task} can be made unanswerable: without what it asks about, no fact is left",
                hint="--unanswerable needs stories with facts about something else too. --language says whose words "
                "name nothing.",
            )


def without(story: Story, question: Question, unanswerable: Unanswerable) -> Story | None:
    """The story without all that bears on a question, which is then its only one; None where it isn't sure to be open,
    or nothing is left."""
    bearing = unanswerable.bears(story, question)
    if bearing is None:
        return None
    facts = tuple(fact for i, fact in enumerate(story.facts[: question.position]) if i not in bearing)
    if not facts:
        return None
    return story._replace(facts=facts, questions=(Question(question.text, len(facts), (unanswerable.label,)),))


def _check(story: Story, question: Question, label: str) -> None:
    """Raises: DataError where it can't be open, or its answer is the label."""
    if label.casefold() in map(str.casefold, question.answer):
        raise DataError(
            f"{label!r} is an answer of {story.task} already: {question.text!r}",
            hint="Give what is added another answer: --unknown-label WORD.",
        )
    answer, kind = "".join(question.answer[:1]), None
    if story.facts_are_words:
        kind = "about the words of a text"
    elif len(question.answer) > 1 or question.per_fact or question.any_order:
        kind = "answered by lists"
    elif _COUNTED.match(question.text):
        kind = "answered by counts"
    elif answer.casefold() in _CLOSED_ANSWERS:
        kind = f"answered by {answer}"
    if kind:
        raise DataError(
            f"{story.task} can't have unanswerable questions: some are {kind}, as {question.text!r}",
            hint="Prepare this task by itself, without --unanswerable.",
        )


def by_words(stop_words: Collection[str]) -> Bears:
    """Bearing facts by the words of the question, but for `stop_words`, which name nothing (lower-cased).

    A fact refers to one before it if it has a pronoun and follows it, or if it follows it as closely as supporting
    facts that don't name what is asked about follow one that does.
    """

    def names(text: str) -> set[str]:
        """What a question asks about. A stop word with a capital, within the question, is a name: Will."""
        words = _WORD.findall(text)
        asked = {word for i, word in enumerate(words) if word.lower() not in stop_words or (i and word[0].isupper())}
        return set(map(str.casefold, asked))

    def bears(story: Story, question: Question) -> set[int] | None:
        asked = names(question.text)
        words = [set(_WORD.findall(fact.casefold())) for fact in story.facts[: question.position]]
        naming = {i for i, fact in enumerate(words) if asked & fact}
        supporting = set(question.support)
        if naming.isdisjoint(supporting):
            return None
        bearing = naming | supporting
        bearing |= {i + n for i in naming for n in range(1, _referring(naming, supporting) + 1)}
        for i, fact in enumerate(words):
            if i - 1 in bearing and not _PRONOUNS.isdisjoint(fact):
                bearing.add(i)
        return bearing

    return bears


def _referring(naming: set[int], supporting: set[int]) -> int:
    """How many supporting facts in a row follow one that names what is asked about, and don't name it: at most."""
    runs = dict.fromkeys(naming, 0)
    for i in sorted(supporting - naming):
        if i - 1 in runs:
            runs[i] = runs[i - 1] + 1
    return max(runs.values())
