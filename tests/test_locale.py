"""No file, no stream and no argument is read or written in the encoding of the machine's locale."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from commands import QUESTION, seen
from conftest import Dmn, fails

from dmn_cli.notation import as_path, as_text

NO_LOCALE = {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
SURROGATES = "Ren\udcc3\udca9"  # what Python makes of an argument "René" where there is no locale

# all commands in one process, since each would take seconds to start; -W can't name a package with all of its modules
COMMANDS = r"""
import json, sys, warnings
warnings.filterwarnings("error", category=EncodingWarning, module=r"dmn_cli\b")
from dmn_cli.cli.app import main
for words in json.loads(sys.argv[1]):
    sys.argv = ["dmn", *words]
    try:
        main()
    except SystemExit as ended:
        if ended.code:
            sys.exit(f"{words}: exit code {ended.code}")
"""


def test_no_command_leans_on_the_locale(tmp_path: Path) -> None:
    """In a folder, and with stories, that ASCII can't spell."""
    lines = tmp_path / "café.jsonl"
    line = {"story": ["René went to the café."], "question": "Où est René?", "answer": "café", "split": "train"}
    records = [line | {"split": split} for split in ("train", "valid", "test")]
    lines.write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records), encoding="utf-8")
    tagged, story = tmp_path / "é.txt", tmp_path / "s.txt"
    tagged.write_text("René/NOUN geht/VERB nach/ADP Köln/NOUN ./PUNCT\n" * 20, encoding="utf-8")
    story.write_text("René went to the café.\n", encoding="utf-8")
    commands = [
        "prepare jsonl café.jsonl --out dé --export eé.jsonl --train-vectors --vector-size 4",
        "prepare tagged é.txt --out té",
        "prepare story --tasks 1 --questions 20 --out world",
        "train dé té --out ré --epochs 1 --set model.hidden=4 --set training.steps=1",
        "train dé té --out ré --epochs 2 --resume --quiet",
        "eval ré dé --predictions pé.jsonl",
        "ask ré --batch pé.jsonl",
        "ask ré --story s.txt --question Qué?",
        "ask ré --story s.txt --question Qué? --why --json",
    ]
    words = json.dumps([command.split() for command in commands], ensure_ascii=False)
    done = subprocess.run(
        [sys.executable, "-X", "warn_default_encoding", "-c", COMMANDS, words],
        env=os.environ | NO_LOCALE,
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    assert "ré/model is ready. Next: dmn eval ré dé té\n" in done.stdout
    assert "The model doesn't know: qué\n" in done.stderr
    assert json.loads((tmp_path / "dé" / "dataset.json").read_text(encoding="utf-8"))["tasks"] == ["dé"]
    assert json.loads(done.stdout.splitlines()[-1])["facts"] == ["René went to the café."]
    assert json.loads((tmp_path / "pé.jsonl").read_text(encoding="utf-8").splitlines()[0])["answer"] == "café"


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize(("encoding", "arrow"), [("ascii", "→"), ("latin-1", "\\u2192"), ("utf-8", "→")])
def test_a_stream_of_any_encoding_carries_any_text(
    dmn: Dmn, run: Path, story: Path, encoding: str, arrow: str, terminal: bool
) -> None:
    """ASCII is what Python thinks where there is no locale: it becomes UTF-8, and others show what they can."""
    story.write_text("Mary went to the kitchen.\nRené → café.\n", encoding="utf-8")
    words = ("ask", run, "--story", story, "--question", QUESTION, "--why")
    result = dmn(*words, terminal=terminal, encoding=encoding)
    assert result.code == 0, result.err
    assert f"René {arrow} café." in seen(result)
    assert ("█" in result.out) == (terminal and encoding != "latin-1")
    assert f"The model doesn't know: rené, {arrow}, café" in seen(result)
    assert dmn("--help", terminal=terminal, encoding=encoding).code == 0
    fails(dmn("ask", run, "--batch", "→é", encoding=encoding), 2, f"error: {arrow}é: there is no such file")


def test_arguments_that_no_locale_decoded(dmn: Dmn, run: Path, story: Path) -> None:
    result = dmn("ask", run, "--story", story, "--question", f"Where is {SURROGATES}?", "--json")
    assert result.document["unknown_words"] == ["rené"]
    result = dmn("ask", run, "--story", story, "--question", "Where is Ren\udce9?", "--json")  # it is in Latin-1
    assert result.document["unknown_words"] == ["ren", "�"]
    assert "error: René: there is no such file" in dmn("ask", run, "--batch", SURROGATES).err


def test_an_argument_is_read_as_utf_8() -> None:
    assert as_text("plain") == "plain"
    assert as_text("René") == as_text(SURROGATES) == "René"
    assert as_text("Ren\udce9") == "Ren�"
    assert as_text("half \ud800") == "half ?"


def test_a_path_that_was_typed_is_that_of_the_file(tmp_path: Path) -> None:
    """The file's name is in UTF-8, also where Python takes names for ASCII."""
    program = "import sys; from dmn_cli.notation import as_path; print(as_path('caf\\xe9').read_bytes())"
    (tmp_path / "café").write_bytes(b"au lait")
    done = subprocess.run(
        [sys.executable, "-c", program], env=os.environ | NO_LOCALE, cwd=tmp_path, check=True, capture_output=True
    )
    assert re.fullmatch(rb"b'au lait'\s+", done.stdout)
    assert as_path("café") == Path("café")


@pytest.mark.parametrize(
    ("command", "text"),
    [
        ("prepare babi qa1_train.txt --out d", "1 Mary left.\n2 Who left?\tMary\t1\n"),
        ("prepare tagged qa1_train.txt --out d", "The\tDET\ncat\tNOUN\n"),
        ("prepare jsonl qa1_train.txt --out d", '{"story": "Mary left.", "question": "Who left?", "answer": "Mary"}\n'),
        ("prepare sst train.txt --out d", "(3 (2 Much) (2 .))\n"),
        ("prepare text qa1_train.txt --out d", "Mary left.\n"),
        ("ask demo --question Who? --story qa1_train.txt", "Mary left.\n"),
        ("train d --out r --config qa1_train.txt", "[model]\nhidden = 8\n"),
    ],
)
@pytest.mark.parametrize(("encoding", "said"), [("utf-16", "iconv -f utf-16"), ("latin-1", "iconv -f latin1")])
def test_what_is_not_utf_8_is_said_with_how_to_convert_it(
    dmn: Dmn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, text: str, encoding: str, said: str
) -> None:
    """As PowerShell writes it, or an old editor."""
    monkeypatch.chdir(tmp_path)
    for name in ("qa1_train.txt", "train.txt"):
        Path(name).write_bytes((text.replace("M", "Ém").replace("h", "é")).encode(encoding))
    result = dmn(*command.split())
    fails(result, 2 if "--config" in command else 3, "not UTF-8", said)


def test_a_line_of_a_stream_in_another_encoding_is_an_error_of_its_own(dmn: Dmn) -> None:
    line = '{"story": ["Mary left."], "question": "Who left?"}'
    for encoding in ("utf-16-le", "utf-32", "latin-1"):
        stdin = line.replace("M", "É").encode(encoding) + b"\n" + line.encode() + b"\n"
        first, second = dmn("ask", "demo", "--batch", "-", stdin=stdin).lines
        assert "line 1: " in first["error"]
        assert "answer" in second
