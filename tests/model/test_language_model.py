"""The language model of the input module: fast and naive, sampled and full."""

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers import WORDS, network

from dmn_cli.errors import UsageError
from dmn_cli.model.language_model import LanguageModel, sampled_softmax
from dmn_cli.records.batch import padded
from dmn_cli.records.next_words import NextWords
from dmn_cli.training.reading import Sampler

SENTENCES = [[2, 3, 4], [5], [1, 2, 2, 6, 3], [4, 1], [7, 8]]
COUNTS = torch.tensor([0, 0, 4, 2, 2, 1, 1, 1, 1, 0, 0, 0])
NOTHING = torch.zeros(WORDS)


def language_model(**changes: Any) -> LanguageModel:
    net = network("dmn-plus", sentence="gru", **changes)
    model = LanguageModel(net, COUNTS, dropout=0.0).double()
    with torch.no_grad():
        for parameter in (model.after.weight, model.before.weight, model.end, model.b):
            parameter.normal_()
    return model


def next_words(sentences: list[list[int]], sampled: list[int], affixes: set[int] | None = None) -> NextWords:
    rows = padded(np.array([w for s in sentences for w in s]), np.array([len(s) for s in sentences]), 0)
    affix = None if affixes is None else np.isin(rows, list(affixes))
    return NextWords.of(rows, affix, np.array(sampled, np.int64))


def naive(model: LanguageModel, sentences: list[list[int]], affixes: frozenset[int] = frozenset()) -> torch.Tensor:
    """The sum of the losses, word by word, by the equations."""
    E = model.word_vectors.weight
    rows = {w: E[w] if w > 1 else torch.zeros_like(E[1]) for w in range(len(E))}
    words = [w for w in range(2, len(E)) if COUNTS[w]]  # that can come next
    table, b = torch.cat([model.end, E[words]]), model.b[[0, *words]]
    total = torch.zeros(())
    for sentence in sentences:
        steps: list[list[int]] = []
        for word in sentence:
            if word in affixes and steps:
                steps[-1].append(word)
            else:
                steps.append([word])
        ways = ((model.read.forwards, model.after, steps), (model.read.backwards, model.before, steps[::-1]))
        for gru, A, order in ways:
            h = torch.zeros(1, gru.hidden, dtype=E.dtype)
            for step, following in zip(order, [*order[1:], [0]], strict=True):
                v = torch.stack([model.word_vectors.widened(rows[word]) for word in step]).sum(dim=0)
                h = gru.step(gru.project(v.unsqueeze(0)), h)
                if following[0] != 1:
                    right = 0 if following[0] == 0 else 1 + words.index(following[0])
                    total = total + F.cross_entropy(A(h) @ table.t() + b, torch.tensor([right]))
    return total


@pytest.mark.parametrize("affixes", [None, {7, 8}], ids=["words", "words with affixes"])
@pytest.mark.parametrize("word_size", [None, 5])
def test_batches_equal_the_equations_gradients_included(affixes: set[int] | None, word_size: int | None) -> None:
    model = language_model(word_size=word_size)
    if affixes:
        model.foretold[list(affixes)] = False
    counted = [w for w in range(2, WORDS) if COUNTS[w]]
    sentences = SENTENCES[:4] + ([[5, 7, 8, 2], [3, 8]] if affixes else [[7, 8]])
    gradients = []
    batch = next_words(sentences, counted, affixes)
    for loss in (model(batch, NOTHING)[0], naive(model, sentences, frozenset(affixes or ()))):
        model.zero_grad()
        loss.backward()
        gradients.append([loss.detach(), *(p.grad for p in model.parameters() if p.grad is not None)])
    for fast, slow in zip(*gradients, strict=True):
        torch.testing.assert_close(fast, slow.double())
    gradient = model.word_vectors.weight.grad
    assert gradient is not None
    assert (gradient[1] == 0).all(), "the unknown word says nothing"
    if not affixes:
        torch.testing.assert_close(model.full_loss(batch)[0], gradients[1][0])
        assert (
            model.full_loss(batch)[1] == model(batch, NOTHING)[1] == 2 * 13 - 2
        )  # two words are unknown, and not foretold


def test_neither_order_nor_padding_nor_company_changes_the_loss() -> None:
    model = language_model()
    sampled = [2, 3, 5]
    whole = model(next_words(SENTENCES, sampled), NOTHING)[0]
    torch.testing.assert_close(model(next_words(SENTENCES[::-1], sampled), NOTHING)[0], whole)
    alone = [model(next_words([sentence], sampled), NOTHING)[0] for sentence in SENTENCES]
    torch.testing.assert_close(sum(alone), whole)
    rows = padded(np.array([2, 3, 4, 5]), np.array([3, 1]), 0)
    wider = NextWords.of(np.pad(rows, ((0, 0), (0, 3))), None, np.array(sampled))
    torch.testing.assert_close(model(wider, NOTHING)[0], alone[0] + alone[1])


def test_with_all_words_sampled_it_is_the_softmax() -> None:
    torch.manual_seed(0)
    h, table, b = (torch.randn(*shape, dtype=torch.float64) for shape in ((6, 4), (9, 4), (9,)))
    given = [x.requires_grad_() for x in (h, table, b)]
    target = torch.tensor([0, 3, 8, 3, 5, 0])
    sampled = sampled_softmax(h, table, b, target, torch.randperm(9))
    full = F.cross_entropy(h @ table.t() + b, target, reduction="none")
    torch.testing.assert_close(sampled, full)
    weights = torch.randn(6, dtype=torch.float64)
    for one, other in zip(
        torch.autograd.grad((sampled * weights).sum(), given),
        torch.autograd.grad((full * weights).sum(), given),
        strict=True,
    ):
        torch.testing.assert_close(one, other)


def test_gradients_where_some_are_sampled_and_the_right_one_may_be_alone() -> None:
    torch.manual_seed(0)
    given = [torch.randn(*shape, dtype=torch.float64, requires_grad=True) for shape in ((5, 3), (7, 3), (7,))]
    target = torch.tensor([1, 0, 6, 1, 2])
    for sampled in ([0, 2, 4], [1]):
        classes = torch.tensor(sampled)
        assert torch.autograd.gradcheck(lambda h, table, b, c=classes: sampled_softmax(h, table, b, target, c), given)
    alone = sampled_softmax(given[0], given[1], given[2], target, torch.tensor([1]))
    torch.testing.assert_close(alone[[0, 3]], torch.zeros(2, dtype=torch.float64))


def test_words_are_sampled_as_often_as_is_corrected_for() -> None:
    counts = np.array([0, 0, 100, 10, 0, 1, 50, 3])
    sampler, random = Sampler(counts, tries=3), np.random.default_rng(0)
    drawn = np.zeros(len(counts))
    for _ in range(4000):
        words = sampler.draw(random)
        assert len(np.unique(words)) == len(words)
        drawn[words] += 1
    expected = np.where(counts > 0, np.exp(sampler.log_expected), 0.0)
    assert drawn / 4000 == pytest.approx(expected, abs=0.03)
    everything = Sampler(counts, tries=5)
    assert everything.draw(random).tolist() == [2, 3, 5, 6, 7]
    assert not everything.log_expected.any()


def test_the_fusion_layer_begins_with_what_was_learnt() -> None:
    net = network("dmn-plus", sentence="gru")
    model = LanguageModel(net, COUNTS, 0.0)
    model.hand_over()
    torch.testing.assert_close(model.reader.forwards.U, model.read.forwards.U)
    torch.testing.assert_close(model.reader.backwards.W, model.read.backwards.W)


def test_a_network_that_weighs_words_by_their_place_is_refused() -> None:
    with pytest.raises(UsageError, match="word by word"):
        LanguageModel(network("dmn-plus"), COUNTS, 0.0)
