"""Several data sets in one model, tags, and word vectors from outside: from the shell commands to the answers."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from conftest import Dmn, fails
from hypothesis import given
from hypothesis import strategies as st

from dmn_cli.data.store.reader import DataSet
from dmn_cli.records.network import Network, Sizes
from dmn_cli.settings.load import load
from dmn_cli.settings.networks import NETWORKS
from dmn_cli.settings.schema import TrainingSettings
from dmn_cli.training.events import Stopped
from dmn_cli.training.learner import USUAL
from dmn_cli.training.loop import Training
from dmn_cli.training.sampling import PlannedBatch, shares

TAGS = {"the": "DET", "a": "DET", "cat": "NOUN", "dog": "NOUN", "saw": "VERB", "bit": "VERB"}
FAST = ("--set", "model.hidden=16", "--set", "model.dropout=0", "--set", "training.learning_rate=0.02")


def training(**changes: Any) -> TrainingSettings:
    return load(overrides=[(f"training.{key}", value) for key, value in changes.items()]).training


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory, dmn: Dmn) -> tuple[Path, Path]:
    """A data set of stories, and one of 40 tagged sentences in which a word decides its tag."""
    folder = tmp_path_factory.mktemp("parts")
    words = [f"{word}/{tag}" for word, tag in TAGS.items()]
    random = Random(1)
    told = [random.choices(words, k=2 + i % 4) for i in range(40)]
    (folder / "tags.txt").write_text("".join(" ".join(sentence) + "\n" for sentence in told))
    stories = ("prepare", "story", "--tasks", "1", "--questions", "100", "--out", folder / "stories")
    tags = ("prepare", "tagged", folder / "tags.txt", "--out", folder / "tags")
    for command in (stories, tags):
        result = dmn(*command, "--quiet")
        assert result.code == 0, result.err
    return folder / "stories", folder / "tags"


# --- which batches an epoch has


@given(
    st.lists(st.integers(1, 1000), min_size=2, max_size=5),
    st.sampled_from(("proportional", "temperature", "uniform")),
    st.floats(1, 100),
)
def test_every_data_set_has_its_share(batches: list[int], how: str, temperature: float) -> None:
    """The larger never comes less often than the smaller, each comes, and an epoch stays as long as it was."""
    share = shares(batches, training(sampling=how, sampling_temperature=temperature))
    assert min(share) >= 1
    assert abs(sum(share) - sum(batches)) <= len(batches)
    by_size = [s for _, s in sorted(zip(batches, share, strict=True))]
    assert by_size == sorted(by_size)
    if how == "proportional":
        assert share == batches
    if how == "uniform":
        assert max(share) - min(share) <= 1


def test_temperature_is_the_exponent() -> None:
    """Of 100 and 400 batches, temperature 2 makes 10 : 20."""
    assert shares([100, 400], training(sampling="temperature", sampling_temperature=2.0)) == [167, 333]


# --- one model of several data sets


def test_one_model_learns_stories_and_tags_and_tells_them_apart_by_their_questions(
    dmn: Dmn, parts: tuple[Path, Path], tmp_path: Path
) -> None:
    run = tmp_path / "run"
    few = ("--epochs", "12", "--set", "training.steps=30", "--set", "training.batch_size=16")
    result = dmn("train", *parts, "--out", run, *FAST, *few, "--json")
    assert result.code == 0, result.err
    logged = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert all(epoch["valid_tasks"].keys() == {"qa1", "tags"} for epoch in logged)

    report = dmn("eval", run, *parts, "--split", "train", "--json").document
    assert report["tasks"].keys() == {"qa1", "tags"}
    assert report["tasks"]["tags"]["accuracy"] == 1
    assert report["tasks"]["tags"]["answers"] > report["tasks"]["tags"]["questions"] == 36
    alone = dmn("eval", run, parts[1], "--split", "train", "--json").document
    by_itself, together = (one["tasks"]["tags"] for one in (alone, report))
    for counted in ("classes", "confusions"):
        assert by_itself.pop(counted) == together.pop(counted)
    assert by_itself == pytest.approx(together)

    (tmp_path / "story.txt").write_text("The dog bit a cat")
    asked = ("ask", run, "--story", tmp_path / "story.txt", "--question", "What are the tags?")
    assert dmn(*asked).out == "The/DET dog/NOUN bit/VERB a/DET cat/NOUN\n"
    answer = dmn(*asked, "--json").document
    assert answer["answers"] == ["DET", "NOUN", "VERB", "DET", "NOUN"]
    assert answer["answer"] == "DET NOUN VERB DET NOUN"
    assert answer["facts"] == ["The", "dog", "bit", "a", "cat"]
    golden = [json.loads(line) for line in (run / "model" / "golden.jsonl").read_text().splitlines()]
    again = dmn("ask", run, "--batch", run / "model" / "golden.jsonl").lines
    assert [line["answer"] for line in again] == [line["answer"] for line in golden]
    assert any("answers" in line for line in again)
    assert any("answers" not in line for line in again)


def test_the_prompt_cuts_facts_into_words_where_the_question_is_about_words(
    dmn: Dmn, parts: tuple[Path, Path], tmp_path: Path
) -> None:
    dmn(
        "train",
        parts[1],
        "--out",
        tmp_path / "run",
        "--epochs",
        "8",
        *FAST,
        "--set",
        "training.batch_size=8",
        "--quiet",
    )
    result = dmn("ask", tmp_path / "run", stdin=b"a dog bit a cat\nWhat are the tags ?\n")
    assert result.out == "a/DET dog/NOUN bit/VERB a/DET cat/NOUN\n"


def assert_goes_on(data: Sequence[Path], folder: Path, steps: int, **changes: Any) -> None:
    """A training that is stopped after some steps and resumed ends with the weights of one that never was."""
    quick = {"model.hidden": 8, "training.epochs": 3, "training.steps": 10, "training.batch_size": 16, **changes}

    def job(name: str) -> Training:
        sets = [DataSet(path) for path in data]
        return Training(sets, folder / name, load(overrides=[*quick.items()]), torch.device("cpu"))

    whole = job("whole")
    whole.begin()
    list(whole.events())
    half = job("half")
    half.begin()
    left = iter(range(steps))
    assert isinstance(list(half.events(lambda: next(left, None) is None))[-1], Stopped)
    rest = job("half")
    rest.resume()
    list(rest.events())
    for name, weights in whole.learner.network.state_dict().items():
        assert torch.equal(weights, rest.learner.network.state_dict()[name]), name


def test_a_joint_training_goes_on_to_the_same_weights(parts: tuple[Path, Path], tmp_path: Path) -> None:
    assert_goes_on(parts, tmp_path, 12, **{"training.sampling": "uniform"})


def test_data_sets_with_other_words_dont_go_together(dmn: Dmn, parts: tuple[Path, Path], tmp_path: Path) -> None:
    made = ("prepare", "story", "--tasks", "2", "--questions", "20", "--tokenizer", "whitespace")
    dmn(*made, "--out", tmp_path / "x", "--quiet")
    result = dmn("train", parts[0], tmp_path / "x", "--out", tmp_path / "run")
    fails(result, 2, "has other words than", "--tokenizer")
    assert not (tmp_path / "run").exists()


# --- word vectors from outside

GOOD, BAD = ("good", "great", "fine", "lovely"), ("bad", "awful", "poor", "nasty")


@pytest.fixture(scope="module")
def opinions(tmp_path_factory: pytest.TempPathFactory, dmn: Dmn) -> Path:
    """Films that are good or bad, with vectors in which what is good points one way and what is bad the other. Training
    has three words of each; `lovely` and `nasty` are extra words."""
    folder = tmp_path_factory.mktemp("opinions")
    random = Random(2)
    vectors = {
        word: [sign + random.gauss(0, 0.2) for sign in signs]
        for words, signs in ((GOOD, (1, -1, 1)), (BAD, (-1, 1, 1)), (("the", "film", "is", "a", "one"), (0, 0, -1)))
        for word in words
    }
    (folder / "vectors.txt").write_text("".join(f"{w} {' '.join(map(str, v))}\n" for w, v in vectors.items()))
    with (folder / "films.jsonl").open("w") as file:
        for i in range(80):
            word, answer = random.choice([(w, "yes") for w in GOOD[:3]] + [(w, "no") for w in BAD[:3]])
            story = random.choice((f"the film is {word}", f"a {word} one"))
            line = {
                "story": [story],
                "question": "Is it good?",
                "answer": answer,
                "split": "valid" if i < 10 else "train",
            }
            file.write(json.dumps(line) + "\n")
    options = ("--vectors", folder / "vectors.txt", "--extra-words", "10")
    result = dmn("prepare", "jsonl", folder / "films.jsonl", *options, "--out", folder / "data", "--quiet")
    assert result.code == 0, result.err
    return folder / "data"


def test_a_model_understands_words_that_it_never_trained_on(dmn: Dmn, opinions: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    trained = dmn("train", opinions, "--out", run, "--epochs", "15", *FAST, "--freeze-vectors", "--quiet")
    assert trained.code == 0, trained.err
    lines = [{"story": [f"the film is {word}"], "question": "Is it good?"} for word in ("lovely", "nasty", "zorbish")]
    lovely, nasty, unknown = dmn("ask", run, "--batch", "-", stdin="\n".join(map(json.dumps, lines)).encode()).lines
    assert (lovely["answer"], nasty["answer"]) == ("yes", "no")
    assert min(lovely["confidence"], nasty["confidence"]) > 0.8
    assert lovely["unknown_words"] == nasty["unknown_words"] == []
    assert unknown["unknown_words"] == ["zorbish"]


@pytest.fixture(params=[False, True], ids=["dense", "sparse"])
def sparse(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether word tables have sparse gradients, as large ones do."""
    monkeypatch.setitem(NETWORKS, "dmn", NETWORKS["dmn"]._replace(build=with_table(sparse=request.param)))
    return request.param


def with_table(*, sparse: bool) -> Callable[[Any, Sizes], Network]:
    build = NETWORKS["dmn"].build

    def built(settings: Any, sizes: Sizes) -> Network:
        network = build(settings, sizes)
        embedding: Any = network.get_submodule("word_vectors.E")
        embedding.sparse = sparse
        return network

    return built


def word_table(job: Training) -> torch.Tensor:
    assert job.learner.network.word_table
    return job.learner.network.word_table.weight.detach()


def test_frozen_vectors_stay_and_others_move(opinions: Path, tmp_path: Path, sparse: bool) -> None:
    """Words without a vector, such as `?`, are trained either way."""
    for rate in (0.0, 0.5):
        quick = {"model.hidden": 8, "training.epochs": 2, "training.vectors_rate": rate, "training.l2": 0.01}
        job = Training([DataSet(opinions)], tmp_path / str(rate), load(overrides=[*quick.items()]), torch.device("cpu"))
        assert word_table(job).shape[1] == 3
        assert job.learner.network.word_table
        assert job.learner.network.word_table.sparse == sparse
        ids = job.learner.model.vocabulary.words.ids
        before = word_table(job).clone()
        job.begin()
        list(job.events())
        moved = (word_table(job) != before).any(dim=1)
        assert moved[ids["?"]]
        assert moved[ids["good"]] == (rate > 0)
        assert not moved[ids["lovely"]], "no batch has it, and L2 doesn't pull it to zero"


def test_a_step_with_sparse_gradients_is_adams(monkeypatch: pytest.MonkeyPatch, opinions: Path, tmp_path: Path) -> None:
    """The first step of both, clipped: a word's row moves as with dense gradients."""
    weights = []
    for build in (with_table(sparse=False), with_table(sparse=True)):
        monkeypatch.setitem(NETWORKS, "dmn", NETWORKS["dmn"]._replace(build=build))
        options = {"model.hidden": 8, "model.dropout": 0.0, "training.clip": 0.5}
        job = Training([DataSet(opinions)], tmp_path / "run", load(overrides=[*options.items()]), torch.device("cpu"))
        planned = [PlannedBatch(job.learner.train[0], job.learner.train[0].plan(16)[0])]
        job.step(planned, [job.learner.portion(planned, USUAL, 0, 0)], USUAL)
        weights.append([parameter.detach() for parameter in job.learner.network.parameters()])
    for dense, sparse in zip(*weights, strict=True):
        torch.testing.assert_close(sparse, dense, rtol=1e-3, atol=1e-5)  # their epsilons differ


@pytest.mark.usefixtures("sparse")
def test_a_training_with_given_vectors_goes_on_to_the_same_weights(opinions: Path, tmp_path: Path) -> None:
    assert_goes_on([opinions], tmp_path, 7)


def test_vectors_of_different_widths_dont_go_together(dmn: Dmn, opinions: Path, tmp_path: Path) -> None:
    (tmp_path / "v.txt").write_text("mary 1 2 3 4\njohn 4 3 2 1\n")
    made = ("prepare", "story", "--tasks", "1", "--questions", "20", "--vectors", tmp_path / "v.txt")
    assert dmn(*made, "--out", tmp_path / "data", "--quiet").code == 0
    fails(dmn("train", opinions, tmp_path / "data", "--out", tmp_path / "run"), 2, "different sizes", "3", "4")
