"""Inputs written by hand: headers that lie, bombs, depths, names that lead elsewhere; made when they are asked for."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import pickle
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from functools import partial
from typing import Any

from fuzzing import samples
from fuzzing.samples import Files

Lie = Callable[[], Files]
MANY = 10**12
_DEEP = 100_000
_WIDE = 1_000_000
_LONG = 100 << 20


def one(name: str, make: Callable[[], bytes]) -> Lie:
    return lambda: {name: make()}


def texts(name: str) -> list[Lie]:
    """What any file of lines may be."""
    deep, long = b"[" * _DEEP, 32 << 20
    return [
        one(name, lambda: b""),
        one(name, lambda: b"\0" * 10_000),
        one(name, lambda: b"a" * _LONG),
        one(name, lambda: b"a b\t" * (_LONG // 4)),
        one(name, lambda: b"\n" * (8 << 20)),
        one(name, lambda: b'"' * long),
        one(name, lambda: b"(" * _DEEP + b"a" + b")" * _DEEP),
        one(name, lambda: b"(2 " * _DEEP + b"a" + b")" * _DEEP),
        one(name, lambda: b"1 " * _WIDE + b"\n"),
        one(name, lambda: b",".join(b"%d" % i for i in range(_WIDE)) + b"\n" + b"," * _WIDE),
        one(name, lambda: b"," * (48 << 20)),
        one(name, lambda: b"ab," * (16 << 20)),
        one(name, lambda: deep),
        one(name, lambda: deep + b"]" * _DEEP),
        one(name, lambda: b'{"a":' * _DEEP + b"1" + b"}" * _DEEP),
        one(name, lambda: b"\xff\xfe" + b"a\0" * 1000),
        one(name, lambda: b"\xef\xbb\xbf" * 3 + b"a"),
        one(name, lambda: b"!" * 500_000 + b"\n"),
        one(name, lambda: b"a.b!c?" * 100_000 + b"\n"),
        one(name, lambda: b"http://" * 20_000 + b"\n"),
        one(name, lambda: "\u0301".encode() * 100_000 + b"\n"),
        one(name, lambda: b"9" * 100_000 + b" " + b"9" * 100_000 + b"\n"),
        one(name, lambda: b"1e400 NaN -inf 1_0\n"),
        one(name, lambda: b"a\r" * 100_000),
        one(name, lambda: "a\u2028b\u0085c\x0b\x0c\x1c\x1d".encode() * 1000 + b"\n"),
    ]


def long_lines(name: str, unit: bytes, times: int, before: bytes = b"", after: bytes = b"\n") -> Lie:
    return one(name, lambda: before + unit * times + after)


def json_lines(name: str) -> list[Lie]:
    begin, end = b'{"story": ["a b."], "question": "q?", "answer": "a", "x": ', b"}\n"
    return [
        long_lines(name, b"[],", 5 << 20, begin + b"[", b"0]" + end),
        long_lines(name, b"[],", 20 << 20, begin + b"[", b"0]" + end),
        long_lines(name, b"{},", 5 << 20, begin + b"[", b"0]" + end),
        long_lines(name, b'"a",', 5 << 20, b'{"question": "q?", "answer": "a", "story": [', b'"b"]' + end),
        long_lines(name, b"a. ", 5 << 20, b'{"question": "q?", "answer": "a", "story": "', b'"' + end),
        long_lines(name, b"[", _DEEP, begin, end),
        long_lines(name, b"9", 5000, begin, end),
        long_lines(name, b"9", 5000, b'{"story": ["a b."], "question": "q?", "id": 1, "answer": ', end),
        long_lines(name, b"9", 4000, b'{"story": ["a b."], "question": "q?", "id": ', b', "answer": 1' + end),
        long_lines(name, b"", 1, b'{"story": ["a b."], "question": "q?", "answer": "a", "support": [1e400]', end),
        long_lines(name, b"", 1, b'{"story": ["a b."], "question": "q?", "answer": NaN, "id": NaN', end),
        long_lines(name, b"", 1, b'{"story": ["a b."], "question": "q?", "answer": "a", "answer": ["\\ud800"]', end),
        long_lines(name, b"", 1, b'{"story": ["\\ud83d"], "question": "\\ude00", "answer": "a"', end),
        long_lines(name, b"", 1, b'{"story": ["\\u0000"], "question": "\\u0000", "answer": "\\u0000"', end),
        long_lines(name, b"", 1, b'{"story": [" "], "question": "\\u2028", "answer": "\\t"', end),
        one(name, lambda: b'{"story": ["a b."], "question": "q?", "answer": "a"}' * 2),
        one(
            name,
            lambda: b"\n".join(
                b'{"story": ["a."], "question": "q?", "answer": "a", "id": %d}' % (i % 9) for i in range(99)
            ),
        ),
    ]


def trees(name: str) -> list[Lie]:
    """Whose phrases together have far more words than the line."""
    return [
        *texts(name),
        one(name, lambda: b"(2 a " * 50_000 + b")" * 50_000),
        one(name, lambda: b"(2 " * 150_000 + b"a " * 200_000 + b")" * 150_000),
        one(name, lambda: (b"(2 a " * 2000 + b")" * 2000 + b"\n") * 50),
    ]


def pictures() -> list[Lie]:
    """Of sizes that nobody has, that expand without end, and names that lead elsewhere."""

    def named(name: str, make: Callable[[], bytes]) -> Lie:
        return lambda: {"a.jsonl": samples.about(name), name: make()}

    def led(name: str) -> Lie:
        return lambda: {"a.jsonl": samples.about(name)}

    sizes = ((30_000, 30_000), (2**31 - 1, 2**31 - 1), (8192, 8192), (0, 5), (1, 2**26))
    return [
        *(named("a.png", partial(_png, *size)) for size in sizes),
        named("a.png", lambda: _png(4, 4, b"\0" * 200_000_000)),
        named("a.png", lambda: _png(4, 4, extra=_chunk(b"zTXt", b"a\0\0" + zlib.compress(b"\0" * 200_000_000)))),
        named("a.png", lambda: _png(4, 4, extra=_chunk(b"iCCP", b"a\0\0" + zlib.compress(b"\0" * 200_000_000)))),
        named(
            "a.gif", lambda: b"GIF89a" + struct.pack("<HH", 65535, 65535) + b"\0\0\0,\0\0\0\0\xff\xff\xff\xff\0\x02\0;"
        ),
        named(
            "a.bmp", lambda: b"BM" + struct.pack("<IIIIiiHHIIIIII", 99, 0, 54, 40, 2**31 - 1, -(2**31), 1, 24, *[0] * 6)
        ),
        named("a.ppm", lambda: b"P6 1000000 1000000 255\n"),
        named("a.ppm", lambda: b"P5 8000 8000 65535\n"),
        named("a.tif", lambda: b"II*\0\x08\0\0\0\x01\0" + struct.pack("<HHII", 256, 4, MANY % 2**32, 8) + b"\0" * 4),
        named("a.jpg", lambda: b"\xff\xd8\xff\xc0\0\x11\x08" + struct.pack(">HH", 65535, 65535) + b"\x03\1\x11\0" * 3),
        named("f.npy", lambda: _npy(f"({MANY}, {MANY}, 3)")),
        named("f.npy", lambda: _npy("(3, 3, 1)", "|O")),
        named("f.npy", lambda: _npy("()")),
        named("f.safetensors", lambda: struct.pack("<Q", MANY)),
        *map(
            led,
            ("../../../etc/passwd", "/dev/zero", "/dev/stdin", ".", "", "a" * 5000, "a\0b", "\ud800.png", "a.jsonl"),
        ),
    ]


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _png(width: int, height: int, pixels: bytes = b"\0" * 99, *, extra: bytes = b"") -> bytes:
    head = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + extra + _chunk(b"IDAT", zlib.compress(pixels)) + _chunk(b"IEND", b"")


def tomls(name: str) -> list[Lie]:
    dotted = b".".join([b"a"] * _DEEP)
    return [
        one(name, lambda: dotted + b" = 1"),
        one(name, lambda: b"[" + dotted + b"]\n"),
        one(name, lambda: b"\n".join(b"[" + b".".join([b"a"] * 200) + b".b%d]" % i for i in range(5000))),
        one(name, lambda: b"a = " + b"[" * 900 + b"]" * 900),
        one(name, lambda: b"[model]\npasses = " + b"[" * 300 + b"]" * 300),
        one(name, lambda: b"a = " + b"[" * _DEEP + b"]" * _DEEP),
        one(name, lambda: b"a = " + b"{b = " * _DEEP + b"1" + b"}" * _DEEP),
        one(name, lambda: b"a = " + b"9" * 5000),
        one(name, lambda: b"[model]\npasses = " + b"9" * 4000),
        one(name, lambda: b"[model]\nhidden = 1000000000000\npasses = 1000000000000\n"),
        one(name, lambda: b"[model]\ndropout = nan\n[training]\nlearning_rate = inf\n"),
        one(name, lambda: b"[training]\nlearning_rate = 1e400\nl2 = -0.0\nseed = -1\n"),
        one(name, lambda: b"preset = '../../up'\n"),
        one(name, lambda: b'preset = "\\u0000"\n'),
        one(name, lambda: b"preset = " + b'"' + b"a" * 100_000 + b'"\n'),
        one(name, lambda: b"[model]\nnetwork = []\n"),
        one(name, lambda: b"model = 3\ntraining = []\nreading = 1979-05-27\n"),
        one(name, lambda: b"[[model]]\npasses = 3\n"),
        one(name, lambda: b'"" = 1\n"model.passes" = 2\n"\\u0000" = 3\n'),
        one(name, lambda: b"[qa1]\nclasses = " + b"[" * 500 + b"]" * 500),
        one(name, lambda: b"[qa1]\nswaps = [" + b"{a = {b = " * 200 + b"1" + b"}}" * 200 + b"]"),
        one(name, lambda: b"[qa1]\nclasses = [[" + b",".join(b'"w%d"' % i for i in range(100_000)) + b"]]\n"),
        one(name, lambda: b"".join(b"[t%d]\n" % i for i in range(50_000))),
    ]


def bomb(times: int = 64, unit: bytes = b"\0" * (16 << 20), compress: Any = None) -> bytes:
    """`times` units, compressed: a gibibyte of zeros by default, which is made without being held."""
    squeezing = compress or zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join([*(squeezing.compress(unit) for _ in range(times)), squeezing.flush()])


def bombs(stem: str) -> list[Lie]:
    """Compressed files that are a gibibyte of one line, or of short ones, and lie about it."""
    lines = b"1 a b\n" * (1 << 21)
    return [
        one(f"{stem}.gz", bomb),
        one(f"{stem}.bz2", lambda: bomb(8, compress=bz2.BZ2Compressor())),
        one(f"{stem}.xz", lambda: bomb(16, compress=lzma.LZMACompressor(preset=0))),
        one(f"{stem}.gz", lambda: bomb(16, lines)),
        one(f"{stem}.bz2", lambda: bomb(4, lines, bz2.BZ2Compressor())),
        one(f"{stem}.xz", lambda: bomb(8, lines, lzma.LZMACompressor(preset=0))),
        one(f"{stem}.gz", lambda: bomb(20, b"\n" * (8 << 20))),
        one(f"{stem}.gz", lambda: gzip.compress(gzip.compress(gzip.compress(b"a\n" * 1000)))),
        one(f"{stem}.gz", lambda: gzip.compress(b"a\n")[:-4] + b"\xff\xff\xff\x7f"),
        one(f"{stem}.xz", lambda: lzma.compress(b"a\n", preset=9 | lzma.PRESET_EXTREME)),
        one(f"{stem}.xz", _large_dictionary),
        one(f"{stem}.gz", lambda: gzip.compress(b"a\n") * 2000),
        one(f"{stem}.gz", lambda: b"\x1f\x8b\x08\x1c" + b"\0" * 6 + b"\xff\xff" + b"n" * 70_000),
    ]


def _large_dictionary() -> bytes:
    """An xz of a few bytes whose header asks for a dictionary of 4 GiB."""
    data = bytearray(lzma.compress(b"a\n" * 100))
    at = 12  # the block's header: its size, flags, filter's id, size of its properties, dictionary, padding, checksum
    size = (data[at] + 1) * 4
    data[at + bytes(data[at : at + size]).index(b"\x21\x01") + 2] = 40
    data[at + size - 4 : at + size] = struct.pack("<I", zlib.crc32(data[at : at + size - 4]))
    return bytes(data)


def _tar(*members: tuple[str, dict[str, Any], bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, fields, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            for key, value in fields.items():
                setattr(info, key, value)
            archive.addfile(info, io.BytesIO(content))
    return packed.getvalue()


def _long_header(size: int, kind: bytes) -> bytes:
    info = tarfile.TarInfo("x")
    info.size, info.type = size, kind
    return info.tobuf(tarfile.GNU_FORMAT)


def _zip(*members: tuple[str, bytes], **fields: int) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            info = zipfile.ZipInfo(name)
            for key, value in fields.items():
                setattr(info, key, value)
            archive.writestr(info, content, zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def _overlapping(names: int) -> bytes:
    """Members that all are the same bytes of the file (Fifield 2019)."""
    data = _zip(("a.txt", b"1 a\n" * (1 << 20)))
    end = data.rindex(b"PK\x05\x06")
    directory = data.index(b"PK\x01\x02")
    record = data[directory:end]
    tail = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, names, names, len(record) * names, directory, 0)
    return data[:directory] + record * names + tail


def archives() -> list[Lie]:
    links = [
        ("train.txt", {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"}, b""),
        ("dev.txt", {"type": tarfile.LNKTYPE, "linkname": "../../../../etc/passwd"}, b""),
        ("pipe.txt", {"type": tarfile.FIFOTYPE}, b""),
        ("null.txt", {"type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 5}, b""),
        ("../../../up.txt", {}, b"1 a\n"),
        ("/etc/cron.d/x.txt", {}, b"1 a\n"),
        ("a/../../up.txt", {}, b"1 a\n"),
        ("..\\up.txt", {}, b"1 a\n"),
        ("good.txt", {}, b"1 a\n"),
    ]
    linked = {"external_attr": 0o120777 << 16}
    return [
        *bombs("a.tar"),
        *bombs("a.txt"),
        one("a.tar", lambda: _tar(*links)),
        one("a.tar.gz", lambda: gzip.compress(_tar(*links))),
        one("a.zip", lambda: _zip(*((name, content) for name, _, content in links))),
        one("a.zip", lambda: _zip(("link.txt", b"/etc/passwd"), **linked)),
        one("a.zip", lambda: _zip(("a\0b.txt", b"1 a\n"), ("é.txt", b"x"), ("a.txt", b"y"), ("a.txt", b"z"))),
        one("a.zip", lambda: _overlapping(1000)),
        one("a.zip", lambda: _zip(("a.txt", b"\0" * (1 << 28)))),
        one("a.zip", lambda: _zip(*((f"{i}.txt", b"1 a\n" * (1 << 20)) for i in range(64)))),
        one("a.zip", lambda: _zip(*((f"{i}.txt", b"") for i in range(60_000)))),
        one("a.zip", lambda: _many_disks()),
        one("a.download", lambda: _many_disks()),
        one("a.zip", lambda: _zip(("a.txt", b"1 a\n")).replace(b"\x04\0\0\0", b"\xff\xff\xff\x7f")),
        one("a.zip", lambda: _zip(("a.txt", b"1 a\n")).replace(b"\x04\0\0\0", b"\xff\xff\xff\xff")),
        one("a.tar", lambda: _long_header(2 << 30, tarfile.GNUTYPE_LONGNAME)),
        one("a.tar", lambda: _long_header(2 << 30, tarfile.XHDTYPE)),
        one("a.tar", lambda: b"x" * 512),
        one("a.tar", lambda: (_long_header(512, tarfile.GNUTYPE_LONGNAME) + b"n" * 512) * 5000),
        one("a.tar", lambda: (_long_header(512, tarfile.XHDTYPE) + b"11 path=ab\n".ljust(512, b"\0")) * 5000),
        one("a.tar", lambda: _pax(b"size=-1") + samples.tar({"a.txt": b"x"})),
        one("a.tar", lambda: _pax(b"size=1000000000000000") + samples.tar({"a.txt": b"x"})),
        one("a.tar", lambda: _pax(b"GNU.sparse.size=1000000000000") + samples.tar({"a.txt": b"x"})),
        one("a.tar", lambda: _pax(b"path=../../up.txt") + samples.tar({"a.txt": b"x"})),
        one("a.tar", lambda: samples.tar({f"{i}.txt": b"" for i in range(20_000)})),
        one("a.tar", lambda: _sparse()),
    ]


def _pax(record: bytes) -> bytes:
    line = b"%d %b\n" % (len(record) + 2 + len(str(len(record) + 4)), record)
    return _long_header(len(line), tarfile.XHDTYPE) + line.ljust(512, b"\0")


def _sparse() -> bytes:
    info = tarfile.TarInfo("a.txt")
    info.type, info.size = tarfile.GNUTYPE_SPARSE, 0
    block = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    block[386:410] = b"00000000000\x0000000000000\0"
    block[483:495] = b"77777777777\0"
    block[148:156] = b"        "
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block) + b"\0" * 1024


def _many_disks() -> bytes:
    """The locator of a Zip64 that says it lies on several disks."""
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 7, 0, 9)
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return b"1 a\n" * 50 + locator + end


def vectors() -> list[Lie]:
    name = "v.txt"
    return [
        *texts(name),
        one(name, lambda: b"999999999999 3\nmary 1 2 3\n"),
        one(name, lambda: b"99999999999 65536\nmary 1 2 3\n"),
        one(name, lambda: b"2000000000 300\n\x01 \xff\0\0"),
        one(name, lambda: b"1 999999999999\nmary 1\n"),
        one(name, lambda: b"3 65536\nmary \0\0\0\xff" + b"\0" * 100),
        one(name, lambda: b"0 0\n"),
        one(name, lambda: b"-1 3\nmary 1 2 3\n"),
        one(name, lambda: b"1 3\nmary 1e400 nan -inf\n"),
        one(name, lambda: b"mary 1e400 nan -inf\n"),
        one(name, lambda: b"4 3\n" + b"\xff" * (1 << 20)),
        one(name, lambda: b"mary" + b" 0.5" * 65536 + b"\n"),
        one(name, lambda: b"mary" + b" 0.5" * 65537 + b"\n"),
        one(name, lambda: (b"mary" + b" 0.5" * 1000 + b"\n") * 500),
        one(name, lambda: b"1 3\n" + b"mary" * 20000 + b" 1 2 3\n"),
        *bombs("v.txt"),
        *(one("v.kv", partial(_pickled, code)) for code in _PICKLES),
        lambda: {"v.kv": samples.saved_vectors()[-1]["v.kv"], "v.kv.vectors.npy": _npy("(1000000000000, 3)")},
        lambda: {"v.kv": samples.saved_vectors()[-1]["v.kv"], "v.kv.vectors.npy": _npy("(-3, -1)")},
        lambda: {"v.kv": samples.saved_vectors()[-1]["v.kv"], "v.kv.vectors.npy": _npy("(3,)", "|O")},
        lambda: {"v.kv": samples.saved_vectors()[-1]["v.kv"], "v.kv.vectors.npy": _npy("(" * 200 + ")" * 200)},
        one("v.kv", lambda: pickle.dumps(_Runs())),
    ]


class _Runs:
    """Would run a command."""

    def __reduce__(self) -> Any:
        import os

        return os.system, ("touch /tmp/dmn-was-here",)


_PICKLES = (
    *(b"\x80\x04\x8e" + struct.pack("<Q", n) for n in (1 << 62, 2 << 30, 1 << 30)),
    *(b"\x80\x05\x96" + struct.pack("<Q", n) for n in (1 << 62, 2 << 30, 1 << 30)),
    *(b"\x80\x04\x95" + struct.pack("<Q", n) for n in (1 << 62, 2 << 30)),
    b"\x80\x02\x8b" + struct.pack("<i", 2**31 - 1),
    b"\x80\x02\x8b" + struct.pack("<i", -1),
    b"\x80\x02X" + struct.pack("<I", 2**31 - 1),
    b"\x80\x02r" + struct.pack("<I", 2**32 - 1),
    b"I" + b"9" * 100_000 + b"\n.",
    b"\x80\x02" + b"]" * 1_000_000 + b".",
    b"\x80\x02" + b"](" * 10_000 + b"e" * 10_000 + b".",
    b"\x80\x02]" + b"(h\0h\0h\0h\0e" * 3 + b".",
    b"cos\nsystem\n(S'touch /tmp/dmn-was-here'\ntR.",
    b"cbuiltins\neval\n(S'1'\ntR.",
    b"\x80\x02\x82\x01.",
    b"Pid\n.",
)


def _pickled(code: bytes) -> bytes:
    return code if code[:1] == b"\x80" else b"\x80\x02" + code


def _npy(shape: str, kind: str = "<f4") -> bytes:
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + b"\0" * 36


def parquets() -> list[Lie]:
    return [
        one("t.parquet", lambda: b"PAR1" + b"\xff" * 100 + struct.pack("<I", 2**31 - 1) + b"PAR1"),
        one("t.parquet", lambda: b"PAR1" + struct.pack("<I", 0) + b"PAR1"),
        one("t.parquet", lambda: b"PAR1"),
        one("t.parquet", partial(_parquet, {"subject": ["a" * 1000] * 1_000_000})),
        one("t.parquet", partial(_parquet, {"subject": ["a" * (1 << 24)] * 60})),
        one("t.parquet", partial(_parquet, {"subject": [[["a"]]] * 3, "extra": [{"a": 1}] * 3})),
        one("t.parquet", partial(_parquet, {"subject": [b"\xff\0"] * 3})),
        one("t.parquet", partial(_parquet, {f"c{i}": ["a"] for i in range(20_000)})),
        one("t.parquet", partial(_parquet, {"subject": ["a"] * 5_000_000})),
    ]


def _parquet(columns: dict[str, Any]) -> bytes:
    import pyarrow as pa
    from pyarrow import parquet as pq

    rows = len(next(iter(columns.values())))
    usual = {"subject": ["a"], "body": ["b"], "label": ["c"], "split": ["train"]}
    whole = {name: pa.array(values * rows) for name, values in usual.items()} | {
        n: pa.array(v) for n, v in columns.items()
    }
    packed = io.BytesIO()
    pq.write_table(pa.table(whole), packed, compression="zstd", row_group_size=1 << 22)
    del whole
    pa.default_memory_pool().release_unused()  # or Arrow would read it in memory that it has kept
    return packed.getvalue()


def changed(files: Files, name: str, /, **values: Any) -> Files:
    """A folder with a JSON file in which some keys, dotted, have other values."""
    document = json.loads(files[name])
    for key, value in values.items():
        *path, last = key.split("__")
        inside = document
        for part in path:
            inside = inside[part]
        inside[last] = value
    return {**files, name: json.dumps(document).encode()}


def models(files: Files) -> list[Lie]:
    config = partial(changed, files, "config.json")
    weights = files["model.safetensors"]
    header = json.loads(weights[8 : 8 + struct.unpack("<Q", weights[:8])[0]])
    first = next(name for name in header if name != "__metadata__")

    def lying(**fields: Any) -> bytes:
        said = json.dumps({**header, first: {**header[first], **fields}}).encode()
        return struct.pack("<Q", len(said)) + said + weights[8 + struct.unpack("<Q", weights[:8])[0] :]

    heavy = [
        *({"model__hidden": n} for n in (MANY, 100_000, 10**400, 0, -1, 1e400)),
        *({"model__passes": n} for n in (MANY, 10**7, 10**5)),
        *({"sizes__max_answer_steps": n} for n in (MANY, 10**8, 0, -1)),
        *({"sizes__word_size": n} for n in (MANY, 10**7, 0, -1)),
        *({"model__fusion_layers": n} for n in (MANY, 10**6)),
        *({"model__characters": n, "model__sentence": "gru"} for n in (MANY, 10**6)),
        *({"model__ngrams": 5, "sizes__ngrams": n} for n in (MANY, 10**9)),
        *({"ensemble": n} for n in (MANY, 1000, 0, -1, True)),
        {"temperature": 1e400},
        {"format_version": 1e400},
        {"format_version": -1},
        {"model__network": "../../x"},
        {"tokenizer__kind": "spacy", "tokenizer__language": "../../x"},
        {"tokenizer__language": "os"},
        {"tokenizer": {"kind": "sentencepiece", "language": "en", "sha256": "x"}},
        {"names": {"kinds": [], "forms": ["\t0.0"], "symmetries": {}}},
        {
            "names": {
                "kinds": [{"members": [["a"]], "spares": [["\t9.9"]]}],
                "forms": ["\tx.y", "\t9.9 a"],
                "symmetries": {},
            }
        },
        {"question": "\ud800"},
        {"table": {"input": ["\ud800"], "separator": ""}},
        {"forms": {"": {"words": 1, "each": 2}}},
        {"preset": "../../etc/passwd"},
        {"preset": [1]},
        {"read": {"a": 1}},
        {"tasks": "abc"},
        {"sha256__../../../etc/passwd": "x"},
    ]
    bad = [lying(shape=[MANY, 3]), lying(shape=[-1]), lying(data_offsets=[0, MANY]), lying(data_offsets=[8, 0])]
    bad += [lying(data_offsets=[0, 4]), lying(dtype="I8"), lying(dtype="F64"), struct.pack("<Q", 2 << 30) + b"{}"]
    bad += [struct.pack("<Q", 2**64 - 1) + weights[8:], weights[:8] + b"[" * len(weights[8:]), weights + b"\0"]
    bad += [weights[:-4] + b"\0\0\xc0\x7f"]
    made: list[Lie] = [partial(config, **one) for one in heavy]
    made += [lambda b=b: {**files, "model.safetensors": b} for b in bad]
    made += [
        lambda name=name, content=content: {**files, name: content}
        for name in ("config.json", "vocabulary.json", "metrics.json", "rules.json", "golden.jsonl")
        for content in (
            b"",
            b"[" * _DEEP,
            b"{}",
            b"[]",
            b"null",
            b'{"format_version": 1}',
            b'{"format_version": 1e400}',
        )
    ]
    made += [
        partial(changed, files, "vocabulary.json", words=words, answers=answers)
        for words, answers in ((["a"], ["b"]), ([], []), ([1, None], [{}]), ("abc", "def"), (["\ud800"] * 9, ["x"] * 9))
    ]
    return made


def data_sets(files: Files) -> list[Lie]:
    summary = partial(changed, files, "dataset.json")
    lies: list[Lie] = [
        partial(summary, **one)
        for one in (
            {"longest_answer": MANY},
            {"longest_story": MANY},
            {"longest_answer": "a"},
            {"tasks": [1, None]},
            {"tasks": []},
            {"tasks": ["qa1"] * 9},
            {"sha256": []},
            {"sha256__../../../../etc/passwd": "x"},
            {"sha256__/dev/zero": "x"},
            {"sha256__\0": "x"},
            {"forms": {"a": 3}},
            {"forms": []},
            {"tokenizer": "spacy"},
            {"tokenizer": {"kind": "spacy"}},
            {"tokenizer": {"kind": [], "language": {}}},
            {"symmetries": [1]},
            {"symmetries": {"qa1": {"classes": [[["a"], ["b"]]], "swaps": [[["a", "c"]]]}}},
            {"unanswerable": 3},
            {"unanswerable": {"label": []}},
            {"question": 3},
            {"table": 3},
            {"name": "\ud800"},
            {"name": "../../up"},
        )
    ]
    lies += [
        lambda name=name, content=content: {**files, name: content}
        for name in files
        for content in (b"", b"[" * _DEEP, b"null", b"ARROW1\0\0" + b"\xff" * 64 + b"ARROW1")
    ]
    lies += [
        partial(changed, files, "vocabulary.json", words=words, answers=answers)
        for words, answers in ((["a"], ["b"]), ([], []), ([1, None], [{}]), ("abc", "def"))
    ]
    lies += [
        partial(changed, files, "vocabulary.json", word_counts=n) for n in ({}, [], {"train": "a"}, {"train": [MANY]})
    ]
    lies += [
        partial(_arrow_lies, files, name, way)
        for name in ("sentences.arrow", "train.arrow", "test.arrow")
        for way in range(4)
    ]
    return lies


def _arrow_lies(files: Files, name: str, way: int) -> Files:
    """Compressed with a size that lies; without rows; a row a batch; a batch with a length that lies."""
    import pyarrow as pa

    table = pa.ipc.open_file(files[name]).read_all()
    out = io.BytesIO()
    options = pa.ipc.IpcWriteOptions(compression="zstd" if way == 0 else None)
    table = table.slice(0, 0) if way == 1 else table
    with pa.ipc.new_file(out, table.schema, options=options) as writer:
        writer.write_table(table, max_chunksize=1 if way == 2 else None)
    data = out.getvalue()
    if way in (0, 3):
        count = struct.pack("<q", table.num_rows)
        data = data.replace(count, struct.pack("<q", MANY))
    return {**files, name: data}


def runs(files: Files) -> list[Lie]:
    data = partial(changed, files, "data.json")
    made: list[Lie] = [
        partial(data, data=value)
        for value in (
            [{"name": "a", "path": "\0", "fingerprint": "x"}],
            [{"name": "a", "path": "/dev", "fingerprint": "x"}],
            [{"name": "a", "path": "a" * 10_000, "fingerprint": "x"}],
            [{"name": "\ud800", "path": "\ud800", "fingerprint": None}],
            [{"name": [], "path": 3, "fingerprint": {}}],
            {"name": 1},
            [[]],
        )
    ]
    empty = b'{"format_version": 1}'
    wrong = (b"", b"[" * _DEEP, b"null", b"[]", empty, b'{"epoch": 1}\n', b'"a"\n[]\n', b"\xff\n", b"1e400\n")
    made += [lambda name=name, content=content: {**files, name: content} for name in _OF_RUNS for content in wrong]
    return made


_OF_RUNS = (
    *("config.toml", "data.json", "metrics.jsonl", "seeds.json", "tune.json", "trials.jsonl", "reading.json"),
    *("checkpoints/last.pt", "checkpoints/start.safetensors", "model/metrics.json"),
)


def tables(name: str) -> list[Lie]:
    head = b"subject,body,label,split\n"
    return [
        one(name, lambda: head + b'"' + b"a\n" * (16 << 20)),
        one(name, lambda: head + b'"\n",' * (8 << 20)),
        one(name, lambda: b'"\n' * 100 + b"a" * (48 << 20)),
        one(name, lambda: b'"' + (b"a" * (1 << 20) + b"\n") * 150),
        one(name, lambda: b",".join([b"subject"] * _WIDE) + b"\n"),
        one(name, lambda: b"sep=\n"),
        one(name, lambda: b"sep=;\nsep=;\nsubject;body;label;split\n"),
        one(name, lambda: b'sep="\nsubject"body"label"split\na"b"c"train\n'),
        one(name, lambda: head + b"a,b,c," + b"train" * 200_000 + b"\n"),
        one(name, lambda: head + b"a,b," + b";" * (4 << 20) + b",train\n"),
        one(name, lambda: head + b"\0,\0,\0,train\n"),
        one(name, lambda: b"\xff\xfe" + head.decode().encode("utf-16-le") + b"\0\xd8" * 9 + b"\n\0"),
        one(name, lambda: b"\xfe\xff\0"),
    ]
