"""Binary trees of a batch, level by level, so that all nodes of one height are computed together.

A node's height is 0 at a leaf, else 1 + that of its higher branch. Nodes are numbered by height: first the leaves of
all trees, then the nodes of height 1, … What is computed from the leaves up needs no more than the nodes whose parent
isn't computed yet: `up` keeps these alone at hand.

    (a (b c)) (d e)       leaves a b c d e    height 1: bc, de    height 2: abc
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from dmn_cli.errors import DataError
from dmn_cli.records.packing import move
from dmn_cli.records.text import WORD


class Level(NamedTuple):
    """The nodes of one height."""

    nodes: slice  # which they are
    take: Tensor  # their left branches, their right ones, then the others, of the nodes that wait for their parents


@dataclass(frozen=True)
class Trees:
    words: Tensor  # (leaves,) word ids
    levels: list[Level]  # from height 1 on
    label: Tensor  # (nodes,) answer ids; -1: none
    tree: Tensor  # (nodes,) whose node it is
    root: Tensor  # (trees,) nodes

    @classmethod
    def of(cls, sentences: Tensor, nodes: Tensor) -> Trees:
        """sentences, nodes: (trees, words), as of `Batch`, on the CPU. Raises: DataError where one isn't a tree"""
        rows, said = sentences.numpy(), nodes.numpy()
        row, place = np.nonzero(said != WORD)  # what closes nodes, tree by tree
        leaf = (place > 0) & (said[row, place - 1] == WORD)
        first = np.flatnonzero(np.diff(row, prepend=-1))
        height = _open(leaf, first)
        last = np.append(first[1:], len(row)) - 1
        whole = len(first) == len(rows) and (height >= 1).all() and (height[last] == 1).all()
        if not whole or np.count_nonzero(rows) != len(row) + np.count_nonzero(leaf):
            raise DataError("a fact is no binary tree")
        left, right = _branches(leaf, row, height)
        level = _levels(leaf, left, right)
        order = np.argsort(level, kind="stable")
        number = np.empty_like(order)
        number[order] = np.arange(len(order))
        ends = np.cumsum(np.bincount(level))
        words = rows[row[leaf], place[leaf] - 1]
        tensor = torch.from_numpy
        return cls(
            words=tensor(words),
            levels=_schedule(ends, number[left[order]], number[right[order]]),
            label=tensor(said[row, place][order]),
            tree=tensor(row[order]),
            root=tensor(number[last]),
        )

    def to(self, device: torch.device) -> Trees:
        levels = [Level(level.nodes, move(level.take, device)) for level in self.levels]
        words, label, tree, root = (move(t, device) for t in (self.words, self.label, self.tree, self.root))
        return Trees(words, levels, label, tree, root)

    def up(self, leaves: Tensor, node: Callable[[Tensor, Tensor, slice], Tensor]) -> Tensor:
        """The states of all nodes. leaves: theirs, (leaves, state); node: takes the states of the left and of the right
        branches of some nodes, (n, state) each, and which nodes these are, and gives theirs → (nodes, state)"""
        done = [leaves]
        waiting = leaves
        for level in self.levels:
            n = level.nodes.stop - level.nodes.start
            left, right, others = waiting.index_select(0, level.take).split([n, n, len(level.take) - 2 * n])
            done.append(node(left, right, level.nodes))
            waiting = torch.cat([others, done[-1]])
        return torch.cat(done)


def _open(leaf: np.ndarray, first: np.ndarray) -> np.ndarray:
    """How many nodes of its tree have no parent yet once each is read: a leaf adds one, any other takes two for one.
    leaf: (nodes,) bool; first: (trees,) where each begins"""
    step = np.where(leaf, 1, -1)
    total = np.cumsum(step)
    before = total[first] - step[first]
    return total - np.repeat(before, np.diff(np.append(first, len(leaf))))


def _branches(leaf: np.ndarray, row: np.ndarray, height: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both branches of each node that isn't a leaf, 0 at leaves. In post-order the right one is the node before, and
    the left one is the last node before that left as many open."""
    numbers = np.arange(len(leaf))
    by_height = np.lexsort((numbers, height, row))
    left = np.zeros(len(leaf), np.int64)
    left[by_height[1:]] = by_height[:-1]
    return np.where(leaf, 0, left), np.where(leaf, 0, numbers - 1)


def _levels(leaf: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The height of each node, found from the leaves up."""
    level = np.where(leaf, 0, -1)
    open_ = np.flatnonzero(~leaf)
    while len(open_):
        lower = np.minimum(level[left[open_]], level[right[open_]])
        ready = open_[lower >= 0]
        level[ready] = 1 + np.maximum(level[left[ready]], level[right[ready]])
        open_ = open_[lower < 0]
    return level


def _schedule(ends: np.ndarray, left: np.ndarray, right: np.ndarray) -> list[Level]:
    """ends: where each level's nodes end; left, right: (nodes,) branches, in the order of the nodes"""
    waiting = np.arange(ends[0])
    at = np.full(ends[-1], -1)  # where each node is among those that wait
    levels = []
    for begin, end in zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True):
        at[waiting] = np.arange(len(waiting))
        taken = np.concatenate([at[left[begin:end]], at[right[begin:end]]])
        stays = np.ones(len(waiting), bool)
        stays[taken] = False
        levels.append(Level(slice(begin, end), torch.from_numpy(np.concatenate([taken, np.flatnonzero(stays)]))))
        waiting = np.concatenate([waiting[stays], np.arange(begin, end)])
    return levels
