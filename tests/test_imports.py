"""What imports what: help and completion are quick, rooms know only those below them, libraries have their places."""

import ast
import graphlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "dmn_cli"
FILES = sorted(SOURCE.rglob("*.py"))
HEAVY = {
    "torch",
    "spacy",
    "sentencepiece",
    "gensim",
    "numpy",
    "pyarrow",
    "requests",
    "triton",
    "prompt_toolkit",
    "matplotlib",
    "onnx",
    "onnxruntime",
    "PIL",
}

# as the installed `dmn` starts; `python -m` would have another name for completion
DMN = "import sys; sys.argv[0] = 'dmn'; from dmn_cli.cli.app import main; main()"
COMPLETION = {"_DMN_COMPLETE": "complete_bash", "COMP_WORDS": "dmn tr", "COMP_CWORD": "1"}

# Which rooms a room may import, beside itself. Imports within functions and for type checkers count as well.
GROUND = {"errors", "wording", "version", "records"}
TOOLS = GROUND | {"files", "machine", "notation"}
SOURCES = {"data/sources", "data/words"}
FORMATS = SOURCES | {"data/text", "data/formats", "data/vectors"}
STORED = FORMATS | {"data/store", "data/symmetries"}
DATA = STORED | {"data/prepare", "data/thinning", "data/batches", "data/ngrams", "data/joint"}
MODEL = TOOLS | {"kernels", "model"}
SYSTEMS = MODEL | {"baselines"}
SETTLED = SYSTEMS | DATA | {"settings", "artifact"}
MEASURED = SETTLED | {"evaluation"}
MAY_IMPORT = {
    "errors": set(),
    "wording": set(),
    "version": set(),
    "records": {"errors"},
    "notation": GROUND,
    "files": GROUND | {"notation"},
    "machine": GROUND,
    "kernels": TOOLS,
    "model": TOOLS | {"kernels"},
    "baselines": MODEL,
    "data/sources": TOOLS,
    "data/words": TOOLS,
    "data/formats": TOOLS | SOURCES,
    "data/text": TOOLS | SOURCES,
    "data/vectors": TOOLS | SOURCES | {"data/text"},
    "data/store": TOOLS | FORMATS,
    "data/symmetries": TOOLS | FORMATS | {"data/store"},
    "data/prepare": TOOLS | STORED,
    "data/thinning": set(),
    "data/batches": TOOLS | STORED | {"data/thinning"},
    "data/ngrams": GROUND | {"data/batches"},
    "data/joint": TOOLS | STORED | {"data/batches"},
    "settings": SYSTEMS,
    "artifact": SYSTEMS | DATA | {"settings"},
    "evaluation": SETTLED,
    "training": MEASURED,
    "answering": MEASURED,
    "reporting": MEASURED,
    "cli": MEASURED | {"training", "answering", "reporting"},
    "__main__": {"cli"},
    "__init__": {"answering", "errors", "version"},
}

# Where a library may be imported: a room or a file.
PLACES = {
    "typer": {"cli"},
    "rich": {"cli"},
    "readline": {"cli"},
    "prompt_toolkit": {"cli/editor.py"},
    "spacy": {"data/words/from_spacy.py"},
    "sentencepiece": {"data/words/pieces.py"},
    "gensim": {"data/vectors"},
    "requests": {"data/sources/download.py"},
    "urllib3": {"data/sources/download.py"},
    "pyarrow": {"data/store", "data/formats/table_files.py", "data/formats/table_copy.py"},
    "pydantic": {"settings", "training/checkpoint.py"},
    "orjson": {"answering/stream.py"},
    "safetensors": {"data/store", "data/formats/images/features.py", "artifact", "training/saved.py"},
    "PIL": {"data/formats/images/pixels.py", "data/formats/images/sort_of_clevr.py"},
    "triton": {"kernels/recurrence_triton.py"},
    "matplotlib": {"reporting"},
    "onnx": {"artifact/onnx/graph.py"},
    "onnxruntime": {"artifact/onnx/export.py"},
    "ctypes": {"kernels/c_library.py", "machine/device.py"},
    "subprocess": {"kernels/c_build.py", "training/helpers.py"},
    "pickle": {"data/vectors/saved.py"},  # whose names lead nowhere: tests/data/test_vectors.py tries
}


@pytest.mark.parametrize(
    ("args", "environment", "shows"),
    [
        (["--help"], {}, "Usage: dmn"),
        *(([name, "--help"], {}, f"Usage: dmn {name}") for name in ("train", "eval", "compare", "report", "export")),
        *(([name, "--help"], {}, f"Usage: dmn {name}") for name in ("ask", "info", "doctor")),
        ([], COMPLETION, "train\n"),
    ],
)
def test_help_and_completion_import_nothing_heavy(args: list[str], environment: dict[str, str], shows: str) -> None:
    said, imported = run_and_watch(*args, **environment)
    assert shows in said
    assert {name.partition(".")[0] for name in imported} & (HEAVY | {"typer", "markdown_it", "pygments"}) == {"typer"}
    ours = {name for name in imported if name.startswith("dmn_cli.") and not name.startswith("dmn_cli.cli")}
    assert ours == {"dmn_cli.errors", "dmn_cli.version", "dmn_cli.wording"}


def run_and_watch(*args: object, **environment: str) -> tuple[str, set[str]]:
    """What a dmn of its own prints, and the modules that it imports."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", DMN, *map(str, args)],
        env=os.environ | environment,
        check=True,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    return done.stdout, {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}


def test_an_answer_needs_neither_spacy_nor_what_training_needs(run: Path, tmp_path: Path) -> None:
    """Nor Arrow; and of PyTorch not the compiler."""
    story = tmp_path / "story.txt"
    story.write_text("Mary moved to the garden. John isn't there.", encoding="utf-8")
    said, imported = run_and_watch("ask", run, "--story", story, "--question", "Where is Mary?", "--json")
    assert json.loads(said)["facts"] == ["Mary moved to the garden.", "John isn't there."]
    assert {name.partition(".")[0] for name in imported} & HEAVY == {"torch", "numpy"}
    assert not imported & {"torch._dynamo", "torch._inductor", "rich", "safetensors.numpy"}
    used = {room_of_module(name) for name in imported if name.startswith("dmn_cli.")}
    assert not used & (DATA - {"data/words"} | {"training", "evaluation"})


def test_a_training_does_without_the_compiler(world: Path, tmp_path: Path) -> None:
    """Which takes two seconds, and comes with the first optimiser of torch."""
    _, imported = run_and_watch("train", world, "--out", tmp_path / "run", "--epochs", 1, "--set=training.steps=1")
    assert "torch" in imported
    assert not imported & {"torch._dynamo", "torch._inductor", "sympy"}


@pytest.mark.parametrize("module", ["dmn_cli.data.prepare", "dmn_cli.data.text.prepare", "dmn_cli.reporting.info"])
def test_data_are_read_without_torch(module: str) -> None:
    """It takes a second and memory, in each of the processes that split text into words too."""
    program = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_help_is_quick() -> None:
    """It takes little more than Typer and rich do; a run that the machine was busy in says nothing."""

    def cpu_seconds(program: str) -> float:
        process = subprocess.Popen([sys.executable, "-c", program, "--help"], stdout=subprocess.DEVNULL)
        _, _, used = os.wait4(process.pid, 0)
        process.returncode = 0
        return used.ru_utime + used.ru_stime

    pairs = [(cpu_seconds("import typer.main, typer.rich_utils"), cpu_seconds(DMN)) for _ in range(8)]
    assert min(ours for _, ours in pairs) < 2 * min(theirs for theirs, _ in pairs)


def trees() -> Iterator[tuple[str, ast.Module]]:
    """All files, named from the source folder, with what is in them."""
    for path in FILES:
        yield path.relative_to(SOURCE).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def names_imported(tree: ast.Module) -> Iterator[str]:
    """Every module that a file names anywhere, as `a.b` for `import a.b` and `a.b.c` for `from a.b import c`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "an import is relative"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


IMPORTS = {name: set(names_imported(tree)) for name, tree in trees()}


def file_of(module: str) -> str:
    """dmn_cli.records.batch.Batch → records/batch.py; a package is its __init__.py."""
    path = SOURCE.joinpath(*module.split(".")[1:])
    for found in (path.with_suffix(".py"), path / "__init__.py"):
        if found.is_file():
            return found.relative_to(SOURCE).as_posix()
    return file_of(module.rpartition(".")[0])


GRAPH = {
    name: {file_of(module) for module in modules if module.partition(".")[0] == "dmn_cli"} - {name}
    for name, modules in IMPORTS.items()
}


def room(file: str) -> str:
    """records/batch.py → records; in data, the file or folder in it."""
    parts = file.removesuffix(".py").split("/")
    return "/".join(parts[: 2 if parts[0] == "data" else 1])


def room_of_module(name: str) -> str:
    return room(file_of(name))


def test_every_file_is_in_a_room_of_the_table() -> None:
    assert {room(name) for name in GRAPH} - {"data/__init__"} == MAY_IMPORT.keys()


def test_a_room_knows_only_those_below_it() -> None:
    known = {
        f"{name} → {other}"
        for name, others in GRAPH.items()
        for other in others
        if other != "__init__.py" and room(other) not in MAY_IMPORT[room(name)] | {room(name)}
    }
    assert not known


def test_no_files_import_each_other_in_a_circle() -> None:
    graphlib.TopologicalSorter(GRAPH).prepare()  # raises CycleError, which names the files


@pytest.mark.parametrize("library", PLACES)
def test_a_library_has_its_place(library: str) -> None:
    importing = {name for name, modules in IMPORTS.items() if any(f"{m}.".startswith(f"{library}.") for m in modules)}
    assert importing, "nothing imports it any more"
    assert not {name for name in importing if not PLACES[library] & {name, name.partition("/")[0], room(name)}}


def test_nothing_that_is_read_can_run_code() -> None:
    for library in ("shelve", "marshal", "dill", "joblib", "cloudpickle"):
        assert not [name for name, modules in IMPORTS.items() if library in {m.partition(".")[0] for m in modules}]
    for name, tree in trees():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func)
            keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            where = f"{name}:{node.lineno}"
            assert called not in ("eval", "exec", "compile"), where
            assert not called.endswith("extractall"), where
            assert called != "torch.load" or keywords.get("weights_only") == "True", where
            assert keywords.get("allow_pickle") != "True", where
