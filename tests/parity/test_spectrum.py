"""Windows and short-time Fourier transforms beside PyTorch's."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import byhand  # noqa: E402
from byhand.core.errors import ShapeError, UsageError  # noqa: E402
from parity.questions import agree  # noqa: E402

RNG = np.random.default_rng(0)
SIGNAL, PAIR = RNG.standard_normal(60), RNG.standard_normal((2, 60))
WINDOWS = {
    "hann_window": ({},),
    "hamming_window": ({}, {"alpha": 0.6, "beta": 0.3}),
    "blackman_window": ({},),
    "bartlett_window": ({},),
    "kaiser_window": ({}, {"beta": 5.0}),
}


@pytest.mark.parametrize("name", WINDOWS)
def test_windows(name):
    for options in WINDOWS[name]:
        for length in (0, 1, 2, 7, 8):
            for periodic in (True, False):
                mine = getattr(byhand, name)(length, periodic, dtype=byhand.float64, **options)
                other = getattr(torch, name)(length, periodic, dtype=torch.float64, **options)
                np.testing.assert_allclose(mine.numpy(), other.numpy(), atol=1e-12, err_msg=f"{length} {periodic}")
    assert getattr(byhand, name)(4).dtype == byhand.float32


def ask(function, *arrays):
    """Squared, so that there is a second derivative."""
    leaves = tuple(torch.tensor(x).requires_grad_() for x in arrays)
    agree(lambda *xs: function(byhand, *xs) ** 2, (lambda *xs: function(torch, *xs) ** 2, leaves, {}))


def hann(library, n):
    return library.hann_window(n, dtype=library.float64)


SPECTRA = {
    "plain": {},
    "a window of its own length": {"win_length": 10},
    "hop": {"hop_length": 3},
    "from the beginning": {"center": False},
    "zeros around": {"pad_mode": "constant"},
    "normalised": {"normalized": True},
    "both sides": {"onesided": False},
}


@pytest.mark.parametrize("name", SPECTRA)
@pytest.mark.parametrize("x", [SIGNAL, PAIR], ids=["one", "two"])
def test_spectra_of_pieces(name, x):
    options = SPECTRA[name]
    size = options.get("win_length", 16)
    ask(lambda L, x: L.view_as_real(L.stft(x, 16, window=hann(L, size), return_complex=True, **options)), x)


@pytest.mark.filterwarnings("ignore:stft with return_complex=False")
def test_other_forms_of_a_spectrum():
    ask(lambda L, x: L.stft(x, 16, window=hann(L, 16), return_complex=False), SIGNAL)
    ask(lambda L, x: L.stft(x, 8, window=L.ones(8, dtype=L.float64), return_complex=True).abs(), PAIR)
    ask(lambda L, x, w: L.stft(x, 8, window=w, return_complex=True).abs(), SIGNAL, RNG.uniform(0.5, 1, 8))
    ask(lambda L, x: L.view_as_real(L.stft(L.complex(x[0], x[1]), 8, window=hann(L, 8), return_complex=True)), PAIR)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"hop_length": 5},
        {"normalized": True},
        {"length": 50},
        {"length": 70},
        {"onesided": False},
        {"win_length": 12},
    ],
)
def test_signals_from_spectra(options):
    def there_and_back(L, x):
        window = hann(L, options.get("win_length", 16))
        both = {key: value for key, value in options.items() if key != "length"}
        spectra = L.stft(x, 16, window=window, return_complex=True, **both) * (1.5 + 0.5j)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return L.istft(spectra, 16, window=window, **options)

    ask(there_and_back, SIGNAL)
    ask(there_and_back, PAIR)


def test_what_goes_there_comes_back():
    x, window = byhand.tensor(PAIR), hann(byhand, 16)
    spectra = byhand.stft(x, 16, window=window, return_complex=True)
    assert byhand.allclose(byhand.istft(spectra, 16, window=window, length=60), x)
    z = byhand.complex(x[0], x[1])
    spectra = byhand.stft(z, 16, window=window)
    back = byhand.istft(spectra, 16, window=window, length=60, return_complex=True)
    assert byhand.allclose(byhand.view_as_real(back), byhand.view_as_real(z))


def test_what_has_no_spectrum():
    x = byhand.tensor(SIGNAL)
    for options, message in (
        ({}, "say return_complex=True"),
        ({"hop_length": 0}, "hop_length is positive"),
        ({"win_length": 17}, "win_length from 1 to n_fft"),
    ):
        with pytest.raises(UsageError, match=message):
            byhand.stft(x, 16, **({"return_complex": True} if options else {}), **options)
    for signal, options, message in (
        (x[:8], {"center": False}, "shorter than a piece"),
        (x[None, None], {}, r"\(T\) or \(B, T\)"),
        (x, {"window": byhand.ones(3)}, "expected"),
    ):
        with pytest.raises(ShapeError, match=message):
            byhand.stft(signal, 16, return_complex=True, **options)
    spectra = byhand.stft(x, 16, window=hann(byhand, 16), return_complex=True)
    with pytest.raises(UsageError, match="in no window"):
        byhand.istft(spectra, 16, window=hann(byhand, 16), center=False)
    with pytest.raises(ShapeError, match="do not fit n_fft=18"):
        byhand.istft(spectra, 18)
    with pytest.raises(ShapeError, match="expected complex"):
        byhand.istft(x, 16)
    with pytest.raises(UsageError, match="unknown keyword size"):
        byhand.hann_window(3, size=1)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("numbers", [(4,), (1, 4), (0, 1, 0.25), (3, -3, -2), (1, 1), (0, 10, 3)])
def test_range_has_its_end(numbers):
    mine, other = byhand.range(*numbers), torch.range(*((0, *numbers) if len(numbers) == 1 else numbers))
    assert mine.dtype == byhand.float32
    np.testing.assert_allclose(mine.numpy(), other.numpy())
    with pytest.raises(UsageError, match="does not lead from 1 to 3"):
        byhand.range(1, 3, -1)
