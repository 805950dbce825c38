"""Vectors as gensim's `KeyedVectors.save` writes them: a pickle and, if they are many, a .vectors.npy file beside it.

A pickle can call any function of Python. Here its names lead to the small classes below and nowhere else, and these are
made anew for each file: nothing of gensim, of numpy or of Python itself can be called by what is in it. No other file
of dmn reads pickles.
"""

from __future__ import annotations

import pickle
import struct
from pathlib import Path
from typing import IO, Any, ClassVar

import numpy as np

from dmn_cli.errors import DataError
from dmn_cli.files import memory_mapped, unreadable

_MAX_PIECE = 1 << 30  # bytes of an array or a text
_BLOCK = 1 << 24  # bytes that are read at once
_VECTORS = {"KeyedVectors", "Word2VecKeyedVectors", "EuclideanKeyedVectors", "Vocab"}  # the last three: gensim 3
_NUMBERS = {
    f"{kind}{size}" for kind, sizes in (("f", (2, 4, 8)), ("i", (1, 2, 4, 8)), ("u", (1, 2, 4, 8))) for size in sizes
}


def load(stream: IO[bytes], name: str, path: Path | None) -> tuple[list[str], np.ndarray]:
    """The words, and their vectors, (words, size). `path`: of the file, if the .vectors.npy may be beside it.

    Raises: DataError where the stream has anything but what gensim saves of a KeyedVectors.
    """
    try:
        saved = vars(_unpickler(stream).load())
    except pickle.UnpicklingError as error:
        raise DataError(
            f"is a pickle, but not one of a gensim KeyedVectors ({error})",
            where=name,
            hint="Save a model's vectors alone: model.wv.save(FILE), or model.wv.save_word2vec_format(FILE).",
        ) from error
    except Exception as error:  # a pickle can hold any nonsense
        raise DataError(f"is not a whole gensim KeyedVectors ({type(error).__name__})", where=name) from error
    words = saved.get("index_to_key", saved.get("index2word"))
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise DataError("isn't a gensim KeyedVectors: it has no list of words", where=name)
    if "vectors" in saved:
        vectors = getattr(saved["vectors"], "values", None)
    elif path is None:
        raise DataError("has its vectors in a file beside it, so it can't be compressed or in an archive", where=name)
    else:
        vectors = _beside(path.with_name(f"{path.name}.vectors.npy"))
    if not isinstance(vectors, np.ndarray) or vectors.ndim != 2 or vectors.dtype.kind != "f" or not vectors.shape[1]:
        raise DataError("isn't a gensim KeyedVectors: its vectors aren't a matrix", where=name)
    if len(vectors) < len(words):
        raise DataError(f"is damaged: it has {len(words):,} words, but {len(vectors):,} vectors", where=name)
    return words, vectors


def _beside(path: Path) -> np.ndarray:
    """An array that stays on disk."""
    try:
        return memory_mapped(path)
    except FileNotFoundError as error:
        raise DataError("is missing: the vectors are in it", where=path) from error
    except OSError as error:
        raise DataError(unreadable(error), where=path) from error
    except ValueError as error:
        raise DataError(f"is damaged ({error})", where=path) from error


class _Bounded:
    """A file of which no absurdly large piece is read at once."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.stream = stream

    def read(self, size: int) -> bytes:
        if size > _MAX_PIECE:
            raise pickle.UnpicklingError(f"a piece of {size:,} bytes")
        pieces: list[bytes] = []  # since a file makes room for all that it is asked for
        while size > 0 and (piece := self.stream.read(min(size, _BLOCK))):
            pieces.append(piece)
            size -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def readline(self) -> bytes:
        return self.stream.readline(_MAX_PIECE)


def _unpickler(stream: IO[bytes]) -> Any:
    """An unpickler that makes vectors, arrays of numbers, and what JSON has.

    It is Python's slower one: the quick one allocates as much memory as a damaged file says.
    """

    class Saved:
        """An object with whatever attributes."""

    class Type:
        """The type of an array's numbers: takes numpy.dtype's arguments, and its state."""

        def __init__(self, kind: str, *ignored: object) -> None:
            if kind not in _NUMBERS:
                raise pickle.UnpicklingError(f"an array of {kind!r}")
            self.kind, self.order = kind, "<"

        def __setstate__(self, state: tuple[Any, ...]) -> None:
            self.order = ">" if state[1] == ">" else "<"

        def read(self, data: bytes) -> np.ndarray:
            return np.frombuffer(data, f"{self.order}{self.kind}")

    class Array:
        """An array of numbers, made empty and then filled."""

        values: np.ndarray

        def __init__(self, *ignored: object) -> None:
            pass

        def __setstate__(self, state: tuple[int, tuple[int, ...], Type, bool, bytes]) -> None:
            _, shape, kind, by_columns, data = state
            self.values = kind.read(_bytes(data)).reshape(shape, order="F" if by_columns else "C")

    class Flat(Array):
        """An array as pickle's protocol 5 makes it, in one step."""

        def __init__(self, data: bytes, kind: Type, shape: tuple[int, ...], order: str) -> None:
            self.values = kind.read(_bytes(data)).reshape(shape, order="F" if order == "F" else "C")

    class Number(Array):
        def __init__(self, kind: Type, data: bytes) -> None:
            self.values = kind.read(_bytes(data))

    def _bytes(data: Any) -> bytes:
        if isinstance(data, Text):
            data = data.data
        if not isinstance(data, bytes | bytearray):
            raise pickle.UnpicklingError("an array that has no bytes")
        return bytes(data)

    class Text:
        """Bytes, as pickle's protocol 2 spells them: as text in Latin-1."""

        def __init__(self, text: str, encoding: str) -> None:
            self.data = text.encode("latin-1")

    known: dict[tuple[str, str], type] = {("gensim.models.keyedvectors", kind): Saved for kind in _VECTORS}
    known |= {("numpy", "ndarray"): Array, ("numpy", "dtype"): Type, ("_codecs", "encode"): Text}
    for core in ("numpy.core", "numpy._core"):
        known[f"{core}.multiarray", "_reconstruct"] = Array
        known[f"{core}.multiarray", "scalar"] = Number
        known[f"{core}.numeric", "_frombuffer"] = Flat

    class Unpickler(pickle._Unpickler):
        def load_bytearray8(self: Any) -> None:
            """Python's makes room for as many bytes as the file says before it reads them."""
            (size,) = struct.unpack("<Q", self.read(8))
            self.append(bytearray(self.read(size)))

        dispatch: ClassVar[Any] = {**pickle._Unpickler.dispatch, pickle.BYTEARRAY8[0]: load_bytearray8}

        def find_class(self, module: str, name: str) -> type:
            if (module, name) not in known:
                raise pickle.UnpicklingError(f"it asks for {module}.{name}")
            return known[module, name]

    return Unpickler(_Bounded(stream))
