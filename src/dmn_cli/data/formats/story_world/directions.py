"""Rooms to the north, south, east and west of one another.

qa4    What is north of the kitchen?                     one fact says so, in this direction or the opposite one
qa19   How do you go from the kitchen to the garden?     two steps, and a fact about each
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from dmn_cli.data.formats.story_world.telling import Setting, Tale, Untellable, different
from dmn_cli.records.text import Question

_OPPOSITE = {"north": "south", "south": "north", "east": "west", "west": "east"}
_DIRECTIONS = tuple(_OPPOSITE)


class Map:
    """`doors[room][direction]` is the room in that direction."""

    def __init__(self, setting: Setting) -> None:
        self.dice = setting.dice
        self.doors: dict[str, dict[str, str]] = {}

    def build(self, room: str, direction: str, other: str) -> None:
        """Puts `other` in that direction from `room`."""
        self.doors.setdefault(room, {})[direction] = other
        self.doors.setdefault(other, {})[_OPPOSITE[direction]] = room

    def told(self) -> list[tuple[str, str, str]]:
        """Each door once, as (room, direction, other): room is in that direction from other.

        A room is drawn at random, then one of its doors, until all doors have been drawn: so rooms with one door tend
        to come first, and to be the subject.
        """
        rooms = list(self.doors)
        untold = {frozenset((room, other)) for room in rooms for other in self.doors[room].values()}
        facts: list[tuple[str, str, str]] = []
        while untold:
            room = self.dice.choice(rooms)
            direction, other = self.dice.choice(list(self.doors[room].items()))
            door = frozenset((room, other))
            if door in untold:
                untold.remove(door)
                facts.append((room, _OPPOSITE[direction], other))
        return facts


def _sentences(facts: list[tuple[str, str, str]]) -> list[str]:
    return [f"The {room} is {direction} of the {other}." for room, direction, other in facts]


def relations(setting: Setting) -> Tale:
    """qa4: three rooms in a row, or as many as the given length needs."""
    dice = setting.dice
    length = setting.length or 2
    if length >= len(setting.places):
        raise Untellable
    row = dice.shuffled(setting.places)[: length + 1]
    map_ = Map(setting)
    direction = dice.choice(_DIRECTIONS)
    for room, other in pairwise(row):
        map_.build(room, direction, other)
    told = map_.told()

    def ask() -> Iterator[Question]:
        for fact in dice.drawn(range(length)):
            room, side, other = told[fact]
            forms = f"What is {side} of the {other}?", f"What is the {other} {_OPPOSITE[side]} of?"
            yield Question(dice.choice(forms), length, (room,), (fact,))

    return Tale(_sentences(told), different(ask(), setting.questions if setting.length else 1))


def paths(setting: Setting) -> Tale:
    """qa19: a path of two steps, and other rooms beside it."""
    dice = setting.dice
    length = setting.length or 5
    if length < 2 or length >= len(setting.places):
        raise Untellable
    start, middle, end, *others = dice.shuffled(setting.places)[: length + 1]
    map_ = Map(setting)
    first, second = dice.choice([(a, b) for a in _DIRECTIONS for b in _DIRECTIONS if b != _OPPOSITE[a]])
    map_.build(start, first, middle)
    map_.build(middle, second, end)
    ring = [start, middle, end]
    while others:
        free = [(room, side) for room in ring for side in _DIRECTIONS if side not in map_.doors[room]]
        added = []
        for (room, side), other in zip(dice.drawn(free), others, strict=False):
            map_.build(room, side, other)
            added.append(other)
        others, ring = others[len(added) :], added
    told = map_.told()
    fact_of = {frozenset((room, other)): i for i, (room, _, other) in enumerate(told)}
    support = fact_of[frozenset((start, middle))], fact_of[frozenset((middle, end))]
    text = f"How do you go from the {start} to the {end}?"
    return Tale(_sentences(told), [Question(text, length, (first[0], second[0]), support)])
