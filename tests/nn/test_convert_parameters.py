from __future__ import annotations

import numpy as np
import pytest

import byhand
from byhand.core.errors import ShapeError, UsageError
from byhand.nn.utils import parameters_to_vector, vector_to_parameters
from nn.specimens import Affine, same, values


def test_there_and_back():
    a, b = Affine(3, 2), Affine(3, 2)
    vector = parameters_to_vector(a.parameters())
    assert vector.shape == (8,)
    assert vector.tolist()[:6] == a.weight.array.ravel().tolist()
    vector_to_parameters(vector, b.parameters())
    assert same(values(a), values(b))
    assert b.weight.requires_grad
    assert np.shares_memory(b.weight.array, vector.array)


def test_gradients_flow_through():
    layer = Affine(3, 2)
    vector = parameters_to_vector(layer.parameters())
    (vector * vector).sum().backward()
    np.testing.assert_allclose(layer.weight.grad.array, 2 * layer.weight.array, rtol=1e-6)


def test_a_vector_of_another_length_changes_nothing():
    layer = Affine(3, 2)
    before = values(layer)
    with pytest.raises(ShapeError, match=r"hold 8 values; expected a vector of shape \(8,\), got \(9,\)"):
        vector_to_parameters(byhand.ones(9), layer.parameters())
    assert same(before, values(layer))
    with pytest.raises(UsageError):
        parameters_to_vector([])
    with pytest.raises(TypeError, match="takes a Tensor, got list"):
        vector_to_parameters([1.0], layer.parameters())
