"""Work that other threads do ahead: in order, not too far ahead, and nothing goes under."""

import os
import platform
import statistics
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from dmn_cli.machine.threads import in_order


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_results_come_in_the_order_of_their_items(threads: int) -> None:
    assert list(in_order(str, range(50), threads)) == [str(n) for n in range(50)]
    assert list(in_order(str, [], threads)) == []


def test_a_slow_item_keeps_its_place() -> None:
    """The first is done only once the second is."""
    second = threading.Event()

    def work(n: int) -> int:
        if n == 0:
            assert second.wait(20), "the second waits for the first"
        if n == 1:
            second.set()
        return n

    assert list(in_order(work, range(6), threads=2)) == list(range(6))


@pytest.mark.parametrize("threads", [1, 3])
def test_it_is_only_so_far_ahead(threads: int) -> None:
    begun = 0

    def items() -> Iterator[int]:
        nonlocal begun
        while True:
            begun += 1
            yield begun

    results = in_order(lambda n: n, items(), threads)
    for taken in range(1, 20):
        assert next(results) == taken
        assert begun - taken <= 2 * threads
    results.close()  # type: ignore[attr-defined]
    assert begun - 19 <= 2 * threads


def test_an_error_comes_in_the_turn_of_its_item() -> None:
    def work(n: int) -> int:
        if n == 3:
            raise OSError("the disk was pulled out")
        return n

    results = in_order(work, range(9), threads=2)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(OSError, match="pulled out"):
        next(results)


def test_no_thread_is_left_behind() -> None:
    before = threading.active_count()
    results = in_order(lambda n: n, range(1000), threads=3)
    next(results)
    assert threading.active_count() > before
    del results
    assert threading.active_count() == before


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="there is no glibc")
def test_memory_is_asked_for_once_and_kept() -> None:
    """Of a large tensor, made and dropped again and again, the pages come but once, or a few times: something small
    may come to lie in its place."""
    program = """
import resource, torch
from dmn_cli.machine.device import keep_memory
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(16 << 20)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
keep_memory()
print(*(faults() for _ in range(21)))
"""
    environment = os.environ | {"THP_MEM_ALLOC_ENABLE": "0"}  # as large pages, tensors begin at multiples of 2 MiB
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)
    assert statistics.median(map(int, run.stdout.split())) < 10  # there are 16,384 of 4 KiB each
