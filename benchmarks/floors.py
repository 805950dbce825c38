"""Floors: times that a computation can't beat.

products    its matrix products alone, one after the other, on operands of the same shapes, strides and type that lie
            in memory as the real ones did, written to memory that is already there: no gradients to keep track of,
            nothing to allocate. It includes what a call from Python costs, about a microsecond for each product.
bytes       the time it takes to copy what the products read and write, operands and results once each, at the rate at
            which a large tensor is copied. Small networks stay in the caches, so this one can be beaten.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from benchmarks.timing import Work, seconds_of
from dmn_cli.kernels import c_library

_NAMES = frozenset({"mm", "addmm", "bmm", "baddbmm", "addbmm", "mv", "addmv", "dot"})
_ARENA = 1 << 29  # bytes
_ALIGNED = 64  # bytes


class Place(NamedTuple):
    """Where a tensor lay: `storage` names its memory, the rest is in numbers of `dtype`, not in bytes."""

    storage: int
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]
    dtype: torch.dtype

    @classmethod
    def of(cls, tensor: Tensor) -> Place:
        storage = tensor.untyped_storage().data_ptr()
        return cls(storage, int(tensor.storage_offset()), tuple(tensor.shape), tensor.stride(), tensor.dtype)

    @property
    def end(self) -> int:
        return self.offset + 1 + sum((n - 1) * step for n, step in zip(self.size, self.stride, strict=True))

    @property
    def bytes(self) -> int:
        """Of distinct elements: a row that is repeated counts once."""
        count = 1
        for n, step in zip(self.size, self.stride, strict=True):
            count *= n if step else 1
        return count * self.dtype.itemsize


@dataclass(frozen=True)
class Product:
    """One matrix product: its last two operands are the factors; one before them is added."""

    name: str  # in torch
    operands: tuple[Place, ...]
    result: Place
    in_place: bool  # what is added is the result
    options: dict[str, Any]  # alpha, beta
    library: str  # torch's setting that chooses it (`dmn_cli/kernels/products.py`)

    @property
    def flops(self) -> int:
        """Floating-point operations of the product itself: a multiplication and an addition each."""
        a, b = (place.size for place in self.operands[-2:])
        count = 2
        for n in a:
            count *= n
        return count * (b[-1] if len(b) > 1 else 1)

    @property
    def bytes(self) -> int:
        return sum(place.bytes for place in (*self.operands, self.result))


class _Recorder(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.products: list[Product] = []

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        options = dict(kwargs or {})
        name = func.overloadpacket.__name__
        if name.removesuffix("_") not in _NAMES:
            with self:
                parts = func.decompose(*args, **options)  # of linear, matmul, einsum: the products that it is made of
            return func(*args, **options) if parts is NotImplemented else parts
        result = func(*args, **options)
        options.pop("out", None)
        if all(tensor.layout == torch.strided and tensor.numel() for tensor in (*args, result)):
            in_place = result is args[0]
            operands = tuple(map(Place.of, args))
            self.products.append(
                Product(name.removesuffix("_"), operands, Place.of(result), in_place, options, library())
            )
        return result


@dataclass(frozen=True)
class Products:
    """The matrix products of a computation, in their order."""

    calls: list[Product]
    device: torch.device

    @property
    def flops(self) -> int:
        return sum(product.flops for product in self.calls)

    @property
    def bytes(self) -> int:
        return sum(product.bytes for product in self.calls)

    def replay(self) -> Work:
        """Computes them all again, and nothing else. Nobody reads the results, so that numbers don't grow."""
        read, written = (_Memory(self.device), _Memory(self.device))
        for product in self.calls:
            read.hold(product.operands[1:] if product.in_place else product.operands)
            written.hold([product.result])
        calls: list[Callable[[], object]] = []
        chosen = None
        for product in self.calls:
            if product.library != chosen:
                chosen = product.library
                calls.append(partial(choose_library, chosen))
            out = written.tensor(product.result)
            factors = map(read.tensor, product.operands[1:])
            first = out if product.in_place else read.tensor(product.operands[0])
            calls.append(partial(getattr(torch, product.name), first, *factors, out=out, **product.options))

        def run() -> None:
            before = library()
            with torch.inference_mode():
                for call in calls:
                    call()
            choose_library(before)

        return run


def recorded(work: Work, device: torch.device) -> Products:
    """The products of one run, backward passes included; not those within a kernel such as cuDNN's GRU. Those of the
    kernels in C can't be seen, so torch computes here."""
    with c_library.without(), _Recorder() as recorder:
        work()
    return Products(recorder.products, device)


class _Memory:
    """Random numbers in place of the memory in which tensors lay. What overlapped there overlaps here; past `_ARENA`
    bytes, other tensors share it too."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.ends: dict[tuple[torch.dtype, int], int] = {}
        self.starts: dict[tuple[torch.dtype, int], int] = {}
        self.arenas: dict[torch.dtype, Tensor] = {}

    def hold(self, places: Iterable[Place]) -> None:
        for place in places:
            key = place.dtype, place.storage
            self.ends[key] = max(self.ends.get(key, 0), place.end)

    def tensor(self, place: Place) -> Tensor:
        if not self.arenas:
            self._allocate()
        start = self.starts[place.dtype, place.storage]
        return self.arenas[place.dtype].as_strided(place.size, place.stride, start + place.offset)

    def _allocate(self) -> None:
        sizes: dict[torch.dtype, int] = {}
        at: dict[torch.dtype, int] = {}
        for (dtype, storage), end in self.ends.items():
            unit = _ALIGNED // dtype.itemsize
            start = at.get(dtype, 0)
            if (start + end) * dtype.itemsize > _ARENA:
                start = 0
            self.starts[dtype, storage] = start
            at[dtype] = start + -(-end // unit) * unit
            sizes[dtype] = max(sizes.get(dtype, 0), at[dtype])
        self.arenas = {dtype: torch.rand(size, dtype=dtype, device=self.device) for dtype, size in sizes.items()}


def library() -> str:
    """torch's setting that says which library multiplies on a CPU."""
    return torch.backends.mkldnn.matmul.fp32_precision  # type: ignore[reportAttributeAccessIssue]


def choose_library(setting: str) -> None:
    torch.backends.mkldnn.matmul.fp32_precision = setting  # type: ignore[reportAttributeAccessIssue]


def bandwidth(device: torch.device) -> float:
    """Bytes a second, read and written, of copying what no cache holds; with as many threads as torch has now."""
    return _bandwidth(device, torch.get_num_threads())


@cache
def _bandwidth(device: torch.device, threads: int) -> float:
    source = torch.rand(1 << 26, device=device)  # 256 MiB
    target = torch.empty_like(source)
    return 2 * source.nbytes / min(seconds_of(lambda: target.copy_(source), device) for _ in range(5))
