"""Lazy layers: what they are before their first input, and what settles them."""

from __future__ import annotations

import copy

import pytest

import byhand
from byhand import nn
from byhand.core.errors import CheckpointError, ShapeError, UsageError


def test_before_the_first_input():
    layer = nn.LazyLinear(4)
    assert isinstance(layer, nn.Linear)
    assert isinstance(layer.weight, nn.UninitializedParameter)
    assert repr(layer.weight) == "<UninitializedParameter>"
    with pytest.raises(UsageError, match="no shape yet: call the lazy module once"):
        _ = layer.weight.shape


def test_an_optimiser_may_hold_the_parameters_already():
    model = nn.Sequential(nn.LazyConv2d(4, 3), nn.LazyBatchNorm2d(), nn.Flatten(), nn.LazyLinear(2)).double()
    optimizer = byhand.optim.SGD(model.parameters(), lr=0.1)
    x = byhand.randn(3, 1, 5, 5).double()
    model(x).sum().backward()
    before = [p.clone() for p in model.parameters()]
    optimizer.step()
    assert [p.dtype for p in model.parameters()] == [byhand.float64] * 6
    assert all(type(p) is nn.Parameter for p in model.parameters())
    assert any((p != q).any() for p, q in zip(before, model.parameters(), strict=True))
    assert not any(type(m).__name__.startswith("Lazy") for m in model.modules())


def test_copies_are_settled_apart():
    layer = nn.LazyLinear(4)
    twin = copy.deepcopy(layer)
    assert layer(byhand.zeros(2, 3)).shape == (2, 4)
    assert twin(byhand.zeros(2, 5)).shape == (2, 4)
    assert (layer.in_features, twin.in_features) == (3, 5)


def test_frozen_parameters_stay_frozen():
    layer = nn.LazyLinear(4)
    layer.weight.requires_grad_(False)
    layer(byhand.zeros(2, 3))
    assert not layer.weight.requires_grad
    assert layer.bias.requires_grad


def test_states_settle_and_must_fit():
    state = nn.Linear(3, 4).state_dict()
    assert nn.LazyLinear(4).load_state_dict(state) == ([], [])
    with pytest.raises(CheckpointError, match="shape"):
        nn.LazyLinear(5).load_state_dict(state)


def test_materialize():
    parameter = nn.UninitializedParameter(dtype=byhand.float64)
    parameter.materialize((2, 3))
    assert (type(parameter), parameter.shape, parameter.dtype) == (nn.Parameter, (2, 3), byhand.float64)
    buffer = nn.UninitializedBuffer()
    buffer.materialize((2,), dtype=byhand.float64)
    assert (type(buffer), buffer.shape, buffer.dtype) == (nn.Buffer, (2,), byhand.float64)


def test_wrong_inputs():
    with pytest.raises(ShapeError, match=r"the input has shape \(2, 3\); expected 4 axes"):
        nn.LazyBatchNorm2d()(byhand.zeros(2, 3))
    layer = nn.LazyLinear(2)
    with pytest.raises(UsageError, match="call the model once before it is compiled"):
        byhand.compile(lambda: layer(byhand.zeros(2, 3)))()
