"""Which facts bear on a question of the story world: without them, the world leaves its answer open.

    about a person            all that names the person
    by pronouns               and "Then she went …" after it
    about a thing             all that names the thing, and the supporting facts
    gifts                     all about the things that were given
    rooms, kinds, colours     the supporting facts: nothing else of the story leads to the answer
    where somebody will go    all that names the person. (Why somebody went or got something can be guessed)

Positions of facts, as `formats.unanswerable.Bears` has them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from dmn_cli.data.formats.story_world.coreference import THEN
from dmn_cli.data.formats.story_world.world import GAVE
from dmn_cli.records.text import Question

_PERSON = re.compile(r"Where (?:is|was|will) (\w+)(?: before the .+| go)?\?")
_THING = re.compile(r"Where (?:is|was) the (.+?)(?: before the .+)?\?")
_GIVEN = re.compile(r"What did (\w+) give to (\w+)\?")
_GIFT = re.compile(r"Who (?:gave|received|did \w+ give) the (.+?)(?: to(?: \w+)?)?\?")


def person(facts: Sequence[str], question: Question) -> set[int] | None:
    """None: the question isn't where somebody is, was or will go."""
    asked = _PERSON.fullmatch(question.text)
    return _naming(facts, asked[1]) if asked else None


def person_by_pronouns(facts: Sequence[str], question: Question) -> set[int] | None:
    bearing = person(facts, question)
    return bearing and bearing | {i for i, fact in enumerate(facts) if i - 1 in bearing and fact.startswith(THEN)}


def thing(facts: Sequence[str], question: Question) -> set[int] | None:
    asked = _THING.fullmatch(question.text)
    return _naming(facts, asked[1]) | set(question.support) if asked else None


def gift(facts: Sequence[str], question: Question) -> set[int] | None:
    if asked := _GIVEN.fullmatch(question.text):
        given = re.compile(rf"{asked[1]} (?:{'|'.join(GAVE)}) the (.+) to {asked[2]}\.")
        things = {found[1] for found in map(given.fullmatch, facts) if found}
    else:
        asked = _GIFT.fullmatch(question.text)
        things = {asked[1]} if asked else set()
    return set[int]().union(*(_naming(facts, thing) for thing in things)) or None


def support(facts: Sequence[str], question: Question) -> set[int]:
    return set(question.support)


def _naming(facts: Sequence[str], name: str) -> set[int]:
    named = re.compile(rf"\b{re.escape(name)}\b", re.IGNORECASE)
    return {i for i, fact in enumerate(facts) if named.search(fact)}
