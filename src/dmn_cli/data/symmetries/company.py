"""Whether atoms can change places and all that is known stays known; and which others have to go with them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from dmn_cli.data.symmetries.evidence import Evidence
from dmn_cli.data.symmetries.features import INDEPENDENT, SEEN
from dmn_cli.data.symmetries.tables import Lacking, Moves, Pair

_MOST = 5  # pairs that change places at once
_VOTES = 200  # things that lack an image, and say what else would have to move


def mended(evidence: Evidence, a: int, b: int) -> list[Pair] | None:
    """The swap of two atoms that don't pass alone, and with them of as few others as leave all the forms and company
    that is known: the first of each pair goes with `a`. None where there is none."""
    swap = [(a, b)]
    while len(swap) < _MOST:
        pair = _missed(evidence, swap)
        if pair is None:
            return None
        swap.append(pair)
        if passes(evidence, swap):
            return swap
    return None


def passes(evidence: Evidence, swap: Sequence[Pair]) -> bool:
    """Whether chance explains what a swap lacks: facts, pairs of words in facts, questions; pairs of words in what
    answers rest on, by their places and in any place; and, of words that only facts have, all that stories tell
    (`telling.py`). The quickest questions come first."""
    share = max(_share(evidence.often[a], evidence.often[b]) for a, b in swap)
    moves = Moves(swap, len(evidence.atoms))

    def of_facts() -> Iterator[Lacking]:
        yield evidence.facts.lacking(moves, share)
        yield evidence.fact_features.lacking(moves, share)

    def of_answers() -> Iterator[Lacking]:
        yield evidence.features.lacking(moves, share, SEEN, INDEPENDENT)
        yield evidence.bag_features.lacking(moves, share, SEEN)

    return (
        _known_alike(evidence, swap)
        and evidence.questions.lacking(moves, share).possible
        and _explained(of_facts())
        and _explained(of_answers())
        and not any(evidence.differ(a, b) for a, b in swap)
    )


def _explained(lackings: Iterable[Lacking]) -> bool:
    """Whether chance explains all that is lacking, and some of it tells something."""
    telling = False
    for lacking in lackings:
        if not lacking.possible:
            return False
        telling |= lacking.telling
    return telling


def _share(a: float, b: float) -> float:
    return max(a, b) / (a + b) if a and b else 0.5


def _known_alike(evidence: Evidence, swap: Sequence[Pair]) -> bool:
    """Atoms that change places are found in the same kinds of text."""
    return all(
        among[a] == among[b]
        for a, b in swap
        for among in (evidence.fact_atoms, evidence.question_atoms, evidence.answer_atoms)
    )


def _missed(evidence: Evidence, swap: Sequence[Pair]) -> Pair | None:
    """Two further atoms that keep company with those that move: what most misses one of them after the move, has the
    other."""
    table, atoms = evidence.features, len(evidence.atoms)
    moves, ahead = Moves(swap, atoms), {a for a, _ in swap}
    which = table.moved(moves)
    which = which[table.images(moves, which) == 0]
    which = which[np.argsort(-table.counts[which], kind="stable")[:_VOTES]]
    votes, weights = [], []
    for first in (True, False):
        mover, other = (table.first, table.second) if first else (table.second, table.first)
        here = which[moves.moving[mover[which]] & ~moves.moving[other[which]]]
        there, of = table.at(table.places[here], moves.to[mover[here]], first=first)
        counts = table.counts[there]
        weight = table.counts[here][of] * counts / np.bincount(of, counts, len(here))[of]
        goes_ahead = np.isin(mover[here], [*ahead])[of]
        one, instead = other[here][of], other[there]
        votes.append(np.where(goes_ahead, one * atoms + instead, instead * atoms + one))
        weights.append(np.where(moves.moving[instead], 0.0, weight))
    pair, of = np.unique(np.concatenate(votes), return_inverse=True)
    total = np.bincount(of, np.concatenate(weights), len(pair))
    most = pair[total == total.max(initial=0.0)]
    return divmod(int(most[-1]), atoms) if total.any() else None
