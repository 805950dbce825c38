"""The built-in story world: stories and questions of all twenty bAbI families, from what happens in small worlds.

Written from the description of the tasks (Weston et al. 2015, arXiv 1502.05698, sec. 3) and from what the published
files show: words, forms of sentences, lengths of stories, what is asked when, and how often each answer is right. There
is a module for each kind of reasoning, and a family is a function from a setting to a tale. Answers and supporting
facts are read off the world, never guessed from the text.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from itertools import islice
from typing import Any, Generic, TypeVar

from dmn_cli.data.formats.story_world import (
    bearing,
    claims,
    coreference,
    counting,
    deduction,
    directions,
    giving,
    hours,
    induction,
    motives,
    positions,
    sizes,
    whereabouts,
)
from dmn_cli.data.formats.story_world.dice import Dice
from dmn_cli.data.formats.story_world.names import (
    AT_HOME,
    GIVERS,
    HELD_OUT,
    HOUSE,
    IN_TOWN,
    MORE_PEOPLE,
    MORE_PLACES,
    MORE_THINGS,
    STRANGERS,
    THINGS,
    TOWN,
    Name,
)
from dmn_cli.data.formats.story_world.telling import Setting, Tale, Untellable
from dmn_cli.data.formats.story_world.world import WENT
from dmn_cli.errors import UsageError
from dmn_cli.records.text import Question, Story

T = TypeVar("T")
_TRIES = 1000  # how many stories in a row may turn out to be untellable


@dataclass(frozen=True)
class Dials:
    """How a world differs from bAbI's. None: it doesn't."""

    facts: tuple[int, int] | None = None  # in a story, at least and at most; all questions then come at its end
    distractors: int = 0  # facts that are added to each story, about people whom no question is about
    people: int | None = None
    places: int | None = None
    things: int | None = None
    held_out_names: bool = False  # in the test split

    def turned(self) -> dict[str, Any]:
        return {dial.name: value for dial in fields(self) if (value := getattr(self, dial.name)) != dial.default}


BABI = Dials()


@dataclass(frozen=True)
class Cast(Generic[T]):
    """The people, places or things that a family's stories can be about: bAbI's own come first."""

    names: tuple[T, ...]
    usual: int
    least: int

    def of(self, count: int | None) -> tuple[T, ...]:
        return self.names[: self.usual if count is None else count]


def _cast(babi: tuple[T, ...], more: tuple[T, ...], least: int = 1) -> Cast[T]:
    return Cast(tuple(dict.fromkeys((*babi, *more))), len(babi), least)


Bearing = Callable[[Sequence[str], Question], Collection[int] | None]


@dataclass(frozen=True)
class Family:
    tell: Callable[[Setting], Tale]
    people: Cast[Name] | None = None
    places: Cast[str] | None = None
    things: Cast[str] | None = None
    questions: int = 5  # in a story, at most
    step: int = 1  # how many facts belong together
    bears: Bearing | None = None  # which facts bear on a question (`bearing.py`); None: its answer can't be open


_PEOPLE = _cast(AT_HOME, MORE_PEOPLE)
_PAIRS = _cast(AT_HOME, MORE_PEOPLE, least=2)
_PLACES = _cast(HOUSE, MORE_PLACES, least=3)
_TOWN = _cast(TOWN, MORE_PLACES, least=3)
_THINGS = _cast(THINGS, MORE_THINGS)

FAMILIES = {
    "qa1": Family(whereabouts.people, _PEOPLE, _PLACES, bears=bearing.person),
    "qa2": Family(whereabouts.things, _PEOPLE, _PLACES, _THINGS, bears=bearing.thing),
    "qa3": Family(whereabouts.things_before, _PEOPLE, _PLACES, _THINGS, bears=bearing.thing),
    "qa4": Family(directions.relations, places=_PLACES, bears=bearing.support),
    "qa5": Family(giving.gifts, _cast(GIVERS, MORE_PEOPLE, least=2), _PLACES, _THINGS, bears=bearing.gift),
    "qa6": Family(claims.certain, _PEOPLE, _PLACES, _THINGS),
    "qa7": Family(counting.objects, _PAIRS, _PLACES, _THINGS),
    "qa8": Family(counting.lists, _PEOPLE, _PLACES, _THINGS),
    "qa9": Family(claims.negated, _PEOPLE, _PLACES),
    "qa10": Family(claims.indefinite, _cast(IN_TOWN, MORE_PEOPLE), _TOWN),
    "qa11": Family(coreference.pronouns, _PEOPLE, _PLACES, step=2, bears=bearing.person_by_pronouns),
    "qa12": Family(coreference.pairs, _PAIRS, _PLACES, bears=bearing.person),
    "qa13": Family(coreference.pairs_and_pronouns, _PAIRS, _PLACES, step=2, bears=bearing.person_by_pronouns),
    "qa14": Family(hours.hours, _cast(IN_TOWN, MORE_PEOPLE, least=4), _TOWN, bears=bearing.person),
    "qa15": Family(deduction.deduction, _cast(deduction.ANIMALS, MORE_PEOPLE), questions=4, bears=bearing.support),
    "qa16": Family(induction.induction, _cast(induction.ANIMALS, MORE_PEOPLE, least=2), bears=bearing.support),
    "qa17": Family(
        positions.positions,
        things=_cast(positions.SHAPES, positions.MORE_SHAPES, least=3),
        questions=8,
    ),
    "qa18": Family(
        sizes.sizes,
        things=_cast((*sizes.SWEETS, *sizes.CONTAINERS), sizes.MORE_CONTAINERS, least=3),
    ),
    "qa19": Family(directions.paths, places=_cast(HOUSE, MORE_PLACES, least=6)),
    "qa20": Family(motives.motives, _cast(motives.AGENTS, MORE_PEOPLE), bears=bearing.person),
}


def stories(task: str, questions: int, seed: int, split: str, dials: Dials = BABI) -> Iterator[Story]:
    """Stories of one family, with `questions` questions in all.

    They depend on the seed, task, split and dials alone, on every machine; more of them begin with the same ones.

    Raises: UsageError where there can't be such a story.
    """
    family = FAMILIES[task]
    dice = Dice(seed, task, split)
    while questions > 0:
        facts, asked = _tale(task, family, dice, split, dials)
        asked = asked[:questions]
        questions -= len(asked)
        yield Story(task, tuple(facts[: asked[-1].position]), tuple(asked))


def bears(story: Story, question: Question) -> Collection[int] | None:
    """As `formats.unanswerable.Bears`, of a story of one of the families."""
    of_family = FAMILIES[story.task].bears
    return of_family(story.facts[: question.position], question) if of_family else None


def check(tasks: Iterable[str], dials: Dials) -> None:
    """Raises: UsageError where one of the tasks can't have such stories."""
    for name in ("people", "places", "things"):
        count: int | None = getattr(dials, name)
        casts = {task: cast for task in tasks if (cast := getattr(FAMILIES[task], name))}
        if count is not None and not casts:
            raise UsageError(f"--{name}: these tasks have none")
        for task, cast in casts.items():
            if count is not None and not cast.least <= count <= len(cast.names):
                raise UsageError(f"--{name} {count}: {task} takes {cast.least} to {len(cast.names)}")
    if dials.held_out_names and (dials.people or 0) > len(HELD_OUT):
        raise UsageError(f"--people {dials.people}: there are {len(HELD_OUT)} held-out names")
    for task in tasks:
        for length in dials.facts or ():
            next(stories(task, 1, 0, "test", replace(dials, facts=(length, length))))


def _tale(task: str, family: Family, dice: Dice, split: str, dials: Dials) -> Tale:
    people = family.people.of(dials.people) if family.people else ()
    if dials.held_out_names and split == "test":
        people = tuple(islice(dice.drawn(HELD_OUT), len(people)))
    setting = Setting(
        dice=dice,
        people=people,
        places=family.places.of(dials.places) if family.places else (),
        things=family.things.of(dials.things) if family.things else (),
        length=dice.between(*dials.facts) if dials.facts else None,
        questions=family.questions,
    )
    for _ in range(_TRIES):
        try:
            tale = family.tell(setting)
        except Untellable:
            continue
        return _distract(tale, family.step, setting, dials.distractors) if dials.distractors else tale
    raise UsageError(
        f"{task} can't be told in {setting.length or 'so few'} facts with {_counts(setting)}",
        hint="Try more of these, or other --facts.",
    )


def _counts(setting: Setting) -> str:
    casts = {"people": setting.people, "places": setting.places, "things": setting.things}
    return ", ".join(f"{len(cast)} {name}" for name, cast in casts.items() if cast)


def _distract(tale: Tale, step: int, setting: Setting, count: int) -> Tale:
    """The tale, with moves of strangers inserted."""
    dice = setting.dice
    places = setting.places or HOUSE
    slots = sorted(
        step * int(dice.random() * -(-len(tale.facts) // step)) for _ in range(count)
    )  # each before this fact
    moved = [i + bisect_right(slots, i) for i in range(len(tale.facts) + 1)]  # where each fact is now
    facts = [f"{dice.choice(STRANGERS)} {dice.choice(WENT)} the {dice.choice(places)}." for _ in range(moved[-1])]
    for i, fact in zip(moved, tale.facts, strict=False):
        facts[i] = fact
    questions = [
        question._replace(position=moved[question.position - 1] + 1, support=tuple(moved[i] for i in question.support))
        for question in tale.questions
    ]
    return Tale(facts, questions)
