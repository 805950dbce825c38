"""Tokenizers: the same words every time, none of them empty, wherever the data set or the model has gone."""

import hashlib
import json
import shutil
import subprocess
import sys
from contextlib import nullcontext, suppress
from pathlib import Path

import hypothesis.strategies as st
import pytest
from conftest import Dmn, fails
from hypothesis import example, given, settings

from dmn_cli.data.store import writer
from dmn_cli.data.store.reader import DataSet
from dmn_cli.data.words.affixes import affixes, is_affix
from dmn_cli.data.words.pieces import SentencePieceTokenizer, Untrained, sample
from dmn_cli.data.words.spec import choose, from_spec
from dmn_cli.data.words.tokenizer import SpacyTokenizer, Tokenizer, WhitespaceTokenizer
from dmn_cli.errors import DataError, DmnError, UsageError
from dmn_cli.records.text import Question, Story

TEXTS = [
    "Mary moved to the bathroom.",
    "John went to the hallway.",
    "Where is Mary?",
    "Straße, Ärger und Öl; 12 ½ ﬁsche",
    "the cat that sat on the mat, and that cat's hat",
] * 4


def model(lowercase: bool) -> bytes:
    return Untrained(80, lowercase=lowercase).train(TEXTS, seed=1).files["tokenizer.model"]


MODELS = {lowercase: model(lowercase) for lowercase in (True, False)}


def every_kind(lowercase: bool) -> list[Tokenizer]:
    return [
        SpacyTokenizer("de", lowercase),
        WhitespaceTokenizer("de", lowercase),
        SentencePieceTokenizer(MODELS[lowercase], "de", lowercase),
    ]


LOWER, KEEP = every_kind(True), every_kind(False)
AGAIN = {t: from_spec(json.loads(json.dumps(t.spec)), t.files) for t in LOWER + KEEP}
each_kind = pytest.mark.parametrize("tokenizer", LOWER + KEEP, ids=lambda t: f"{t.spec['kind']}, {t.spec['lowercase']}")
anything = st.text(max_size=40) | st.text("Mary 'sΣİß\t\n.,▁<unk>\u200b\x01½", max_size=30)
quick = settings(deadline=None, max_examples=60)


def normalised(model: bytes, text: str) -> str:
    """As SentencePiece sees a text, `▁` for a blank."""
    from sentencepiece import SentencePieceProcessor

    return SentencePieceProcessor(model_proto=model).normalize(text)


# --- any text


@each_kind
@quick
@given(anything)
@example("\x01")
@example("\u200b\ufeff")
def test_words_are_the_same_every_time_and_never_empty(tokenizer: Tokenizer, text: str) -> None:
    words = tokenizer(text)
    assert words == tokenizer(text)
    assert all(words)
    assert words or not text.strip()


@each_kind
@quick
@given(anything)
def test_a_tokenizer_comes_back_from_its_description(tokenizer: Tokenizer, text: str) -> None:
    again = AGAIN[tokenizer]
    assert (again.spec, again.files) == (tokenizer.spec, tokenizer.files)
    assert again(text) == tokenizer(text)
    assert again.words(text) == tokenizer.words(text)
    assert again.sentences(text) == tokenizer.sentences(text)


@quick
@given(anything)
def test_no_letter_is_lost(text: str) -> None:
    """Of pieces, up to SentencePiece's own normalisation of the text."""
    for spacy, whitespace, pieces in (LOWER, KEEP):
        for tokenizer in (spacy, whitespace, pieces):
            assert unspaced("".join(tokenizer.words(text))) == unspaced(text)
        lower = spacy.spec["lowercase"]
        cased = text.lower() if lower else text
        assert spacy(text) == [word.lower() if lower else word for word in spacy.words(text)]
        assert whitespace(text) == cased.split()
        assert "".join(pieces(text)) == (normalised(pieces.files["tokenizer.model"], cased) or unspaced(cased))


def unspaced(text: str) -> str:
    return "".join(text.split())


# --- by hand


def test_words_of_spacy_are_lower_case_and_free_of_punctuation() -> None:
    spacy = SpacyTokenizer()
    assert spacy("Mary  went to the Kitchen.") == ["mary", "went", "to", "the", "kitchen", "."]
    assert spacy("Where's the milk, John?") == ["where", "'s", "the", "milk", ",", "john", "?"]
    assert spacy(" \t\n ") == []


def test_words_without_punctuation() -> None:
    """Unless there is nothing else; in any language, and again from its spec."""
    plain = choose("plain", "en", True, None)
    assert not isinstance(plain, Untrained)
    assert plain("Where's the milk, John?") == ["where", "'s", "the", "milk", "john"]
    assert plain("U.S. sales: 3,000.5 % (c3-p0)!") == ["u.s.", "sales", "3,000.5", "c3", "p0"]
    assert plain.words("Ärger, Öl…") == ["Ärger", "Öl"]
    assert plain("?!") == ["?", "!"]
    assert plain.sentences("Mary left. John slept.") == ["Mary left.", "John slept."]
    again = from_spec(plain.spec, plain.files)
    assert again("Where's it?") == ["where", "'s", "it"]
    assert plain.spec["kind"] == "plain"


def test_words_between_blanks() -> None:
    words = ["The", "film", "'s", "well-made", ",", "is", "n't", "it", "?"]
    text = " The film 's well-made ,\tis n't it ?\n"
    assert WhitespaceTokenizer()(text) == ["the", *words[1:]]
    assert WhitespaceTokenizer(lowercase=False)(text) == WhitespaceTokenizer().words(text) == words
    assert WhitespaceTokenizer()(" \t\n ") == []


def test_frequent_words_are_whole_pieces_and_others_are_not() -> None:
    """Also words that occur in one form only, which SentencePiece by itself takes to pieces."""
    pieces = LOWER[2]
    assert pieces("Mary moved the cat's hat") == ["▁mary", "▁moved", "▁the", "▁cat", "'", "s", "▁hat"]
    heaths = pieces("heaths")
    assert len(heaths) > 1
    assert "".join(heaths) == "▁heaths"


def test_the_case_is_lower_unless_it_is_to_be_kept() -> None:
    for lower, keep in zip(LOWER, KEEP, strict=True):
        assert lower("Mary SAW") == lower("mary saw")
        assert keep("Mary SAW") != keep("mary saw")
        assert lower.words("Mary SAW") == keep.words("Mary SAW") == ["Mary", "SAW"]
        described = {key: value for key, value in lower.spec.items() if key not in ("lowercase", "rules")}
        assert from_spec(described, lower.files)("Mary SAW") == lower("mary saw")  # as data sets of old have it


@pytest.mark.parametrize("tokenizer", LOWER, ids=lambda t: t.spec["kind"])
def test_a_full_stop_and_a_line_end_both_end_a_sentence(tokenizer: Tokenizer) -> None:
    assert tokenizer.sentences("Mary left. John slept.") == ["Mary left.", "John slept."]
    assert tokenizer.sentences("Mary left\nJohn slept\r\n\n  Did he? Yes!") == [
        "Mary left",
        "John slept",
        "Did he?",
        "Yes!",
    ]
    assert tokenizer.sentences("") == []


def test_words_as_a_person_would_name_them() -> None:
    assert LOWER[0].spelled(["to", "home"]) == LOWER[1].spelled(["to", "home"]) == ["to", "home"]
    assert LOWER[2].spelled(["ed", "▁to", "▁", "ho", "me", "!", "▁"]) == ["ed", "to", "home!"]


def test_an_unknown_language() -> None:
    with pytest.raises(UsageError, match="'qq'"):
        SpacyTokenizer("qq")
    for kind in ("whitespace", "sentencepiece"):
        with pytest.raises(UsageError, match="'qq'"):
            choose(kind, "qq", True, None)


@each_kind
def test_a_data_set_with_a_real_tokenizer(tmp_path: Path, tokenizer: Tokenizer) -> None:
    """The vocabulary holds its words; texts stay as they were; the tokenizer comes back from the folder."""
    story = Story("qa1", ("Mary went home.",), (Question("Where is Mary?", 1, ("home",), (0,)),))
    writer.write(tmp_path / "data", [("train", story)], tokenizer, {})
    data = DataSet(tmp_path / "data")
    words = tokenizer("Mary went home.") + tokenizer("Where is Mary?")
    assert data.vocabulary.words.items[2:] == list(dict.fromkeys(words))
    assert data.example(data.split("train"), 0).facts == ["Mary went home."]
    assert from_spec(data.summary["tokenizer"], data.tokenizer_files()).spec == tokenizer.spec


# --- learning pieces


def test_the_same_texts_give_the_same_pieces() -> None:
    """Also where only some of the texts are learnt from, and in another process."""
    texts = [f"fact {n} of {n * n}" for n in range(1000)]
    first, again, other = (Untrained(60).train(iter(texts), seed, max_texts=100).spec["sha256"] for seed in (1, 1, 2))
    assert first == again != other
    program = """
from dmn_cli.data.words.pieces import Untrained
texts = [f"fact {n} of {n * n}" for n in range(1000)]
print(Untrained(60).train(texts, 1, max_texts=100).spec["sha256"])"""
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == first


def test_no_more_texts_are_held_than_needed() -> None:
    """And each is as likely to be as any other; long ones are cut, since SentencePiece would leave them out."""
    assert sample(map(str, range(100)), 1, max_texts=100) == list(map(str, range(100)))
    drawn = [int(text) for seed in range(50) for text in sample(map(str, range(1000)), seed, max_texts=100)]
    assert len(drawn) == 50 * 100
    assert abs(sum(drawn) / len(drawn) - 499.5) < 15
    assert sample(["", "abcdefghi"], 1, max_characters=4) == ["abcd", "efgh", "i"]


def test_long_texts_are_learnt_from() -> None:
    assert "▁bathroom" in Untrained(60).train(["bathroom hallway " * 5000], 1)("bathroom")


@pytest.mark.parametrize(
    ("texts", "pieces", "error", "said"),
    [
        ([], 10, DataError, "no text"),
        ([" "], 10, DataError, "no text"),
        (["abcdef"], 5, UsageError, "at least --pieces 9"),
    ],
    ids=["nothing", "blanks", "too few"],
)
def test_pieces_that_can_not_be_learnt(texts: list[str], pieces: int, error: type[DmnError], said: str) -> None:
    with pytest.raises(error) as raised:
        Untrained(pieces).train(texts, 1)
    assert said in str(raised.value)


def test_as_many_pieces_as_can_be_told_are_enough() -> None:
    assert Untrained(9).train(["abcdef"], 1)("fed") == ["▁", "f", "e", "d"]


def test_a_model_that_spells_what_is_not_text() -> None:
    damaged = MODELS[True].replace("½".encode(), b"\xff\xff").replace("⁄".encode(), b"\xff\xff\xff")
    with pytest.raises(DataError, match="damaged"):
        SentencePieceTokenizer(damaged)("12 ½")


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_a_damaged_model_is_refused_or_still_cuts_words(data: st.DataObject) -> None:
    good = MODELS[True]
    places = st.integers(0, len(good) - 1) | st.integers(0, 1500) | st.integers(len(good) - 1500, len(good) - 1)
    damaged = bytearray(good)
    for place in data.draw(st.lists(places, max_size=4)):
        damaged[place] = data.draw(st.integers(0, 255))
    damaged = bytes(damaged[: data.draw(st.just(len(good)) | places)])
    with suppress(DataError):
        assert SentencePieceTokenizer(damaged)("Mary went home.")
    with pytest.raises(DataError) if damaged != good else nullcontext():
        from_spec(LOWER[2].spec, {**LOWER[2].files, "tokenizer.model": damaged})


# --- choosing


def test_what_is_chosen(tmp_path: Path) -> None:
    path = tmp_path / "mine.model"
    path.write_bytes(MODELS[True])
    assert choose("spacy", "de", True, None).spec == LOWER[0].spec
    assert choose("whitespace", "de", False, None).spec == KEEP[1].spec
    assert choose("sentencepiece", "de", True, str(path)).spec == LOWER[2].spec
    for pieces, number in ((None, 8000), ("100", 100)):
        untrained = choose("sentencepiece", "en", True, pieces)
        assert isinstance(untrained, Untrained)
        assert untrained.pieces == number
        assert untrained.words("Where's Mary?") == ["Where", "'s", "Mary", "?"]
        assert untrained.sentences("Mary left. John slept.") == ["Mary left.", "John slept."]


# --- the whole way


PREPARE = ["prepare", "story", "--tasks", 1, "--questions", 100, "--tokenizer", "sentencepiece", "--pieces"]


@pytest.fixture(scope="module")
def trained(dmn: Dmn, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data/, and run/ that was trained on it."""
    folder = tmp_path_factory.mktemp("pieces")
    assert dmn(*PREPARE, 100, "--out", folder / "data").code == 0
    result = dmn("train", folder / "data", "--out", folder / "run", "--epochs", 1, "--set", "model.hidden=8")
    assert result.code == 0, result.err
    return folder


@pytest.fixture
def moved(trained: Path, tmp_path: Path) -> Path:
    """The model alone, without the data set and the run that it came from."""
    return Path(shutil.copytree(trained / "run" / "model", tmp_path / "model"))


def test_a_model_of_pieces_answers_without_its_data_set(dmn: Dmn, trained: Path, moved: Path) -> None:
    """It answers as it did in training, from text, and knows each character that training had."""
    assert (moved / "tokenizer.model").read_bytes() == (trained / "data" / "tokenizer.model").read_bytes()
    data = trained.with_name("elsewhere")
    (trained / "data").rename(data)
    try:
        golden = [json.loads(line) for line in (moved / "golden.jsonl").read_text().splitlines()]
        answers = dmn("ask", moved, "--batch", moved / "golden.jsonl").lines
    finally:
        data.rename(trained / "data")
    assert [answer["answer"] for answer in answers] == [line["answer"] for line in golden]
    assert [answer["confidence"] for answer in answers] == pytest.approx([line["confidence"] for line in golden], 1e-4)
    assert not any(answer["unknown_words"] for answer in answers)
    assert dmn("eval", moved, trained / "data", "--json").document["questions"] == 10
    line = json.dumps({"story": "Mary moved. Mary went home!", "question": "Where is Mary?"})
    (answer,) = dmn("ask", moved, "--batch", "-", stdin=line.encode()).lines
    assert answer["facts"] == ["Mary moved.", "Mary went home!"]
    assert answer["unknown_words"] == ["home!"]


@pytest.mark.parametrize("command", ["ask", "eval"])
@pytest.mark.parametrize("damage", ["changed", "missing", "another"])
def test_a_model_with_another_tokenizer(dmn: Dmn, trained: Path, moved: Path, damage: str, command: str) -> None:
    path = moved / "tokenizer.model"
    content = path.read_bytes()
    path.unlink()
    if damage != "missing":
        path.write_bytes(MODELS[True] if damage == "another" else content[:-9] + b"?" + content[-8:])
    words = [command, moved, trained / "data"] if command == "eval" else [command, moved, "--batch", "-"]
    fails(dmn(*words), 4, str(path), "missing" if damage == "missing" else "damaged")


def test_a_model_whose_hashes_were_made_to_fit(dmn: Dmn, moved: Path) -> None:
    """What isn't a tokenizer is found out all the same."""
    config = json.loads((moved / "config.json").read_text())
    (moved / "tokenizer.model").write_bytes(b"something else")
    digest = hashlib.sha256(b"something else").hexdigest()
    config["sha256"]["tokenizer.model"] = config["tokenizer"]["sha256"] = digest
    (moved / "config.json").write_text(json.dumps(config))
    fails(dmn("ask", moved, "--batch", "-"), 4, str(moved), "SentencePiece")


@pytest.mark.parametrize("damage", ["changed", "missing"])
def test_a_data_set_with_another_tokenizer(dmn: Dmn, trained: Path, tmp_path: Path, damage: str) -> None:
    data = Path(shutil.copytree(trained / "data", tmp_path / "data"))
    (data / "tokenizer.model").unlink()
    if damage == "changed":
        (data / "tokenizer.model").write_bytes(MODELS[True])
    said = "missing" if damage == "missing" else "damaged"
    fails(dmn("train", data, "--out", tmp_path / "run"), 3, str(data / "tokenizer.model"), said)


def test_a_tokenizer_of_another_data_set(dmn: Dmn, trained: Path, tmp_path: Path) -> None:
    """A model that is there already is taken as it is, and so gives the same words."""
    out, model = tmp_path / "data", trained / "data" / "tokenizer.model"
    assert dmn(*PREPARE, model, "--out", out).code == 0
    assert (out / "tokenizer.model").read_bytes() == model.read_bytes()
    assert (out / "vocabulary.json").read_bytes() == (trained / "data" / "vocabulary.json").read_bytes()


def test_only_training_stories_are_learnt_from(dmn: Dmn, tmp_path: Path) -> None:
    """A word that only the test has is never whole, however often; the case is kept where it is to be."""
    path = tmp_path / "mine.jsonl"
    lines = [
        {"story": [f"{name} went to the {room}"] * 3, "question": f"Where is {name}?", "answer": room, "split": split}
        for split, name in (("train", "Melanie"), ("train", "Leander"), ("valid", "Emerald"), ("test", "Reginald"))
        for room in ("garden", "kitchen", "hallway", "office", "bathroom", "bedroom")
        for _ in range(20)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    prepare = ["prepare", "jsonl", path, "--tokenizer", "sentencepiece", "--pieces", 60, "--case", "keep"]
    assert dmn(*prepare, "--out", tmp_path / "data").code == 0
    data = DataSet(tmp_path / "data")
    words = set(data.vocabulary.words.items)
    assert {"▁Melanie", "▁Leander"} <= words
    assert not words & {"▁Emerald", "▁Reginald", "Emerald", "Reginald", "▁melanie"}
    learnt = from_spec(data.summary["tokenizer"], data.tokenizer_files())
    assert learnt("Melanie") == ["▁Melanie"]
    assert len(learnt("Reginald")) > 2


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        ("--pieces 100", 2, "--tokenizer sentencepiece"),
        ("--tokenizer whitespace --pieces FILE", 2, "--tokenizer sentencepiece"),
        ("--tokenizer sentencepiece --pieces nowhere.model", 2, "no such file"),
        ("--tokenizer sentencepiece --pieces 0", 2, "--pieces 0"),
        ("--tokenizer sentencepiece --pieces 99999999999999", 2, "--pieces 99999999999999"),
        ("--tokenizer sentencepiece --pieces 5", 2, "at least --pieces"),
        ("--tokenizer sentencepiece --pieces FILE", 3, "not a SentencePiece model"),
        ("--tokenizer sentencepiece --pieces EMPTY", 3, "not a SentencePiece model"),
        ("--tokenizer sentencepiece --pieces LARGE", 3, "larger than"),
        ("--tokenizer sentencepiece --pieces 100 --case upper", 2, "--case"),
    ],
)
def test_a_tokenizer_that_can_not_be(dmn: Dmn, tmp_path: Path, options: str, code: int, said: str) -> None:
    files = {name: tmp_path / f"{name}.model" for name in ("FILE", "EMPTY", "LARGE")}
    files["FILE"].write_text("not a model")
    files["EMPTY"].touch()
    with files["LARGE"].open("wb") as file:
        file.truncate(1 << 40)
    chosen = [files.get(word, word) for word in options.split()]
    fails(dmn("prepare", "story", "--tasks", 1, "--questions", 20, "--out", tmp_path / "data", *chosen), code, said)
    assert not (tmp_path / "data").exists()


# --- what the form of a word says


def test_the_shape_and_the_endings_of_a_word() -> None:
    assert affixes("Running") == (" Xx", " -g", " -ng", " -ing")
    assert affixes("USA") == (" X", " -a", " -sa", " -usa")
    assert affixes("3,000.5") == (" 0,0.0", " -5", " -.5", " -0.5")
    assert affixes("I") == (" X", " -i")


@given(st.text(max_size=30), st.booleans())
def test_each_word_is_followed_by_what_its_form_says(text: str, lower: bool) -> None:
    """The words are the same as without, and nothing of a text can be taken for an affix."""
    plain, with_affixes = (choose("whitespace", "en", lower, None, affixed) for affixed in (False, True))
    assert not isinstance(plain, Untrained)
    assert not isinstance(with_affixes, Untrained)
    parts = with_affixes(text)
    assert [part for part in parts if not is_affix(part)] == with_affixes.spelled(parts)
    assert with_affixes.spelled(parts) == [word.lower() if lower else word for word in plain.words(text)]
    assert not any(is_affix(word) for word in plain(text))
    again = from_spec(json.loads(json.dumps(with_affixes.spec)), with_affixes.files)
    assert again(text) == parts


def test_a_model_tags_a_word_that_it_never_saw_by_its_form(dmn: Dmn, tmp_path: Path) -> None:
    """Every word with -ing is a verb, every other a noun: so is one that training didn't have."""
    stems = [a + b for a in "bcdfg" for b in ("all", "end", "ill", "ook")]
    pairs = [(f"{one}ing/V", f"{other}/N") for one in stems for other in stems[:6]]
    sentences = [" ".join(pair[:: (-1) ** i]) for i, pair in enumerate(pairs)]
    (tmp_path / "tags.txt").write_text("\n".join(sentences))
    data, run = tmp_path / "data", tmp_path / "run"
    dmn("prepare", "tagged", tmp_path / "tags.txt", "--affixes", "--out", data, "--quiet")
    quick = ("--epochs", "3", "--set", "model.hidden=16", "--set", "training.batch_size=8")
    quick += ("--set", "training.steps=30", "--set", "training.learning_rate=0.01", "--quiet")
    dmn("train", data, "--out", run, *quick)
    (tmp_path / "story.txt").write_text("mermaid zapping mermaid")
    result = dmn("ask", run, "--story", tmp_path / "story.txt", "--question", "What are the tags?")
    assert result.out == "mermaid/N zapping/V mermaid/N\n"
    assert "doesn't know: mermaid, zapping" in result.err
