"""Oracles for deduction (qa15), induction (qa16), sizes (qa18) and motives (qa20)."""

import re
from collections.abc import Sequence

from oracles.reading import reachable, read

SINGULAR = {"mice": "mouse", "wolves": "wolf", "cats": "cat", "sheep": "sheep"}
KINDS = r"(mice|wolves|cats|sheep)"
FEAR = re.compile(rf"(Mice|Wolves|Cats|Sheep) are afraid of {KINDS}\.")
PREY = re.compile(r"(Gertrude|Winona|Jessica|Emily) is a (mouse|wolf|cat|sheep)\.")
AFRAID_OF = re.compile(r"What is (gertrude|winona|jessica|emily) afraid of\?")

ANIMAL = r"(Bernhard|Brian|Greg|Julius|Lily)"
ANIMAL_KIND = re.compile(rf"{ANIMAL} is a (frog|lion|rhino|swan)\.")
ANIMAL_COLOR = re.compile(rf"{ANIMAL} is (gray|green|white|yellow)\.")
WHAT_COLOR = re.compile(rf"What color is {ANIMAL}\?")

THING = r"(box of chocolates|box|chest|chocolate|container|suitcase)"
FITS = re.compile(rf"The {THING} fits inside the {THING}\.")
BIGGER = re.compile(rf"The {THING} is bigger than the {THING}\.")
DOES_IT_FIT = re.compile(rf"Does the {THING} fit in the {THING}\?")
IS_IT_BIGGER = re.compile(rf"Is the {THING} bigger than the {THING}\?")

PERSON = r"(Antoine|Jason|Sumit|Yann)"
FEELS = re.compile(rf"{PERSON} is (bored|hungry|thirsty|tired)\.")
GOES = re.compile(rf"{PERSON} (?:journeyed|moved|travelled|went|went back) to the (bedroom|garden|kitchen)\.")
GETS = re.compile(rf"{PERSON} (?:got|grabbed|picked up|took) the (apple|football|milk|pajamas) there\.")
WHERE_WILL = re.compile(rf"Where will {PERSON.lower()} go\?")
WHY_GO = re.compile(rf"Why did {PERSON.lower()} go to the (bedroom|garden|kitchen)\?")
WHY_GET = re.compile(rf"Why did {PERSON.lower()} get the (apple|football|milk|pajamas)\?")
PLACE = {"bored": "garden", "hungry": "kitchen", "thirsty": "kitchen", "tired": "bedroom"}
OBJECT = {"bored": "football", "hungry": "apple", "thirsty": "milk", "tired": "pajamas"}


def qa15(facts: Sequence[str], question: str) -> tuple[str, ...] | None:
    """What the kind of the animal asked for is afraid of."""
    kind: dict[str, str] = {}
    fear: dict[str, str] = {}
    for fact in facts:
        form, (who, what) = read(fact, FEAR, PREY)
        if form is FEAR:
            fear[SINGULAR[who.lower()]] = SINGULAR[what]
        else:
            kind[who.lower()] = what
    _, (asked,) = read(question, AFRAID_OF)
    feared = fear.get(kind.get(asked, ""))
    return (feared,) if feared else None


def qa16(facts: Sequence[str], question: str) -> tuple[str, ...] | None:
    """The color of the last animal said to be of the same kind, the one asked for aside; other precedents are void."""
    kind: dict[str, str] = {}
    color: dict[str, str] = {}
    for fact in facts:
        form, (who, what) = read(fact, ANIMAL_KIND, ANIMAL_COLOR)
        (kind if form is ANIMAL_KIND else color)[who] = what
    _, (asked,) = read(question, WHAT_COLOR)
    alike = [who for who in kind if who != asked and kind[who] == kind.get(asked)]
    found = color.get(asked) or (color.get(alike[-1]) if alike else None)
    return (found,) if found else None


def qa18(facts: Sequence[str], question: str) -> tuple[str, ...] | None:
    """Whether a thing is bigger than another, or holds it, by a chain of facts one way or the other."""
    smaller: dict[str, set[str]] = {}
    for fact in facts:
        form, (first, second) = read(fact, FITS, BIGGER)
        big, small = (first, second) if form is BIGGER else (second, first)
        smaller.setdefault(big, set()).add(small)

    def below(thing: str) -> set[str]:
        return reachable(thing, lambda at: smaller.get(at, set()))

    form, (first, second) = read(question, DOES_IT_FIT, IS_IT_BIGGER)
    big, small = (first, second) if form is IS_IT_BIGGER else (second, first)
    if small in below(big):
        return ("yes",)
    return ("no",) if big in below(small) else None


def qa20(facts: Sequence[str], question: str) -> tuple[str, ...] | None:
    """Where a person's state leads, or the state that led to an act; never a motive that the story does not state."""
    state: dict[str, str] = {}
    for fact in facts:
        form, (who, what) = read(fact, FEELS, GOES, GETS)
        if form is FEELS:
            state[who.lower()] = what
    form, (who, *rest) = read(question, WHERE_WILL, WHY_GO, WHY_GET)
    motive = state.get(who)
    if motive is None:
        return None
    if form is WHERE_WILL:
        return (PLACE[motive],)
    leads_to = PLACE if form is WHY_GO else OBJECT
    return (motive,) if leads_to[motive] == rest[0] else None


ORACLES = {"qa15": qa15, "qa16": qa16, "qa18": qa18, "qa20": qa20}
