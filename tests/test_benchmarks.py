"""The benchmark counts what it says it counts, and its command line gives what it promises."""

from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import strict_json
from helpers import batch, network
from torch import Tensor

import dmn_cli
from benchmarks import stream
from benchmarks.__main__ import main
from benchmarks.floors import Products, choose_library, library, recorded
from benchmarks.growth import fit
from benchmarks.loops import plain_loops
from benchmarks.networks import words_read
from benchmarks.timing import take_turns

CPU = torch.device("cpu")


def shapes(products: Products) -> list[tuple[Any, ...]]:
    """What each product is, wherever its memory lies."""
    return [
        (
            product.name,
            [(place.size, place.stride, place.dtype) for place in (*product.operands, product.result)],
            product.options,
        )
        for product in products.calls
    ]


class Twice(torch.autograd.Function):
    """2 x W with a gradient of its own."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, W: Tensor) -> Tensor:
        ctx.save_for_backward(x, W)
        return torch.mm(x, W).mul_(2)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, Tensor]:
        x, W = ctx.saved_tensors
        return 2 * grad_outputs[0] @ W.t(), 2 * x.t() @ grad_outputs[0]


def test_counts_forward_and_backward() -> None:
    linear = torch.nn.Linear(5, 7)
    x = torch.randn(3, 5, requires_grad=True)
    products = recorded(lambda: linear(x).sum().backward(), CPU)
    assert [product.name for product in products.calls] == ["addmm", "mm", "mm"]
    assert products.flops == 3 * (2 * 3 * 5 * 7)
    forward = 4 * (7 + 3 * 5 + 5 * 7 + 3 * 7)  # b, x, W and the result, of 4 bytes each
    assert products.calls[0].bytes == forward


def test_counts_within_functions_that_have_their_own_gradient() -> None:
    x, W = torch.randn(3, 5, requires_grad=True), torch.randn(5, 7, requires_grad=True)
    products = recorded(lambda: Twice.apply(x, W).sum().backward(), CPU)  # type: ignore[attr-defined]
    assert products.flops == 3 * (2 * 3 * 5 * 7)


def test_counts_what_is_made_of_products() -> None:
    a, b, v = torch.randn(2, 3, 4), torch.randn(2, 4, 5), torch.randn(4)

    def work() -> None:
        with torch.inference_mode():
            torch.einsum("bij,bjk->bik", a, b)
            torch.nn.functional.linear(a, b[0].t())
            torch.mv(a[0], v)

    assert recorded(work, CPU).flops == 2 * 2 * 3 * 4 * 5 + 2 * 6 * 4 * 5 + 2 * 3 * 4


def test_does_all_products_again_and_nothing_else() -> None:
    x, U = torch.randn(6, 3, 8, dtype=torch.float64), torch.randn(4, 8, dtype=torch.float64)
    zr, h = torch.empty(6, 3, 4, dtype=torch.float64), torch.zeros(3, 4, dtype=torch.float64)
    bias = torch.randn(4, dtype=torch.float64)

    def loop() -> None:
        for i in range(6):
            torch.addmm(x[i, :, :4], h, U[:, :4], out=zr[i]).sigmoid_()
            h.addmm_(zr[i], U[:, 4:].t(), alpha=0.5)
            torch.addmm(bias, h[: 3 - i // 2], U[:, 4:])

    products = recorded(loop, CPU)
    assert len(products.calls) == 18
    assert products.flops == 2 * 4 * 4 * (6 * 3 + 6 * 3 + 2 * (3 + 2 + 1))
    again = recorded(products.replay(), CPU)
    assert shapes(again) == shapes(products)
    assert [product.in_place for product in again.calls] == [product.in_place for product in products.calls]


def test_operands_that_shared_memory_still_do() -> None:
    memory = torch.randn(20)
    work = lambda: [memory[i : i + 4] @ memory[8:16].view(4, 2) for i in range(3)]  # noqa: E731
    again = recorded(recorded(work, CPU).replay(), CPU)
    assert len({place.storage for product in again.calls for place in product.operands}) == 1
    rows = [product.operands for product in recorded(work, CPU).calls]
    assert [[one.offset - rows[0][0].offset for one in row] for row in rows] == [
        [one.offset - again.calls[0].operands[0].offset for one in product.operands] for product in again.calls
    ]


def test_the_same_library_multiplies_again() -> None:
    a, before = torch.randn(4, 4), library()

    def work() -> None:
        for setting in ("ieee", "bf16", "bf16", "ieee"):
            choose_library(setting)
            torch.mm(a, a)
        choose_library(before)

    again = recorded(recorded(work, CPU).replay(), CPU)
    assert [product.library for product in again.calls] == ["ieee", "bf16", "bf16", "ieee"]
    assert library() == before


def test_competitors_take_turns() -> None:
    ran: list[str] = []
    best = take_turns({"a": lambda: ran.append("a"), "b": lambda: ran.append("b")}, CPU, seconds=0, rounds=2)
    assert ran == ["a", "b"] * 3
    assert best.keys() == {"a", "b"}


@pytest.mark.parametrize("preset", ["dmn", "dmn-plus"])
def test_the_plain_loops_answer_alike(preset: str) -> None:
    net, asked = network(preset), batch([([[2, 3], [4]], [5], [1], [0]), ([[3]], [6, 7], [2], [0])])
    fast = net(asked).logits
    with plain_loops():
        plain = net(asked).logits
        products = shapes(recorded(lambda: net(asked), CPU))
    torch.testing.assert_close(fast, plain)
    assert products != shapes(recorded(lambda: net(asked), CPU))  # it did run them, and doesn't any longer


def test_counts_the_words_that_questions_read() -> None:
    asked = batch([([[2, 3], [4]], [5], [1], [0]), ([[3]], [6, 7, 8], [2], [0])], extra_words=2, extra_facts=3)
    assert words_read(asked) == (2 + 1 + 1) + (1 + 3)


@pytest.mark.parametrize("slope", [0.5, 1.0, 2.0])
def test_finds_the_slope_next_to_what_is_fixed(slope: float) -> None:
    counts = [1, 2, 5, 10, 100]
    found = fit(counts, [3 + 0.5 * n**slope for n in counts])
    assert found.slope == slope
    assert found[:2] == pytest.approx((3, 0.5))
    assert found.off == pytest.approx(0, abs=1e-9)


def test_what_does_not_grow_has_no_slope() -> None:
    assert fit([10, 100, 1000], [5.0, 5.1, 4.9]).slope is None


def test_the_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tiny = ["--data", "qa1", "--batch", "8", "--hidden", "4", "--steps", "3", "--seconds", "0", "--plain-loops"]
    assert main([*tiny, "--folder", str(tmp_path), "--json"]) == 0
    result = strict_json(capsys.readouterr().out)
    assert [row["form"] for row in result["recurrence"]] == ["gru", "gated gru", "attention gru"]
    (row,) = result["networks"]
    assert (row["preset"], row["data"], row["batch"], row["hidden"], row["threads"]) == ("dmn-plus", "qa1", 8, 4, 1)
    best = row["seconds"]
    assert row["training_of_floor"] == pytest.approx(best["floor"] / (best["make"] + best["step"]))
    assert row["training_floor_questions_per_s"] == pytest.approx(row["questions"] / best["floor"])
    assert row["training_products"]["flops"] > row["answering_products"]["flops"] > 0
    assert main([*tiny, "--folder", str(tmp_path)]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert len(lines) == (2 + 3) + (2 + 1) + 2


def test_growth(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["growth", "--of", "facts", "--most", "10", "--json"]) == 0
    result = strict_json(capsys.readouterr().out)
    assert [(point["what"], point["n"]) for point in result["points"]] == [("dmn", 10), ("dmn-plus", 10)]
    assert all(point["seconds"] > 0 and point["mib"] > 50 for point in result["points"])


def test_a_stream_beside_another_checkout(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What starting takes is taken off."""
    source, measured = Path(dmn_cli.__file__).parents[1], stream._cpu_seconds
    seconds = {("qa1-1", "before"): 2.0, ("qa1-1", "here"): 1.0, ("qa1-50", "before"): 6.0, ("qa1-50", "here"): 2.0}

    def cpu_seconds(where: Path, arguments: list[str]) -> float:
        file = Path(arguments[2])
        assert len(file.read_text(encoding="utf-8").splitlines()) == int(file.stem.removeprefix("qa1-"))
        return seconds[file.stem, "before" if where == tmp_path else "here"]

    monkeypatch.setattr(stream, "_cpu_seconds", cpu_seconds)
    few = ["stream", "--lines", "50", "--rounds", "1", "--folder", str(tmp_path), "--json", "--before", str(tmp_path)]
    assert main(few) == 0
    rows = strict_json(capsys.readouterr().out)["stream"]
    assert [(row["name"], row["seconds"]) for row in rows] == [("before", 4), ("here", 1), ("here, --brief", 1)]
    assert [row["over_before"] for row in rows] == [1, 4, 4]
    assert 0.1 < measured(source, ["demo", "--batch", str(tmp_path / "qa1-50.jsonl")]) < 100


@pytest.mark.parametrize("option", [("--data", "qa99"), ("--presets", "none"), ("--device", "cuda:99")])
def test_what_is_not_there_is_an_error(option: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(option) in (2, 5)
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: ")
    assert option[1] in said.err
