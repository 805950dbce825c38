"""Who is meant: by a pronoun, by two names, or by both.

    qa11   Mary went to the kitchen. Then she moved to the garden.
    qa12   Mary and John went to the kitchen.
    qa13   Mary and John went to the kitchen. Then they moved to the garden.

The fact that a pronoun points back to supports the answer as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from dmn_cli.data.formats.story_world.telling import Setting, Tale, in_rounds
from dmn_cli.data.formats.story_world.world import WENT, Person, World
from dmn_cli.records.text import Question

THEN = ("Then", "After that", "Afterwards", "Following that")


def pronouns(setting: Setting) -> Tale:
    """qa11"""
    return _walks(setting, together=1, then=True)


def pairs(setting: Setting) -> Tale:
    """qa12"""
    return _walks(setting, together=2, then=False)


def pairs_and_pronouns(setting: Setting) -> Tale:
    """qa13"""
    return _walks(setting, together=2, then=True)


def _walks(setting: Setting, *, together: int, then: bool) -> Tale:
    world = World(setting)
    named: dict[Person, int] = {}  # the fact in which a person was named last

    def go(people: list[Person], who: str) -> None:
        place = world.elsewhere(*people)
        fact = world.say(f"{who} {world.dice.choice(WENT)} the {place}.")
        for person in people:
            world.arrive(person, place, fact)

    def tell(facts: int) -> None:
        end = len(world.facts) + facts
        while len(world.facts) < end:
            people = list(islice(world.dice.drawn(world.people), together))
            named.update(dict.fromkeys(people, len(world.facts)))
            go(people, " and ".join(person.name for person in people))
            if then and len(world.facts) < end:
                pronoun = people[0].pronoun if together == 1 else "they"
                go(people, f"{world.dice.choice(THEN)} {pronoun}")

    def ask() -> Iterator[Question]:
        for event in world.recent():
            person = event.person
            assert person.came is not None
            support = tuple(sorted({named[person], person.came}))
            yield Question(f"Where is {person.name}?", len(world.facts), (person.place,), support)

    return in_rounds(setting, world.facts, tell, ask)
