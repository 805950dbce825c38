"""What a batch works out about itself."""

from helpers import batch

from dmn_cli.records.batch import story_words


def test_story_words_joins_the_sentences() -> None:
    b = batch([([[2, 3], [4], [5, 6, 7]], [2], [1], [0]), ([[8]], [2], [1], [0])])
    words, end = story_words(b)
    assert words.tolist() == [[2, 3, 4, 5, 6, 7], [8, 0, 0, 0, 0, 0]]
    assert end[0].tolist() == [2, 3, 6]
    assert end[1, 0] == 1
