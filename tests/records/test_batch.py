"""What a batch works out about itself."""

import torch
from helpers import batch
from hypothesis import given
from hypothesis import strategies as st

from dmn_cli.records.batch import Bags, Texts, Wordings, Words, story_words


def test_story_words_joins_the_sentences() -> None:
    b = batch([([[2, 3], [4], [5, 6, 7]], [2], [1], [0]), ([[8]], [2], [1], [0])])
    words, end = story_words(b)
    assert words.tolist() == [[2, 3, 4, 5, 6, 7], [8, 0, 0, 0, 0, 0]]
    assert end[0].tolist() == [2, 3, 6]
    assert end[1, 0] == 1


@given(st.lists(st.integers(1, 9), max_size=30), st.sampled_from([0, 1 << 16]))
def test_each_distinct_word_is_held_once(words: list[int], beyond: int) -> None:
    ids = torch.tensor(words, dtype=torch.int64) + beyond
    found = Words.of(ids.numpy())
    assert found.distinct.tolist() == sorted({*ids.tolist()})
    assert torch.equal(found.distinct[found.pointers.index], ids)
    ends = [*found.pointers.start.tolist()[1:], len(words)]
    for n, (start, end) in enumerate(zip(found.pointers.start.tolist(), ends, strict=False)):
        assert (found.pointers.index[found.pointers.order[start:end]] == n).all()


def test_words_know_their_sentence_and_their_place_in_it() -> None:
    bags = Bags.of(torch.tensor([[5, 2, 0], [2, 0, 0], [2, 5, 7]]))
    assert bags.start.tolist() == [0, 2, 3]
    torch.testing.assert_close(bags.place, torch.tensor([1 / 2, 1, 1, 1 / 3, 2 / 3, 1]).to(bags.place.dtype))
    assert bags.words.distinct.tolist() == [2, 5, 7]
    assert bags.sentence.tolist() == [0, 1, 2, 0, 2, 2]
    assert torch.equal(bags.place_there, bags.place[bags.words.pointers.order])


def test_a_word_and_its_affixes_are_one_step() -> None:
    sentences = torch.tensor([[5, 8, 2, 9, 9], [2, 8, 0, 0, 0], [7, 7, 7, 8, 0]])
    texts = Texts.of(sentences, sentences >= 8)
    steps = texts.packing.unpack(torch.arange(len(texts.packing.row)) + 1)
    assert (steps > 0).sum(dim=1).tolist() == [2, 1, 3]
    assert texts.single.tolist() == [False, True, False]
    words = texts.words.distinct[texts.words.pointers.index].tolist()
    bounds = [*texts.start.tolist(), len(words)]
    found = [[words[bounds[n - 1] : bounds[n]] for n in row if n] for row in steps.tolist()]
    assert found == [[[5, 8], [2, 9, 9]], [[2, 8]], [[7], [7], [7, 8]]]
    assert Texts.of(sentences, None).packing.steps == 5


def test_what_all_questions_begin_with_is_held_once() -> None:
    """Where it is worth it; at least a word is left of each."""
    rows = torch.tensor([[3, 4, n, 0] for n in range(5, 125)] + [[3, 4, 5, 6]])
    found = Wordings.of(rows)
    assert found.beginning == 2
    words = found.words.distinct[found.words.pointers.index]
    assert words[:2].tolist() == [3, 4]
    assert torch.equal(found.rest.unpack(words[2:], fill=0), rows[:, 2:])
    assert Wordings.of(rows[:20]).beginning == 0
    assert Wordings.of(torch.cat([rows, torch.tensor([[3, 0, 0, 0]])])).beginning == 0
    assert Wordings.of(torch.full((300, 1), 3)).beginning == 0


def test_what_was_made_of_a_batch_moves_with_it() -> None:
    """To a device, where it can't be made: words are compared on the CPU."""
    b = batch([([[2, 3], [4], [5, 6, 7]], [2], [1], [0]), ([[8]], [2], [1], [0])])
    ngrams, letters = b.ngrams(2), b.letters
    moved = b.to(torch.device("meta"))
    assert moved.ngrams(2).keys.is_meta
    assert moved.ngrams(2).keys.shape == ngrams.keys.shape
    assert moved.ngrams(2).texts == 2
    assert moved.letters.letters.index.is_meta
    assert moved.letters.word.index.shape == letters.word.index.shape
