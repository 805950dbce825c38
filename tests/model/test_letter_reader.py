"""The letters of words: which they are, and what is read of them."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dmn_cli.model.gated_gru import GatedGRU
from dmn_cli.model.letter_reader import LetterReader
from dmn_cli.records.batch import Texts, begins
from dmn_cli.records.letters import Letters
from dmn_cli.records.spelling import Spelled, Spelling

texts = st.lists(st.text(st.characters(exclude_categories=["Cs"], min_codepoint=32), max_size=40), min_size=1)


@given(texts, st.data())
def test_the_letters_of_a_word_are_its_bytes(words: list[str], data: st.DataObject) -> None:
    chosen = data.draw(st.lists(st.integers(0, len(words) - 1)))
    letters, lengths = Spelling(words).take(np.array(chosen, np.int64))
    found = np.split(letters, np.cumsum(lengths)[:-1]) if chosen else []
    for word, own in zip([words[i] for i in chosen], found, strict=True):
        written = word.encode()
        if len(written) > 32:
            written = written[:16] + written[-16:]
        assert own.tolist() == ([byte + 1 for byte in written] or [0])


def test_a_spare_has_no_letters() -> None:
    letters, lengths = Spelling(["\tperson 1", "mary"]).take(np.array([0, 1]))
    assert lengths.tolist() == [1, 4]
    assert letters[0] == 0


def letters_of(sentences: list[list[str]], affixes: bool = False) -> tuple[Letters, Texts]:
    """Of sentences of words, those that begin with a blank being affixes."""
    known = sorted({word for sentence in sentences for word in sentence})
    longest = max(map(len, sentences))
    ids = torch.tensor([[1 + known.index(w) for w in s] + [0] * (longest - len(s)) for s in sentences])
    affix = None
    if affixes:
        affix = torch.tensor([[w.startswith(" ") for w in s] + [False] * (longest - len(s)) for s in sentences])
    packed = Texts.of(ids, affix)
    real = (ids != 0).numpy()
    spelled = Spelled(ids.numpy()[real] - 1, Spelling(known))
    return Letters.of(spelled, begins(real, affix)[real], packed.packing), packed


@settings(deadline=None, max_examples=20)
@given(st.lists(st.lists(st.sampled_from(["a", "be", "sea", "été", "deed"]), min_size=1, max_size=4), min_size=1))
def test_each_step_has_the_letters_of_its_word(sentences: list[list[str]]) -> None:
    """Whatever says the form of a word, its letters aren't read; and both directions are those of a plain loop."""
    torch.manual_seed(0)
    reader = LetterReader(3, 5, lambda *sizes: GatedGRU(*sizes)).double()
    letters, texts = letters_of([[part for word in s for part in (word, " Xx")] for s in sentences], affixes=True)
    c = letters.word.look_up(reader(letters))
    for row, sentence in enumerate(sentences):
        for step, word in enumerate(sentence):
            x = reader.X[torch.tensor(list(word.encode())) + 1]
            ends = []
            for gru, way in ((reader.forwards, x), (reader.backwards, x.flip(0))):
                length = torch.tensor([len(way)])
                ends.append(gru.reference(gru.project(way)[None], length)[0, -1])
            expected = reader.W(torch.cat(ends))
            torch.testing.assert_close(c[texts.packing.at[row, step]], expected)
