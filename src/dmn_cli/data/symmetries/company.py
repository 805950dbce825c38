"""Whether atoms can change places and all that is known stays known; and which others have to go with them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from dmn_cli.data.symmetries.evidence import Evidence
from dmn_cli.data.symmetries.features import INDEPENDENT, SEEN
from dmn_cli.data.symmetries.tables import Lacking, Moves, pairs

_MOST = 5  # pairs that change places at once
_VOTES = 200  # things that lack an image, and say what else would have to move

Pair = tuple[int, int]


def moves_of(swap: Iterable[Pair]) -> dict[int, int]:
    return {a: b for pair in swap for a, b in (pair, pair[::-1])}


def mended(evidence: Evidence, a: int, b: int) -> list[Pair] | None:
    """The swap of two atoms, and with them of as few others as leave all the forms and company that is known: the
    first of each pair goes with `a`. None where there is none."""
    swap = [(a, b)]
    while not passes(evidence, moves_of(swap)):
        pair = _missed(evidence, swap)
        if pair is None or len(swap) == _MOST:
            return None
        swap.append(pair)
    return swap


def passes(evidence: Evidence, moves: Moves) -> bool:
    facts, fact_pairs, _, places, bags = found = lackings(evidence, moves)
    return (
        (facts.telling or fact_pairs.telling)
        and (places.telling or bags.telling)
        and all(lacking.possible for lacking in found)
        and _known_alike(evidence, moves)
    )


def lackings(evidence: Evidence, moves: Moves) -> tuple[Lacking, Lacking, Lacking, Lacking, Lacking]:
    """What a move lacks: facts, pairs of words in facts, questions; pairs of words in what answers rest on, by their
    places and in any place."""
    share = max(_share(evidence.often[a], evidence.often[b]) for a, b in pairs(moves))
    atoms = len(evidence.atoms)
    return (
        evidence.facts.lacking(moves, share),
        evidence.fact_features.lacking(moves, share, atoms),
        evidence.questions.lacking(moves, share),
        evidence.features.lacking(moves, share, atoms, SEEN, INDEPENDENT),
        evidence.bag_features.lacking(moves, share, atoms, SEEN),
    )


def _share(a: float, b: float) -> float:
    return max(a, b) / (a + b) if a and b else 0.5


def _known_alike(evidence: Evidence, moves: Moves) -> bool:
    """Atoms that change places are found in the same kinds of text."""
    return all(
        among[a] == among[b]
        for a, b in pairs(moves)
        for among in (evidence.fact_atoms, evidence.question_atoms, evidence.answer_atoms)
    )


def _missed(evidence: Evidence, swap: Sequence[Pair]) -> Pair | None:
    """Two further atoms that keep company with those that move: what most misses one of them after the move, has the
    other."""
    moves = moves_of(swap)
    ahead = {a for a, _ in swap}
    table = evidence.features
    which = table.moved(moves)
    which = which[table.images(moves, which, len(evidence.atoms)) == 0]
    which = which[np.argsort(-table.counts[which], kind="stable")[:_VOTES]]
    votes: dict[Pair, float] = defaultdict(float)
    for i in which:
        one, two = int(table.first[i]), int(table.second[i])
        for mover, other, first in ((one, two, True), (two, one, False)):
            if mover in moves and other not in moves:
                found, counts = table.at(int(table.places[i]), moves[mover], first=first)
                for instead, count in zip(found.tolist(), counts.tolist(), strict=True):
                    if instead not in moves:
                        pair = (other, instead) if mover in ahead else (instead, other)
                        votes[pair] += table.counts[i] * count / counts.sum()
    return max(votes, key=lambda pair: (votes[pair], pair)) if votes else None
