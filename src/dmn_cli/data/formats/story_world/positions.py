"""qa17: Is the pink rectangle to the right of the blue square? Two facts say where both are, relative to a third shape.

A fact is a step along one axis: a shape above another one is neither to its left nor to its right.
"""

from __future__ import annotations

from itertools import permutations

from dmn_cli.data.formats.story_world.telling import Setting, Tale, Untellable
from dmn_cli.records.text import Question

SHAPES = ("triangle", "blue square", "pink rectangle", "red sphere", "red square", "yellow square")
MORE_SHAPES = tuple(
    f"{colour} {shape}"
    for shape in ("square", "rectangle", "sphere", "triangle", "circle", "cube")
    for colour in ("blue", "pink", "red", "yellow", "green", "white", "gray", "orange", "purple", "black")
    if f"{colour} {shape}" not in SHAPES
)
_STEPS = {"above": (0, 1), "below": (0, -1), "to the left of": (-1, 0), "to the right of": (1, 0)}
_OPPOSITE = {
    "above": "below",
    "below": "above",
    "to the left of": "to the right of",
    "to the right of": "to the left of",
}


def positions(setting: Setting) -> Tale:
    """Two shapes beside a third one. Each further fact puts another shape beside one that is already there."""
    dice = setting.dice
    length = setting.length or 2
    if length < 2 or length >= len(setting.things):
        raise Untellable
    shapes = dice.shuffled(setting.things)[: length + 1]
    beside = {shape: dict[str, str]() for shape in shapes}  # beside[a][side] is b: b is on that side of a
    facts: list[str] = [""] * length
    fact_of: dict[frozenset[str], int] = {}
    for count, fact in enumerate(dice.shuffled(range(length)), start=1):
        new = shapes[count]
        old = shapes[0] if count < 3 else dice.choice([s for s in shapes[:count] if len(beside[s]) < len(_STEPS)])
        side = dice.choice([side for side in _STEPS if side not in beside[old]])
        beside[old][side], beside[new][_OPPOSITE[side]] = new, old
        facts[fact] = (
            f"The {old} is {_OPPOSITE[side]} the {new}." if dice.chance(2 / 3) else f"The {new} is {side} the {old}."
        )
        fact_of[frozenset((old, new))] = fact

    # two shapes beside the same one can be compared
    pairs = [(a, b, middle) for middle, sides in beside.items() for a, b in permutations(sides.items(), 2)]
    questions: list[Question] = []
    for _ in range(setting.questions):
        (side, shape), (other_side, other), middle = dice.choice(pairs)
        (x, y), (u, v) = _STEPS[side], _STEPS[other_side]
        truth = {relation: (x - u) * dx + (y - v) * dy > 0 for relation, (dx, dy) in _STEPS.items()}
        answer = dice.chance(0.5)
        relation = dice.choice([relation for relation, holds in truth.items() if holds is answer])
        support = fact_of[frozenset((shape, middle))], fact_of[frozenset((other, middle))]
        text = f"Is the {shape} {relation} the {other}?"
        questions.append(Question(text, length, ("yes" if answer else "no",), support))
    return Tale(facts, questions)
