"""qa16: Lily is a frog, Lily is green, Brian is a frog. What color is Brian?

If several others of that kind have a colour, the one counts whose kind was said last.
"""

from __future__ import annotations

from dmn_cli.data.formats.story_world.names import Name
from dmn_cli.data.formats.story_world.telling import Setting, Tale, Untellable
from dmn_cli.records.text import Question

ANIMALS = (
    Name("Bernhard", "he"),
    Name("Brian", "he"),
    Name("Greg", "he"),
    Name("Julius", "he"),
    Name("Lily", "she"),
)
_KINDS = ("frog", "lion", "rhino", "swan")
_COLOURS = ("gray", "green", "white", "yellow")


def induction(setting: Setting) -> Tale:
    """Facts say the kind of each animal, then its colour. The question is about one whose colour isn't said."""
    dice = setting.dice
    length = setting.length or 2 * len(setting.people) - 1
    kinds = {animal: dice.choice(_KINDS) for animal in setting.some_people(length // 2 + 1)}
    usual: dict[str, str] = {}  # kind → its colour, which changes with each animal that is said to be of that kind
    said: dict[str, int] = {}  # animal → the fact that says its kind, in the order of the facts
    seen: dict[str, tuple[str, int]] = {}  # animal → its colour, and the fact that says so
    facts: list[str] = []
    unfinished = list(kinds)
    while len(facts) < length:
        animal = dice.choice(unfinished)
        kind = kinds[animal]
        if animal not in said:
            usual[kind] = dice.choice(_COLOURS)
            said[animal] = len(facts)
            facts.append(f"{animal} is a {kind}.")
        else:
            seen[animal] = usual[kind], len(facts)
            facts.append(f"{animal} is {usual[kind]}.")
            unfinished.remove(animal)
    asked = dice.choice([animal for animal in unfinished if animal in said] or [""])
    peers = [animal for animal in said if animal != asked and kinds[animal] == kinds.get(asked)]
    if not peers or len(peers) == 2 or peers[-1] not in seen:  # bAbI never has two
        raise Untellable
    colour, fact = seen[peers[-1]]
    return Tale(facts, [Question(f"What color is {asked}?", length, (colour,), (said[asked], said[peers[-1]], fact))])
