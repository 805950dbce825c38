"""IMDb's reviews (Maas et al. 2011, Large Movie Review Dataset) as JSON lines: is a review positive or negative?

    python tools/recipes/imdb.py imdb.jsonl aclImdb_v1.tar.gz        or its folder, aclImdb
    python tools/recipes/imdb.py imdb.jsonl imdb                     fetches it first
    dmn prepare jsonl imdb.jsonl --facts sentences --out data/imdb

A review is a text; `--facts` says whether its sentences or its words are the facts. `<br />` ends a line.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from dmn_cli.data.sources import archives
from dmn_cli.data.sources.fetch import fetch
from dmn_cli.errors import DmnError
from dmn_cli.files import atomic_file

_NAME = re.compile(r"(?:.*/)?(train|test)/(pos|neg)/([0-9_]+)\.txt")
_ANSWERS = {"pos": "positive", "neg": "negative"}
_MOST = 1 << 20  # bytes of a review; the longest has 14,000


def reviews(path: Path) -> Iterator[tuple[str, bytes]]:
    """The reviews with their names, like aclImdb/train/pos/0_9.txt, in the order in which they are found."""
    for member in archives.members(path, lambda inner: bool(_NAME.fullmatch(inner))):
        yield member.inner, member.stream.read(_MOST)


def line(name: str, content: bytes) -> str:
    split, label, number = _NAME.fullmatch(name).groups()  # type: ignore[union-attr]
    return json.dumps(
        {
            "id": f"{split}/{label}/{number}",
            "story": re.sub(r"<br\s*/?>", "\n", content.decode()),
            "question": "What is the sentiment?",
            "answer": _ANSWERS[label],
            "split": split,
        },
        ensure_ascii=False,
    )


def main(out: str, given: str) -> None:
    try:
        path = fetch(given, note=lambda text: print(text, file=sys.stderr)).path
        with atomic_file(Path(out)) as file:
            file.writelines(line(*review).encode() + b"\n" for review in reviews(path))
    except (DmnError, OSError, UnicodeDecodeError) as error:
        raise SystemExit(f"{given}: {error}") from error


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
