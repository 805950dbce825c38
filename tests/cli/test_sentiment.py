"""The systems for sentiment at the command line: trained, measured and asked as any other network."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from conftest import Dmn, Result, fails

from dmn_cli.data.store.reader import DataSet

OF_TEXTS = ("bi-lstm", "sentence-cnn", "dcnn")
OF_TREES = ("tree-lstm", "rntn", "mv-rnn", "drnn")
QUESTION = "What is the sentiment?"
SMALL = {
    "bi-lstm": {"hidden": 12},
    "sentence-cnn": {"hidden": 12, "maps": 6},
    "dcnn": {"hidden": 8, "maps": "[2, 2]"},
    "tree-lstm": {"hidden": 12},
    "rntn": {"hidden": 6},
    "mv-rnn": {"hidden": 6},
    "drnn": {"hidden": 12, "layers": 2},
}
TREE = "(3 (2 It) (4 (2 's) (4 good)))"


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A treebank in which a film is as good or bad as the words say, unless it isn't."""
    folder = tmp_path_factory.mktemp("trees")
    words = {"good": 4, "fine": 3, "odd": 2, "weak": 1, "bad": 0}
    lines = [
        f"({label} (2 The) ({label} (2 {thing}) ({label} (2 is) ({label} {word}))))\n"
        for thing in ("film", "plot", "cast", "end")
        for word, label in words.items()
    ]
    lines += [f"({4 - label} (2 It) ({4 - label} (2 n't) ({label} {word})))\n" for word, label in words.items()]
    (folder / "train.txt").write_text("".join(lines * 2))
    (folder / "dev.txt").write_text("".join(lines[::3]))
    (folder / "test.txt").write_text("".join(lines[::2]))
    return folder


@pytest.fixture(scope="module")
def data(dmn: Dmn, trees: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The data set that a preset can learn from."""
    folder = tmp_path_factory.mktemp("data")
    for name, options in (("texts", ()), ("trees", ("--trees",))):
        made = dmn("prepare", "sst", trees, "--out", folder / name, *options, "--quiet")
        assert made.code == 0, made.err
    return lambda preset: folder / ("trees" if preset in OF_TREES else "texts")


def options(preset: str, epochs: int = 2) -> list[object]:
    sets = [f"--set=model.{key}={value}" for key, value in SMALL[preset].items()]
    return ["--preset", preset, "--device", "cpu", "--epochs", epochs, *sets]


def asked(dmn: Dmn, run: Path, story: str, *more: object) -> Result:
    return dmn("ask", run, "--story", "-", *more, stdin=story.encode())


@pytest.mark.parametrize("preset", [*OF_TEXTS, *OF_TREES])
def test_it_goes_through_all_commands(dmn: Dmn, data: Callable[[str], Path], preset: str, tmp_path: Path) -> None:
    run, of = tmp_path / "run", data(preset)
    trained = dmn("train", of, "--out", run, *options(preset), "--json")
    assert trained.code == 0, trained.err
    report = dmn("eval", run, of, "--json").document
    assert report["questions"] == 13
    assert set(report["tasks"]) == {"sst5"}
    assert dmn("eval", run, "--verify").code == 0
    golden = run / "model" / "golden.jsonl"
    kept = [json.loads(line) for line in golden.read_text().splitlines()]
    said = dmn("ask", run, "--batch", golden, "--top", 2).lines
    assert [line["answer"] for line in said] == [line["answer"] for line in kept]
    assert [line["confidence"] for line in said] == pytest.approx([line["confidence"] for line in kept], abs=1e-5)
    assert all(line["top"][0]["answer"] == line["answer"] for line in said)
    story = TREE if preset in OF_TREES else "It 's good"
    answer = asked(dmn, run, story, "--question", QUESTION, "--json").document
    assert answer["answer"] in ("very negative", "negative", "neutral", "positive", "very positive")
    assert asked(dmn, run, story).out.startswith(answer["answer"]), "it was taught one question alone"
    assert (run / "model" / "README.md").is_file()


def test_a_tree_system_learns(dmn: Dmn, data: Callable[[str], Path], tmp_path: Path) -> None:
    """Words, and what turns them round; labels of the tree that it is asked about say nothing to it."""
    run = tmp_path / "run"
    more = {
        "training.optimiser": "adam",
        "training.batch_size": 10,
        "training.learning_rate": 0.03,
        "model.dropout": 0,
        "training.patience": 30,
    }
    sets = [f"--set={key}={value}" for key, value in more.items()]
    trained = dmn("train", data("tree-lstm"), "--out", run, *options("tree-lstm", 30), *sets, "--quiet")
    assert trained.code == 0, trained.err
    assert dmn("eval", run, data("tree-lstm"), "--fail-under", "mean=0.9").code == 0
    for tree in ("((The) ((plot) ((is) (good))))", "(0 (NP (0 The) (NN (0 plot)))\n (VP (is) (0 good)))"):
        assert asked(dmn, run, tree).out == "very positive\n"
    assert asked(dmn, run, "((It) ((n't) (good)))").out == "very negative\n"


def test_several_answer_as_one(dmn: Dmn, data: Callable[[str], Path], tmp_path: Path) -> None:
    run = tmp_path / "run"
    trained = dmn("train", data("tree-lstm"), "--out", run, *options("tree-lstm", 1), "--ensemble", 2, "--quiet")
    assert trained.code == 0, trained.err
    assert dmn("eval", run, "--verify").code == 0
    assert dmn("eval", run, data("tree-lstm"), "--json").document["questions"] == 13
    assert asked(dmn, run, TREE).code == 0


def test_what_is_asked_has_to_be_a_tree(dmn: Dmn, data: Callable[[str], Path], tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert dmn("train", data("rntn"), "--out", run, *options("rntn", 1), "--quiet").code == 0
    fails(asked(dmn, run, "It 's good"), 2, "the model reads trees", "Write it as a binary tree", "(3 (2 It)")
    fails(asked(dmn, run, "(2 (2 It) (2 's) (3 good))"), 2, "a node has 3 branches, and not two")
    fails(asked(dmn, run, "(2 (2 It) (3 good)"), 2, "not balanced: 1 open")
    fails(asked(dmn, run, "(It)\n(good)"), 2, "one tree at a time, and here are 2")
    lines = [{"id": n, "story": story} for n, story in enumerate([TREE, "plain", [TREE], [TREE, "(good)"], "((a)"])]
    said = dmn("ask", run, "--batch", "-", stdin="\n".join(map(json.dumps, lines)).encode()).lines
    assert ["answer" in line for line in said] == [True, False, True, False, False]
    assert said[1]["error"].startswith("line 2: the model reads trees")
    inline = dmn("ask", run, "--story", TREE)
    assert (inline.code, inline.out) == (0, asked(dmn, run, TREE).out), "a tree needs no file"
    fails(dmn("ask", run, "--story", "(a) (b"), 2, "there is no such file")
    (tmp_path / "table.csv").write_text("text\n(good)\n")
    fails(dmn("ask", run, "--table", tmp_path / "table.csv", "--input", "text"), 2, "the model reads trees", "--batch")
    assert "lower case, trees\n" in dmn("info", run).out
    why = asked(dmn, run, TREE, "--why")
    assert why.code == 0, why.err


def test_trees_and_texts_go_to_their_own_systems(dmn: Dmn, data: Callable[[str], Path], tmp_path: Path) -> None:
    """Before anything is trained."""
    texts, trees, run = data("bi-lstm"), data("rntn"), tmp_path / "run"
    refused = dmn("train", texts, "--out", run, *options("rntn"))
    fails(refused, 2, "has no trees", "dmn prepare sst --trees")
    for preset in ("dmn-plus", "bi-lstm"):
        fails(dmn("train", trees, "--out", run, "--preset", preset), 2, "would take for words", "--preset tree-lstm")
    assert not run.exists()
    assert dmn("train", texts, "--out", run, *options("bi-lstm", 1), "--quiet").code == 0
    fails(dmn("eval", run, trees), 2, "would take for words")


def test_one_question_with_an_answer_of_one_word(dmn: Dmn, world: Path, tmp_path: Path) -> None:
    refused = dmn("train", world, "--out", tmp_path / "run", *options("bi-lstm"))
    fails(refused, 2, "reads texts and no questions", "--preset dmn-plus")
    lines = [
        {"story": ["a b"], "question": "which ?", "answer": ["x", "y"], "split": split} for split in ("train", "valid")
    ]
    (tmp_path / "lists.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert dmn("prepare", "jsonl", tmp_path / "lists.jsonl", "--out", tmp_path / "lists", "--quiet").code == 0
    fails(dmn("train", tmp_path / "lists", "--out", tmp_path / "run", *options("dcnn")), 2, "answers of several")


# --- the data


def test_trees_are_written_the_same_each_time(dmn: Dmn, trees: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        assert dmn("prepare", "sst", trees, "--trees", "--out", tmp_path / name / "data", "--quiet").code == 0
    names = sorted(path.name for path in (tmp_path / "one" / "data").iterdir())
    assert names == sorted(path.name for path in (tmp_path / "two" / "data").iterdir())
    for name in names:
        assert (tmp_path / "one" / "data" / name).read_bytes() == (tmp_path / "two" / "data" / name).read_bytes(), name


def test_all_nodes_have_labels_or_the_root_alone(dmn: Dmn, trees: Path, tmp_path: Path) -> None:
    """Of two classes, a neutral sentence is left out, and a neutral node is the end token."""
    from dmn_cli.data.batches import Batches

    labels = {}
    for name, more in (("5", ()), ("root", ("--phrases", "root")), ("2", ("--classes", "2"))):
        out = tmp_path / name
        assert dmn("prepare", "sst", trees, "--trees", *more, "--out", out, "--quiet").code == 0
        data = DataSet(out)
        batches = Batches.of(data, "train", data.vocabulary.of_training())
        whole = batches.batch(torch.arange(batches.split.stories).numpy())
        of = whole.trees
        said = ["none", "-", *data.vocabulary.answers.items[1:]]
        labels[name] = [said[i + 1] for i in of.label.tolist()]
        roots = of.label[of.root][whole.story[whole.story_of, 0]]
        assert torch.equal(roots, whole.answer[:, 0]), "the root's label is the answer"
    assert set(labels["5"]) == {"very negative", "negative", "neutral", "positive", "very positive"}
    assert labels["root"].count("none") == len(labels["5"]) - 25, "all but the roots of the distinct trees"
    assert set(labels["2"]) == {"negative", "positive", "-"}


def test_what_trees_cant_be_is_refused(dmn: Dmn, trees: Path, tmp_path: Path) -> None:
    for option in ("--affixes", "--tokenizer=sentencepiece"):
        fails(
            dmn("prepare", "sst", trees, "--trees", "--out", tmp_path / "x", option), 2, "a tree has its words already"
        )
    assert dmn("prepare", "sst", trees, "--trees", "--out", tmp_path / "data", "--quiet").code == 0
    about = json.loads((tmp_path / "data" / "dataset.json").read_text())
    about["tokenizer"]["trees"] = [1, 2]
    (tmp_path / "data" / "dataset.json").write_text(json.dumps(about))
    fails(dmn("info", tmp_path / "data"), 3, "dataset.json", "damaged")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "train.txt").write_text("(3 (2 a) (2 b))\n(3 (2 a) (2 b) (2 c))\n")
    refused = dmn("prepare", "sst", tmp_path / "bad", "--trees", "--out", tmp_path / "x")
    fails(refused, 3, "train.txt:2", "a node has 3 branches")
    assert dmn("prepare", "sst", tmp_path / "bad", "--out", tmp_path / "x", "--quiet").code == 0, "words need no tree"


def test_trees_are_no_texts(dmn: Dmn, data: Callable[[str], Path], tmp_path: Path) -> None:
    trees, texts, run = data("tree-lstm"), data("bi-lstm"), tmp_path / "run"
    for both in ((trees, texts), (texts, trees)):
        fails(dmn("train", *both, "--out", run, "--preset", "text"), 2, f"{trees}: has trees", f"{texts} has texts")
    (tmp_path / "plain.txt").write_text("It is good.\n")
    fails(dmn("train", trees, "--out", run, "--read", tmp_path / "plain.txt"), 2, "have trees", "without --trees")
    assert not run.exists()
