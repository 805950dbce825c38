"""qa15: Gertrude is a mouse, mice are afraid of wolves. What is gertrude afraid of?"""

from __future__ import annotations

from dmn_cli.data.formats.story_world.names import Name
from dmn_cli.data.formats.story_world.telling import Setting, Tale
from dmn_cli.records.text import Question

ANIMALS = (Name("Gertrude", "she"), Name("Winona", "she"), Name("Emily", "she"), Name("Jessica", "she"))
_KINDS = {"mouse": "mice", "wolf": "wolves", "cat": "cats", "sheep": "sheep"}


def deduction(setting: Setting) -> Tale:
    """Each kind is afraid of another one. What kind an animal is, is said only after what its kind is afraid of."""
    dice = setting.dice
    kinds = list(_KINDS)
    length = setting.length or len(kinds) + len(setting.people)
    animals = setting.some_people(length - len(kinds))
    facts: list[str] = []
    afraid: dict[str, tuple[str, int]] = {}  # kind → what it is afraid of, and the fact that says so
    known: dict[str, tuple[str, int]] = {}  # animal → its kind, and the fact that says so
    while len(facts) < length:
        kind = dice.choice(kinds)
        if kind not in afraid:
            feared = dice.choice([other for other in kinds if other != kind])
            afraid[kind] = feared, len(facts)
            facts.append(f"{_KINDS[kind].capitalize()} are afraid of {_KINDS[feared]}.")
        else:
            animal = dice.choice(animals)
            if animal not in known:
                known[animal] = kind, len(facts)
                facts.append(f"{animal} is a {kind}.")
    questions: list[Question] = []
    for _ in range(setting.questions):
        animal = dice.choice(animals)
        kind, fact = known[animal]
        feared, reason = afraid[kind]
        questions.append(Question(f"What is {animal.lower()} afraid of?", length, (feared,), (fact, reason)))
    return Tale(facts, questions)
