"""Normalisations beside PyTorch's where its own samples do not look: memory orders, odd windows, dropout at rest."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from byhand import nn  # noqa: E402
from byhand.tensor import Tensor  # noqa: E402
from parity.comparison import RNG, close, compare, values  # noqa: E402


def channels_last(*shape):
    n, c, *space = shape
    return np.moveaxis(RNG.standard_normal((n, *space, c)), -1, 1)


def twins(name, *arguments, **options):
    mine, other = (getattr(package, name)(*arguments, **options).double() for package in (nn, torch.nn))
    state = {k: RNG.uniform(0.5, 2, tuple(v.shape)) for k, v in other.state_dict().items() if v.dtype == torch.float64}
    mine.load_state_dict(state, strict=False)
    other.load_state_dict({k: torch.tensor(v) for k, v in state.items()}, strict=False)
    assert repr(mine) == repr(other)
    return mine, other


NORMS = [
    ("BatchNorm2d", (4,), {}), ("BatchNorm2d", (4,), {"momentum": None}), ("BatchNorm2d", (4,), {"affine": False}),
    ("InstanceNorm2d", (4,), {}), ("InstanceNorm2d", (4,), {"affine": True, "track_running_stats": True}),
    ("GroupNorm", (2, 4), {}), ("GroupNorm", (4, 4), {"affine": False}), ("GroupNorm", (1, 4), {"bias": False}),
]  # fmt: skip


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("name", "arguments", "options"), NORMS)
def test_channels_last(name, arguments, options, training):
    """The same values, and results and gradients in the memory order of what came in."""
    mine, other = (layer.train(training) for layer in twins(name, *arguments, **options))
    data, g = channels_last(3, 4, 5, 2), channels_last(3, 4, 5, 2)
    for _ in range(2):
        x, y = Tensor(data).requires_grad_(), torch.tensor(data, requires_grad=True)
        out, expected = mine(x), other(y)
        out.backward(Tensor(g))
        expected.backward(torch.tensor(g))
        close(out, expected, "the value")
        close(x.grad, y.grad, "the gradient")
        assert out.array.strides == x.grad.array.strides == data.strides
    for p, q in zip(mine.parameters(), other.parameters(), strict=True):
        close(p.grad, q.grad, "the gradient of a parameter")
    for p, q in zip(mine.buffers(), other.buffers(), strict=True):
        close(p, q, "a running statistic")


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 9])
def test_response_across_channels(size):
    mine, other = twins("LocalResponseNorm", size, alpha=0.3, beta=0.6, k=1.5)
    x = values(2, 5, 3, 2)
    compare(mine, other, [x])
    older, _ = twins("CrossMapLRN2d", size, alpha=0.3, beta=0.6, k=1.5)
    if size % 2:  # PyTorch's own takes channels off its window one too late
        np.testing.assert_array_equal(older(Tensor(x)).array, mine(Tensor(x)).array)


@pytest.mark.parametrize("shape", [(6, 4), (2, 4, 3), (2, 4, 3, 2), (2, 4, 3, 2, 2)])
def test_sync_batch_norm_is_batch_norm(shape):
    mine, other = twins("SyncBatchNorm", 4)
    compare(mine, other, [values(*shape)])


@pytest.mark.parametrize(
    ("name", "shape"),
    [("Dropout1d", (2, 3, 4)), ("Dropout1d", (3, 4)), ("Dropout2d", (2, 3, 4, 4)), ("Dropout3d", (2, 3, 4, 4, 2)),
     ("Dropout3d", (3, 4, 4, 2)), ("FeatureAlphaDropout", (2, 3, 4))],
)  # fmt: skip
def test_dropout_of_channels_at_rest(name, shape):
    mine, other = twins(name, 0.3)
    compare(mine.eval(), other.eval(), [values(*shape)])


ROWS = [
    ("LayerNorm", (40,), {}), ("LayerNorm", (40,), {"bias": False}), ("LayerNorm", ((8, 40),), {}),
    ("LayerNorm", (40,), {"elementwise_affine": False}), ("RMSNorm", (40,), {}),
    ("RMSNorm", ((8, 40),), {"elementwise_affine": False}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "arguments", "options"), ROWS)
def test_many_rows(name, arguments, options):
    """Enough values for the way by products, also where the mean is far from 0."""
    mine, other = twins(name, *arguments, **options)
    data, g = RNG.standard_normal((64, 8, 40)) + 30, RNG.standard_normal((64, 8, 40))
    x, y = Tensor(data).requires_grad_(), torch.tensor(data, requires_grad=True)
    out, expected = mine(x), other(y)
    out.backward(Tensor(g))
    expected.backward(torch.tensor(g))
    close(out, expected, "the value")
    close(x.grad, y.grad, "the gradient")
    for p, q in zip(mine.parameters(), other.parameters(), strict=True):
        close(p.grad, q.grad, "the gradient of a parameter")
