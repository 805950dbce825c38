"""The trainings of text_results.py: a system on a data set with a seed, each done once and kept as a line.

Ours are the columns of OURS, by the shell commands of docs/tour.md. A peer is a script of tools/peers, which reads the
same examples with the same splits; what peers/requirements.txt pins is in a virtual environment of its own.

A line: {"data", "system", "seed", "test", "valid", "seconds", …}. Seconds of ours are of the training by the clock,
those of a peer are CPU seconds of training what its validation chose ("search_seconds": all that was tried). "rate":
examples, of tags sentences, a second of dmn eval on the test.
"""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

from lines import Line
from runs import answered, dmn, prepared, trained, trained_before
from text_data import FEW_OF, WHOLE, Store, placed, source

PEERS = Path(__file__).parent / "peers"
VECTORS = "@vectors/imdb_sgns.100d.mincount10.w2v.txt.gz"
SEEDS, DRAWS = (1, 2, 3), (1, 2, 3, 4, 5)


def settings(**values: object) -> tuple[str, ...]:
    """--set options; `vectors_rate` and the like are of the training, `passes` and `dropout` of the model."""
    of_model = "hidden", "passes", "dropout", "ngrams", "characters", "fusion_layers", "pooled", "vectors_spread"
    tables = {key: "model" if key in of_model else "training" for key in values}
    return tuple(part for key, v in values.items() for part in ("--set", f"{tables[key]}.{key}={v}"))


@dataclass(frozen=True)
class Row:
    """How a model of ours is made: options of dmn prepare beside those of the data set, and of dmn train."""

    prepare: tuple[str, ...]
    train: tuple[str, ...]
    reads: bool = False  # whether it begins with what READER had learnt by reading
    vectors_of_reader: bool = False  # whether its word vectors are those that READER began with


GIVEN = ("--vectors", VECTORS, "--extra-words", "20000")
TEXT = ("--preset", "text")
PHRASES = (
    *(*TEXT, "--epochs", "4"),
    *settings(hidden=150, batch_size=64, learning_rate=0.001, vectors_rate=0.3, averaging=0.998),
)
TAGS = (
    *(*TEXT, "--epochs", "8"),
    *settings(hidden=200, passes=1, characters=64, fusion_layers=2, label_smoothing=0.1),
)
REVIEWS = (
    *("--preset", "dmn-plus", "--epochs", "6"),
    *settings(hidden=64, passes=1, dropout=0.3, pooled="true", ngrams=3),
    *settings(batch_size=64, learning_rate=0.001, averaging=0.998),
)

# What all that begin with a reading share: one network that read 31 million words once, of the training and the
# unlabelled reviews of IMDb and of Wikipedia. Its words: those of TREC and the most frequent of the texts.
READ_FROM = ("@text/aclImdb_labelled.tar.xz", "@text/aclImdb_unsup.tar.xz"), ("@text/enwiki_slice_2018.txt.xz",)
READER = Row(
    ("--tokenizer", "spacy", "--train-vectors", "--vector-size", "128", "--extra-words", "60000"),
    (*TEXT, "--epochs", "1", *settings(hidden=128, vectors_spread=1.0), "--set", "reading.vectors_rate=20"),
)
READS = (*TEXT, *settings(hidden=128, averaging=0.998, vectors_rate=1.0, vectors_spread=1.0))
READS_PHRASES = (*READS, "--epochs", "3", *settings(batch_size=64, learning_rate=0.001))
READS_REVIEWS = (*READS, "--epochs", "3", *settings(dropout=0.3, ngrams=3, batch_size=64, learning_rate=0.001))
READS_TAGS = (*READS, "--epochs", "8", *settings(passes=1, characters=64, fusion_layers=2))

OURS: dict[str, dict[str, Row]] = {  # system → data set → how
    "dmn": {
        "sst2": Row(GIVEN, PHRASES),
        "sst5": Row(GIVEN, PHRASES),
        "trec": Row((), (*TEXT, *settings(ngrams=3)), vectors_of_reader=True),
        # no vectors: those given were trained on the text of the test reviews too
        "imdb": Row((), REVIEWS),
        "ewt-upos": Row(("--affixes",), TAGS, vectors_of_reader=True),
        "ewt-xpos": Row(("--affixes",), TAGS, vectors_of_reader=True),
        **{few: Row(GIVEN, TEXT) for few in FEW_OF},
    },
    "dmn, reading first": {
        "sst2": Row((), READS_PHRASES, reads=True),
        "sst5": Row((), READS_PHRASES, reads=True),
        "trec": Row((), (*READS, "--epochs", "10"), reads=True),
        "imdb": Row((), READS_REVIEWS, reads=True),
        "ewt-upos": Row(("--affixes",), READS_TAGS, reads=True),
        "ewt-xpos": Row(("--affixes",), READS_TAGS, reads=True),
        **{few: Row((), READS, reads=True) for few in FEW_OF},
    },
}

TOGETHER = 5
ENSEMBLES = {f"{system}, {TOGETHER} together": system for system in OURS}  # as --ensemble keeps seeds 1 to TOGETHER
ENSEMBLES_OF = "sst2", "sst5"


@dataclass(frozen=True)
class Peer:
    """A script of tools/peers."""

    script: str
    tags: bool = False  # a word's, else classes of texts
    seeds: bool = False  # whether one seed differs from another
    vectors: bool = False  # whether it reads word vectors
    ours: bool = False  # runs with the packages of dmn itself
    heavy: bool = False  # takes minutes or more: not for small data sets, which are many
    by_name: bool = False  # takes an hour or more: done only if --rows names it


PEERS_BY_NAME = {
    "fastText": Peer("fast_text.py", seeds=True, vectors=True),
    "NB-SVM": Peer("nb_svm.py"),
    "tf-idf + LR": Peer("tf_idf.py"),
    "CNN": Peer("cnn.py", seeds=True, vectors=True, ours=True, heavy=True),
    "bi-LSTM": Peer("bi_lstm.py", seeds=True, vectors=True, ours=True, heavy=True),
    "CRF": Peer("crf.py", tags=True),
    "spaCy": Peer("spacy_tagger.py", tags=True, seeds=True, ours=True, heavy=True),
    "spaCy, vectors": Peer("spacy_tagger.py", tags=True, seeds=True, vectors=True, ours=True, heavy=True),
    "UDPipe 1": Peer("udpipe.py", tags=True, by_name=True),
}
SYSTEMS = (*OURS, *ENSEMBLES, *PEERS_BY_NAME)


class Job(NamedTuple):
    """A training that a line is to be written of. The seed is also the number of a small data set's draw."""

    data: str
    system: str
    seed: int


def together(system: str) -> str:
    """The ensemble of a system of ours."""
    return next(ensemble for ensemble, alone in ENSEMBLES.items() if alone == system)


def _as_file(system: str) -> str:
    return system.replace(",", "").replace(" ", "-")


def does(system: str, data: str) -> bool:
    """Whether there is such a cell."""
    if system in OURS:
        return data in OURS[system]
    if system in ENSEMBLES:
        return data in ENSEMBLES_OF
    peer = PEERS_BY_NAME[system]
    return peer.tags == source(data).tags and not (peer.heavy and data in FEW_OF)


def jobs(rows: Sequence[str], seeds: Sequence[int] | None) -> list[Job]:
    """Of the cells whose data/system is like one of the patterns `rows`; seed by seed, so that what is broken off has
    figures of everything. seeds: None for all that a cell has"""
    cells = [(data, system) for data in (*WHOLE, *FEW_OF) for system in SYSTEMS if does(system, data)]
    wanted = [(data, system) for data, system in cells if any(_like(data, system, row) for row in rows)]
    every = [Job(data, system, seed) for data, system in wanted for seed in _seeds(data, system, seeds)]
    return sorted(every, key=lambda job: job.seed)


def _like(data: str, system: str, row: str) -> bool:
    named = system not in PEERS_BY_NAME or not PEERS_BY_NAME[system].by_name or row.endswith(system)
    return named and fnmatchcase(f"{data}/{system}", row)


def _seeds(data: str, system: str, given: Sequence[int] | None) -> Sequence[int]:
    if data in FEW_OF:
        return given or DRAWS
    if system in OURS or (system in PEERS_BY_NAME and PEERS_BY_NAME[system].seeds):
        return given or SEEDS
    return [1] if given is None or 1 in given else []


class Shop:
    """Where models are trained."""

    def __init__(self, shared: Path, folder: Path, options: Sequence[str] = ()) -> None:
        """options: more of them for dmn train"""
        self.folder, self.options, self.store = folder, options, Store(shared, folder)
        self._reading = Lock()

    def done(self, job: Job) -> Line:
        """Trains and measures, and says what came of it."""
        if job.system in PEERS_BY_NAME:
            return job._asdict() | self._peer(job)
        return job._asdict() | (self._ensemble(job) if job.system in ENSEMBLES else self._alone(job))

    def _alone(self, job: Job) -> dict[str, Any]:
        """A network by itself; one that an ensemble has isn't trained again."""
        data, how = self._asked(job.system, job)
        run, ensemble = self._run(job), self._run(Job(job.data, together(job.system), 1))
        if trained_before(ensemble) and job.seed <= TOGETHER:
            said = trained(ensemble, data)["seeds"][job.seed - 1]
            run = ensemble / f"seed-{job.seed}"
        else:
            said = dmn("train", data, "--out", run, "--force", "--seed", job.seed, *how)
        return self._tested(run, data, said["best"], said["seconds"]) | {"epochs": said["epochs"]}

    def _ensemble(self, job: Job) -> dict[str, Any]:
        data, how = self._asked(ENSEMBLES[job.system], job)
        run = self._run(job)
        said = trained(run, data, "--ensemble", TOGETHER, "--seed", 1, *how)
        return self._tested(run, data, said["ensemble"], sum(one["seconds"] for one in said["seeds"]))

    def _asked(self, system: str, job: Job) -> tuple[Path, list[object]]:
        """The data set, and how to train on it."""
        row = OURS[system][job.data]
        vectors = ("--vectors", str(self.words()), "--extra-words", "100000") if row.vectors_of_reader else ()
        data = self.store.prepared(job.data, job.seed, _as_file(system), (*row.prepare, *vectors))
        begun = ("--start-from", self.reader()) if row.reads else ()
        return data, [*begun, *row.train, *self.options]

    def _run(self, job: Job) -> Path:
        return self.folder / f"{_as_file(job.system)}-{job.data}-{job.seed}.run"

    def _tested(self, run: Path, data: Path, valid: Mapping[str, float], seconds: float) -> dict[str, Any]:
        said = dmn("eval", run, data)
        accuracies = {"test": round(said["accuracy"], 4), "valid": round(valid["accuracy"], 4)}
        return accuracies | {"seconds": round(seconds), "rate": answered(said)}

    def reader(self) -> Path:
        """The run that has read, once for all."""
        run, words = self.folder / "reader.run", self.words()
        with self._reading:
            if not (run / "model").exists():
                texts = prepared(self.folder / "reader.text", "text", *self._texts())
                dmn("train", words, "--out", run, "--force", *READER.train, "--read", texts)
        return run

    def words(self) -> Path:
        """The data set of its words, with their vectors, which were trained on the texts that it reads."""
        with self._reading:
            of_texts = [part for text in self._texts() for part in ("--text", str(text))]
            return self.store.prepared("trec", 1, "reader", (*READER.prepare, *of_texts))

    def _texts(self) -> list[str | Path]:
        """What is read, as plain text."""
        reviews, others = (placed(paths, self.store.shared) for paths in READ_FROM)
        return [self.store.plain("imdb_text.py", reviews), *others]

    def _peer(self, job: Job) -> dict[str, Any]:
        peer = PEERS_BY_NAME[job.system]
        vectors = ["--vectors", *placed((VECTORS,), self.store.shared)] if reads_vectors(job.system, job.data) else []
        python = sys.executable if peer.ours else self.python
        data = self.store.lines(job.data, job.seed)
        command = [python, PEERS / peer.script, data, "--seed", str(job.seed), *vectors]
        return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)

    @property
    def python(self) -> Path:
        """Of the virtual environment of the peers."""
        return self.folder / "peers-venv" / "bin" / "python"

    def can(self, wanted: Sequence[Job]) -> list[Job]:
        """Those that can be done, once the packages that they need are installed."""
        alone = [job for job in wanted if job.system not in PEERS_BY_NAME or PEERS_BY_NAME[job.system].ours]
        if len(alone) == len(wanted) or self._installed():
            return list(wanted)
        left_out = sorted({job.system for job in wanted} - {job.system for job in alone})
        print(f"left out, since pip couldn't install their packages: {', '.join(left_out)}", file=sys.stderr)
        return alone

    def _installed(self) -> bool:
        """Whether the virtual environment has what is pinned; it is made on first use."""
        pinned, ready = PEERS / "requirements.txt", self.python.parents[1] / "requirements.txt"
        if ready.exists() and ready.read_bytes() == pinned.read_bytes():
            return True
        venv.create(self.python.parents[1], with_pip=True)
        install = [self.python, "-m", "pip", "install", "--quiet", "--requirement", pinned]
        if subprocess.run(install, check=False).returncode:
            return False
        ready.write_bytes(pinned.read_bytes())
        return True


def reads_vectors(system: str, data: str) -> bool:
    """Whether a peer is given the vectors; not where these were trained on the texts of the test."""
    return PEERS_BY_NAME[system].vectors and not source(data).read_by_vectors
