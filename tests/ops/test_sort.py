"""Order: stability, NaN, numbers without axes, quantiles."""

from __future__ import annotations

import numpy as np
import pytest

import byhand
from byhand.core.errors import ShapeError, UsageError


def test_sorting_is_stable_in_both_directions() -> None:
    x = byhand.tensor([2, 1, 2, 1, 3])
    assert x.sort().indices.tolist() == [1, 3, 0, 2, 4]
    assert x.sort(descending=True).indices.tolist() == [4, 0, 2, 1, 3]
    assert x.argsort(descending=True).tolist() == [4, 0, 2, 1, 3]


def test_gradients_go_to_where_values_came_from() -> None:
    x = byhand.tensor([3.0, 1.0, 2.0], requires_grad=True)
    (x.sort().values * byhand.tensor([1.0, 2.0, 3.0])).sum().backward()
    assert x.grad.tolist() == [3, 1, 2]
    x.grad = None
    (x.topk(2).values * byhand.tensor([10.0, 20.0])).sum().backward()
    assert x.grad.tolist() == [10, 0, 20]
    x.grad = None
    x.median().backward()
    assert x.grad.tolist() == [0, 0, 1]


def test_named_results() -> None:
    x = byhand.tensor([[1.0, 5.0], [7.0, 2.0]])
    for found in (x.max(1), x.min(1), x.sort(1), x.topk(1), x.kthvalue(1), x.median(1), x.cummax(1)):
        values, indices = found
        assert found.values is values and found.indices is indices and indices.dtype == byhand.int64
    assert x.aminmax().min.item() == 1 and x.aminmax(dim=1).max.tolist() == [5, 7]


def test_numbers_without_axes() -> None:
    x = byhand.tensor(4.0)
    assert (
        x.sort().values.item()
        == x.topk(1).values.item()
        == x.kthvalue(1).values.item()
        == x.median(0).values.item()
        == 4
    )
    assert (
        x.max(0).values.item() == 4
        and x.max(0).indices.item() == 0
        and x.argsort().item() == 0
        and x.cummax(0).values.item() == 4
    )
    assert x.quantile(0.5).item() == 4


@pytest.mark.parametrize("interpolation", ["linear", "lower", "higher", "midpoint", "nearest"])
@pytest.mark.parametrize("q", [0.0, 0.1, 0.37, 0.5, 0.9, 1.0])
def test_quantiles_are_numpys(interpolation: str, q: float) -> None:
    x = byhand.randn(3, 8, dtype=byhand.float64)
    np.testing.assert_allclose(
        x.quantile(q, 1, interpolation=interpolation), np.quantile(x.numpy(), q, axis=1, method=interpolation)
    )


def test_bounds_are_checked() -> None:
    x = byhand.ones(3)
    for call in (
        lambda: x.topk(4),
        lambda: x.kthvalue(0),
        lambda: x.quantile(-0.1),
        lambda: x.quantile(0.5, interpolation="cubic"),
    ):
        with pytest.raises(UsageError):
            call()
    with pytest.raises(ShapeError, match="do not fit rows"):
        byhand.searchsorted(byhand.ones(2, 2), x)


def test_counting() -> None:
    x = byhand.tensor([3, 1, 1, 0])
    assert x.bincount().tolist() == [1, 2, 0, 1] and x.bincount(minlength=6).shape == (6,)
    assert x.bincount(byhand.tensor([0.5, 1.0, 1.0, 2.0])).tolist() == [2, 2, 0, 0.5]
    values, inverse, counts = x.unique(return_inverse=True, return_counts=True)
    assert values.tolist() == [0, 1, 3] and values[inverse].tolist() == x.tolist() and counts.tolist() == [1, 2, 1]
    assert byhand.tensor([0.0, 1.0, 1.0, 4.0]).histc(4).tolist() == [1, 2, 0, 1]


def test_search() -> None:
    edges = byhand.tensor([1.0, 2.0, 2.0, 5.0])
    assert byhand.searchsorted(edges, byhand.tensor([2.0, 6.0])).tolist() == [1, 4]
    assert byhand.searchsorted(edges, byhand.tensor([2.0]), side="right").tolist() == [3]
    assert byhand.bucketize(byhand.tensor([0.0, 3.0]), edges, out_int32=True).dtype == byhand.int32
