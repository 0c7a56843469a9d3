"""Lowering: each op of the table in primitives computes the same bits, in the memory order that was foretold."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from byhand.core.op import OPS, OTHER, Op
from byhand.core.recorder import replace_kernel
from byhand.ops import elementwise, special
from byhand.program import interpreter, ir
from byhand.program.ir import ARGUMENT, BACKWARD, CHECK, CONSTANT, DRAW, NUMBER, STATE, UPDATE, Node, Program, Value
from byhand.program.lowering import lower
from byhand.program.primitives import CAST, MAP, WHERE
from laws.sample import Sample
from laws.samples import SAMPLES


def ids(samples: list[Sample]) -> list[str]:
    counts: Counter[str] = Counter()
    names = []
    for s in samples:
        counts[s.op.name] += 1
        names.append(f"{s.op.name}-{counts[s.op.name]}")
    return names


NAMES = ids(SAMPLES)

# No primitive does what these do; index-2 reads with a mask, and how many values that gives is not known beforehand.
OPAQUE = {
    "argmax-1", "argmin-1", "argsort-1", "argsort-2", "cumprod-1", "cumprod-2", "cumsum-1", "einsum-1", "einsum-2",
    "einsum-3", "index-2", "isin-1", "running_place-1", "running_place-2", "running_place-3", "searchsorted-1",
    "searchsorted-2", "sum_of_squares-1",
}  # fmt: skip
# LAPACK, Fourier transforms, complex numbers seen as pairs, alignments: each stays one call, at every sample.
OPAQUE |= {
    name for name in NAMES
    if name.rpartition("-")[0] in {
        "cholesky", "complex_of", "complex_pairs", "det", "eig", "eigh", "fourier", "imag", "inv", "matrix_exp",
        "paired", "pinv", "pivots", "qr", "real", "real_fourier", "real_inverse_fourier", "real_pairs", "row_order",
        "slogdet", "solve", "svd", "ctc_forward", "ctc_backward", "ctc_onward",
    }
}  # fmt: skip

# Special functions of more calls than are worth planning one by one (`lowering.LONGEST`); frexp has two results.
SPECIAL = {"binary_exponent", "erfinv", "modified_bessel", "ndtri"}
# What no primitive does: running logarithms, places of modes, products and extremes of what meets.
OPAQUE |= {
    name for name in NAMES
    if name.rpartition("-")[0] in {*SPECIAL, "logcumsumexp", "mode_place", "scatter_reduce"}
}  # fmt: skip
# Depthwise convolutions are sums of products over views that overlap.
OPAQUE |= {f"convolution{kind}-{i}" for kind in ("", "_transpose", "_weight") for i in (9, 10)}


def operands(sample: Sample, dtype: Any = np.float64, memory: Any = "C") -> tuple[Any, list[Any], dict[str, Any]]:
    """The op that a sample ends in, with its operands and attributes: some samples compute operands on the way."""
    arrays = [
        np.array(x.astype(dtype) if x.dtype == np.float64 else x, order=memory) if isinstance(x, np.ndarray) else x
        for x in sample.operands
    ]
    if sample.compose is None:
        return sample.op, arrays, sample.attrs
    seen: list[Any] = []

    def watched(*inputs: Any, **attrs: Any) -> Any:
        seen[:] = [list(inputs), attrs]
        return kernel(*inputs, **attrs)

    kernel = replace_kernel(sample.op.call, watched)
    try:
        sample.call(*arrays)
    finally:
        replace_kernel(sample.op.call, kernel)
    return sample.op, seen[0], seen[1]


def program_of(op: Any, inputs: list[Any], attrs: dict[str, Any]) -> tuple[Program, list[Any]]:
    """One node, with an argument for every array; and what the kernel gives."""
    kernel = op.ufunc if op.ufunc is not None and not attrs else op.kernel
    results = kernel(*[x.copy("K") if isinstance(x, np.ndarray) else x for x in inputs], **attrs)
    results = [np.asarray(x) for x in (results if op.residuals else [results])]
    values = [Value(x.shape, x.dtype, ir.order_of(x), ARGUMENT) if isinstance(x, np.ndarray) else x for x in inputs]
    outputs = tuple(Value(x.shape, x.dtype, ir.order_of(x)) for x in results)
    arguments = [x for x in values if isinstance(x, Value)]
    program = Program(arguments=arguments, nodes=[Node(op, tuple(values), attrs, outputs)], outputs=list(outputs))
    return ir.verify(program), results


def order(array: Any) -> tuple[int, ...]:
    """The order of those axes that have one."""
    return tuple(axis for axis in ir.order_of(array) if array.shape[axis] > 1)


def natural(node: Node, inputs: list[Any]) -> list[Any]:
    """What NumPy gives where nothing tells it how the result is to lie in memory."""
    if node.op is WHERE or (node.op.kind == MAP and node.op.ufunc is not None):
        return [np.asarray((node.op.ufunc or np.where)(*inputs))]
    if node.op is CAST:
        return [inputs[0].astype(node.out.dtype)]
    return interpreter.evaluate(node, inputs)


def run_watched(program: Program, arrays: list[Any], evaluate: Any = natural) -> list[Any]:
    """Run node by node: every result has the shape, dtype and memory order that its value foretells."""
    known: dict[Any, Any] = {value: value.data for value in program.constants}
    known.update(zip(program.arguments, arrays, strict=True))
    for node in program.nodes:
        results = evaluate(node, [known[x] if isinstance(x, Value) else x for x in node.inputs])
        for value, result in zip(node.outputs, results, strict=True):
            said = ir.line(node, ir.labels(program))
            assert (result.shape, result.dtype) == (value.shape, value.dtype), said
            assert order(result) == tuple(a for a in value.order if value.shape[a] > 1), said
            known[value] = result
    return [known[x] for x in program.outputs]


def assert_same(found: Any, right: Any) -> None:
    assert (found.shape, found.dtype, order(found)) == (right.shape, right.dtype, order(right))
    np.testing.assert_array_equal(found, right)
    if right.dtype.kind == "f":
        np.testing.assert_array_equal(np.signbit(found), np.signbit(right))


def lowered_and_compared(op: Any, inputs: list[Any], attrs: dict[str, Any], evaluate: Any = natural) -> Program:
    program, expected = program_of(op, inputs, attrs)
    lowered = ir.verify(lower(program))
    outputs = run_watched(lowered, [x for x in inputs if isinstance(x, np.ndarray)], evaluate)
    for found, right in zip(outputs, expected, strict=True):
        assert_same(found, right)
    return lowered


def whole(program: Program) -> bool:
    """Whether an op stayed whole."""
    return any(node.op.name == "kernel" for node in program.nodes)


# Their kernels tell NumPy where results are to lie, by `out=`: what it would do by itself is another order.
PLACED = {"attention", "attention_weights", "likeness"}


@pytest.mark.parametrize("memory", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("sample, name", [*zip(SAMPLES, NAMES, strict=True)], ids=NAMES)
def test_lowered_op_gives_the_same_bits(sample: Sample, name: str, dtype: Any, memory: str) -> None:
    evaluate = interpreter.evaluate if sample.op.name in PLACED else natural
    lowered = lowered_and_compared(*operands(sample, dtype, memory), evaluate)
    assert whole(lowered) == (name in OPAQUE)


def test_elementwise_ops_are_never_whole() -> None:
    names = {name.rpartition("-")[0] for name in OPAQUE} - SPECIAL
    assert not [name for name in names if OPS[name].kind == "elementwise"]


# what a kernel may do to arrays


def kernel_of(function: Any) -> Op:
    return Op(function.__name__, function, OTHER, None, {}, None, None)


def through_a_transposed_view(x: Any, y: Any) -> Any:
    out = np.zeros((3, 2), x.dtype)
    view = out.T
    view += x
    view[0] = y
    out[1:] *= 2
    return out, view


def through_a_diagonal(x: Any, y: Any) -> Any:
    out = x.copy()
    view = out.diagonal(1)
    view.flags.writeable = True  # NumPy's own is not
    view[...] = 7
    return out


def through_a_reshape(x: Any, y: Any) -> Any:
    out = x.copy()
    out.reshape(-1)[::2] = 0
    out.reshape(-1)[1] += 5
    return out


def under_two_names(x: Any, y: Any) -> Any:
    out = same = x * 2
    same += y
    return out


def scalars_are_not_shared(x: Any, y: Any) -> Any:
    total = before = x.sum()
    total += 1
    return before * y + total


def into_a_wider_array(x: Any, y: Any) -> Any:
    out = np.empty(x.shape, np.float64)
    np.add(y, 1, out=out)
    np.multiply(out, x, out)
    return out


def integers_into_floats(x: Any, y: Any) -> Any:
    out = x.copy("K")
    out[:, 1] = np.arange(2)
    out += np.arange(3)
    return out


def added_at_repeated_places(x: Any, y: Any) -> Any:
    out = np.ones((3, 3), x.dtype)
    np.add.at(out, (np.array([0, 0, 2]), slice(None)), y)
    return out


def with_constants(x: Any, y: Any) -> Any:
    return np.where(np.eye(2, 3, dtype=bool), x, np.zeros(3, x.dtype)) + np.arange(3.0)[::-1]


def with_pythons_lists(x: Any, y: Any) -> Any:
    return x[:, [2, 0]] * [1.5, -2.0]


def stacked(x: Any, y: Any) -> Any:
    return np.stack([x, x + y], axis=1)


def rolled_and_flipped(x: Any, y: Any) -> Any:
    return np.flip(np.roll(x, 1, 1), 0) + np.moveaxis(x[None], 0, -1)[..., 0]


def calls_of_ops(x: Any, y: Any) -> Any:
    return special.erf(elementwise.clip(x, low=0.0, high=None))


def zeros_as_operands(x: Any, y: Any) -> Any:
    zero = np.zeros_like(x)
    return (x - zero) * np.full((1, 3), 2, x.dtype) + zero.sum(axis=0)


def written_whole(x: Any, y: Any) -> Any:
    out = np.empty((2, 3), x.dtype)
    out[...] = y
    out[:] = 3
    out[:, :] = y[None]
    return out + x


def reduced_in_many_ways(x: Any, y: Any) -> Any:
    return x.max() + np.add.reduce(x, (-1, 0)) + x.sum(axis=-1).min() + x.prod(dtype=np.float64) * (x > 0).sum()


def scalar_in_place(x: Any, y: Any) -> Any:
    out = np.asarray(x.sum())
    other = out
    np.subtract(1, out, out=out)
    return other


def squeezed(x: Any, y: Any) -> Any:
    return np.expand_dims(x.sum(axis=1, keepdims=True).squeeze(1), 0) @ x.swapaxes(0, 1).T


def zeros_in_another_order(x: Any, y: Any) -> Any:
    return np.zeros(x.shape, x.dtype) + x.T.copy().T


KERNELS = [
    through_a_transposed_view, through_a_diagonal, through_a_reshape, under_two_names, scalars_are_not_shared,
    into_a_wider_array, integers_into_floats, added_at_repeated_places, with_constants, with_pythons_lists, stacked,
    rolled_and_flipped, calls_of_ops, zeros_as_operands, written_whole, reduced_in_many_ways, scalar_in_place, squeezed,
    zeros_in_another_order,
]  # fmt: skip


@pytest.mark.parametrize("memory", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("function", KERNELS, ids=lambda f: f.__name__)
def test_kernels_that_write_and_look(function: Any, dtype: Any, memory: Any) -> None:
    x = np.array([[0.5, -1.25, 2.0], [3.5, 0.25, -0.75]], dtype, order=memory)
    y = np.array([1.5, -2.0, 0.125], dtype)
    op = kernel_of(function)
    if function is through_a_transposed_view:
        op.residuals = {"view": None}  # type: ignore[dict-item]
    # with out= a result lies as its array does, not as it would by itself
    assert not whole(lowered_and_compared(op, [x, y], {}, interpreter.evaluate))


def asks_for_a_value(x: Any, y: Any) -> Any:
    return x if x[0, 0] > 0 else y


def reads_with_a_mask(x: Any, y: Any) -> Any:
    return x[x > 0]


def sorts(x: Any, y: Any) -> Any:
    return np.sort(x) + y


def converts(x: Any, y: Any) -> Any:
    return y * float(x[0, 0])


def writes_to_plain_memory(x: Any, y: Any) -> Any:
    out = np.eye(3, dtype=x.dtype)
    out[0] = y
    return out


REFUSED = [asks_for_a_value, reads_with_a_mask, sorts, converts, writes_to_plain_memory]


@pytest.mark.parametrize("function", REFUSED, ids=lambda f: f.__name__)
def test_what_symbols_cannot_show_stays_whole(function: Any) -> None:
    lowered = lowered_and_compared(kernel_of(function), [np.array([[0.5, -2.0, 1.0]]), np.array([3.0, 1.0, 2.0])], {})
    (node,) = lowered.nodes
    assert node.op.name == "kernel" and node.attrs["op"].kernel is function
    assert lowered.constants == []  # also none that was met on the way


# memory order, for all kinds of operands


@st.composite
def arrays(draw: Any, shape: tuple[int, ...], dtype: Any = np.float32) -> Any:
    """An array of a shape, whose axes lie in any order."""
    axes = draw(st.permutations(range(len(shape))))
    values = np.random.default_rng(draw(st.integers(0, 99))).normal(size=[shape[a] for a in axes]).astype(dtype)
    return values.transpose(np.argsort(axes))


shapes = st.lists(st.integers(1, 4), min_size=1, max_size=4).map(tuple)


@st.composite
def broadcasting(draw: Any) -> Any:
    """A shape, and one that broadcasts to it."""
    shape = draw(shapes)
    kept = draw(st.lists(st.booleans(), min_size=len(shape), max_size=len(shape)))
    other = tuple(n if k else 1 for n, k in zip(shape, kept, strict=True))
    return shape, other[draw(st.integers(0, len(shape))) :]


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_order_of_maps(data: Any) -> None:
    shape, other = data.draw(broadcasting())
    x, y = data.draw(arrays(shape)), data.draw(arrays(other, data.draw(st.sampled_from([np.float32, np.float64]))))
    axes = tuple(data.draw(st.permutations(range(len(shape)))))

    def mapped(x: Any, y: Any) -> Any:
        far = np.broadcast_to(y, x.shape).transpose(axes)
        part = x.transpose(axes)[..., ::-1]
        return np.where(far > 0, part, y.dtype.type(2)) + np.exp(far) * far.astype(np.float32).copy("K")

    assert not whole(lowered_and_compared(kernel_of(mapped), [x, y], {}))


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_order_of_folds(data: Any) -> None:
    shape = data.draw(shapes)
    x = data.draw(arrays(shape))
    axes = tuple(data.draw(st.sets(st.integers(0, len(shape) - 1))))
    keepdims = data.draw(st.booleans())

    def folded(x: Any) -> Any:
        return np.exp(x.max(axis=axes, keepdims=keepdims)) + (x > 0).sum(axis=axes, keepdims=keepdims)

    assert not whole(lowered_and_compared(kernel_of(folded), [x], {}))


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_order_of_products_and_indices(data: Any) -> None:
    lead, other = data.draw(broadcasting())
    lead, other = lead[-2:], other[-2:]
    x, y = data.draw(arrays((*lead, 2, 3))), data.draw(arrays((*other, 3, 4)))

    def product(x: Any, y: Any) -> Any:
        out = x @ y
        return out.copy("K"), out[..., np.array([2, 0])].copy("K"), out.reshape(-1, 2)

    op = kernel_of(product)
    op.residuals = {"taken": None, "shaped": None}  # type: ignore[dict-item]
    assert not whole(lowered_and_compared(op, [x, y], {}))


# programs


def number(name: str) -> Value:
    return Value((), None, origin=NUMBER, name=name)


def array(*shape: int, origin: str = ARGUMENT, name: str = "", dtype: Any = np.float32) -> Value:
    return Value(shape, np.dtype(dtype), origin=origin, name=name)


def computed(*shape: int, dtype: Any = np.float32, name: str = "") -> Value:
    return Value(shape, np.dtype(dtype), name=name)


def test_numbers_are_pythons_and_weak() -> None:
    lr, t, w, g = number("lr"), number("t"), array(3, origin=STATE, name="w"), array(3, name="g")
    rate, later = Value((), None), Value((), None)
    change, new = computed(3), computed(3)
    program = Program(
        arguments=[g], numbers=[lr, t], states=[w],
        nodes=[
            Node(OPS["mul"], (lr, 0.5), {}, (rate,), UPDATE), Node(OPS["add"], (t, 1), {}, (later,), UPDATE),
            Node(OPS["mul"], (g, rate), {}, (change,), UPDATE), Node(OPS["sub"], (w, change), {}, (new,), UPDATE),
        ],
        outputs=[rate], writes=[(w, new)], number_writes=[(t, later)],
    )  # fmt: skip
    lowered = ir.verify(lower(ir.verify(program)))
    assert [node.op.name for node in lowered.nodes] == ["mul", "add", "multiply", "subtract"]
    assert {node.section for node in lowered.nodes} == {UPDATE}
    for one in (program, lowered):
        weights, gradient = np.float32([1, 2, 3]), np.float32([0.1, 0.2, 0.3])
        outputs, numbers = interpreter.run(one, [gradient], [0.1, 4], [weights])
        assert outputs == (0.05,) and numbers == (5,) and type(numbers[0]) is int
        np.testing.assert_array_equal(weights, np.float32([1, 2, 3]) - gradient * 0.05)


def test_names_places_and_gradients_stay() -> None:
    x, w = array(2, 3, name="x"), array(4, 3, origin=STATE, name="fc.weight")
    b, z, d = array(4, name="b"), computed(2, 4, name="z"), computed(2, 4)
    d.gradient_of = z
    program = Program(
        arguments=[x, b], states=[w],
        nodes=[
            Node(OPS["linear"], (x, w, b), {}, (z,), place=("net.py", 3)),
            Node(OPS["relu"], (z,), {}, (d,), BACKWARD, ("relu", "x")),
        ],
        outputs=[d],
    )  # fmt: skip
    lowered = ir.verify(lower(program))
    assert [n.op.name for n in lowered.nodes] == ["transpose", "matmul", "add", "maximum"]
    assert [n.place for n in lowered.nodes] == [("net.py", 3)] * 3 + [None]
    assert (lowered.nodes[3].section, lowered.nodes[3].rule) == (BACKWARD, ("relu", "x"))
    assert [n.out.name for n in lowered.nodes] == ["", "", "z", ""]
    assert lowered.outputs[0].gradient_of is lowered.nodes[2].out
    assert lowered.nodes[0].values.__next__() is w and lowered.states == [w]
    assert z.gradient_of is None and program.outputs == [d]  # the program itself is as it was


def test_what_an_op_leaves_as_it_is_needs_no_node() -> None:
    x = array(2, 3)
    same, shaped, cast = computed(2, 3), computed(2, 3), computed(2, 3)
    program = Program(
        arguments=[x],
        nodes=[
            Node(OPS["clone"], (x,), {}, (same,)), Node(OPS["reshape"], (same,), {"shape": (2, 3)}, (shaped,)),
            Node(OPS["cast"], (shaped,), {"dtype": np.dtype(np.float32)}, (cast,)),
        ],
        outputs=[cast],
    )  # fmt: skip
    lowered = lower(program)
    assert lowered.nodes == [] and lowered.outputs == [x]


def test_equal_constants_are_shared() -> None:
    x, target = array(2, 3), array(2, dtype=np.int64)
    picked = [computed(2), computed(2)]
    nodes = [Node(OPS["picked"], (x, target), {}, (out,)) for out in picked]
    given = Value((2,), np.dtype(np.float32), origin=CONSTANT, data=np.float32([1, 2]))
    nodes.append(Node(OPS["add"], (picked[0], given), {}, (computed(2),)))
    program = Program(arguments=[x, target], constants=[given], nodes=nodes, outputs=[nodes[-1].out, picked[1]])
    lowered = ir.verify(lower(program))
    assert [value.data.tolist() for value in lowered.constants] == [[1, 2], [0, 1]]
    assert program.constants == [given]


def test_large_constants_are_filled_when_needed() -> None:
    def column_sums(x: Any) -> Any:
        return np.ones(len(x), x.dtype) @ x

    lowered = lowered_and_compared(kernel_of(column_sums), [np.ones((70_000, 2), np.float32)], {})
    assert [node.op.name for node in lowered.nodes] == ["copy", "matmul"] and lowered.constants == []


def test_effects_stay_in_their_place() -> None:
    x, noise, big, out = array(3), computed(3, dtype=np.float64), computed(dtype=bool), computed(3, dtype=np.float64)
    above = computed(3, dtype=bool)
    generator = type("Stream", (), {"numpy": np.random.default_rng(0)})()
    program = Program(
        arguments=[x],
        nodes=[
            Node(DRAW, (), {"generator": generator, "method": "random", "arguments": {"size": (3,)}}, (noise,)),
            Node(OPS["gt"], (x, 9), {}, (above,)),
            Node(OPS["any"], (above,), {"axis": (0,), "keepdims": False}, (big,)),
            Node(CHECK, (big, x), {"complain": lambda x: ValueError(f"too big: {x.max()}")}, ()),
            Node(OPS["add"], (x, noise), {}, (out,)),
        ],
        outputs=[out],
    )  # fmt: skip
    lowered = ir.verify(lower(ir.verify(program)))
    assert [n.op.name for n in lowered.nodes] == ["draw", "greater", "logical_or.reduce", "check", "add"]
    for one in (program, lowered):
        generator.numpy = np.random.default_rng(0)
        (found,), _ = interpreter.run(one, [np.float32([1, 2, 3])])
        np.testing.assert_array_equal(found, np.float32([1, 2, 3]) + np.random.default_rng(0).random(3))
        with pytest.raises(ValueError, match="too big: 10"):
            interpreter.run(one, [np.float32([1, 10, 3])])


def test_a_lowered_program_is_lowered_already() -> None:
    program, _ = program_of(*operands(SAMPLES[NAMES.index("softmax-1")]))
    once = lower(program)
    twice = ir.verify(lower(once))
    assert str(twice) == str(once)
