"""qa20: Sumit is tired. Where will sumit go? Why did sumit get the pajamas?

The facts say what state somebody is in, then where they go, then what they get, unless somebody has it already.
"""

from __future__ import annotations

from dmn_cli.data.formats.story_world.names import Name
from dmn_cli.data.formats.story_world.telling import Setting, Tale, Untellable, different
from dmn_cli.data.formats.story_world.world import TOOK, WENT
from dmn_cli.records.text import Question

AGENTS = (Name("Antoine", "he"), Name("Jason", "he"), Name("Sumit", "he"), Name("Yann", "he"))
_MOTIVES = {
    "tired": ("bedroom", "pajamas"),
    "thirsty": ("kitchen", "milk"),
    "hungry": ("kitchen", "apple"),
    "bored": ("garden", "football"),
}


def motives(setting: Setting) -> Tale:
    """There is a question after each fact."""
    dice = setting.dice
    states = {person.name: dice.choice(tuple(_MOTIVES)) for person in setting.people}
    said: dict[str, int] = {}  # person → the fact that says their state
    gone: set[str] = set()
    left = {thing for _, thing in _MOTIVES.values()}
    busy = list(states)
    facts: list[str] = []
    questions: list[Question] = []
    while busy and len(facts) != setting.length:
        person = dice.choice(busy)
        state = states[person]
        place, thing = _MOTIVES[state]
        who, answer = person.lower(), state
        if person not in said:
            said[person] = len(facts)
            facts.append(f"{person} is {state}.")
            text, answer = f"Where will {who} go?", place
        elif person not in gone:
            gone.add(person)
            facts.append(f"{person} {dice.choice(WENT)} the {place}.")
            text = f"Why did {who} go to the {place}?"
        else:
            left.remove(thing)
            facts.append(f"{person} {dice.choice(TOOK)} the {thing} there.")
            text = f"Why did {who} get the {thing}?"
        busy = [p for p in busy if p not in gone or _MOTIVES[states[p]][1] in left]
        questions.append(Question(text, len(facts), (answer,), (said[person],)))
    if setting.length is None:
        return Tale(facts, questions)
    if len(facts) < setting.length:
        raise Untellable
    at_the_end = (question._replace(position=len(facts)) for question in dice.drawn(questions))
    return Tale(facts, different(at_the_end, setting.questions))
