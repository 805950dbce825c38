"""How far a confidence can be believed: its error, and the temperature that makes it small.

    T = argmin_T -Σ log softmax(z / T)_y        (Guo et al. 2017, arXiv 1706.04599, sec. 4.2)

over the logits z and the right words y of a validation split, one scalar for the whole network. It is found as β = 1/T,
in which the sum is convex: by Newton's method, kept within a bracket.

    ECE = Σ_b n_b / n · |right_b - confidence_b|            (sec. 2 there)

over 15 bins of equal width, b, by the confidence of the whole answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dmn_cli.data.batches import Batches
from dmn_cli.machine.device import networks_at_once
from dmn_cli.machine.threads import in_order
from dmn_cli.records.batch import FACTS
from dmn_cli.records.network import Network

BINS = 15
COLDEST, HOTTEST = 0.1, 10.0  # temperatures
_LOGITS = 2**25  # that are kept for a fit: 128 MiB
_BATCH = 512  # questions
_STEPS, _CLOSE = 50, 1e-7  # of Newton's method: at most, and the change of β at which it ends


def fit_temperature(network: Network, answers: int, splits: Sequence[Batches], device: torch.device) -> float:
    """The temperature for a network, from its logits of the right answers to a split of each data set; of every k-th
    story, where all would be too many to keep. answers: words that it can answer with

    1 where the network takes no temperature.
    """
    network.eval()
    words = sum(int((batches.split.answers.lengths + 1).sum()) for batches in splits)
    every = 1 + words * answers // _LOGITS
    found = []
    for batches in splits:
        plan = batches.plan(_BATCH, facts=FACTS, stories=np.arange(0, batches.split.stories, every))
        found += in_order(partial(_logits, network, batches, device), plan, networks_at_once(device))
    kept = [one for one in found if one is not None]
    return temperature(torch.cat([z for z, _ in kept]), torch.cat([y for _, y in kept])) if kept else 1.0


@torch.inference_mode()
def _logits(
    network: Network, batches: Batches, device: torch.device, stories: np.ndarray
) -> tuple[Tensor, Tensor] | None:
    return network.answer_logits(network.arrange(batches.batch(stories)).to(device))


def temperature(logits: Tensor, right: Tensor) -> float:
    """The temperature at which the right words are likeliest, between 0.1 and 10, to four decimals. logits: (words,
    answers), -inf for what can't be said; right: (words,)

    1 where every right word is the likeliest: then there is no such temperature, and nothing says how sure is too sure.
    """
    margin = logits - logits.gather(1, right.unsqueeze(1))  # 0 at the right word
    if not (margin > 0).any():
        return 1.0
    low, high, beta = 1 / HOTTEST, 1 / COLDEST, 1.0
    for _ in range(_STEPS):
        slope, curvature = _derivatives(margin, beta)
        low, high = (beta, high) if slope < 0 else (low, beta)
        stepped = beta - slope / curvature if curvature > 0 else low
        stepped = stepped if low < stepped < high else (low + high) / 2
        if abs(stepped - beta) < _CLOSE * beta:
            break
        beta = stepped
    return round(1 / beta, 4)


def _derivatives(margin: Tensor, beta: float) -> tuple[float, float]:
    """The first and second derivative of Σ log Σ exp(β margin): the means and variances of the margins, summed."""
    p = torch.softmax(beta * margin, dim=1)
    margin = margin.masked_fill(margin == -torch.inf, 0.0)
    mean = (p * margin).sum(dim=1, keepdim=True)
    variance = (p * (margin - mean) ** 2).sum(dim=1)
    return float(mean.sum(dtype=torch.float64)), float(variance.sum(dtype=torch.float64))


def binned(confidence: np.ndarray, right: np.ndarray, task: np.ndarray, tasks: int) -> np.ndarray:
    """How many answers have a confidence in each bin, and the sums of their confidences and of the right ones among
    them. (questions,) each → (3, tasks, bins), which can be added up"""
    at = np.minimum((confidence * BINS).astype(np.int64), BINS - 1) + BINS * task
    weights = (None, confidence, right)
    return np.stack([np.bincount(at, w, tasks * BINS).reshape(tasks, BINS) for w in weights])


def expected_calibration_error(bins: np.ndarray) -> np.ndarray:
    """The mean distance, over the answers, between the confidence of a bin and the share of it that is right.
    (3, …, bins) as `binned` gives → (…)"""
    count, confidence, right = bins
    return np.abs(confidence - right).sum(axis=-1) / np.maximum(1, count.sum(axis=-1))


@dataclass(frozen=True)
class Calibration:
    """Of all questions together. bins: (3, bins) at the network's temperature; uncalibrated: the same at 1"""

    temperature: float
    bins: np.ndarray
    uncalibrated: np.ndarray

    @property
    def error(self) -> float:
        return float(expected_calibration_error(self.bins))

    @property
    def error_before(self) -> float:
        return float(expected_calibration_error(self.uncalibrated))

    def as_json(self) -> dict[str, Any]:
        """The bins are those that have answers."""
        bins = [
            {"from": i / BINS, "questions": int(count), "confidence": confidence / count, "accuracy": right / count}
            for i, (count, confidence, right) in enumerate(self.bins.T.tolist())
            if count
        ]
        errors = {"ece": self.error, "ece_uncalibrated": self.error_before}
        return {"temperature": self.temperature, **errors, "bins": bins}
