"""Counting by sorting: much quicker here than the tables of hashes that `np.unique` makes."""

from __future__ import annotations

import numpy as np

from dmn_cli.records.ragged import spans

_NARROW = 1 << 31


def changes(values: np.ndarray) -> np.ndarray:
    """Where an ascending array has another value than before."""
    changing = np.ones(len(values), bool)
    np.not_equal(values[1:], values[:-1], out=changing[1:])
    return changing


def runs(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where each distinct value of an ascending array begins, and how often it is there."""
    bounds = np.append(changes(values).nonzero()[0], len(values))
    return bounds[:-1], bounds[1:] - bounds[:-1]


def distinct(values: np.ndarray) -> np.ndarray:
    """The distinct values of an array, ascending."""
    values = np.sort(values, axis=None)
    return values[changes(values)]


def distinct_rows(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where each distinct row of a table is first, and which of these each row is."""
    keys = (table.astype(np.uint64) * draws(table.shape[1])).sum(1, dtype=np.uint64)
    return np.unique(keys, return_index=True, return_inverse=True)[1:]


def by_story(
    keys: np.ndarray, story: np.ndarray, largest: int, of: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The distinct keys, ascending, and in how many stories each occurs.

    keys: (…, n), each at most `largest`; story: (units,); of: (units,) which of the n each unit has, None: all in turn
    """
    bits = int(story.max(initial=0)).bit_length()
    kind = np.int32 if largest < _NARROW >> bits else np.int64
    keys = keys.astype(kind) << kind(bits)
    both = keys if of is None else keys.take(of, axis=-1)
    both |= story.astype(kind)
    both = both.reshape(-1)
    both.sort()
    once = both[changes(both)] >> kind(bits)
    starts, counts = runs(once)
    return once[starts].astype(np.int64), counts


def together(groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The positions of all pairs within groups, the later one first. groups: (n,) ascending numbers"""
    before = np.arange(len(groups)) - np.repeat(*runs(groups))
    return np.repeat(np.arange(len(groups)), before), spans(np.arange(len(groups)) - before, before)


def numbered(keys: np.ndarray) -> np.ndarray:
    """Numbers from 0 on, the same where the keys are."""
    return np.unique(keys, return_inverse=True)[1].ravel()


def mixed(values: np.ndarray) -> np.ndarray:
    """Numbers that look random, each of one of the values, uint64."""
    values = values * np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    return values ^ (values >> np.uint64(32))


def draws(count: int) -> np.ndarray:
    """Numbers that words, or their places, are told apart by in hashes. (count,) uint64, odd"""
    return mixed(np.arange(1, count + 1, dtype=np.uint64)) | np.uint64(1)


def found_in(known: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Which values are among the known ones, which are ascending. (n,) bool"""
    return looked_up(known, np.ones(len(known), bool), values)


def looked_up(known: np.ndarray, what: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """What belongs to some keys, 0 where they aren't known. known: (n,), ascending; what: (n,)"""
    if not len(known):
        return np.zeros(len(keys), what.dtype)
    at = known.searchsorted(keys)
    at[at == len(known)] = 0
    return what[at] * (known[at] == keys)
