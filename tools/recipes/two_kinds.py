"""Two data sets of NLTK's, each of two kinds of sentences, as JSON lines: subjective or objective? pros or cons?

    python tools/recipes/two_kinds.py subjectivity.jsonl subjectivity.zip       Pang and Lee 2004
    python tools/recipes/two_kinds.py pros-cons.jsonl pros_cons.zip             Ganapathibhotla and Liu 2008
    dmn prepare jsonl subjectivity.jsonl --out data/subjectivity

They have no official splits. Here the test is the 2,000 distinct sentences whose SHA-256 is smallest: the same on every
machine. A sentence that occurs several times is there once; one of both kinds isn't there. Words are facts.
"""

from __future__ import annotations

import hashlib
import html
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from dmn_cli.data.sources import archives
from dmn_cli.data.sources.fetch import fetch
from dmn_cli.errors import DmnError
from dmn_cli.files import atomic_file

TEST = 2000
_KINDS = {
    "quote.tok.gt9.5000": ("Is it subjective or objective?", "subjective"),
    "plot.tok.gt9.5000": ("Is it subjective or objective?", "objective"),
    "IntegratedPros.txt": ("Is it good or bad?", "pros"),
    "IntegratedCons.txt": ("Is it good or bad?", "cons"),
}
_TAG = re.compile(r"</?(?:Pros|Cons)>")


def sentences(path: Path) -> dict[str, set[tuple[str, str]]]:
    """Each distinct sentence with the kinds that it is of: (question, answer)."""
    found: dict[str, set[tuple[str, str]]] = {}
    for member in archives.members(path, lambda inner: PurePosixPath(inner).name in _KINDS):
        kind = _KINDS[PurePosixPath(member.inner).name]
        for line in member.lines():
            text = " ".join(html.unescape(_TAG.sub("", line.decode())).split())
            if text:
                found.setdefault(text, set()).add(kind)
    return found


def split(texts: list[str], test: int = TEST) -> Iterator[tuple[str, str]]:
    """Each text with its split, by its hash, in the order of the hashes."""
    for number, text in enumerate(sorted(texts, key=lambda text: hashlib.sha256(text.encode()).digest())):
        yield text, "test" if number < test else "train"


def main(out: str, given: str) -> None:
    try:
        found = sentences(fetch(given, note=lambda text: print(text, file=sys.stderr)).path)
        kinds = {text: own.pop() for text, own in found.items() if len(own) == 1}
        with atomic_file(Path(out)) as file:
            for text, part in split(list(kinds)):
                question, answer = kinds[text]
                line = {"story": text, "facts": "words", "question": question, "answer": answer, "split": part}
                file.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
    except (DmnError, OSError, UnicodeDecodeError) as error:
        raise SystemExit(f"{given}: {error}") from error


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
