"""Stories with facts left out that support no answer: new stories, where every answer stays right.

Whether answers do stay right depends on the data ("Then she went" after the wrong person), so a training thins stories
only once its own answers to thinned ones are as good (`training/loop.py`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

_MOST = 0.8  # of the facts that support nothing
_WHOLE = 0.3  # of the stories stay as they are


class Told(NamedTuple):
    """Some stories, end to end, and the questions about them, in order."""

    facts: np.ndarray  # (facts of all,) numbers of sentences
    lengths: np.ndarray  # (stories,)
    questions: np.ndarray  # (stories,) how many are asked of each
    positions: np.ndarray  # (questions,) how many facts each question sees
    supports: np.ndarray  # (supports of all,) positions in the story, from 0
    supporting: np.ndarray  # (questions,) how many supporting facts each has
    unanswerable: np.ndarray | None = None  # (questions,) True where no fact bears on it; None: nowhere

    def thinned(self, random: np.random.Generator) -> Told:
        """Facts that support none of a story's questions are left out at random, in some stories more than in others.
        A story with a question whose supporting facts are unknown stays whole, unless there are none: with fewer facts,
        it stays unanswerable."""
        chance = random.uniform(0, _MOST, len(self.lengths)) * (random.random(len(self.lengths)) >= _WHOLE)
        story = np.repeat(np.arange(len(self.lengths)), self.questions)
        unanswerable = np.zeros(len(story), bool) if self.unanswerable is None else self.unanswerable
        chance[story[(self.supporting == 0) & ~unanswerable]] = 0.0
        kept = random.random(len(self.facts)) >= np.repeat(chance, self.lengths)
        begin = np.cumsum(self.lengths) - self.lengths
        of_support = np.repeat(begin[story], self.supporting)
        kept[of_support + self.supports] = True
        kept[begin[story[unanswerable]]] = True  # each question sees a fact
        before = np.concatenate([[0], np.cumsum(kept)])  # facts that are kept before each
        return Told(
            facts=self.facts[kept],
            lengths=before[begin + self.lengths] - before[begin],
            questions=self.questions,
            positions=before[begin[story] + self.positions] - before[begin[story]],
            supports=before[of_support + self.supports] - before[of_support],
            supporting=self.supporting,
            unanswerable=self.unanswerable,
        )
