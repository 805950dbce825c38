"""Which questions are answered in one batch: those that share a story, and stories of similar length."""

from __future__ import annotations

import numpy as np

from dmn_cli.records.batch import cuts

_FACTS = 40_960  # seen in a batch of many questions
_CELLS = 1 << 20  # of a batch's rectangles, padding included, but for a story that needs more by itself


def shared(facts: np.ndarray, start: np.ndarray, length: np.ndarray, max_batch: int) -> list[list[int]]:
    """Groups of questions that share a story: the places of equal stories, and of the beginnings of the longest one,
    which comes first. Groups are in the order of that story's length.

    facts: of all stories, one after the other, as numbers; start, length: (questions,) where each story begins there
    """
    width, all_facts = 4, facts.astype(">u4").tobytes()  # so written, numbers have their order as bytes
    stories = [all_facts[width * s : width * (s + n)] for s, n in zip(start.tolist(), length.tolist(), strict=True)]
    groups: list[list[int]] = []
    longest, most = b"", 0
    for place in sorted(range(len(stories)), key=stories.__getitem__, reverse=True):
        story = stories[place]
        if longest.startswith(story) and len(groups[-1]) < most:
            groups[-1].append(place)
        else:
            longest, most = story, min(max_batch, _FACTS * width // len(story))
            groups.append([place])
    return sorted(groups, key=lambda group: len(stories[group[0]]))


def parts(length: np.ndarray, questions: np.ndarray, words: np.ndarray, max_batch: int) -> list[np.ndarray]:
    """Groups that share a story, which come in the order of its length, cut into batches, none of which has much
    padding. length, questions, words: (groups,) facts of the story, questions, words of its longest sentence"""
    found: list[np.ndarray] = []
    for part in np.split(np.arange(len(length)), cuts(length, questions, max_batch, _FACTS)):
        cells = max(int(questions[part].sum() * length[part].max()), int(length[part].sum() * words[part].max()))
        found += [part] if cells <= _CELLS else _smaller(part, length, questions, words)
    return found


def _smaller(part: np.ndarray, length: np.ndarray, questions: np.ndarray, words: np.ndarray) -> list[np.ndarray]:
    """The same groups as parts that have few cells, or are one group."""
    parts: list[list[int]] = []
    facts = asked = longest = 0
    for group in part.tolist():
        facts, asked, longest = facts + length[group], asked + questions[group], max(longest, words[group])
        if parts and max(asked * length[group], facts * longest) <= _CELLS:
            parts[-1].append(group)
        else:
            parts.append([group])
            facts, asked, longest = length[group], questions[group], words[group]
    return [np.array(groups) for groups in parts]
