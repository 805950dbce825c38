"""Memory networks: what they compute, whatever stands beside it in a batch, and against plain loops."""

from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from helpers import ANSWERS, WORDS, Asked
from helpers import batch as told
from torch import Tensor

from dmn_cli.baselines.memn2n import MemN2N
from dmn_cli.baselines.memnn import MemNN, winner
from dmn_cli.baselines.ngram_rows import ngram_rows
from dmn_cli.baselines.stepwise import ended
from dmn_cli.model.ensemble import Ensemble
from dmn_cli.model.speaking import SpeakingNetwork
from dmn_cli.records.batch import END
from dmn_cli.records.network import Answered, Sizes

SIZES = Sizes(
    WORDS,
    ANSWERS,
    max_answer_steps=3,
    word_size=6,
    per_fact=False,
    answer_words=(1, 4, *range(1, ANSWERS - 1)),  # no text has the first and the third
)
ASKED: list[Asked] = [
    ([[2, 3], [4, 5, 6], [7], [8, 9], [10, 2], [3, 4], [2, 3]], [2, 5], [1, 2], [1, 4]),
    ([[4]], [2], [2], [0]),
    ([[5, 6], [6, 5], [7, 2, 3, 4]], [3, 4, 5, 6], [1], [2, 1, 0]),
    ([[8, 9], [10, 2, 3]], [2], [3], []),
]


def memn2n(memory: int = 5, **settings: float) -> MemN2N:
    keys = {"hidden": 6, "hops": 3, "longest": 6, "time_noise": 0.0, "linear_start": 0} | settings
    return MemN2N(SIZES, memory=memory, **keys)  # type: ignore[arg-type]


def memnn(*, two_layers: bool = True, hops: int = 4) -> MemNN:
    return MemNN(SIZES, hidden=6, hops=hops, longest_ngram=3, buckets=50, two_layers=two_layers, margin=0.1)


MAKES: dict[str, Callable[[], SpeakingNetwork]] = {
    "memn2n": memn2n,
    "memn2n, linear": lambda: memn2n(linear_start=3),
    "memnn": memnn,
    "memnn, one layer": lambda: memnn(two_layers=False),
}


def net(name: str, seed: int = 0) -> SpeakingNetwork:
    torch.manual_seed(seed)
    made = MAKES[name]().double().eval()
    for key, parameter in made.named_parameters():
        torch.nn.init.normal_(parameter, std=0.7)
        if key.startswith(("E.", "O.U", "R.U", "U_y")):
            parameter.data[0] = 0.0  # padding, which no step moves
    return made


def answered(network: SpeakingNetwork, asked: list[Asked], **padding: int) -> Answered:
    return network.answer(network.arrange(told(asked, **padding)), with_loss=True)


def row(answers: Answered, i: int) -> Answered:
    """One question's."""
    words, confidence, gates, loss, _ = answers
    assert gates is not None
    assert loss is not None
    return Answered(*(column[i : i + 1] for column in (words, confidence, gates, loss)))


@pytest.mark.parametrize("name", MAKES)
def test_company_order_and_padding_change_no_answer(name: str) -> None:
    network = net(name)
    together, back = answered(network, ASKED, extra_words=2, extra_facts=4), answered(network, ASKED[::-1])
    for i, one in enumerate(ASKED):
        alone = answered(network, [one])
        for other in (row(together, i), row(back, len(ASKED) - 1 - i)):
            steps = alone.words.shape[1]
            assert other.words[:, :steps].equal(alone.words)
            assert not other.words[:, steps:].any()
            torch.testing.assert_close(other.confidence, alone.confidence)
            torch.testing.assert_close(other.loss, alone.loss)
            assert alone.gates is not None
            assert other.gates is not None
            facts = len(one[0])
            torch.testing.assert_close(other.gates[:, :, :facts], alone.gates)
            assert not other.gates[:, :, facts:].any()


@pytest.mark.parametrize("name", ["memn2n", "memnn"])
def test_several_of_them_answer_together(name: str) -> None:
    both = answered(Ensemble([net(name), net(name, 1)]), ASKED)  # type: ignore[arg-type]
    alone = [answered(net(name, seed), ASKED) for seed in (0, 1)]
    gates = [one.gates for one in alone if one.gates is not None]
    torch.testing.assert_close(both.gates, torch.stack(gates).mean(dim=0))


@pytest.mark.parametrize("name", MAKES)
def test_the_likeliest_answer_is_the_one_that_is_given(name: str) -> None:
    network = net(name)
    batch = network.arrange(told(ASKED))
    top, given = network.likeliest(batch, 3), network.answer(batch)
    ends = given.words[:, -1] == END  # as every answer of the training did
    assert (top.probability[:, 0] >= given.confidence - 1e-12)[ends].all()
    assert (top.probability.sum(dim=1) <= 1 + 1e-9).all()


# --- memn2n


def test_it_computes_its_equations() -> None:
    """Of each question by itself, fact by fact and word by word."""
    network = net("memn2n")
    assert isinstance(network, MemN2N)
    tables = [*network.E.parameters()]
    J, d = 6, 6
    l_J = torch.tensor([1 + 4 * (k - 3.5) * (6 - 3.5) / 36 for k in range(1, d + 1)], dtype=torch.float64)

    def sentence(table: Tensor, words: list[int]) -> Tensor:
        f = table.new_zeros(d)
        for j, word in enumerate(words, start=1):
            for k in range(1, d + 1):
                f[k - 1] += (1 + 4 * (k - (d + 1) / 2) * (j - (J + 1) / 2) / (d * J)) * table[word, k - 1]
        return f

    s, gates = network.scores(network.arrange(told(ASKED)))
    assert gates is not None
    for i, (facts, question, _, _) in enumerate(ASKED):
        u = sentence(tables[0], question)
        kept = facts[::-1][:5]  # the latest first
        for k, (A, C) in enumerate(pairwise(range(4))):
            m = [sentence(tables[A], fact) + l_J * network.T[A, age] for age, fact in enumerate(kept)]
            c = [sentence(tables[C], fact) + l_J * network.T[C, age] for age, fact in enumerate(kept)]
            scores = [u @ one for one in m] + [u.new_zeros(())] * (5 - len(m))  # of empty places
            p = torch.stack(scores).softmax(dim=0)[: len(m)]
            u = u + sum(weight * one for weight, one in zip(p, c, strict=True))
            ages = p.flip(0).detach()
            torch.testing.assert_close(gates[i, k, len(facts) - len(kept) : len(facts)], ages, rtol=1e-4, atol=1e-5)
        W = [network.W_other[0], tables[3][4], network.W_other[1], *tables[3][2 : ANSWERS - 1]]
        expected = torch.stack([torch.stack(W) @ u, *(w @ u for w in network.W_later)])
        torch.testing.assert_close(s[i], expected, rtol=1e-4, atol=1e-5)  # l is rounded to 32 bits


def test_padding_says_nothing_and_words_beyond_the_longest_sentence_weigh_alike() -> None:
    network = memn2n(longest=4)
    rows = network.encoded(network.E[0], torch.tensor([[3, 4, 0, 0], [3, 4, 5, 0]]))
    torch.testing.assert_close(rows[:1], network.encoded(network.E[0], torch.tensor([[3, 4]])))
    one, other = network.encoded(network.E[0], torch.tensor([[3, 4, 5, 6, 7], [3, 4, 7, 5, 6]]))
    torch.testing.assert_close(one, other)


def test_it_starts_linear_and_is_told_when_that_ends() -> None:
    network = net("memn2n, linear")
    assert isinstance(network, MemN2N)
    linear = [network.begin_epoch(epoch) or bool(network.linear) for epoch in range(1, 6)]
    assert linear == [True, True, True, False, False]
    assert bool(network.state_dict()["linear"]) is False, "a model knows which it is"


def test_times_are_drawn_in_order_among_some_empty_ones() -> None:
    torch.manual_seed(0)
    network = memn2n(memory=20, time_noise=0.3)
    seen = torch.tensor([1, 10, 20, 30]).repeat(200)
    time = network.noisy(torch.arange(20), seen)
    for n, row in zip(seen.tolist(), time.tolist(), strict=True):
        own = row[: min(n, 20)]
        assert own == sorted(own)
        assert max(own) <= min(19, min(n, 20) - 1 + -(-min(n, 20) * 3 // 10))
        assert len({*own}) == len(own) or own.count(19) > 1, "but for the last one no time is there twice"
    tens = time[seen == 10]
    assert not tens[:, :10].eq(torch.arange(10)).all(dim=1).all()
    assert set(tens[:, 9].tolist()) == {9, 10, 11, 12}
    still = memn2n(memory=20, time_noise=0.0)
    assert still.noisy(torch.arange(20), seen)[1, :10].tolist() == [*range(10)]


def test_noise_is_for_training_alone() -> None:
    network = memn2n(time_noise=1.0)
    batch = network.arrange(told(ASKED[:1]))
    assert network.eval().scores(batch).s.equal(network.scores(batch).s)
    network.train()
    assert len({network.scores(batch).s.sum().item() for _ in range(20)}) > 1


def test_after_the_steps_that_it_has_an_answer_ends() -> None:
    s = torch.randn(2, 2, ANSWERS)
    longer = ended(s, 4)
    assert longer[:, :2].equal(s)
    assert (longer[:, 2:].softmax(dim=2)[..., END] > 0.999).all()
    assert ended(s, 1).equal(s[:, :1])


# --- memnn


def plainly_chosen(network: MemNN, one: Asked) -> list[int]:
    """Places of the facts that win, walking over them one by one."""
    facts, question, _, _ = one

    def bag(table: torch.nn.Module, words: list[int]) -> Tensor:
        return table(network.ngrams(torch.tensor([words])))[0]

    candidates = [network.O.E(network.m_null), *(network.O.E(bag(network.U_y, fact)) for fact in facts)]
    x, age, found = bag(network.O.U_q, question), len(candidates), []
    last = torch.zeros_like(x)
    for _ in range(network.hops):
        best = 0
        for y in range(1, len(candidates)):
            phi = torch.tensor([age > y, age > best, y > best], dtype=torch.float64)
            margin = network.O.E(x + last) @ (candidates[y] - candidates[best] + phi @ network.U_t)
            best = y if margin > 0 else best
        if best == 0:
            break
        found.append(best - 1)
        x, age = x + bag(network.O.U_m, facts[best - 1]), best
        last = bag(network.O.U_l, facts[best - 1])
    return found


@pytest.mark.parametrize("name", ["memnn", "memnn, one layer"])
@pytest.mark.parametrize("seed", range(8))
def test_gates_show_the_winners_of_a_walk_over_the_facts(name: str, seed: int) -> None:
    network = net(name, seed)
    assert isinstance(network, MemNN)
    gates = answered(network, ASKED).gates
    assert gates is not None
    for one, passes in zip(ASKED, gates.tolist(), strict=True):
        shown = [row.index(1.0) for row in passes if any(row)]
        assert shown == plainly_chosen(network, one)
        assert sum(map(sum, passes)) == len(shown), "a pass has one winner, or none from the end on"


def test_the_walk_keeps_the_winner() -> None:
    alpha = torch.tensor([[0.0, 1.0, 3.0, 2.5], [0.0, -1.0, -2.0, 9.0]])
    beta = torch.tensor([[0.5, 2.0, 2.0, 2.0], [0.5, 2.0, 2.0, 2.0]])
    real = torch.tensor([[True] * 4, [True, True, True, False]])
    assert winner(alpha, beta, torch.zeros(2, 1), real).tolist() == [3, 0]
    assert winner(alpha, beta + 1, torch.zeros(2, 1), real).tolist() == [2, 0]


def test_the_loss_is_that_of_the_worst_memory_and_of_all_wrong_words() -> None:
    network = net("memnn")
    assert isinstance(network, MemNN)
    batch = network.arrange(told(ASKED))
    losses = network.losses(batch, "ordered")
    gamma = network.margin
    assert losses.gates is not None
    for i, (facts, question, answer, support) in enumerate(ASKED):
        told_o, told_r = (
            [table(network.ngrams(torch.tensor([words])))[0] for words in facts]
            for table in (network.O.U_m, network.R.U_m)
        )
        own = [table(network.ngrams(torch.tensor([question])))[0] for table in (network.O.U_q, network.R.U_q)]
        rows = [network.O.E(network.m_null)]
        rows += [network.O.E(network.U_y(network.ngrams(torch.tensor([words])))[0]) for words in facts]
        x, age, expected = own[0], len(rows), torch.zeros(())

        def s(x: Tensor, age: int, y: int, other: int, rows: list[Tensor] = rows) -> Tensor:
            phi = torch.tensor([age > y, age > other, y > other], dtype=torch.float64)
            return network.O.E(x) @ (rows[y] - rows[other] + phi @ network.U_t)

        for f in [*(place + 1 for place in support), 0][: network.hops] if support else []:
            each = [
                F.relu(gamma - s(x, age, f, y)) + F.relu(gamma + s(x, age, y, f)) for y in range(len(rows)) if y != f
            ]
            expected = expected + max(each)
            if f:
                x, age = own[0] + sum(told_o[place] for place in support[: support.index(f - 1) + 1]), f
                x = x + network.O.U_l(network.ngrams(torch.tensor([facts[f - 1]])))[0]
        torch.testing.assert_close(losses.gates[i], expected.to(losses.gates.dtype))
        x, expected = own[1] + sum(told_r[place] for place in support), torch.zeros(())
        if support:
            x = x + network.R.U_l(network.ngrams(torch.tensor([facts[support[-1]]])))[0]
        for right in [*answer, END]:  # type: ignore[misc]
            scores = network.R.E(network.U_w) @ network.R.E(x)
            expected = expected + sum(F.relu(gamma - scores[right] + scores[w]) for w in range(ANSWERS) if w != right)
            x = x + network.U_said[right]
        torch.testing.assert_close(losses.answers[i], expected)
    assert network.losses(batch, None).gates is None


def test_ngrams_have_rows_of_their_own_in_any_company() -> None:
    rows = ngram_rows(torch.tensor([[2, 3, 4, 0], [3, 4, 0, 0], [2, 3, 4, 5]]), words=10, longest=3, buckets=1000)
    assert rows[:, :4].tolist() == [[2, 3, 4, 0], [3, 4, 0, 0], [2, 3, 4, 5]]
    assert rows.ne(0).sum(dim=1).tolist() == [3 + 2 + 1, 2 + 1, 4 + 3 + 2]
    assert rows[0, 4] == rows[2, 4], "the same pair"
    assert rows[0, 5] == rows[1, 4]
    assert rows[rows >= 10].unique().numel() == 5, "three pairs and two of three words"
    alone = ngram_rows(torch.tensor([[3, 4]]), words=10, longest=3, buckets=1000)
    assert alone[0, 2] == rows[1, 4]
    single = ngram_rows(torch.tensor([[3, 4]]), words=10, longest=1, buckets=0)
    assert single.tolist() == [[3, 4]]
