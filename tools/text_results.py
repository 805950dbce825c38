"""Sentiment, questions' classes and tags: ours and its peers on the same splits, from the data to the tables.

    python tools/text_results.py SHARED FOLDER [--rows 'trec/*;*/NB-SVM'] [--seeds 1,…] [--jobs N] [--minutes M]

SHARED holds sst/, trec/, text/, pos/ and vectors/ (text_data.py says which files). A finished training is a line of
docs/text.jsonl (`text_trainings.py` says what is in it) and isn't done again, so the tables in docs/text.md grow from
one call to the next. What is open is marked with `·`. Rows are patterns of data/system; UDPipe 1, which takes more than
an hour, is done only if a pattern ends with its name.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from statistics import mean, stdev
from typing import NamedTuple

from lines import NONE, OPEN, Line, arguments, missing, numbers, read, spread, table, work
from text_data import FEW, FEW_OF, FEW_VALID, WHOLE
from text_trainings import ENSEMBLES, OURS, SYSTEMS, TOGETHER, Shop, does, jobs

NAMES = {
    **{"sst2": "SST-2", "sst5": "SST-5", "trec": "TREC-6", "imdb": "IMDb"},
    **{"ewt-upos": "EWT, UPOS", "ewt-xpos": "EWT, XPOS"},
}
T_975 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)  # Student's t, of 1 degree of freedom and more
AGAINST = "NB-SVM"
HEAD = f"""\
# Sentiment, classes, tags

Test accuracy in %, ours and what one would take instead, on the same splits: mean ± sd (seeds). `·`: open. Made by
`make results-text`, which goes on where it stopped; every training is a line of [text.jsonl](text.jsonl). Everything is
chosen by the validation, the test is read once.

SST: all labelled phrases are trained on. TREC: 5,452 questions, and IMDb: 25,000 reviews, of which a tenth is held out
for the validation. EWT: gold words, accuracy of the words. Vectors, where a system takes any: 100-d skip-gram that was
trained for this project on 100,000 IMDb reviews. Those have read the reviews of IMDb's test: there, nobody
has vectors from outside. For TREC and EWT, *dmn* has those that *reading first* begins with (`--vectors DATA`): 128
numbers, trained by `dmn prepare` on the texts that are read (about 8 CPU minutes, once).

*reading first*: begins with what one network had learnt by reading 31 million words once, of the training and the
unlabelled reviews of IMDb and of Wikipedia (24,000 words a second of one core, perplexity 121 of what is held out; not
in the seconds below). It has word vectors of its own, trained on the same texts. It never saw a text of IMDb's or EWT's
test.

*{TOGETHER} together*: `dmn train --ensemble {TOGETHER}`, the mean of {TOGETHER} networks' probabilities.

Each peer (`tools/peers`) chooses among a few configurations. NB-SVM, tf-idf + LR, the CRF and UDPipe 1 give the same
with every seed. Seconds: ours by the clock, a peer's CPU seconds of training what was chosen.

"""
SMALL = f"""
## Few labels

{FEW} lines to train on and {FEW_VALID} others to choose by, drawn five times, and the whole test: mean ± sd (draws).
No text of the test is among them. *sst2-300*: whole sentences. *subj-300*: subjective or objective (Pang and Lee 2004);
*pros-cons-300*: pros or cons (Ganapathibhotla and Liu 2008). These two have no official splits: the test is the 2,000
distinct sentences whose SHA-256 is smallest.

"""
GAIN = f"""
The gain over {AGAINST} in points, draw by draw, with its 95 % interval (Student's t over the draws; *all*: over the
means of each draw).

"""


class Interval(NamedTuple):
    """A mean and how far from it the 95 % interval reaches."""

    mean: float
    reach: float


def interval(figures: Sequence[float]) -> Interval:
    """Of 2 to 10 figures, by Student's t."""
    return Interval(mean(figures), T_975[len(figures) - 2] * stdev(figures) / math.sqrt(len(figures)))


class Measured:
    """What the lines say."""

    def __init__(self, kept: Sequence[Line]) -> None:
        self.tests: dict[tuple[str, str], dict[int, float]] = {}  # (data, system) → seed → accuracy
        self.seconds: dict[tuple[str, str], list[float]] = {}
        self.rates: dict[tuple[str, str], list[float]] = {}
        for line in kept:
            cell = line["data"], line["system"]
            self.tests.setdefault(cell, {})[line["seed"]] = line["test"]
            self.seconds.setdefault(cell, []).append(line["seconds"])
            if "rate" in line:
                self.rates.setdefault(cell, []).append(line["rate"])

    def accuracy(self, data: str, system: str) -> str:
        if not does(system, data):
            return NONE
        tests = list(self.tests.get((data, system), {}).values())
        return f"{spread(tests)}{f' ({len(tests)})' if len(tests) > 1 else ''}" if tests else OPEN

    def cost(self, data: str, system: str) -> str:
        if not does(system, data):
            return NONE
        seconds = self.seconds.get((data, system))
        return f"{mean(seconds):.0f}" if seconds else OPEN

    def rate(self, data: str, system: str) -> str:
        if not does(system, data):
            return NONE
        rates = self.rates.get((data, system))
        return f"{mean(rates):,.0f}" if rates else OPEN


def whole(cell: Callable[[str, str], str], systems: Iterable[str] = SYSTEMS) -> str:
    """A line a system, a column a data set."""
    rows = [[system, *(cell(data, system) for data in WHOLE)] for system in systems]
    return table(["", *(NAMES[data] for data in WHOLE)], rows)


def few(measured: Measured) -> str:
    systems = [system for system in SYSTEMS if any(does(system, data) for data in FEW_OF)]
    return table(["", *FEW_OF], [[system, *(measured.accuracy(data, system) for data in FEW_OF)] for system in systems])


def gains(measured: Measured) -> str:
    """A line a system of ours: over AGAINST, in points."""
    rows = []
    for system in OURS:
        if not any(does(system, data) for data in FEW_OF):
            continue
        of = gains_of(measured, system)
        rows.append([system, *(_interval(list(own.values())) for own in of.values()), over_all(measured, system)])
    return table(["", *FEW_OF, "all"], rows)


def gains_of(measured: Measured, system: str) -> dict[str, dict[int, float]]:
    """data → draw → points over AGAINST, of the draws that both have"""
    return {
        data: gain(measured.tests.get((data, system), {}), measured.tests.get((data, AGAINST), {})) for data in FEW_OF
    }


def over_all(measured: Measured, system: str) -> str:
    """The same over the means of the draws that all have."""
    of = gains_of(measured, system).values()
    draws = set.intersection(*(set(own) for own in of))
    return _interval([mean(own[draw] for own in of) for draw in sorted(draws)])


def gain(ours: dict[int, float], theirs: dict[int, float]) -> dict[int, float]:
    """In points, of the draws that both have."""
    return {draw: 100 * (ours[draw] - theirs[draw]) for draw in ours.keys() & theirs.keys()}


def _interval(figures: Sequence[float]) -> str:
    if len(figures) < 2:
        return OPEN
    middle, reach = interval(figures)
    return f"{middle:+.1f} ({middle - reach:+.1f} to {middle + reach:+.1f})"


def page(kept: Sequence[Line]) -> str:
    measured = Measured(kept)
    seconds = "\nSeconds of a training:\n\n"
    rates = (
        "\nTexts, of tags sentences, a second of `dmn eval`, on one busy core:\n\n",
        whole(measured.rate, (*OURS, *ENSEMBLES)),
    )
    large = HEAD, whole(measured.accuracy), seconds, whole(measured.cost), *rates
    return "".join((*large, SMALL, few(measured), GAIN, gains(measured)))


def main() -> None:
    parser = arguments(__doc__, "the folder of the data")
    parser.add_argument("--rows", default="*", help="patterns of data/system, divided by semicolons")
    parser.add_argument("--seeds", type=numbers, help="of the systems that have several")
    given = parser.parse_args()
    wanted = jobs(given.rows.split(";"), given.seeds)
    if not wanted:
        parser.error(f"no data/system is like {given.rows}; systems: {', '.join(SYSTEMS)}")
    kept = given.docs / "text.jsonl"
    given.folder.mkdir(parents=True, exist_ok=True)
    if given.minutes:
        shop = Shop(given.data, given.folder.resolve(), given.options)
        work(shop.can(missing(wanted, kept)), shop.done, kept, jobs=given.jobs, minutes=given.minutes)
    text = page(read(kept))
    (given.docs / "text.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
