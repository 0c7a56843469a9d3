"""The formulas of loops, compiled in a loop, against NumPy in extended precision."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

pytest.importorskip("llvmlite")

from byhand.program.loops import assembly, mathematics
from byhand.program.loops.machine_code import INTEGER, functions

NAMES = ("exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "tanh")
LARGEST_ERRORS = {  # in units of half the distance between 1 and the next number
    "exp": 2, "exp2": 2, "expm1": 3, "log": 2, "log2": 3.5, "log10": 3.5, "log1p": 3, "tanh": 5,
}  # fmt: skip
SPECIAL = (
    0.0, -0.0, 1.0, -1.0, 0.5, 8.0, -20.0, 88.5, 88.9, -87.5, -100.0, -104.5, 3e38, 1e-40, -1e-40, 1.17549435e-38,
    1e308, 1e-310, 709.5, 710.0, -740.0, -746.0, np.inf, -np.inf, np.nan,
)  # fmt: skip

Function = Callable[..., Any]


def text(code: str) -> str:
    """A module with a kernel for each formula of a dtype."""
    kernels = [
        f"@nest\ndef nest_{name}(n, x, y):\n    for i in range(n):\n        y[i] = {name}_{code}(x[i])\n\n"
        f"def {name}(n, x, y):\n    nest_{name}(n, argument_{code}(x), argument_{code}(y))\n    return 0\n"
        for name in NAMES
    ]
    return "\n\n".join([*assembly._library().values(), *kernels])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: Any) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BYHAND_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module", params=["f4", "f8"])
def compiled(request: Any, folder: None) -> tuple[Any, dict[str, Function]]:
    kernels = functions(text(request.param), dict.fromkeys(NAMES, [INTEGER] * 3), None)

    def on_arrays(kernel: Function) -> Function:
        def call(x: Any) -> Any:
            y = np.full_like(x, 7)
            assert kernel(x.size, id(x), id(y)) == 0
            return y

        return call

    return np.dtype(request.param), {name: on_arrays(kernel) for name, kernel in kernels.items()}


def samples(name: str, dtype: Any) -> Any:
    random = np.random.default_rng(0)
    limit = (88 if dtype == np.float32 else 708) * (1.44 if name == "exp2" else 1)
    x = {
        "exp": [random.uniform(-limit, limit, 20000), random.standard_normal(20000), random.uniform(-0.01, 0.01, 5000)],
        "log": [np.exp(random.uniform(-80, 80, 20000)), random.uniform(0.5, 2, 20000)],
        "log1p": [random.uniform(-1, 1, 20000), *[s * np.exp(random.uniform(-30, -1e-3, 20000)) for s in (1, -1)]],
        "tanh": [
            random.uniform(-10, 10, 20000),
            random.standard_normal(20000) * 0.1,
            random.standard_normal(500) * 1e-6,
        ],
    }
    chosen = name if name in x else "exp" if name.startswith("exp") else "log"
    return np.concatenate(x[chosen]).astype(dtype)


@pytest.mark.parametrize("name", NAMES)
def test_errors_are_small_everywhere(name: str, compiled: tuple[Any, dict[str, Function]]) -> None:
    dtype, run = compiled
    x = samples(name, dtype)
    with np.errstate(all="ignore"):
        right = getattr(np, name)(x.astype(np.longdouble))
    normal = (np.abs(right) > 2 * np.finfo(dtype).tiny) & (np.abs(right) < np.finfo(dtype).max)
    errors = np.abs((run[name](x).astype(np.longdouble) - right) / np.where(right == 0, 1, right))[normal]
    assert errors.size > 10000
    assert errors.max() < LARGEST_ERRORS[name] * np.finfo(dtype).eps / 2


@pytest.mark.parametrize("name", NAMES)
def test_special_values_are_as_in_numpy(name: str, compiled: tuple[Any, dict[str, Function]]) -> None:
    dtype, run = compiled
    with np.errstate(all="ignore"):
        x = np.array(SPECIAL, dtype)
        right = getattr(np, name)(x)
    found = run[name](x)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(right))
    np.testing.assert_array_equal(np.isinf(found), np.isinf(right))
    finite = np.isfinite(right)
    # 4 units in the last place, or below the normal numbers of the smallest number
    np.testing.assert_allclose(
        found[finite], right[finite], 4 * np.finfo(dtype).eps, 2 * np.finfo(dtype).smallest_subnormal
    )


def test_results_below_the_normal_numbers_are_not_flushed_to_zero(compiled: tuple[Any, dict[str, Function]]) -> None:
    dtype, run = compiled
    x = np.array([-90.0] if dtype == np.float32 else [-720.0], dtype)
    y = run["exp"](x)
    assert 0 < y[0] < np.finfo(dtype).tiny


@pytest.mark.parametrize("x, y", [(1.0, 2.0), (-3.0, 5.0), (700.0, 700.0), (0.0, -1e30)])
def test_the_text_is_also_python(x: float, y: float) -> None:
    """Scalars of NumPy go through the formulas as they stand."""
    with np.errstate(all="ignore"):
        assert mathematics.logaddexp_f8(np.float64(x), np.float64(y)) == pytest.approx(np.logaddexp(x, y), rel=1e-15)
        assert mathematics.tanh_f4(np.float32(x / 10)) == pytest.approx(np.tanh(x / 10), rel=1e-6)
        assert mathematics.exp_f4(np.float32(x / 10)) == pytest.approx(np.exp(x / 10), rel=1e-6)
