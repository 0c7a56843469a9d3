"""Fourier transforms and complex tensors beside PyTorch's: values, gradients by its convention, second derivatives."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import byhand  # noqa: E402
from parity.questions import agree, questions  # noqa: E402

NAMES = "fft fft2 fftn hfft hfft2 hfftn rfft rfft2 rfftn ifft ifft2 ifftn ihfft ihfft2 ihfftn irfft irfft2 irfftn"
RNG = np.random.default_rng(0)
REAL = RNG.standard_normal((4, 3))
COMPLEX = RNG.standard_normal((4, 3)) + 1j * RNG.standard_normal((4, 3))
OTHER = RNG.standard_normal((3, 4)) + 1j * RNG.standard_normal((3, 4))
PAIRS = RNG.standard_normal((4, 2))
FILTER = RNG.standard_normal(5) + 1j * RNG.standard_normal(5)


@pytest.mark.parametrize("name", [*NAMES.split(), "fftshift", "ifftshift"])
def test_like_pytorch(name):
    for question in questions(f"fft.{name}"):
        agree(getattr(byhand.fft, name), question)


@pytest.mark.parametrize("name", NAMES.split())
@pytest.mark.parametrize("norm", ["backward", "ortho", "forward"])
def test_norms(name, norm):
    x = REAL if name.startswith(("rfft", "ihfft")) else COMPLEX
    ask(lambda L, x: getattr(L.fft, name)(x, norm=norm).abs().sum(), x)


def ask(function, *arrays):
    """The same function of either library, with the arrays as leaves."""
    leaves = tuple(torch.tensor(x).requires_grad_() for x in arrays)
    agree(lambda *xs: function(byhand, *xs), (lambda *xs: function(torch, *xs), leaves, {}))


@pytest.mark.parametrize(
    ("function", "arrays"),
    [
        (lambda L, x, w: (L.fft.irfft(L.fft.rfft(x) * w) ** 2).sum(), (RNG.standard_normal(8), FILTER)),
        (lambda L, x: L.fft.fft(x).abs().pow(3).sum(), (REAL,)),
        (lambda L, x: (L.fft.fft2(x) * x.conj()).imag.sum() + x.angle().sum(), (COMPLEX,)),
        (lambda L, x, y: (x / y + x * 2.5 - y + 1j * x).abs().sum(), (COMPLEX, OTHER[:1, :3])),
        (lambda L, x, y: ((x @ y).real ** 2).sum(), (COMPLEX, OTHER)),
        (lambda L, x, y: (x * y).abs().sum(), (REAL, COMPLEX)),
        (lambda L, x: (L.view_as_real(L.fft.fft(L.view_as_complex(x))) ** 3).sum(), (PAIRS,)),
        (lambda L, x, y: (L.complex(x, y) * L.polar(x.exp(), y)).real.pow(2).sum(), (REAL, REAL + 1)),
        (lambda L, x: L.fft.fft(x.mT)[1:, :2].sum(0).imag, (COMPLEX,)),
        (lambda L, x: x * x.mH.reshape(4, 3), (COMPLEX,)),
        (lambda L, x: L.fft.fft(x), (COMPLEX,)),
        (lambda L, x: L.real(x) + L.imag(L.conj(x)) + L.angle(x), (COMPLEX,)),
    ],
)
def test_gradients_through_complex_values(function, arrays):
    ask(function, *arrays)


def test_backward_fills_the_same_gradients():
    x, t = byhand.tensor(COMPLEX).requires_grad_(), torch.tensor(COMPLEX).requires_grad_()
    seen, theirs = [], []
    for leaf, found in ((x, seen), (t, theirs)):
        y = leaf * (2 - 1j)
        y.register_hook(found.append)
        (y * y).abs().sum().backward()
    np.testing.assert_allclose(x.grad.array, t.grad.numpy(), rtol=1e-12)
    np.testing.assert_allclose(seen[0].array, theirs[0].resolve_conj().numpy(), rtol=1e-12)


@pytest.mark.parametrize("values", [[1 + 2j, 0.5 - 1j], [1 + 2j], [0.001 + 2000j, 1j]])
def test_printed_alike(values):
    assert str(byhand.tensor(values)) == str(torch.tensor(values))


def test_dtypes():
    for mine, other in ((byhand.float32, torch.float32), (byhand.float64, torch.float64)):
        x, t = byhand.ones(4, dtype=mine), torch.ones(4, dtype=other)
        for name in ("fft", "rfft", "ihfft"):
            a, b = getattr(byhand.fft, name)(x), getattr(torch.fft, name)(t)
            assert f"torch.{a.dtype}" == str(b.dtype)
            assert a.is_complex() and byhand.is_complex(a) and byhand.isreal(a).tolist() == torch.isreal(b).tolist()
            assert str(byhand.fft.irfft(a).dtype) == str(mine)
    assert byhand.tensor([1j]).dtype == byhand.complex64 == byhand.cfloat


@pytest.mark.parametrize("n", [1, 4, 5])
def test_frequencies(n):
    for name in ("fftfreq", "rfftfreq"):
        a, b = getattr(byhand.fft, name)(n, 0.5), getattr(torch.fft, name)(n, 0.5)
        np.testing.assert_array_equal(a.array, b.numpy())
