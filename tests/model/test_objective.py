"""The losses, worked out by hand."""

from math import log

import hypothesis.strategies as st
import pytest
import torch
from helpers import batch
from hypothesis import given

from dmn_cli.model.objective import answer_loss, any_pass_loss, gate_loss, ordered_loss, ordered_targets
from dmn_cli.records.output import Episode


def episode(gates: list[list[float]], stop: list[float] | None = None) -> Episode:
    g = torch.tensor([gates])
    s = None if stop is None else torch.tensor([stop])
    return Episode(torch.zeros(1, 1), g, s, torch.ones(1, len(gates)))


def supports(*support: int):
    return batch([([[2], [3], [4]], [5], [1], list(support))])


def test_any_pass_is_noisy_or() -> None:
    gates = [[0.5, 0.25, 0.25], [0.5, 0.5, 0.0]]
    read = [1 - 0.5 * 0.5, 1 - 0.75 * 0.5]
    loss = any_pass_loss(episode(gates), supports(0, 1))
    assert float(loss) == pytest.approx(-(log(read[0]) + log(read[1])) / 2, abs=1e-5)


def test_any_pass_knows_no_order() -> None:
    forwards, backwards = [[0.9, 0.1, 0.0], [0.2, 0.8, 0.0]], [[0.2, 0.8, 0.0], [0.9, 0.1, 0.0]]
    one, other = (any_pass_loss(episode(g), supports(0, 1)) for g in (forwards, backwards))
    torch.testing.assert_close(one, other)


def test_any_pass_ends_the_passes_after_the_last_support() -> None:
    """One support: only pass 1 reads, and pass 2 must choose the end; what pass 3 does doesn't matter."""
    gates = [[0.5, 0.2, 0.2], [0.3, 0.1, 0.1], [0.9, 0.0, 0.0]]
    loss = any_pass_loss(episode(gates, [0.1, 0.4, 0.0]), supports(0))
    assert float(loss) == pytest.approx(-log(0.5) - log(0.4), abs=1e-5)


def test_ordered_asks_pass_t_for_support_t() -> None:
    gates = [[0.1, 0.7, 0.2], [0.6, 0.3, 0.1], [0.3, 0.3, 0.4]]
    loss = ordered_loss(episode(gates), supports(1, 0), softmax=True)
    assert float(loss) == pytest.approx(-(log(0.7) + log(0.6)) / 2, abs=1e-5)


def test_ordered_gives_what_is_left_to_the_last_pass() -> None:
    target, after = ordered_targets(torch.tensor([[2, 0, 1], [1, -1, -1]]), passes=2, facts=3)
    assert target[0].tolist() == [[0, 0, 1], [0.5, 0.5, 0]]
    assert target[1].tolist() == [[0, 1, 0], [0, 0, 0]]
    assert after.tolist() == [[False, False], [False, True]]


@given(supports=st.lists(st.lists(st.integers(0, 3), max_size=4), min_size=1, max_size=4), passes=st.integers(1, 4))
def test_ordered_targets_are_the_supports_pass_by_pass(supports: list[list[int]], passes: int) -> None:
    longest = max(map(len, supports))
    padded = torch.tensor([one + [-1] * (longest - len(one)) for one in supports], dtype=torch.int64)
    target, after = ordered_targets(padded.view(len(supports), longest), passes, facts=4)
    for row, one in enumerate(supports):
        for t in range(passes):
            due = set(one[t:]) if t == passes - 1 else set(one[t : t + 1])
            expected = torch.tensor([fact in due for fact in range(4)]) / max(1, len(due))
            torch.testing.assert_close(target[row, t], expected)
            assert bool(after[row, t]) == (t >= len(one))


def test_ordered_with_sigmoid_gates_is_binary_cross_entropy_of_the_real_facts() -> None:
    b = batch([([[2], [3]], [5], [1], [1]), ([[2], [3], [4]], [5], [1], [0])])
    gates = torch.tensor([[[0.2, 0.9, 0.8]], [[0.7, 0.1, 0.4]]])  # the 0.8 is padding
    loss = ordered_loss(Episode(torch.zeros(2, 1), gates, None, torch.ones(2, 1)), b, softmax=False)
    assert loss.tolist() == pytest.approx([-log(0.8) - log(0.9), -log(0.7) - log(0.9) - log(0.6)], abs=1e-5)


@pytest.mark.parametrize("form", ["any-pass", "ordered"])
def test_questions_without_supports_have_no_gate_loss(form: str) -> None:
    b = batch([([[2], [3]], [5], [1], []), ([[2], [3]], [5], [1], [1])])
    gates = torch.tensor([[[0.5, 0.5]], [[0.25, 0.75]]])
    loss = gate_loss(Episode(torch.zeros(2, 1), gates, None, torch.ones(2, 1)), b, form, softmax=True)
    assert loss.tolist() == [0.0, pytest.approx(-log(0.75), abs=1e-5)]


def test_the_loss_of_a_list_is_that_of_its_words_and_its_end() -> None:
    b = batch([([[2]], [5], [3, 1], []), ([[2]], [5], [2], [])])
    logits = torch.zeros(2, 3, 5)
    loss = answer_loss(logits, b)
    assert loss.tolist() == pytest.approx([3 * log(5), 2 * log(5)])


def test_smoothing_shares_a_part_of_the_answer_among_all() -> None:
    """Padding counts for nothing all the same."""
    b = batch([([[2]], [5], [3, 1], []), ([[2]], [5], [2], [])])
    logits = torch.randn(2, 3, 5, dtype=torch.float64)
    log_p = logits.log_softmax(dim=2)
    expected = [
        sum(-0.9 * log_p[i, t, word] - 0.1 / 5 * log_p[i, t].sum() for t, word in enumerate(words))
        for i, words in enumerate([[3, 1, 0], [2, 0]])
    ]
    torch.testing.assert_close(answer_loss(logits, b, 0.1), torch.stack([torch.as_tensor(e) for e in expected]))
