"""Networks that read a text and say its class: what they compute, whatever stands beside it in the batch."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from helpers import ANSWERS, WORDS, Asked
from helpers import batch as told

from dmn_cli.baselines.bi_lstm import BiLstm
from dmn_cli.baselines.classifier import Classifier, cross_entropy, texts
from dmn_cli.baselines.dcnn import Dcnn, k_max
from dmn_cli.baselines.sentence_cnn import SentenceCnn
from dmn_cli.records.batch import END, Batch
from dmn_cli.records.network import Sizes

SIZES = Sizes(WORDS, ANSWERS, max_answer_steps=2, word_size=6, per_fact=False)


def cnn(channels: str = "multichannel") -> SentenceCnn:
    return SentenceCnn(SIZES, widths=[3, 4, 5], maps=4, channels=channels, dropout=0.0, longest_row=3.0)


MAKES: dict[str, Callable[[], Classifier]] = {
    "bi-lstm": lambda: BiLstm(SIZES, hidden=4, dropout=0.0),
    "sentence-cnn": cnn,
    "dcnn": lambda: Dcnn(SIZES, hidden=8, widths=[4, 3], maps=[2, 3], top=3, dropout=0.0),
}
ASKED: list[Asked] = [
    ([[2], [3], [4], [5], [6], [7], [8], [9], [10], [3]], [2], [1], []),
    ([[4]], [2], [2], []),
    ([[5], [6], [7]], [2], [1], []),
    ([[8, 9], [10, 2, 3]], [2], [3], []),
]


def net(name: str) -> Classifier:
    torch.manual_seed(0)
    made = MAKES[name]().double().eval()
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    assert made.word_table
    made.word_table.weight.data[0] = 0.0  # padding, which no step moves
    return made


@pytest.mark.parametrize("name", MAKES)
def test_company_order_and_padding_change_nothing(name: str) -> None:
    network = net(name)
    together = network.classes(told(ASKED, extra_words=2, extra_facts=5))
    alone = torch.cat([network.classes(told([asked])) for asked in ASKED])
    torch.testing.assert_close(together, alone, rtol=1e-9, atol=1e-11)
    torch.testing.assert_close(network.classes(told([*reversed(ASKED)])).flip(0), alone, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", MAKES)
def test_the_order_of_words_counts(name: str) -> None:
    network = net(name)
    facts, question, answer, _ = ASKED[0]
    there, back = (network.classes(told([(order, question, answer, [])])) for order in (facts, facts[::-1]))
    assert not torch.allclose(there, back)


def test_a_question_is_about_what_it_has_seen() -> None:
    """Two questions about one story, the first of which sees its first two facts alone."""
    whole = told(ASKED[:1])
    asked = {"question": torch.tensor([0, 0]), "story_of": torch.tensor([0, 0]), "facts_seen": torch.tensor([2, 10])}
    both = replace(whole, **asked, per_fact=torch.tensor([False, False]), answer=whole.answer[[0, 0]])
    words, length = texts(both)
    assert length.tolist() == [2, 10]
    assert words.tolist() == [[2, 3, *[0] * 8], [2, 3, 4, 5, 6, 7, 8, 9, 10, 3]]


def test_its_answers_are_classes() -> None:
    """One word and the end; how sure it is depends on the temperature, which answers don't."""
    network, b = net("bi-lstm"), told(ASKED)
    with torch.no_grad():
        network.W.bias[END] = 100.0  # type: ignore[union-attr]
    cold = network.answer(b, with_loss=True)
    assert (cold.words[:, 0] != END).all()
    assert (cold.words[:, 1] == END).all()
    torch.testing.assert_close(cold.loss, network.losses(b, None).answers)
    logits, right = network.answer_logits(b)
    of_steps = torch.nn.functional.cross_entropy(logits, right, reduction="none").view(len(b), 2)
    torch.testing.assert_close(of_steps[:, 0], cold.loss)
    assert (of_steps[:, 1] < 1e-9).all(), "that it ends then is certain"
    three = network.likeliest(b, 3)
    assert torch.equal(three.words[:, 0], cold.words)
    assert (three.probability.diff(dim=1) <= 0).all()
    assert (network.likeliest(b, 99).probability > 0).sum(dim=1).tolist() == [ANSWERS - 1] * 4
    network.temperature = 5.0
    warm = network.answer(b)
    assert torch.equal(warm.words, cold.words)
    assert (warm.confidence < cold.confidence).all()
    assert warm.uncalibrated is not None
    torch.testing.assert_close(warm.uncalibrated, cold.confidence)


def test_cross_entropy_is_torchs() -> None:
    """Also smoothed; what can't be said has no part in that, and an answer that it doesn't know costs nothing."""
    s, right = torch.randn(6, 4), torch.tensor([0, 1, 2, 3, 1, -1])
    for smoothing in (0.0, 0.2):
        wanted = torch.nn.functional.cross_entropy(
            s, right, ignore_index=-1, reduction="none", label_smoothing=smoothing
        )
        torch.testing.assert_close(cross_entropy(s, right, smoothing), wanted)
        barred = torch.cat([torch.full((6, 1), -torch.inf), s], dim=1)
        torch.testing.assert_close(cross_entropy(barred, right + (right >= 0), smoothing), wanted)


# --- convolutions


def test_a_convolution_by_hand() -> None:
    """One map of width 3 sees all windows with a word in them; around the text are zeros."""
    network = cnn("fine-tuned")
    w = torch.nn.Conv1d(1, 1, 3, padding=2, bias=False)
    with torch.no_grad():
        w.weight.copy_(torch.tensor([[[1.0, 10.0, 100.0]]]))
    x = torch.tensor([[[1.0, -5.0, 2.0, 0.0]], [[-1.0, 0.0, 0.0, 0.0]]])
    c = torch.relu(w(x))
    assert c[0, 0].tolist() == [100, 0, 151, 15, 2, 0]
    assert network.pooled(c + 7, torch.tensor([4, 1]))[:, 0].tolist() == [158, 7], "a window beyond the text is none"
    assert network.pooled(c + torch.arange(6), torch.tensor([4, 1]))[:, 0].tolist() == [153, 2]


def test_a_channel_that_is_kept_stays() -> None:
    """The other begins with the same vectors, given ones too, and moves."""
    for channels in ("multichannel", "static", "fine-tuned"):
        network = cnn(channels)
        table = network.word_table
        table.give(torch.tensor([3, 4]), torch.randn(2, SIZES.word_size))
        before = table.weight.detach().clone()
        network.W.weight.data.normal_()
        step(network, told(ASKED))
        moved = not torch.equal(table.weight, before)
        assert moved == (channels != "static")
        if channels == "multichannel":
            assert torch.equal(table.kept, before)
            assert "words.kept" in network.state_dict()
            assert "words.kept" not in dict(network.named_parameters())


def step(network: Classifier, b: Batch, rate: float = 1.0) -> None:
    network.train()
    network.losses(b, None).answers.sum().backward()
    torch.optim.SGD(network.parameters(), rate).step()
    network.constrain()


@pytest.mark.parametrize("name", MAKES)
def test_padding_stays_zero(name: str) -> None:
    network = net(name)
    step(network, told(ASKED))
    assert network.word_table
    assert (network.word_table.weight[0] == 0).all()
    assert (network.word_table.weight[2:] != 0).all()


def test_long_rows_of_the_softmax_are_cut() -> None:
    network = cnn()
    network.W.weight.data.normal_(std=3.0)
    network.W.weight.data[2] = 0.01
    before = network.W.weight.detach().clone()
    network.constrain()
    norm = network.W.weight.norm(dim=1)
    assert (norm <= 3.0001).all()
    torch.testing.assert_close(norm[0], torch.tensor(3.0))
    assert torch.equal(network.W.weight[2], before[2]), "a short one stays"
    torch.testing.assert_close(network.W.weight[0] / norm[0], before[0] / before[0].norm())


def test_k_max_pooling_keeps_the_order() -> None:
    row = torch.tensor([3.0, 9.0, -1.0, 7.0, 5.0, 99.0])
    c = torch.stack([row, row]).view(2, 1, 1, 6)
    pooled, real = k_max(c, torch.tensor([5, 4]), torch.tensor([3, 2]))
    assert pooled[0].flatten().tolist() == [9, 7, 5], "not by size, and not what is beyond the end"
    assert pooled[1].flatten()[:2].tolist() == [9, 7]
    assert real.flatten(1).tolist() == [[True, True, True], [True, True, False]]


def test_k_max_pooling_is_the_plain_one() -> None:
    torch.manual_seed(3)
    c = torch.randn(5, 2, 3, 11)
    length, k = torch.tensor([11, 8, 5, 4, 11]), torch.tensor([4, 5, 5, 3, 11])
    pooled, real = k_max(c, length, k)
    for n in range(5):
        whole = c[n, :, :, : length[n]]
        for row in range(2):
            for m in range(3):
                numbers = whole[row, m].tolist()
                least = sorted(numbers)[-int(k[n])]
                assert pooled[n, row, m, : k[n]].tolist() == [number for number in numbers if number >= least]
        assert int(real[n].sum()) == int(k[n])


def test_dcnn_shapes_are_the_papers() -> None:
    """d 48, widths 10 and 7, 6 and 14 maps, k_top 4: 12 rows of 14 maps of 4 numbers."""
    network = Dcnn(SIZES, hidden=48, widths=[10, 7], maps=[6, 14], top=4, dropout=0.5)
    assert network.W.in_features == 12 * 14 * 4
    words, length = texts(told(ASKED))
    x = network.words(words).transpose(1, 2)
    assert network.layers[0](x, length, length.clamp(min=8) // 2).shape == (4, 24 * 6, 5), (
        "k is half of the longest text, and at least k_top"
    )
