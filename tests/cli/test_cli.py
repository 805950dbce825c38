"""The command line as scripts, pipes and people meet it: exit codes, messages, streams and the prompt."""

import gc
import json
import os
import pty
import re
import resource
import shlex
import shutil
import signal
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from conftest import Dmn, Process, Result, fails, strict_json

import dmn_cli
from dmn_cli.evaluation.report import Report, evaluate

QUESTION = "Where is Mary?"
STORY = "Mary went to the kitchen.\nJohn went to the office.\n"


@pytest.fixture
def story(tmp_path: Path) -> Path:
    path = tmp_path / "story.txt"
    path.write_text(STORY)
    return path


@pytest.fixture
def damaged(world: Path, tmp_path: Path) -> Path:
    """A copy of the data set, to be damaged."""
    return Path(shutil.copytree(world, tmp_path / "damaged"))


@pytest.fixture
def model(run: Path, tmp_path: Path) -> Path:
    """A copy of the model directory, to be damaged."""
    return Path(shutil.copytree(run / "model", tmp_path / "model"))


def flip_a_byte(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 0xFF
    path.write_bytes(data)


def cut_in_half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def batch(lines: int) -> bytes:
    return (json.dumps({"story": STORY, "question": QUESTION}) + "\n").encode() * lines


# ---------------------------------------------------------------------------------------------------- 0 done


def test_version(dmn: Dmn) -> None:
    assert dmn("--version") == Result(0, f"dmn {dmn_cli.__version__}\n", "")


@pytest.mark.parametrize(
    "command", ["", "prepare", "prepare babi", "prepare jsonl", "prepare sst", "prepare story", "train", "eval", "ask"]
)
@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_of_every_command(dmn: Dmn, command: str, option: str) -> None:
    result = dmn(*command.split(), option)
    assert (result.code, result.err) == (0, "")
    assert "Usage:" in result.out


def test_prepare_says_what_it_made(dmn: Dmn, tmp_path: Path) -> None:
    result = dmn("prepare", "story", "--tasks", "2", "--questions", 20, "--out", tmp_path / "deep" / "data")
    assert result.code == 0
    assert "questions" in result.out
    assert f"Next: dmn train {tmp_path / 'deep' / 'data'}" in result.out


def test_a_shell_pipeline_gets_plain_text(dmn: Dmn, run: Path, world: Path) -> None:
    result = dmn("eval", run, world)
    assert result.code == 0
    assert "\x1b" not in result.out
    assert re.search(r"^qa1 +50 +\d+\.\d %", result.out, re.MULTILINE)
    assert "mean error" in result.out


def test_python_m_dmn_cli_is_dmn(dmn_process: Process) -> None:
    out, _ = dmn_process("train", "--help").communicate(timeout=30)
    assert "Usage: dmn train" in out.decode()


# ------------------------------------------------------------------------------------ 1 below a required score


def test_a_score_that_is_not_reached(dmn: Dmn, run: Path, damaged: Path) -> None:
    assert dmn("eval", run, damaged, "--fail-under", "mean=0.5", "--fail-under", "qa1=0.5").code == 0
    other = damaged.with_name("other")
    assert dmn("prepare", "story", "--tasks", 3, "--questions", 50, "--out", other).code == 0
    result = dmn("eval", run, other, "--fail-under", "qa3=0.99", "--json")
    assert result.code == 1
    assert result.document["accuracy"] < 0.99
    assert result.err.startswith("error: qa3 is ")


# ------------------------------------------------------------------------------------------------------ 2 usage


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("train WORLD --out NEW --bogus", "--bogus"),
        ("trian WORLD --out NEW", "train"),
        ("train --out NEW", "DATA"),
        ("train WORLD --out NEW --epochs 0", "--epochs"),
        ("train WORLD --out NEW --epochs many", "--epochs"),
        ("prepare story --out NEW --questions 1", "--questions"),
    ],
)
def test_a_command_line_that_does_not_parse(dmn: Dmn, world: Path, tmp_path: Path, command: str, said: str) -> None:
    fails(dmn(*filled_in(command, WORLD=world, NEW=tmp_path / "new")), 2, said)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("train WORLD --out NEW --set model.hiden=3", "Did you mean model.hidden?"),
        ("train WORLD --out NEW --set hidden=3", "Did you mean model.hidden?"),
        ("train WORLD --out NEW --set model.hidden", "KEY=VALUE"),
        ("train WORLD --out NEW --set model.hidden=0", "model.hidden"),
        ("train WORLD --out NEW --set model.hidden=wide", "model.hidden"),
        ("train WORLD --out NEW --preset dmn-pls", "Did you mean dmn-plus?"),
        ("train WORLD --out NEW --config NEW.toml", "NEW.toml"),
        ("train WORLD --out NEW --device gpu", "cuda:N"),
        ("train WORLD --out NEW --device cuda:²", "cuda:N"),
        ("train WORLD --out NEW --resume", "no run to resume"),
        ("train WORLD --out RUN --resume --seed 2", "--resume"),
        ("prepare story --out NEW --tasks 21", "1 to 20"),
        ("prepare story --out NEW --tasks 0", "1 to 20"),
        ("prepare story --out NEW --tasks 3-1", "1 to 20"),
        ("prepare story --out NEW --tasks one", "1,2,5-7"),
        ("prepare story --out NEW --tasks 1,,2", "1,2,5-7"),
        ("prepare story --out NEW --tasks ²", "1,2,5-7"),
        ("prepare story --out NEW --facts 9-3", "--facts 5-20"),
        ("prepare story --out NEW --facts few", "--facts 5-20"),
        ("prepare story --out NEW --tasks 3 --facts 2", "qa3 can't be told in 2 facts"),
        ("prepare story --out NEW --tasks 1,5 --people 1", "qa5 takes 2 to"),
        ("prepare story --out NEW --tasks 1 --things 4", "--things"),
        ("prepare story --out NEW --format babi --export NEW.jsonl", "--export"),
        ("prepare story --out NEW --tasks 1 --people 60 --names held-out", "there are 50"),
        ("prepare babi NEW.txt --out NEW", "NEW.txt"),
        ("prepare babi WORLD --out NEW --variant de", "en-10k"),
        ("eval RUN WORLD --split dev", "test, valid and train"),
        ("eval RUN WORLD --fail-under mean", "NAME=SCORE"),
        ("eval RUN WORLD --fail-under mean=95", "fraction"),
        ("eval RUN WORLD --fail-under qa7=0.5", "There are: mean, qa1."),
        ("ask RUN --batch STORY --question Where?", "--batch"),
        ("ask RUN --batch STORY --story STORY", "--batch"),
        ("ask RUN --question Where?", "go together"),
        ("ask RUN --story STORY", "go together"),
        ("ask RUN --story NEW --question Where?", "no such file"),
        ("ask RUN --batch NEW", "no such file"),
    ],
)
def test_a_mistake_on_the_command_line(
    dmn: Dmn, run: Path, world: Path, story: Path, tmp_path: Path, command: str, said: str
) -> None:
    new = tmp_path / "NEW"
    fails(dmn(*filled_in(command, RUN=run, WORLD=world, STORY=story, NEW=new)), 2, said)
    assert not new.exists()


def filled_in(command: str, **paths: Path) -> list[str]:
    pattern = re.compile("|".join(paths))
    return [pattern.sub(lambda name: str(paths[name[0]]), word) for word in command.split()]


@pytest.mark.parametrize(
    "toml", ["preset = 5", "preset = ['dmn']", "model = 5", "[model]\nhidden = 'wide'", "[model]\nhiden = 3", "[", "é"]
)
def test_a_configuration_that_does_not_fit(dmn: Dmn, world: Path, tmp_path: Path, toml: str) -> None:
    config = tmp_path / "config.toml"
    config.write_bytes(toml.encode("latin-1"))
    fails(dmn("train", world, "--out", tmp_path / "run", "--config", config), 2)


def test_a_training_that_diverges(dmn: Dmn, world: Path, tmp_path: Path) -> None:
    settings = ("--epochs", 1, "--set", "model.hidden=4", "--set", "training.learning_rate=1e30")
    fails(dmn("train", world, "--out", tmp_path / "run", *settings, "--json"), 2, "training.learning_rate")


def test_an_unknown_score_is_refused_before_the_work(
    dmn: Dmn, run: Path, world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dmn_cli.evaluation.report.evaluate", lambda *args, **options: pytest.fail("it worked first"))
    written = tmp_path / "predictions.jsonl"
    fails(dmn("eval", run, world, "--fail-under", "qa7=0.5", "--predictions", written), 2, "qa7")
    assert not written.exists()


def test_an_output_below_a_file(dmn: Dmn, story: Path) -> None:
    fails(dmn("prepare", "story", "--out", story / "data"), 2, str(story))


@pytest.mark.parametrize(
    "command", ["prepare story --out OUT", "train WORLD --out OUT", "eval RUN WORLD --predictions OUT"]
)
def test_an_output_that_exists_is_not_overwritten(
    dmn: Dmn, run: Path, world: Path, tmp_path: Path, command: str
) -> None:
    out = tmp_path / "mine"
    out.write_text("precious")
    fails(dmn(*filled_in(command, RUN=run, WORLD=world, OUT=out)), 2, str(out), "--force")
    out.unlink()
    out.mkdir()
    (out / "thesis.tex").write_text("precious")
    words = filled_in(command, RUN=run, WORLD=world, OUT=out)
    fails(dmn(*words), 2, str(out))
    fails(dmn(*words, "--force"), 2, "didn't write")
    assert (out / "thesis.tex").read_text() == "precious"


@pytest.mark.parametrize(
    ("command", "name", "text"),
    [
        ("prepare story --questions 20 --out OUT", "dataset.json", '{"rows": 150, "source": "a survey of ours"}'),
        ("train WORLD --epochs 1 --set model.hidden=4 --out OUT", "config.toml", 'title = "a web site of ours"\n'),
    ],
)
def test_force_knows_its_own_folders_from_others_that_look_alike(
    dmn: Dmn, world: Path, tmp_path: Path, command: str, name: str, text: str
) -> None:
    out = tmp_path / "mine"
    out.mkdir()
    (out / name).write_text(text)
    (out / "thesis.tex").write_text("precious")
    fails(dmn(*filled_in(command, WORLD=world, OUT=out), "--force"), 2, "didn't write")
    assert (out / "thesis.tex").read_text() == "precious"


def test_force_overwrites_what_dmn_wrote(dmn: Dmn, run: Path, world: Path, tmp_path: Path) -> None:
    data, trained, predictions = (tmp_path / name for name in ("data", "run", "predictions.jsonl"))
    commands = (
        ("prepare", "story", "--tasks", "1", "--questions", 20, "--out", data),
        ("train", world, "--out", trained, "--epochs", 1, "--set", "model.hidden=4"),
        ("eval", run, world, "--predictions", predictions),
    )
    for command in commands:
        assert dmn(*command).code == 0
        fails(dmn(*command), 2, "--force")
        assert dmn(*command, "--force").code == 0
    assert sorted(tmp_path.iterdir()) == sorted([data, trained, predictions])


def test_force_replaces_the_folder_that_a_link_points_at(dmn: Dmn, tmp_path: Path) -> None:
    link, data = tmp_path / "link", tmp_path / "data"
    prepare = ("prepare", "story", "--tasks", "1", "--questions", 20, "--out")
    assert dmn(*prepare, data).code == 0
    link.symlink_to(data)
    assert dmn(*prepare, link, "--force").code == 0
    assert sorted(tmp_path.iterdir()) == [data, link]
    assert (link / "dataset.json").is_file()


def test_force_on_the_current_folder_loses_nothing(
    dmn: Dmn, run: Path, world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may do what it was asked or refuse, but not fail once the old one is gone."""
    for source, command in ((world, ("prepare", "story", "--questions", 20)), (run, ("train", world, "--epochs", 1))):
        here = Path(shutil.copytree(source, tmp_path / source.name))
        monkeypatch.chdir(here)
        result = dmn(*command, "--out", ".", "--force")
        assert result.code in (0, 2), result.err
        assert sorted(path.name for path in here.iterdir()) == sorted(path.name for path in source.iterdir())


# ------------------------------------------------------------------------------------------------------- 3 data


@pytest.mark.parametrize("command", ["train DATA --out NEW", "eval RUN DATA"])
def test_data_that_is_not_there(dmn: Dmn, run: Path, tmp_path: Path, command: str) -> None:
    words = filled_in(command, RUN=run, DATA=tmp_path / "nowhere", NEW=tmp_path / "new")
    fails(dmn(*words), 3, "nowhere", "dmn prepare")


@pytest.mark.parametrize("name", ["dataset.json", "vocabulary.json", "sentences.arrow", "test.arrow"])
@pytest.mark.parametrize("damage", [cut_in_half, Path.unlink, lambda path: path.write_bytes(b"")])
def test_a_data_set_with_a_damaged_file(
    dmn: Dmn, run: Path, damaged: Path, name: str, damage: Callable[[Path], object]
) -> None:
    damage(damaged / name)
    fails(dmn("eval", run, damaged), 3, str(damaged / name))


@pytest.mark.parametrize(
    "text", ['{"format_version": 1}', '{"format_version": 1e999}', '{"format_version": "one"}', "[]", "{}", "é"]
)
@pytest.mark.parametrize("name", ["dataset.json", "vocabulary.json"])
def test_a_data_set_with_other_json(dmn: Dmn, run: Path, damaged: Path, name: str, text: str) -> None:
    (damaged / name).write_bytes(text.encode("latin-1"))
    fails(dmn("eval", run, damaged), 3, str(damaged))


@pytest.mark.parametrize("name", ["dataset.json", "vocabulary.json", "test.arrow"])
def test_a_data_set_with_a_folder_in_place_of_a_file(dmn: Dmn, run: Path, damaged: Path, name: str) -> None:
    (damaged / name).unlink()
    (damaged / name).mkdir()
    fails(dmn("eval", run, damaged), 3, str(damaged / name))


@pytest.mark.parametrize("name", ["sentences.arrow", "test.arrow"])
def test_a_data_set_with_flipped_bytes(dmn: Dmn, run: Path, damaged: Path, name: str) -> None:
    """It is refused, unless the flipped byte is one that nobody reads. Wrong figures never pass for right ones."""
    whole, right = (damaged / name).read_bytes(), dmn("eval", run, damaged, "--json").document["tasks"]
    for at in range(len(whole) // 16, len(whole), len(whole) // 8):
        (damaged / name).write_bytes(whole)
        flip_a_byte(damaged / name, at)
        result = dmn("eval", run, damaged, "--json")
        if result.code:
            fails(result, 3, str(damaged))
        else:
            assert result.document["tasks"] == right


def test_a_newer_data_set(dmn: Dmn, run: Path, damaged: Path) -> None:
    summary = json.loads((damaged / "dataset.json").read_text())
    (damaged / "dataset.json").write_text(json.dumps(summary | {"format_version": 99}))
    fails(dmn("eval", run, damaged), 3, "99", "upgrade")


BABI = b"1 Mary went to the kitchen.\n2 Where is Mary?\tkitchen\t1\n"


@pytest.mark.parametrize("cut", [0.2, 0.5, 0.9])
def test_an_archive_that_is_cut_short(dmn: Dmn, tmp_path: Path, cut: float) -> None:
    for split in ("train", "test"):
        (tmp_path / f"qa1_a-task_{split}.txt").write_bytes(BABI + os.urandom(20_000).hex().encode())
    archive = tmp_path / "tasks.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for file in tmp_path.glob("*.txt"):
            tar.add(file, f"tasks/en-10k/{file.name}")
    archive.write_bytes(archive.read_bytes()[: int(archive.stat().st_size * cut)])
    fails(dmn("prepare", "babi", archive, "--tasks", "1", "--out", tmp_path / "data"), 3, str(archive))
    assert not (tmp_path / "data").exists()


def test_an_archive_that_is_none(dmn: Dmn, tmp_path: Path) -> None:
    archive = tmp_path / "tasks.tar.gz"
    archive.write_text("<html>404 Not Found</html>")
    fails(dmn("prepare", "babi", archive, "--out", tmp_path / "data"), 3, str(archive))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (BABI + b"1 Ren\xe9 went to the caf\xe9.\n", 3),
        (BABI + b"Mary went to the kitchen.\n", 3),
        (b"1 Mary went to the kitchen.\n2 Where is Mary?\tkitchen\t7\n", 2),
    ],
    ids=["Latin-1", "no number", "no such fact"],
)
def test_a_babi_file_that_is_wrong(dmn: Dmn, tmp_path: Path, text: bytes, line: int) -> None:
    file = tmp_path / "qa1_a-task_train.txt"
    file.write_bytes(text)
    fails(dmn("prepare", "babi", file, "--out", tmp_path / "data"), 3, f"{file}:{line}: ")
    assert list(tmp_path.iterdir()) == [file]


def test_a_story_in_latin_1(dmn: Dmn, run: Path, story: Path) -> None:
    story.write_bytes(STORY.encode() + "René went to the office.\n".encode("latin-1"))
    fails(dmn("ask", run, "--story", story, "--question", QUESTION), 3, f"{story}:3: ", "UTF-8")


@pytest.mark.parametrize("text", ["", "\n \n"])
def test_an_empty_story(dmn: Dmn, run: Path, story: Path, text: str) -> None:
    story.write_text(text)
    fails(dmn("ask", run, "--story", story, "--question", QUESTION), 3, "empty")


# ------------------------------------------------------------------------------------------------------ 4 model


@pytest.mark.parametrize("command", ["eval MODEL WORLD", "ask MODEL", "ask MODEL --batch -"])
def test_a_model_that_is_not_there(dmn: Dmn, world: Path, tmp_path: Path, command: str) -> None:
    fails(dmn(*filled_in(command, MODEL=tmp_path, WORLD=world)), 4, str(tmp_path), "dmn train")


@pytest.mark.parametrize("name", ["model.safetensors", "vocabulary.json"])
def test_a_flipped_byte_in_a_model(dmn: Dmn, model: Path, name: str) -> None:
    flip_a_byte(model / name, (model / name).stat().st_size // 2)
    fails(dmn("ask", model, "--batch", "-", stdin=batch(1)), 4, str(model / name), "damaged")


@pytest.mark.parametrize("name", ["model.safetensors", "vocabulary.json", "config.json"])
@pytest.mark.parametrize("damage", [cut_in_half, Path.unlink])
def test_a_model_with_a_damaged_file(dmn: Dmn, model: Path, name: str, damage: Callable[[Path], object]) -> None:
    damage(model / name)
    fails(dmn("ask", model, "--batch", "-", stdin=batch(1)), 4, str(model))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"format_version": 99}, "upgrade"),
        ({"model": {"hidden": 3}}, "damaged"),
        ({"sha256": None}, "damaged"),
        ({"tokenizer": {}}, "damaged"),
        ({"tokenizer": {"kind": "spacy", "language": "klingon"}}, "klingon"),
        ({"sizes": {"max_answer_steps": "many", "word_size": 8, "each": False}}, "damaged"),
    ],
    ids=str,
)
def test_a_model_with_another_config(dmn: Dmn, model: Path, changes: dict[str, object], said: str) -> None:
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps(config | changes))
    fails(dmn("ask", model, "--batch", "-", stdin=batch(1)), 4, str(model), said)


# --------------------------------------------------------------------------------- 5 device, memory and disk


@pytest.mark.parametrize("command", ["train WORLD --out NEW", "eval RUN WORLD", "ask RUN"])
def test_a_device_that_is_not_there(dmn: Dmn, run: Path, world: Path, tmp_path: Path, command: str) -> None:
    words = filled_in(command, RUN=run, WORLD=world, NEW=tmp_path / "new")
    fails(dmn(*words, "--device", "cuda:99"), 5, "cuda:99", "cpu")


def test_a_network_too_big_for_the_memory(dmn: Dmn, world: Path, tmp_path: Path) -> None:
    fails(dmn("train", world, "--out", tmp_path / "run", "--set", "model.hidden=10_000_000_000_000"), 5, "memory")


@contextmanager
def disk_that_fills_up(size: int) -> Iterator[None]:
    """No file can grow beyond `size`. (Python ignores the signal that goes with the error.)"""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("size", [0, 10_000])
def test_a_full_disk(dmn: Dmn, tmp_path: Path, size: int) -> None:
    with disk_that_fills_up(size):
        result = dmn("prepare", "story", "--out", tmp_path / "data")
    gc.collect()  # a file that was left open would be found only now
    fails(result, 5, "no room left to write")
    assert not list(tmp_path.iterdir())


def test_a_disk_that_fills_up_in_training(dmn: Dmn, world: Path, tmp_path: Path) -> None:
    """The weights fit, the checkpoint with the optimiser's state doesn't."""
    with disk_that_fills_up(250_000):
        result = dmn("train", world, "--out", tmp_path / "run", "--epochs", 1, "--set", "model.hidden=32")
    fails(result, 5, "no room left to write")
    assert not [path for path in tmp_path.rglob("*") if ".tmp" in path.name]


# ----------------------------------------------------------------------------------------------------- 70 a bug


@pytest.fixture
def bug(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: object, text: str) -> None:
        raise RuntimeError("the flux ran out")

    monkeypatch.setattr("dmn_cli.answering.encoder.Encoder.encode", broken)


@pytest.mark.usefixtures("bug")
def test_a_bug_owns_up_to_being_one(dmn: Dmn, run: Path, story: Path) -> None:
    ask = ("ask", run, "--story", story, "--question", QUESTION)
    fails(dmn(*ask), 70, "the flux ran out", "bug", "--debug")
    result = dmn("--debug", *ask)
    assert result.code == 70
    assert 'raise RuntimeError("the flux ran out")' in result.err


@pytest.mark.parametrize(("value", "shown"), [("1", True), ("0", False)])
@pytest.mark.usefixtures("bug")
def test_the_traceback_by_environment(
    dmn: Dmn, run: Path, story: Path, monkeypatch: pytest.MonkeyPatch, value: str, shown: bool
) -> None:
    monkeypatch.setenv("DMN_DEBUG", value)
    result = dmn("ask", run, "--story", story, "--question", QUESTION)
    assert result.code == 70
    assert ("Traceback" in result.err) == shown


def test_debug_shows_where_an_error_comes_from(dmn: Dmn, tmp_path: Path) -> None:
    result = dmn("--debug", "ask", tmp_path)
    assert result.code == 4
    assert "Traceback" in result.err
    assert "there is no model" in result.err.splitlines()[-2]


# ------------------------------------------------------------------------------------------------- 130 Ctrl-C


def test_an_interrupted_training_goes_on_as_it_said(
    dmn: Dmn, dmn_process: Process, world: Path, tmp_path: Path
) -> None:
    run = tmp_path / "my run"
    process = dmn_process("train", world, "--out", run, "--epochs", 10, "--device", "cpu", "--set", "model.hidden=8")
    assert process.stderr
    said = b""
    while b"epoch   1" not in said:
        said = process.stderr.readline()
        assert said, "it ended before its first epoch did"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    fails(Result(process.returncode, out.decode(), err.decode()), 130, "saved")
    assert resumed_as_said(dmn, err.decode()).code == 0
    logged = [json.loads(line)["epoch"] for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert logged == list(range(1, 11))


def resumed_as_said(dmn: Dmn, err: str) -> Result:
    [command] = re.findall("Go on with: (.*)", err)
    name, *words = shlex.split(command)
    assert name == "dmn"
    return dmn(*words)


def test_a_terminated_training_saves_itself_too(
    dmn: Dmn, world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def terminated(*args: Any) -> Report:
        signal.raise_signal(signal.SIGTERM)
        return evaluate(*args)

    with monkeypatch.context() as patch:
        patch.setattr("dmn_cli.training.loop.evaluate", terminated)
        result = dmn("train", world, "--out", tmp_path / "run", "--epochs", 2, "--set", "model.hidden=4")
    fails(result, 130, "saved")
    assert resumed_as_said(dmn, result.err).code == 0


def test_an_interruption_anywhere_else(dmn: Dmn, run: Path, story: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(self: object, text: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("dmn_cli.answering.encoder.Encoder.encode", interrupted)
    fails(dmn("ask", run, "--story", story, "--question", QUESTION), 130)


def test_an_interrupted_stream(dmn_process: Process, run: Path) -> None:
    process = dmn_process("ask", run, "--batch", "-")
    assert process.stdin
    assert process.stdout
    process.stdin.write(batch(1))
    process.stdin.flush()
    assert process.stdout.readline()
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=20) == 130
    assert process.stderr
    assert b"Fatal" not in process.stderr.read()


# ----------------------------------------------------------------------------------------------------- results


def test_json_of_prepare(dmn: Dmn, tmp_path: Path) -> None:
    out = tmp_path / "data"
    result = dmn("prepare", "story", "--tasks", "1,3", "--questions", 100, "--out", out, "--json", "--quiet")
    assert (result.code, result.err) == (0, "")
    assert result.document["out"] == str(out)
    assert result.document["tasks"] == ["qa1", "qa3"]
    assert {split: counts["questions"] for split, counts in result.document["splits"].items()} == {
        "train": 180,
        "valid": 20,
        "test": 20,
    }
    saved = json.loads((out / "dataset.json").read_text())
    assert {key: result.document[key] for key in saved} == saved


def test_stories_with_every_dial(dmn: Dmn, tmp_path: Path) -> None:
    out = tmp_path / "data"
    dials = {"facts": "6-9", "distractors": 2, "people": 6, "places": 8, "things": 2, "names": "held-out"}
    options = [word for dial, value in dials.items() for word in (f"--{dial}", value)]
    result = dmn("prepare", "story", "--tasks", "2", "--questions", 100, *options, "--out", out, "--json")
    assert result.document["longest_story"] == 11
    assert result.document["source"] == {
        "format": "story",
        "tasks": ["qa2"],
        "questions": 100,
        "seed": 1,
        "facts": [6, 9],
        "distractors": 2,
        "people": 6,
        "places": 8,
        "things": 2,
        "held_out_names": True,
    }


def test_stories_as_babi_text_make_the_same_data_set(dmn: Dmn, tmp_path: Path) -> None:
    """All twenty, by way of the files that any reader of bAbI can read."""
    text, data, same = (tmp_path / name for name in ("text", "data", "same"))
    result = dmn("prepare", "story", "--questions", 20, "--format", "babi", "--out", text, "--json")
    assert result.document["questions"] == {"train": 20, "test": 2}
    assert len(list(text.glob("qa*_*_train.txt"))) == len(list(text.glob("qa*_*_test.txt"))) == 20
    assert json.loads((text / "story.json").read_text())["seed"] == 1
    assert dmn("prepare", "babi", text, "--out", data).code == 0
    assert dmn("prepare", "story", "--questions", 20, "--out", same).code == 0
    for split in ("train", "valid", "test"):
        assert (data / f"{split}.arrow").read_bytes() == (same / f"{split}.arrow").read_bytes()
    fails(dmn("prepare", "story", "--out", text), 2, "--force")
    assert dmn("prepare", "story", "--tasks", 1, "--format", "babi", "--out", text, "--force").code == 0
    assert len(list(text.glob("qa*"))) == 2


def test_what_is_exported_makes_the_same_data_set(dmn: Dmn, tmp_path: Path) -> None:
    exported, data, same = (tmp_path / name for name in ("stories.jsonl", "data", "same"))
    prepare = ("prepare", "story", "--questions", 20, "--out", data, "--export", exported)
    assert dmn(*prepare).code == 0
    assert len(exported.read_text().splitlines()) == 20 * 22
    result = dmn("prepare", "jsonl", exported, "--out", same, "--json")
    assert result.document["tasks"] == [f"qa{n}" for n in range(1, 21)]
    for split in ("train", "valid", "test"):
        assert (data / f"{split}.arrow").read_bytes() == (same / f"{split}.arrow").read_bytes()
    fails(dmn(*prepare[:-4], "--out", tmp_path / "new", "--export", exported), 2, str(exported), "--force")
    assert not (tmp_path / "new").exists()


def test_a_treebank_of_sentiment(dmn: Dmn, tmp_path: Path) -> None:
    trees = tmp_path / "trees"
    trees.mkdir()
    for split in ("train", "dev", "test"):
        (trees / f"{split}.txt").write_text("(3 (2 A) (4 (3 good) (2 film)))\n(1 (2 A) (0 bad))\n(2 So)\n")
    result = dmn("prepare", "sst", trees, "--classes", 2, "--out", tmp_path / "data", "--json")
    assert result.document["tasks"] == ["sst2"]
    assert {split: counts["questions"] for split, counts in result.document["splits"].items()} == {
        "train": 5,
        "valid": 2,
        "test": 2,
    }
    (trees / "dev.txt").write_text("(3 (2 A) (4 good)\n")
    fails(dmn("prepare", "sst", trees, "--out", tmp_path / "new"), 3, f"{trees / 'dev.txt'}:1", "not balanced")
    fails(dmn("prepare", "sst", trees, "--classes", 3, "--out", tmp_path / "new"), 2, "--classes")


def test_a_model_cuts_words_as_its_training_did(dmn: Dmn, tmp_path: Path) -> None:
    """Words between blanks: "in?" is a word of the question, and "in" is one that the model doesn't know."""
    path, data, run = tmp_path / "mine.jsonl", tmp_path / "data", tmp_path / "run"
    lines = [{"story": [f"Nr.{n} came in-to town"], "question": "Who is in?", "answer": "John"} for n in range(30)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert dmn("prepare", "jsonl", path, "--tokenizer", "whitespace", "--out", data).code == 0
    assert dmn("train", data, "--out", run, "--epochs", 1, "--set", "model.hidden=4").code == 0
    asked = tmp_path / "asked.jsonl"
    asked.write_text(
        '{"story": ["came in-to"], "question": "who IS in?"}\n{"story": ["came in to"], "question": "in ?"}\n'
    )
    answers = [json.loads(line) for line in dmn("ask", run, "--batch", asked).out.splitlines()]
    assert [answer["unknown_words"] for answer in answers] == [[], ["in", "to", "?"]]
    fails(dmn("prepare", "jsonl", path, "--language", "qq", "--out", tmp_path / "new"), 2, "'qq'")


def test_lines_of_ones_own(dmn: Dmn, tmp_path: Path) -> None:
    """A text story is cut into sentences; the task is named after the data set; a bad line leaves nothing behind."""
    path, out = tmp_path / "mine.jsonl", tmp_path / "mine"
    line = {"story": "Mary went out. John came in.", "question": "Who is in?", "answer": "John"}
    path.write_text("".join(json.dumps(line) + "\n" for _ in range(30)))
    result = dmn("prepare", "jsonl", path, "--out", out, "--json")
    assert result.document["tasks"] == ["mine"]
    assert result.document["splits"]["train"] == {"stories": 1, "questions": 30, "facts": 2}
    path.write_text(json.dumps({**line, "answer": 3}))
    fails(
        dmn("prepare", "jsonl", path, "--out", tmp_path / "new", "--export", tmp_path / "e"), 3, f"{path}:1", "answer"
    )
    assert sorted(tmp_path.iterdir()) == [out, path]


def test_json_of_train(dmn: Dmn, world: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    sets = ("--epochs", 2, "--set", "model.hidden=4")
    result = dmn("train", world, "--out", out, *sets, "--json", "--quiet")
    assert (result.code, result.err) == (0, "")
    assert result.document["run"] == str(out)
    assert Path(result.document["model"], "model.safetensors").is_file()
    assert result.document["epochs"] == 2
    assert 0 <= result.document["best"]["accuracy"] <= 1


def test_json_of_eval(dmn: Dmn, run: Path, world: Path) -> None:
    result = dmn("eval", run, world, "--json", "--quiet")
    assert (result.code, result.err) == (0, "")
    document = result.document
    assert {"accuracy", "mean_error", "tasks", "questions", "seconds"} <= document.keys()
    assert 0.8 <= document["accuracy"] <= 1
    assert document["mean_error"] == pytest.approx(1 - document["accuracy"])
    assert document["questions"] == document["tasks"]["qa1"]["questions"] == 50
    assert {"accuracy", "questions", "loss"} <= document["tasks"]["qa1"].keys()
    assert dmn("eval", run / "model", world, "--json").document["accuracy"] == document["accuracy"]


def test_json_of_ask(dmn: Dmn, run: Path, story: Path) -> None:
    result = dmn("ask", run, "--story", story, "--question", QUESTION, "--json", "--quiet")
    assert (result.code, result.err) == (0, "")
    document = result.document
    assert document["answer"] == "kitchen"
    assert document["facts"] == STORY.splitlines()
    assert 0.5 < document["confidence"] <= 1
    assert [len(gates) for gates in document["gates"]] == [2] * 3
    assert all(0 <= gate <= 1 for gates in document["gates"] for gate in gates)


def test_predictions_are_one_line_a_question_and_can_be_asked_again(
    dmn: Dmn, run: Path, world: Path, tmp_path: Path
) -> None:
    written = tmp_path / "predictions.jsonl"
    report = dmn("eval", run, world, "--predictions", written, "--batch-size", 16, "--json").document
    predictions = [strict_json(line) for line in written.read_text().splitlines()]
    assert sorted(line["id"] for line in predictions) == list(range(50))
    assert sum(line["correct"] for line in predictions) == round(50 * report["accuracy"])
    assert all(line["correct"] == (line["answer"] == line["prediction"]) for line in predictions)
    again = dmn("ask", run, "--batch", written)
    assert [(line["id"], line["answer"]) for line in again.lines] == [
        (line["id"], line["prediction"]) for line in predictions
    ]
    assert [line["read"] for line in again.lines] == [line["read"] for line in predictions]


def test_quiet_leaves_the_result(dmn: Dmn, run: Path, story: Path) -> None:
    result = dmn("ask", run, "--story", story, "--question", "Where is Zaphod?", "--quiet")
    assert result.code == 0
    assert result.err == ""
    assert result.out.strip()


# --------------------------------------------------------------------------------------------------------- ask


def test_why_shows_the_facts_and_how_far_they_were_let_through(dmn: Dmn, run: Path, story: Path) -> None:
    result = dmn("ask", run, "--story", story, "--question", QUESTION, "--why")
    answer, header, *facts, confidence = result.out.splitlines()
    assert answer == "kitchen"
    assert header.split() == ["fact", "pass", "1", "pass", "2", "pass", "3"]
    assert re.fullmatch(r"\* Mary went to the kitchen\.( +[01]\.\d\d){3}", facts[0])
    assert re.fullmatch(r"  John went to the office\.( +[01]\.\d\d){3}", facts[1])
    assert re.fullmatch(r"confidence 0\.\d{4}", confidence)


@pytest.mark.parametrize("text", [STORY, STORY.replace("\n", " "), STORY.replace("\n", "\r\n"), "\ufeff" + STORY])
def test_a_story_from_stdin(dmn: Dmn, run: Path, text: str) -> None:
    result = dmn("ask", run, "--story", "-", "--question", QUESTION, stdin=text.encode())
    assert result == Result(0, "kitchen\n", "")


def test_unknown_words_are_named_and_it_still_answers(dmn: Dmn, run: Path, story: Path) -> None:
    story.write_text(STORY + "Zaphod went to the [lounge].\n")
    result = dmn("ask", run, "--story", story, "--question", QUESTION)
    assert (result.code, result.out) == (0, "kitchen\n")
    for word in ("zaphod", "[", "lounge"):
        assert word in result.err
    assert "mary" not in result.err
    told = dmn("ask", run, "--story", story, "--question", QUESTION, "--json")
    assert "zaphod" in told.document["unknown_words"]


@pytest.mark.parametrize("kind", ["file", "stdin", "named pipe"])
def test_a_reader_that_leaves_ends_the_stream_silently(
    dmn_process: Process, run: Path, tmp_path: Path, kind: str
) -> None:
    """dmn ask --batch … | head -1, where a pipe's other end stays open."""
    lines, source = (
        batch(600),
        tmp_path / "questions.jsonl",
    )  # fewer than a pipe holds, with more answers than one holds
    held = None
    if kind == "file":
        source.write_bytes(lines)
    elif kind == "named pipe":
        os.mkfifo(source)
        held = os.open(source, os.O_RDWR)
        os.write(held, lines)
    process = dmn_process("ask", run, "--batch", "-" if kind == "stdin" else source)
    assert process.stdin
    assert process.stdout
    assert process.stderr
    try:
        if kind == "stdin":
            process.stdin.write(lines)
            process.stdin.flush()
        assert json.loads(process.stdout.readline())["answer"] == "kitchen"
        process.stdout.close()
        code = process.wait(timeout=20)
        assert (code, process.stderr.read()) == (0, b"")
    finally:
        if held is not None:
            os.close(held)


def test_answers_are_utf_8_whatever_the_terminal_is(
    dmn_process: Process, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONUTF8", "0")
    monkeypatch.setenv("PYTHONIOENCODING", "latin-1")
    line = json.dumps({"id": "żółw", "story": STORY, "question": QUESTION})
    out, err = dmn_process("ask", run, "--batch", "-").communicate(line.encode(), timeout=30)
    assert err == b""
    assert json.loads(out)["id"] == "żółw"


# -------------------------------------------------------------------------------------------------- a terminal


def seen(result: Result) -> str:
    """What a person sees of it, without colours and cursor movements."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", result.out + result.err)


def test_eval_on_a_terminal_is_a_table(dmn: Dmn, run: Path, world: Path) -> None:
    result = dmn("eval", run, world, terminal=True)
    assert result.code == 0
    assert re.search(r"│ qa1 +│ +50 │ +\d+\.\d % │", seen(result))
    assert dmn("eval", run, world, "--json", terminal=True).document["questions"] == 50


def test_why_on_a_terminal_is_a_table_with_the_facts_as_they_are(dmn: Dmn, run: Path, story: Path) -> None:
    story.write_text(STORY + "Sandra went to the [red]garden[/red].\n")
    result = dmn("ask", run, "--story", story, "--question", QUESTION, "--why", terminal=True)
    assert result.code == 0
    assert "• Mary went to the kitchen." in seen(result)
    assert "Sandra went to the [red]garden[/red]." in seen(result)


def test_progress_on_a_terminal_is_on_stderr(dmn: Dmn, tmp_path: Path) -> None:
    data, run = tmp_path / "data", tmp_path / "run"
    prepare = ("prepare", "story", "--tasks", "1", "--questions", 50, "--out", data, "--json")
    train = ("train", data, "--out", run, "--epochs", 2, "--set", "model.hidden=4", "--json")
    assert dmn(*prepare, terminal=True).document["tasks"] == ["qa1"]
    result = dmn(*train, terminal=True)
    assert result.document["epochs"] == 2
    assert re.search(r"^epoch +2 .*validation", seen(result), re.MULTILINE)
    assert dmn(*train, "--force", "--quiet", terminal=True).err == ""


# ---------------------------------------------------------------------------------------------------- the prompt


def typed(dmn: Dmn, run: Path, *lines: str) -> Result:
    result = dmn("ask", run, stdin="".join(f"{line}\n" for line in lines).encode())
    assert result.code == 0, result.err
    return result


def test_the_prompt_takes_facts_and_questions(dmn: Dmn, run: Path) -> None:
    result = typed(dmn, run, "Mary went to the kitchen.", "", QUESTION, "Mary went to the garden.", QUESTION)
    assert result == Result(0, "kitchen\ngarden\n", "")


def test_the_prompt_says_why(dmn: Dmn, run: Path) -> None:
    result = typed(dmn, run, "/why", *STORY.splitlines(), QUESTION, "/why")
    nothing, answer, again, _, mary, john, confidence = result.out.splitlines()
    assert nothing == "Nothing was asked yet."
    assert answer == again == "kitchen"
    assert mary.startswith("* Mary went to the kitchen.")
    assert john.startswith("  John went to the office.")
    assert confidence.startswith("confidence ")


def test_the_prompt_takes_facts_back(dmn: Dmn, run: Path) -> None:
    result = typed(
        dmn, run, "Mary went to the kitchen.", "Mary went to the garden.", "/undo", QUESTION, "/undo", "/undo"
    )
    assert result.out.splitlines() == [
        "Took back: Mary went to the garden.",
        "kitchen",
        "Took back: Mary went to the kitchen.",
        "There is no fact to take back.",
    ]


def test_the_prompt_forgets(dmn: Dmn, run: Path) -> None:
    result = typed(dmn, run, "Mary went to the kitchen.", "/clear", "/story", QUESTION)
    assert result.out.splitlines() == ["Forgot the story.", "There are no facts yet."]
    assert "empty" in result.err


def test_the_prompt_saves_and_loads(dmn: Dmn, run: Path, tmp_path: Path) -> None:
    file = tmp_path / "my story.txt"
    result = typed(dmn, run, *STORY.splitlines(), f"/save {file}", "/clear", f"/load {file}", "/story", QUESTION)
    assert file.read_text() == STORY
    assert result.out.endswith(f"Read 2 facts.\n{STORY}kitchen\n")
    again = typed(dmn, run, "Mary went to the garden.", f"/save {file}")
    assert "exists" in again.err
    assert file.read_text() == STORY


def test_the_prompt_helps(dmn: Dmn, run: Path) -> None:
    result = typed(dmn, run, "/help")
    for command in ("/why", "/story", "/undo", "/clear", "/load", "/save", "/help", "/quit"):
        assert command in result.out


def test_quit_ends_the_prompt(dmn: Dmn, run: Path) -> None:
    assert typed(dmn, run, "/quit", "/help").out == ""


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("/dance", "/dance"),
        (QUESTION, "empty"),
        ("/load", "/load FILE"),
        ("/load nowhere.txt", "nowhere.txt"),
        ("/load .", "."),
        ("/save", "/save FILE"),
        ("/save nowhere/story.txt", "nowhere"),
        ("/load LATIN-1", "UTF-8"),
    ],
)
@pytest.mark.parametrize("quiet", [(), ("--quiet",)])
def test_the_prompt_goes_on_after_a_mistake(
    dmn: Dmn, run: Path, story: Path, monkeypatch: pytest.MonkeyPatch, line: str, said: str, quiet: tuple[str, ...]
) -> None:
    """An error is an error, also with --quiet; none is shown as Python would."""
    monkeypatch.chdir(story.parent)
    Path("LATIN-1").write_bytes(b"Ren\xe9 went to the office.\n")
    result = dmn("ask", run, *quiet, stdin=f"{line}\n{STORY}{QUESTION}\n".encode())
    assert (result.code, result.out) == (0, "kitchen\n")
    assert said in result.err
    assert "Errno" not in result.err
    assert "codec" not in result.err


def test_the_prompt_goes_on_after_a_line_that_is_not_utf_8(dmn: Dmn, run: Path) -> None:
    result = dmn("ask", run, stdin=b"Ren\xe9 went to the office.\n" + f"{STORY}{QUESTION}\n".encode())
    assert (result.code, result.out) == (0, "kitchen\n")
    assert "UTF-8" in result.err


def test_the_prompt_names_unknown_words_on_stderr(dmn: Dmn, run: Path) -> None:
    result = typed(dmn, run, "Mary went to the kitchen.", "Zaphod went to the office.", QUESTION)
    assert result.out == "kitchen\n"
    assert "zaphod" in result.err


def test_the_prompt_in_json(dmn: Dmn, run: Path) -> None:
    result = dmn("ask", run, "--json", stdin=f"{STORY}/help\n{QUESTION}\n{QUESTION}\n".encode())
    assert [line["answer"] for line in result.lines] == ["kitchen", "kitchen"]


def test_the_prompt_shows_why_where_it_was_asked_to(dmn: Dmn, run: Path) -> None:
    result = dmn("ask", run, "--why", stdin=f"{STORY}{QUESTION}\n".encode())
    assert "* Mary went to the kitchen." in result.out


def test_a_prompt_for_a_person_stays_out_of_the_results(
    dmn_process: Process, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """dmn ask RUN --json | jq, typed at a terminal."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    terminal, stdin = pty.openpty()
    try:
        process = dmn_process("ask", run, "--json", stdin=stdin)
        os.write(terminal, f"{STORY}{QUESTION}\n/quit\n".encode())
        out, _ = process.communicate(timeout=30)
    finally:
        os.close(terminal)
        os.close(stdin)
    assert json.loads(out)["answer"] == "kitchen"


def test_all_ways_to_ask_give_the_same_answer(dmn: Dmn, run: Path, story: Path) -> None:
    text = "John went to the garden.\nMary went to the office.\nMary journeyed to the hallway.\n"
    story.write_text(text)
    once = dmn("ask", run, "--story", story, "--question", QUESTION, "--json").document
    prompt = dmn("ask", run, "--json", stdin=f"{text}{QUESTION}\n".encode()).document
    line = json.dumps({"story": text.splitlines(), "question": QUESTION})
    other = json.dumps({"story": STORY, "question": "Where is John?"})
    first, second, third = dmn("ask", run, "--batch", "-", stdin=f"{line}\n{other}\n{line}".encode()).lines
    assert once == prompt
    assert second["answer"] == "office"
    for batched in (first, third):
        assert batched.keys() == once.keys()
        for key in ("answer", "facts", "read", "unknown_words"):
            assert batched[key] == once[key]
        assert batched["confidence"] == pytest.approx(once["confidence"], abs=1e-5)
        assert batched["gates"] == [pytest.approx(gates, abs=1e-5) for gates in once["gates"]]
