"""`vmap`: random numbers, and what it refuses. Values are in `test_rules` and in parity."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import byhand
from byhand.core.errors import ByhandError, ShapeError, UsageError
from byhand.func import vmap
from byhand.nn import functional as F
from byhand.tensor import Tensor

X = byhand.arange(6.0).reshape(2, 3)


def test_example_shapes_are_seen() -> None:
    seen: list[Any] = []
    vmap(lambda x: seen.append((x.shape, x.ndim, x.numel(), len(x), x.dtype, x.size(0), x.is_contiguous())) or x)(X)
    assert seen == [((3,), 1, 3, 3, byhand.float32, 3, True)]


def test_random_numbers_must_be_spoken_of() -> None:
    with pytest.raises(UsageError, match=r"say randomness='different'"):
        vmap(lambda x: x + byhand.rand(3))(X)
    with pytest.raises(UsageError, match="randomness is 'error', 'different' or 'same', not 'some'"):
        vmap(lambda x: x, randomness="some")


@pytest.mark.parametrize(
    "draw",
    [
        lambda x: x * 0 + byhand.rand(3), lambda x: byhand.randn_like(x) + x * 0, lambda x: F.dropout(x * 0 + 1),
        lambda x: byhand.randint(0, 1000, (3,)) + x * 0, lambda x: byhand.randperm(50)[:3] + x * 0,
        lambda x: byhand.normal(0.0, 1.0, (3,)) + x * 0, lambda x: byhand.bernoulli(x * 0 + 0.5),
    ],
)  # fmt: skip
def test_randomness(draw: Any) -> None:
    byhand.manual_seed(3)
    x = byhand.zeros(20, 3)
    same = vmap(draw, randomness="same")(x).array
    assert (same == same[0]).all()
    different = vmap(draw, randomness="different")(x).array
    assert not (different == different[0]).all()


def test_different_draws_in_nested_batches() -> None:
    inner = vmap(lambda x: x + byhand.rand(()), randomness="different")
    found = vmap(inner, randomness="different")(byhand.zeros(4, 5)).array
    assert len(np.unique(found)) == 20
    found = vmap(inner, randomness="same")(byhand.zeros(4, 5)).array
    assert len(np.unique(found)) == 5


@pytest.mark.parametrize(
    "look", [lambda x: x.sum().item(), lambda x: x.tolist(), lambda x: x.numpy(), lambda x: 1 if x.sum() > 0 else 0,
             lambda x: 1.0 in x]
)  # fmt: skip
def test_values_cannot_be_looked_at(look: Any) -> None:
    with pytest.raises(UsageError, match="a value of the batch cannot be looked at"):
        vmap(look)(X)


@pytest.mark.parametrize(
    "change", [lambda x: x.add_(1), lambda x: x.__setitem__(0, 1.0), lambda x: x.__iadd__(1), lambda x: x.zero_()]
)
def test_nothing_is_changed_in_place(change: Any) -> None:
    before = X.clone()
    with pytest.raises(UsageError, match=r"under vmap is not there, .* write x = x \+ y"):
        vmap(change)(X)
    np.testing.assert_array_equal(X.array, before.array)


def test_gradients_are_asked_for_by_func() -> None:
    for call in (lambda x: x.requires_grad_(), lambda x: x.sum().backward()):
        with pytest.raises(UsageError, match=r"use byhand\.func\.grad"):
            vmap(call)(X)


def test_wrong_arguments() -> None:
    with pytest.raises(UsageError, match=r"in_dims=.* names 1 arguments, 2 are given"):
        vmap(byhand.mul, in_dims=(0,))(X, X)
    with pytest.raises(UsageError, match="no argument has a batch"):
        vmap(byhand.neg, in_dims=None)(X)
    with pytest.raises(UsageError, match=r"in_dims=2 for a tensor of shape \(2, 3\)"):
        vmap(byhand.neg, in_dims=2)(X)
    with pytest.raises(UsageError, match="is no tensor; give it None"):
        vmap(byhand.mul)(X, 2.0)
    with pytest.raises(ShapeError, match=r"batches of \[2, 3\] examples"):
        vmap(byhand.mul)(X, byhand.ones(3))
    with pytest.raises(UsageError, match=r"must return tensors, it returned float 1\.0"):
        vmap(lambda x: 1.0)(X)
    with pytest.raises(UsageError, match="out_dims=None for a result that is different"):
        vmap(byhand.neg, out_dims=None)(X)
    with pytest.raises(UsageError, match="not nested as the values"):
        vmap(byhand.neg, in_dims=((0, 0),))(X)


def test_errors_of_ops_name_the_shapes_of_one_example() -> None:
    with pytest.raises(ByhandError, match=r"matmul got \(3,\) and \(2,\)"):
        vmap(lambda x: byhand.dot(x, byhand.ones(2)))(X)


def test_gradients_of_what_stands_around() -> None:
    w = byhand.ones(3, requires_grad=True)
    vmap(lambda x: (x * w).sum())(X).sum().backward()
    assert w.grad is not None
    np.testing.assert_allclose(w.grad.array, X.array.sum(0))


def test_detached_and_printed() -> None:
    x = X.clone().requires_grad_()
    seen: list[Any] = []
    out = vmap(lambda r: r.detach() * (seen.append((r.requires_grad, repr(r)[:8])) or r).sum())(x)
    out.sum().backward()
    assert seen == [(True, "Batched(")]
    np.testing.assert_allclose(x.grad.array, np.repeat(X.array.sum(1, keepdims=True), 3, 1))  # type: ignore[union-attr]


@pytest.mark.parametrize("dialect", ["longhand", "planned"])
def test_compiled(dialect: str) -> None:
    def step(x: Tensor) -> Any:
        per_example = vmap(byhand.func.grad(lambda r: byhand.tanh(r * r.sum()).sum()))(x)
        return per_example, byhand.func.jacrev(lambda r: byhand.sin(r) * r.sum())(x[0])

    compiled = byhand.compile(step, dialect=dialect)
    compiled(X)
    for found, expected in zip(compiled(X), step(X), strict=True):
        np.testing.assert_allclose(found.array, expected.array, rtol=1e-5)
