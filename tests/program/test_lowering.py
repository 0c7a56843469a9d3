"""Lowering: each op of the table in primitives computes the same bits, in the memory order that was foretold."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from byhand.core.op import OPS
from byhand.program import interpreter, ir
from byhand.program.ir import ARGUMENT, Node, Program, Value
from byhand.program.lowering import lower
from laws.sample import Sample
from laws.samples import SAMPLES

OPAQUE = {"argmax", "argmin", "argsort", "cumprod", "cumsum", "einsum", "isin"}


def ids(samples: list[Sample]) -> list[str]:
    counts: Counter[str] = Counter()
    names = []
    for s in samples:
        counts[s.op.name] += 1
        names.append(f"{s.op.name}-{counts[s.op.name]}")
    return names


def operands(sample: Sample, dtype: Any, order: str) -> tuple[Any, list[Any], dict[str, Any]]:
    """The op that a sample ends in, with its operands and attributes: some are composed of others on the way."""
    given = [
        np.array(x.astype(dtype) if x.dtype == np.float64 else x, order=order) if isinstance(x, np.ndarray) else x
        for x in sample.operands
    ]  # fmt: skip
    if sample.compose is None:
        return sample.op, given, sample.attrs
    seen: list[Any] = []
    record = sample.op
    kernel = record.kernel

    def watched(*inputs: Any, **attrs: Any) -> Any:
        seen[:] = [list(inputs), attrs]
        return kernel(*inputs, **attrs)

    place = record.call.__code__.co_freevars.index("kernel")
    cell = record.call.__closure__[place]
    before, cell.cell_contents = cell.cell_contents, watched
    try:
        sample.call(*given)
    finally:
        cell.cell_contents = before
    return record, seen[0], seen[1]


def program_of(op: Any, inputs: list[Any], attrs: dict[str, Any]) -> tuple[Program, list[Any]]:
    """One node, with an argument for every array, and what the kernel gives."""
    kernel = op.ufunc if op.ufunc is not None and not attrs else op.kernel
    results = kernel(*[x.copy("K") if isinstance(x, np.ndarray) else x for x in inputs], **attrs)
    results = [np.asarray(x) for x in (results if op.residuals else [results])]
    values = [Value(x.shape, x.dtype, ir.order_of(x), ARGUMENT) if isinstance(x, np.ndarray) else x for x in inputs]
    outputs = tuple(Value(x.shape, x.dtype, ir.order_of(x)) for x in results)
    arguments = [x for x in values if isinstance(x, Value)]
    program = Program(arguments=arguments, nodes=[Node(op, tuple(values), attrs, outputs)], outputs=list(outputs))
    return ir.verify(program), results


def order(array: Any) -> tuple[int, ...]:
    """The order of the axes that have one."""
    return tuple(axis for axis in ir.order_of(array) if array.shape[axis] > 1)


def run_watched(program: Program, given: list[Any]) -> list[Any]:
    """Run node by node; every result has the type, shape and order that its value foretells."""
    known: dict[Any, Any] = {value: value.data for value in program.constants}
    known.update(zip(program.arguments, given, strict=True))
    for node in program.nodes:
        results = interpreter.evaluate(node, [known[x] if isinstance(x, Value) else x for x in node.inputs])
        for value, result in zip(node.outputs, results, strict=True):
            assert (result.shape, result.dtype) == (value.shape, value.dtype), ir.line(node, ir.labels(program))
            assert order(result) == tuple(a for a in value.order if value.shape[a] > 1), node.op
            known[value] = result
    return [known[x] for x in program.outputs]


@pytest.mark.parametrize("memory", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("sample", SAMPLES, ids=ids(SAMPLES))
def test_lowered_op_gives_the_same_bits(sample: Sample, dtype: Any, memory: str) -> None:
    op, inputs, attrs = operands(sample, dtype, memory)
    program, expected = program_of(op, inputs, attrs)
    lowered = ir.verify(lower(program))
    given = [x for x in inputs if isinstance(x, np.ndarray)]
    outputs, _ = interpreter.run(lowered, given)
    watched = run_watched(lowered, given)
    assert len(outputs) == len(expected)
    for out, seen, right in zip(outputs, watched, expected, strict=True):
        assert (out.shape, out.dtype) == (right.shape, right.dtype)
        np.testing.assert_array_equal(out, right)
        np.testing.assert_array_equal(seen, right)
        if right.dtype.kind == "f":
            np.testing.assert_array_equal(np.signbit(out), np.signbit(right))
        assert order(seen) == order(right)


def opaque(sample: Sample) -> bool:
    program, _ = program_of(*operands(sample, np.float64, "C"))
    return any(node.op.name == "kernel" for node in lower(program).nodes)


def test_ops_that_stay_whole_are_known() -> None:
    assert {s.op.name for s in SAMPLES if opaque(s)} == OPAQUE
    assert not {name for name in OPAQUE if OPS[name].kind == "elementwise"}
