"""Oracles for the bAbI families about people, places and things: they read the text and nothing else.

`qaN(facts, question)` answers from the sentences before a question. It gives None where those sentences leave the
answer open, and raises AssertionError at a sentence or a question that is not in its family's language.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Final

Answer = tuple[str, ...] | None
Oracle = Callable[[Sequence[str], str], Answer]

MOVED = "(?:moved|went|journeyed|travelled|went back)"
TAKEN = "(?:took|got|grabbed|picked up)"
LEFT = "(?:left|dropped|discarded|put down)"
GAVE = "(?:gave|passed|handed)"
NEXT = "(?:Then|Afterwards|After that|Following that)"

MOVE = f"(WHO) {MOVED} to the (PLACE)."
TAKE = f"(WHO) {TAKEN} the (THING)(?: there)?."
LEAVE = f"(WHO) {LEFT} the (THING)(?: there)?."
GIVE = f"(WHO) {GAVE} the (THING) to (WHO)."

WHERE = "Where is (WHO)?"
IS_IN = "Is (WHO) in the (PLACE)?"


class Language:
    """The sentences and questions of a family: `Form=pattern`, in which WHO, PLACE and THING are its vocabulary."""

    def __init__(self, people: str, places: str, things: str = "apple football milk", **forms: str) -> None:
        self.forms: dict[str, re.Pattern[str]] = {}
        for form, pattern in forms.items():
            pattern = re.sub(r"\.$|\?$", r"\\\g<0>", pattern)
            for name, words in (("WHO", people), ("PLACE", places), ("THING", things)):
                pattern = pattern.replace(name, "|".join(words.split()))
            self.forms[form] = re.compile(pattern)

    def read(self, sentence: str) -> tuple[str, list[str]]:
        """The form of a sentence and what it names, in order."""
        for form, pattern in self.forms.items():
            if match := pattern.fullmatch(sentence):
                return form, list(match.groups())
        raise AssertionError(f"not of this family's language: {sentence!r}")

    def read_all(self, sentences: Iterable[str]) -> Iterator[tuple[str, list[str]]]:
        return map(self.read, sentences)


FOUR: Final = "Mary John Daniel Sandra"
HOUSE: Final = "kitchen hallway bathroom garden office bedroom"
TOWN_FOUR: Final = "Mary Fred Bill Julie"
TOWN: Final = "kitchen bedroom office park school cinema"

QA1: Final = Language(FOUR, HOUSE, move=MOVE, where=WHERE)
QA2: Final = Language(FOUR, HOUSE, move=MOVE, take=TAKE, leave=LEAVE, where="Where is the (THING)?")
QA3: Final = Language(FOUR, HOUSE, move=MOVE, take=TAKE, leave=LEAVE, was="Where was the (THING) before the (PLACE)?")
QA5: Final = Language(
    "Mary Fred Bill Jeff",
    HOUSE,
    move=MOVE,
    take=TAKE,
    leave=LEAVE,
    give=GIVE,
    what="What did (WHO) give to (WHO)?",
    whom="Who did (WHO) give the (THING) to?",
    who_gave="Who gave the (THING)?",
    who_gave_to="Who gave the (THING) to (WHO)?",
    who_received="Who received the (THING)?",
)
QA6: Final = Language(FOUR, HOUSE, move=MOVE, take=TAKE, leave=LEAVE, is_in=IS_IN)
QA7: Final = Language(
    FOUR, HOUSE, move=MOVE, take=TAKE, leave=LEAVE, give=GIVE, count="How many objects is (WHO) carrying?"
)
QA8: Final = Language(FOUR, HOUSE, move=MOVE, take=TAKE, leave=LEAVE, what="What is (WHO) carrying?")
QA9: Final = Language(
    FOUR,
    HOUSE,
    move=MOVE,
    there="(WHO) is in the (PLACE).",
    not_there="(WHO) is (?:not|no longer) in the (PLACE).",
    is_in=IS_IN,
)
QA10: Final = Language(
    TOWN_FOUR,
    TOWN,
    move=MOVE,
    there="(WHO) is in the (PLACE).",
    either="(WHO) is either in the (PLACE) or the (PLACE).",
    is_in=IS_IN,
)
QA11: Final = Language(FOUR, HOUSE, move=MOVE, then=f"{NEXT} (he|she) {MOVED} to the (PLACE).", where=WHERE)
QA12: Final = Language(FOUR, HOUSE, move=f"(WHO) and (WHO) {MOVED} to the (PLACE).", where=WHERE)
QA13: Final = Language(
    FOUR,
    HOUSE,
    move=f"(WHO) and (WHO) {MOVED} to the (PLACE).",
    then=f"{NEXT} they {MOVED} to the (PLACE).",
    where=WHERE,
)
QA14: Final = Language(
    TOWN_FOUR,
    TOWN,
    move_then=f"(WHO) {MOVED} to the (PLACE) (yesterday|this morning|this afternoon|this evening).",
    then_move=f"(Yesterday|This morning|This afternoon|This evening) (WHO) {MOVED} to the (PLACE).",
    was="Where was (WHO) before the (PLACE)?",
)


def one(answer: str | None) -> Answer:
    """An answer of one element, or none."""
    return None if answer is None else (answer,)


def qa1(facts: Sequence[str], question: str) -> Answer:
    """Where someone is: where they moved last."""
    _, [asked] = QA1.read(question)
    place = {who: place for _, (who, place) in QA1.read_all(facts)}
    return one(place.get(asked))


def trail(language: Language, facts: Sequence[str], asked: str) -> list[str | None]:
    """The places a thing has been at, as far as the facts show them; None where it is somewhere unknown.

    A thing is where its carrier is, and stays where it is left. One who leaves a thing that nobody was seen to take
    had it all along: that is all there is to tell the way it came when only part of a story is at hand.
    """
    place: dict[str, str] = {}
    way: dict[str, list[str]] = {}
    carrier, taken, thing_way = None, False, list[str | None]()

    def seen(where: str | None) -> None:
        if where not in thing_way[-1:]:
            thing_way.append(where)

    for form, [who, what] in language.read_all(facts):
        if form == "move":
            place[who] = what
            way.setdefault(who, []).append(what)
            if who == carrier:
                seen(what)
        elif what == asked:
            if form == "leave" and not taken:
                for where in way.get(who, []):
                    seen(where)
            seen(place.get(who))
            carrier, taken = (who if form == "take" else None), True
    return thing_way


def qa2(facts: Sequence[str], question: str) -> Answer:
    """Where a thing is: with its carrier, or where it was left."""
    _, [asked] = QA2.read(question)
    places = trail(QA2, facts, asked)
    return one(places[-1]) if places else None


def qa3(facts: Sequence[str], question: str) -> Answer:
    """Where a thing was before it came, for the last time, to a place."""
    _, [asked, later] = QA3.read(question)
    places = trail(QA3, facts, asked)
    before = [first for first, second in pairwise(places) if second == later]
    return one(before[-1]) if before else None


def qa5(facts: Sequence[str], question: str) -> Answer:
    """Who gave what to whom: the last giving that fits the question."""
    form, asked = QA5.read(question)
    for fact in reversed([QA5.read(fact) for fact in facts]):
        match form, asked, fact:
            case "what", [giver, taker], ("give", [who, what, whom]) if (giver, taker) == (who, whom):
                return (what,)
            case "whom", [giver, thing], ("give", [who, what, whom]) if (giver, thing) == (who, what):
                return (whom,)
            case "who_gave", [thing], ("give", [who, what, whom]) if thing == what:
                return (who,)
            case "who_gave_to", [thing, taker], ("give", [who, what, whom]) if (thing, taker) == (what, whom):
                return (who,)
            case "who_received", [thing], ("give", [who, what, whom]) if thing == what:
                return (whom,)
            case _:
                pass
    return None


def qa6(facts: Sequence[str], question: str) -> Answer:
    """Whether someone is at a place: whether they moved there last."""
    _, [asked, there] = QA6.read(question)
    place = {who: place for form, (who, place) in QA6.read_all(facts) if form == "move"}
    return one(("yes" if place[asked] == there else "no") if asked in place else None)


def carried(language: Language, facts: Sequence[str], asked: str) -> list[str] | None:
    """What someone carries, in the order in which they first had it, even if they left it meanwhile.

    They began with nothing, and all they take and give is told. None where nothing told is about what they carry, or
    where they get what they have or give what they have not: then some of the story is missing.
    """
    has: dict[str, bool] = {}
    for form, named in language.read_all(facts):
        match form, named:
            case ("take", [who, thing]) | ("give", [_, thing, who]) if who == asked:
                gets = True
            case ("leave", [who, thing]) | ("give", [who, thing, _]) if who == asked:
                gets = False
            case _:
                continue
        if has.get(thing, False) is gets:
            return None
        has[thing] = gets
    return [thing for thing in has if has[thing]] if has else None


def qa7(facts: Sequence[str], question: str) -> Answer:
    """How many things someone carries."""
    _, [asked] = QA7.read(question)
    things = carried(QA7, facts, asked)
    return None if things is None else (("none", "one", "two", "three")[len(things)],)


def qa8(facts: Sequence[str], question: str) -> Answer:
    """What someone carries, in the order in which they first took it."""
    _, [asked] = QA8.read(question)
    things = carried(QA8, facts, asked)
    return None if things is None else tuple(things or ["nothing"])


def qa9(facts: Sequence[str], question: str) -> Answer:
    """Whether someone is at a place, by the last thing told of them."""
    _, [asked, there] = QA9.read(question)
    told = {who: (form, place) for form, (who, place) in QA9.read_all(facts)}
    match told.get(asked):
        case "not_there", place:
            return ("no",) if place == there else None
        case _, place:
            return ("yes",) if place == there else ("no",)
        case _:
            return None


def qa10(facts: Sequence[str], question: str) -> Answer:
    """Whether someone is at a place, by the last thing told of them: yes, no, or maybe."""
    _, [asked, there] = QA10.read(question)
    told = {who: (form, places) for form, (who, *places) in QA10.read_all(facts)}
    match told.get(asked):
        case "either", places:
            return ("maybe",) if there in places else ("no",)
        case _, places:
            return ("yes",) if there in places else ("no",)
        case _:
            return None


def qa11(facts: Sequence[str], question: str) -> Answer:
    """Where someone is; he or she is the one just named."""
    _, [asked] = QA11.read(question)
    sex = {"Mary": "she", "Sandra": "she", "John": "he", "Daniel": "he"}
    place: dict[str, str] = {}
    last = ""
    for form, [who, where] in QA11.read_all(facts):
        if form == "move":
            last = who
            place[who] = where
        elif sex.get(last) == who:
            place[last] = where
        else:  # one of them, nobody knows which
            place = {other: where for other, where in place.items() if sex[other] != who}
    return one(place.get(asked))


def qa12(facts: Sequence[str], question: str) -> Answer:
    """Where someone is: where they moved last, with another."""
    _, [asked] = QA12.read(question)
    place = {who: place for _, (*pair, place) in QA12.read_all(facts) for who in pair}
    return one(place.get(asked))


def qa13(facts: Sequence[str], question: str) -> Answer:
    """Where someone is; they are the two just named."""
    _, [asked] = QA13.read(question)
    place: dict[str, str] = {}
    pair: list[str] = []
    for form, [*who, where] in QA13.read_all(facts):
        if form == "move":
            pair = who
        elif not pair:
            place.clear()
        place |= dict.fromkeys(pair, where)
    return one(place.get(asked))


def qa14(facts: Sequence[str], question: str) -> Answer:
    """Where someone was before they were, for the last time, at a place, by the hours told and not their order."""
    _, [asked, later] = QA14.read(question)
    hours = ["yesterday", "this morning", "this afternoon", "this evening"]
    places: dict[str, str] = {}
    for form, named in QA14.read_all(facts):
        who, where, hour = named if form == "move_then" else (*named[1:], named[0].lower())
        if who == asked:
            places[hour] = where
    way = [places[hour] for hour in hours if hour in places]
    before = [first for first, second in pairwise(way) if second == later]
    return one(before[-1]) if before else None


ORACLES: Final[dict[str, Oracle]] = {
    "qa1": qa1,
    "qa2": qa2,
    "qa3": qa3,
    "qa5": qa5,
    "qa6": qa6,
    "qa7": qa7,
    "qa8": qa8,
    "qa9": qa9,
    "qa10": qa10,
    "qa11": qa11,
    "qa12": qa12,
    "qa13": qa13,
    "qa14": qa14,
}
