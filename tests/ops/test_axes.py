"""Axes and shapes as users write them."""

from __future__ import annotations

import numpy as np
import pytest

import byhand
from byhand.core.errors import DomainError, ShapeError, UsageError
from byhand.ops.axes import completed, either, many, one, shape_of, together


def test_one_axis() -> None:
    assert [one(a, 3, "f") for a in (0, 2, -1, -3, np.int64(1))] == [0, 2, 2, 0, 1]
    assert one(-1, 0, "f") == one(0, 0, "f") == 0  # a number has the axes 0 and -1
    for wrong in (3, -4):
        with pytest.raises(
            DomainError, match=rf"f: there is no axis {wrong} in a tensor of 3 axes \(allowed: -3 to 2\)"
        ):
            one(wrong, 3, "f")
    for wrong in (1.0, None, "a"):
        with pytest.raises(UsageError, match="dim is an integer"):
            one(wrong, 3, "f")


def test_many_axes() -> None:
    assert many(None, 3, "f") == (0, 1, 2) and many((), 3, "f") == ()
    assert many((-1, 0), 3, "f") == many([2, 0], 3, "f") == (0, 2) and many(-1, 3, "f") == (2,)
    assert many(0, 0, "f") == ()
    with pytest.raises(UsageError, match="twice"):
        many((1, -2), 3, "f")


def test_aliases() -> None:
    assert either(None, None, "a and b", 5) == 5 and either(1, None, "a and b") == 1 and either(None, 2, "a and b") == 2
    with pytest.raises(UsageError, match="a and b mean the same thing"):
        either(1, 2, "a and b")
    x = byhand.ones(2, 3)
    for name in ("sum", "mean", "prod", "amax", "argmax", "any", "all", "var", "std", "logsumexp", "max", "min"):
        f = getattr(byhand, name)
        a, b = f(x, dim=1, keepdim=True), f(x, axis=1, keepdims=True)
        for p, q in zip(a, b, strict=True) if isinstance(a, tuple) else [(a, b)]:
            assert p.shape == q.shape == (2, 1)
        with pytest.raises(UsageError):
            f(x, dim=0, axis=1)


def test_shapes() -> None:
    assert shape_of((2, 3)) == shape_of(((2, 3),)) == shape_of(([2, 3],)) == (2, 3)
    assert shape_of(()) == shape_of(((),)) == () and shape_of((byhand.tensor(2),)) == (2,)
    with pytest.raises(UsageError, match="sizes are integers"):
        shape_of((2.5, 1))


def test_unknown_sizes() -> None:
    assert completed((-1, 3), 6, "f", (6,)) == (2, 3) and completed((2, 3), 6, "f", (6,)) == (2, 3)
    assert completed((0, 3), 0, "f", (0,)) == (0, 3)
    for wrong in ((-1, 4), (-1, -1), (5,), (-2, 3), (-2, -3)):
        with pytest.raises(ShapeError):
            completed(wrong, 6, "f", (6,))
    with pytest.raises(ShapeError):
        completed((-1, 0), 0, "f", (0,))


def test_broadcasting() -> None:
    assert together("f", (2, 1), (3,)) == (2, 3)
    with pytest.raises(ShapeError, match=r"f: shapes \(2,\) and \(3,\) do not broadcast"):
        together("f", (2,), (3,))
