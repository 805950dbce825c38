"""Which facts a network's answers need (`records/left_out.py`): its answers to shortened stories, in batches too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F

from dmn_cli.evaluation.right import right_answers
from dmn_cli.records.batch import END, FACTS, Batch, cuts
from dmn_cli.records.left_out import LeftOut, Needs, search, without
from dmn_cli.records.network import Answered, Network
from dmn_cli.records.output import read_chance

FindNeeds = Callable[[Batch, Answered], Needs]
"""Finds what a network's answers to a batch need. The batch is on the CPU; the answers are on any device."""


def needs_of(network: Network, device: torch.device, at_once: int, batch: Batch, answered: Answered) -> Needs:
    """Asks the network about shortened stories, `at_once` of them together at most, without gradients."""
    whole = replace(batch, answer=F.pad(answered.words.cpu(), (0, 1), value=END))
    return found(batch, answered, partial(_changed, network, device, at_once, whole))


def found(batch: Batch, answered: Answered, changes: Callable[[LeftOut], np.ndarray]) -> Needs:
    """What the answers to a batch need; changes: as `search` takes it. Where each fact is answered, none is left out:
    the answer would have another length."""
    seen = torch.where(batch.per_fact, 0, batch.facts_seen).numpy()
    if answered.gates is None:
        return search(np.zeros((len(batch), batch.story.shape[1])), seen, changes)
    return search(read_chance(answered.gates).cpu().numpy(), seen, changes)


def _changed(network: Network, device: torch.device, at_once: int, whole: Batch, left: LeftOut) -> np.ndarray:
    """As `search` takes it. whole: the batch, with what was answered to it for right"""
    lengths = whole.facts_seen.numpy()[left.question]
    by_length = np.argsort(lengths, kind="stable")
    changed = np.empty(len(left), bool)
    for rows in np.split(by_length, cuts(lengths[by_length], np.ones(len(left)), at_once, FACTS)):
        shortened = network.arrange(without(whole, left.of(rows))).to(device)
        changed[rows] = right_answers(network.answer(shortened).words, shortened).cpu().numpy() == 0
    return changed
