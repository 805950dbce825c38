"""Reads .xz files with a bound on memory, which `lzma.open` has none: a header of a few bytes can ask for gibibytes."""

from __future__ import annotations

import io
import lzma
from typing import IO, Any

_MOST_MEMORY = 1 << 28  # bytes; xz -9 takes 65 MiB to decompress
_PIECE = 1 << 16  # bytes that are read at a time


class XzReader(io.RawIOBase):
    """What is in a stream of xz: one or several, end to end."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._decompressor = self._new()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Raises: lzma.LZMAError where it is damaged or needs too much memory; EOFError where it is cut short."""
        wanted = len(memoryview(buffer))
        while wanted:
            decompressor = self._decompressor
            if decompressor.eof:
                rest = decompressor.unused_data or self._stream.read(_PIECE)
                while rest and not rest.strip(b"\0"):  # padding between streams
                    rest = self._stream.read(_PIECE)
                if not rest:
                    return 0
                self._decompressor = decompressor = self._new()
                given = rest.lstrip(b"\0")
            elif decompressor.needs_input:
                given = self._stream.read(_PIECE)
                if not given:
                    raise EOFError("it ends before its end marker")
            else:
                given = b""
            if found := decompressor.decompress(given, wanted):
                buffer[: len(found)] = found
                return len(found)
        return 0

    @staticmethod
    def _new() -> lzma.LZMADecompressor:
        return lzma.LZMADecompressor(memlimit=_MOST_MEMORY)
