"""A graph of ONNX operations, written as one writes tensors.

    h = graph.tanh(graph.matmul(x, graph.weight("W", W)) + b)

A `Value` is a tensor of the graph by its name; operators and the methods of `Graph` add nodes. Shapes are known when
the graph runs: what depends on them is computed by it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor

OPSET, IR_VERSION = 17, 8  # that runtimes of 2022 and later read
TYPES = {
    "float": TensorProto.FLOAT,
    "int64": TensorProto.INT64,
    "int32": TensorProto.INT32,
    "bool": TensorProto.BOOL,
}


@dataclass(frozen=True)
class Value:
    """A tensor of a graph."""

    graph: Graph
    name: str

    def __add__(self, other: Operand) -> Value:
        return self.graph.node("Add", self, other)

    def __sub__(self, other: Operand) -> Value:
        return self.graph.node("Sub", self, other)

    def __rsub__(self, other: Operand) -> Value:
        return self.graph.node("Sub", other, self)

    def __mul__(self, other: Operand) -> Value:
        return self.graph.node("Mul", self, other)

    def __truediv__(self, other: Operand) -> Value:
        return self.graph.node("Div", self, other)

    def __matmul__(self, other: Operand) -> Value:
        return self.graph.node("MatMul", self, other)


Operand = Value | Tensor | float
"""A tensor of the graph, a weight, or a number."""


class Graph:
    """Collects nodes and weights, each weight once. A graph within another (`scan`) sees what is around it."""

    def __init__(self, around: Graph | None = None) -> None:
        self.nodes: list[Any] = []
        self.weights: dict[str, Any] = around.weights if around else {}
        self._counter: list[int] = around._counter if around else [0]
        self._named: dict[Any, str] = around._named if around else {}

    def fresh(self, kind: str) -> str:
        self._counter[0] += 1
        return f"{kind}_{self._counter[0]}"

    def input(self, name: str) -> Value:
        return Value(self, name)

    def constant(self, array: np.ndarray) -> Value:
        """The same array is held once."""
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._named:
            name = self._named[key] = self.fresh("weight")
            self.weights[name] = numpy_helper.from_array(np.ascontiguousarray(array), name)
        return Value(self, self._named[key])

    def value(self, operand: Operand) -> Value:
        if isinstance(operand, Value):
            return operand
        if isinstance(operand, Tensor):
            return self.constant(operand.detach().cpu().float().numpy())
        return self.constant(np.array(operand, np.float32))

    def node(self, kind: str, *inputs: Operand | None, **attributes: Any) -> Value:
        return self.several(kind, 1, *inputs, **attributes)[0]

    def several(self, kind: str, outputs: int, *inputs: Operand | None, **attributes: Any) -> list[Value]:
        """None: an input that isn't given."""
        given = ["" if operand is None else self.value(operand).name for operand in inputs]
        named = [self.fresh(kind) for _ in range(outputs)]
        self.nodes.append(helper.make_node(kind, given, named, **attributes))
        return [Value(self, name) for name in named]

    def integers(self, *values: int) -> Value:
        return self.constant(np.array(values, np.int64))

    def sigmoid(self, x: Value) -> Value:
        return self.node("Sigmoid", x)

    def tanh(self, x: Value) -> Value:
        return self.node("Tanh", x)

    def cast(self, x: Value, to: str) -> Value:
        return self.node("Cast", x, to=TYPES[to])

    def unsqueeze(self, x: Value, axis: int) -> Value:
        return self.node("Unsqueeze", x, self.integers(axis))

    def squeeze(self, x: Value, axis: int) -> Value:
        return self.node("Squeeze", x, self.integers(axis))

    def sum(self, x: Value, axis: int, *, keep: bool = False) -> Value:
        return self.node("ReduceSum", x, self.integers(axis), keepdims=int(keep))

    def maximum(self, x: Value, axis: int) -> Value:
        return self.node("ReduceMax", x, axes=[axis], keepdims=0)

    def cumulated(self, x: Value) -> Value:
        """Sums up to each step, itself included. (rows, steps, …)"""
        return self.node("CumSum", x, self.constant(np.array(1, np.int64)))

    def where(self, condition: Value, x: Operand, y: Operand) -> Value:
        return self.node("Where", condition, x, y)

    def transpose(self, x: Value, *order: int) -> Value:
        return self.node("Transpose", x, perm=order)

    def concat(self, parts: Sequence[Operand], axis: int) -> Value:
        return self.node("Concat", *parts, axis=axis)

    def reshape(self, x: Value, *shape: int | Value) -> Value:
        """-1: what is left. A value: (1,) int64"""
        parts = [part if isinstance(part, Value) else self.integers(part) for part in shape]
        return self.node("Reshape", x, self.concat(parts, 0))

    def size(self, x: Value, axis: int) -> Value:
        """(1,) int64"""
        return self.node("Shape", x, start=axis, end=axis + 1)

    def slice(self, x: Value, start: int, end: int, axis: int) -> Value:
        return self.node("Slice", x, self.integers(start), self.integers(end), self.integers(axis))

    def scan(self, start: Value, inputs: Sequence[Value], step: Callable[..., Value]) -> Value:
        """The last state of a loop. start: (rows, …); inputs: (steps, rows, …) each; step(graph, state, *inputs at this
        step) → the next state, in that graph, which sees the values of this one"""
        inner = Graph(self)
        names = [inner.fresh("step") for _ in range(1 + len(inputs))]
        after = step(inner, *(inner.input(name) for name in names))
        floats = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in (*names, after.name)]
        body = helper.make_graph(inner.nodes, inner.fresh("body"), floats[:-1], floats[-1:])
        return self.node("Scan", start, *inputs, body=body, num_scan_inputs=len(inputs))

    def model(
        self, inputs: dict[str, tuple[str, list[str]]], outputs: dict[str, tuple[Value, list[str]]]
    ) -> onnx.ModelProto:
        """The whole, checked. inputs: name → its type and what its dimensions are called; outputs: name → the value and
        its dimensions. Raises: onnx.checker.ValidationError"""
        for name, (value, _) in outputs.items():
            self.nodes.append(helper.make_node("Identity", [value.name], [name]))
        given = [helper.make_tensor_value_info(name, TYPES[kind], dims) for name, (kind, dims) in inputs.items()]
        made = [helper.make_tensor_value_info(name, TensorProto.FLOAT, dims) for name, (_, dims) in outputs.items()]
        graph = helper.make_graph(self.nodes, "dmn", given, made, initializer=list(self.weights.values()))
        opset = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, opset_imports=opset, ir_version=IR_VERSION, producer_name="dmn")
        onnx.checker.check_model(model, full_check=True)
        return model
