"""bAbI files: what is read, what is refused and where, and the places the files may lie in."""

import io
import random
import tarfile
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from pathlib import Path

import hypothesis.strategies as st
import pytest
from helpers import BABI, needs
from hypothesis import example, given, settings

from dmn_cli.data.formats.babi import parse
from dmn_cli.data.formats.babi_files import find
from dmn_cli.errors import DataError, UsageError
from dmn_cli.records.text import Question, Story

TWENTY = [f"qa{n}" for n in range(1, 21)]

TWO_STORIES = b"""\
1 Mary moved to the bathroom.
2 John went to the hallway.
3 Where is Mary? \tbathroom\t1
4 Mary took the milk.
5 Mary journeyed to the garden.
6 Where is the milk?\tgarden\t5 4
1 Sandra got the apple.
2 Sandra got the milk.
3 What is Sandra carrying?\tapple,milk\t1 2
4 Is Sandra well?\tmaybe
"""


def read(text: bytes) -> list[Story]:
    return list(parse(io.BytesIO(text), "qa1", "file"))


def test_a_file_by_hand() -> None:
    """Support ids become positions among the facts, in the file's order; a list answer becomes a tuple."""
    assert read(TWO_STORIES) == [
        Story(
            "qa1",
            (
                "Mary moved to the bathroom.",
                "John went to the hallway.",
                "Mary took the milk.",
                "Mary journeyed to the garden.",
            ),
            (
                Question("Where is Mary?", 2, ("bathroom",), (0,)),
                Question("Where is the milk?", 4, ("garden",), (3, 2)),
            ),
        ),
        Story(
            "qa1",
            ("Sandra got the apple.", "Sandra got the milk."),
            (
                Question("What is Sandra carrying?", 2, ("apple", "milk"), (0, 1)),
                Question("Is Sandra well?", 2, ("maybe",)),
            ),
        ),
    ]


def test_line_ends_blank_lines_and_utf8_make_no_difference() -> None:
    assert read(TWO_STORIES.replace(b"\n", b"\r\n\r\n").rstrip()) == read(TWO_STORIES)
    assert read("1 मैरी घर गयी।\n2 मैरी कहाँ है?\tघर\t1\n".encode()) == [
        Story("qa1", ("मैरी घर गयी।",), (Question("मैरी कहाँ है?", 1, ("घर",), (0,)),))
    ]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        pytest.param(b"1 A.\nB.\n", 2, "doesn't start with a number", id="no id"),
        pytest.param(b"1 A.\n3 B.\n2 C.\n", 3, "id 2 comes after 3", id="ids go backwards"),
        pytest.param(b"1 A.\n2 B.\n2 C.\n", 3, "id 2 comes after 2", id="an id twice"),
        pytest.param(b"1 A.\n2 B?\tb\t7\n", 2, "supporting fact 7", id="support points nowhere"),
        pytest.param(b"1 A.\n2 B?\tb\t1\n3 C?\tc\t2\n", 3, "supporting fact 2", id="support is a question"),
        pytest.param(b"1 A.\n2 B?\tb\t3\n3 C.\n", 2, "supporting fact 3", id="support lies ahead"),
        pytest.param(b"1 A.\n2 B.\n1 C.\n3 D?\td\t2\n", 4, "supporting fact 2", id="support is in another story"),
        pytest.param(b"1 A.\n2 B?\tb\tone\n", 2, "'one' is not a line id", id="support is no number"),
        pytest.param(b"1 A.\n1 B?\tb\t1\n", 2, "story is empty", id="empty story"),
        pytest.param(b"1 A.\n2 Caf\xe9.\n", 2, r"byte 6 .*0xe9", id="latin-1"),
        pytest.param(b"1 A.\n2 B?\t\t1\n", 2, "no answer", id="no answer"),
        pytest.param(b"1 A.\n2 B?\ta,,b\t1\n", 2, "no answer", id="a hole in the answer"),
        pytest.param(b"1 A.\n2 \ta\t1\n", 2, "no text", id="no question"),
        pytest.param(b"1 A.\n2 B?\tb\t1\tx\n", 2, "at most 3 columns", id="four columns"),
        pytest.param(b"1 A.\n2\n", 2, "no text", id="an id alone"),
        pytest.param(b"0 A.\n1 B?\tb\t0\n", 1, "the id 0", id="counted from 0"),
        pytest.param(b"1 A.\n2 Is B? b 1\n", 2, "no tabs", id="blanks in the place of tabs"),
        pytest.param(b"1 A.\n2 Is B?    b\n", 2, "no tabs", id="tabs that became blanks"),
    ],
)
def test_an_error_says_what_and_where(text: bytes, line: int, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read(text)
    assert caught.value.where == f"file:{line}"
    assert caught.value.exit_code == 3


# bytes that are nearly bAbI get deeper into the reader than any bytes do
nearly = st.lists(
    st.sampled_from([*(b"%d " % i for i in range(5)), b"\t", b"a", b",", b" ", b".", b"\r", b"\xe9", b"\x1c", b"0"]),
    max_size=9,
).map(b"".join)


@settings(deadline=None, max_examples=200)
@given(st.lists(st.one_of(nearly, st.binary(max_size=30))))
@example([b"1 a", b"2 b\ta\t1", b"2 c"])
def test_any_bytes_give_sound_stories_or_a_data_error(lines: list[bytes]) -> None:
    stories = []
    with suppress(DataError):
        stories.extend(parse(lines, "qa1", "file"))
    for story in stories:
        positions = [question.position for question in story.questions]
        assert positions
        assert positions == sorted(positions)
        assert 1 <= positions[0] <= positions[-1] <= len(story.facts)
        assert all(story.facts)
        for question in story.questions:
            assert question.text
            assert question.answer
            assert all(question.answer)
            assert all(0 <= support < question.position for support in question.support)


text = st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters=","), min_size=1, max_size=12)


@st.composite
def told(draw: st.DrawFn) -> Story:
    facts = draw(st.lists(text, min_size=1, max_size=6))
    questions = []
    for position in sorted(draw(st.lists(st.integers(1, len(facts)), min_size=1, max_size=5))):
        supports = draw(st.lists(st.integers(0, position - 1), max_size=3))
        answer = draw(st.lists(text, min_size=1, max_size=3))
        questions.append(Question(draw(text), position, tuple(answer), tuple(supports)))
    return Story("qa1", tuple(facts), tuple(questions))


def as_babi(story: Story) -> Iterator[str]:
    """A story as bAbI writes it."""
    number, id_of, questions = 0, {}, list(story.questions)
    for position, fact in enumerate(story.facts):
        number += 1
        id_of[position] = number
        yield f"{number} {fact}"
        while questions and questions[0].position == position + 1:
            asked = questions.pop(0)
            number += 1
            yield f"{number} {asked.text} \t{','.join(asked.answer)}\t{' '.join(str(id_of[s]) for s in asked.support)}"


@settings(deadline=None)
@given(st.lists(told(), max_size=4))
def test_stories_survive_being_written_as_babi(stories: list[Story]) -> None:
    lines = [line.encode() + b"\n" for story in stories for line in as_babi(story)]
    assert list(parse(lines, "qa1", "file")) == stories


# --- where the files lie


def task_text(name: str, stories: int = 12) -> bytes:
    return b"".join(
        f"1 {name} number {n} is here.\n2 {name} is {n}.\n3 What is {name}?\t{n}\t2\n".encode() for n in range(stories)
    )


FILES = {
    f"tasks/{variant}/{task}_some-name_{split}.txt": task_text(f"{variant}-{task}-{split}")
    for variant in ("en", "en-10k")
    for task in ("qa1", "qa2", "qa12")
    for split in ("train", "test")
}
TASKS = ["qa1", "qa2", "qa12"]


def archive(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz" if path.name.endswith("gz") else "w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def unpacked(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def found(*paths: Path, variant: str = "en", tasks: list[str] = TASKS, seed: int = 1) -> list[tuple[str, Story]]:
    with find(list(paths), variant, tasks) as files:
        return list(files.stories(seed))


@pytest.mark.parametrize("variant", ["en", "en-10k"])
def test_archive_folders_and_single_files_hold_the_same_stories(tmp_path: Path, variant: str) -> None:
    folder = unpacked(tmp_path / "unpacked", FILES)
    singles = sorted((folder / "tasks" / variant).iterdir())
    expected = found(archive(tmp_path / "tasks.tar.gz", FILES), variant=variant)
    assert len(expected) == 6 * 12
    assert {pair[1].task for pair in expected} == set(TASKS)
    assert all(fact.startswith(f"{variant}-{story.task}-") for _, story in expected for fact in story.facts)
    for paths in (
        [archive(tmp_path / "tasks.tar", FILES)],
        [folder],
        [folder / "tasks"],
        [folder / "tasks" / variant],
        singles,
    ):
        assert found(*paths, variant=variant) == expected


def test_a_tenth_of_the_training_stories_is_held_out_where_no_file_is_for_validation(tmp_path: Path) -> None:
    pairs = found(unpacked(tmp_path, FILES))
    for task in TASKS:
        splits = [split for split, story in pairs if story.task == task]
        assert splits.count("test") == 12
        assert splits.count("train") + splits.count("valid") == 12
        assert 1 <= splits.count("valid") <= 2
    assert pairs == found(tmp_path)
    assert any(pairs != found(tmp_path, seed=seed) for seed in range(2, 5))


def test_files_of_other_tasks_and_names_are_read(tmp_path: Path) -> None:
    """Tasks past the twentieth, and splits as people call them."""
    names = [f"qa{n}_{split}.txt" for n in (3, 21) for split in ("train", "dev", "Test")]
    folder = unpacked(tmp_path / "mine", {name: task_text(name[:-4]) for name in names})
    with find([folder], None, None) as files:
        pairs = list(files.stories(1))
        assert files.tasks == ["qa3", "qa21"]
    assert {(split, story.task, story.facts[0].split(" ")[0]) for split, story in pairs} == {
        (split, f"qa{n}", f"qa{n}_{name}")
        for n in (3, 21)
        for split, name in (("train", "train"), ("valid", "dev"), ("test", "Test"))
    }


def test_files_by_themselves_are_of_no_variant(tmp_path: Path) -> None:
    [path] = unpacked(tmp_path, {"qa1_train.txt": task_text("a")}).iterdir()
    with find([path], None, None) as files:
        assert files.variant == ""


def test_a_validation_file_is_used_as_it_is(tmp_path: Path) -> None:
    files = {f"en-valid/qa1_{split}.txt": task_text(split) for split in ("train", "valid", "test")}
    pairs = found(unpacked(tmp_path, files), variant="en-valid", tasks=["qa1"])
    assert all(story.facts[0].startswith(split) for split, story in pairs)
    assert len(pairs) == 36


def test_only_the_tasks_asked_for_are_read(tmp_path: Path) -> None:
    for place in (archive(tmp_path / "a.tar.gz", FILES), unpacked(tmp_path / "b", FILES)):
        assert {story.task for _, story in found(place, tasks=["qa12"])} == {"qa12"}


def test_progress_adds_up_to_the_size(tmp_path: Path) -> None:
    counted: list[int] = []
    with find([unpacked(tmp_path, FILES)], "en", TASKS) as files:
        list(files.stories(1, counted.append))
        assert sum(counted) == files.size == sum(len(content) for name, content in FILES.items() if "/en/" in name)


def test_a_missing_file_is_named_or_its_task_left_out(tmp_path: Path) -> None:
    files = {name: content for name, content in FILES.items() if "en/qa2_some-name_test" not in name}
    for place in (archive(tmp_path / "a.tar.gz", files), unpacked(tmp_path / "b", files)):
        with pytest.raises(DataError, match=r"en/qa2_\*test\.txt"), find([place], "en", TASKS):
            pass
        with find([place], "en", TASKS, skip_missing=True) as rest:
            assert rest.missing == ["en/qa2_*test.txt"]
            assert {story.task for _, story in rest.stories(1)} == {"qa1", "qa12"}


@pytest.mark.parametrize("inside", ["en/", "tasks/shuffled/", "tasks/of my own/", ""])
def test_what_nobody_named_is_not_missing(tmp_path: Path, inside: str) -> None:
    """Three tasks of one variant are all that is wanted of a place that has no more."""
    files = {f"top/{inside}{task}_{split}.txt": task_text(split) for task in TASKS for split in ("train", "test")}
    for place in (archive(tmp_path / "a.tar.gz", files), unpacked(tmp_path, files) / "top"):
        with find([place], None, None) as all_of_it:
            assert (all_of_it.variant, all_of_it.tasks) == (Path(f"top/{inside}").name, TASKS)
            assert {story.task for _, story in all_of_it.stories(1)} == set(TASKS)
        with pytest.raises(DataError, match=r"qa3_\*train\.txt"), find([place], None, ["qa1", "qa3"]):
            pass


def test_of_several_variants_the_usual_one_or_none(tmp_path: Path) -> None:
    other = {name.replace("en-10k", "hn"): content for name, content in FILES.items()}
    for files, n in ((FILES, 1), (other, 2)):
        for place in (archive(tmp_path / f"{n}.tar.gz", files), unpacked(tmp_path / str(n), files)):
            if files is FILES:
                with find([place], None, None) as found:
                    assert found.variant == "en-10k"
                continue
            with pytest.raises(DataError, match="several variants: en, hn") as caught, find([place], None, None):
                pass
            assert "--variant" in (caught.value.hint or "")


@pytest.mark.parametrize("variant", ["fr", "", "../en"])
def test_an_unknown_variant(tmp_path: Path, variant: str) -> None:
    with pytest.raises(UsageError, match="no variant") as caught, find([tmp_path], variant, TASKS):
        pass
    assert caught.value.exit_code == 2
    assert "en-valid-10k" in str(caught.value)


def test_an_archive_without_the_variant_says_what_there_is(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.tar.gz", FILES)
    with pytest.raises(DataError, match=r"no variant 'hn'") as caught, find([path], "hn", TASKS):
        pass
    assert caught.value.hint == "It has en, en-10k."
    empty = archive(tmp_path / "empty.tar.gz", {"readme.txt": b"hello"})
    with pytest.raises(DataError, match="no bAbI files"), find([empty], "en", TASKS):
        pass


def test_a_folder_without_the_variant(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no folder 'hn'"), find([unpacked(tmp_path, FILES)], "hn", TASKS):
        pass


@pytest.mark.parametrize("ending", ["tar.gz", "tar"])
def test_a_truncated_archive_never_passes_for_a_whole_one(tmp_path: Path, ending: str) -> None:
    """Cut anywhere, it is a DataError; or, cut behind the last file, all is there."""
    files = {f"en/qa1_{split}.txt": task_text(split, 3) for split in ("train", "test")}
    whole = archive(tmp_path / f"whole.{ending}", files)
    expected, content = found(whole, tasks=["qa1"]), whole.read_bytes()
    cut = tmp_path / f"cut.{ending}"
    wrong: dict[int, str] = {}
    for length in (*range(64), *range(64, len(content), 13 if ending == "tar.gz" else 131)):
        cut.write_bytes(content[:length])
        try:
            if found(cut, tasks=["qa1"]) != expected:
                wrong[length] = "other stories"
        except DataError:
            continue
        except Exception as error:
            wrong[length] = repr(error)
    assert not wrong


@settings(deadline=None)
@given(st.binary(max_size=600))
def test_garbage_is_no_archive(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "garbage.tar.gz"
    path.write_bytes(content)
    with pytest.raises(DataError), find([path], "en", TASKS):
        pass


@pytest.mark.parametrize("bit", [1, 128])
def test_a_damaged_archive_never_passes_for_a_whole_one(tmp_path: Path, bit: int) -> None:
    """With one bit wrong, wherever it is: the same stories (it was of no account), or an error of ours."""
    path = tmp_path / "damaged.tar.gz"
    whole = archive(path, {f"en/qa1_{split}.txt": task_text(split, 3) for split in ("train", "test")}).read_bytes()
    expected = found(path, tasks=["qa1"])
    for at in range(0, len(whole), 3):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ bit]) + whole[at + 1 :])
        with suppress(DataError, UsageError):
            assert found(path, tasks=["qa1"]) == expected, f"byte {at}"


@pytest.mark.parametrize("name", ["en/qa1_x_train.txt", "en/qa3_x_train.txt", "readme.txt"])
def test_a_member_that_claims_an_absurd_size_is_refused_at_once(tmp_path: Path, name: str) -> None:
    """Whether it is wanted or not: tarfile would skip to its end, a buffer at a time, for years if need be."""
    member = tarfile.TarInfo(name)
    member.size = 1 << 33
    path = tmp_path / "a.tar"
    path.write_bytes(member.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
    with pytest.raises(DataError, match="longer than 4 GiB"), find([path], "en", ["qa1"]):
        pass


def test_a_malformed_sparse_member_is_a_data_error(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        member = tarfile.TarInfo("en/qa1_x_train.txt")
        member.pax_headers = {"GNU.sparse.map": "abc"}
        tar.addfile(member)
    with pytest.raises(DataError), find([path], "en", ["qa1"]):
        pass


@pytest.mark.parametrize("prefix", ["../../evil/", "{}/evil/", "a/../../b/", ""])
def test_a_nasty_member_name_writes_nothing_outside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prefix: str
) -> None:
    work = tmp_path / "deep" / "down" / "scratch"
    work.mkdir(parents=True)
    monkeypatch.setattr("tempfile.tempdir", str(work))
    names = [f"{prefix.format(tmp_path)}en-10k/qa1_x_{split}.txt" for split in ("train", "test")]
    path = archive(tmp_path / "a.tar.gz", {name: task_text("evil") for name in names})
    before = sorted(tmp_path.rglob("*"))
    asked = [path], "en-10k", ["qa1"]
    with pytest.raises(DataError, match="no variant") if prefix else nullcontext(), find(*asked) as files:
        assert len(list(files.stories(1))) == 24
        made = set(tmp_path.rglob("*")) - set(before)
        assert all(work in place.parents for place in made)
        assert len([place for place in made if place.is_file()]) == 2
    assert sorted(tmp_path.rglob("*")) == before


def test_links_in_an_archive_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(task_text("secret"))
    path = tmp_path / "a.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for split in ("train", "test"):
            member = tarfile.TarInfo(f"en/qa1_x_{split}.txt")
            member.type, member.linkname = tarfile.SYMTYPE, str(tmp_path / "secret")
            tar.addfile(member)
    with pytest.raises(DataError, match="no variant"), find([path], "en", ["qa1"]):
        pass


@pytest.mark.parametrize("name", ["story.txt", "qa1.txt", "qa1_train.csv", "qa_train.txt", "xqa1_train.txt"])
def test_a_single_file_of_another_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(TWO_STORIES)
    with pytest.raises(UsageError, match="not named") as caught, find([tmp_path / name], "en", ["qa1"]):
        pass
    assert caught.value.where == str(tmp_path / name)


@pytest.mark.parametrize("name", ["qa1_x_train.txt", "tasks.tar.gz"])
def test_a_path_that_is_not_there(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="no such file"), find([tmp_path / name], "en", ["qa1"]):
        pass


def test_two_files_for_one_split_are_ambiguous(tmp_path: Path) -> None:
    files = {**FILES, "tasks/en/qa1_other-name_train.txt": task_text("other")}
    for place in (archive(tmp_path / "a.tar.gz", files), unpacked(tmp_path / "b", files)):
        with pytest.raises(UsageError, match="two files"), find([place], "en", TASKS):
            pass


def test_an_error_in_an_archive_names_member_and_line(tmp_path: Path) -> None:
    name = "tasks/en/qa2_some-name_test.txt"
    path = archive(tmp_path / "a.tar.gz", {**FILES, name: b"1 A.\nB.\n"})
    with pytest.raises(DataError) as caught:
        found(path)
    assert caught.value.where == f"{path}/{name}:2"


# --- the real data


@needs(BABI)
def test_all_twenty_real_tasks() -> None:
    """A thousand questions for each task and split; every support precedes its question."""
    questions: dict[tuple[str, str], int] = {}
    for split, story in found(BABI, tasks=TWENTY):
        key = (story.task, "test" if split == "test" else "train")
        questions[key] = questions.get(key, 0) + len(story.questions)
        for question in story.questions:
            assert all(support < question.position <= len(story.facts) for support in question.support)
    assert questions == {(task, split): 1000 for task in TWENTY for split in ("train", "test")}


@needs(BABI)
def test_the_real_archive_lacks_a_file() -> None:
    with find([BABI], "en-10k", TWENTY, skip_missing=True) as files:
        assert files.missing == ["en-10k/qa3_*train.txt"]
        assert sorted({file.task for file in files.files}) == sorted(set(TWENTY) - {"qa3"})


@needs(BABI)
def test_a_truncated_real_archive(tmp_path: Path) -> None:
    cut = tmp_path / "cut.tar.gz"
    with BABI.open("rb") as file:
        cut.write_bytes(file.read(random.Random(1).randrange(1 << 18, 1 << 19)))
    with pytest.raises(DataError, match="damaged"), find([cut], "en", TWENTY):
        pass


def test_a_byte_order_mark_is_no_part_of_the_first_line() -> None:
    text = b"\xef\xbb\xbf1 Mary went home.\n2 Where is Mary?\thome\t1\n"
    (story,) = parse(text.splitlines(keepends=True), "qa1", "f.txt")
    assert story.facts == ("Mary went home.",)


def test_a_folder_of_another_variant_is_not_taken_for_the_one_asked_for(tmp_path: Path) -> None:
    (tmp_path / "en").mkdir()
    for split in ("train", "test"):
        (tmp_path / "en" / f"qa1_x_{split}.txt").write_text("1 Mary went home.\n2 Where is Mary?\thome\t1\n")
    with pytest.raises(DataError, match="en-10k"), find([tmp_path / "en"], "en-10k", ["qa1"]):
        pass
