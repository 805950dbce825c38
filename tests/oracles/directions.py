"""Oracles for the families of directions: qa4 (two-argument relations), qa17 (positions) and qa19 (path finding)."""

import re
from collections.abc import Iterable, Sequence

from oracles.reading import reachable, read

ROOM = r"(bathroom|bedroom|garden|hallway|kitchen|office)"
COMPASS = r"(north|south|east|west)"
SHAPE = r"(triangle|blue square|pink rectangle|red sphere|red square|yellow square)"
SIDE = r"(above|below|to the left of|to the right of)"

ROOM_FACT = re.compile(rf"The {ROOM} is {COMPASS} of the {ROOM}\.")
WHAT_IS = re.compile(rf"What is {COMPASS} of the {ROOM}\?")
WHAT_OF = re.compile(rf"What is the {ROOM} {COMPASS} of\?")
HOW_TO_GO = re.compile(rf"How do you go from the {ROOM} to the {ROOM}\?")
SHAPE_FACT = re.compile(rf"The {SHAPE} is {SIDE} the {SHAPE}\.")
SHAPE_QUESTION = re.compile(rf"Is the {SHAPE} {SIDE} the {SHAPE}\?")

OPPOSITE = {"north": "south", "south": "north", "east": "west", "west": "east"}
AXIS = {
    "above": ("vertical", 1),
    "below": ("vertical", -1),
    "to the right of": ("horizontal", 1),
    "to the left of": ("horizontal", -1),
}


def neighbours(facts: Iterable[str]) -> dict[tuple[str, str], set[str]]:
    """What the facts put right to each side of each room: (room, direction) to the rooms there."""
    rooms: dict[tuple[str, str], set[str]] = {}
    for fact in facts:
        _, (first, direction, second) = read(fact, ROOM_FACT)
        rooms.setdefault((second, direction), set()).add(first)
        rooms.setdefault((first, OPPOSITE[direction]), set()).add(second)
    return rooms


def qa4(facts: Sequence[str], question: str) -> tuple[str, ...] | None:
    """The one room that the facts put next to another on a side; nothing is inferred along a row of rooms."""
    rooms = neighbours(facts)
    form, (first, second) = read(question, WHAT_IS, WHAT_OF)
    room, direction = (second, first) if form is WHAT_IS else (first, OPPOSITE[second])
    found = rooms.get((room, direction), set())
    return tuple(found) if len(found) == 1 else None


def qa17(facts: Sequence[str], question: str) -> tuple[str, ...] | None:
    """Whether one shape lies on a side of another.

    A fact orders two shapes on one axis and puts them level on the other, so "no" is either the reverse order or the
    same level. Where no chain of facts on the asked axis orders or levels the two, there is no answer.
    """
    _, (asked, side, other) = read(question, SHAPE_QUESTION)
    axis, sign = AXIS[side]
    level: list[set[str]] = []
    above: list[tuple[str, str]] = []
    for fact in facts:
        _, (first, relation, second) = read(fact, SHAPE_FACT)
        fact_axis, fact_sign = AXIS[relation]
        if fact_axis != axis:
            level.append({first, second})
        else:
            above.append((first, second) if fact_sign == sign else (second, first))

    def same(shape: str) -> set[str]:
        return reachable(shape, lambda at: set[str]().union(*(pair for pair in level if at in pair)))

    def lower(shape: str) -> set[str]:
        """The shapes strictly behind this one: at least one ordering fact on the way, levels for free."""
        down = {low for high, low in above if high in same(shape)}
        return set[str]().union(
            *(reachable(at, lambda at: same(at) | {low for high, low in above if high == at}) for at in down)
        )

    if other in lower(asked):
        return ("yes",)
    if asked in lower(other) or other in same(asked):
        return ("no",)
    return None


def qa19(facts: Sequence[str], question: str) -> tuple[str, ...] | None:
    """The steps of the shortest way between two rooms, where there is just one such way."""
    rooms = neighbours(facts)
    _, (start, end) = read(question, HOW_TO_GO)
    ways: list[tuple[str, tuple[str, ...]]] = [(start, ())]
    seen = {start}
    while ways and not any(at == end for at, _ in ways):
        ways = [
            (there, (*way, direction[0]))
            for at, way in ways
            for direction in OPPOSITE
            for there in sorted(rooms.get((at, direction), set()))
            if there not in seen
        ]
        seen.update(at for at, _ in ways)
    found = [way for at, way in ways if at == end]
    return found[0] if len(found) == 1 else None


ORACLES = {"qa4": qa4, "qa17": qa17, "qa19": qa19}
