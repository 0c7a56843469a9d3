"""The law of the compiler over the table of ops: eager = longhand = planned = loops, value and gradient.

Ops are compiled a few at a time, since what a compilation costs it costs for each program.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import byhand
from byhand.autograd import grad
from byhand.core.errors import CaptureError
from byhand.tensor import Tensor
from laws.sample import Sample
from laws.samples import SAMPLES

TOGETHER = 12
DIALECTS = ["longhand", "planned", "loops"]
# longhand writes a few formulas as courses do, loops sum in another order and have exponentials of their own
TOLERANCE = {
    ("longhand", np.float64): 1e-12, ("planned", np.float64): 1e-15, ("loops", np.float64): 1e-11,
    ("longhand", np.float32): 5e-6, ("planned", np.float32): 1e-7, ("loops", np.float32): 5e-6,
}  # fmt: skip


def _by_mask(sample: Sample) -> bool:
    """Whether values are chosen by a mask: how many is not known beforehand."""
    return sample.op.name == "index" and any(getattr(x, "dtype", "") == "bool" for x in sample.operands)


FIXED = [sample for sample in SAMPLES if not _by_mask(sample)]
GROUPS = [FIXED[i : i + TOGETHER] for i in range(0, len(FIXED), TOGETHER)]


def _operands(sample: Sample, dtype: Any) -> list[Any]:
    """The operands: float arrays as tensors that ask for gradients, other arrays as tensors."""
    made: list[Any] = []
    for i, x in enumerate(sample.operands):
        if isinstance(x, np.ndarray):
            x = Tensor(x.astype(dtype) if x.dtype == np.float64 else x.copy())
            x.requires_grad_(i in sample.floats)
        made.append(x)
    return made


def _values_and_gradients(samples: list[Sample], operands: list[list[Any]]) -> list[Tensor]:
    results: list[Tensor] = []
    for sample, given in zip(samples, operands, strict=True):
        out = sample.call(*given)
        results.append(out.detach())
        if sample.floats and sample.op.rules:
            g = Tensor(np.linspace(0.5, 1.5, out.numel()).reshape(out.shape).astype(out.dtype))
            results += grad(out, [given[i] for i in sample.floats], g)
    return results


def test_all_samples_but_one_have_fixed_shapes() -> None:
    (sample,) = [sample for sample in SAMPLES if _by_mask(sample)]
    operands = _operands(sample, np.float64)
    with pytest.raises(CaptureError, match="mask"):
        byhand.compile(lambda: sample.call(*operands), dialect="planned")()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("group", range(len(GROUPS)))
@pytest.mark.parametrize("dialect", DIALECTS)
def test_eager_is_every_dialect(dialect: str, group: int, dtype: Any) -> None:
    if dialect == "loops":
        pytest.importorskip("llvmlite")
    samples = GROUPS[group]
    operands = [_operands(sample, dtype) for sample in samples]

    @byhand.compile(dialect=dialect)
    def step() -> list[Tensor]:
        return _values_and_gradients(samples, operands)

    with np.errstate(all="ignore"):
        expected = _values_and_gradients(samples, operands)
        step()
        found = step()
    assert len(found) == len(expected)
    tolerance = TOLERANCE[dialect, dtype]
    for mine, theirs in zip(found, expected, strict=True):
        assert mine.shape == theirs.shape
        assert mine.dtype == theirs.dtype
        np.testing.assert_allclose(mine.array, theirs.array, rtol=tolerance, atol=tolerance)
