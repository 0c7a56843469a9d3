"""Fourier transforms and complex tensors: what they refuse. Values are in the laws and in parity."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import byhand
from byhand.core.errors import DtypeError, GraphError, ShapeError, UsageError
from byhand.core.op import OPS
from byhand.ops.complex import TAKEN

Z = byhand.fft.fft(byhand.arange(4.0))


@pytest.mark.parametrize(
    "call",
    [
        byhand.relu, byhand.exp, lambda z: z.max(), lambda z: z.var(), lambda z: z.norm(), lambda z: z < z,
        lambda z: byhand.softmax(z, 0), lambda z: z.sort(), lambda z: byhand.nn.functional.gelu(z),
        lambda z: z.clamp(0, 1), byhand.sqrt,
    ],
)  # fmt: skip
def test_other_ops_refuse_complex_values(call: Any) -> None:
    with pytest.raises(DtypeError, match=r"cannot take complex64: complex tensors are for byhand\.fft"):
        call(Z)


def test_what_is_taken_is_in_the_table() -> None:
    assert set(OPS) >= TAKEN


def test_real_tensors_are_computed_with_as_before() -> None:
    assert byhand.relu(byhand.tensor([-1.0, 2.0])).tolist() == [0.0, 2.0]
    assert byhand.relu(np.array([-1.0])).tolist() == [0.0]


def test_dtypes_are_named() -> None:
    with pytest.raises(DtypeError, match="rfftn takes a real tensor, this one is complex64; use fft"):
        byhand.fft.rfft(Z)
    with pytest.raises(DtypeError, match="imag is for complex tensors"):
        byhand.imag(byhand.ones(2))
    with pytest.raises(DtypeError, match="view_as_real is for complex"):
        byhand.view_as_real(byhand.ones(2))
    with pytest.raises(DtypeError, match=r"view_as_complex takes floats of shape \(…, 2\)"):
        byhand.view_as_complex(byhand.ones(3))
    with pytest.raises(DtypeError, match="expected float32 twice or float64 twice"):
        byhand.complex(byhand.ones(2), byhand.ones(2, dtype=byhand.float64))
    with pytest.raises(DtypeError, match="float16"):
        byhand.fft.fft(byhand.ones(2, dtype=byhand.float16))


def test_arguments_are_named() -> None:
    with pytest.raises(UsageError, match="norm is 'backward', 'ortho' or 'forward', not 'none'"):
        byhand.fft.fft(Z, norm="none")
    with pytest.raises(ShapeError, match="at least one value along axis 0, not 0"):
        byhand.fft.fft(Z, 0)
    with pytest.raises(UsageError, match="do not name different axes"):
        byhand.fft.fftn(byhand.ones(2, 2), dim=(0, 0))
    with pytest.raises(ShapeError, match="no values along axis 0; say n or s"):
        byhand.fft.irfft(byhand.ones(1))


def test_a_complex_loss_has_no_gradient_by_itself() -> None:
    z = byhand.tensor(1 + 2j).requires_grad_()
    with pytest.raises(GraphError, match=r"take \.real or \.abs\(\)"):
        (z * z).backward()


def test_views_share_memory() -> None:
    pairs = byhand.zeros(3, 2)
    z = byhand.view_as_complex(pairs)
    pairs[1, 1] = 2.0
    assert z.tolist() == [0, 2j, 0]
    assert byhand.view_as_real(z).data_ptr() == z.data_ptr()


def test_infinite_parts() -> None:
    assert byhand.complex(byhand.tensor([1.0]), byhand.tensor([np.inf])).real.item() == 1.0


def test_gradient_of_abs_at_zero_is_zero() -> None:
    z = byhand.zeros(2, dtype=byhand.complex128).requires_grad_()
    z.abs().sum().backward()
    assert z.grad is not None
    assert z.grad.tolist() == [0, 0]
