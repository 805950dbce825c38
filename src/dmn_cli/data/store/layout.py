"""The prepared data set on disk: what `dmn prepare` writes and everything else reads.

    DIR/dataset.json        name, tasks, counts, tokenizer; written last
    DIR/vocabulary.json     words and answers
    DIR/tokenizer.model     the SentencePiece model, where the tokenizer has one
    DIR/rules.json          the language's rules for words and sentences, unless only spaCy itself can apply them
    DIR/sentences.arrow     each distinct sentence once: words (list of word ids), text
    DIR/vectors.safetensors where word vectors were asked for: ids (int32, of words), vectors (float32, one row per id)
    DIR/pictures.npy, pictures.safetensors  where stories are pictures (`pictures.py`)
    DIR/{train,valid,test}.arrow   one row per story: task, facts (sentence ids), and for each of its questions the
                            sentence id, the position (how many facts it sees), the answer ids, the support positions

Arrow IPC files, uncompressed, written in record batches as stories arrive and read memory-mapped: memory grows with the
data in neither direction, but for 8 bytes a story, its length.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from dmn_cli.data.formats.splits import SPLITS as SPLITS
from dmn_cli.records.ragged import spans

FORMAT_VERSION = 1
VECTORS = "vectors.safetensors"
SUPPORTS = "supports.arrow"  # of the training questions, where some were found

_ids = pa.list_(pa.int32())
SENTENCES = pa.schema([("words", _ids), ("text", pa.string())])
FOUND = pa.schema([("supports", _ids)])
STORIES = pa.schema(
    [
        ("task", pa.int16()),
        ("facts", _ids),
        ("questions", _ids),
        ("positions", _ids),
        ("answers", pa.list_(_ids)),
        ("supports", pa.list_(_ids)),
    ]
)


@dataclass(frozen=True)
class Ragged:
    """Rows of different lengths, end to end: row i is values[offsets[i]:offsets[i + 1]]."""

    offsets: np.ndarray
    values: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray, lengths: np.ndarray) -> Ragged:
        """As `take` gives them."""
        return cls(np.concatenate([[0], np.cumsum(lengths)]), values)

    def take(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The values of some rows, end to end, and the length of each."""
        starts = self.offsets[rows].astype(np.int64)
        lengths = self.offsets[rows + 1] - starts
        return self.values[spans(starts, lengths)], lengths


def fingerprint_of(path: Path) -> str:
    """Of the data set in a folder: it changes whenever the data does. Raises: OSError where there is none."""
    digest = hashlib.sha256()
    for name in ("dataset.json", "vocabulary.json"):
        digest.update((path / name).read_bytes())
    return digest.hexdigest()[:16]
