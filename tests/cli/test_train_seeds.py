"""dmn train --seeds: each seed as if it were alone, the model of the best, and all of it resumed where it was."""

import json
import re
import shlex
import shutil
import signal
import statistics
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from commands import filled_in, seen
from conftest import Dmn, Result, fails
from schemas import SeedsTrained

from dmn_cli.training import checkpoint

OPTIONS = ("--epochs", 3, "--device", "cpu", "--set", "model.hidden=8", "--set", "training.steps=3")
SEEDS = (3, 1, 2)


def weights(run: Path) -> dict[str, torch.Tensor]:
    """Those of the last step, and of the model that was kept."""
    last = checkpoint.load(checkpoint.found(run)[0], torch.device("cpu")).network
    return {**last, "model": torch.frombuffer(bytearray(model(run)), dtype=torch.uint8)}


def model(run: Path) -> bytes:
    return (run / "model" / "model.safetensors").read_bytes()


def assert_same_weights(one: Path, other: Path) -> None:
    a, b = weights(one), weights(other)
    assert a.keys() == b.keys()
    assert [name for name in a if not torch.equal(a[name], b[name])] == []


def without_seconds(record: str) -> object:
    return json.loads(record, object_hook=lambda d: {key: value for key, value in d.items() if key != "seconds"})


@pytest.fixture(scope="module")
def whole(dmn: Dmn, world: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """Three seeds that nothing interrupted, and what was printed."""
    run = tmp_path_factory.mktemp("seeds") / "run"
    result = dmn("train", world, "--out", run, "--seeds", "3,1-2", *OPTIONS, "--json")
    assert result.code == 0, result.err
    return run, result


@pytest.fixture
def copied(whole: tuple[Path, Result], tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole[0], tmp_path / "run"))


def test_each_seed_is_a_run_as_if_it_were_alone(
    dmn: Dmn, world: Path, whole: tuple[Path, Result], tmp_path: Path
) -> None:
    run, _ = whole
    for seed in (3, 2):  # the first, and one that others came before
        alone = tmp_path / str(seed)
        assert dmn("train", world, "--out", alone, "--seed", seed, *OPTIONS).code == 0
        assert_same_weights(run / f"seed-{seed}", alone)
        assert (run / f"seed-{seed}" / "config.toml").read_text() == (alone / "config.toml").read_text()


def test_json_of_seeds_is_what_the_run_keeps(whole: tuple[Path, Result]) -> None:
    run, result = whole
    said = SeedsTrained.model_validate_json(result.out)
    kept = json.loads((run / "seeds.json").read_text())
    assert result.document == {"run": str(run), "model": str(run / "model")} | {
        key: kept[key] for key in kept.keys() - {"format_version", "data"}
    }
    assert tuple(one.seed for one in said.seeds) == SEEDS
    accuracies = [one.best.accuracy for one in said.seeds]
    assert (said.mean, said.sd) == (statistics.mean(accuracies), statistics.stdev(accuracies))
    ranked = sorted(said.seeds, key=lambda one: one.best.score)
    assert (said.worst.seed, said.best.seed) == (ranked[0].seed, ranked[-1].seed)
    assert said.best.score == ranked[-1].best.score


def test_the_model_is_that_of_the_best(dmn: Dmn, world: Path, whole: tuple[Path, Result], story: Path) -> None:
    run, result = whole
    best = run / f"seed-{result.document['best']['seed']}"
    for file in (best / "model").iterdir():
        assert (run / "model" / file.name).read_bytes() == file.read_bytes()
    figures = [dmn("eval", folder, world, "--json").document for folder in (run, best)]
    assert figures[0]["tasks"] == figures[1]["tasks"]
    asked = ("--story", story, "--question", "Where is Mary?")
    assert dmn("ask", run, *asked).out == dmn("ask", best, *asked).out != ""


# dmn that sends itself a signal in the second step of an epoch of the second seed
BROKEN_OFF = """
import os, sys
from dmn_cli.cli.app import main
from dmn_cli.training.loop import Training
number, step = int(sys.argv.pop(1)), Training.step
def signalled(self, *rest):
    if (self.run.path.name, self.state.epoch, self.state.step) == ("seed-1", 2, 1):
        os.kill(os.getpid(), number)
    return step(self, *rest)
Training.step = signalled
main()
"""


@pytest.mark.parametrize(
    ("number", "at"), [(signal.SIGINT, "epoch 2, step 2"), (signal.SIGKILL, "epoch 2, step 0")], ids=str
)
def test_seeds_that_were_broken_off_go_on_to_the_same_end(
    dmn: Dmn, world: Path, whole: tuple[Path, Result], tmp_path: Path, number: signal.Signals, at: str
) -> None:
    run = tmp_path / "my run"
    words = ["train", world, "--out", run, "--seeds", "3,1,2", *OPTIONS]
    program = [sys.executable, "-c", BROKEN_OFF, *map(str, (int(number), *words))]
    done = subprocess.run(program, check=False, capture_output=True, text=True, encoding="utf-8")
    command = ["train", str(world), "--out", str(run), "--resume"]
    if number == signal.SIGINT:
        fails(Result(done.returncode, done.stdout, done.stderr), 130, f"seed 1, at {at}; everything is saved")
        [told] = re.findall("Continue with: (.*)", done.stderr)
        assert shlex.split(told) == ["dmn", *command]
    else:
        assert done.returncode == -number
    kept = json.loads((run / "seeds.json").read_text())
    assert [len(one) > 1 for one in kept["seeds"]] == [True, False, False]
    assert model(run) == model(run / "seed-3")  # the best of those that are done
    first = checkpoint.found(run / "seed-3")[0].stat().st_mtime_ns
    result = dmn(*command)
    assert result.code == 0, result.err
    assert f"seed 1, 2 of 3, resuming at {at}\n" in result.err
    assert checkpoint.found(run / "seed-3")[0].stat().st_mtime_ns == first
    for seed in SEEDS:
        assert_same_weights(run / f"seed-{seed}", whole[0] / f"seed-{seed}")
    assert model(run) == model(whole[0])
    record, uninterrupted = ((folder / "seeds.json").read_text() for folder in (run, whole[0]))
    assert without_seconds(record) == without_seconds(uninterrupted)


def test_a_seed_that_was_killed_when_it_was_done_is_not_trained_further(
    dmn: Dmn, world: Path, whole: tuple[Path, Result], copied: Path
) -> None:
    """Its checkpoint says so, seeds.json doesn't yet."""
    record = json.loads((copied / "seeds.json").read_text())
    record = {"format_version": 1, "data": record["data"], "seeds": [{"seed": seed} for seed in SEEDS]}
    (copied / "seeds.json").write_text(json.dumps(record))
    shutil.rmtree(copied / "model")
    fails(dmn("eval", copied, world), 4, "still in training")
    assert dmn("train", world, "--out", copied, "--resume").code == 0
    assert (copied / "seeds.json").read_text() == (whole[0] / "seeds.json").read_text()
    assert model(copied) == model(whole[0])
    for seed in SEEDS:
        assert_same_weights(copied / f"seed-{seed}", whole[0] / f"seed-{seed}")


def test_seeds_can_be_added(dmn: Dmn, world: Path, copied: Path) -> None:
    result = dmn("train", world, "--out", copied, "--seeds", "1-5", "--resume", "--quiet", "--json")
    assert (result.code, result.err) == (0, "")
    said = SeedsTrained.model_validate_json(result.out)
    assert [one.seed for one in said.seeds] == [3, 1, 2, 4, 5]
    assert model(copied) == model(copied / f"seed-{said.best.seed}")


def test_seeds_that_are_open_can_be_given_up(dmn: Dmn, world: Path, whole: tuple[Path, Result], copied: Path) -> None:
    record = json.loads((copied / "seeds.json").read_text())
    record["seeds"] += [{"seed": 4}, {"seed": 5}]
    (copied / "seeds.json").write_text(json.dumps(record))
    result = dmn("train", world, "--out", copied, "--seeds", "1", "--resume", "--json")
    assert result.document["seeds"] == whole[1].document["seeds"]


def test_what_a_person_sees(dmn: Dmn, world: Path, tmp_path: Path) -> None:
    """A single seed has no deviation; what is done is told again."""
    run = tmp_path / "run"
    result = dmn("train", world, "--out", run, "--seeds", "7", *OPTIONS, terminal=True)
    assert re.search(r"^seed 7, 1 of 1$", seen(result), re.MULTILINE)
    table = result.out.splitlines()
    assert re.fullmatch(r"seed +validation( +with other names)? +epochs +seconds", table[0])
    assert re.fullmatch(r"7( +\d+\.\d\d %)+ +3 +\d+", table[1])
    assert re.fullmatch(r"mean (\d+\.\d\d) % of validation, worst \1 % \(seed 7\), best \1 % \(seed 7\)", table[2])
    said = " ".join(" ".join(table[3:]).split())
    assert said == f"{run / 'model'} is that of seed 7. Next: dmn eval {run} {world}"
    again = dmn("train", world, "--out", run, "--resume", "--quiet")
    assert again == Result(0, result.out, "")
    assert "sd" not in dmn("train", world, "--out", run, "--resume", "--json").document


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("train WORLD --out NEW --seeds 1-2 --seed 3", "--seed and --seeds"),
        ("train WORLD --out NEW --seeds 1-2 --restarts 3", "--seeds and --restarts"),
        ("train WORLD --out NEW --ensemble 2 --restarts 3", "--restarts and --ensemble"),
        ("train WORLD --out NEW --restarts 1", "--restarts"),
        ("train WORLD --out NEW --ensemble 0", "--ensemble"),
        ("train WORLD --out NEW --ensemble 2 --seed 9223372036854775807", "smaller --seed"),
        ("train WORLD --out RUN --ensemble 2 --resume", "one seed"),
        ("train WORLD --out NEW --seeds=", "is not a list of seeds"),
        ("train WORLD --out NEW --seeds one", "--seeds 1-5"),
        ("train WORLD --out NEW --seeds 1,,2", "--seeds 1-5"),
        ("train WORLD --out NEW --seeds 1-", "--seeds 1-5"),
        ("train WORLD --out NEW --seeds=-1", "--seeds 1-5"),
        ("train WORLD --out NEW --seeds 1-2-3", "--seeds 1-5"),
        ("train WORLD --out NEW --seeds ²", "--seeds 1-5"),
        ("train WORLD --out NEW --seeds 5-1", "5-1 has no seed"),
        ("train WORLD --out NEW --seeds 1-3,2", "has 2 twice"),
        ("train WORLD --out NEW --seeds 0-99999999999", "more than"),
        ("train WORLD --out NEW --seeds 99999999999999999999", "training.seed"),
        ("train WORLD --out NEW --seeds 1-2 --resume", "no run to resume"),
        ("train WORLD --out RUN --seeds 1-2", "--force"),
        ("train WORLD --out RUN --seeds 1-2 --resume", "one seed"),
        ("train WORLD --out SEEDS --seeds 1-2", "--force"),
        ("train WORLD --out SEEDS --resume --epochs 9", "--seeds"),
        ("train WORLD --out SEEDS --resume --seed 9", "--seeds"),
        ("train WORLD --out SEEDS --resume --force", "--resume"),
    ],
)
def test_a_mistake_on_the_command_line(
    dmn: Dmn, run: Path, world: Path, whole: tuple[Path, Result], tmp_path: Path, command: str, said: str
) -> None:
    new = tmp_path / "new"
    fails(dmn(*filled_in(command, RUN=run, WORLD=world, NEW=new, SEEDS=whole[0])), 2, said)
    assert not new.exists()


@pytest.mark.usefixtures("little_memory")
def test_a_network_too_big_leaves_no_folder(dmn: Dmn, world: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    fails(dmn("train", world, "--out", run, "--seeds", "1-2", "--set", "model.hidden=65_536"), 5, "memory")
    assert not run.exists()


def test_seeds_overwrite_what_dmn_wrote_and_nothing_else(dmn: Dmn, world: Path, copied: Path) -> None:
    seeds = ("train", world, "--out", copied, "--seeds", "8", *OPTIONS, "--force")
    assert dmn(*seeds).code == 0
    assert sorted(file.name for file in copied.iterdir()) == [
        "config.toml",
        "data.json",
        "model",
        "seed-8",
        "seeds.json",
    ]
    assert dmn("train", world, "--out", copied, *OPTIONS, "--force").code == 0
    assert not (copied / "seeds.json").exists()
    (copied / "config.toml").write_text('title = "a web site of ours"\n')
    fails(dmn(*seeds), 2, "didn't write")


def test_resuming_needs_the_same_data_and_a_sound_record(dmn: Dmn, world: Path, copied: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    assert dmn("prepare", "story", "--tasks", 1, "--questions", 20, "--out", other).code == 0
    fails(dmn("train", other, "--out", copied, "--resume"), 2, "other data")
    record = copied / "seeds.json"
    text = record.read_text()
    for damaged, says in (
        (text[: len(text) // 2], "damaged"),
        ('{"format_version": 1, "seeds": 5, "data": ""}', "damaged"),
        (text.replace('"reason"', '"why"'), "damaged"),
        (text.replace('"score"', '"points"'), "damaged"),
        ('{"format_version": 2}', "upgrade"),
    ):
        record.write_text(damaged)
        fails(dmn("train", world, "--out", copied, "--resume"), 4, says)
