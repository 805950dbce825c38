"""What networks share that read trees: a softmax at every node, in training; the root's is the answer.

    s_η = W h_η + b        J = Σ_η CE(softmax(s_η), y_η)  over all nodes η that have a label

A node whose label is no answer (neutral, of two classes) has the end token as its class, which is never answered: so
trained with three classes, and asked for one of two (Tai et al. 2015, sec. 5.1).
"""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from dmn_cli.baselines.classifier import Classifier, cross_entropy, without_end
from dmn_cli.records.batch import Batch
from dmn_cli.records.network import Losses
from dmn_cli.records.trees import Trees


class TreeClassifier(Classifier):
    """A network that gives each node of a tree one of several answers."""

    reads_trees = True

    def arrange(self, batch: Batch) -> Batch:
        _ = batch.trees
        return batch

    @abstractmethod
    def nodes(self, trees: Trees) -> Tensor:
        """s of all nodes: (nodes, answers)"""

    def classes(self, batch: Batch) -> Tensor:
        return self.nodes(batch.trees)[batch.trees.root][_asked(batch)]

    def losses(self, batch: Batch, supervision: str | None) -> Losses:
        trees = batch.trees
        s = self.nodes(trees)
        of_nodes = cross_entropy(s, trees.label, self.label_smoothing)
        of_trees = torch.zeros_like(trees.root, dtype=s.dtype).index_add(0, trees.tree, of_nodes)
        roots = without_end(s[trees.root][_asked(batch)])
        return Losses(cross_entropy(roots, batch.answer[:, 0]), None, of_trees[_asked(batch)])


def _asked(batch: Batch) -> Tensor:
    """The tree that each question is about, the last one that it sees. (questions,)"""
    return batch.story[batch.story_of, batch.facts_seen - 1]
