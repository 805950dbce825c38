"""The prepared data set on disk: what `dmn prepare` writes and everything else reads.

    DIR/dataset.json        name, tasks, counts, tokenizer; written last
    DIR/vocabulary.json     words and answers
    DIR/tokenizer.model     what the tokenizer needs, where it is one that was learnt
    DIR/rules.json          the language's rules for words and sentences, unless only spaCy itself knows them
    DIR/sentences.arrow     each distinct sentence once: words (list of word ids), text
    DIR/vectors.safetensors where word vectors were asked for: ids (int32, of words), vectors (float32, a row an id)
    DIR/{train,valid,test}.arrow   a row a story: task, facts (sentence ids), and for each of its questions the
                            sentence id, the position (how many facts it sees), the answer ids, the support positions

Arrow IPC files, uncompressed, written in record batches as stories arrive and read memory-mapped: neither way does
memory grow with the data. (What is held for each story is its length: 8 bytes.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

FORMAT_VERSION = 1
VECTORS = "vectors.safetensors"
SPLITS = ("train", "valid", "test")

_ids = pa.list_(pa.int32())
SENTENCES = pa.schema([("words", _ids), ("text", pa.string())])
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

    def take(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The values of some rows, end to end, and the length of each."""
        starts = self.offsets[rows].astype(np.int64)
        lengths = self.offsets[rows + 1] - starts
        return self.values[spans(starts, lengths)], lengths


def spans(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """The numbers starts[0], starts[0] + 1, …, then those from starts[1], and so on, as one array."""
    ends = np.cumsum(lengths)
    return np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - (ends - lengths), lengths)
