"""Word vectors: every format gives what gensim reads, damage is named, nothing runs, and training gives sense."""

import gzip
import io
import json
import pickle
import struct
import tarfile
import tracemalloc
import warnings
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from conftest import Dmn, fails
from helpers import BABI, needs
from hypothesis import HealthCheck, given, settings

from dmn_cli.data.store import writer
from dmn_cli.data.store.reader import DataSet, training_sentences
from dmn_cli.data.text import blocks
from dmn_cli.data.vectors import corpus
from dmn_cli.data.vectors import read as vectors
from dmn_cli.data.vectors import saved as saved_vectors
from dmn_cli.data.vectors.found import FoundVectors
from dmn_cli.data.vectors.read import read
from dmn_cli.data.words.tokenizer import Affixed, Tokenizer, WhitespaceTokenizer
from dmn_cli.data.words.vocabulary import Vocabulary
from dmn_cli.errors import DataError, DmnError, UsageError
from dmn_cli.records.text import Question, Story

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from gensim.models import KeyedVectors, Word2Vec

_REAL = BABI.parents[1] / "vectors"
_SAMPLES = _REAL / "gensim_format_samples"

WORDS = ["the", "Paris", "ß", "new_york", "7"]
MATRIX = np.array([[0.5, -1, 2e-3], [1, 2, 3], [0.1, 0.2, 0.3], [-7, 0, 1e-8], [4, 5, 6]], np.float32)


def glove(words: Iterable[str] = WORDS, matrix: np.ndarray = MATRIX, end: str = "\n") -> bytes:
    rows = zip(words, matrix.tolist(), strict=True)
    return "".join(f"{word} {' '.join(map(str, row))}{end}" for word, row in rows).encode()


def binary(end: bytes = b"") -> bytes:
    records = [word.encode() + b" " + row.tobytes() + end for word, row in zip(WORDS, MATRIX, strict=True)]
    return b"5 3\n" + b"".join(records)


def saved(protocol: int = 4) -> bytes:
    kept = KeyedVectors(3)
    kept.add_vectors(WORDS, MATRIX)
    return pickle.dumps(kept, protocol)


def zipped(**members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"folder/{name}.txt", content)
    return file.getvalue()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "vectors"


def of(path: Path, content: bytes, *wanted: str, **options: Any) -> dict[str, list[float]]:
    path.write_bytes(content)
    found = read(str(path), wanted, **options)
    return dict(zip(found.words, found.vectors.tolist(), strict=True))


ALL = dict(zip(WORDS, MATRIX.tolist(), strict=True))

# ------------------------------------------------------------------------------------------------------ formats


FORMATS = {
    "GloVe": glove(),
    "with CRLF": glove(end="\r\n"),
    "without a last line end": glove().removesuffix(b"\n"),
    "after a byte order mark": b"\xef\xbb\xbf" + glove(),
    "word2vec's after one": b"\xef\xbb\xbf5 3\n" + glove(),
    "with tabs": glove().replace(b" ", b"\t"),
    "word2vec's text": b"5 3\n" + glove(),
    "blanks at the ends": b"5 3\n" + glove(end=" \n"),  # word2vec and fastText write them
    "binary": binary(),
    "binary with line ends": binary(b"\n"),  # as word2vec itself writes it
    **{f"saved by protocol {protocol}": saved(protocol) for protocol in (2, 3, 4, 5)},
    "gz": gzip.compress(glove()),
    "binary gz": gzip.compress(binary()),
    "saved gz": gzip.compress(saved()),
    "zip": zipped(one=glove()),
    "binary gz in a zip": zipped(one=gzip.compress(binary())),
}


@pytest.mark.parametrize("content", FORMATS.values(), ids=FORMATS.keys())
def test_every_format_whatever_its_name(path: Path, content: bytes) -> None:
    assert of(path, content, *WORDS) == ALL
    assert of(path, content, "7", "missing", "ß") == {word: ALL[word] for word in ("7", "ß")}
    assert of(path, content, "missing", "paris") == {"paris": ALL["Paris"]}
    assert of(path, content, extra=2) == {word: ALL[word] for word in ("the", "Paris")}


def test_vectors_beside_a_saved_one_stay_on_disk(path: Path) -> None:
    kept = KeyedVectors(3)
    kept.add_vectors(WORDS, MATRIX)
    kept.save(str(path), separately=["vectors"])
    assert read(str(path), ["ß"]).vectors.tolist() == [ALL["ß"]]
    with path.open("rb") as file:
        assert isinstance(saved_vectors.load(file, "", path)[1], np.memmap)
    beside = path.with_name("vectors.vectors.npy")
    np.save(beside, np.array([[{}]], object), allow_pickle=True)
    with pytest.raises(DataError, match="damaged"):
        read(str(path), ["ß"])
    beside.unlink()
    with pytest.raises(DataError, match="missing"):
        read(str(path), ["ß"])


@pytest.mark.parametrize(
    "name",
    [
        *("crime-and-punishment.vec", "euclidean_vectors.bin", "high_precision.kv.bin", "high_precision.kv.txt"),
        *("lee_fasttext.vec", "test_glove.txt", "toy-model.vec", "word2vec_pre_kv_c"),
        *("../glove.6B.100d.sample.txt.gz", "../glove.840B.300d.top596.txt.gz", "../word2vecjson.1000.300d.w2v.txt.gz"),
    ],
)
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # gensim leaves the file open
@needs(_REAL / "glove.6B.100d.sample.txt.gz")
def test_real_files_are_read_as_gensim_reads_them(name: str) -> None:
    file = str(_SAMPLES / name)
    whole = KeyedVectors.load_word2vec_format(file, binary=name.endswith(".bin"), no_header="glove" in name)
    found = read(file, whole.index_to_key)
    assert found.words == whole.index_to_key
    assert np.array_equal(found.vectors, whole.vectors)
    assert not found.by_case
    assert read(file, (), extra=10).words == whole.index_to_key[:10]


@needs(_SAMPLES / "pretrained.vec")
def test_a_real_file_whose_header_is_wrong() -> None:
    with pytest.raises(DataError, match="promises 3 words, and it has 1"):
        read(str(_SAMPLES / "pretrained.vec"), ["dummy"])


def test_tokens_with_blanks_in_them(path: Path) -> None:
    """As GloVe 840B has them."""
    content = glove([". . .", "at name@domain.com", "of", "\x85", "x\xa0y"])
    expected = [". . .", "at name@domain.com", "of", "\x85", "x\xa0y"]
    assert list(of(path, content, *expected)) == expected


# ------------------------------------------------------------------------------------------------- which words


def test_the_exact_spelling_comes_first_then_the_first_in_another_case(path: Path) -> None:
    content = glove(["US", "Us", "us", "APPLE", "Apple"])
    path.write_bytes(content)
    found = read(str(path), ["us", "apple", "Us", "pear"])
    assert found.words == ["us", "apple", "Us"]
    assert found.vectors.tolist() == MATRIX[[2, 3, 1]].tolist()
    assert found.by_case == ["apple"]
    assert of(path, glove(["ÉTÉ", "été", "été", "x", "y"]), "été", "Été") == {
        "été": MATRIX[1].tolist(),
        "Été": MATRIX[0].tolist(),
    }


def test_of_two_entries_the_first_counts(path: Path) -> None:
    for content in (glove(["a", "b", "a", "B", "b"]), binary().replace(b"Paris", b"the")):
        first = of(path, content, "a", "b", "the")
        assert first.get("a", first.get("the")) == MATRIX[0].tolist()
    assert of(path, glove(["a", "a", "b", "a", "c"]), extra=3) == {
        "a": MATRIX[0].tolist(),
        "b": MATRIX[2].tolist(),
        "c": MATRIX[4].tolist(),
    }


def test_extra_words_are_the_first_that_are_kept(path: Path) -> None:
    path.write_bytes(glove())
    found = read(str(path), ["7", "paris", "ß"], extra=2, keeps=lambda word: word == word.lower() and word != "the")
    assert found.words == ["7", "paris", "ß", "new_york"]
    assert found.extra == ["ß", "new_york"]
    assert found.vectors.tolist() == MATRIX[[4, 1, 2, 3]].tolist()


@given(
    rows=st.lists(
        st.tuples(
            st.text(st.characters(exclude_categories=["Cs", "Z", "C"]), min_size=1, max_size=4),
            st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=4, max_size=4),
        ),
        min_size=1,
        max_size=9,
        unique_by=lambda row: row[0],
    ),
    data=st.data(),
)
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_text_and_binary_say_the_same_of_anything(path: Path, rows: list[Any], data: st.DataObject) -> None:
    words, matrix = [word for word, _ in rows], np.array([row for _, row in rows], np.float32)
    wanted = data.draw(st.lists(st.sampled_from(words), max_size=5, unique=True))
    header = f"{len(words)} 4\n".encode()
    records = (word.encode() + b" " + row.tobytes() for word, row in zip(words, matrix, strict=True))
    for content in (glove(words, matrix), header + glove(words, matrix), header + b"".join(records)):
        if content.startswith(header) or matrix.size > 4:
            assert of(path, content, *wanted) == {word: matrix[words.index(word)].tolist() for word in wanted}


# ------------------------------------------------------------------------------------------------------- damage


DAMAGED = [
    (b"", "", "is empty"),
    (b"hello world\n", "", "not a file of word vectors"),
    (b"\x7fELF\x02\x01\x01" + bytes(90), "", "not a file of word vectors"),
    (b"\xba\x16\x4f\x2f\x0c\x00\x00\x00", "", "fastText model"),
    (b"0 3\n", ":1", "0 words of size 3"),
    (b"3 99999999\n", ":1", "size 99,999,999"),
    (b"a 1.5 2.5\nb 1.5\nc 1.5 2.5\n", ":2", "has 1 numbers, not 2"),
    (b"a 1.5 2.5\nb 1.5 2.5\nc 1.", ":3", "cut short: it has 1 numbers, not 2"),
    (b"a 1.5 2.5\nb 1.5 2.5 3.5\n", ":2", "has 3 numbers, not 2"),
    (b"2 3\na 1.5 2.5\nb 1.5 2.5\n", ":2", "has 2 numbers, not 3"),
    (b"2 2\na 1.5 2.5 3.5\nb 1.5 2.5 3.5\n", ":2", "has 3 numbers, not 2"),
    (b"3 2\na 1.5 2.5\nb 1.5 2.5\n", "", "promises 3 words, and it has 2"),
    (b"1 2\na 1.5 2.5\nb 1.5 2.5\n", ":2", "goes on after the 1 words"),
    (b"a 1.5 2.5\nb 1.5 x\n", ":2", "could not convert string to float: 'x'"),
    (b"a 1.5 2.5\nb 1.5 1_0\n", ":2", "'1_0' is not a number"),
    (b"a 1.5 2.5\nb nan 1\n", ":2", "infinite or not a number"),
    (b"a 1.5 2.5\nb inf 1\n", ":2", "infinite or not a number"),
    (b"a 1.5 2.5\nb 1e39 1\n", ":2", "infinite or not a number"),
    (b"a 1.5 2.5\n\xe9t\xe9 1.5 2.5\n", ":2", "byte 1 of the word '�t�' is not UTF-8"),
    (b"a 1.5 2.5\nb" + b" 1" * (1 << 21) + b"\n", ":2", "longer than 4 MiB"),
    (binary()[:-1], "", "word 5 of 5 is not whole"),
    (binary()[:40], "", "word 3 of 5 is not whole"),
    (binary() + b"more", "", "goes on after the 5 words"),
    (b"2 2\n\x00" + b"x" * 99999, "", "word 1 has no end"),
    (b"1 2\nb " + struct.pack("<2f", 1, float("nan")), "", "word 1, 'b', has a number that is infinite"),
    (gzip.compress(glove())[:-9], "", "damaged or cut short"),
    (zipped(one=glove())[:60] + zipped(one=glove())[61:], "", "damaged"),
    (zipped(), "", "the archive is empty"),
    (b"\x93NUMPY\x01\x00", "", "only the numbers of vectors"),
    (b"\x80\x04N.", "", "not a whole gensim KeyedVectors"),
    (saved()[:-80], "", "pickle exhausted"),
    (pickle.dumps({"a": 1}), "", "not a whole gensim KeyedVectors"),
    (saved().replace(b"index_to_key", b"index_to_kez"), "", "no list of words"),
]


@pytest.mark.parametrize(("content", "where", "said"), DAMAGED, ids=[said for _, _, said in DAMAGED])
def test_damage_is_named_with_its_place(path: Path, content: bytes, where: str, said: str) -> None:
    path.write_bytes(content)
    with pytest.raises(DataError) as error:
        read(str(path), ["a", "b"])
    assert said in error.value.message
    assert (error.value.where or "") == f"{path}{where}"


def test_a_binary_word_that_was_cut_within_a_character_is_passed_over(path: Path) -> None:
    assert of(path, binary().replace("ß".encode(), b"\xc3"), "the", "7") == {word: ALL[word] for word in ("the", "7")}


def test_an_unwanted_line_need_not_be_read(path: Path) -> None:
    assert of(path, b"a 1.5 2.5\nb 1.5 nan\n", "a") == {"a": [1.5, 2.5]}


@pytest.mark.parametrize(
    "start", [b"", b"2 3\n", b"2 3\n\x00 ", b"\x80\x04", b"\x80\x02cnumpy\n", b"\x1f\x8b\x08", b"PK"]
)
@given(rest=st.binary(max_size=80))
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_vectors_or_an_error(path: Path, start: bytes, rest: bytes) -> None:
    path.write_bytes(start + rest)
    try:
        found = read(str(path), ["a", "b"], extra=2)
    except DmnError:
        return
    assert found.vectors.shape[0] == len(found.words)
    assert np.isfinite(found.vectors).all()


@pytest.mark.parametrize(
    "kind", ["saved by protocol 2", "saved by protocol 4", "gz", "binary", "zip", "word2vec's text"]
)
@given(at=st.integers(0, 1000), byte=st.integers(0, 255))
@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_byte_changed(path: Path, kind: str, at: int, byte: int) -> None:
    content = bytearray(FORMATS[kind])
    content[at % len(content)] = byte
    path.write_bytes(content)
    try:
        read(str(path), WORDS)
    except DmnError:
        return


class _Calls:
    def __init__(self, function: Any, *args: Any) -> None:
        self.call = function, args

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_a_pickle_calls_nothing(path: Path, tmp_path: Path, protocol: int) -> None:
    harm = tmp_path / "harm"
    command = f"open({str(harm)!r}, 'w').close()"
    for evil in (
        _Calls(exec, command),
        {"index_to_key": ["a"], "vectors": _Calls(eval, command)},
        _Calls(np.load, str(harm)),
        _Calls(KeyedVectors.load, str(harm)),
        _Calls(getattr, {}, "clear"),
    ):
        path.write_bytes(b"\x80\x02" * (protocol == 0) + pickle.dumps(evil, protocol))
        with pytest.raises(DataError, match="not one of a gensim KeyedVectors"):
            read(str(path), ["a"])
    assert not harm.exists()


def test_a_whole_model_is_refused_with_what_to_do(path: Path) -> None:
    Word2Vec([["a", "b"]] * 5, vector_size=3, min_count=1, epochs=1).save(str(path))
    with pytest.raises(DataError, match=r"Word2Vec.*\n.*model\.wv\.save"):
        read(str(path), ["a"])


# ---------------------------------------------------------------------------------------------------- archives


def test_a_zip_with_several_members(path: Path, tmp_path: Path) -> None:
    content = zipped(small=glove(), large=b"x 1.0 2.0\n")
    with pytest.raises(UsageError, match=r"2 members; it has folder/large.txt, folder/small.txt\n.*:folder/large.txt"):
        of(path, content, "x")
    assert read(f"{path}:folder/large.txt", ["x"]).vectors.tolist() == [[1, 2]]
    assert read(f"{path}:folder/small.txt", ["ß"]).vectors.tolist() == [ALL["ß"]]
    with pytest.raises(UsageError, match="no member 'tiny'"):
        read(f"{path}:tiny", ["x"])
    plain = tmp_path / "plain:with a colon"
    plain.write_bytes(glove())
    assert read(str(plain), ["ß"]).vectors.tolist() == [ALL["ß"]]
    with pytest.raises(UsageError, match="is not an archive"):
        read(f"{plain}:member", ["x"])
    with pytest.raises(UsageError, match="no such file"):
        read(str(tmp_path / "none.zip:member"), ["x"])


def test_what_a_system_leaves_in_an_archive_is_no_member(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in {"v.txt": glove(), "__MACOSX/._v.txt": b"\0\5\26\7", ".DS_Store": b"x"}.items():
            archive.writestr(name, content)
    assert read(str(path), ["ß"]).vectors.tolist() == [ALL["ß"]]


def test_any_archive_will_do(tmp_path: Path) -> None:
    """And what is read of it is told to its end."""
    path = tmp_path / "v.tar.xz"
    with tarfile.open(path, "w:xz") as archive:
        for name, content in {"v.bin": binary(), "readme": b"All about it."}.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    told: list[int] = []
    assert read(f"{path}:v.bin", ["ß"], progress=told.append).vectors.tolist() == [ALL["ß"]]
    assert sum(told) == path.stat().st_size


def test_the_temporary_file_is_gone(path: Path, tmp_path: Path) -> None:
    path.write_bytes(glove())
    (tmp_path / "scratch").mkdir()
    for wanted, content in ((["ß"], glove()), (["b"], b"a 1.5 2.5\nb 1.5 x\n")):
        path.write_bytes(content)
        with suppress(DataError):
            assert len(read(str(path), wanted, folder=tmp_path / "scratch").words) == 1
        assert not list((tmp_path / "scratch").iterdir())


def test_memory_does_not_grow_with_the_file(path: Path) -> None:
    def peak(words: int) -> int:
        with path.open("wb") as file:
            file.writelines(b"word%d 0.25 0.5%s\n" % (i, b" 0.125" * 98) for i in range(words))
        tracemalloc.start()
        try:
            assert read(str(path), ["word7", "WORD8"], extra=3).vectors.shape == (5, 100)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(20_000) < 1.1 * peak(2_000) < 5 << 20


# ------------------------------------------------------------------------------------------------- a data set


SEEN = ["the", "cat", "sat", "dog", "who"]  # in training


def story(facts: str, question: str) -> Story:
    return Story("task", tuple(facts.split(" . ")), (Question(question, 1, ("yes",)),))


PAIRS = [
    ("train", story("the cat sat . the dog sat", "who sat")),
    ("valid", story("the cat ran", "who ran")),
    ("test", story("the mouse ran", "who ran")),
]


def prepared(path: Path, content: bytes, extra: int = 0) -> DataSet:
    file = path.with_name("file")
    file.write_bytes(content)
    tokenizer = WhitespaceTokenizer()

    def attach(folder: Path, vocabulary: Vocabulary) -> FoundVectors:
        return vectors.of_file(str(file), vocabulary, tokenizer, extra)

    writer.write(path, PAIRS, tokenizer, {"format": "test"}, attach)
    return DataSet(path)


VECTORS = glove(["<unk>", "the", "The", "mouse", "CAT", "two words", "lion", "tiger"], np.arange(16.0).reshape(8, 2))


def test_a_data_set_has_the_vectors_of_its_words(path: Path) -> None:
    data = prepared(path, VECTORS)
    assert data.vectors is not None
    ids, rows = data.vectors
    assert (ids.dtype, rows.dtype) == (np.int32, np.float32)
    items = data.vocabulary.words.items
    assert {items[i]: row.tolist() for i, row in zip(ids, rows, strict=True)} == {
        "the": [2, 3],
        "cat": [8, 9],
        "mouse": [6, 7],
    }
    assert data.vocabulary.extra == []


def test_coverage_by_hand(path: Path) -> None:
    """Training: the cat sat the dog sat who sat; of its 8 tokens, the twice and cat once have a vector."""
    data = prepared(path, VECTORS, extra=2)
    summary = data.summary["vectors"]
    assert summary["coverage"] == {
        "train": {"types": 5, "types_found": 2, "tokens": 8, "tokens_found": 3},
        "valid": {"types": 4, "types_found": 2, "tokens": 5, "tokens_found": 2},
        "test": {"types": 4, "types_found": 2, "tokens": 5, "tokens_found": 2},
    }
    assert (summary["size"], summary["found"], summary["by_case"], summary["extra"]) == (2, 3, 1, 2)
    assert data.summary["words"] == 7


def test_extra_words_do_not_depend_on_the_test_split(path: Path) -> None:
    """`mouse`, which only the test split has, is an extra word like any other; `The` and `<unk>` can't be read."""
    data = prepared(path, VECTORS, extra=2)
    assert data.vocabulary.extra == ["mouse", "lion"]
    words = data.vocabulary.words
    assert words.items == [" <pad>", "<unk>", *SEEN, "ran", "mouse", "lion"]
    assert {split: counts[-1] for split, counts in words.counts.items()} == {"train": 0, "valid": 0, "test": 0}
    model = data.vocabulary.of_training()
    assert model.words.items == [" <pad>", "<unk>", *SEEN, "mouse", "lion"]
    model.save(path.with_name("saved"))
    assert Vocabulary.load(path.with_name("saved")).words.items == model.words.items


def test_a_data_set_without_vectors_is_as_it_was(tmp_path: Path) -> None:
    writer.write(tmp_path / "data", PAIRS, WhitespaceTokenizer(), {"format": "test"})
    data = DataSet(tmp_path / "data")
    assert data.vectors is None
    assert "vectors" not in data.summary
    assert "extra" not in json.loads((tmp_path / "data" / "vocabulary.json").read_text())


def test_vectors_that_were_changed_or_lost(path: Path) -> None:
    prepared(path, VECTORS)
    file = path / "vectors.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(DataError, match="isn't the file that was written"):
        _ = DataSet(path).vectors
    file.unlink()
    with pytest.raises(DataError, match="is missing from the data set"):
        _ = DataSet(path).vectors


def test_a_file_with_none_of_the_words_leaves_nothing_behind(path: Path) -> None:
    with pytest.raises(DataError, match="a vector for no word"):
        prepared(path, b"x 1.0 2.0\n")
    assert not path.exists()


# ---------------------------------------------------------------------------------------------------- training


def sentences(data: Path) -> Iterator[list[str]]:
    return training_sentences(data, DataSet(data).vocabulary)


@pytest.mark.parametrize("tokenizer", [WhitespaceTokenizer(), Affixed(WhitespaceTokenizer())])
def test_the_corpus_is_the_training_split_and_the_texts(tmp_path: Path, tokenizer: Tokenizer) -> None:
    """And no word's form."""
    words = Story("tags", ("one", "by", "one"), (Question("which one", 3, ("a",)),))
    made = tmp_path / "data"
    writer.write(made, [*PAIRS, ("train", words)], tokenizer, {"format": "test"})
    (tmp_path / "plain").write_bytes("\ufeffA text .\r\n\nOf two lines".encode())
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("in/one.txt", "First")
        archive.writestr("in/two.html", "not a text")
    path = tmp_path / "corpus"
    told: list[int] = []
    texts = [tmp_path / "plain", tmp_path / "a.zip"]
    count = corpus.write(path, sentences(made), texts, tokenizer, told.append)
    assert path.read_text().splitlines() == [
        *("the cat sat", "the dog sat", "one by one", "who sat", "which one"),
        *("a text .", "of two lines", "first"),
    ]
    assert count == 20
    assert sum(told) == blocks.size(texts)


def test_much_text_is_cut_by_processes_into_the_same_words(tmp_path: Path) -> None:
    lines = [f"Line {i} of many" for i in range(500)]
    (tmp_path / "text").write_text("\n".join(lines))
    corpus.write(tmp_path / "corpus", [["first"]], [tmp_path / "text"], WhitespaceTokenizer(), block=200)
    assert (tmp_path / "corpus").read_text().splitlines() == ["first", *(line.lower() for line in lines)]


def test_a_text_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(b"fine\n\xe9t\xe9\n")
    (tmp_path / "folder").mkdir()
    for name, said in (
        ("latin", r"latin:2: byte 1 of the line \(0xe9\) is not UTF-8"),
        ("folder", "no file named .txt"),
    ):
        with pytest.raises(DataError, match=said):
            corpus.write(tmp_path / "c", [], [tmp_path / name], WhitespaceTokenizer())


TOPICS = (
    (["cat", "dog", "lion"], ["purrs", "sleeps", "eats"]),
    (["car", "truck", "van"], ["drives", "parks", "honks"]),
)
WHO_AND_DOES = {word for who, does in TOPICS for word in who + does}


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A text in which cats and dogs do one kind of thing, and cars and trucks another."""
    random = np.random.default_rng(0)
    with (tmp_path / "tiny.txt").open("w") as file:
        for _ in range(6000):
            who, does = TOPICS[random.integers(2)]
            file.write(f"{random.choice(who)} {random.choice(does)} {random.choice(does)}\n")
    return tmp_path / "tiny.txt"


JSONL = (
    '{"story": ["the cat sleeps"], "question": "who sleeps", "answer": "cat", "split": "train"}\n'
    '{"story": ["the van parks"], "question": "who parks", "answer": "van", "split": "valid"}\n'
    '{"story": ["the unseen parks"], "question": "who parks", "answer": "van", "split": "test"}\n'
)


def test_trained_vectors_have_sense_and_are_the_same_again(dmn: Dmn, tmp_path: Path, tiny: Path) -> None:
    (tmp_path / "data.jsonl").write_text(JSONL)

    def trained(out: str, seed: int) -> DataSet:
        options = ("--train-vectors", "--text", tiny, "--vector-size", 16, "--extra-words", 20, "--seed", seed)
        result = dmn("prepare", "jsonl", tmp_path / "data.jsonl", "--out", tmp_path / out, *options)
        assert result.code == 0, result.err
        return DataSet(tmp_path / out)

    data = trained("one", 1)
    assert data.vectors is not None
    ids, rows = data.vectors
    items = data.vocabulary.words.items
    of = {items[i]: row / np.linalg.norm(row) for i, row in zip(ids, rows, strict=True)}
    assert rows.shape[1] == 16
    assert {"the", "who", "cat", "sleeps"} <= of.keys()  # of the training split, however rare
    assert "unseen" not in of  # of the test split alone
    assert set(data.vocabulary.extra) == WHO_AND_DOES - {"cat", "sleeps"}
    assert of["cat"] @ of["dog"] > of["cat"] @ of["truck"]
    assert of["car"] @ of["truck"] > of["car"] @ of["lion"]
    again, other = trained("two", 1).vectors, trained("three", 2).vectors
    assert again is not None
    assert other is not None
    assert np.array_equal(again[1], rows)
    assert not np.array_equal(other[1], rows)
    assert not list((tmp_path / "one").glob("corpus*"))


# ------------------------------------------------------------------------------------------------- dmn prepare


def test_a_data_set_gives_its_vectors_to_another(dmn: Dmn, tmp_path: Path) -> None:
    """Of words that training lacks the first ones, as of a file."""
    file, one, two = tmp_path / "data.jsonl", tmp_path / "one", tmp_path / "two"
    file.write_text(JSONL)
    (tmp_path / "v.txt").write_bytes(glove(["the", "lion", "cat", "tiger"], np.eye(4)))
    by_file = "prepare", "jsonl", file, "--vectors", tmp_path / "v.txt", "--extra-words", 2, "--out"
    assert dmn(*by_file, one).code == 0
    result = dmn("prepare", "jsonl", file, "--vectors", one, "--extra-words", 1, "--out", two)
    assert result.code == 0, result.err
    given, got = (
        {d.vocabulary.words.items[i]: [*v] for i, v in zip(*d.vectors or (), strict=True)}
        for d in map(DataSet, (one, two))
    )
    assert given == {**got, "tiger": [0, 0, 0, 1]}
    assert got.keys() == {"the", "cat", "lion"}
    assert dmn("prepare", "jsonl", file, "--out", tmp_path / "bare").code == 0
    refused = dmn("prepare", "jsonl", file, "--vectors", tmp_path / "bare", "--out", tmp_path / "none")
    fails(refused, 2, "bare: has no word vectors")
    damaged = one / "vectors.safetensors"
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"?")
    fails(dmn("prepare", "jsonl", file, "--vectors", one, "--out", tmp_path / "none"), 3, "vectors.safetensors")


def test_dmn_prepare_with_vectors(dmn: Dmn, tmp_path: Path) -> None:
    (tmp_path / "data.jsonl").write_text(JSONL)
    (tmp_path / "v.zip").write_bytes(zipped(a=glove(["the", "CAT", "lion"], np.eye(3)), b=b""))
    command = ("prepare", "jsonl", tmp_path / "data.jsonl", "--vectors", f"{tmp_path / 'v.zip'}:folder/a.txt")
    result = dmn(*command, "--extra-words", 5, "--out", tmp_path / "data", "--json")
    assert result.code == 0, result.err
    summary = result.document["vectors"]
    assert (summary["found"], summary["by_case"], summary["extra"], summary["size"]) == (2, 1, 1, 3)
    result = dmn(*command, "--out", tmp_path / "other")
    assert "train        4  50.0 %         40.0 %" in result.out
    assert "2 words with a vector of size 3 (1 of them spelled in another case), 0 extra words." in result.out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--vectors NONE", "no such file of vectors"),
        ("--vectors FILE --train-vectors", "choose one of them"),
        ("--extra-words 5", "--extra-words is for word vectors"),
        ("--vectors FILE --vector-size 5", "--vector-size is for vectors that are trained"),
        ("--vectors FILE --text FILE", "--text is for vectors that are trained"),
        ("--train-vectors --text NONE", "no such text"),
        ("--train-vectors --vector-size 0", "--vector-size"),
        ("--train-vectors --format babi", "has no word vectors"),
    ],
)
def test_options_that_make_no_sense(dmn: Dmn, tmp_path: Path, options: str, said: str) -> None:
    (tmp_path / "file").write_bytes(glove())
    words = {"FILE": str(tmp_path / "file"), "NONE": str(tmp_path / "none")}
    result = dmn("prepare", "story", *(words.get(o, o) for o in options.split()), "--out", tmp_path / "out")
    fails(result, 2, said)
    assert not (tmp_path / "out").exists()


def test_a_file_that_is_no_vectors_is_found_out_before_the_stories_are_read(dmn: Dmn, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"hello world\n")
    command = ("prepare", "jsonl", tmp_path / "missing.jsonl", "--out", tmp_path / "out")
    fails(dmn(*command, "--vectors", tmp_path / "file"), 3, "not a file of word vectors", "GloVe")
