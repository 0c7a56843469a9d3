"""All passes together: the registry, what is left out, and the same bits over random programs at both levels."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import byhand
from byhand import nn
from byhand.core.errors import UsageError
from byhand.nn import functional as F
from byhand.program.ir import Program, ProgramError, Value, verify
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
        return (
            d("cast", x, dtype=np.dtype(["f4", "f8", "i8", "f4"][j % 4])) if np.isfinite(d.examples[x]).all() else None
        )
    if kind == 29:
        if len(y.shape) != 2 or not ndim or shape[-1] != y.shape[-1]:
            return None
        return d("matmul", d("sign", x), d("permute", d("sign", y), axes=(1, 0)))  # whole numbers: no BLAS rounds them
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


def test_unknown_passes_are_refused() -> None:
    with pytest.raises(UsageError, match=r"no pass 'alchemy', 'magic'; the passes are dead_code, constants, algebra"):
        optimise(Program(), without=["magic", "algebra", "alchemy"])


def test_a_pass_that_is_left_out_does_not_run() -> None:
    d = Draft()
    x = d.argument(np.ones((2, 3)))
    program = d.done(d("add", d("mul", x, 1), d("mul", x, 1)))
    assert names(optimise(program)) == ["add"]
    assert names(optimise(program, without=["algebra"])) == ["mul", "add"]
    assert names(optimise(program, without=["algebra", "common_subexpressions"])) == ["mul", "mul", "add"]
    assert optimise(program, without=list(PASSES)) is program


def test_the_verifier_runs_between_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    d = Draft()
    program = d.done(d("exp", d.argument(np.ones(2))))
    broken = Program(outputs=program.outputs)
    monkeypatch.setitem(PASSES, "algebra", lambda program: broken)
    with pytest.raises(ProgramError, match="nothing computes it"):
        optimise(program, check=True)
    assert optimise(program) is broken


def test_a_pass_that_never_ends_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PASSES, "algebra", lambda program: program.replaced(program.nodes))
    program = optimise(Program())
    assert names(program) == []


def test_the_program_given_stays_as_it_is() -> None:
    _, program = written([(6, 0, 2), (0, 1, 0), (20, 0, 2), (20, 0, 2), (9, 0, 11), (24, 0, 0), (14, 0, 1)], "f4", 0)
    before, count = str(program), len(program.constants)
    assert str(optimise(program)) != before
    assert (str(program), len(program.constants)) == (before, count)


MLP = """\
program step(x: f32[50,784], y: i64[50])
  number lr: number
  state _0_weight: f32[30,784]
  state _0_bias: f32[30]
  state _2_weight: f32[10,30]
  state _2_bias: f32[10]
forward
  v0: f32[50,30] = linear(x, _0_weight, _0_bias)
  v1: f32[50,30] = relu(v0)
  v2: f32[50,10] = linear(v1, _2_weight, _2_bias)
  v3: bool[] = out_of_range(y, classes=10)
  v4: f32[], v5: f32[50,10] = cross_entropy_mean(v2, y)
backward
  v6: f32[50,10] = less_one_hot(v5, y)
  v7: f32[50,10] = mul(0.02, v6)
  v8: f32[30,50] = permute(v1, axes=(1, 0))
  v9: f32[30,10] = matmul(v8, v7)
  v10: f32[10,30] = permute(v9, axes=(1, 0))
  v11: f32[10] = column_sums(v7)
  v12: f32[50,30] = matmul(v7, _2_weight)
  v13: bool[50,30] = gt(v1, 0)
  v14: f32[50,30] = mul(v12, v13)
  v15: f32[784,50] = permute(x, axes=(1, 0))
  v16: f32[784,30] = matmul(v15, v14)
  v17: f32[30,784] = permute(v16, axes=(1, 0))
  v18: f32[30] = column_sums(v14)
update
  v19: f32[30,784] = mul(v17, lr)
  v20: f32[30,784] = sub(_0_weight, v19)
  v21: f32[30] = mul(v18, lr)
  v22: f32[30] = sub(_0_bias, v21)
  v23: f32[10,30] = mul(v10, lr)
  v24: f32[10,30] = sub(_2_weight, v23)
  v25: f32[10] = mul(v11, lr)
  v26: f32[10] = sub(_2_bias, v25)
return v4
write  _0_weight ← v20
write  _0_bias ← v22
write  _2_weight ← v24
write  _2_bias ← v26"""


def test_a_training_step_reads_as_one_would_write_it() -> None:
    model = nn.Sequential(nn.Linear(784, 30), nn.ReLU(), nn.Linear(30, 10))
    optimizer = byhand.optim.SGD(model.parameters(), lr=0.1)

    @byhand.compile(dialect="planned")
    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    step(byhand.zeros(50, 784), byhand.zeros(50, dtype=byhand.int64))
    printed = str(step.program).splitlines()
    assert "\n".join(line for line in printed if not line.startswith("  check(")) == MLP


def test_a_mean_square_is_scaled_once() -> None:
    """2 / N is one factor."""

    @byhand.compile(dialect="planned")
    def slope(w: Any, x: Any, y: Any) -> Any:
        F.mse_loss(x @ w, y).backward()
        return w.grad

    slope(byhand.zeros(3, 1, requires_grad=True), byhand.zeros(8, 3), byhand.zeros(8, 1))
    assert names(slope.program) == ["matmul", "sub", "mul", "permute", "matmul"]
    assert slope.program.nodes[2].inputs[0] == 0.25
