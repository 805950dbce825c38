"""The kinds of files that dmn reads, and an input for each number: first lies, then damaged samples."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from random import Random
from typing import Any

from fuzzing import lies, loaders, mutate, samples
from fuzzing.lies import Lie
from fuzzing.mutate import Change
from fuzzing.samples import Files

Load = Callable[[Path], object]
Make = Callable[[], list[Files]]
Lies = Callable[[], list[Lie]]

_RESEALED = 0.8  # of the inputs that a digest would give away


@dataclass
class Kind:
    """One of them."""

    name: str
    load: Load  # as dmn reads it
    make: Make  # samples
    share: float  # of all inputs
    ways: Sequence[Change] = mutate.TEXT
    lie: Lies = list
    folder: bool = False  # an input is a folder, and not its first file
    seal: tuple[str, ...] = ()  # the file that has SHA-256 digests of others
    by_suffix: dict[str, Sequence[Change]] = field(default_factory=dict)

    @cached_property
    def samples(self) -> list[Files]:
        return self.make()

    @cached_property
    def lies(self) -> list[Lie]:
        return self.lie()

    def input(self, number: int, seed: int) -> Files:
        """The input of that number; the same for the same seed and samples."""
        if number < len(self.lies):
            return self.lies[number]()
        random = Random(f"{seed} {self.name} {number}")
        files = dict(random.choice(self.samples))
        for _ in range(1 if len(files) == 1 else random.choice((1, 1, 2))):
            name = random.choice(list(files))
            if random.random() < 0.02 and len(files) > 1:
                del files[name]
                continue
            ways = self.by_suffix.get(Path(name).suffix, self.ways)
            files[name] = mutate.change(files[name], random, ways)
        return self._sealed(files) if random.random() < _RESEALED else files

    def _sealed(self, files: Files) -> Files:
        """With digests that are right again, as whoever means harm would make them."""
        for name in self.seal:
            try:
                document = json.loads(files[name])
                prefix = name.rpartition("/")[0]
                inside = {key: f"{prefix}/{key}".lstrip("/") for key in document["sha256"]}
                document["sha256"] |= {k: hashlib.sha256(files[v]).hexdigest() for k, v in inside.items() if v in files}
                rules = f"{prefix}/rules.json".lstrip("/")
                if "rules" in document["tokenizer"] and rules in files:
                    document["tokenizer"]["rules"] = hashlib.sha256(files[rules]).hexdigest()
                files = {**files, name: json.dumps(document).encode()}
            except (KeyError, TypeError, ValueError, RecursionError, AttributeError):
                continue
        return files

    def place(self, folder: Path, files: Files) -> Path:
        """Writes an input into a folder, and returns what is to be read."""
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return folder if self.folder else folder / next(iter(files))


def one(name: str, content: bytes) -> Callable[[], list[Files]]:
    return lambda: [{name: content}]


def each(files: dict[str, bytes]) -> Callable[[], list[Files]]:
    return lambda: [{name: content} for name, content in files.items()]


_JSON = (*[mutate.in_json] * 8, *mutate.TEXT)
_FOLDER: dict[str, Sequence[Change]] = {
    ".json": _JSON,
    ".jsonl": _JSON,
    ".safetensors": (*[mutate.in_safetensors] * 4, *mutate.BINARY),
    ".arrow": (*[mutate.in_arrow] * 4, *mutate.BINARY),
    ".toml": mutate.TEXT,
    ".pt": mutate.BINARY,
    ".bin": mutate.BINARY,
}


def kinds(folder: Path) -> list[Kind]:
    """folder: of what `samples.make_run` made"""
    golden, at = samples.GOLDEN, samples.folder
    model_1, model_2, data_1 = (partial(at, golden / name) for name in ("model-1", "model-2", "data-1"))
    trained, made, text, run = (partial(at, folder / name) for name in ("run/model", "data", "text", "run"))

    def seeds() -> list[Files]:
        """A run; and one of several seeds and trials, as far as their records go."""
        best = {"epoch": 1, "accuracy": 0.5, "loss": 1.0, "score": [0.5, -1.0]}
        seed = {"seed": 1, "epochs": 2, "reason": "done", "best": best, "seconds": 1.0}
        several = {
            "format_version": 1,
            "data": "x",
            "run": "r",
            "model": "m",
            "seeds": [seed, {"seed": 2}],
            "best": {**best, "seed": 1},
        }
        tuned = {"format_version": 1, "data": "x", "budget": "1k-questions", "keys": ["model.hidden"], "trials": 1}
        trial = {"trial": 0, "values": {"model.hidden": 8}, "epochs": 1, "questions": 9, "seconds": 1.0, "best": best}
        trial |= {"finished": None, "failed": None}
        records: dict[str, Any] = {"seeds.json": several, "tune.json": tuned, "trials.jsonl": trial}
        return [run(), run() | {name: json.dumps(value).encode() + b"\n" for name, value in records.items()}]

    text_lies, json_lies = partial(lies.texts, "a.txt"), partial(lies.json_lines, "a.jsonl")
    babi, csv, tree, label = "qa1_single-supporting-fact_train.txt", "t.csv", "train.txt", "train.label"
    packed = (*mutate.BINARY, mutate.in_tar, mutate.in_tar)
    models = lambda: [model_1(), model_1(), model_2(), trained()]  # noqa: E731
    data_sets = lambda: [data_1(), data_1(), made()]  # noqa: E731

    def of_folders(name: str, load: Load, make: Make, share: float, lie: Lies, *seal: str) -> Kind:
        return Kind(name, load, make, share, _JSON, lie, folder=True, seal=seal, by_suffix=_FOLDER)

    return [
        Kind("archives", loaders.archive, samples.archives, 12, packed, lies.archives),
        Kind("bAbI", loaders.babi, one(babi, samples.BABI), 8, lie=partial(lies.texts, babi)),
        Kind("bAbI in archives", loaders.babi, _babi_archives, 4, packed),
        Kind("SST trees", loaders.sst, one(tree, samples.TREES), 10, lie=partial(lies.trees, tree)),
        Kind("SST trees, kept", loaders.trees, one(tree, samples.TREES), 4, lie=partial(lies.trees, tree)),
        Kind("pictures", loaders.pictures, samples.pictures, 8, mutate.BINARY, lies.pictures, True, by_suffix=_FOLDER),
        Kind("tagged text", loaders.tagged, each(samples.TAGGED), 10, lie=text_lies),
        Kind("JSON lines", loaders.jsonl, one("a.jsonl", samples.JSONL), 10, _JSON, _jsonl_lies("a.jsonl")),
        Kind("TREC labels", loaders.trec, one(label, samples.TREC), 4, lie=partial(lies.texts, label)),
        Kind("tables as text", loaders.table, _tables, 8, lie=partial(_table_lies, csv)),
        Kind(
            "tables as JSON lines", loaders.table, one("t.jsonl", samples.JSON_TABLE), 4, _JSON, _jsonl_lies("t.jsonl")
        ),
        Kind("Parquet", loaders.table, samples.parquet, 4, mutate.BINARY, lies.parquets),
        Kind("word vectors, text", loaders.vectors, one("v.txt", samples.VECTORS), 3, lie=lies.vectors),
        Kind("word vectors, word2vec's binary", loaders.vectors, _word2vec, 2, mutate.BINARY),
        Kind("word vectors, gensim's", loaders.vectors, samples.saved_vectors, 4, mutate.BYTES),
        Kind("text to read", loaders.text, one("a.txt", samples.TEXT), 1, lie=_text_lies),
        of_folders("text that was read", loaders.prepared_text, lambda: [text()], 2, list, "text.json"),
        Kind("configuration", loaders.config, one("c.toml", samples.CONFIG), 8, lie=partial(lies.tomls, "c.toml")),
        Kind(
            "--set", loaders.override, each({str(i): b for i, b in enumerate(_SETS)}), 2, lie=partial(lies.tomls, "0")
        ),
        Kind("symmetries", loaders.symmetries, one("s.toml", samples.SYMMETRIES), 6, lie=partial(lies.tomls, "s.toml")),
        Kind("predictions", loaders.marked, one("p.jsonl", samples.predictions()), 3, _JSON, json_lies),
        of_folders("models", loaders.model, models, 2, lambda: lies.models(model_1()), "config.json"),
        of_folders("data sets", loaders.data, data_sets, 2, lambda: lies.data_sets(data_1()), "dataset.json"),
        of_folders("runs", loaders.run, seeds, 1.5, lambda: lies.runs(run()), "model/config.json", "text/text.json"),
        Kind(
            "SentencePiece models", loaders.pieces, lambda: [{"p.model": samples.pieces()}], 0.5, mutate.BINARY, _pieces
        ),
        Kind("ask --batch", loaders.batch, one("q.jsonl", samples.ASKED), 2, _JSON, json_lies),
        Kind("stories", loaders.story, one("s.txt", samples.STORY), 1),
        Kind("the command line", loaders.command, _commands, 1, _JSON, by_suffix=_FOLDER, folder=True),
    ]


_SETS = (b"model.passes=5", b'model.gates="sigmoid"', b"training.learning_rate=1e-3", b"training.symmetries=false")


def _tables() -> list[Files]:
    text = samples.TABLE.decode()
    return [
        {"t.csv": samples.TABLE},
        {"t.tsv": b"\xef\xbb\xbf" + text.replace(",", "\t").encode()},
        {"t.csv": ("sep=;\r\n" + text.replace(",", ";").replace("\n", "\r\n")).encode("utf-16")},
        {"t.csv.gz": samples.COMPRESS[".gz"](samples.TABLE)},
    ]


def _babi_archives() -> list[Files]:
    inside = {f"tasks/en-10k/qa{n}_x_{split}.txt": samples.BABI for n in (1, 2) for split in ("train", "test")}
    return [
        {"b.tar.gz": samples.COMPRESS[".gz"](samples.tar(inside))},
        {"b.zip": samples.zipped(inside)},
        {"b.tar": samples.tar(inside)},
    ]


def _word2vec() -> list[Files]:
    return [{"v.bin": samples.word2vec()}]


def _text_lies() -> list[Lie]:
    return [*lies.texts("a.txt"), *lies.bombs("a.txt")]


def _jsonl_lies(name: str) -> Lies:
    return lambda: [*lies.texts(name), *lies.json_lines(name), *lies.bombs(name)]


def _table_lies(name: str) -> list[Lie]:
    return [*lies.texts(name), *lies.bombs(name), *lies.tables(name)]


def _pieces() -> list[Lie]:
    made = (b"", b"\0" * 99, b"\x0a" + b"\xff" * 99, b"\x0a\x80" * 999)
    return [lies.one("p.model", lambda content=content: content) for content in made]


def _commands() -> list[Files]:
    """A folder with a file of every kind, of which `loaders.command` reads one."""
    files: Files = {
        "qa1_x_train.txt": samples.BABI,
        "train.txt": samples.TREES,
        "a.conllu": samples.CONLLU,
        "a.jsonl": samples.JSONL,
        "t.csv": samples.TABLE,
        "v.txt": samples.VECTORS,
        "c.toml": samples.CONFIG,
        "s.toml": samples.SYMMETRIES,
        "p.jsonl": samples.predictions(),
        "q.jsonl": samples.ASKED,
        "s.txt": samples.STORY,
    }
    return [{name: content} for name, content in files.items()]
