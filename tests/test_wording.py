"""Numbers in words."""

import pytest

from dmn_cli.wording import duration, one_text, plural, size


def test_one_and_several() -> None:
    assert [plural(n, "epoch") for n in (0, 1, 2, 1000)] == ["0 epochs", "1 epoch", "2 epochs", "1,000 epochs"]
    assert [plural(n, "pass", nouns="passes") for n in (1, 3)] == ["1 pass", "3 passes"]


@pytest.mark.parametrize(
    ("n", "said"), [(0, "0 bytes"), (1, "1 byte"), (999, "999 bytes"), (1200, "1.2 kB"), (3.44e9, "3.4 GB")]
)
def test_sizes(n: float, said: str) -> None:
    assert size(n) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (99.4, "99 s"), (99.6, "2 min"), (5900, "98 min"), (5970, "1.7 h"), (36_000, "10.0 h")],
)
def test_durations(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_a_story_of_words_is_one_text() -> None:
    assert one_text(["What", "is", "it", "?"]) == "What is it ?"
    assert one_text(["What is it?", "no"]) is one_text(["no"]) is one_text([]) is None
