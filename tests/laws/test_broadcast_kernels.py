"""Kernels of elementwise ops broadcast, as NumPy's do: programs leave out what only repeats values."""

from __future__ import annotations

import inspect
import itertools
from typing import Any

import numpy as np
import pytest

import byhand  # noqa: F401  # fills the table
from byhand.core.op import ELEMENTWISE, OPS


def _operands(op: Any) -> int:
    """How many an op has; 0 if it wants attributes, too."""
    parameters = inspect.signature(op.kernel).parameters.values()
    return 0 if any(p.kind is p.KEYWORD_ONLY for p in parameters) else len(parameters)


TWO = sorted(name for name, op in OPS.items() if op.kind == ELEMENTWISE and not op.residuals and _operands(op) > 1)


@pytest.mark.parametrize("name", TWO)
def test_operands_of_several_shapes(name: str) -> None:
    op, random = OPS[name], np.random.default_rng(0)
    for shapes in itertools.product([(3, 4), (2, 3, 4), (1, 4)], repeat=_operands(op)):
        whole_numbers = name.startswith("bitwise") or name in ("gcd", "lcm")
        operands = [random.integers(1, 5, s) if whole_numbers else random.uniform(0.2, 0.8, s) for s in shapes]
        whole = op.kernel(*np.broadcast_arrays(*operands))
        found = op.kernel(*operands)
        assert found.shape == whole.shape
        np.testing.assert_allclose(found, whole, 1e-12)


def test_there_are_such_ops() -> None:
    assert {"add", "mul", "gelu_slope"} <= set(TWO)
