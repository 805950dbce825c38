"""Word vectors: the unknown word, and vectors from outside."""

import torch
from helpers import batch, network


def test_the_unknown_word_says_nothing() -> None:
    net = network("dmn-plus")
    assert (net.word_vectors.E.weight[:2] == 0).all()


def test_word_vectors_from_outside_are_projected_and_can_be_frozen() -> None:
    net = network("dmn-plus", word_size=5)
    given_rows, vectors = torch.tensor([3, 5]), torch.randn(2, 5).double()
    net.word_vectors.give(given_rows, vectors)
    torch.testing.assert_close(net.word_vectors.E.weight[given_rows], vectors / vectors.std())
    net.word_vectors.freeze(given_rows)
    net(batch([([[2, 3], [5]], [4, 3], [1], [0])])).logits.sin().sum().backward()
    gradient = net.word_vectors.E.weight.grad
    assert gradient is not None
    assert (gradient[given_rows] == 0).all()
    assert (gradient[[2, 4]] != 0).any(dim=1).all(), "words that no vector was given for go on learning"


def test_vectors_spread_as_said_whether_given_or_not() -> None:
    net = network("dmn-plus", vectors_spread=0.25, word_size=400)
    E = net.word_vectors.E.weight.detach()
    assert abs(E[2:].std() - 0.25) < 0.01
    rows = torch.tensor([3, 5])
    vectors = 7 * torch.randn(2, 400).double()
    net.word_vectors.give(rows, vectors)
    assert abs(E[rows].std() - 0.25) < 1e-6
    assert torch.allclose(E[rows] / E[3, 0], vectors / vectors[0, 0])
