"""Where somebody or something is, or was.

qa1   Where is Mary?                                one supporting fact
qa2   Where is the football?                        two: who had it last, and the move that brought it there
qa3   Where was the football before the kitchen?    three: who had it last, and the two moves of that person with it
"""

from __future__ import annotations

from collections.abc import Iterator

from dmn_cli.data.formats.story_world.telling import Setting, Tale, in_rounds
from dmn_cli.data.formats.story_world.world import LEAVE, MOVE, TAKE, World
from dmn_cli.records.text import Question


def people(setting: Setting) -> Tale:
    """qa1"""
    world = World(setting)

    def ask() -> Iterator[Question]:
        for event in world.recent():
            who = event.person
            assert who.came is not None
            yield Question(f"Where is {who.name}?", len(world.facts), (who.place,), (who.came,))

    return in_rounds(setting, world.facts, world.tell, ask)


def things(setting: Setting) -> Tale:
    """qa2"""
    world = World(setting, (MOVE, TAKE, LEAVE))

    def ask() -> Iterator[Question]:
        for event in world.recent():
            what = event.thing
            if what and what.stay and what.handled is event:
                support = (event.fact, what.stay.came)
                yield Question(f"Where is the {what.name}?", len(world.facts), (what.stay.place,), support)

    return in_rounds(setting, world.facts, world.tell, ask)


def things_before(setting: Setting) -> Tale:
    """qa3: one of the places that somebody has carried the thing to without leaving it, and the place before that."""
    world = World(setting, (MOVE, TAKE, LEAVE), there=0.2)

    def ask() -> Iterator[Question]:
        for event in world.recent():
            what = event.thing
            if what is None or what.handled is not event or len(what.carried) < 2:
                continue
            place = world.dice.choice(what.carried[1:]).place
            last = max(i for i, stay in enumerate(what.carried) if stay.place == place)
            before, there = what.carried[last - 1 : last + 1]
            text = f"Where was the {what.name} before the {place}?"
            yield Question(text, len(world.facts), (before.place,), (event.fact, there.came, before.came))

    return in_rounds(setting, world.facts, world.tell, ask)
