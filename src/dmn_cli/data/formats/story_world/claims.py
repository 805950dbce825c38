"""Whether somebody is somewhere: yes, no or maybe.

qa6    facts say where somebody went
qa9    some facts only say where somebody is not
qa10   some facts only say in which of two places somebody is
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from dmn_cli.data.formats.story_world.telling import Setting, Tale, in_rounds
from dmn_cli.data.formats.story_world.world import LEAVE, MOVE, TAKE, WENT, Person, World
from dmn_cli.records.text import Question


def certain(setting: Setting) -> Tale:
    """qa6"""
    world = World(setting, (MOVE, TAKE, LEAVE))

    def ask() -> Iterator[Question]:
        for event in world.recent():
            if event.act == MOVE:
                place = _place(world, event.person)
                yield _question(world, event.person, place, _yes(place == event.person.place))

    return in_rounds(setting, world.facts, world.tell, ask)


def negated(setting: Setting) -> Tale:
    """qa9. If somebody is said not to be in a place, the question is about that place."""
    world = World(setting)
    left: dict[Person, str] = {}

    def act(person: Person, place: str) -> str:
        left.pop(person, None)
        form = world.dice.random()
        if form < 0.25:
            left[person] = person.place
            return f"is {'no longer' if form < 0.125 else 'not'} in the {person.place}"
        return f"{'is in' if form < 0.5 else world.dice.choice(WENT)} the {place}"

    def ask(person: Person) -> Question:
        place = left.get(person) or _place(world, person)
        return _question(world, person, place, _yes(person not in left and place == person.place))

    return _claims(setting, world, act, ask)


def indefinite(setting: Setting) -> Tale:
    """qa10. If somebody is in one of two places, the answer is "maybe" for both, and "no" for any other place."""
    world = World(setting)
    either: dict[Person, tuple[str, str]] = {}

    def act(person: Person, place: str) -> str:
        either.pop(person, None)
        form = world.dice.random()
        if form < 0.25:
            other = world.dice.choice([p for p in world.places if p != place])
            either[person] = (place, other)
            first, second = world.dice.drawn(either[person])
            return f"is either in the {first} or the {second}"
        return f"{'is in' if form < 0.5 else world.dice.choice(WENT)} the {place}"

    def ask(person: Person) -> Question:
        place = _place(world, person)
        maybe = place in either.get(person, ())
        return _question(world, person, place, "maybe" if maybe else _yes(place == person.place))

    return _claims(setting, world, act, ask)


def _claims(
    setting: Setting, world: World, act: Callable[[Person, str], str], ask: Callable[[Person], Question]
) -> Tale:
    """`act` returns what is said of a person who goes to a place. A fact replaces earlier ones about a person."""

    def tell(facts: int) -> None:
        for _ in range(facts):
            person = world.dice.choice(world.people)
            place = world.elsewhere(person)
            said = act(person, place)
            world.arrive(person, place, world.say(f"{person.name} {said}."))

    return in_rounds(setting, world.facts, tell, lambda: (ask(event.person) for event in world.recent()))


def _place(world: World, person: Person) -> str:
    """The place to ask about: in half of the cases the one where the person is, in the others another one."""
    return person.place if world.dice.chance(0.5) else world.elsewhere(person)


def _yes(there: bool) -> str:
    return "yes" if there else "no"


def _question(world: World, person: Person, place: str, answer: str) -> Question:
    assert person.came is not None
    return Question(f"Is {person.name} in the {place}?", len(world.facts), (answer,), (person.came,))
