"""Compiles the kernels in C (`csrc/`), once for each machine, with the C compiler at hand (`CC`, or else `cc`).

A library that doesn't compile, or doesn't compute what torch does, is not kept.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from os import environ
from pathlib import Path

import torch
from torch import Tensor

from dmn_cli.kernels import c_library, memory_c, recurrence_c, recurrence_loop
from dmn_cli.kernels.c_library import RECIPE, Recipe
from dmn_cli.kernels.comparison import compare
from dmn_cli.kernels.fusion import fuse
from dmn_cli.records.packing import Packing, Pointers


def build(dtype: torch.dtype = torch.float32, recipe: Recipe = RECIPE) -> None:
    """Compiles the library, unless that was done before or there is no compiler. Warns where a compiler fails."""
    if not c_library.allowed() or c_library.library(dtype, recipe) or not (compiler := _compiler()):
        return
    kept = recipe.place(dtype)
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
            made = Path(folder) / kept.name
            _compile(made, compiler, dtype, recipe)
            c_library.use(dtype, made)
            if not agrees(dtype):
                raise ArithmeticError("it doesn't compute what torch does")
            made.replace(kept)
    except (OSError, AttributeError, ArithmeticError, subprocess.SubprocessError) as error:
        c_library.use(dtype, None)
        reason = _reason(error, recipe)
        warnings.warn(f"the C kernels can't be compiled, so dmn is slower: {reason}", stacklevel=2)


def _compile(out: Path, compiler: list[str], dtype: torch.dtype, recipe: Recipe) -> None:
    """Raises: OSError, subprocess.SubprocessError"""
    sources = sorted(recipe.sources.glob("*.c"))
    for target in recipe.targets:
        real = f"-DREAL={c_library.REALS[dtype]}"
        command = [*compiler, *recipe.flags, *target.split(), real, *sources, "-o", out, "-lm"]
        try:
            subprocess.run(
                command,
                check=True,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=recipe.seconds,
            )
            return
        except subprocess.CalledProcessError:
            if target == recipe.targets[-1]:
                raise


def _compiler() -> list[str] | None:
    named = shlex.split(environ.get("CC", "")) or ["cc"]
    return named if shutil.which(named[0]) else None


def compiler_version() -> str | None:
    """What the C compiler at hand says of itself, in a line; None where there is none, or it says nothing."""
    if not (compiler := _compiler()):
        return None
    try:
        said = subprocess.run([*compiler, "--version"], check=True, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    return next(iter(said.stdout.splitlines()), None)


def _reason(error: Exception, recipe: Recipe) -> str:
    """What went wrong, in one line."""
    if isinstance(error, subprocess.TimeoutExpired):
        return f"{error.cmd[0]} takes longer than {recipe.seconds} s"
    if not isinstance(error, subprocess.CalledProcessError):
        return str(error)
    said = error.stderr.strip().splitlines()
    likely = [line for line in said if "error" in line] + said
    return likely[0] if likely else f"{error.cmd[0]} ended with exit code {error.returncode}"


def agrees(dtype: torch.dtype) -> bool:
    """Whether the library computes what torch does, forward and backward, on some random numbers."""
    with torch.random.fork_rng(devices=[]):
        compared = all(_comparison_agrees(dtype, full=full) for full in (False, True))
        return compared and _recurrence_agrees(dtype) and _memory_agrees(dtype) and _fusion_agrees(dtype)


def _recurrence_agrees(dtype: torch.dtype) -> bool:
    forms = [(blocks, before) for blocks in (2, 3) for before in (False, True)]
    return all(
        recurrence_loop.agrees(recurrence_c.Recurrence, 20, 20 * blocks, gates=True, before=before, dtype=dtype)
        for blocks, before in forms
    )


def _random_numbers(dtype: torch.dtype) -> Callable[..., Tensor]:
    """What makes tensors of some shape, the same ones each time."""
    generator = torch.Generator().manual_seed(0)
    return lambda *shape: torch.randn(shape, generator=generator, dtype=dtype) / 4


def _comparison_agrees(dtype: torch.dtype, *, full: bool) -> bool:
    """full: with all gate features of Kumar et al. 2016, else with those of DMN+"""
    numbers = _random_numbers(dtype)
    packing = Packing.of(torch.arange(19) % 3 + 1)
    facts, hidden = len(packing.row), 20
    features = 2 * hidden + full
    given = [numbers(facts, hidden), numbers(19, hidden), numbers(hidden, features), numbers(hidden)]
    given += [numbers(facts, hidden)] if full else []
    layer, results = torch.nn.Linear(hidden, 1, dtype=dtype), []
    with torch.inference_mode(False), torch.enable_grad():
        for computing in (c_library.without, nullcontext):
            leaves = [tensor.clone().requires_grad_() for tensor in given]
            c, v, W1, b1 = leaves[:4]
            cW = leaves[4] if full else None
            layer.zero_grad()
            with computing():
                shared = compare(c, v, cW, W1, b1, packing)
                compared = compare(c, v, cW, W1, shared, packing, layer)
                compared.square().sum().backward()
            leaves += layer.parameters()
            results.append([compared.detach(), *(leaf.grad for leaf in leaves if leaf.grad is not None)])
    return all(torch.allclose(a, b, rtol=1e-3, atol=1e-3) for a, b in zip(*results, strict=True))


def _memory_agrees(dtype: torch.dtype) -> bool:
    numbers, hidden = _random_numbers(dtype), 20
    packing = Packing.of(torch.arange(19) % 3 + 1)
    wide, tall = (hidden, 2 * hidden), (3, hidden, 3 * hidden)
    shapes = (wide, (hidden,), wide, (1, hidden), (1,), wide, (2 * hidden,), wide, tall, (3, hidden))
    c, q = numbers(len(packing.row), hidden), numbers(19, hidden)
    weights = memory_c.Weights(*(numbers(*shape) for shape in shapes))
    with torch.no_grad():
        ours = memory_c.passes(c, packing, q, weights, softmax=True)
        with c_library.without():
            torchs = memory_c.passes_by_torch(c, packing, q, weights, softmax=True)
    return all(torch.allclose(a, b, rtol=1e-3, atol=1e-3) for a, b in zip(ours, torchs, strict=True))


def _fusion_agrees(dtype: torch.dtype) -> bool:
    numbers, facts = _random_numbers(dtype), Packing.of(torch.arange(19) % 3 + 1)
    seen = Pointers.of(torch.arange(len(facts.row)) % 7, 7)
    right, left = numbers(7, 20), numbers(len(facts.row), 20)
    return torch.equal(fuse(right, seen, left, facts), seen.look_up(right) + facts.reverse(left))
