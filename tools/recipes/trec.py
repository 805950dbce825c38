"""TREC's questions (Li and Roth 2002) as JSON lines: what does a question ask for, of six classes?

    python tools/recipes/trec.py trec.jsonl train_5500.label TREC_10.label
    python tools/recipes/trec.py trec.jsonl trec:train trec:test        fetches them first
    dmn prepare jsonl trec.jsonl --tokenizer whitespace --out data/trec

Each of their lines is `COARSE:fine question`, in Latin-1, with blanks between words. Words are facts.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

from dmn_cli.data.sources.fetch import fetch
from dmn_cli.errors import DmnError
from dmn_cli.files import atomic_file


def lines(path: Path) -> Iterator[str]:
    split = "test" if path.name.startswith("TREC_10") else "train"
    for number, line in enumerate(path.read_text(encoding="latin-1").splitlines(), start=1):
        label, _, question = line.partition(" ")
        if not (":" in label and question.strip()):
            raise SystemExit(f"{path}:{number}: isn't like 'LOC:city What is the capital of Italy ?'")
        yield json.dumps(
            {
                "story": question.split(),
                "facts": "words",
                "question": "What is asked for?",
                "answer": label.split(":")[0],  # label: the fifty fine classes
                "split": split,
            }
        )


def main(out: str, *paths: str) -> None:
    try:
        files = [fetch(path, note=lambda text: print(text, file=sys.stderr)).path for path in paths]
        with atomic_file(Path(out)) as file:
            file.writelines(line.encode() + b"\n" for path in files for line in lines(path))
    except (DmnError, OSError) as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    if len(sys.argv) < 3:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
