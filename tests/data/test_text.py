"""Prepared texts: what is written is what is read, in the words of a model."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dmn_cli.data.text.batches import TextBatches
from dmn_cli.data.text.prepare import LONGEST, prepare
from dmn_cli.data.text.store import Text, frequent
from dmn_cli.data.words.tokenizer import Affixed, WhitespaceTokenizer
from dmn_cli.data.words.vocabulary import Index, Vocabulary
from dmn_cli.errors import DataError

WORD = st.text("abcde", min_size=1, max_size=3)


def written(folder: Path, text: str, affixes: bool = False, block: int = 1 << 18) -> Text:
    (folder / "text.txt").write_text(text, encoding="utf-8")
    words = WhitespaceTokenizer()
    return prepare(folder / "out", [folder / "text.txt"], Affixed(words) if affixes else words, block=block)


def read(text: Text) -> list[list[str]]:
    ids, lengths = text.take(np.arange(text.sentences))
    words = [text.items[i] for i in ids]
    return [words[end - n : end] for n, end in zip(lengths, np.cumsum(lengths), strict=True)]


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(st.lists(WORD, min_size=1, max_size=6), min_size=2, max_size=8), affixes=st.booleans())
def test_it_comes_back_as_it_was_split(tmp_path: Path, lines: list[list[str]], affixes: bool) -> None:
    text = written(tmp_path, "\n".join(map(" ".join, lines)), affixes)
    tokenizer = Affixed(WhitespaceTokenizer()) if affixes else WhitespaceTokenizer()
    assert read(text) == [tokenizer(" ".join(line)) for line in lines]
    assert text.steps.tolist() == [len(line) for line in lines]
    assert text.words == sum(map(len, lines))
    counts = dict(zip(text.items, text.counts.tolist(), strict=True))
    assert sum(counts.values()) == len(text.take(np.arange(text.sentences))[0])
    assert counts[lines[0][0]] == sum(line.count(lines[0][0]) for line in lines)


@pytest.mark.parametrize("affixes", [False, True])
def test_long_sentences_are_cut_between_words(tmp_path: Path, affixes: bool) -> None:
    words = [f"w{i}" for i in range(2 * LONGEST + 10)]
    text = written(tmp_path, " ".join(words), affixes)
    assert text.steps.tolist() == [LONGEST, LONGEST, 10]
    assert [word for sentence in read(text) for word in sentence if word[0] != " "] == words
    assert all(sentence[0][0] != " " for sentence in read(text))


def test_much_text_is_split_by_processes_into_the_same(tmp_path: Path) -> None:
    lines = "\n".join(f"line {i} of {i % 7} many" for i in range(400))
    (tmp_path / "a").mkdir()
    one, several = written(tmp_path / "a", lines), written(tmp_path, lines, block=200)
    assert read(one) == read(several)
    assert one.fingerprint == several.fingerprint


def test_damage_and_what_is_no_text(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="fewer than two sentences"):
        written(tmp_path, "one line")
    assert not (tmp_path / "out").exists()
    written(tmp_path, "a b\nc d\n")
    for name, said in (("words.bin", "length"), ("words.json", "damaged"), ("text.json", "damaged")):
        whole = (tmp_path / "out" / name).read_bytes()
        (tmp_path / "out" / name).write_bytes(whole[:-4])
        with pytest.raises(DataError, match=said):
            Text(tmp_path / "out")
        (tmp_path / "out" / name).write_bytes(whole)
    about = json.loads((tmp_path / "out" / "text.json").read_text())
    (tmp_path / "out" / "text.json").write_text(json.dumps({**about, "format_version": 99}))
    with pytest.raises(DataError, match="format version 99"):
        Text(tmp_path / "out")


def test_the_most_frequent_words_that_the_data_lack(tmp_path: Path) -> None:
    text = written(tmp_path, "the cat the dog\nthe cat a bird\na cow", affixes=True)
    words = frequent([text], Index(["the"]), 2)
    assert words[:2] == ["cat", "a"]
    assert " x" in words[2:], "the shape of all these words is as frequent"
    assert " -ird" not in words
    assert frequent([text], Index([]), 0) == []


def test_batches_have_each_sentence_once_but_for_those_held_out(tmp_path: Path) -> None:
    lines = [" ".join(["a", "b", "c"][: 1 + i % 3]) for i in range(1200)]
    text = written(tmp_path, "\n".join(lines))
    vocabulary = Vocabulary(Index([" <pad>", "<unk>", "b", "a"]))
    batches = TextBatches([text], vocabulary)
    assert batches.held_out.tolist() == [0, 500, 1000]
    plan = batches.plan(seed=1, epoch=1, words=20)
    taken = [plan[n] for n in range(len(plan))]
    assert sorted(np.concatenate(taken)) == [i for i in range(1200) if i % 500]
    assert max(batches.steps[batch].sum() for batch in taken) <= 22
    assert batches.plan(1, 1, 20)[3].tolist() == taken[3].tolist()
    assert batches.plan(1, 2, 20)[3].tolist() != taken[3].tolist()
    rows, affix = batches.take(np.array([1, 2]))
    assert rows.tolist() == [[3, 2, 0], [3, 2, 1]]
    assert affix is None
    assert batches.counts.tolist() == [0, 0, 800, 1200]


def test_several_texts_are_read_as_one(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    one, other = written(tmp_path / "a", "a b\nb b"), written(tmp_path, "c\na c")
    batches = TextBatches([one, other], Vocabulary(Index([" <pad>", "<unk>", "a", "b", "c"])))
    assert batches.take(np.array([1, 3]))[0].tolist() == [[3, 3], [2, 4]]
    assert batches.counts.tolist() == [0, 0, 2, 3, 2]
    with pytest.raises(DataError, match="no word"):
        _ = TextBatches([one], Vocabulary()).counts
