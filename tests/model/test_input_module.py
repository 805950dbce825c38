"""The input module: position encoding, and facts that are vectors."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from helpers import Asked, assert_same, batch, everything, network
from torch import Tensor

from dmn_cli.model.input_module import FusionLayer, FusionReader, SentenceGRU, WordDropout, position_encoding
from dmn_cli.model.word_vectors import WordVectors
from dmn_cli.records.batch import END, Bags, Batch
from dmn_cli.records.output import facts_read


@pytest.mark.parametrize("size", [6, 4])
def test_position_encoding_is_equation_5(size: int) -> None:
    """f = Σ_j l_j ∘ w_j with l_jd = (1 - j/M) - (d/D)(1 - 2j/M), j and d from 1, M the sentence's own length. Also of
    projected vectors; gradients too."""
    torch.manual_seed(0)
    sentences, D = [[2, 3, 5], [7], [4, 2, 2, 6]], 6
    vectors = WordVectors(8, size, D).double()
    f = []
    for sentence in sentences:
        M, w = len(sentence), vectors(torch.tensor(sentence))
        weights = [[(1 - j / M) - (d / D) * (1 - 2 * j / M) for d in range(1, D + 1)] for j in range(1, M + 1)]
        f.append((torch.tensor(weights, dtype=torch.float64) * w).sum(dim=0))
    expected = torch.stack(f)
    padded = torch.tensor([sentence + [0] * (5 - len(sentence)) for sentence in sentences])
    bags = Bags.of(padded)
    found = position_encoding(bags, vectors(bags.words.distinct))
    torch.testing.assert_close(found, expected)
    parameters = list(vectors.parameters())
    d = torch.randn_like(expected)
    for one, other in zip(*(torch.autograd.grad(x, parameters, d) for x in (found, expected)), strict=True):
        torch.testing.assert_close(one, other)


def test_sentences_are_read_as_by_a_plain_loop() -> None:
    """Word by word in both directions, a word and its affixes as one step; a sentence of one word is its word.
    Gradients too."""
    net = network("dmn-plus", sentence="gru", word_size=5)
    reader = net.input_module.sentences
    assert isinstance(reader, SentenceGRU)
    sentences = [[[2], [3, 9, 10], [2]], [[4, 11]], [[5], [6]], [[7]]]
    tokens = [[token for word in sentence for token in word] for sentence in sentences]
    affix = torch.zeros(4, 5, dtype=torch.bool)
    affix[0, 2:4] = affix[1, 1] = True
    b = replace(batch([(tokens, [2], [1], [0])]), affix=affix)

    encoded = []
    for sentence in sentences:
        w = torch.stack([net.word_vectors(torch.tensor(word)).sum(dim=0) for word in sentence])
        if len(w) == 1:
            encoded.append(w[0])
            continue
        length, h = torch.tensor([len(w)]), torch.zeros(len(w), 8)
        for gru, turned in ((reader.read.forwards, False), (reader.read.backwards, True)):
            states = gru.reference(gru.project(w.flip(0) if turned else w)[None], length)[0]
            h = h + (states.flip(0) if turned else states)
        encoded.append(reader.W(torch.cat([h.mean(dim=0), h.amax(dim=0)])))
    expected = torch.stack(encoded)
    found = reader(b, net.word_vectors)
    assert_same([found], [expected])
    parameters = [*reader.parameters(), *net.word_vectors.parameters()]
    d = torch.randn_like(expected)
    for one, other in zip(*(torch.autograd.grad(x, parameters, d) for x in (found, expected)), strict=True):
        assert_same([one], [other])


def test_a_higher_layer_adds_what_it_reads() -> None:
    net = network("dmn-plus", fusion_layers=2)
    reader = net.input_module
    assert isinstance(reader, FusionReader)
    b = batch([([[2], [3, 4], [5]], [6], [1], [0]), ([[7], [8]], [6], [1], [0])])
    (layer,) = reader.higher
    assert isinstance(layer, FusionLayer)
    facts = reader(b, net.word_vectors)
    found = facts.packing.unpack(facts.vectors)
    reader.higher = torch.nn.ModuleList()
    below = facts.packing.unpack(reader(b, net.word_vectors).vectors)
    for row, n in enumerate(b.facts_seen.tolist()):
        own = below[row, :n]
        right = layer.forwards.reference(layer.forwards.project(own)[None], torch.tensor([n]))[0]
        left = layer.backwards.reference(layer.backwards.project(own.flip(0))[None], torch.tensor([n]))[0].flip(0)
        assert_same([found[row, :n]], [own + right + left])


def test_word_dropout_takes_a_word_away_wherever_it_stands() -> None:
    drop, v = WordDropout(0.5).train(), torch.ones(2000, 3)
    kept = drop(v)
    assert set(kept.sum(dim=1).tolist()) == {0.0, 3.0}
    assert 0.45 < kept.mean() < 0.55
    assert drop.eval()(v) is v


def of_vectors(stories: Sequence[Tensor], asked: Sequence[tuple[list[int], int, int]], **extra: int) -> Batch:
    """One question about each story, whose facts are vectors: its words, its answer, the fact that supports it."""
    questions: list[Asked] = [
        ([[0]] * len(story), words, [answer], [support])
        for story, (words, answer, support) in zip(stories, asked, strict=True)
    ]
    return replace(batch(questions, **extra), vectors=torch.cat([*stories]))


@pytest.mark.parametrize("preset", ["dmn", "dmn-plus"])
def test_neither_padding_nor_company_changes_what_is_said_of_vectors(preset: str) -> None:
    net = network(preset, regions=3)
    stories = [torch.randn(n, 3).double().requires_grad_() for n in (3, 2, 1)]
    asked = [([6, 7], 1, 0), ([5], 2, 1), ([6], 1, 0)]
    together = of_vectors(stories, asked)
    for row in range(3):
        alone = of_vectors([stories[row]], [asked[row]], extra_words=1, extra_facts=2)
        assert_same(everything(net, together, row), everything(net, alone))
    net(together).logits.sin().sum().backward()
    for story in stories:
        assert story.grad is not None
        assert (story.grad != 0).any(dim=1).all()  # each fact counts


@pytest.mark.parametrize("preset", ["dmn", "dmn-plus"])
def test_a_network_learns_to_answer_from_vectors(preset: str) -> None:
    """Each fact is a noisy one of four vectors; question 2 asks which one came first, question 3 which came last."""
    torch.manual_seed(0)
    kinds = torch.nn.functional.one_hot(torch.arange(4), 6).float()

    def some(questions: int) -> Batch:
        stories, asked = [], []
        for facts, last in zip(torch.randint(1, 4, (questions,)), torch.randint(2, (questions,)), strict=True):
            kind = torch.randint(4, (int(facts),))
            stories.append(kinds[kind] + 0.1 * torch.randn(int(facts), 6))
            asked.append(([2 + int(last)], 1 + int(kind[-last]), (len(kind) - 1) * int(last)))
        return of_vectors(stories, asked)

    net = network(preset, regions=6, hidden=32, passes=2).float().train()
    optimiser = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(120):
        losses = net.losses(net.arrange(some(64)), "any-pass")
        assert losses.gates is not None
        optimiser.zero_grad()
        (losses.answers + losses.gates).mean().backward()
        optimiser.step()
    asked = some(200)
    answered = net.eval().answer(asked, with_loss=True)
    assert answered.gates is not None
    right = (answered.words[:, 0] == asked.answer[:, 0]) & (answered.words[:, 1] == END)
    read = facts_read(answered.gates).gather(1, asked.support).squeeze(1)
    assert right.float().mean() > 0.95
    assert read.float().mean() > 0.9
