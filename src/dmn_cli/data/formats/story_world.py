"""The built-in story world: people walk between places, take things along and leave them.

    qa1   Where is Mary?                                one supporting fact
    qa2   Where is the football?                        two: who had it last, and where that person was
    qa3   Where was the football before the kitchen?    three: who had it last, and where it was brought twice

Same families, words and sentence forms as the bAbI tasks of these names (Weston et al. 2015, sec. 3), told from the
state of the world: an answer and its supporting facts are read off what happened, never guessed from the text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random

from dmn_cli.records import Question, Story

PEOPLE = ("Mary", "John", "Sandra", "Daniel")
PLACES = ("bathroom", "bedroom", "garden", "hallway", "kitchen", "office")
THINGS = ("apple", "football", "milk")
_MOVE = ("moved to", "went to", "journeyed to", "travelled to", "went back to")
_TAKE = ("took", "got", "grabbed", "picked up")
_LEAVE = ("left", "dropped", "discarded", "put down")


@dataclass
class Person:
    name: str
    place: str | None = None
    moved: int = -1  # the fact that brought them here
    visited: set[str] = field(default_factory=set)


@dataclass
class Thing:
    name: str
    carrier: Person | None = None
    handled: int = -1  # the fact of its being taken or left last
    trail: list[tuple[str, int]] = field(default_factory=list)  # places it was at, and the move that brought it there

    def seen_at(self, place: str, moved: int) -> None:
        if not self.trail or self.trail[-1][0] != place:
            self.trail.append((place, moved))
        else:
            self.trail[-1] = (place, moved)


class World:
    """People, places and things, and the facts told about them so far."""

    def __init__(self, random: Random, *, things: bool) -> None:
        self.random = random
        self.people = [Person(name) for name in PEOPLE]
        self.things = [Thing(name) for name in THINGS] if things else []
        self.facts: list[str] = []

    def act(self) -> None:
        """Somebody does something that they can do."""
        person = self.random.choice(self.people)
        carried = [thing for thing in self.things if thing.carrier is person]
        here = [
            t
            for t in self.things
            if t.carrier is None and person.place and (not t.trail or t.trail[-1][0] == person.place)
        ]
        chance = self.random.random()
        if here and chance < 0.3:
            self.take(person, self.random.choice(here))
        elif carried and chance < 0.5:
            self.leave(person, self.random.choice(carried))
        else:
            self.move(person, self.random.choice([place for place in PLACES if place != person.place]))

    def move(self, person: Person, place: str) -> None:
        verb = self.random.choice(_MOVE if place in person.visited else _MOVE[:-1])
        self.facts.append(f"{person.name} {verb} the {place}.")
        person.place, person.moved = place, len(self.facts) - 1
        person.visited.add(place)
        for thing in self.things:
            if thing.carrier is person:
                thing.seen_at(place, person.moved)

    def take(self, person: Person, thing: Thing) -> None:
        self._handle(person, thing, _TAKE)
        thing.carrier = person

    def leave(self, person: Person, thing: Thing) -> None:
        self._handle(person, thing, _LEAVE)
        thing.carrier = None

    def _handle(self, person: Person, thing: Thing, verbs: tuple[str, ...]) -> None:
        there = self.random.choice((" there", "", "", ""))
        self.facts.append(f"{person.name} {self.random.choice(verbs)} the {thing.name}{there}.")
        thing.handled = len(self.facts) - 1
        assert person.place is not None
        thing.seen_at(person.place, person.moved)


def where_is_person(world: World) -> Question | None:
    known = [person for person in world.people if person.place]
    if not known:
        return None
    person = world.random.choice(known)
    assert person.place is not None
    return Question(f"Where is {person.name}?", len(world.facts), (person.place,), (person.moved,))


def where_is_thing(world: World) -> Question | None:
    known = [thing for thing in world.things if thing.trail]
    if not known:
        return None
    thing = world.random.choice(known)
    place, moved = thing.trail[-1]
    return Question(f"Where is the {thing.name}?", len(world.facts), (place,), (thing.handled, moved))


def where_was_thing(world: World) -> Question | None:
    known = [thing for thing in world.things if len(thing.trail) > 1]
    if not known:
        return None
    thing = world.random.choice(known)
    (before, brought), (place, moved) = thing.trail[-2:]
    text = f"Where was the {thing.name} before the {place}?"
    return Question(text, len(world.facts), (before,), (thing.handled, moved, brought))


@dataclass(frozen=True)
class Family:
    ask: Callable[[World], Question | None]
    things: bool
    acts: tuple[int, int]  # between two questions, at least and at most


FAMILIES = {
    "qa1": Family(where_is_person, things=False, acts=(2, 2)),
    "qa2": Family(where_is_thing, things=True, acts=(2, 5)),
    "qa3": Family(where_was_thing, things=True, acts=(3, 8)),
}
_QUESTIONS = 5  # in a story, as in bAbI


def stories(task: str, questions: int, seed: int, split: str) -> Iterator[Story]:
    """Stories of one family with `questions` questions in all. The seed, the task and the split decide everything."""
    family = FAMILIES[task]
    random = Random(f"{seed} {task} {split}")
    while questions > 0:
        story = _story(task, family, random, min(_QUESTIONS, questions))
        questions -= len(story.questions)
        yield story


def _story(task: str, family: Family, random: Random, questions: int) -> Story:
    world = World(random, things=family.things)
    asked: list[Question] = []
    while len(asked) < questions:
        for _ in range(random.randint(*family.acts)):
            world.act()
        question = family.ask(world)
        if question:
            asked.append(question)
    return Story(task, tuple(world.facts), tuple(asked))
