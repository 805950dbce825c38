"""The training and the unlabelled reviews of IMDb (Maas et al. 2011) as plain text, for `dmn train --read`.

    python tools/recipes/imdb_text.py imdb.txt aclImdb_v1.tar.gz      or its folder; or several, one after the other
    dmn prepare text imdb.txt --out data/imdb-text

No review of the test is in it. `<br />` ends a line.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from dmn_cli.data.sources import archives
from dmn_cli.errors import DmnError
from dmn_cli.files import atomic_file

_NAME = re.compile(r"(?:.*/)?train/(pos|neg|unsup)/[0-9_]+\.txt")
_MOST = 1 << 20  # bytes of a review; the longest has 14,000


def main(out: str, given: Sequence[str]) -> None:
    try:
        with atomic_file(Path(out)) as file:
            for path in map(Path, given):
                for review in archives.members(path, lambda inner: bool(_NAME.fullmatch(inner))):
                    file.write(review.stream.read(_MOST).replace(b"<br />", b"\n") + b"\n")
    except (DmnError, OSError) as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    if len(sys.argv) < 3:
        raise SystemExit(__doc__)
    main(sys.argv[1], sys.argv[2:])
