"""One model of many tasks beside a model each: bAbI en, SST-5 and the tags of EWT, as docs/results.md has them.

python tools/joint_results.py SHARED FOLDER

SHARED holds babi/, sst/, pos/ and vectors/. What was done before isn't done again; models are chosen by their
validation, the test split is read once.
"""

from __future__ import annotations

import sys
from pathlib import Path

from runs import accuracy, dmn, prepared, trained
from text_data import EWT, SST, placed
from text_trainings import GIVEN, PHRASES, TAGS, settings

BABI = "@babi/tasks_1-20_v1-2.tar.gz"
PARTS = {
    "babi-en": ("babi", BABI, "--variant", "en", *GIVEN),
    "sst5": ("sst", SST, *GIVEN),
    "ewt": ("tagged", EWT, *GIVEN),
}
JOINT = ("--epochs", "12", *settings(sampling="uniform", dropout=0.2))
ALONE = {"sst5": PHRASES, "ewt": TAGS}
STORIES = ("--epochs", "40", *settings(batch_size=32))


def main(shared: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)

    def data_set(name: str, prepare: tuple[str, ...]) -> Path:
        return prepared(folder / name, *placed(prepare, shared))

    parts = [data_set(name, prepare) for name, prepare in PARTS.items()]
    trained(folder / "joint-1", parts, *JOINT)
    together = dmn("eval", folder / "joint-1", *parts)["tasks"]
    singles = {name: (PARTS[name], options) for name, options in ALONE.items()}
    singles |= {f"qa{n}": ((*PARTS["babi-en"], "--tasks", str(n)), STORIES) for n in range(1, 21)}
    print("| task | one model each | one model of all |\n| --- | ---: | ---: |")
    for name, (prepare, options) in singles.items():
        data = data_set(name, prepare)
        trained(folder / f"{name}-1", data, "--seed", 1, *options)
        alone = accuracy(folder / f"{name}-1", data)
        print(f"| {name} | {100 * alone:.1f} | {100 * together[name]['accuracy']:.1f} |", flush=True)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
