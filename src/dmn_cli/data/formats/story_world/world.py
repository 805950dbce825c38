"""People who walk between places, take things along, leave them and give them away; and the facts that say so.

Everybody and everything is somewhere from the start, but a question may only depend on what the facts say, so
`Person.came`, `Thing.handled` and `Thing.carried` know the positions of the facts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from dmn_cli.data.formats.story_world.telling import Setting

WENT = ("moved to", "went to", "journeyed to", "travelled to", "went back to")
TOOK = ("took", "got", "grabbed", "picked up")
LEFT = ("left", "dropped", "discarded", "put down")
GAVE = ("gave", "handed", "passed")
MOVE, TAKE, LEAVE, GIVE = "move", "take", "leave", "give"


@dataclass(eq=False, slots=True)
class Person:
    name: str
    pronoun: str
    place: str
    came: int | None = None  # the fact that brought them to `place`


class Stay(NamedTuple):
    """Where a thing is known to be."""

    place: str
    came: int  # the fact that brought it there


@dataclass(eq=False, slots=True)
class Thing:
    name: str
    place: str
    holder: Person | None = None
    handled: Event | None = None  # the last time that it was taken, left or given
    carried: list[Stay] = field(default_factory=list)  # where it has been brought since it was taken last
    stay: Stay | None = None  # where it was brought or left last


class Event(NamedTuple):
    """Somebody did something, and a fact says so."""

    act: str
    fact: int
    person: Person
    thing: Thing | None = None
    receiver: Person | None = None


class World:
    """What people do, one fact after the other."""

    def __init__(self, setting: Setting, acts: Sequence[str] = (MOVE,), *, there: float = 1.0) -> None:
        """`acts`: what people do; an act that is named twice is done twice as often. `there`: the probability that a
        fact says that a thing was taken "there"."""
        self.dice = setting.dice
        self.places = setting.places
        self.people = [Person(*name, self.dice.choice(self.places)) for name in setting.people]
        self.things = [Thing(name, self.dice.choice(self.places)) for name in setting.things]
        self.acts = acts
        self.there = there
        self.window = setting.window
        self.facts: list[str] = []
        self.events: list[Event] = []

    def recent(self) -> Iterator[Event]:
        """The latest events, in random order."""
        return self.dice.drawn(self.events[-self.window :])

    def tell(self, facts: int) -> None:
        for _ in range(facts):
            while not self._act(self.dice.choice(self.people), self.dice.choice(self.acts)):
                pass

    def _act(self, person: Person, act: str) -> bool:
        """Returns whether it could be done."""
        if act == MOVE:
            place = self.dice.choice(self.places)
            if place == person.place:
                return False
            self.move(person, place)
        elif act == TAKE:
            here = [thing for thing in self.things if thing.holder is None and thing.place == person.place]
            if not here:
                return False
            self.take(person, self.dice.choice(here))
        elif act == LEAVE:
            held = [thing for thing in self.things if thing.holder is person]
            if not held:
                return False
            self.leave(person, self.dice.choice(held))
        else:
            gift = self._gift()
            if not gift:
                return False
            self.give(*gift)
        return True

    def _gift(self) -> tuple[Person, Thing, Person] | None:
        """(giver, thing, receiver): the first thing that can be given, to the first person there, as in bAbI."""
        for thing in self.things:
            if giver := thing.holder:
                for person in self.people:
                    if person is not giver and person.place == giver.place:
                        return giver, thing, person
        return None

    def elsewhere(self, *people: Person) -> str:
        """A place where none of them is."""
        while True:
            place = self.dice.choice(self.places)
            if all(place != person.place for person in people):
                return place

    def move(self, person: Person, place: str) -> None:
        self.arrive(person, place, self.say(f"{person.name} {self.dice.choice(WENT)} the {place}."))

    def arrive(self, person: Person, place: str, fact: int) -> None:
        self.events.append(Event(MOVE, fact, person))
        person.place, person.came = place, fact
        for thing in self.things:
            if thing.holder is person:
                thing.place, thing.stay = place, Stay(place, fact)
                thing.carried.append(thing.stay)

    def take(self, person: Person, thing: Thing) -> None:
        self._handle(TAKE, f"{self.dice.choice(TOOK)} the {thing.name}{self._there(self.there)}", person, thing)
        thing.holder, thing.stay = person, None
        thing.carried.clear()

    def leave(self, person: Person, thing: Thing) -> None:
        self._handle(LEAVE, f"{self.dice.choice(LEFT)} the {thing.name}{self._there(0.2)}", person, thing)
        thing.holder = None
        thing.stay = None if person.came is None else Stay(person.place, person.came)

    def give(self, person: Person, thing: Thing, receiver: Person) -> None:
        text = f"{self.dice.choice(GAVE)} the {thing.name} to {receiver.name}"
        self._handle(GIVE, text, person, thing, receiver)
        thing.holder = receiver

    def _there(self, probability: float) -> str:
        return " there" if self.dice.chance(probability) else ""

    def _handle(self, act: str, text: str, person: Person, thing: Thing, receiver: Person | None = None) -> None:
        thing.handled = Event(act, self.say(f"{person.name} {text}."), person, thing, receiver)
        self.events.append(thing.handled)

    def say(self, text: str) -> int:
        """Adds a fact, and returns its position."""
        self.facts.append(text)
        return len(self.facts) - 1
