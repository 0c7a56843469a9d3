"""All passes together: the registry, what is left out, and the same bits over random programs at both levels."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from byhand.core.errors import UsageError
from byhand.program import passes
from byhand.program.ir import Node, Program, ProgramError, Value, verify
from byhand.program.lowering import lower
from byhand.program.passes import PASSES, optimise
from program.draft import Draft, assert_same_bits, names

# no number that overflows when it is doubled: there a · (2 · x) and 2a · x differ, as `scaled_twice` says
NUMBERS = np.array([0.0, -0.0, 1.0, -1.0, 2.0, 0.5, -3.25, 1e-30, 1e20, np.inf, np.nan, 0.1, -0.7, 7.0])
LITERALS = [0, 1, -1, 2, 0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 4.0, -3.0]

UNARY = ["neg", "relu", "abs", "square", "exp", "sqrt", "clone", "contiguous", "tanh", "sign"]
BINARY = ["add", "sub", "mul", "true_divide", "maximum"]

Code = list[tuple[int, int, int]]


def written(code: Code, dtype: str, seed: int) -> tuple[Draft, Program]:
    """A list of integers read as a program."""
    random, d = np.random.default_rng(seed), Draft()

    def array(*shape: int) -> Any:
        return random.choice(NUMBERS, shape).astype(dtype)

    w = d.state(array(4, 3).T, "w")
    s = d.number(0.3)
    pool = [
        d.argument(array(3, 4)), w, d.argument(array(4), "y"), d.constant(np.ones((), dtype)),
        d.constant(np.full((3, 4), 2, dtype)), d.constant(array(3, 1)), d.argument(array(2, 3, 4), "z"),
    ]  # fmt: skip
    scalars = [*LITERALS, s, d("neg", s), d("mul", 1, s), d("sub", 0, s), d.constant(np.full((), -1, dtype))]
    for kind, i, j in code:
        x, y = pool[-1 - i % len(pool)], pool[-1 - j % len(pool)]
        if (made := _next(d, kind, x, y, j, scalars[j % len(scalars)])) is not None and made.size <= 512:
            pool.append(made)
    new = next((x for x in reversed(pool) if (x.shape, x.dtype) == (w.shape, w.dtype)), w)
    return d, d.done(*pool[-2:], writes=[(w, new)], number_writes=[(s, d("add", s, 1))])


def _next(d: Draft, kind: int, x: Value, y: Value, j: int, scalar: Any) -> Any:
    ndim, shape = len(x.shape), x.shape
    if kind < 6:
        return d(UNARY[j % len(UNARY)], x) if x.dtype != bool else None
    if kind < 12:
        a, b = (x, scalar) if kind % 2 else (scalar, x)
        return d(BINARY[kind % 4], a, b) if x.dtype != bool else None
    if kind < 18:
        try:
            np.broadcast_shapes(x.shape, y.shape)
        except ValueError:
            return None
        if x.dtype == bool or y.dtype == bool:
            return d("mul", x, y)
        return d("where", d("gt", x, y), x, y) if kind == 17 else d(BINARY[j % len(BINARY)], x, y)
    if kind < 21:
        return d("permute", x, axes=tuple(np.roll(range(ndim), j).tolist()) if j % 3 else tuple(range(ndim))[::-1])
    if kind < 24:
        wanted = [(math.prod(shape),), (1, *shape), (*shape, 1), shape[::-1]][j % 4]
        return d("reshape", x, shape=wanted)
    if kind < 27:
        return d("expand", x, shape=(j % 2 + 1, *shape)) if ndim < 4 else None
    if kind == 27:
        return d("sum", x, axis=(j % ndim,), keepdims=bool(j % 2)) if ndim else d("clone", x)
    if kind == 28:
        return d("cast", x, dtype=np.dtype(["f4", "f8", "i8", "f4"][j % 4])) if np.isfinite(d.examples[x]).all() else None
    if kind == 29:
        return d("matmul", x, d("permute", y, axes=(1, 0))) if len(y.shape) == 2 and shape[-1:] == y.shape[-1:] else None
    if kind == 30:
        stop = max(shape[0] - j % 2, 1) if ndim else 0
        return d("narrow", x, axis=0, start=0, stop=stop) if ndim else None
    if kind == 31:
        return _written_in_place(d, x, j)
    return d("copied", x, y) if y.shape in (shape, shape[1:], ()) else None


def _written_in_place(d: Draft, x: Value, j: int) -> Any:
    """A change through a view, and what the view then shows."""
    if not x.shape:
        return None
    view, attrs = [
        ("permute", {"axes": tuple(range(len(x.shape)))[::-1]}), ("reshape", {"shape": (x.size,)}),
        ("narrow", {"axis": 0, "start": 0, "stop": 1}),
    ][j % 3]  # fmt: skip
    if not np.may_share_memory(d.examples[seen := d(view, x, **attrs)], d.examples[x]):
        return None  # a reshape that copies is no view
    y = d("mul", seen, 2)
    return d(view, d("view_written", x, y, view=view, attrs=attrs), **attrs) if y.dtype == x.dtype else None


codes = st.lists(st.tuples(st.integers(0, 32), st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=14)
some = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize("level", ["ops", "primitives"])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
@given(codes, st.integers(0, 5))
@some
def test_the_same_bits(level: str, dtype: str, code: Code, seed: int) -> None:
    """After each pass alone, after all, and with each left out."""
    d, program = written(code, dtype, seed)
    if level == "primitives":
        with np.errstate(all="ignore"):
            program = lower(program)
    expected = d.run(program)
    for apply in PASSES.values():
        assert_same_bits(d.run(verify(apply(program))), expected)
    for without in [(), *[(name,) for name in PASSES]]:
        assert_same_bits(d.run(optimise(program, without, check=True)), expected)


@given(codes, st.integers(0, 5))
@some
def test_nothing_is_left_to_do(code: Code, seed: int) -> None:
    for level in (lambda p: p, lower):
        with np.errstate(all="ignore"):
            once = optimise(level(written(code, "f4", seed)[1]))
        for name, apply in PASSES.items():
            assert apply(once) is once, name


@given(codes, st.integers(0, 5))
@some
def test_programs_do_not_grow(code: Code, seed: int) -> None:
    program = written(code, "f4", seed)[1]
    assert len(optimise(program).nodes) <= len(program.nodes)
