"""Reads inputs that mean harm, by every door that files come in by: python tools/fuzz.py (make fuzz)

Nothing may come of them but an error of dmn's own: no traceback, no hang, no memory, nothing outside of the folder, no
code. Inputs follow from the seed, the kind and a number; one is tried again, and kept, by

    python tools/fuzz.py --only 'SST trees:1234' --keep /tmp/input
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

from fuzzing import pool, samples
from fuzzing.kinds import Kind, kinds
from fuzzing.pool import Tally

INPUTS = 100_000
FOLDER = Path("build/fuzz")


def shares(all_kinds: list[Kind], inputs: int) -> dict[str, int]:
    """How many of the inputs are of each kind."""
    whole = sum(kind.share for kind in all_kinds)
    return {kind.name: round(inputs * kind.share / whole) for kind in all_kinds}


def table(tallies: dict[str, Tally], lies: dict[str, int]) -> str:
    """In Markdown."""
    lines = [
        "| kind | inputs | of them by hand | read | refused | slowest | most memory | findings |",
        "| --- | --: | --: | --: | --: | --: | --: | --: |",
    ]
    for name, t in tallies.items():
        refused = ", ".join(f"{n:,} with {code}" for code, n in sorted(t.codes.items())) or "0"
        lines.append(
            f"| {name} | {t.tried:,} | {min(t.tried, lies[name])} | {t.read:,} | {refused} "
            f"| {t.slowest:.1f} s | {t.most} MiB | {len(t.findings)} |"
        )
    tried, findings = sum(t.tried for t in tallies.values()), sum(len(t.findings) for t in tallies.values())
    return "\n".join([*lines, f"| all | {tried:,} | | | | | | {findings} |"])


class Shown:
    """Prints the first few findings of each sort."""

    def __init__(self, name: str) -> None:
        self.name, self.seen = name, Counter[str]()

    def __call__(self, number: int, what: str) -> None:
        sort = what.partition(" < ")[2] or what[:20]
        self.seen[sort] += 1
        if self.seen[sort] <= 3:
            print(f"  {self.name}:{number}: {what}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=INPUTS, help="in all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kind", action="append", help="one of the kinds; can be given several times")
    parser.add_argument("--no-hand", action="store_true", help="leave out those written by hand, which take minutes")
    parser.add_argument("--only", metavar="KIND:NUMBER", help="one input")
    parser.add_argument("--keep", type=Path, help="with --only: a folder for it")
    parser.add_argument(
        "--folder", type=Path, default=FOLDER, help="for the samples, which are made if they aren't there"
    )
    args = parser.parse_args()
    samples.make_run(args.folder)
    every = {kind.name: kind for kind in kinds(args.folder.resolve())}
    if args.only:
        name, _, number = args.only.rpartition(":")
        again(every[name], int(number), args.seed, args.keep)
        return
    counts = shares(list(every.values()), args.inputs)
    tallies: dict[str, Tally] = {}
    for name in args.kind or every:
        start = time.perf_counter()
        by_hand = 0 if args.no_hand else len(every[name].lies)
        first = len(every[name].lies) - by_hand
        numbers = range(first, first + max(counts[name], by_hand))
        tallies[name] = pool.run(every[name], numbers, args.seed, Shown(name))
        print(f"{name}: {tallies[name].tried:,} in {time.perf_counter() - start:.0f} s", flush=True)
    print(table(tallies, {name: 0 if args.no_hand else len(kind.lies) for name, kind in every.items()}))
    sys.exit(any(tally.findings for tally in tallies.values()))


def again(kind: Kind, number: int, seed: int, keep: Path | None) -> None:
    """One input, in this process, with its traceback."""
    import tempfile

    with tempfile.TemporaryDirectory() as scratch:
        folder = keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        print(kind.load(kind.place(folder, kind.input(number, seed))))


if __name__ == "__main__":
    main()
