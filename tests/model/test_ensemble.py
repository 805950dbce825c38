"""Several networks as one: at each step the mean of their probabilities, and one network alone is itself."""

import pytest
import torch
from helpers import ANSWERS, Asked, batch, network
from hypothesis import given, settings
from hypothesis import strategies as st

from dmn_cli.model.ensemble import Ensemble
from dmn_cli.model.network import DynamicMemoryNetwork
from dmn_cli.records.batch import END

ONCE: list[Asked] = [([[2, 3], [4]], [5], [1], [0]), ([[3]], [6, 7], [2, 3], [0])]
EACH: list[Asked] = [([[4], [2], [8]], [3], (1, 2, 1), []), ([[9, 2]], [3], (4,), [])]
PRESETS = ("dmn", "dmn-plus")
STEPS = 4  # the longest answer that `network` gives, its end counted


def networks(preset: str, count: int) -> list[DynamicMemoryNetwork]:
    return [network(preset, seed, per_fact=True) for seed in range(count)]


@torch.no_grad()
def told(networks: list[DynamicMemoryNetwork], question: Asked, barred: list[int]) -> tuple[list[int], float, float]:
    """Word by word, by what teacher forcing says of what was said before: the answer, its probability, and minus the
    logarithm of that of the right answer."""
    facts, asked, right, support = question
    each = isinstance(right, tuple)

    def chances(said: list[int]) -> torch.Tensor:
        """(networks, answers)"""
        t = len(said)
        answer = (*said, *[1] * (len(facts) - t)) if each else said
        return torch.stack([net(batch([(facts, asked, answer, support)])).logits[0, t] for net in networks])

    said: list[int] = []
    sure, loss = 1.0, 0.0
    for t in range(len(facts) if each else STEPS):
        logits = chances(said)
        logits[:, barred] = -torch.inf
        if each or t == 0:
            logits[:, END] = -torch.inf
        p = logits.softmax(dim=1).mean(dim=0)
        said.append(int(p.argmax()))
        sure *= float(p.max())
        if said[-1] == END:
            break
    wanted = [*right] if each else [*right, END]
    for t, word in enumerate(wanted):
        loss -= float(chances(wanted[:t]).softmax(dim=1).mean(dim=0)[word].log())
    return said, sure, loss


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("questions", [ONCE, EACH, ONCE + EACH], ids=["once", "at each", "both"])
@pytest.mark.parametrize("barred", [[], [2]], ids=["all", "one barred"])
def test_an_answer_is_by_the_mean_of_probabilities(preset: str, questions: list[Asked], barred: list[int]) -> None:
    several = networks(preset, 3)
    asked = batch(questions)
    if barred:
        mask = torch.zeros(1, ANSWERS, dtype=torch.bool)
        mask[:, barred] = True
        object.__setattr__(asked, "barred", mask)
    answered = Ensemble(several).eval().answer(asked, with_loss=True)
    assert answered.loss is not None
    for row, question in enumerate(questions):
        said, sure, loss = told(several, question, barred)
        assert answered.words[row, : len(said)].tolist() == said
        assert (answered.words[row, len(said) :] == END).all()
        assert float(answered.confidence[row]) == pytest.approx(sure)
        assert float(answered.loss[row]) == pytest.approx(loss)
    alone = [net.answer(asked).gates for net in several]
    assert answered.gates is not None
    torch.testing.assert_close(answered.gates, sum(g for g in alone if g is not None) / 3)


@given(seed=st.integers(0, 99), preset=st.sampled_from(PRESETS), copies=st.integers(1, 3))
@settings(max_examples=10, deadline=None)
def test_one_network_is_itself_to_the_bit(seed: int, preset: str, copies: int) -> None:
    """And so are copies of it, but for rounding."""
    alone = network(preset, seed, per_fact=True)
    asked = batch(ONCE + EACH)
    one = alone.answer(asked, with_loss=True)
    other = Ensemble([alone] * copies).eval().answer(asked, with_loss=True)
    for a, b in zip(one, other, strict=True):
        assert a is not None
        assert b is not None
        if copies == 1:
            assert torch.equal(a, b)
        else:
            torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-14)


def test_each_learns_as_it_does_alone() -> None:
    several, asked = networks("dmn-plus", 2), batch(ONCE + EACH)
    alone = []
    for net in several:
        net.zero_grad()
        losses = net.losses(asked, "ordered")
        assert losses.gates is not None
        (losses.answers + losses.gates).sum().backward()
        alone += [p.grad.clone() for p in net.parameters() if p.grad is not None]
        net.zero_grad()
    ensemble = Ensemble(several)
    losses = ensemble.losses(asked, "ordered")
    assert losses.gates is not None
    (losses.answers + losses.gates).sum().backward()
    together = [p.grad for p in ensemble.parameters() if p.grad is not None]
    assert len(alone) == len(together) > 0
    for a, b in zip(alone, together, strict=True):
        torch.testing.assert_close(a, b)
    assert ensemble.losses(asked, None).gates is None
