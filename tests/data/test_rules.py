"""Rules from a file cut texts exactly as spaCy does, whatever the text; a damaged file is refused."""

import functools
import hashlib
import json
import lzma
import re
import shutil
import tarfile
import time
import zipfile
from contextlib import suppress
from itertools import islice
from pathlib import Path

import hypothesis.strategies as st
import pytest
from conftest import Dmn, fails
from helpers import BABI, SST, needs
from hypothesis import example, given, settings

from dmn_cli.data.words import from_spacy as spacy_rules
from dmn_cli.data.words.from_spacy import SpacyItself
from dmn_cli.data.words.rules import Rules
from dmn_cli.data.words.spec import from_spec
from dmn_cli.data.words.tokenizer import SpacyTokenizer, WhitespaceTokenizer
from dmn_cli.errors import DataError

TEXT = BABI.parents[1] / "text" / "enwiki_slice_2018.txt.xz"


def written(language: str) -> bytes:
    content = spacy_rules.written(language)
    assert content is not None
    return content


@functools.cache
def rules(language: str) -> Rules:
    return Rules(written(language))


@pytest.fixture(autouse=True, scope="module")
def _imported() -> None:
    """spaCy draws random numbers when it is imported, which no strategy may do."""
    rules("en")


@functools.cache
def special_cases(language: str) -> list[str]:
    return sorted(json.loads(written(language))["special_cases"])


@functools.cache
def spacy(language: str) -> SpacyItself:
    return SpacyItself(language)


def check(language: str, text: str) -> None:
    assert rules(language).words(text) == spacy(language).words(text)
    assert rules(language).sentences(text) == spacy(language).sentences(text)


# what the rules are about: words, units, emoticons, URLs, blanks, punctuation of many scripts
PARTS = [
    "Mary",
    "dont",
    "n't",
    "'s",
    "O'Neil",
    "10",
    "3.5",
    "km",
    "°C",
    "$",
    "€5",
    "e.g.",
    "U.S.",
    "...",
    "…",
    "a@b.org",
]
PARTS += [
    "http://a.b/c?d=e",
    "www.x.de",
    ".com",
    ":)",
    ":-(",
    "<3",
    "-",
    "--",
    "—",
    "_",
    "/",
    "*",
    "\\",
    "'",
    '"',
    "’",
    "«",
    "»",
]
PARTS += [
    *"()[]{}.,;:!?&+=#@% \t\n\xa0\u200b\u2028\x85\x1c",
    "。",
    "！",
    "।",
    "؟",
    "ß",
    "É",
    "é",
    "ñ",
    "щ",
    "文字",
    "عربى",
    "😀",
    "\ufe0f",
]


@st.composite
def texts(draw: st.DrawFn, language: str) -> str:
    """Special cases, parts that rules are about, and anything, run together or with blanks between."""
    piece = st.sampled_from(special_cases(language)) | st.sampled_from(PARTS) | st.text(max_size=5) | st.just(" ")
    return "".join(draw(st.lists(piece, max_size=12)))


@pytest.mark.parametrize("language", ["en", "de", "es", "fa", "fr", "gd", "hu", "nl", "ru", "tr", "xx"])
@settings(deadline=None, max_examples=150)
@given(st.data())
def test_any_text_is_cut_as_spacy_cuts_it(language: str, data: st.DataObject) -> None:
    check(language, data.draw(texts(language)))


@settings(deadline=None, max_examples=500)
@given(texts("en"))
@example("")
@example(" ")
@example("  Mary   went.  \t  John (can't) slept!?)  »Yes« ")
@example("we'll-they've 8-) :o) (and/or) 10a.m. U.S.A. http://x.y/z?a=b. don't.won't a  b")
@example("'Cause I'm...gonna!!! He said.\x1f. \x85 New\u2028line")
def test_any_english_text_is_cut_as_spacy_cuts_it(text: str) -> None:
    check("en", text)


RUNS = [
    "!",
    ".",
    "?!",
    "(",
    ")",
    "-",
    "—",
    "…",
    "'",
    '"',
    "'s",
    "n't",
    ":)",
    ":",
    "/",
    "_",
    "$",
    "km",
    "1",
    "a",
    "a.",
    "€",
    "😀",
]


@st.composite
def long_texts(draw: st.DrawFn) -> str:
    """Runs of what is taken off at the ends, as long as the windows in which that is looked for, and longer."""
    run = st.tuples(st.sampled_from(RUNS) | st.sampled_from(PARTS), st.integers(1, 220)).map(
        lambda run: run[0] * run[1]
    )
    return "".join(draw(st.lists(run | st.sampled_from(PARTS) | st.sampled_from(RUNS), min_size=1, max_size=5)))[:500]


@pytest.mark.parametrize("language", ["en", "de", "fr", "hu", "tr"])
@settings(deadline=None, max_examples=25)
@given(st.data())
@example(None)
def test_long_runs_are_cut_as_spacy_cuts_them(language: str, data: st.DataObject | None) -> None:
    if data:
        check(language, data.draw(long_texts()))
        return
    for run in RUNS:
        check(language, f"{run * 100}shed{run * 100} {run * 70}. x{run * 65}don't{run * 63}")


@pytest.mark.parametrize("run", ["!", ".", "(", "?!.,;:)]}'", "—", ":)", "'s", "$", "😀"])
def test_a_run_takes_time_in_proportion_to_its_length(run: str) -> None:
    """The square of this length would take many minutes."""
    started = time.process_time()
    words = rules("en").words("shed" + run * (40_000 // len(run)) + " " + run * (40_000 // len(run)) + "shed")
    assert "".join(words).count("shed") == 2
    assert time.process_time() - started < 5


@pytest.mark.parametrize("language", ["en", "de", "gd"])
def test_every_special_case(language: str) -> None:
    """By itself, and where it is torn apart by what stands around it."""
    for special in special_cases(language):
        for text in (special, f"({special}).", f"x-{special}/{special}", f"“{special}” {special}?{special}"):
            check(language, text)


@needs(BABI)
def test_babi() -> None:
    with tarfile.open(BABI) as archive:
        for member in islice(archive, 400):
            if member.name.endswith("_test.txt") and "/en/" in member.name:
                file = archive.extractfile(member)
                assert file is not None
                for line in set(file.read().decode().splitlines()[:2000]):
                    check("en", line)


@needs(SST)
def test_sst() -> None:
    with zipfile.ZipFile(SST) as archive:
        trees = archive.read("trees/test.txt").decode().splitlines()
    for tree in trees:
        check("en", " ".join(re.findall(r" ([^ ()]+)\)", tree)))


@needs(TEXT)
def test_an_encyclopedia() -> None:
    with lzma.open(TEXT, "rt", encoding="utf-8") as file:
        for line in islice(file, 1500):
            for language in ("en", "de"):
                check(language, line)


# --- where they come from


def test_the_same_rules_travel_with_every_kind() -> None:
    for kind in (SpacyTokenizer("de"), WhitespaceTokenizer("de")):
        assert kind.files == {"rules.json": spacy_rules.written("de")}
        assert kind.spec["rules"] == hashlib.sha256(kind.files["rules.json"]).hexdigest()
        with pytest.raises(DataError, match=r"rules\.json"):
            from_spec(kind.spec, {"rules.json": written("en")})


def test_a_language_that_is_not_cut_by_rules_alone() -> None:
    """spaCy itself cuts it, and nothing is carried."""
    chinese = SpacyTokenizer("zh")
    assert "rules" not in chinese.spec
    assert chinese.files == {}
    assert from_spec(chinese.spec, {}).words("你好 吗") == ["你", "好", "吗"]
    assert chinese.sentences("你好。 再见。") == ["你好。", "再见。"]


def test_rules_that_a_file_can_not_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = spacy_rules.blank_pipeline("en").tokenizer
    for method in (lambda text: None, re.compile("x", re.IGNORECASE).match, re.compile("x").search):
        with monkeypatch.context() as patch:
            patch.setattr(tokenizer, "token_match", method)
            assert spacy_rules.written.__wrapped__("en") is None
    assert spacy_rules.written.__wrapped__("en") == spacy_rules.written("en")


# --- files of others

SMALL = {
    **dict.fromkeys(("prefix", "suffix", "infix", "token", "url")),
    "format_version": 1,
    "special_cases": {"ab": ["a", "b"]},
    "phrases": [],
    "sentence_ends": ["."],
}


def test_a_small_file_by_hand() -> None:
    small = {**SMALL, "prefix": r"^\(", "suffix": r"[.)]$", "infix": "-", "phrases": [["x", "-", "y"]]}
    small["special_cases"] = {"ab": ["a", "b"], "x-y": ["x-y"]}
    cut = Rules(json.dumps(small).encode())
    assert cut.words("(ab) x-y a-b-ab x-y-z.") == [*"(ab)", "x-y", *"a-b-", "ab", "x-y", "-", "z", "."]
    assert cut.sentences("(One.) Two. \n Three .) Four") == ["(One.)", "Two.", "Three .)", "Four"]


@pytest.mark.parametrize(
    "change",
    [
        {"format_version": 2},
        {"format_version": "1"},
        {"prefix": "("},
        {"suffix": 5},
        {"infix": "a{99999999999999999999}"},
        {"url": "(" * 10_000},
        {"special_cases": {"ab": ["a"]}},
        {"special_cases": {"ab": ["a", "", "b"]}},
        {"special_cases": {"": []}},
        {"special_cases": {"ab": "ab"}},
        {"special_cases": {"ab": [1]}},
        {"special_cases": []},
        {"phrases": [["a", ""]]},
        {"phrases": {}, "sentence_ends": None},
        {"sentence_ends": "."},
    ],
)
def test_a_file_that_can_not_be_meant(change: dict[str, object]) -> None:
    assert Rules(json.dumps(SMALL).encode()).words("ab") == ["a", "b"]
    with pytest.raises(DataError, match="rules"):
        Rules(json.dumps({**SMALL, **change}).encode())


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_a_damaged_file_is_refused_or_still_cuts_words(data: st.DataObject) -> None:
    good = json.dumps({**SMALL, "prefix": r"^[(\[]", "infix": r"(?<=[a-z])-(?=[a-z])"}).encode()
    damaged = bytearray(good)
    for place in data.draw(st.lists(st.integers(0, len(good) - 1), max_size=4)):
        damaged[place] = data.draw(st.integers(0, 255))
    damaged = bytes(damaged[: data.draw(st.just(len(good)) | st.integers(0, len(good)))])
    with suppress(DataError):
        text = "(Mary) went ab home. Well-known"
        assert "".join(Rules(damaged).words(text)) == "".join(text.split())


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"{", "damaged"), (json.dumps({**SMALL, "infix": "["}).encode(), "damaged"), (None, "isn't the file")],
    ids=["no JSON", "no pattern", "another"],
)
def test_a_model_with_damaged_rules(dmn: Dmn, run: Path, tmp_path: Path, content: bytes | None, said: str) -> None:
    """Also where its hashes were made to fit."""
    model = Path(shutil.copytree(run / "model", tmp_path / "model"))
    (model / "rules.json").write_bytes(content or written("de"))
    if content:
        config = json.loads((model / "config.json").read_text())
        digest = hashlib.sha256(content).hexdigest()
        config["sha256"]["rules.json"] = config["tokenizer"]["rules"] = digest
        (model / "config.json").write_text(json.dumps(config))
    fails(dmn("ask", model, "--batch", "-"), 4, str(model), said)


def test_a_model_without_rules_asks_spacy(dmn: Dmn, run: Path, tmp_path: Path) -> None:
    """As models of old do."""
    model = Path(shutil.copytree(run / "model", tmp_path / "model"))
    golden = ("--batch", run / "model" / "golden.jsonl")
    before = dmn("ask", model, *golden)
    (model / "rules.json").unlink()
    config = json.loads((model / "config.json").read_text())
    del config["tokenizer"]["rules"]
    (model / "config.json").write_text(json.dumps(config))
    assert dmn("ask", model, *golden) == before
    assert before.code == 0
