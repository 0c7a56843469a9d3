"""Convolutions beside PyTorch's: values, gradients, second derivatives, over many settings."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from byhand import nn  # noqa: E402
from byhand.autograd import grad  # noqa: E402
from byhand.nn import functional as F  # noqa: E402
from byhand.tensor import Tensor  # noqa: E402
from parity.comparison import close, compare, values  # noqa: E402

SIZES = {1: (9,), 2: (7, 8), 3: (5, 4, 5)}
# stride, padding, dilation, groups
SETTINGS = [
    (1, 0, 1, 1), (1, 1, 1, 1), (2, 1, 1, 1), (1, 2, 2, 1), (3, 2, 2, 2), (2, 3, 1, 2), (1, "same", 2, 1),
    (2, "valid", 1, 4),
]  # fmt: skip


@pytest.mark.parametrize("ndim", [1, 2, 3])
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("last", [False, True], ids=["channels first", "channels last"])
def test_convolutions(ndim, settings, last):
    stride, padding, dilation, groups = settings
    x, w = values(2, 4, *SIZES[ndim]), values(8, 4 // groups, *(2, 3, 2)[:ndim])
    if last:
        x, w = np.moveaxis(np.moveaxis(x, 1, -1).copy(), -1, 1), np.moveaxis(w.copy(), 0, -1).copy()
        w = np.moveaxis(w, -1, 0)
    attrs = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    name = f"conv{ndim}d"
    compare(
        lambda x, w, b: getattr(F, name)(x, w, b, **attrs),
        lambda x, w, b: getattr(torch.nn.functional, name)(x, w, b, **attrs),
        [x, w, values(8)],
    )


@pytest.mark.parametrize("ndim", [1, 2, 3])
@pytest.mark.parametrize(
    "settings", [(1, 0, 0, 1, 1), (2, 1, 1, 1, 1), (3, 2, 1, 2, 2), (2, 0, 2, 2, 3), (1, 3, 1, 1, 2), (4, 0, 3, 2, 1)],
    ids=str,
)  # fmt: skip
def test_transposed_convolutions(ndim, settings):
    stride, padding, extra, groups, dilation = settings
    x, w = values(2, 4, *(4, 3, 4)[:ndim]), values(4, 6 // groups, *(3, 4, 3)[:ndim])
    attrs = {"stride": stride, "padding": padding, "output_padding": extra, "groups": groups, "dilation": dilation}
    name = f"conv_transpose{ndim}d"
    compare(
        lambda x, w, b: getattr(F, name)(x, w, b, **attrs),
        lambda x, w, b: getattr(torch.nn.functional, name)(x, w, b, **attrs),
        [x, w, values(6)],
    )


@pytest.mark.parametrize("name", ["conv2d", "conv_transpose2d"])
@pytest.mark.parametrize(("stride", "groups"), [(1, 1), (2, 2)])
def test_second_derivatives(name, stride, groups):
    x, w = values(2, 4, 5, 6), values(4, 4 // groups, 3, 2)
    attrs = {"stride": stride, "padding": 1, "groups": groups}
    found = []
    for library, function, tensor, slope in (
        ("ours", getattr(F, name), lambda v: Tensor(v.copy()).requires_grad_(), grad),
        (
            "theirs",
            getattr(torch.nn.functional, name),
            lambda v: torch.tensor(v, requires_grad=True),
            torch.autograd.grad,
        ),
    ):
        a, b = tensor(x), tensor(w)
        first = slope((function(a, b, **attrs) ** 3).sum(), (a, b), create_graph=True)
        found.append((library, slope(sum((g**2).sum() for g in first), (a, b))))
    for mine, other in zip(found[0][1], found[1][1], strict=True):
        scale = float(other.abs().max())
        close(Tensor(mine.array / scale), other / scale, name)


@pytest.mark.parametrize("settings", list(itertools.product((1, 2), (0, 1), (1, 2))), ids=str)
def test_windows_as_columns(settings):
    dilation, padding, stride = settings
    attrs = {"kernel_size": (2, 3), "dilation": dilation, "padding": padding, "stride": stride}
    x = values(2, 3, 7, 8)
    compare(lambda x: F.unfold(x, **attrs), lambda x: torch.nn.functional.unfold(x, **attrs), [x])
    columns = torch.nn.functional.unfold(torch.tensor(x), **attrs).shape
    compare(
        lambda x: F.fold(x, (7, 8), **attrs), lambda x: torch.nn.functional.fold(x, (7, 8), **attrs), [values(*columns)]
    )


@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular"])
@pytest.mark.parametrize("padding", [2, "same"])
def test_padding_modes(mode, padding):
    settings = {"padding": padding, "padding_mode": mode}
    mine, other = nn.Conv2d(3, 4, (3, 4), **settings).double(), torch.nn.Conv2d(3, 4, (3, 4), **settings).double()
    other.load_state_dict({name: torch.tensor(np.array(x.array)) for name, x in mine.state_dict().items()})
    compare(mine, other, [values(2, 3, 6, 7)])
    assert repr(mine) == repr(other)
