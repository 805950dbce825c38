"""Sound files of every format: what is damaged. Small, and the same each time."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import pickle
import struct
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

Files = dict[str, bytes]
"""What an input consists of: files by their names in its folder."""

HERE = Path(__file__).parent
GOLDEN = HERE.parents[1] / "tests" / "golden"
COMPRESS: dict[str, Callable[[bytes], bytes]] = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}

BABI = (
    b"1 Mary moved to the bathroom.\n2 John went to the hallway.\n3 Where is Mary? \tbathroom\t1\n"
    b"4 Daniel took the milk.\n5 What has Daniel? \tmilk,apple\t4 2\n1 Sandra is here.\n2 Where is Sandra?\there\n"
)
TREES = b"(3 (2 It) (4 (4 (2 's) (3 (2 a) (4 (3 lovely) (2 film)))) (2 .)))\n(0 (1 Bad) (2 -LRB-))\n(2 Fine)\n"
CONLLU = (
    b"# sent_id = 1\n# text = I see.\n1\tI\tI\tPRON\tPRP\t_\t2\tnsubj\t_\t_\n2-3\tsee.\t_\t_\t_\t_\t_\t_\t_\t_\n"
    b"2\tsee\tsee\tVERB\tVBP\t_\t0\troot\t_\t_\n3\t.\t.\tPUNCT\t.\t_\t2\tpunct\t_\t_\n\n1\tYes\tyes\tINTJ\tUH\t_\t0\troot\t_\t_\n\n"
)
TAGGED = {
    "a.conllu": CONLLU,
    "columns.txt": b"# comment\nRain NN B-NP\nfalls VBZ B-VP\n. . O\n\n-DOCSTART- -X- O\n\nIce NN B-NP\nmelts VBZ O\n",
    "plus.conll": b"# global.columns = ID FORM UPOS NER\n1\tI\tPRON\tO\n2\tsee\tVERB\tO\n\n1\tAda\tPROPN\tPER\n",
    "slash.pos": b"[ The/DT dog/NN ]\nbarks/VBZ ./.\n=====\n[ A/DT cat/NN ]\nsees/VBZ 1\\/2/CD ./.\n",
    "under.txt": b"I_PRP see_VBP D. C._NNP ._.\nYes_UH ._.\n",
    "wsj.mrg": b"( (S (NP (DT The) (NN dog)) (VP (VBZ barks))\n (. .)) )\n(S (NP (-NONE- *)) (VP (VB Go)) (. -LRB-))\n",
}
JSONL = b"\n".join(
    json.dumps(line).encode()
    for line in (
        {
            "story": ["Mary is in the bath.", "John left."],
            "question": "Where is Mary?",
            "answer": "bath",
            "support": [0],
        },
        {
            "story": ["Mary is in the bath."],
            "question": "Is it?",
            "answer": True,
            "task": "t",
            "split": "valid",
            "id": 1,
        },
        {
            "story": "It isn't. So what!",
            "question": "How?",
            "answer": ["a", "b"],
            "set": True,
            "split": "test",
            "id": "x",
        },
        {"story": "Mary moved.", "facts": "words", "question": "Tags?", "answer": ["N", "V", "P"], "each": True},
        {"story": ["One."], "question": "How many?", "answer": 1.50, "support": None},
    )
)
TABLE = (
    b'subject,body,label,split\nHello,"It broke, at ""once"".\nReally.",red;blue,train\n\n'
    b"\xc3\x89t\xc3\xa9,fine,blue,test\n,,x,dev\n"
)
JSON_TABLE = b"""{"subject": "Hello", "body": "\\"once\\". Really.", "label": "red;blue", "split": "train", "n": 1.50}

{"label": true, "subject": null, "body": "\xc3\x89t\\u00e9", "split": "test", "more": {"a": [1]}}
{"label": ["red", "blue"], "subject": ["Once.", "Twice"], "body": [], "split": "train"}
"""
VECTORS = b"mary 0.1 -0.2 3e-1\njohn 1 2 3\nMary 0.5 0.5 0.5\nat 5 1 2 3\ngarden 0 0 1e-3\n"
TEXT = "Mary moved to the garden. John isn't there!\nÉmile says: 3,000 times…\n\nA new line.\n".encode()
TREC = b"LOC:city What is the capital of Italy ?\nHUM:ind Who wrote it , caf\xe9 ?\nNUM:count How many ?\n"
SYMMETRIES = b"""[qa1]
classes = [["john", "mary"], [["mouse", "mice"], ["cat", "cats"]]]
swaps = [{north = "south", n = "s"}, {east = "west"}]
[qa2]
"""
CONFIG = b"""preset = "dmn-plus"
[model]
passes = 5
dropout = 0.1
[training]
epochs = 2
learning_rate = 0.001
seed = 3
[reading]
words = 100
"""
STORY = b"Mary is in the garden. John is in the kitchen.\nMary is in the attic.\n"
ASKED = b"".join(
    json.dumps(line).encode() + b"\n"
    for line in (
        {"id": 1, "story": ["Mary is in the garden .", "John is in the attic ."], "question": "Where is Mary ?"},
        {"id": "two", "story": "Mary is in the garden. John left.", "question": "Where is John ?"},
        {"story": "the cat saw a dog", "question": "What are the tags ?"},
        {"id": [3], "story": ["Zoe is in the kitchen ."], "question": "Who is mentioned ?", "top": 3},
    )
)
SOUND = b"".join(
    b'{"story": ["Mary is in room %d."], "question": "Where is Mary?", "answer": "%d"}\n' % (i, i) for i in range(3)
)
WORDS = {"mary", "john", "garden", "at", "0"}


def predictions() -> bytes:
    lines = []
    for i in range(6):
        right = i % 3 != 0
        told = {
            "task": f"qa{i % 2 + 1}",
            "story": [f"Mary is in room {i}.", "John left."],
            "question": "Where is Mary?",
        }
        lines.append({"id": i, **told, "answer": str(i), "prediction": str(i if right else 9), "correct": right})
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def tar(files: Files, kind: int = tarfile.GNU_FORMAT) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=kind) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return packed.getvalue()


def zipped(files: Files) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def archives() -> list[Files]:
    inside = {"en/train.txt": TREES, "en/dev.txt": BABI, "a" * 120 + "/test.txt": b"one\ntwo\n", "__MACOSX/._x": b"\0"}
    plain = tar(inside)
    made = [{"a.zip": zipped(inside)}, {"a.tar": plain}, {"a.tar": tar(inside, tarfile.PAX_FORMAT)}]
    made += [{f"a.tar{suffix}": compress(plain)} for suffix, compress in COMPRESS.items()]
    made += [{f"a.txt{suffix}": compress(TEXT * 20)} for suffix, compress in COMPRESS.items()]
    return [*made, {"a.download": zipped(inside)}, {"a.txt": COMPRESS[".gz"](TEXT)}]


def word2vec() -> bytes:
    rows = ((b"mary", (1, 2, 3)), (b"john", (0.5, 0, -1)), (b"\xff\xfe", (0, 0, 0)), (b"garden", (3, 2, 1)))
    return b"4 3\n" + b"".join(word + b" " + struct.pack("<3f", *row) + b"\n" for word, row in rows)


def saved_vectors() -> list[Files]:
    """As gensim saves them, in each of pickle's protocols."""
    import numpy as np
    from gensim.models import KeyedVectors

    vectors = KeyedVectors(3)
    vectors.add_vectors(["mary", "john", "garden"], np.arange(9, dtype=np.float32).reshape(3, 3))
    found: list[Files] = [{"v.kv": pickle.dumps(vectors, protocol)} for protocol in (2, 4, 5)]
    beside = io.BytesIO()
    np.save(beside, vectors.vectors)
    del vectors.vectors
    return [*found, {"v.kv": pickle.dumps(vectors, 4), "v.kv.vectors.npy": beside.getvalue()}]


def parquet() -> list[Files]:
    import pyarrow as pa
    from pyarrow import parquet as pq

    columns: dict[str, Any] = {
        "subject": ["Hello", "Ça", "", "x"] * 3,
        "body": ["It broke. Twice.", None, "so?", "y"] * 3,
        "label": ["red;blue", "blue", "red", "blue"] * 3,
        "split": ["train", "test", "valid", "train"] * 3,
    }
    others = {**columns, "label": pa.array([1, 2, 3, None] * 3), "body": pa.array([1.5, None, 2.0, 3.0] * 3)}
    lists = {**columns, "label": [["red", "blue"], ["blue"], [], None] * 3}
    found = []
    for one, compression in ((columns, "snappy"), (columns, "zstd"), (others, "none"), (lists, "snappy")):
        packed = io.BytesIO()
        pq.write_table(pa.table(one), packed, compression=compression)
        found.append({"t.parquet": packed.getvalue()})
    return found


def pictures() -> list[Files]:
    """Each with a line about it."""
    import numpy as np
    from PIL import Image
    from safetensors.numpy import save

    pixels = np.random.default_rng(1).integers(0, 256, (12, 16, 4), np.uint8)
    grey, opaque, clear = pixels[:, :, 0], pixels[:, :, :3], pixels
    found: dict[str, bytes] = {}
    for number, (array, suffix, options) in enumerate(
        (
            *((one, "png", {}) for one in (grey, opaque, clear, grey.astype(np.uint16) << 8)),
            *((opaque, suffix, {}) for suffix in ("jpg", "gif", "bmp", "webp", "ppm")),
            *((clear, "tif", {"compression": how}) for how in ("raw", "tiff_lzw", "tiff_deflate")),
            (opaque, "jpg", {"progressive": True, "exif": b"Exif\0\0II*\0\x08\0\0\0\0\0"}),
        )
    ):
        file = io.BytesIO()
        Image.fromarray(array).save(file, Image.registered_extensions()[f".{suffix}"], **options)
        found[f"{number}.{suffix}"] = file.getvalue()
    features, file = np.ones((2, 2, 3), np.float32), io.BytesIO()
    np.save(file, features)
    found |= {"f.npy": file.getvalue(), "f.safetensors": save({"features": features})}
    return [{"a.jsonl": about(name), name: content} for name, content in found.items()]


def about(picture: str) -> bytes:
    """Lines about a picture, as JSON."""
    line = {"image": picture, "question": "What is red?", "answer": ["a", "cup"], "support": [[0.2, 1.0]]}
    return b"".join(json.dumps(line | {"split": split}).encode() + b"\n" for split in ("train", "valid", "test"))


def pieces() -> bytes:
    """A SentencePiece model."""
    from dmn_cli.data.words.pieces import Untrained

    texts = ("mary moved to the garden", "john moved to the bathroom", "where is mary") * 3
    return Untrained(40).train(texts, seed=1).files["tokenizer.model"]


def folder(path: Path) -> Files:
    return {file.relative_to(path).as_posix(): file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file()}


def make_run(path: Path) -> None:
    """A data set, a text that was read and a run of two seconds' training, by the program itself."""
    data, text = path / "data", path / "text.txt"
    path.mkdir(parents=True, exist_ok=True)
    text.write_bytes(b"Mary moved to the garden. John went to the office.\n" * 20)
    small = (
        "model.hidden=8",
        "model.sentence=gru",
        "training.batch_size=32",
        "training.parts=1",
        "reading.negatives=5",
    )
    for args in (
        ("prepare", "story", "--tasks", "1", "--questions", "60", "--tokenizer", "whitespace", "--out", data),
        (
            "train",
            data,
            "--out",
            path / "run",
            "--epochs",
            "2",
            "--device",
            "cpu",
            "--read",
            text,
            *("--set=" + s for s in small),
        ),
        ("prepare", "text", text, "--tokenizer", "whitespace", "--out", path / "text"),
    ):
        if not Path(args[args.index("--out") + 1]).exists():
            quiet = [sys.executable, "-m", "dmn_cli", *map(str, args), "--quiet"]
            subprocess.run(quiet, check=True, stdout=subprocess.DEVNULL, env=os.environ | {"OMP_NUM_THREADS": "1"})
