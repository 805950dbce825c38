"""Files from strangers: headers that lie, depths and bombs are refused, by an error of ours that says what is wrong.

These were found by tools/fuzz.py (`make fuzz`), of whose inputs a few of each kind are tried here too.
"""

import bz2
import gzip
import importlib
import io
import json
import lzma
import shutil
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from helpers import Whitespace
from pyarrow import parquet

from dmn_cli.artifact import directory
from dmn_cli.artifact.stored import read_metrics
from dmn_cli.data.formats import sst, table_text, tagged, tagged_text
from dmn_cli.data.formats.splits import SPLITS
from dmn_cli.data.formats.table import Row
from dmn_cli.data.formats.table_files import ParquetTable
from dmn_cli.data.formats.table_survey import Survey
from dmn_cli.data.sources import archives
from dmn_cli.data.store.reader import DataSet
from dmn_cli.data.symmetries.files import from_toml
from dmn_cli.data.text.prepare import prepare
from dmn_cli.data.text.store import Text
from dmn_cli.data.vectors import read as vectors
from dmn_cli.errors import DataError, DmnError, ModelError, UsageError
from dmn_cli.evaluation.report import natural
from dmn_cli.files import file_digest
from dmn_cli.notation import load_object, parse_toml
from dmn_cli.reporting.about import about, epochs_of
from dmn_cli.settings.load import load
from dmn_cli.training.run import keep_lines
from dmn_cli.training.to_read import ToRead

GOLDEN = Path(__file__).parent / "golden"
MANY = 10**12
DEEP = 100_000


def refused(read: Callable[[], object], kind: type[DmnError], *said: str) -> None:
    with pytest.raises(kind) as caught:
        read()
    for text in said:
        assert text in str(caught.value)


def changed(path: Path, **values: Any) -> None:
    """Sets keys of a JSON file; those in tables are written a__b."""
    document = json.loads(path.read_bytes())
    for key, value in values.items():
        *tables, last = key.split("__")
        inside = document
        for table in tables:
            inside = inside[table]
        inside[last] = value
    path.write_text(json.dumps(document))


def sealed(folder: Path, summary: str) -> None:
    """Makes its digests right again, as somebody who means harm would."""
    names = json.loads((folder / summary).read_bytes())["sha256"]
    changed(folder / summary, sha256={name: file_digest(folder / name) for name in names})


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return Path(shutil.copytree(GOLDEN / "model-1", tmp_path / "model"))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return Path(shutil.copytree(GOLDEN / "data-1", tmp_path / "data"))


# --- archives


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz", ".zip", ".tar.gz"])
def test_what_expands_to_hundreds_of_times_its_size_is_refused(tmp_path: Path, suffix: str) -> None:
    """Before it is read to its end; a text that is merely dull isn't."""
    path = tmp_path / f"a.txt{suffix}"
    whole = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}

    def made(content: bytes) -> bytes:
        if suffix == ".zip":
            packed = io.BytesIO()
            with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
                for i in range(4):
                    archive.writestr(f"{i}.txt", content[: len(content) // 4])
            return packed.getvalue()
        if suffix == ".tar.gz":
            samples = tools("fuzzing.samples")
            return gzip.compress(samples.tar({"a.txt": content}))
        return whole[suffix](content)

    def read() -> int:
        return sum(len(line) for member in archives.members(path, room=1 << 16) for line in member.lines())

    path.write_bytes(made(b"1 a\n" * (1 << 13)))
    assert read() == 1 << 15
    path.write_bytes(made(b"1 a\n" * (1 << 20)))
    refused(read, DataError, "expands to more than 100 times its size", "unpack it first")


def test_an_xz_that_asks_for_gibibytes_of_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.txt.xz"
    path.write_bytes(tools("fuzzing.lies")._large_dictionary())
    refused(lambda: [list(member.lines()) for member in archives.members(path)], DataError, "Memory usage limit")


def test_a_zip_on_several_disks_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "a.download").write_bytes(tools("fuzzing.lies")._many_disks())
    refused(lambda: archives.names(tmp_path / "a.download"), DataError, "damaged or cut short")


# --- text


@pytest.mark.parametrize(
    "content",
    [
        b".".join([b"a"] * DEEP) + b" = 1",
        b"[" + b" . ".join([b'"a"'] * DEEP) + b"]",
        b"a = " + b"[" * 100 + b"]" * 100,
        b"a = " + b"[" * DEEP,
        b"a = " + b"9" * 5000,
        b"a = [{b = 0x" + b"9" * 5000 + b"}]",
        b"a = '\xff'",
        b"#" * (17 << 20),
    ],
    ids=["dotted", "table", "nested", "deeper", "digits", "hexadecimal", "latin", "long"],
)
def test_toml_that_nobody_writes(content: bytes, tmp_path: Path) -> None:
    for read in (parse_toml, from_toml):
        refused(lambda read=read: read(content, "FILE"), UsageError, "FILE: ")
    (tmp_path / "c.toml").write_bytes(content)
    refused(lambda: load(config=tmp_path / "c.toml"), UsageError, "c.toml: ")


def test_toml_may_have_many_dots() -> None:
    text = f"[t]\nclasses = [[{', '.join(f'{chr(34)}e.g.{i}.{chr(34)}' for i in range(99))}]]"
    assert len(from_toml(text, "FILE")["t"].classes[0]) == 99


def test_a_line_of_json_that_is_very_long() -> None:
    """Parsed, it would take forty times as many bytes."""
    line = b'{"a": [' + b"[]," * (5 << 20) + b"0]}"
    refused(lambda: load_object(line, "{}"), DataError, "is longer than 12 MiB")


def test_a_message_stays_short() -> None:
    error = UsageError("a" * 10**6, where="b" * 10**6, hint="c" * 10**6)
    assert len(str(error)) < 20_000
    assert str(error).startswith("b")
    assert error.message.endswith("a")


def test_a_tree_whose_phrases_have_far_more_words_than_its_line() -> None:
    refused(lambda: sst.parse(b"(2 a " * 50_000 + b")" * 50_000, "FILE:1"), DataError, "FILE:1", "too deep")
    assert len(sst.parse(b"(2 a " * 1000 + b")" * 1000, "FILE:1")) == 1000


@pytest.mark.parametrize(
    "content",
    [
        b'subject\n"' + b"a\n" * (9 << 20),
        b'subject\n"\n' + b',"\n' * (6 << 20),
        b'"' + (b"a" * (1 << 20) + b"\n") * 20,
    ],
    ids=["cell", "cells", "header"],
)
def test_a_row_that_goes_on(content: bytes) -> None:
    def read() -> list[Any]:
        stream = io.BufferedReader(io.BytesIO(content))  # type: ignore[arg-type]
        return list(table_text.TextTable(stream, "t.csv", table_text.Written()).records(["subject"]))

    refused(read, DataError, "t.csv:")


def test_a_parquet_of_a_few_bytes_and_a_gigabyte_of_text(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    parquet.write_table(pa.table({"subject": ["a" * 1000] * 40_000}), path)
    assert path.stat().st_size < 10_000
    table = ParquetTable(path, "t.parquet")
    refused(lambda: list(table.records(["subject"])), DataError, "expands to more than 100 times")


def test_a_table_whose_rows_are_all_held_out() -> None:
    rows = [Row("t.csv", f"t.csv:{i}", [f"text {i}"], ("red",), split) for i, split in enumerate(("test", "valid"))]
    survey = Survey.of(rows, 1)
    survey.divide(0.5, 0.5)
    assert survey.splits.tolist() == [SPLITS.index("test"), SPLITS.index("valid")]


def test_columns_of_which_no_line_is_like_the_others(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"-DOCSTART- -X- O\n\n" * 3)
    sources = tagged.find([path])
    assert "from column 1" in tagged.describe(sources, "upos", "columns")[0]


def test_a_parquet_that_says_a_long_text_again_and_again(tmp_path: Path) -> None:
    """It has the text once: 4 MiB, which are 2 GiB in the rows that are held at a time."""
    path = tmp_path / "t.parquet"
    column = pa.DictionaryArray.from_arrays(pa.array([0] * 512, pa.int32()), pa.array(["a" * (4 << 20)]))
    parquet.write_table(pa.table({"subject": column}), path, compression="zstd", store_schema=False)
    pool, usual = pa.proxy_memory_pool(pa.default_memory_pool()), pa.default_memory_pool()
    pa.set_memory_pool(pool)
    try:
        table = ParquetTable(path, "t.parquet")
        refused(lambda: list(table.records(["subject"])), DataError, "expands to more than 100 times its size")
    finally:
        pa.set_memory_pool(usual)
    assert pool.max_memory() < 100 << 20


def test_a_row_of_very_many_lines() -> None:
    """A quote that isn't closed, and lines so short that each takes more beside its letters."""
    stream = io.BufferedReader(io.BytesIO(b'subject,body\n"' + b"a\n" * (1 << 21)))  # type: ignore[arg-type]
    table = table_text.TextTable(stream, "t.csv", table_text.Written())
    refused(lambda: list(table.records(["subject"])), DataError, "t.csv:2", "1,048,576 lines")


def test_a_parquet_of_very_many_columns(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    parquet.write_table(pa.table({f"c{i}": [1] for i in range(5001)}), path)
    refused(lambda: ParquetTable(path, "t.parquet"), DataError, "more than 5,000 columns")


def test_a_task_with_a_number_of_five_thousand_digits() -> None:
    names = ["qa" + "9" * 5000, "qa10", "qa2", "qa", "qa0"]
    assert sorted(names, key=natural) == ["qa", "qa0", "qa2", "qa10", names[0]]


def test_ten_million_empty_lines_are_no_head_of_tagged_text() -> None:
    lines = iter([b"\n"] * 10**6)
    assert tagged_text.described(lines, "a.txt", sure=False) is None
    assert len([*lines]) > 9 * 10**5


# --- runs


def test_records_of_a_run_that_are_none(model: Path) -> None:
    (model / "reading.json").write_text('{"format_version": 1, "paths": [], "extra_words": 1e400}')
    refused(lambda: ToRead.load(model), ModelError, "reading.json: is damaged")
    (model / "config.json").write_text('{"format_version": 1, "preset": "dmn"}')
    refused(lambda: about(model), ModelError, "config.json: is damaged")
    (model / "metrics.jsonl").write_text('{"epoch": 1}\n[]\n')
    refused(lambda: epochs_of(model), ModelError, "metrics.jsonl:2: is damaged")
    refused(lambda: keep_lines(model / "metrics.jsonl", lambda line: line["loss"] < 1), ModelError, "is damaged")


# --- models


@pytest.mark.parametrize(
    "values",
    [
        {"model__hidden": MANY},
        {"model__hidden": 60_000},
        {"model__passes": MANY},
        {"model__passes": 1000},
        {"model__fusion_layers": MANY},
        {"model__sentence": "gru", "model__characters": MANY},
        {"model__ngrams": 5, "sizes__ngrams": MANY},
        *({"sizes__max_answer_steps": n} for n in (MANY, 0, -1)),
        *({"sizes__word_size": n} for n in (MANY, 10**7, 0, -1)),
        *({"ensemble": n} for n in (1000, 2)),
        {"names": {"kinds": [], "forms": ["\t0.0"], "symmetries": {}}},
        {"names": {"kinds": [{"members": [["a"], ["b"]], "spares": []}], "forms": ["\tx.y"], "symmetries": {}}},
        {"names": {"kinds": [{"members": [["a"], ["b", "c"]], "spares": []}], "forms": [], "symmetries": {}}},
    ],
    ids=str,
)
def test_a_model_that_says_it_is_another(model: Path, values: dict[str, Any]) -> None:
    """It is refused before any memory is asked for."""
    changed(model / "config.json", **values)
    refused(lambda: directory.load(model), ModelError, "the model is damaged")


def test_a_model_whose_weights_are_no_numbers(model: Path) -> None:
    weights = (model / "model.safetensors").read_bytes()
    (model / "model.safetensors").write_bytes(weights[:-4] + struct.pack("<f", float("nan")))
    sealed(model, "config.json")
    refused(lambda: directory.load(model), ModelError, "the model is damaged")


@pytest.mark.parametrize(
    "values",
    [{"words": ["a"]}, {"words": []}, {"words": "abc"}, {"words": [1, None]}, {"answers": [{}]}, {"extra": [1]}],
    ids=str,
)
def test_a_vocabulary_that_is_none(model: Path, data: Path, values: dict[str, Any]) -> None:
    for folder, summary, read, kind in (
        (model, "config.json", directory.load, ModelError),
        (data, "dataset.json", DataSet, DataError),
    ):
        changed(folder / "vocabulary.json", **values)
        sealed(folder, summary)
        refused(partial(read, folder), kind, "vocabulary.json", "not a vocabulary")


@pytest.mark.parametrize("content", [b"[" * DEEP, b"{}", b'{"tasks": {"a": {"accuracy": "x"}}}', b"\xff", b"1e400"])
def test_metrics_that_are_none(model: Path, content: bytes) -> None:
    (model / "metrics.json").write_bytes(content)
    refused(lambda: read_metrics(model), ModelError, "metrics.json", "not the metrics")


def test_a_link_to_what_has_no_end(model: Path) -> None:
    for name in ("model.safetensors", "config.json"):
        (model / name).unlink()
        (model / name).symlink_to("/dev/zero")
        refused(lambda: directory.load(model), ModelError, "is missing" if name[0] == "m" else "no model")


# --- data sets


@pytest.mark.parametrize(
    "values",
    [
        *({"longest_answer": value} for value in (MANY, "a", -1)),
        *({"tasks": value} for value in ([1, None], [], "where")),
        *({"sha256": value} for value in ([], {"../../etc/passwd": "x"}, {"/dev/zero": "x"}, {"\0": "x"})),
        *({"forms": value} for value in ({"a": 3}, [], {"a": {"words": 1, "each": 2}})),
        *({"tokenizer": "spacy"}, {"name": "\ud800"}, {"question": 3}, {"table": 3}, {"symmetries": [1]}),
        *({"unanswerable": value} for value in (3, {"label": []})),
        *({"words": "many"}, {"words": None}, {"questions_with_support": "all"}),
        *({"found_supports": value} for value in (3, [1], {"qa1": "x"}, {"\ud800": 1})),
        *({"ordered_supports": value} for value in (3, {"qa1": 1}, [1], ["\ud800"])),
    ],
    ids=str,
)
def test_a_summary_that_is_none(data: Path, values: dict[str, Any]) -> None:
    """No file is looked for outside of the folder, whatever the summary names."""
    changed(data / "dataset.json", **values)
    refused(lambda: DataSet(data).check(), DataError, "dataset.json: is damaged")


@pytest.mark.parametrize("value", [-1, 1000, 2**31 - 1])
@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("sentences", "words"),
        *(("train", column) for column in ("task", "facts", "questions", "positions", "answers", "supports")),
    ],
)
def test_a_number_that_leads_nowhere(data: Path, name: str, column: str, value: int) -> None:
    path = data / f"{name}.arrow"
    table = pa.ipc.open_file(path.read_bytes()).read_all()
    at, field = table.schema.get_field_index(column), table.schema.field(column)
    rows = table.column(column).to_pylist()
    rows[0] = with_first(rows[0], value if field.type != pa.int16() else min(value, 2**15 - 1))
    write(path, table.set_column(at, field, [pa.array(rows, field.type)]))
    sealed(data, "dataset.json")
    refused(lambda: DataSet(data).split("train"), DataError, f"{name}.arrow: has")


def with_first(value: Any, first: int) -> Any:
    """With another number in the place of the first one, in lists of lists too."""
    return [with_first(value[0] if value else first, first), *value[1:]] if isinstance(value, list) else first


def write(path: Path, table: pa.Table, **options: Any) -> None:
    with pa.ipc.new_file(path, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table)


def test_data_that_are_compressed_or_lack_something(data: Path) -> None:
    """Nothing is decompressed: a few bytes could say that they are gibibytes."""
    path = data / "train.arrow"
    table = pa.ipc.open_file(path.read_bytes()).read_all()
    write(path, table, compression="zstd")
    sealed(data, "dataset.json")
    refused(lambda: DataSet(data).split("train"), DataError, "train.arrow: has something that dmn doesn't write")
    missing = pa.array([None, *table.column("facts").to_pylist()[1:]], table.schema.field("facts").type)
    write(path, table.set_column(1, table.schema.field("facts"), [missing]))
    sealed(data, "dataset.json")
    refused(lambda: DataSet(data).split("train"), DataError, "train.arrow: has something that is missing")


@pytest.mark.parametrize("field", [1, 2], ids=["type", "header"])
@pytest.mark.parametrize("message", [0, 1], ids=["schema", "record batch"])
def test_an_arrow_message_without_what_it_is_about(data: Path, message: int, field: int) -> None:
    """Arrow follows what isn't there, and the process ends."""
    path = data / "train.arrow"
    content = bytearray(path.read_bytes())
    start = 8  # after the magic; a message begins with -1 and how long its flatbuffer is
    for _ in range(message):
        start += 8 + struct.unpack_from("<i", content, start + 4)[0]
    root = start + 8 + struct.unpack_from("<i", content, start + 8)[0]
    vtable = root - struct.unpack_from("<i", content, root)[0]
    struct.pack_into("<H", content, vtable + 4 + 2 * field, 0)
    path.write_bytes(content)
    sealed(data, "dataset.json")
    refused(lambda: DataSet(data).split("train"), DataError, "train.arrow: ")


def test_an_arrow_file_whose_end_says_something_else(data: Path) -> None:
    """What it says isn't read: the data before it are."""
    path = data / "train.arrow"
    sound = DataSet(data).split("train").stories
    content = path.read_bytes()
    (size,) = struct.unpack("<i", content[-10:-6])
    path.write_bytes(content[: -10 - size] + b"\xff" * size + content[-10:])
    sealed(data, "dataset.json")
    assert DataSet(data).split("train").stories == sound


def test_an_arrow_file_that_ends_at_once(data: Path) -> None:
    (data / "train.arrow").write_bytes(b"ARROW1\0\0" + b"\xff\xff\xff\xff\0\0\0\0")
    sealed(data, "dataset.json")
    refused(lambda: DataSet(data).split("train"), DataError, "train.arrow: does not have the columns")


def test_a_vocabulary_that_lacks_a_split(data: Path) -> None:
    counts = json.loads((data / "vocabulary.json").read_bytes())["word_counts"]
    changed(data / "vocabulary.json", word_counts={split: of for split, of in counts.items() if split != "train"})
    sealed(data, "dataset.json")
    refused(lambda: DataSet(data), DataError, "vocabulary.json", "each split")


def test_vectors_that_are_none(data: Path) -> None:
    import numpy as np
    from safetensors.numpy import save

    ids, vectors = np.arange(3, dtype=np.int32), np.ones((3, 4), np.float32)
    for wrong in (
        {"ids": ids + 10**6, "vectors": vectors},
        {"ids": ids - 1, "vectors": vectors},
        {"ids": ids[:2], "vectors": vectors},
        {"ids": ids, "vectors": vectors * np.float32("nan")},
        {"ids": ids, "vectors": vectors[:, :0]},
        {"ids": ids, "vectors": vectors.astype(np.float64)},
    ):
        (data / "vectors.safetensors").write_bytes(save(wrong))
        sealed(data, "dataset.json")
        refused(lambda: DataSet(data).vectors, DataError)


# --- word vectors


@pytest.mark.parametrize("code", [b"\x80\x05\x96", b"\x80\x04\x8e", b"\x80\x04\x95"], ids=["array", "bytes", "frame"])
def test_a_pickle_that_announces_gibibytes(tmp_path: Path, code: bytes) -> None:
    """Room is made for what is there alone."""
    (tmp_path / "v.kv").write_bytes(code + struct.pack("<Q", 1 << 30) + b"few")
    tracemalloc.start()
    try:
        refused(lambda: vectors.read(str(tmp_path / "v.kv"), ["a"]), DataError, "v.kv")
        assert tracemalloc.get_traced_memory()[1] < 1 << 26
    finally:
        tracemalloc.stop()


# --- texts that were read


@pytest.mark.parametrize("name", ["words.bin", "sentences.bin", "steps.bin"])
def test_a_text_whose_numbers_lead_nowhere(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.txt").write_text("one two three\nfour five\nsix\n")
    made = prepare(tmp_path / "text", [tmp_path / "a.txt"], Whitespace()).path
    content = (made / name).read_bytes()
    for wrong in (b"\xff" * len(content), content[:4] + b"\xff" * (len(content) - 4)):
        (made / name).write_bytes(wrong)
        refused(lambda: Text(made), DataError, name, "is damaged")


# --- a few of the inputs of tools/fuzz.py


def tools(name: str) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parent.parent / "tools")
        return importlib.import_module(name)
