"""The answer module's own answers: the equations, word by word, and never nothing."""

from dataclasses import replace

import pytest
import torch
from helpers import ANSWERS, assert_same, batch, everything, network
from torch import Tensor

from dmn_cli.model.decoding import decode_at_each, decode_once
from dmn_cli.records.batch import END
from dmn_cli.records.output import Facts
from dmn_cli.records.packing import Packing


def likeliest(logits: Tensor, *, may_end: bool) -> tuple[int, float]:
    """The likeliest word, and its probability among all that can be said. logits: (answers,)"""
    can = list(range(ANSWERS)) if may_end else [word for word in range(ANSWERS) if word != END]
    best = int(logits[can].argmax())
    return can[best], float(torch.softmax(logits[can], dim=0)[best])


@torch.no_grad()
def test_decoding_is_the_equation_with_one_hot_words() -> None:
    """a_t = GRU([y_{t-1}, q], a_{t-1}) with y one-hot; what is decoded is what teacher forcing would say of it."""
    net = network("dmn", seed=3)
    module = net.answer_module
    m, q = torch.randn(6, 8).double(), torch.randn(6, 8).double()
    words, confidence = decode_once([module.speaker(m, q)], 4)
    for row in range(6):
        a, y, p, said = m[row : row + 1], torch.zeros(1, ANSWERS).double(), 1.0, []
        for t in range(4):
            a = module.gru.step(module.gru.project(torch.cat([y, q[row : row + 1]], dim=1)), a)
            best, chance = likeliest(module.W(a)[0], may_end=t > 0)
            p, said = p * chance, [*said, best]
            y = torch.nn.functional.one_hot(torch.tensor([best]), ANSWERS).double()
            if best == END:
                break
        assert words[row, : len(said)].tolist() == said
        assert (words[row, len(said) :] == END).all()
        assert confidence[row].tolist() == pytest.approx([p, p])
    forced = module.once(m, q, words)
    forced[:, 0, END] = -torch.inf
    ended_before = (words == END).cumsum(1) - (words == END).long() > 0
    assert ((forced.argmax(dim=2) == words) | ended_before).all()


@pytest.mark.parametrize("preset", ["dmn", "dmn-plus"])
@torch.no_grad()
def test_no_answer_is_empty(preset: str) -> None:
    """A network that would rather say nothing says its likeliest word, whoever else is asked, and then ends."""
    net = network(preset, per_fact=True)
    net.answer_module.W.bias[END] = 20.0
    questions = [([[2, 3], [4]], [5], [1], [0]), ([[3]], [6, 7], [2, 3], [0]), ([[4], [2]], [3], (1, 2), [0])]
    together, logits = batch(questions), net(batch(questions)).logits
    assert (logits.argmax(dim=2) == END).all()
    answered = net.answer(together)
    for row in (0, 1):  # asked once
        first, chance = likeliest(logits[row, 0], may_end=False)
        assert answered.words[row].tolist() == [first, END]
        assert float(answered.confidence[row]) == pytest.approx(chance)  # the end is as good as certain
    assert (answered.words[2] != END).all()  # asked of each fact
    for row, question in enumerate(questions):
        assert_same(everything(net, together, row), everything(net, batch([question], extra_words=2, extra_facts=1)))


@torch.no_grad()
def test_at_each_fact_decoding_is_the_equation_with_one_hot_words() -> None:
    """a_t = GRU([y_{t-1}, q, c_t], a_{t-1}) from a_0 = m on; decoded is what teacher forcing would say."""
    module = network("dmn", seed=3, per_fact=True).answer_module
    m, q, c = torch.randn(3, 8).double(), torch.randn(3, 8).double(), torch.randn(3, 4, 8).double()
    length = torch.tensor([3, 1, 4])
    packing = Packing.of(length)
    facts = Facts(packing.pack(c), packing)
    words, confidence = decode_at_each([module.speaker(m, q, facts=facts)], packing)
    logits = packing.unpack(module.at_each(m, q, facts, words))
    for row in range(3):
        a, y, p = m[row : row + 1], torch.zeros(1, ANSWERS).double(), 1.0
        for t in range(int(length[row])):
            a = module.gru.step(module.gru.project(torch.cat([y, q[row : row + 1], c[row : row + 1, t]], dim=1)), a)
            torch.testing.assert_close(logits[row, t], module.W(a)[0])
            best, chance = likeliest(module.W(a)[0], may_end=False)
            assert int(words[row, t]) == best
            p *= chance
            y = torch.nn.functional.one_hot(torch.tensor([best]), ANSWERS).double()
        assert (words[row, int(length[row]) :] == END).all()
        assert confidence[row].tolist() == pytest.approx([p, p])


def test_each_fact_is_answered_from_itself() -> None:
    """The answer at a fact depends on that fact: with all else equal, another word there changes its logits."""
    net = network("dmn-plus", per_fact=True)
    one, other = [[[2], [3], [4]], [[2], [3], [5]]]
    logits = [net(batch([(facts, [6], (1, 1, 1), [])])).logits[0, 2] for facts in (one, other)]
    assert (logits[0] - logits[1]).abs().max() > 1e-3


def test_a_pooled_module_sees_the_mean_and_the_maximum_of_all_facts() -> None:
    net = network("dmn-plus", pooled=True)
    module = net.answer_module
    assert module.W_0 is not None
    c, m = [torch.randn(n, 8).double() for n in (3, 1)], torch.randn(2, 8).double()
    packing = Packing.of(torch.tensor([3, 1]))
    padded = torch.nn.utils.rnn.pad_sequence(c, batch_first=True)
    found = module.see(m, Facts(packing.pack(padded), packing))
    for row in range(2):
        seen = torch.cat([m[row], c[row].mean(dim=0), c[row].amax(dim=0)])
        assert_same([found[row]], [module.W_0(seen)])


def test_what_is_worded_alike_is_projected_once_and_answered_alike() -> None:
    """Questions that share their wording begin from the same projection, each in its own place."""
    asked = batch([([[2], [3]], words, [1], [0]) for words in ([4], [5, 6], [7], [4], [5, 6])])
    asked = replace(asked, question_sentences=asked.question_sentences[:3], question=torch.tensor([0, 1, 2, 0, 1]))
    net = network("dmn-plus").eval()
    q, m = net.question_module(asked, net.word_vectors), torch.randn(5, net.question_module.gru.hidden).double()
    speakers = [net.answer_module.speaker(m, q), net.answer_module.speaker(m, q, asked)]
    torch.testing.assert_close(speakers[0].x_q, speakers[1].x_q)
    torch.testing.assert_close(speakers[0](None), speakers[1](None))
