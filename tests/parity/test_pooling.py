"""Pooling beside PyTorch's in float64: values, indices and gradients, for channels first and last in memory."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from byhand import nn  # noqa: E402
from byhand.nn import functional as F  # noqa: E402
from byhand.tensor import Tensor  # noqa: E402
from parity.comparison import RNG, compare, values  # noqa: E402

SIZES = (7, 6, 5)
WINDOWS = [
    {"kernel_size": 2}, {"kernel_size": 3, "stride": 2, "padding": 1}, {"kernel_size": 2, "stride": 3},
    {"kernel_size": 3, "stride": 1, "padding": 1, "ceil_mode": True}, {"kernel_size": 2, "ceil_mode": True},
]  # fmt: skip


def images(nd, last, lead=(2, 3)):
    """Values whose channels come first, or last, in memory, with equal ones among them."""
    x = np.maximum(np.round(values(*lead, *SIZES[:nd]), 1), 0)
    return np.moveaxis(np.moveaxis(x, -nd - 1, -1).copy(), -1, -nd - 1) if last else x


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("options", [*WINDOWS, {"kernel_size": 2, "dilation": 2}])
@pytest.mark.parametrize("nd", [1, 2, 3])
def test_max_pool(nd, options, last):
    mine, other = (getattr(package, f"MaxPool{nd}d")(**options, return_indices=True) for package in (nn, torch.nn))
    for lead in ((2, 3), (3,)):
        x = images(nd, last, lead)
        compare(lambda x: mine(x)[0], lambda x: other(x)[0], [x])
        np.testing.assert_array_equal(mine(Tensor(x))[1].array, other(torch.tensor(x))[1].numpy())


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("options", WINDOWS)
@pytest.mark.parametrize("nd", [1, 2, 3])
def test_avg_pool(nd, options, last):
    for count_include_pad, divisor in itertools.product([True, False], [None, 5]):
        given = {**options, "count_include_pad": count_include_pad} | ({"divisor_override": divisor} if nd > 1 else {})
        mine, other = (getattr(package, f"AvgPool{nd}d")(**given) for package in (nn, torch.nn))
        assert repr(mine) == repr(other)
        compare(mine, other, [images(nd, last)])


@pytest.mark.parametrize("p", [1, 2, 3.5, np.inf])
@pytest.mark.parametrize("options", [{"kernel_size": 2}, {"kernel_size": 3, "stride": 2, "ceil_mode": True}])
@pytest.mark.parametrize("nd", [1, 2, 3])
def test_lp_pool(nd, options, p):
    mine, other = (getattr(package, f"LPPool{nd}d")(p, **options) for package in (nn, torch.nn))
    assert repr(mine) == repr(other)
    x = images(nd, False)
    x.flat[:40] = 0  # windows of zeros have slope 0
    compare(mine, other, [x])


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("size", [1, 2, 3, 4, None])
@pytest.mark.parametrize("nd", [1, 2, 3])
def test_adaptive_pools(nd, size, last):
    x = images(nd, last)
    given = (size, 3, None)[:nd] if nd > 1 else size or 7
    compare(getattr(nn, f"AdaptiveAvgPool{nd}d")(given), getattr(torch.nn, f"AdaptiveAvgPool{nd}d")(given), [x])
    mine, other = (getattr(package, f"AdaptiveMaxPool{nd}d")(given, return_indices=True) for package in (nn, torch.nn))
    assert repr(mine) == repr(other)
    compare(lambda x: mine(x)[0], lambda x: other(x)[0], [x])
    np.testing.assert_array_equal(mine(Tensor(x))[1].array, other(torch.tensor(x))[1].numpy())


@pytest.mark.parametrize("nd", [1, 2, 3])
def test_unpooling_is_back_where_maxima_were(nd):
    x = RNG.permutation(np.arange(6.0 * 4**nd)).reshape(2, 3, *[4] * nd)
    pooled, places = getattr(F, f"max_pool{nd}d")(Tensor(x), 2, return_indices=True)
    for size in (None, (5,) * nd):
        compare(
            lambda y, size=size: getattr(nn, f"MaxUnpool{nd}d")(2)(y, places, size),
            lambda y, size=size: getattr(torch.nn, f"MaxUnpool{nd}d")(2)(y, torch.tensor(places.array), size),
            [pooled.array],
        )
    assert repr(getattr(nn, f"MaxUnpool{nd}d")(3, 2, 1)) == repr(getattr(torch.nn, f"MaxUnpool{nd}d")(3, 2, 1))


@pytest.mark.parametrize("given", [{"output_size": 3}, {"output_ratio": 0.6}, {"output_size": 1}])
@pytest.mark.parametrize("nd", [2, 3])
def test_fractional_pooling_of_given_draws(nd, given):
    draws = values(2, 3, nd, low=0.0, high=1.0)
    made = [
        getattr(package, f"FractionalMaxPool{nd}d")(2, return_indices=True, _random_samples=tensor, **given)
        for package, tensor in ((nn, Tensor(draws)), (torch.nn, torch.tensor(draws)))
    ]
    assert repr(made[0]) == repr(made[1])
    assert list(made[0].state_dict()) == list(made[1].state_dict())
    x = values(2, 3, *SIZES[:nd])
    compare(lambda x: made[0](x)[0], lambda x: made[1](x)[0], [x])
    np.testing.assert_array_equal(made[0](Tensor(x))[1].array, made[1](torch.tensor(x))[1].numpy())
    assert getattr(F, f"fractional_max_pool{nd}d")(Tensor(x[0]), 2, 3).shape == (3, *[3] * nd)


def test_nan_is_passed_on():
    x = values(2, 3, 8, 8)
    x[0, 1, 3, 4] = np.nan
    for options in WINDOWS:
        mine, other = F.max_pool2d(Tensor(x), **options), torch.nn.functional.max_pool2d(torch.tensor(x), **options)
        np.testing.assert_array_equal(mine.array, other.numpy())
