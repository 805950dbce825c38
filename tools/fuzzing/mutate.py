"""What becomes of sound bytes: damage, cuts, and values that nobody expects. All of it follows from the random numbers.

Bytes are changed blindly; JSON, safetensors and Arrow are also taken apart, changed and put together again, so that
what is wrong isn't only the wrapping. A tar's checksums are made right afterwards.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

Change = Callable[[bytes, Random], bytes]

_NUMBERS = (
    *(b"0", b"-1", b"1e400", b"-1e400", b"NaN", b"Infinity", b"1000000000000", b"9223372036854775808", b"4294967295"),
    *(b"2147483647", b"-2147483648", b"0.00000001", b"1e-400", b"00", b"0x10", b"1_0", b"9" * 5000),
)
_TEXTS = (
    *(b"\0", b"\xff\xfe", b"\xed\xa0\x80", b"\\ud800", "\u2028".encode(), "\u0085".encode(), b"\r", b"\n", b"\n\n"),
    *(b"\t", b" ", b"  ", b'"', b"'", b"\\", b"[", b"]", b"{", b"}", b"(", b")", b",", b":", b"=", b"#", b"/", b"_"),
    *(b"../", b"/etc/passwd", b"null", b"true", b"{}", b"[]", b'""', b"%s", b"<unk>", b"<end>", b"\xef\xbb\xbf"),
    *("é".encode(), "٣".encode(), "İ".encode(), "\U0001f600".encode(), "e\u0301".encode(), b"\x1b[31m", b"!" * 300),
)
_INTEGERS = (0, 1, -1, 127, 128, 255, 65535, 2**31 - 1, -(2**31), 2**32 - 1, 2**40, 2**63 - 1, -(2**63))
_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2, 1.5, 10**12, 2**31, 2**63, -(2**63), 10**400, float("nan"), float("inf")),
    *("", " ", "\0", "\ud800", "\t0.0", "../../up", "/dev/zero", "a" * 3000, "auto", "dmn"),
    *([], [[]], [None], [0], [""], {}, {"": {}}, {"a": None}, [1, "a"], [[["a"]]]),
)
_NUMBER = re.compile(rb"-?\d+(\.\d+)?")
_DEEP = 3000  # more than Python's stack takes


def flip(data: bytes, random: Random) -> bytes:
    out = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 8))):
        if out:
            out[random.randrange(len(out))] ^= 1 << random.randrange(8)
    return bytes(out)


def overwrite(data: bytes, random: Random) -> bytes:
    start, end = _span(data, random)
    return data[:start] + random.randbytes(end - start) + data[end:]


def cut(data: bytes, random: Random) -> bytes:
    return data[: random.randrange(len(data) + 1)]


def remove(data: bytes, random: Random) -> bytes:
    start, end = _span(data, random)
    return data[:start] + data[end:]


def repeat(data: bytes, random: Random) -> bytes:
    start, end = _span(data, random)
    return data[:end] + data[start:end] * random.choice((1, 2, 50, 1000)) + data[end:]


def swap(data: bytes, random: Random) -> bytes:
    a, b = sorted(_span(data, random) for _ in range(2))
    if a[1] > b[0]:
        return data
    return data[: a[0]] + data[b[0] : b[1]] + data[a[1] : b[0]] + data[a[0] : a[1]] + data[b[1] :]


def put_text(data: bytes, random: Random) -> bytes:
    at = random.randrange(len(data) + 1)
    return data[:at] + random.choice(_TEXTS) * random.choice((1, 1, 1, 2, 100)) + data[at:]


def put_number(data: bytes, random: Random) -> bytes:
    """In place of one that is there."""
    found = list(_NUMBER.finditer(data[: 1 << 16]))
    if not found:
        return put_text(data, random)
    number = random.choice(found)
    return data[: number.start()] + random.choice(_NUMBERS) + data[number.end() :]


def put_integer(data: bytes, random: Random) -> bytes:
    """A binary one, where a field of a header may be."""
    width = random.choice((1, 2, 4, 8))
    at = random.randrange(max(1, min(len(data), 1 << random.choice((6, 10, 24))) - width))
    value = random.choice(_INTEGERS) & (1 << 8 * width) - 1
    return data[:at] + value.to_bytes(width, random.choice(("little", "big"))) + data[at + width :]


def _span(data: bytes, random: Random) -> tuple[int, int]:
    """A few bytes of it, or many."""
    start = random.randrange(len(data) + 1)
    return start, min(len(data), start + random.choice((1, 1, 2, 4, 16, 64, 300)))


BYTES: tuple[Change, ...] = (flip, overwrite, cut, remove, repeat, swap, put_text, put_number, put_integer)
TEXT: tuple[Change, ...] = (flip, cut, remove, repeat, swap, put_text, put_text, put_number, put_number)
BINARY: tuple[Change, ...] = (flip, flip, overwrite, cut, remove, repeat, put_integer, put_integer)


def change(data: bytes, random: Random, ways: Sequence[Change]) -> bytes:
    """Once, or a few times."""
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        data = random.choice(ways)(data, random)
    return data


def in_json(data: bytes, random: Random) -> bytes:
    """One value of a JSON document, or of one of its lines, becomes another, or its key does."""
    lines = data.split(b"\n") if data.count(b"\n{") else [data]
    at = random.randrange(len(lines))
    try:
        document = json.loads(lines[at])
    except (ValueError, RecursionError):
        return put_text(data, random)
    lines[at] = json.dumps(_changed(document, random)).encode("utf-8", "surrogatepass")
    if random.random() < 0.05:
        lines[at] = lines[at].replace(b"[]", b"[" * _DEEP + b"]" * _DEEP, 1)
    if random.random() < 0.05 and lines[at].startswith(b"{"):
        lines[at] = b"{" + lines[at][1:-1] + b"," + lines[at][1:]  # every key is there twice
    return b"\n".join(lines)


def _changed(value: Any, random: Random) -> Any:
    """A value somewhere in it, at any depth."""
    inner = isinstance(value, dict | list) and value
    if not inner or random.random() < 0.1:
        return random.choice(_VALUES)
    if isinstance(value, dict):
        key = random.choice(list(value))
        if random.random() < 0.15:
            return {k: v for k, v in value.items() if k != key}
        if random.random() < 0.1:
            return {(random.choice(("", "\0", "a" * 999, "é")) if k == key else k): v for k, v in value.items()}
        return {**value, key: _changed(value[key], random)}
    at = random.randrange(len(value))
    if random.random() < 0.15:
        return value[:at] + value[at + 1 :] if random.random() < 0.5 else [*value, value[at]]
    return [*value[:at], _changed(value[at], random), *value[at + 1 :]]


def in_safetensors(data: bytes, random: Random) -> bytes:
    """Its header says something else, or its numbers are none."""
    if len(data) < 8:
        return data
    size = struct.unpack("<Q", data[:8])[0]
    header, body = data[8 : 8 + size], data[8 + size :]
    if random.random() < 0.2:
        at = random.randrange(max(1, len(body) // 4)) * 4
        return data[: 8 + size] + body[:at] + random.choice((b"\0\0\xc0\x7f", b"\0\0\x80\xff")) + body[at + 4 :]
    header = in_json(header, random) if random.random() < 0.7 else put_number(header, random)
    said = len(header) if random.random() < 0.8 else random.choice(_INTEGERS) & (1 << 64) - 1
    return struct.pack("<Q", said) + header + body


def in_arrow(data: bytes, random: Random) -> bytes:
    """A file as Arrow writes it, in which one number isn't what it was."""
    import pyarrow as pa

    try:
        return _with_another_number(data, random)
    except (pa.ArrowException, OSError, ValueError, IndexError):  # it was changed before
        return flip(data, random)


def _with_another_number(data: bytes, random: Random) -> bytes:
    """Raises: ValueError where that isn't to be found."""
    import numpy as np
    import pyarrow as pa

    table = pa.ipc.open_file(data).read_all()
    table.validate(full=True)
    values = table.column(random.randrange(table.num_columns)).combine_chunks()
    while pa.types.is_list(values.type) and random.random() < 0.9:
        values = values.values
    if not pa.types.is_integer(values.type) or not len(values):
        raise ValueError("numbers")
    numbers = values.to_numpy(zero_copy_only=False).copy()
    start = data.index(numbers.tobytes()[:64])
    limits = np.iinfo(numbers.dtype)
    numbers[random.randrange(len(numbers))] = random.choice((limits.max, limits.min, -1, 0, len(numbers), 1000))
    return data[:start] + numbers.tobytes() + data[start + numbers.nbytes :]


def in_tar(data: bytes, random: Random) -> bytes:
    """A field of one of its headers, whose checksum is right again."""
    blocks = [at for at in range(0, len(data) - 511, 512) if data[at + 257 : at + 262] == b"ustar"]
    if not blocks:
        return flip(data, random)
    at = random.choice(blocks)
    first, width = random.choice(((0, 100), (100, 8), (108, 8), (124, 12), (136, 12), (156, 1), (157, 100), (345, 155)))
    value = random.choice(
        (
            *(
                b"77777777777",
                b"-1",
                b"\xff" * 12,
                b"\x80" + b"\0" * 10 + b"\x01",
                b"\x80" + b"\xff" * 11,
                b"00000000000",
            ),
            *(
                b"../../up.txt",
                b"/etc/passwd",
                b"a/../../b",
                b"1",
                b"2",
                b"3",
                b"6",
                b"x",
                b"g",
                b"L",
                b"K",
                b"S",
                b"\0",
            ),
            random.randbytes(width),
        )
    )
    block = bytearray(data[at : at + 512])
    block[first : first + width] = value[:width].ljust(width, b"\0")
    block[148:156] = b"        "
    block[148:156] = b"%06o\0 " % sum(block)
    return data[:at] + bytes(block) + data[at + 512 :]
