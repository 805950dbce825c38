"""What must hold of every form of the network: padding, company and order never change an answer."""

from typing import Any

import hypothesis.strategies as st
import pytest
import torch
from helpers import ANSWERS, WORDS, Asked, batch, network
from hypothesis import given, settings

from dmn_cli.kernels.comparison import compare
from dmn_cli.model.attention_gate import AttentionGate
from dmn_cli.model.input_module import position_encoding
from dmn_cli.model.network import DynamicMemoryNetwork
from dmn_cli.model.word_vectors import WordVectors
from dmn_cli.records.batch import END, Bags, Batch, story_words
from dmn_cli.records.output import Facts
from dmn_cli.records.packing import Packing

FORMS: dict[str, dict[str, Any]] = {
    "dmn": {},
    "dmn-plus": {},
    "dmn, sigmoid gates": {"gates": "sigmoid"},
    "dmn, no end of passes": {"end_of_passes": False},
    "dmn-plus, end of passes": {"end_of_passes": True},
    "dmn-plus, one pass, GRU memory": {"passes": 1, "memory": "gru"},
    "dmn, answers at each fact": {"each": True},
    "dmn-plus, answers at each fact": {"each": True},
    "dmn-plus, narrower word vectors": {"word_size": 5},
}


def form(name: str) -> DynamicMemoryNetwork:
    return network(name.partition(",")[0], **FORMS[name])


word = st.integers(2, WORDS - 1)
sentence = st.lists(word, min_size=1, max_size=5)
answer_word = st.integers(1, ANSWERS - 1)
asked_once: st.SearchStrategy[Asked] = st.tuples(
    st.lists(sentence, min_size=1, max_size=6),
    sentence,
    st.lists(answer_word, min_size=1, max_size=3),
    st.just([0]),
)
asked_of_each: st.SearchStrategy[Asked] = st.lists(st.tuples(sentence, answer_word), min_size=1, max_size=6).flatmap(
    lambda pairs: st.tuples(st.just([f for f, _ in pairs]), sentence, st.just(tuple(a for _, a in pairs)), st.just([0]))
)


def asked(name: str) -> st.SearchStrategy[Asked]:
    """Questions that a form of the network can be asked."""
    return asked_once | asked_of_each if "each" in FORMS[name] else asked_once


def everything(net: DynamicMemoryNetwork, b: Batch, row: int = 0) -> list[torch.Tensor]:
    """All that the network says of one question, cut to what is real."""
    output = net(b)
    facts, steps = int(b.facts_seen[row]), int((b.answer[row] >= 0).sum())
    words, confidence, episode = net.answer(b)
    ended = torch.nn.functional.pad(words[row], (0, 12 - words.shape[1]), value=END)
    gates = episode.gates[row, :, :facts]
    return [output.logits[row, :steps], gates, episode.running[row], episode.memory[row], ended, confidence[row]]


def assert_same(one: list[torch.Tensor], other: list[torch.Tensor]) -> None:
    for a, b in zip(one, other, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", FORMS)
@settings(deadline=None, max_examples=8)
@given(data=st.data(), words=st.integers(0, 3), facts=st.integers(0, 3))
def test_padding_never_changes_an_answer(name: str, data: st.DataObject, words: int, facts: int) -> None:
    net, question = form(name), data.draw(asked(name))
    assert_same(
        everything(net, batch([question])), everything(net, batch([question], extra_words=words, extra_facts=facts))
    )


@pytest.mark.parametrize("name", FORMS)
@settings(deadline=None, max_examples=8)
@given(data=st.data())
def test_company_and_order_never_change_an_answer(name: str, data: st.DataObject) -> None:
    net, questions = form(name), data.draw(st.lists(asked(name), min_size=1, max_size=5))
    order = data.draw(st.permutations(range(len(questions))))
    together = batch([questions[i] for i in order])
    for row, i in enumerate(order):
        assert_same(everything(net, together, row), everything(net, batch([questions[i]])))


@pytest.mark.parametrize("name", ["dmn", "dmn-plus"])
def test_a_story_read_once_equals_one_read_for_each_question(name: str) -> None:
    """Three questions at different places of one story, against three stories cut off there. Gradients too."""
    net = form(name)
    story: list[list[int]] = [[2, 3, 4], [5, 6], [7], [8, 9, 10, 11], [3, 5]]
    seen, question = [2, 5, 3], [4, 9]
    apart = batch([(story[:n], question, [1], [0]) for n in seen])
    once = batch([(story, question, [1], [0])] * 3)
    shared = Batch(
        **{**vars(once), "story": once.story[:1], "story_length": once.story_length[:1]}
        | {"story_of": torch.zeros(3, dtype=torch.int64), "facts_seen": torch.tensor(seen)}
    )
    gradients = []
    for b in (apart, shared):
        net.zero_grad()
        net(b).logits.sin().sum().backward()
        gradients.append([p.grad.clone() for p in net.parameters() if p.grad is not None])
    assert_same([net(apart).logits, *gradients[0]], [net(shared).logits, *gradients[1]])


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
    found = position_encoding(Bags.of(padded), vectors)
    torch.testing.assert_close(found, expected)
    parameters = list(vectors.parameters())
    d = torch.randn_like(expected)
    for one, other in zip(*(torch.autograd.grad(x, parameters, d) for x in (found, expected)), strict=True):
        torch.testing.assert_close(one, other)


def test_story_words_joins_the_sentences() -> None:
    b = batch([([[2, 3], [4], [5, 6, 7]], [2], [1], [0]), ([[8]], [2], [1], [0])])
    words, end = story_words(b)
    assert words.tolist() == [[2, 3, 4, 5, 6, 7], [8, 0, 0, 0, 0, 0]]
    assert end[0].tolist() == [2, 3, 6]
    assert end[1, 0] == 1


@pytest.mark.parametrize("features", ["dmn", "dmn-plus"])
def test_gate_is_one_layer_over_all_features(features: str) -> None:
    """W1 in parts equals W2 tanh(W1 z + b1) + b2 with the whole z of the paper."""
    torch.manual_seed(0)
    H = 3
    gate = AttentionGate(H, features).double()  # type: ignore[arg-type]
    torch.nn.init.normal_(gate.W1_q.bias)
    c, q, m = torch.randn(2, 4, H).double(), torch.randn(2, H).double(), torch.randn(2, H).double()
    length = torch.tensor([2, 4])
    packing = Packing.of(length)
    score = packing.unpack(gate(gate.read(packing.pack(c), q, packing), m, q))
    for row in range(2):
        for i in range(int(length[row])):
            f, q_, m_ = c[row, i], q[row], m[row]
            with_q, with_m = [f * q_, (f - q_).abs()], [f * m_, (f - m_).abs()]
            alone = torch.zeros(H).double()
            if features == "dmn":
                W = gate.W.weight.t()
                with_q += [f, (f @ W @ q_).reshape(1)]
                with_m += [(f @ W @ m_).reshape(1)]
                alone = gate.W1_alone.weight @ torch.cat([m_, q_])
            z = gate.W1_q.weight @ torch.cat(with_q) + gate.W1_m.weight @ torch.cat(with_m) + alone
            expected = gate.W2.weight @ torch.tanh(z + gate.W1_q.bias) + gate.W2.bias
            torch.testing.assert_close(score[row, i], expected.squeeze())


@pytest.mark.parametrize("name", FORMS)
def test_gates_are_a_distribution_or_each_its_own(name: str) -> None:
    net = form(name)
    episode = net(batch([([[2], [3], [4]], [5], [1], [0]), ([[2]], [5], [1], [0])])).episode
    total = episode.gates.sum(dim=2) + (0 if episode.stop is None else episode.stop)
    assert (episode.gates[1, :, 1:] == 0).all(), "padding has no gate"
    if net.episodic_memory.gates == "softmax":
        torch.testing.assert_close(total, torch.ones_like(total))
    else:
        assert ((episode.gates >= 0) & (episode.gates <= 1)).all()


def test_a_gate_on_one_fact_makes_the_episode_that_fact() -> None:
    """The memory after one pass with all weight on fact 2 is that of a story of fact 2 alone."""
    net = network("dmn-plus", passes=1)
    memory = net.episodic_memory
    c, q = torch.randn(4, 8).double(), torch.randn(1, 8).double()
    score = torch.tensor([-1e9, -1e9, 0.0, -1e9]).double()
    memory.gate.forward = lambda features, m, q: score  # type: ignore[method-assign]
    whole = memory(Facts(c, Packing.of(torch.tensor([4]))), q)
    score = torch.zeros(1).double()
    alone = memory(Facts(c[2:3], Packing.of(torch.tensor([1]))), q)
    torch.testing.assert_close(whole.memory, alone.memory)


def test_the_end_of_passes_keeps_the_memory() -> None:
    """Once the end-of-passes fact has all the weight, later passes change nothing, and are said not to have run."""
    net = network("dmn", passes=3)
    memory = net.episodic_memory
    of_facts, of_end = [0.0, -1e9], [-1e9]
    scores = iter([of_facts, of_end, [-1e9, -1e9], [0.0], of_facts, of_end])  # the second pass is the end's
    memory.gate.forward = lambda features, m, q: torch.tensor(next(scores)).double()  # type: ignore[method-assign]
    facts = Facts(torch.randn(2, 8).double(), Packing.of(torch.tensor([2])))
    q = torch.randn(1, 8).double()
    stopped = memory(facts, q)
    assert stopped.running.tolist() == [[1, 0, 0]]
    memory.passes = 1
    scores = iter([of_facts, of_end])
    torch.testing.assert_close(stopped.memory, memory(facts, q).memory)


def test_comparing_has_the_gradients_of_its_equation() -> None:
    """base + W1 [c∘v, |c-v|, cᵀWv], with and without the last feature, and more than one fact for each question."""
    torch.manual_seed(0)
    packing = Packing.of(torch.tensor([1, 3, 2]))
    v = torch.randn(3, 3).double().requires_grad_()
    for of, bias, full in ((packing, True, False), (packing, False, True), (None, True, True)):
        n = 6 if of else 3
        c, cW = (torch.randn(n, 3).double().requires_grad_() for _ in range(2))
        base = torch.randn(*([] if bias else [n]), 3).double().requires_grad_()
        W1 = torch.randn(3, 6 + full).double().requires_grad_()
        v_ = v if of is None else v[of.row]
        z = [c * v_, (c - v_).abs(), *([(cW * v_).sum(dim=1, keepdim=True)] if full else [])]
        arguments = (c, v, cW if full else None, W1, base, of)
        torch.testing.assert_close(compare(*arguments), base + torch.cat(z, dim=1) @ W1.t())
        assert torch.autograd.gradcheck(compare, arguments)  # type: ignore[reportArgumentType]


@torch.no_grad()
def test_decoding_is_the_equation_with_one_hot_words() -> None:
    """a_t = GRU([y_{t-1}, q], a_{t-1}) with y one-hot; what is decoded is what teacher forcing would say of it."""
    net = network("dmn", seed=3)
    module = net.answer_module
    m, q = torch.randn(6, 8).double(), torch.randn(6, 8).double()
    words, confidence = module.decode_once(m, q)
    for row in range(6):
        a, y, p, said = m[row : row + 1], torch.zeros(1, ANSWERS).double(), 1.0, []
        for _ in range(4):
            a = module.gru.step(module.gru.project(torch.cat([y, q[row : row + 1]], dim=1)), a)
            distribution = torch.softmax(module.W(a), dim=1)
            best = int(distribution.argmax())
            p, said = p * float(distribution[0, best]), [*said, best]
            y = torch.nn.functional.one_hot(torch.tensor([best]), ANSWERS).double()
            if best == END:
                break
        assert words[row, : len(said)].tolist() == said
        assert (words[row, len(said) :] == END).all()
        assert float(confidence[row]) == pytest.approx(p)
    forced = module.once(m, q, words)
    ended_before = (words == END).cumsum(1) - (words == END).long() > 0
    assert ((forced.argmax(dim=2) == words) | ended_before).all()


def test_the_unknown_word_says_nothing() -> None:
    net = network("dmn-plus")
    assert (net.word_vectors.E.weight[:2] == 0).all()


@torch.no_grad()
def test_at_each_fact_decoding_is_the_equation_with_one_hot_words() -> None:
    """a_t = GRU([y_{t-1}, q, c_t], a_{t-1}) from a_0 = m on; decoded is what teacher forcing would say."""
    module = network("dmn", seed=3, each=True).answer_module
    m, q, c = torch.randn(3, 8).double(), torch.randn(3, 8).double(), torch.randn(3, 4, 8).double()
    length = torch.tensor([3, 1, 4])
    packing = Packing.of(length)
    facts = Facts(packing.pack(c), packing)
    words, confidence = module.decode_at_each(m, q, facts)
    logits = packing.unpack(module.at_each(m, q, facts, words))
    for row in range(3):
        a, y, p = m[row : row + 1], torch.zeros(1, ANSWERS).double(), 1.0
        for t in range(int(length[row])):
            a = module.gru.step(module.gru.project(torch.cat([y, q[row : row + 1], c[row : row + 1, t]], dim=1)), a)
            torch.testing.assert_close(logits[row, t], module.W(a)[0])
            distribution = torch.softmax(module.W(a), dim=1)[0]
            best = 1 + int(distribution[1:].argmax())  # there is no end to choose
            assert int(words[row, t]) == best
            p *= float(distribution[best])
            y = torch.nn.functional.one_hot(torch.tensor([best]), ANSWERS).double()
        assert (words[row, int(length[row]) :] == END).all()
        assert float(confidence[row]) == pytest.approx(p)


def test_each_fact_is_answered_from_itself() -> None:
    """The answer at a fact depends on that fact: with all else equal, another word there changes its logits."""
    net = network("dmn-plus", each=True)
    one, other = [[[2], [3], [4]], [[2], [3], [5]]]
    logits = [net(batch([(facts, [6], (1, 1, 1), [])])).logits[0, 2] for facts in (one, other)]
    assert (logits[0] - logits[1]).abs().max() > 1e-3


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


@pytest.mark.parametrize("preset", ["dmn", "dmn-plus"])
def test_facts_can_be_vectors(preset: str) -> None:
    """Facts that are vectors come in by the same door: company doesn't matter, and a gate and a gradient reach them."""
    net = network(preset, features=3)
    vectors = torch.randn(5, 3).double().requires_grad_()
    stories = [[[0], [1], [2]], [[3], [4]]]

    def asked_of(*which: int) -> Batch:
        b = batch([(stories[i], [6, 7], [1], [0]) for i in which])
        return Batch(**{**vars(b), "vectors": vectors[[row for i in which for (row,) in stories[i]]]})

    together = asked_of(1, 0)
    assert_same(everything(net, together, 1), everything(net, asked_of(0)))
    assert_same(everything(net, together, 0), everything(net, asked_of(1)))
    net(together).logits.sin().sum().backward()
    assert vectors.grad is not None
    assert (vectors.grad != 0).any(dim=1).all()
