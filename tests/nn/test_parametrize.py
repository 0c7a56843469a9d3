"""Parametrisation: what it refuses, caches, copies."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import byhand
from byhand import nn
from byhand.core.errors import ShapeError, UsageError
from byhand.nn.utils import parametrizations, parametrize


class Counted(nn.Module):
    calls = 0

    def forward(self, x):
        self.calls += 1
        return x * 2


def counted():
    layer = nn.Linear(3, 2)
    part = Counted()
    parametrize.register_parametrization(layer, "weight", part)
    part.calls = 0
    return layer, part


def test_cached_computes_once():
    layer, part = counted()
    with parametrize.cached():
        assert layer.weight is layer.weight
    assert part.calls == 1
    assert layer.weight is not layer.weight
    assert part.calls == 3


def test_what_is_learned_is_the_parameter_that_was():
    layer = nn.Linear(3, 2)
    weight = layer.weight
    parametrize.register_parametrization(layer, "weight", Counted())
    assert layer.parametrizations.weight.original is weight
    assert parametrize.type_before_parametrizations(layer) is nn.Linear
    assert parametrize.type_before_parametrizations(nn.Linear(1, 1)) is nn.Linear


def test_copies_are_apart_and_pickles_refused():
    layer, _ = counted()
    twin = copy.deepcopy(layer)
    with byhand.no_grad():
        twin.parametrizations.weight.original.zero_()
    assert twin.weight.abs().sum() == 0
    assert layer.weight.abs().sum() > 0
    with pytest.raises(UsageError, match="save its state_dict"):
        pickle.dumps(layer)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: parametrize.register_parametrization(nn.Linear(3, 2), "wieght", Counted()),
            UsageError,
            "no parameter or",
        ),
        (
            lambda: parametrize.register_parametrization(nn.Linear(3, 2), "weight", nn.Flatten(0)),
            ShapeError,
            "unsafe=True",
        ),
        (lambda: parametrize.remove_parametrizations(nn.Linear(3, 2), "weight"), UsageError, "no parametrized tensor"),
        (
            lambda: parametrize.remove_parametrizations(parametrizations.weight_norm(nn.Linear(3, 2)), "weight", False),
            UsageError,
            "learned as 2 tensors",
        ),
        (lambda: setattr(counted()[0], "weight", byhand.zeros(2, 3)), UsageError, "Counted has no right_inverse"),
        (lambda: parametrizations.spectral_norm(nn.Linear(3, 2), dim=2), UsageError, "there is no axis 2"),
        (lambda: parametrizations.spectral_norm(nn.Linear(3, 2), n_power_iterations=0), UsageError, "positive"),
        (lambda: parametrizations.spectral_norm(nn.ReLU()), UsageError, "ReLU has no parameter or buffer 'weight'"),
        (lambda: parametrizations.orthogonal(nn.ReLU()), UsageError, "ReLU has no parameter or buffer 'weight'"),
        (lambda: parametrizations.orthogonal(nn.Linear(3, 2), "bias"), ShapeError, "expected a matrix"),
        (lambda: parametrizations.orthogonal(nn.Linear(3, 2), orthogonal_map="givens"), UsageError, "'householder'"),
        (
            lambda: setattr(parametrizations.orthogonal(nn.Linear(3, 2)), "weight", byhand.zeros(3, 3)),
            ShapeError,
            r"expected a tensor of shape \(2, 3\)",
        ),
        (lambda: nn.utils.weight_norm(nn.utils.weight_norm(nn.Linear(3, 2))), UsageError, "by a hook already"),
        (lambda: nn.utils.weight_norm(nn.ReLU()), UsageError, "ReLU has no parameter 'weight'"),
        (lambda: nn.utils.spectral_norm(nn.Linear(3, 2), n_power_iterations=0), UsageError, "positive"),
        (lambda: nn.utils.remove_weight_norm(nn.Linear(3, 2)), UsageError, "weight_norm of 'weight' not found"),
        (lambda: nn.utils.fuse_linear_bn_eval(nn.Linear(3, 2), nn.BatchNorm1d(2)), UsageError, "model.eval"),
        (lambda: nn.utils.skip_init(byhand.zeros, 2), UsageError, "a subclass of Module"),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_assigning_an_orthogonal_weight():
    layer = parametrizations.orthogonal(nn.Linear(3, 3).double())
    turn = np.array([[0.0, 1, 0], [0, 0, 1], [1, 0, 0]])
    layer.weight = byhand.tensor(turn)
    np.testing.assert_allclose(layer.weight.array, turn, atol=1e-12)
    fixed = parametrizations.orthogonal(nn.Linear(3, 3), orthogonal_map="cayley", use_trivialization=False)
    with pytest.raises(NotImplementedError, match="cayley has no inverse"):
        fixed.weight = byhand.eye(3)


def test_skip_init():
    assert nn.utils.skip_init(nn.Linear, 3, out_features=2).weight.shape == (2, 3)
