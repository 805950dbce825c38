"""qa18: Does the chocolate fit in the chest? Two facts say so, about something that is bigger than the one and smaller
than the other."""

from __future__ import annotations

from dmn_cli.data.formats.story_world.names import words
from dmn_cli.data.formats.story_world.telling import Setting, Tale, Untellable
from dmn_cli.records.text import Question

SWEETS = ("chocolate", "box of chocolates")  # smaller than all else, in this order
CONTAINERS = ("box", "chest", "container", "suitcase")
MORE_CONTAINERS = words(
    """crate trunk basket barrel bucket cabinet drawer cupboard wardrobe bag sack purse backpack bin tub vault locker
    safe jar tin carton parcel briefcase hamper cask pouch satchel bowl pot kettle"""
)


def sizes(setting: Setting) -> Tale:
    """Five facts, and then five more at a time until two of them can be combined."""
    dice = setting.dice
    containers = [thing for thing in setting.things if thing not in SWEETS]
    things = [*SWEETS, *dice.shuffled(containers)]  # by size
    facts: list[str] = []
    told: dict[tuple[str, str], int] = {}  # (smaller, bigger) → the first fact that says so
    chains: list[tuple[str, str, str]] = []
    while not chains:
        if len(facts) == setting.length:
            raise Untellable
        for _ in range(setting.length or 5):
            smaller, bigger = sorted(dice.shuffled(things)[:2], key=things.index)
            told.setdefault((smaller, bigger), len(facts))
            fits = dice.chance(0.5)
            facts.append(
                f"The {smaller} fits inside the {bigger}." if fits else f"The {bigger} is bigger than the {smaller}."
            )
        chains = [(a, b, c) for a, b in told for b_, c in told if b == b_]
    questions: list[Question] = []
    for _ in range(setting.questions):
        small, middle, big = dice.choice(chains)
        answer = dice.chance(0.5)
        inner, outer = (small, big) if answer else (big, small)
        text = (
            f"Does the {inner} fit in the {outer}?" if dice.chance(0.5) else f"Is the {outer} bigger than the {inner}?"
        )
        support = told[middle, big], told[small, middle]
        support = support if answer else support[::-1]
        questions.append(Question(text, len(facts), ("yes" if answer else "no",), support))
    return Tale(facts, questions)
