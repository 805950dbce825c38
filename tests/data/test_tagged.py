"""Tagged text: each format by hand, the counts of the real data, which files are data, what is refused and where."""

import gzip
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from conftest import Dmn, fails
from helpers import POS, needs
from hypothesis import example, given, settings

from dmn_cli.data.formats import tagged
from dmn_cli.data.formats.tagged_text import Column, Format, read
from dmn_cli.errors import DataError, UsageError
from dmn_cli.records.text import Question, Story

FORMATS: tuple[Format, ...] = ("conllu", "columns", "slash", "underscore", "trees")
CONLLU = """\
# newdoc id = d
# sent_id = 1
# text = I don't see 10 000.
1\tI\ti\tPRON\tPRP\t_\t4\tnsubj\t_\t_
2-3\tdon't\t_\t_\t_\t_\t_\t_\t_\tSpaceAfter=No
2\tdo\tdo\tAUX\tVBP\t_\t4\taux\t_\t_
3\tn't\tnot\tPART\tRB\t_\t4\tadvmod\t_\t_
4\tsee\tsee\tVERB\tVB\t_\t0\troot\t_\t_
4.1\tsee\tsee\tVERB\t_\t_\t_\t_\t_\t_
5\t10 000\t10 000\tNUM\tCD\t_\t4\tobj\t_\t_

# sent_id = 2
1\t_\t_\tPUNCT\tNFP\t_\t0\troot\t_\t_
"""
COLUMNS = "-DOCSTART- -X- O\n\nI PRP B-NP\nsee VBP B-VP\n# # B-NP\n\n\n( ( O\n10\u00a0000 CD B-NP\n"
SLASH = "I/PRP see/VBP and\\/or/CC 1\\/2/CD ./.\n\n\tGo/VB //SYM\n"
CHUNKS = """\
======================================

[ I/PRP ]
see/VBP
[ a/DT dog/NN ]

[ that/WDT ]
barks/VBZ (/( ./. )/) ./. ''/''
[ No/DT end/NN ./. here/RB ]
=====
Go/VB
"""
UNDERSCORE = """\
I_PRP see_VBP snake_case_NN . . ._... D. C._NNP
_NN Ha_UH -_- _UH the_DT follow=
ing_VBG :_:
Bye_UH _NN
_NN

www.x.com\u2028_NN ._.
"""
TREES = """\
( (S
    (NP-SBJ-1 (PRP I) )
    (VP (VBP see)
      (NP (-NONE- *-1) (-LRB- -LRB-) (NN and\\/or) (-RRB- -RCB-)))
    (. .) ))
(ROOT (VB Go)) ( (-NONE- *) )
(VB Come)
"""


def sentences(text: str | bytes, format_: Format | None = None, column: Column = "upos") -> list[tuple[str, str]]:
    """Words and tags, each joined by |."""
    content = text.encode() if isinstance(text, str) else text
    found = read(content.splitlines(keepends=True), "here", format_, column)
    return [("|".join(words), "|".join(tags)) for words, tags in found]


@pytest.mark.parametrize(
    ("format_", "text", "told"),
    [
        ("conllu", CONLLU, [("I|do|n't|see|10 000", "PRON|AUX|PART|VERB|NUM"), ("_", "PUNCT")]),
        ("columns", COLUMNS, [("I|see|#", "PRP|VBP|#"), ("(|10\u00a0000", "(|CD")]),
        ("slash", SLASH, [("I|see|and/or|1/2|.", "PRP|VBP|CC|CD|."), ("Go|/", "VB|SYM")]),
        (
            "slash",
            CHUNKS,
            [
                ("I|see|a|dog|that|barks|(|.", "PRP|VBP|DT|NN|WDT|VBZ|(|."),
                (")|.", ")|."),
                ("''|No|end|.|here", "''|DT|NN|.|RB"),
                ("Go", "VB"),
            ],
        ),
        (
            "underscore",
            UNDERSCORE,
            [
                ("I|see|snake_case|. . .|D. C.", "PRP|VBP|NN|...|NNP"),
                ("Ha|-|the|follow= ing|:", "UH|-|DT|VBG|:"),
                ("Bye", "UH"),
                ("www.x.com|.", "NN|."),
            ],
        ),
        ("trees", TREES, [("I|see|(|and/or|}|.", "PRP|VBP|-LRB-|NN|-RRB-|."), ("Go", "VB"), ("Come", "VB")]),
    ],
)
def test_each_format_by_hand(format_: Format, text: str, told: list[tuple[str, str]]) -> None:
    """As it is, recognised, after a byte order mark, and with the line ends of Windows."""
    assert sentences(text, format_) == told
    assert sentences(text) == told
    assert sentences(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode()) == told


def test_columns_of_conllu() -> None:
    assert sentences(CONLLU, column="xpos") == [("I|do|n't|see|10 000", "PRP|VBP|RB|VB|CD"), ("_", "NFP")]


def test_columns_may_be_divided_by_tabs() -> None:
    assert sentences("New York\tNNP\nis\tVBZ\n") == [("New York|is", "NNP|VBZ")]


NUMBERED = "1\tRain\tNN\n2\tfell\tVBD\n\n1\tSnow\tNN\n"
ONTONOTES = "#begin document (a/b); part 000\na/b 0 0 Rain NN *\na/b 0 1 fell VBD *\n\n#end document\n"


@pytest.mark.parametrize(
    ("text", "column", "where", "likely"),
    [
        (NUMBERED, "column 1", 1, "--word-column 2 --tag-column 3"),
        (NUMBERED.replace("2\t", "1-2\t"), "column 1", 1, "--word-column 2 --tag-column 3"),
        ("1 Rain\n2 fell\n", "column 1", 1, "--word-column 2 --tag-column 3"),
        (ONTONOTES, "column 2", 2, "--word-column 4 --tag-column 5"),
    ],
)
def test_numbers_are_no_words_nor_tags(text: str, column: str, where: int, likely: str) -> None:
    with pytest.raises(DataError, match=f"{column} has only numbers") as caught:
        sentences(text)
    assert caught.value.where == f"here:{where}"
    assert likely in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("text", "columns", "told"),
    [
        (NUMBERED, (2, 3), [("Rain|fell", "NN|VBD"), ("Snow", "NN")]),
        (NUMBERED, (2, None), [("Rain|fell", "NN|VBD"), ("Snow", "NN")]),
        (NUMBERED, (3, 1), [("NN|VBD", "1|2"), ("NN", "1")]),
        (ONTONOTES, (4, 5), [("Rain|fell", "NN|VBD")]),
        ("NN Rain\nVBD fell\n", (None, 1), [("Rain|fell", "NN|VBD")]),
        ("Rain 0\nfell 1\n", (None, None), [("Rain|fell", "0|1")]),  # where else would the tags be?
        ("Rain _ _ O\nfell _ _ B-X\n", (None, None), [("Rain|fell", "O|B-X")]),
    ],
)
def test_which_columns_are_read(text: str, columns: tuple[int | None, int | None], told: list[tuple[str, str]]) -> None:
    word, tag = columns
    lines = text.encode().splitlines(keepends=True)
    found = read(lines, "here", "columns", word_column=word, tag_column=tag)
    assert [("|".join(words), "|".join(tags)) for words, tags in found] == told


PLUS = """\
# global.columns = ID FORM NER UPOS
# sent_id = 1
1\tIda\tB-PER\tPROPN
2-3\tdon't\t_\t_
2\tdo\tO\tAUX
3\tn't\tO\tPART
3.1\tsee\tO\tVERB

1\tGo\tO\tVERB
"""


def test_columns_that_have_names_are_read_by_them() -> None:
    """CoNLL-U Plus; words without a number of their own are left out."""
    assert sentences(PLUS) == [("Ida|do|n't", "PROPN|AUX|PART"), ("Go", "VERB")]
    with pytest.raises(DataError, match="has no column XPOS") as caught:
        sentences(PLUS, column="xpos")
    assert caught.value.hint == ("Say which column it is with --tag-column N: 1 is ID, 2 is FORM, 3 is NER, 4 is UPOS.")


def test_conll_2009_is_read_once_its_columns_are_named() -> None:
    """Each sentence has a column for each of its verbs."""
    first = [
        f"{n} {word} {word} {word} {tag} {tag} _ _ 0 0 _ _ _ _ A0"
        for n, word, tag in ((1, "Ida", "NNP"), (2, "ran", "VBD"))
    ]
    second = ["1 Go go go VB VB _ _ 0 0 _ _ _ _"]
    text = "\n".join([*first, "", *second, ""]).replace(" ", "\t")
    with pytest.raises(DataError, match="column 1 has only numbers") as caught:
        sentences(text, "columns")
    assert caught.value.hint == "Say which columns these are, for example: --word-column 2 --tag-column 5"
    lines = text.encode().splitlines(keepends=True)
    found = list(read(lines, "here", "columns", word_column=2, tag_column=5))
    assert [(s.words, s.tags) for s in found] == [(["Ida", "ran"], ["NNP", "VBD"]), (["Go"], ["VB"])]


def test_lemmas_are_no_tags() -> None:
    with pytest.raises(DataError, match="column 2 repeats words: are these lemmas") as caught:
        sentences("dogs dog NOUN\nrun run VERB\nnow now ADV\n", "columns")
    assert caught.value.hint == "Say which columns these are, for example: --word-column 1 --tag-column 3"


def test_it_is_told_how_each_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "train.conllu").write_text(CONLLU, encoding="utf-8")
    (tmp_path / "dev.txt").write_text(COLUMNS, encoding="utf-8")
    assert tagged.describe(tagged.find([tmp_path]), "xpos", None) == [
        "valid: dev.txt (columns, words from column 1 (I, see, #), tags from column 2 (PRP, VBP, #))",
        "train: train.conllu (conllu, tags from XPOS)",
    ]


def test_comments_stand_between_sentences() -> None:
    """With blanks or tabs in them; but # is a word, too, and so is #rain."""
    text = "# id 17\tdomain=x\nRain NN\n# #\n\n# a comment\n# made\n\n# #\n5 CD\n\n#rain NN\n"
    assert sentences(text) == [("Rain|#", "NN|#"), ("#|5", "#|CD"), ("#rain", "NN")]
    with pytest.raises(DataError, match="the line has 3 columns"):
        sentences("Rain NN\n# a comment\n", "columns")
    tagged_within = "so RB\n#win HT\n\n# made\n#win HT\nRain NN\n"
    assert sentences(tagged_within) == [("so|#win", "RB|HT"), ("#win|Rain", "HT|NN")]
    divided = "#win\tHT\nRain\tNN\n\n# id\t5\nRain\tNN\n"
    assert sentences(divided) == [("#win|Rain", "HT|NN"), ("Rain", "NN")]


def test_what_may_be_no_comment_is_told(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("#win HT\nRain NN\nfell VB\n")
    [said] = tagged.describe(tagged.find([tmp_path]), "upos", None)
    assert "lines like '#win HT' before a sentence are comments" in said


@pytest.mark.parametrize(
    ("format_", "text", "where", "said"),
    [
        ("conllu", CONLLU.replace("PUNCT", "_"), 13, "a tag is missing: '_' has none"),
        ("conllu", CONLLU.replace("\tVB\t", "\t"), 8, "a column is missing: the line has 9, not 10"),
        ("conllu", CONLLU.replace("4\tsee\tsee", "4 see see"), 8, "a column is missing: the line has 8, not 10"),
        ("conllu", CONLLU.replace("4\tsee", "5\tsee", 1), 8, "the word's id is '5', where 4 comes next"),
        ("conllu", CONLLU.replace("\n\n", "\n"), 12, "the word's id is '1', where 6 comes next"),
        ("conllu", CONLLU.replace("sent_id = 2", "sent_id = 1"), 12, "sentence '1' is in line 2 already"),
        ("conllu", CONLLU.replace("10 000\t10", "\t10"), 10, "the word is missing"),
        ("columns", COLUMNS.replace("see VBP", "see"), 4, "a column is missing: the line has 2, not 3"),
        ("columns", COLUMNS.replace("see VBP", "to see VBP"), 4, "the line has 4 columns, and those before it have 3"),
        ("columns", COLUMNS.replace("see VBP", "see _"), 4, "a tag is missing: 'see' has none"),
        ("columns", "a\nb\n", 1, "a column is missing: the line has 1, not 2"),
        ("slash", SLASH.replace("see/VBP", "see"), 1, "a tag is missing: 'see' has none"),
        ("slash", SLASH.replace("see/VBP", "see/"), 1, "a tag is missing: 'see' has none"),
        ("slash", SLASH.replace("Go/VB", "/VB"), 3, "the word is missing"),
        ("underscore", "I_PRP see\n\nGo_VB\n", 1, "a tag is missing: 'see' has none"),
        ("underscore", "I_PRP see_VBP\nGo_VB now", 2, "a tag is missing: 'now' has none"),
        ("underscore", "I_PRP see_", 1, "a tag is missing: 'see' has none"),
        ("underscore", "I_PRP\nthis is a text whose words have no tags at\nall_DT", 2, "a tag is missing: 'this' has"),
        ("trees", TREES.replace("(. .) ))", "(. .) )"), 6, "the one that begins in line 1 isn't closed before this"),
        ("trees", "(S (VB Go))\n(S (VB Go)", 2, "not balanced: 1 open nodes at the end of the file"),
        ("trees", "(S (VB Go)))", 1, "it is closed before its end"),
        ("trees", "(S (VB Go)) now", 1, "it is closed before its end"),
        ("trees", "(S (VB Go) now)", 1, "a tag is missing: 'now' has none"),
        ("trees", "(S (NP\nA form))", 2, "a tag is missing: 'form' has none"),
        ("trees", "(S (VB (X y)) (VB go (X y)))", 1, "'go' is beside a node"),
        ("trees", "(S (VB))", 1, "a node has no words"),
        ("trees", "()", 1, "a node has no words"),
        *((format_, b"\n\nGo\xe9", 3, "byte 3 of the line (0xe9) is not UTF-8") for format_ in FORMATS),
    ],
)
def test_what_is_wrong_is_named(format_: Format, text: str | bytes, where: int, said: str) -> None:
    with pytest.raises(DataError) as caught:
        sentences(text, format_)
    assert said in caught.value.message
    assert caught.value.where == f"here:{where}"


@pytest.mark.parametrize(
    "text", ["This is a text.\nIt has no tags or columns.\n", "word\nlist\n", "I/PRP am not\n", "a b"]
)
def test_a_text_without_tags_looks_like_none(text: str) -> None:
    with pytest.raises(DataError, match="looks like none of the formats"):
        sentences(text)


def test_sentences_are_stories(tmp_path: Path) -> None:
    """Words are facts, and the answer has a tag for each."""
    path = tmp_path / "en-ud-test.conllu"
    path.write_text(CONLLU)
    split, story = next(tagged.read(tagged.find([path]), "pos", 1))
    words, tags = ("I", "do", "n't", "see", "10 000"), ("PRON", "AUX", "PART", "VERB", "NUM")
    assert split == "test"
    assert story == Story("pos", words, (Question("What are the tags?", 5, tags, per_fact=True),), facts_are_words=True)


def told(path: Path, column: Column = "upos", format_: Format | None = None) -> list[tuple[str, Story]]:
    return list(tagged.read(tagged.find([path], format_), "pos", 1, column, format_))


def facts(path: Path, format_: Format | None = None) -> list[str]:
    return [" ".join(story.facts) for _, story in told(path, format_=format_)]


def test_a_file_is_of_the_split_that_it_is_named_after(tmp_path: Path) -> None:
    for name in ("en-ud-train.conllu", "en-ud-dev.conllu", "test.conllu.gz", "more.conllu"):
        content = CONLLU.encode()
        (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    assert Counter(split for split, _ in told(tmp_path)) == {"train": 4, "valid": 2, "test": 2}


def test_a_tenth_is_held_out_where_no_file_is_of_the_validation(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("Go/VB\n" * 100)
    (tmp_path / "test.txt").write_text("Go/VB\n" * 30)
    assert Counter(split for split, _ in told(tmp_path)) == {"train": 90, "valid": 10, "test": 30}


def test_one_text_in_several_formats_is_read_once(tmp_path: Path) -> None:
    path = tmp_path / "treebank.zip"
    members = {
        "treebank/README": "All about it.\n",
        "treebank/tagged/wsj_0001.pos": "[ tagged/VBN ]\n./.\n",
        "treebank/combined/wsj_0001.mrg": "( (S (VBN combined) (. .) ))\n",
        "treebank/parsed/wsj_0001.prd": "( (S parsed .))\n",
        "treebank/raw/wsj_0001": ".START\n\nraw .\n",
        "treebank/tagged/wsj_0002.pos": "[ only/RB ]\n./.\n",
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    assert facts(path) == ["combined .", "only ."]
    assert facts(path, "slash") == ["tagged .", "only ."]


def test_what_is_about_the_data_is_left_out(tmp_path: Path) -> None:
    """And a text without tags, but not if it was named itself or after a split."""
    files = {"LICENSE.txt": "a b\nc d\n", "categories.txt": "a b\nc d\n", "README_POS": "x/y\n", "stats.xml": "<a/>\n"}
    files |= {"notes": "Nothing here has tags.\nNot a bit.\n", "a.txt": "Go_VB\n", "change.txt": "Stop_VB\n"}
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    assert facts(tmp_path) == ["Go", "Stop"]
    with pytest.raises(DataError, match="looks like none"):
        told(tmp_path / "notes")
    (tmp_path / "notes").rename(tmp_path / "train.txt")
    with pytest.raises(DataError, match="looks like none"):
        told(tmp_path)


def test_paths_without_sentences(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        tagged.find([tmp_path / "none"])
    with pytest.raises(DataError, match="has no tagged text"):
        tagged.find([tmp_path])
    (tmp_path / "notes").write_text("Nothing here has tags.\nNot a bit.\n")
    with pytest.raises(DataError, match="has no sentence with tags"):
        told(tmp_path)
    (tmp_path / "empty.conllu").write_text("# only = comments\n")
    with pytest.raises(DataError, match="has no sentence with tags"):
        told(tmp_path / "empty.conllu")


@needs(POS / "UD_English-EWT.tar.gz")
@pytest.mark.parametrize(("column", "tags"), [("upos", 17), ("xpos", 49)])
def test_the_counts_of_ewt(column: Column, tags: int) -> None:
    counts = count(told(POS / "UD_English-EWT.tar.gz", column))
    assert counts["sentences"] == {"train": 12_544, "valid": 2_001, "test": 2_077}
    assert counts["words"] == {"train": 204_577, "valid": 25_147, "test": 25_094}
    assert len(counts["tags"]["train"]) == tags


@needs(POS / "conll2000.zip")
def test_the_counts_of_conll_2000() -> None:
    counts = count(told(POS / "conll2000.zip"))
    assert counts["sentences"] == {"train": 8_042, "valid": 894, "test": 2_012}  # 8,936, a tenth held out
    assert counts["words"]["train"] + counts["words"]["valid"] == 211_727
    assert counts["words"]["test"] == 47_377
    assert (len(counts["tags"]["train"]), len(counts["tags"]["test"])) == (44, 43)


@needs(POS / "treebank.zip")
@pytest.mark.parametrize(
    ("format_", "total", "words", "tags"), [(None, 3_914, 94_084, 45), ("slash", 4_009, 94_200, 46)]
)
def test_the_counts_of_the_treebank_sample(format_: Format | None, total: int, words: int, tags: int) -> None:
    """The trees, or if asked for NLTK's `tagged`, which divides sentences by its own rule."""
    counts = count(told(POS / "treebank.zip", format_=format_))
    assert sum(counts["sentences"].values()) == total
    assert sum(counts["words"].values()) == words
    assert len(set().union(*counts["tags"].values())) == tags


@needs(POS / "masc_tagged.zip")
def test_the_counts_of_masc() -> None:
    """34,533 lines with 592,536 pieces between blanks, of which 67 are of the word that goes on in the next piece.

    8 of these words go on in the next line. 20 tags have no word.
    """
    counts = count(told(POS / "masc_tagged.zip"))
    assert sum(counts["sentences"].values()) == 34_533 - 8
    assert sum(counts["words"].values()) == 592_536 - 67 - 20
    assert len(set().union(*counts["tags"].values())) == 59


def count(stories: list[tuple[str, Story]]) -> dict[str, Any]:
    found: dict[str, Any] = {"sentences": Counter(), "words": Counter(), "tags": {}}
    for split, story in stories:
        tags = story.questions[0].answer
        assert len(tags) == len(story.facts)
        found["sentences"][split] += 1
        found["words"][split] += len(tags)
        found["tags"].setdefault(split, set()).update(tags)
    return found


def written(told: list[list[tuple[str, str]]], format_: Format) -> str:
    if format_ == "conllu":
        line = "{n}\t{word}\t_\t{tag}\t_\t_\t_\t_\t_\t_\n"
        rows = ("".join(line.format(n=n, word=w, tag=t) for n, (w, t) in enumerate(s, start=1)) for s in told)
    elif format_ == "columns":
        rows = ("".join(f"{word} {tag} O\n" for word, tag in sentence) for sentence in told)
    elif format_ == "trees":
        rows = ("( (S" + "".join(f"\n  ({tag} {word})" for word, tag in sentence) + "))" for sentence in told)
    else:
        mark = "/" if format_ == "slash" else "_"
        rows = (" ".join(f"{word}{mark}{tag}" for word, tag in sentence) for sentence in told)
    return "".join(f"{row}\n" for row in rows)


WORDS = st.text(st.characters(categories=("L", "N", "P", "S"), exclude_characters="()\\"), min_size=1, max_size=8)
WORDS = WORDS.filter(lambda word: word[:1] not in "[]#=-")
TAGS = st.text("ABCN$.:|+", min_size=1, max_size=4)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.lists(st.tuples(WORDS, TAGS), min_size=1, max_size=9), max_size=5))
@pytest.mark.parametrize("format_", FORMATS)
def test_what_is_written_is_read(format_: Format, told: list[list[tuple[str, str]]]) -> None:
    lines = written(told, format_).encode().splitlines(keepends=True)
    found = read(lines, "here", format_, word_column=1, tag_column=2)  # said, since the words may be numbers
    assert [list(zip(words, tags, strict=True)) for words, tags in found] == told


ANY = st.one_of(st.binary(max_size=60), st.text("ab12/_()[]= \t\n.-#\\", max_size=60).map(str.encode))


@settings(deadline=None, max_examples=300)
@given(ANY, st.sampled_from([*FORMATS, None]))
@example(b"(" * 50_000, "trees")
@example(b"(a" * 50_000, None)
@example(b"_" * 50_000, "underscore")
def test_any_bytes_give_sentences_or_a_clear_error(content: bytes, format_: Format | None) -> None:
    try:
        found = list(read(content.split(b"\n"), "here", format_))
    except DataError as error:
        assert (error.where or "").startswith("here")  # noqa: PT017
        return
    for words, tags in found:
        assert len(words) == len(tags) > 0
        assert all(word.strip() for word in words)
        assert all(tags)


def test_the_columns_of_the_command(dmn: Dmn, tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text(NUMBERED)
    command = ("prepare", "tagged", tmp_path / "a.tsv", "--tokenizer", "whitespace", "--out", tmp_path / "out")
    fails(dmn(*command), 3, "a.tsv:1", "--word-column 2 --tag-column 3")
    fails(dmn(*command, "--word-column", 2, "--format", "trees"), 2, "--format columns")
    fails(dmn(*command, "--word-column", 2, "--tag-column", 2), 2, "two columns")
    result = dmn(*command, "--word-column", 2, "--tag-column", 3, "--json")
    assert result.document["answers"] == 2
    assert result.document["source"]["word_column"] == 2


def test_the_command(dmn: Dmn, tmp_path: Path) -> None:
    (tmp_path / "en-train.conllu").write_text(CONLLU)
    (tmp_path / "en-dev.conllu").write_text(CONLLU)
    result = dmn("prepare", "tagged", tmp_path, "--out", tmp_path / "pos", "--column", "xpos", "--json")
    assert result.code == 0, result.err
    summary = result.document
    assert summary["tasks"] == ["pos"]
    assert summary["splits"]["train"] == {"stories": 2, "questions": 2, "facts": 6}
    assert summary["splits"]["test"]["stories"] == 0
    assert summary["answers"] == 6
    (tmp_path / "en-dev.conllu").write_text(CONLLU.replace("4\tsee", "see", 1))
    fails(dmn("prepare", "tagged", tmp_path, "--out", tmp_path / "two"), 3, "en-dev.conllu:8", "a column is missing")
    fails(dmn("prepare", "tagged", tmp_path / "no", "--out", tmp_path / "two"), 2, "there is no such file")
    result = dmn("prepare", "tagged", tmp_path / "en-train.conllu", "--out", tmp_path / "two", "--format", "slash")
    fails(result, 3, "en-train.conllu:1", "a tag is missing")
