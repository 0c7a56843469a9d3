"""Steps that random programs found wrong once: rare shapes, rare values, and what two rewritings make of each other."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import byhand
from byhand.core.errors import DomainError
from byhand.core.generator import default_generator
from byhand.nn import functional as F
from byhand.nn.utils import clip_grad_norm_
from byhand.optim import SGD
from byhand.program.longhand.expression import plain_number
from program.captured import contents

DIALECTS = ["planned", "loops", "longhand"]


@pytest.fixture(params=DIALECTS)
def dialect(request: pytest.FixtureRequest) -> str:
    if request.param == "loops":
        pytest.importorskip("llvmlite")
    return str(request.param)


def values(result: Any) -> list[Any]:
    return [x for x in contents(result) if x is not None]


def agree(step: Callable[..., Any], dialect: str, *calls: tuple[Any, ...]) -> None:
    """The compiled function, captured with the first arguments, gives what the eager one does with all of them."""
    compiled = byhand.compile(step, dialect=dialect)
    for given in calls:
        for mine, theirs in zip(values(compiled(*given)), values(step(*given)), strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-12)


def trained(step: Callable[[Any], Any], dialect: str, *shapes: tuple[int, ...]) -> None:
    """Three steps that a function of parameters takes leave the same parameters behind in both ways."""
    found = []
    for compile_it in (False, True):
        ws = [byhand.Tensor(np.linspace(-1, 1, int(np.prod(s))).reshape(s)).requires_grad_() for s in shapes]
        taken = byhand.compile(step, dialect=dialect) if compile_it else step
        results = [x for _ in range(3) for x in values(taken(ws))]
        found.append([*results, *[w.array for w in ws]])
    for theirs, mine in zip(*found, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-10)


def descend(ws: list[Any], rate: float = 0.1) -> None:
    with byhand.no_grad():
        for w in ws:
            w -= rate * w.grad
            w.grad = None


LABELS = [byhand.tensor(labels) for labels in ([0, 1, 2], [-1, 0, -2], [3, -4, 2])]
TABLE = byhand.tensor(np.arange(12.0).reshape(4, 3))


def test_negative_indices_that_a_check_of_something_else_depends_on(dialect: str) -> None:
    def step(x: Any, i: Any) -> Any:
        draws = byhand.bernoulli((i * 1e-9).sigmoid())
        return x[i], x[i, byhand.arange(3)], draws.sum() * 0

    agree(step, dialect, *[(TABLE, labels) for labels in LABELS])


def test_labels_that_are_checked_against_another_number_of_classes(dialect: str) -> None:
    def step(x: Any, i: Any) -> Any:
        return F.one_hot(i, 5), x[i]

    agree(step, dialect, (TABLE, byhand.tensor([0, 1, 3])))
    compiled = byhand.compile(step, dialect=dialect)
    compiled(TABLE, byhand.tensor([0, 1, 3]))
    with pytest.raises(DomainError, match="out of bounds"):
        compiled(TABLE, byhand.tensor([0, 1, 4]))


def test_magnitudes_that_are_checked_say_nothing_of_signs(dialect: str) -> None:
    def step(x: Any, i: Any) -> Any:
        return F.cross_entropy(x[:3], i.abs()), x[i]

    agree(step, dialect, *[(TABLE, labels) for labels in LABELS[:2]])


def test_rows_of_half_precision(dialect: str) -> None:
    x = byhand.tensor(np.arange(12.0).reshape(4, 3).astype(np.float16))
    agree(lambda x, i: x[i], dialect, *[(x, labels) for labels in LABELS])


def test_an_axis_of_size_0(dialect: str) -> None:
    def step(ws: list[Any]) -> Any:
        empty, row = ws
        made = empty.T + 0.5
        loss = (made * made).sum() + (made.tanh().sum(1) * row).sum() + (row * row).sum()
        loss.backward()
        descend(ws)
        return loss, made, made.amax(0)

    trained(step, dialect, (0, 3), (3,))


def test_random_numbers_are_put_back_when_a_check_fails(dialect: str) -> None:
    @byhand.compile(dialect=dialect)
    def step(x: Any, p: Any) -> Any:
        return F.dropout(x, 0.5) + byhand.bernoulli(p)

    step(TABLE, byhand.full((3,), 0.5))
    before = default_generator.get_state()
    with pytest.raises(DomainError):
        step(TABLE, byhand.full((3,), 1.5))
    assert default_generator.get_state() == before


def test_a_check_sees_the_draw_that_is_meant(dialect: str) -> None:
    @byhand.compile(dialect=dialect)
    def step() -> Any:
        return byhand.rand(1), byhand.bernoulli(byhand.rand(1) + 0.5)

    for _ in range(2):
        byhand.manual_seed(29)  # the first number is more than 0.9, the second less than 0.3
        assert step()[0].item() > 0.9


# longhand


def test_two_parts_of_a_gradient_have_two_names() -> None:
    results = []
    for compile_it in (False, True):
        ws = [byhand.tensor(np.linspace(-1, 1, n), requires_grad=True) for n in (3, 4)]
        optimizer = SGD(ws, lr=0.1, momentum=0.9)

        def step(ws: Any = ws, optimizer: Any = optimizer) -> Any:
            optimizer.zero_grad()
            loss = sum((w * w).sum() for w in ws)
            loss.backward(retain_graph=True)
            (loss * 0.5).backward()
            optimizer.step()
            return loss

        run = byhand.compile(step, dialect="longhand") if compile_it else step
        results.append([run().item() for _ in range(4)])
    np.testing.assert_allclose(*results, rtol=1e-12)


def test_what_is_written_through_a_view_is_no_other_array() -> None:
    def step(ws: list[Any]) -> Any:
        (w,) = ws
        loss = byhand.diag(w[:3]).square().mean() + (w * w).sum()
        (slope,) = byhand.autograd.grad(loss, w, create_graph=True)
        loss = loss + (slope * slope).sum()
        loss.backward()
        descend(ws)
        return loss

    trained(step, "longhand", (4,))


def test_an_op_of_many_operands() -> None:
    w = byhand.tensor(np.arange(20.0))
    agree(lambda w: byhand.cat(w.split(1)[::-1]), "longhand", (w,), (w,))


def test_an_operand_of_which_only_the_shape_counts() -> None:
    w = byhand.tensor(np.arange(3.0))
    agree(lambda w: (w.exp() * 2).copy_(w[-1]), "longhand", (w,), (w,))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_largest_number_is_finite(dtype: Any) -> None:
    x = byhand.tensor(np.array([1.0, np.inf, -np.inf, np.nan], dtype))
    agree(lambda x: x.nan_to_num(), "longhand", (x,), (x,))
    assert plain_number(np.finfo(np.float32).max) == pytest.approx(3.4028235e38, rel=1e-6)


def test_infinite_gradients_are_clipped_without_a_warning(dialect: str) -> None:
    w = byhand.ones(3, dtype=byhand.float64, requires_grad=True)

    @byhand.compile(dialect=dialect)
    def step(x: Any) -> Any:
        w.grad = None
        (w * x).sum().backward()
        return clip_grad_norm_([w], 1.0)

    step(byhand.ones(3, dtype=byhand.float64))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert step(byhand.tensor([1.0, np.inf, 2.0], dtype=byhand.float64)).item() == np.inf
