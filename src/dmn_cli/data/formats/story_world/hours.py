"""qa14: Where was Julie before the park? The facts say when somebody was where, and aren't in that order.

What has happened since the last question is told in an order in which no fact is in its own place.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dmn_cli.data.formats.story_world.telling import Setting, Tale, Untellable, in_rounds
from dmn_cli.data.formats.story_world.world import WENT
from dmn_cli.records.text import Question

_HOURS = ("yesterday", "this morning", "this afternoon", "this evening")


@dataclass(eq=False, slots=True)
class _Visit:
    person: str
    place: str
    fact: int
    before: _Visit | None


def hours(setting: Setting) -> Tale:
    dice = setting.dice
    facts: list[str] = []
    visits: list[_Visit] = []  # those of a person are in the order of the hours
    days: dict[str, list[_Visit]] = {person.name: [] for person in setting.people}
    asked = 0  # how many facts are in their final order

    def tell(count: int) -> None:
        for _ in range(count):
            free = [person for person, day in days.items() if len(day) < len(_HOURS)]
            if not free:
                raise Untellable
            person = dice.choice(free)
            day = days[person]
            before = day[-1] if day else None
            place = dice.choice([place for place in setting.places if not before or place != before.place])
            hour, went = _HOURS[len(day)], f"{person} {dice.choice(WENT)} the {place}"
            visit = _Visit(person, place, len(facts), before)
            facts.append(f"{went} {hour}." if dice.chance(0.5) else f"{hour.capitalize()} {went}.")
            visits.append(visit)
            day.append(visit)

    def reorder() -> None:
        nonlocal asked
        told, new = facts[asked:], visits[asked:]
        for fact, i in enumerate(dice.rotated(range(len(told))), start=asked):
            facts[fact], new[i].fact = told[i], fact
        asked = len(facts)

    def ask() -> Iterator[Question]:
        later = [visit for visit in visits[-setting.window :] if visit.before]
        if later:
            reorder()
        for visit in dice.drawn(later):
            last = [other for other in days[visit.person] if other.place == visit.place][-1]
            assert last.before
            text = f"Where was {visit.person} before the {visit.place}?"
            yield Question(text, len(facts), (last.before.place,), (last.fact, last.before.fact))

    return in_rounds(setting, facts, tell, ask)
