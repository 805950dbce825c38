"""Kernels for GPUs: in Triton's interpreter they equal the equations, and they compile for GPUs that aren't at hand."""

# pyright: reportMissingImports=false

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from importlib.util import find_spec
from multiprocessing import get_context
from typing import Any

import pytest
import torch
from helpers import by_forward_and_by_reference

import dmn_cli.kernels
from dmn_cli.kernels import c_library
from dmn_cli.kernels.recurrence import kernel_for, recurrence, triton_kernel
from dmn_cli.kernels.recurrence_loop import Recurrence
from dmn_cli.model.gated_gru import GatedGRU
from dmn_cli.records.packing import Packing

KERNELS = "dmn_cli.kernels.recurrence_triton"
needs_triton = pytest.mark.skipif(not find_spec("triton"), reason="no Triton: see make test-triton")
FORMS = [(reset, update) for reset in ("before", "after") for update in ("gru", "gate")]


def forget_kernels() -> None:
    """Whoever asks next imports them again: that is when Triton decides whether to interpret or to compile them."""
    sys.modules.pop(KERNELS, None)
    dmn_cli.kernels.__dict__.pop("recurrence_triton", None)
    triton_kernel.cache_clear()


@pytest.fixture
def interpreted(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The kernels are used wherever they can be, on a CPU too."""
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    forget_kernels()
    yield
    forget_kernels()


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[ProcessPoolExecutor]:
    """Another process: once Triton has interpreted, it can't compile any more."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        yield pool


def uses_kernels(gru: GatedGRU, gates: bool) -> bool:
    x = torch.zeros(1, gru.U.shape[1], dtype=gru.U.dtype)
    return kernel_for(x, gru.U, gates=gates, before=gru.reset == "before").__module__ == KERNELS


@needs_triton
@pytest.mark.usefixtures("interpreted")
@pytest.mark.parametrize("hidden", [3, 16, 20, 80])
@pytest.mark.parametrize(("reset", "update"), FORMS)
@pytest.mark.parametrize("gated", [True, False])
@pytest.mark.parametrize("started", [True, False])
def test_equal_the_plain_loop_with_its_gradients(
    hidden: int, reset: Any, update: Any, gated: bool, started: bool
) -> None:
    torch.manual_seed(0)
    gru = GatedGRU(5, hidden, reset=reset, update=update)
    assert uses_kernels(gru, gated or update == "gate")
    results = by_forward_and_by_reference(gru, torch.tensor([4, 7, 1, 7, 2]), gated=gated, started=started)
    for kernels, plain in zip(*results, strict=True):
        torch.testing.assert_close(kernels, plain, rtol=1e-4, atol=1e-5)


@needs_triton
@pytest.mark.usefixtures("interpreted")
@pytest.mark.parametrize("hidden", [3, 80])
@pytest.mark.parametrize(("reset", "update"), FORMS)
def test_the_last_states_equal_those_of_the_loop(
    monkeypatch: pytest.MonkeyPatch, hidden: int, reset: Any, update: Any
) -> None:
    torch.manual_seed(0)
    gru = GatedGRU(5, hidden, reset=reset, update=update)
    packing = Packing.of(torch.tensor([3, 5, 1, 2]))
    given = [torch.randn(11, gru.U.shape[1]), torch.rand(11, 1)]
    assert uses_kernels(gru, True)
    results = []
    for interpret in ("1", "0"):
        monkeypatch.setenv("TRITON_INTERPRET", interpret)
        x, g = (tensor.clone().requires_grad_() for tensor in given)
        gru.zero_grad()
        with c_library.without():
            last = recurrence(x, gru.U, g, None, packing, packing.last, before=reset == "before")
        last.sin().sum().backward()
        results.append([last, x.grad, g.grad, gru.U.grad])
    for kernels, loop in zip(*results, strict=True):
        torch.testing.assert_close(kernels, loop, rtol=1e-4, atol=1e-5)


@needs_triton
@pytest.mark.usefixtures("interpreted")
def test_what_is_too_wide_or_too_precise_for_them_is_computed_by_the_loop() -> None:
    assert uses_kernels(GatedGRU(3, 128), False)
    assert not uses_kernels(GatedGRU(3, 129), False)
    assert not uses_kernels(GatedGRU(3, 4).double(), False)


def test_without_triton_the_loop_computes_and_says_so_once(interpreted: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "triton", None)
    gru, packing = GatedGRU(3, 4), Packing.of(torch.tensor([2, 1]))
    x = torch.randn(3, 12)
    with pytest.warns(UserWarning, match="Triton can't be used, so cpu computes step by step"):
        states = gru(x, packing)
    torch.testing.assert_close(gru(x, packing), states)  # another warning would fail the test
    torch.testing.assert_close(packing.unpack(states), gru.reference(packing.unpack(x), torch.tensor([2, 1])))


@needs_triton
def test_kernels_that_compute_something_else_are_not_used(interpreted: None, monkeypatch: pytest.MonkeyPatch) -> None:
    from dmn_cli.kernels import recurrence_triton

    class Wrong(Recurrence):
        @staticmethod
        def backward(ctx: Any, *gradients: Any) -> Any:
            dx, *others = Recurrence.backward(ctx, *gradients)
            return -dx, *others

    monkeypatch.setattr(recurrence_triton, "Recurrence", Wrong)
    gru = GatedGRU(3, 4)
    with pytest.warns(UserWarning, match="don't compute what the loop does"):
        assert not uses_kernels(gru, False)


def compiled(capability: int, hidden: int, before: bool, z: bool) -> list[tuple[str, int]]:
    """What each kernel uses: registers and stack, as its cubin says, and bytes of shared memory."""
    import triton.knobs
    from triton.backends.compiler import GPUTarget

    kernels: Any = import_module(KERNELS)

    used = []
    form = kernels.options(hidden, gates=True, before=before, z=z)
    warps = form.pop("num_warps")
    for kernel in (kernels.forward_kernel, kernels.backward_kernel):
        kinds = dict.fromkeys(kernel.arg_names, "*fp32") | {"begin": "*i64", "length": "*i64"}
        source = triton.compiler.ASTSource(kernel, kinds | dict.fromkeys(form, "constexpr"), form)
        made = triton.compile(source, target=GPUTarget("cuda", capability, 32), options={"num_warps": warps})
        with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
            file.write(made.asm["cubin"])
            file.flush()
            command = [triton.knobs.nvidia.cuobjdump.path, "-res-usage", file.name]
            said = subprocess.run(command, capture_output=True, encoding="utf-8", check=True).stdout
        used.append((said, made.metadata.shared))
    return used


@needs_triton
@pytest.mark.parametrize("capability", [80, 90])
@pytest.mark.parametrize(("reset", "update"), FORMS)
@pytest.mark.parametrize("hidden", [16, 64, 80, 128])
def test_they_compile_for_gpus_and_keep_everything_in_registers(
    elsewhere: ProcessPoolExecutor, capability: int, reset: str, update: str, hidden: int
) -> None:
    used = elsewhere.submit(compiled, capability, hidden, reset == "before", update == "gru").result()
    for said, shared in used:
        assert re.search(r"REG:\d+ STACK:0 ", said), said
        assert shared <= 48 * 1024
