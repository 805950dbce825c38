"""qa5: who gave what to whom. The supporting fact is the gift: the latest one that the question can be about."""

from __future__ import annotations

from collections.abc import Iterator

from dmn_cli.data.formats.story_world.telling import Setting, Tale, in_rounds
from dmn_cli.data.formats.story_world.world import GIVE, LEAVE, MOVE, TAKE, Event, World
from dmn_cli.records.text import Question


def gifts(setting: Setting) -> Tale:
    world = World(setting, (MOVE, TAKE, LEAVE, GIVE))

    def ask() -> Iterator[Question]:
        gifts = [event for event in world.events if event.act == GIVE]
        last_of_thing = {gift.thing: gift for gift in gifts}
        last_between = {(gift.person, gift.receiver): gift for gift in gifts}
        for event in world.recent():
            if last_of_thing.get(event.thing) is event:
                yield _about(world, event, what=last_between[event.person, event.receiver] is event)

    return in_rounds(setting, world.facts, world.tell, ask)


def _about(world: World, gift: Event, *, what: bool) -> Question:
    """Each form asks for one part of the gift. `what`: whether the names of giver and receiver determine the thing."""
    assert gift.thing
    assert gift.receiver
    giver, thing, receiver = gift.person.name, gift.thing.name, gift.receiver.name
    forms = [
        (f"Who gave the {thing}?", giver),
        (f"Who gave the {thing} to {receiver}?", giver),
        (f"Who received the {thing}?", receiver),
        (f"Who did {giver} give the {thing} to?", receiver),
    ]
    if what:
        forms += [(f"What did {giver} give to {receiver}?", thing)] * 2
    text, answer = world.dice.choice(forms)
    return Question(text, len(world.facts), (answer,), (gift.fact,))
