"""Sentiment, tags and questions' classes, and one model of many tasks: the trainings behind docs/results.md.

python tools/text_results.py tasks SHARED FOLDER [NAME…]    each data set by itself, three seeds
python tools/text_results.py joint SHARED FOLDER            bAbI en + SST-5 + EWT in one model, and each by itself

SHARED holds babi/, sst/, pos/, trec/, text/ and vectors/ (see ROWS). Everything goes through the shell commands of the
README; models are chosen by their validation, the test split is read once. What was done before isn't done again.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from runs import accuracy, dmn, percent, prepared, trained

VECTORS = "vectors/imdb_sgns.100d.mincount10.w2v.txt.gz"
SST = "sst/trainDevTestTrees_PTB.zip"
EWT = "pos/UD_English-EWT.tar.gz"
BABI = "babi/tasks_1-20_v1-2.tar.gz"
SEEDS = (1, 2, 3)


def settings(**values: object) -> tuple[str, ...]:
    """--set options; `vectors_rate` and the like are of the training, `passes` and `dropout` of the model."""
    tables = {"passes": "model", "dropout": "model"}
    return tuple(part for key, v in values.items() for part in ("--set", f"{tables.get(key, 'training')}.{key}={v}"))


PHRASES = ("--epochs", "4", *settings(passes=2, dropout=0.3))
TAGS = ("--epochs", "12", *settings(passes=1, dropout=0.3, batch_size=32, vectors_rate=0.3))
CLASSES = ("--epochs", "12", *settings(passes=2, dropout=0.3, batch_size=32))
REVIEWS = ("--epochs", "5", *settings(passes=2, dropout=0.3))


@dataclass(frozen=True)
class Row:
    """How a data set is prepared, and trained on. Paths begin with @ where they are within SHARED."""

    prepare: tuple[str, ...]
    train: tuple[str, ...]
    recipe: tuple[str, ...] = ()  # a script of tools/recipes, and what it reads: makes the JSON lines first


GIVEN = ("--vectors", f"@{VECTORS}", "--extra-words", "20000")
TAGGED = ("tagged", f"@{EWT}", "--tokenizer", "whitespace", "--affixes", *GIVEN)
ROWS = {
    "trec": Row(
        ("jsonl", "--tokenizer", "whitespace", *GIVEN),
        CLASSES,
        ("trec.py", "@trec/train_5500.label", "@trec/TREC_10.label"),
    ),
    "ewt-upos": Row((*TAGGED, "--column", "upos"), TAGS),
    "ewt-xpos": Row((*TAGGED, "--column", "xpos"), TAGS),
    "sst5": Row(("sst", f"@{SST}", *GIVEN), PHRASES),
    "sst2": Row(("sst", f"@{SST}", "--classes", "2", *GIVEN), PHRASES),
    # vectors of its own training reviews: those that are at hand were trained on the text of the test reviews too
    "imdb": Row(("jsonl", "--train-vectors"), REVIEWS, ("imdb.py", "@text/aclImdb_labelled.tar.xz")),
}
PARTS = {
    "babi-en": ("babi", f"@{BABI}", "--variant", "en", *GIVEN),
    "sst5": ROWS["sst5"].prepare,
    "ewt": ("tagged", f"@{EWT}", *GIVEN),
}
JOINT = ("--epochs", "12", *settings(sampling="uniform", dropout=0.2))
ALONE = {"sst5": PHRASES, "ewt": TAGS}
STORIES = ("--epochs", "40", *settings(batch_size=32))


def placed(arguments: tuple[str, ...], shared: Path) -> list[str]:
    return [str(shared / part[1:]) if part.startswith("@") else part for part in arguments]


def data_set(name: str, prepare: tuple[str, ...], shared: Path, folder: Path, recipe: tuple[str, ...] = ()) -> Path:
    arguments = placed(prepare, shared)
    if recipe and not (folder / name).exists():
        script, *paths = placed(recipe, shared)
        lines = folder / f"{name}.jsonl"
        subprocess.run([sys.executable, Path(__file__).parent / "recipes" / script, lines, *paths], check=True)
        arguments[1:1] = [str(lines)]
    return prepared(folder / name, *arguments)


def tasks(shared: Path, folder: Path, names: list[str]) -> None:
    """Seed by seed, so that what is broken off has figures of everything."""
    chosen = {name: row for name, row in ROWS.items() if name in (names or ROWS)}
    figures: dict[str, list[tuple[float, float, float]]] = {name: [] for name in chosen}
    for seed in SEEDS:
        for name, row in chosen.items():
            data = data_set(name, row.prepare, shared, folder, row.recipe)
            run = folder / f"{name}-{seed}"
            training = trained(run, data, "--seed", seed, *row.train)
            test, best, seconds = accuracy(run, data), training["best"]["accuracy"], training["seconds"]
            print(f"{run.name}: test {test:.4f}, validation {best:.4f}, {seconds:.0f} s", flush=True)
            figures[name].append((test, best, seconds))
    print("\n| data | test accuracy %, mean ± sd | that of the best validation | seconds of training |")
    print("| --- | ---: | ---: | ---: |")
    for name, runs in figures.items():
        chosen_by_validation = 100 * max(runs, key=lambda f: f[1])[0]
        print(
            f"| {name} | {percent([accuracy for accuracy, _, _ in runs])} | {chosen_by_validation:.1f} "
            f"| {', '.join(f'{seconds:.0f}' for *_, seconds in runs)} |"
        )


def joint(shared: Path, folder: Path) -> None:
    parts = [data_set(name, prepare, shared, folder) for name, prepare in PARTS.items()]
    trained(folder / "joint-1", parts, *JOINT)
    together = dmn("eval", folder / "joint-1", *parts)["tasks"]
    singles = {name: (PARTS[name], options) for name, options in ALONE.items()}
    singles |= {f"qa{n}": ((*PARTS["babi-en"], "--tasks", str(n)), STORIES) for n in range(1, 21)}
    print("| task | one model each | one model of all |\n| --- | ---: | ---: |")
    for name, (prepare, options) in singles.items():
        data = data_set(name, prepare, shared, folder)
        trained(folder / f"{name}-1", data, "--seed", 1, *options)
        alone = accuracy(folder / f"{name}-1", data)
        print(f"| {name} | {100 * alone:.1f} | {100 * together[name]['accuracy']:.1f} |", flush=True)


if __name__ == "__main__":
    command, given, out, *rest = sys.argv[1:]
    Path(out).mkdir(parents=True, exist_ok=True)
    if command == "joint":
        joint(Path(given), Path(out))
    else:
        tasks(Path(given), Path(out), rest)
