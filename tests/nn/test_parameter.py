from __future__ import annotations

import numpy as np
import pytest

import byhand
from byhand.nn.parameter import Parameter
from byhand.tensor import Tensor


def test_parameter():
    t = byhand.tensor([1.0, 2.0])
    p = Parameter(t)
    assert isinstance(p, Tensor)
    assert p.requires_grad
    assert np.shares_memory(p.array, t.array)
    assert repr(p).startswith("Parameter containing:\ntensor([1., 2.]")
    assert not Parameter(t, requires_grad=False).requires_grad
    assert Parameter().shape == (0,)
    assert Parameter(np.ones(3)).dtype == np.float64
    with pytest.raises(TypeError, match=r"Parameter takes a Tensor, got list; write Parameter\(byhand\.tensor"):
        Parameter([1.0])
