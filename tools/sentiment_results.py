"""Sentiment systems side by side, from the data to the table.

    python tools/sentiment_results.py SHARED FOLDER [--systems rntn,…] [--seeds 1,…] [--jobs N] [--minutes M]

SHARED holds sst/ and vectors/. A finished training is a line of docs/systems.jsonl (`sentiment_trainings.py` says what
is in it) and isn't done again, so the table in docs/sentiment.md grows from one call to the next. What is open is
marked with `·`.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean

from lines import NONE, OPEN, Line, arguments, numbers, read, spread, table, work
from sentiment_trainings import DATA, OWN, SAME, SEEDS, SYSTEMS, TABLE, Shop, does, jobs

NAMES = {"sst2": "SST-2", "sst5": "SST-5"}
HEAD = """\
# Systems for sentiment

Test accuracy in % on the Stanford Sentiment Treebank, mean ± sd (seeds): the systems that stood in the table of the
Dynamic Memory Network's paper, made here from their papers (`src/dmn_cli/baselines/`), and a bi-directional LSTM. `·`:
open. Made by `make results-systems`, which goes on where it stopped; every training is a line of
[systems.jsonl](systems.jsonl). The validation chooses the epoch, the test is read once.

*own vectors*: of the size and kind of the paper, as far as they can be had: random ones where it learns them; for the
Tree-LSTM GloVe's of 9,910 words and for the CNN and the deep recursive network word2vec's of 8,000, since no whole file
of these could be had. *same vectors*: the 100-d skip-gram vectors of this project's other tables, for all of them.
All are trained on all labelled phrases: as texts of their own, or as the nodes of trees. *published*: of the paper, and
for the bi-LSTM of Tai et al. 2015. On the test, one point of SST-2 is 18 sentences, and one of SST-5 is 22.

"""
COST = """
What it costs: CPU seconds of a training of SST-5, of paragraph vectors with the choice of a regression, and questions
answered a second by one core.

"""


class Measured:
    """What the lines say."""

    def __init__(self, kept: Sequence[Line]) -> None:
        self.lines: dict[tuple[str, str, str], list[Line]] = {}
        for line in kept:
            if line["table"] == TABLE:
                self.lines.setdefault((line["data"], line["system"], line["vectors"]), []).append(line)

    def accuracy(self, data: str, system: str, vectors: str) -> str:
        if not does(system, vectors):
            return NONE
        tests = [line["test"] for line in self.lines.get((data, system, vectors), [])]
        return f"{spread(tests)} ({len(tests)})" if tests else OPEN

    def cost(self, key: str, system: str, vectors: str) -> str:
        """The mean of "seconds" or "rate"."""
        found = [line[key] for line in self.lines.get(("sst5", system, vectors), []) if key in line]
        return f"{mean(found):,.0f}" if found else OPEN if does(system, vectors) else NONE


def page(kept: Sequence[Line]) -> str:
    measured = Measured(kept)
    accuracies = [
        [
            system,
            *(measured.accuracy(data, system, vectors) for data in DATA for vectors in (OWN, SAME)),
            *(f"{one.published[data]:.1f}" for data in DATA),
        ]
        for system, one in SYSTEMS.items()
    ]
    costs = [
        [system, *(measured.cost(key, system, vectors) for key in ("seconds", "rate") for vectors in (OWN, SAME))]
        for system in SYSTEMS
    ]
    kinds = [f"{vectors} vectors" for vectors in (OWN, SAME)]
    head = ["", *(f"{NAMES[data]}, {kind}" for data in DATA for kind in kinds)]
    published = [f"{NAMES[data]}, published" for data in DATA]
    of_costs = ["", *(f"{what}, {kind}" for what in ("seconds", "questions/s") for kind in kinds)]
    return HEAD + table([*head, *published], accuracies) + COST + table(of_costs, costs)


def main() -> None:
    parser = arguments(__doc__, "the folder of the data")
    parser.add_argument("--systems", default=",".join(SYSTEMS), help="those to train")
    parser.add_argument("--seeds", type=numbers, default=SEEDS)
    given = parser.parse_args()
    systems = given.systems.split(",")
    if unknown := set(systems) - SYSTEMS.keys():
        parser.error(f"there is no system {min(unknown)}; there are: {', '.join(SYSTEMS)}")
    kept = given.docs / "systems.jsonl"
    given.folder.mkdir(parents=True, exist_ok=True)
    if given.minutes:
        shop = Shop(given.data, given.folder.resolve(), given.options)
        work(jobs(systems, given.seeds), shop.done, kept, jobs=given.jobs, minutes=given.minutes)
    text = page(read(kept))
    (given.docs / "sentiment.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
