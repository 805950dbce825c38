"""The likeliest answers: those of a search that looks at every answer there is."""

from itertools import product

import pytest
import torch
from helpers import batch
from torch import Tensor

from dmn_cli.model.beam import likeliest
from dmn_cli.model.decoding import Reading, decode_once
from dmn_cli.records.batch import END

ANSWERS, QUESTIONS = 5, 3


class Speaker:
    """Words that depend on the question and the two words before, by tables of random numbers."""

    def __init__(self, tables: Tensor, rows: Tensor, last: Tensor) -> None:
        self.tables, self.rows, self.last = tables, rows, last

    def __call__(self, before: Tensor | None) -> Tensor:
        said = torch.full_like(self.last, ANSWERS) if before is None else before
        logits = self.tables[self.rows, self.last, said]
        self.last = said
        return logits.clone()

    def following(self, rows: Tensor) -> "Speaker":
        return Speaker(self.tables, self.rows[rows], self.last[rows])


def reading(seed: int, questions: int, max_steps: int, spread: float) -> Reading:
    shape = (questions, ANSWERS + 1, ANSWERS + 1, ANSWERS)
    tables = torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * spread
    rows = torch.arange(questions)

    def once() -> Speaker:
        return Speaker(tables, rows, torch.full_like(rows, ANSWERS))

    return Reading(None, None, max_steps, once, None, lambda: tables)  # type: ignore[arg-type]


def every_answer(readings: list[Reading], row: int, max_steps: int, barred: list[int]) -> dict[tuple[int, ...], float]:
    """The probability of each answer, word by word."""
    found: dict[tuple[int, ...], float] = {}
    for length in range(1, max_steps):
        for words in product(range(1, ANSWERS), repeat=length):
            ended = (*words, END)
            speakers, p, before = [one.once() for one in readings], 1.0, None
            for t, word in enumerate(ended):
                chances = torch.zeros(ANSWERS)
                for speak in speakers:
                    logits = speak(before)[row]
                    logits[[*barred, *([END] if t == 0 else [])]] = -torch.inf
                    chances += torch.softmax(logits, 0) / len(speakers)
                p *= float(chances[word])
                before = torch.full((QUESTIONS,), word)
            found[words] = p
    return found


@pytest.mark.parametrize("max_steps", [2, 3])
@pytest.mark.parametrize("networks", [1, 2])
@pytest.mark.parametrize("barred", [[], [3]])
def test_it_finds_what_a_search_of_all_answers_finds(max_steps: int, networks: int, barred: list[int]) -> None:
    """With their probabilities, which are of whole answers; also where the ends of answers are unlikely."""
    questions, k = QUESTIONS, 4
    readings = [reading(seed, questions, max_steps, spread=1.5) for seed in range(networks)]
    mask = torch.zeros(1, ANSWERS, dtype=torch.bool)
    mask[0, barred] = True
    asked = batch([([[2]], [3], [1], [])] * questions)
    object.__setattr__(asked, "barred", mask if barred else None)
    words, probability = likeliest(readings, asked, k)
    for row in range(questions):
        every = every_answer(readings, row, max_steps, barred)
        best = sorted(every, key=every.__getitem__, reverse=True)[:k]
        said = [tuple(word for word in answer if word != END) for answer in words[row].tolist()]
        there = [answer for answer, p in zip(said, probability[row].tolist(), strict=True) if p]
        assert there == [answer for answer in best if every[answer]]
        assert probability[row, : len(there)].tolist() == pytest.approx([every[answer] for answer in there], rel=1e-4)


def test_more_answers_than_there_are() -> None:
    """What isn't there has no probability; the first is the greedy one, where it is far likelier than others."""
    one = reading(1, QUESTIONS, 2, spread=1)
    asked = batch([([[2]], [3], [1], [])] * QUESTIONS)
    words, probability = likeliest([one], asked, 9)
    assert words.shape == (QUESTIONS, 9, 2)
    assert ((probability > 0).sum(dim=1) == ANSWERS - 1).all()
    assert (words[:, : ANSWERS - 1, 0].sort(dim=1).values == torch.arange(1, ANSWERS)).all()
    sure = reading(1, QUESTIONS, 2, spread=50)
    greedy, confidence = decode_once([sure.once()], 2)
    words, probability = likeliest([sure], asked, 1)
    ended = greedy[:, 1] == END
    assert ended.any()
    assert words[ended, 0].tolist() == greedy[ended].tolist()
    assert probability[ended, 0].tolist() == pytest.approx(confidence[ended, 0].tolist())
