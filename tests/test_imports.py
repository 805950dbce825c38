"""What imports what: help and completion are quick, the layers point one way, and nothing can run code from a file."""

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "dmn_cli"
FILES = sorted(SOURCE.rglob("*.py"))
HEAVY = {"torch", "spacy", "sentencepiece", "gensim", "numpy", "pyarrow", "requests", "triton"}

# as the installed `dmn` starts; `python -m` would have another name for completion
DMN = "import sys; sys.argv[0] = 'dmn'; from dmn_cli.cli.app import main; main()"
COMPLETION = {"_DMN_COMPLETE": "complete_bash", "COMP_WORDS": "dmn tr", "COMP_CWORD": "1"}


@pytest.mark.parametrize(
    ("args", "environment", "shows"),
    [
        (["--help"], {}, "Usage: dmn"),
        (["train", "--help"], {}, "Usage: dmn train"),
        ([], COMPLETION, "train\n"),
    ],
    ids=["help", "help of a command", "completion"],
)
def test_help_and_completion_import_nothing_heavy(args: list[str], environment: dict[str, str], shows: str) -> None:
    said, imported = run_and_watch(*args, **environment)
    assert shows in said
    assert {name.partition(".")[0] for name in imported} & (HEAVY | {"typer", "markdown_it", "pygments"}) == {"typer"}
    ours = {name for name in imported if name.startswith("dmn_cli.") and not name.startswith("dmn_cli.cli")}
    assert ours == {"dmn_cli.errors", "dmn_cli.files"}


def run_and_watch(*args: object, **environment: str) -> tuple[str, set[str]]:
    """What a dmn of its own prints, and the modules that it imports."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", DMN, *map(str, args)],
        env=os.environ | environment,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout, {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}


def test_an_answer_needs_neither_spacy_nor_what_training_needs(run: Path, tmp_path: Path) -> None:
    """Nor Arrow; and of PyTorch not the compiler."""
    story = tmp_path / "story.txt"
    story.write_text("Mary moved to the garden. John isn't there.")
    said, imported = run_and_watch("ask", run, "--story", story, "--question", "Where is Mary?", "--json")
    assert json.loads(said)["facts"] == ["Mary moved to the garden.", "John isn't there."]
    assert {name.partition(".")[0] for name in imported} & HEAVY == {"torch", "numpy"}
    assert not imported & {"torch._dynamo", "torch._inductor", "rich", "safetensors.numpy"}
    used = {name for name in imported if name.startswith("dmn_cli.")}
    assert not used & {f"dmn_cli.{name}" for name in ("data.store", "data.batches", "evaluation.metrics")}
    assert {name for name in used if name.startswith("dmn_cli.training.")} == {"dmn_cli.machine.device"}


def test_help_is_quick() -> None:
    """It takes a tenth of a second and a bit; a run that the machine was busy in says nothing."""

    def cpu_seconds() -> float:
        process = subprocess.Popen([sys.executable, "-c", DMN, "--help"], stdout=subprocess.DEVNULL)
        _, _, used = os.wait4(process.pid, 0)
        process.returncode = 0
        return used.ru_utime + used.ru_stime

    assert any(cpu_seconds() < 0.3 for _ in range(20))


def imports(path: Path) -> Iterator[str]:
    """Every module that a file names, as `a.b` for `import a.b` and `a.b.c` for `from a.b import c`."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def importers(package: str) -> set[str]:
    """The files that import a package or anything in it, named from the source folder."""
    return {
        path.relative_to(SOURCE).as_posix()
        for path in FILES
        if any(f"{name}.".startswith(f"{package}.") for name in imports(path))
    }


def within(folder: str, files: set[str]) -> set[str]:
    return {name for name in files if name.startswith(f"{folder}/")}


def test_nothing_imports_the_command_line() -> None:
    importing = importers("dmn_cli.cli")
    assert importing - within("cli", importing) == {"__main__.py"}


def test_the_model_and_the_data_do_not_know_each_other() -> None:
    assert not within("model", importers("dmn_cli.data"))
    assert not within("data", importers("dmn_cli.model"))


@pytest.mark.parametrize("upper", ["training", "evaluation", "answering"])
def test_the_model_and_the_data_know_nothing_above_them(upper: str) -> None:
    importing = importers(f"dmn_cli.{upper}")
    assert not within("model", importing) | within("data", importing)


def test_each_library_has_its_place() -> None:
    for library in ("typer", "rich"):
        importing = importers(library)
        assert importing == within("cli", importing)
    assert importers("spacy") == {"data/spacy_rules.py"}
    assert importers("sentencepiece") == {"data/tokenizers.py"}
    assert importers("gensim") == {"data/vectors.py"}
    assert importers("requests") == {"data/download.py"}
    assert importers("triton") == {"model/gated_gru_triton.py"}


def test_nothing_that_is_read_can_run_code() -> None:
    assert importers("pickle") == {"data/saved_vectors.py"}  # whose names lead nowhere: tests/test_vectors.py tries
    for library in ("shelve", "marshal", "dill", "joblib", "cloudpickle"):
        assert not importers(library)
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func)
            keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            where = f"{path}:{node.lineno}"
            assert called not in ("eval", "exec", "compile"), where
            assert not called.endswith("extractall"), where
            assert called != "torch.load" or keywords.get("weights_only") == "True", where
            assert keywords.get("allow_pickle") != "True", where
