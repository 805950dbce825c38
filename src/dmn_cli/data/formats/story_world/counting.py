"""What somebody carries. The supporting facts are all those about things that the person took, got, left or gave.

qa7   How many objects is Mary carrying?   none, one, two, ...
qa8   What is Mary carrying?               a list, in the order in which things were first taken, or nothing
"""

from __future__ import annotations

from collections.abc import Iterator

from dmn_cli.data.formats.story_world.telling import Setting, Tale, in_rounds
from dmn_cli.data.formats.story_world.world import GIVE, LEAVE, MOVE, TAKE, Event, Person, World
from dmn_cli.records.text import Question

_COUNTS = ("none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def objects(setting: Setting) -> Tale:
    """qa7"""
    world = World(setting, (MOVE, TAKE, LEAVE, GIVE))

    def ask() -> Iterator[Question]:
        for person in _handlers(world):
            held = sum(thing.holder is person for thing in world.things)
            count = _COUNTS[held] if held < len(_COUNTS) else str(held)
            support = tuple(event.fact for event in _hands(world, person))
            yield Question(f"How many objects is {person.name} carrying?", len(world.facts), (count,), support)

    return in_rounds(setting, world.facts, world.tell, ask)


def lists(setting: Setting) -> Tale:
    """qa8. The supporting facts are ordered by thing."""
    world = World(setting, (MOVE, TAKE, LEAVE))

    def ask() -> Iterator[Question]:
        for person in _handlers(world):
            events = _hands(world, person)
            things = list(dict.fromkeys(event.thing for event in events if event.thing))
            held = tuple(thing.name for thing in things if thing.holder is person)
            support = tuple(event.fact for thing in things for event in events if event.thing is thing)
            yield Question(f"What is {person.name} carrying?", len(world.facts), held or ("nothing",), support)

    return in_rounds(setting, world.facts, world.tell, ask)


def _handlers(world: World) -> Iterator[Person]:
    """The people who took, left or gave something in the latest events."""
    return (event.person for event in world.recent() if event.thing)


def _hands(world: World, person: Person) -> list[Event]:
    return [event for event in world.events if event.thing and person in (event.person, event.receiver)]
