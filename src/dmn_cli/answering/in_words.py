"""What an answer needs, and how sure it is, as a person reads it."""

from __future__ import annotations

from dmn_cli.answering.answer import Answer, Without
from dmn_cli.records.left_out import PAIRED, SINGLES

_PAIRS = 5  # that are told, at most
_SURE = {0.99: "sure", 0.9: "almost sure", 0.7: "fairly sure", 0.4: "not sure"}


def confidence_in_words(confidence: float) -> str:
    """A word, and the confidence in percent; 100 only where it is 1 in all the digits that JSON has."""
    words = next((words for least, words in _SURE.items() if confidence >= least), "guessing")
    percent = 100 if confidence >= 1 - 5e-7 else min(99, round(100 * confidence))
    return f"{words}, {percent} %"


def needs_in_words(answer: Answer) -> list[str]:
    """The facts without which it is another answer, a line each; or, in a line, why none is told. Facts count from 1,
    those that are single words are told with their word, and regions of a picture by what they are called."""
    needs = answer.needs
    if needs is None:
        return ["each fact has an answer, so none was left out"] if answer.by_fact is not None else []
    facts, changing, kind = answer.facts, needs.changing, _kind(answer)
    if not needs.without:
        return [f"the only {kind} can't be left out"]
    cut = [f"of the {SINGLES} {kind}s with the highest gates"] if needs.singles < len(facts) else []
    if changing and len(changing[0].facts) == 1:
        return [*(_without(one, facts, kind) for one in changing), *(f"({of}, one at a time)" for of in cut)]
    if needs.paired and needs.paired < len(facts):
        cut.append(f"pairs of the {PAIRED} with the highest gates")
    among = f" ({', '.join(cut)})" if cut else ""
    if not changing:
        return [f"still {answer.text} without any one {kind}{', or any two' if needs.paired else ''}{among}"]
    more = len(changing) - _PAIRS
    return [
        f"still {answer.text} without any one {kind}{among}",
        *(_without(one, facts, kind) for one in changing[:_PAIRS]),
        *([f"and without {more} more pair{'s' if more > 1 else ''}"] if more > 0 else []),
    ]


def _kind(answer: Answer) -> str:
    if answer.picture:
        return "region"
    return "word" if all(len(fact.split()) == 1 for fact in answer.facts) else "fact"


def _without(one: Without, facts: list[str], kind: str) -> str:
    name = {"fact": "{n}", "word": "{n} ({fact})", "region": "{fact}"}[kind]
    named = " and ".join(name.format(n=at + 1, fact=facts[at]) for at in one.facts)
    return f"without {kind}{'s' if len(one.facts) > 1 else ''} {named}: {one.answer} ({one.confidence:.2f})"
