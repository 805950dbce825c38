"""Do stories mean what they meant once names have changed places? The symmetries that are found in 1,000 questions of
each family, ours or the published ones, and how many questions about our stories an independent reader answers alike.

    python tools/renamed_stories.py [--questions 10000] [tasks_1-20_v1-2.tar.gz]
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from renamed import agreement, data_set

from dmn_cli.data.formats.babi_files import find
from dmn_cli.data.formats.story_world import FAMILIES, stories
from dmn_cli.data.symmetries.files import describe
from dmn_cli.data.symmetries.reading import read
from dmn_cli.data.symmetries.search import symmetries_in


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", nargs="?", type=Path, help="bAbI as published; else 1,000 questions are made")
    parser.add_argument("--questions", type=int, default=10_000, help="that are read, of each family")
    options = parser.parse_args()
    if options.archive:
        with find([options.archive], "en", list(FAMILIES)) as files:
            told = [story for file in files.files if file.split == "train" for story in file.stories()]
    else:
        told = [story for task in FAMILIES for story in stories(task, 1000, 1, "train")]
    with TemporaryDirectory() as folder:
        data = data_set(Path(folder) / "data", told)
        split = data.split("train")
        for number, task in enumerate(data.tasks):
            start = time.process_time()
            symmetries = symmetries_in(read(data, split, number))
            seconds = time.process_time() - start
            others = list(stories(task, options.questions, 99, "train"))
            alike = agreement(others, symmetries, np.random.default_rng(0))
            print(f"{task}\t{100 * alike:.2f} %\t{seconds:.2f} s\t{describe(symmetries)}", flush=True)


if __name__ == "__main__":
    main()
