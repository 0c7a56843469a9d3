from __future__ import annotations

import math

import numpy as np

import byhand

NAN = math.nan


def test_nan_loses_against_numbers() -> None:
    x, y = byhand.tensor([1.0, NAN, 3.0, NAN]), byhand.tensor([2.0, 2.0, NAN, NAN])
    np.testing.assert_array_equal(byhand.fmax(x, y), [2, 2, 3, NAN])
    np.testing.assert_array_equal(x.fmin(y), [1, 2, 3, NAN])


def test_mantissa_and_exponent() -> None:
    x = byhand.tensor([0.0, 1.0, -6.0, 0.3])
    mantissa, exponent = x.frexp()
    assert exponent.dtype == byhand.int32 and exponent.tolist() == [0, 1, 3, -1]
    assert byhand.ldexp(mantissa, exponent).tolist() == x.tolist()


def test_sinc_and_signs() -> None:
    x = byhand.tensor([-0.5, 0.0, 0.5], requires_grad=True)
    np.testing.assert_allclose(byhand.sinc(x).detach(), np.sinc(x.detach().numpy()), rtol=1e-6)
    x.sinc().sum().backward()
    assert x.grad is not None and x.grad[1] == 0
    assert byhand.signbit(byhand.tensor([-0.0, 0.0])).tolist() == [True, False]
    assert byhand.copysign(byhand.tensor([1.0, -2.0]), byhand.tensor(-1.0)).tolist() == [-1, -2]


def test_float_power_is_double() -> None:
    assert byhand.float_power(byhand.tensor([2]), 0.5).dtype == byhand.float64
    assert byhand.rsub(byhand.tensor([1.0]), 3.0, alpha=2).tolist() == [1]
    assert byhand.heaviside(byhand.tensor([-1.0, 0.0, 2.0]), byhand.tensor(0.5)).tolist() == [0, 0.5, 1]
