"""In-place ops by themselves. Lost values: tests/core/test_mutation.py; PyTorch: tests/parity/test_inplace.py."""

from __future__ import annotations

import numpy as np
import pytest

import byhand
from byhand.core.errors import GraphError
from byhand.ops.inplace import accumulated


@pytest.mark.parametrize(("name", "expected"), [("maximum_", [2, 3]), ("minimum_", [1, 2])])
def test_extremes_in_place(name: str, expected: list[float]) -> None:
    x = byhand.tensor([1.0, 3.0], requires_grad=True)
    y = x.clone()
    assert getattr(y, name)(byhand.full((2,), 2.0)) is y
    assert y.tolist() == expected
    y.sum().backward()
    assert x.grad.tolist() == [float(a == b) for a, b in zip(expected, [1, 3], strict=True)]


def test_a_change_of_shape_keeps_views_and_base_together() -> None:
    x = byhand.ones(2, 3, requires_grad=True)
    base = x * 1
    row = base[0]
    row.unsqueeze_(0).mul_(5)  # still looks at base
    assert row.shape == (1, 3) and base.tolist() == [[5, 5, 5], [1, 1, 1]]
    base.sum().backward()
    assert x.grad.tolist() == [[5, 5, 5], [1, 1, 1]]


def test_views_of_a_tensor_whose_shape_changed() -> None:
    x = byhand.ones(2, 3, requires_grad=True)
    y = x * 1
    column = y[:, 0]
    y.transpose_(0, 1)
    y[0].mul_(7)  # the former first column
    assert y.shape == (3, 2) and column.tolist() == [7, 7]
    column.sum().backward()
    assert x.grad.tolist() == [[7, 0, 0], [7, 0, 0]]


def test_a_leaf_keeps_its_shape_unless_nothing_is_recorded() -> None:
    x = byhand.ones(2, 3, requires_grad=True)
    with pytest.raises(GraphError, match="leaf tensor"):
        x.t_()
    with byhand.no_grad():
        x.t_()
    assert x.shape == (3, 2) and x.requires_grad and x.is_leaf
    (x * 2).sum().backward()
    assert x.grad.shape == (3, 2)


def test_updates_without_recording_are_exact_and_stamped() -> None:
    x, a, b = byhand.ones(3), byhand.arange(3.0), byhand.full((3,), 2.0)
    assert not accumulated(x, np.multiply, a, b, 0.5)  # recorded, it goes the long way
    with byhand.no_grad():
        x.addcmul_(a, b, value=0.5)
        x.addcdiv_(a, b, value=2)
        x.add_(a, alpha=3).lerp_(b, 0.5)
    np.testing.assert_allclose(x, [1.5, 4.0, 6.5])
    w = byhand.ones(3, requires_grad=True)
    loss = (w * x).sum()
    with byhand.no_grad():
        x.addcmul_(a, b)
    with pytest.raises(GraphError, match="add"):
        loss.backward()


def test_assignment_of_ones_own_overlapping_memory() -> None:
    x = byhand.arange(5.0)
    x[1:] = x[:-1]
    assert x.tolist() == [0, 0, 1, 2, 3]
    y = byhand.arange(4.0)
    y.add_(y.flip(0)).mul_(y)
    assert y.tolist() == [9, 9, 9, 9]


def test_results_that_do_not_fit_leave_the_tensor_alone() -> None:
    x = byhand.ones(2)
    for call in (
        lambda: x.add_(byhand.ones(3)),
        lambda: x.copy_(byhand.ones(3, 2)),
        lambda: x.__setitem__(0, byhand.ones(5)),
    ):
        with pytest.raises(byhand.ByhandError):
            call()
    assert x.tolist() == [1, 1]
