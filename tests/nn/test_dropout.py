"""Dropout of whole channels."""

from __future__ import annotations

import numpy as np
import pytest

import byhand
from byhand import nn
from byhand.core.errors import DomainError, ShapeError
from byhand.nn import functional as F


@pytest.mark.parametrize(
    ("layer", "shape", "lead"),
    [(nn.Dropout1d(0.25), (40, 50, 3), 2), (nn.Dropout1d(0.25), (2000, 3), 1), (nn.Dropout2d(0.25), (40, 50, 2, 2), 2),
     (nn.Dropout2d(0.25), (40, 50, 3), 2), (nn.Dropout3d(0.25), (40, 50, 2, 1, 2), 2),
     (nn.Dropout3d(0.25), (2000, 2, 1, 2), 1)],
)  # fmt: skip
def test_channels_drop_as_a_whole(layer, shape, lead):
    byhand.manual_seed(1)
    x = byhand.ones(*shape, requires_grad=True)
    out = layer(x)
    out.sum().backward()
    channels = out.array.reshape(*shape[:lead], -1)
    assert np.array_equal(channels.min(-1), channels.max(-1))
    assert set(np.unique(channels)) == {0, np.float32(4 / 3)}
    assert abs((channels[..., 0] == 0).mean() - 0.25) < 0.04
    np.testing.assert_array_equal(x.grad.array, out.array)


def test_alpha_dropout_of_channels_keeps_mean_and_variance():
    byhand.manual_seed(1)
    x = byhand.randn(200, 100, 4)
    out = nn.FeatureAlphaDropout(0.2)(x)
    dropped = (out == out[..., :1]).all(-1)
    assert abs(dropped.float().mean().item() - 0.2) < 0.02
    assert abs(out.mean().item()) < 0.05
    assert abs(out.std().item() - 1) < 0.05


def test_in_place():
    x = byhand.ones(4, 5, 3)
    assert F.dropout1d(x, 0.5, inplace=True) is x
    assert F.feature_alpha_dropout(x, 0.5, True, inplace=True) is x


@pytest.mark.parametrize(
    ("name", "shape"),
    [("dropout1d", (3,)), ("dropout2d", (3, 4)), ("dropout3d", (2, 3, 4)), ("feature_alpha_dropout", (3,))],
)
def test_wrong_shapes(name, shape):
    with pytest.raises(ShapeError, match=f"{name}: the input has shape"):
        getattr(F, name)(byhand.zeros(*shape), 0.5, True)


@pytest.mark.parametrize("layer", [nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.FeatureAlphaDropout])
def test_probabilities(layer):
    with pytest.raises(DomainError, match=f"{layer.__name__}: p is the probability"):
        layer(1.5)
