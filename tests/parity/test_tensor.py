"""Every public function and method against PyTorch in float64: value, gradient and second derivative."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from parity.tensor_cases import CALLS, IN_PLACE, METHODS, Call, D, U

torch = pytest.importorskip("torch")

import byhand  # noqa: E402
from byhand.tensor.refused import REASONS  # noqa: E402

Tensor = byhand.Tensor
TOLERANCE = {"rtol": 1e-9, "atol": 1e-9}

# Public in byhand and in PyTorch, yet not compared here: the reason.
ELSEWHERE = {
    "draws random numbers: tests/ops/test_random.py, tests/test_creation.py": {
        "bernoulli", "bernoulli_", "multinomial", "normal", "normal_", "rand", "rand_like", "randint", "randint_like",
        "randn",
        "randn_like", "randperm", "uniform_", "manual_seed", "Generator", "default_generator", "dropout",
        "alpha_dropout", "seed",
        "initial_seed", "exponential_", "random_", "get_rng_state", "set_rng_state",
    },
    "values are whatever was in memory": {"empty", "empty_like", "new_empty"},
    "a switch, a class, a dtype: tests/core, tests/test_tensor.py": {
        "Tensor", "device", "enable_grad", "finfo", "iinfo", "inference_mode", "is_grad_enabled", "no_grad",
        "set_grad_enabled",
        "set_default_dtype", "get_default_dtype", "Size", "dtype", "set_printoptions", "set_num_threads",
        "get_num_threads",
        "is_inference_mode_enabled", "strided",
        "GradScaler", "autocast", "are_deterministic_algorithms_enabled", "use_deterministic_algorithms",
        "get_default_device", "set_default_device", "get_float32_matmul_precision", "set_float32_matmul_precision",
        "get_num_interop_threads", "set_num_interop_threads", "set_flush_denormal", "can_cast",
    },
    "refused, or a question answered with no: tests/tensor/test_refused.py": {
        *" ".join(REASONS.values()).split(),
        "is_conj", "is_inference", "is_neg", "is_pinned", "is_shared", "new", "to_dense",
    },
    "warns of its age: parity/test_spectrum.py": {"range"},
    "shares memory: tests/test_creation.py": {"from_numpy", "from_dlpack", "numpy", "data_ptr", "frombuffer"},
    "the tape: tests/autograd": {
        "backward", "requires_grad_", "register_hook", "retain_grad", "detach_", "register_post_accumulate_grad_hook",
    },
    "refused, as there is one device: tests/test_tensor.py": {"cuda"},
    "named after a method of another meaning: tests/test_tensor.py": {"type"},
    "linear algebra: parity/test_linalg.py": {
        "chain_matmul", "cholesky", "cholesky_inverse", "cholesky_solve", "lu_solve", "lu_unpack", "qr", "svd",
        "triangular_solve",
    },
    "complex tensors: parity/test_fft.py": {
        "angle", "complex", "conj", "imag", "is_complex", "polar", "real", "view_as_complex", "view_as_real",
    },
    "saves and loads files": {"save", "load"},
    "PyTorch's own samples: parity/databases": {
        "as_strided", "atleast_3d", "char", "conj_physical", "diagonal_scatter", "dsplit", "fill", "frexp", "gcd",
        "gcd_", "gradient", "histogram", "histogramdd", "hsplit", "i0", "i0_", "index_put", "index_put_",
        "index_reduce", "index_reduce_", "lcm", "lcm_", "ldexp", "ldexp_", "lu", "mode", "mvlgamma", "nanquantile",
        "nextafter", "nextafter_", "polygamma", "put", "put_", "renorm", "renorm_", "resolve_conj", "resolve_neg",
        "scatter_reduce", "scatter_reduce_", "select_scatter", "slice_scatter", "split_with_sizes", "trapz", "unfold",
        "unravel_index", "unsafe_chunk", "unsafe_split", "vsplit",
    },
    "draws random numbers: tests/tensor/test_overwritable.py": {"cauchy_", "geometric_", "log_normal_", "poisson"},
    "PyTorch's old constructors: tests/tensor/test_constructors.py": {
        "BoolTensor", "ByteTensor", "CharTensor", "DoubleTensor", "FloatTensor", "HalfTensor", "IntTensor",
        "LongTensor", "ShortTensor", "set_default_tensor_type",
    },
    "questions about memory and dtypes: tests/tensor/test_holding.py, tests/test_creation.py": {
        "apply_", "get_device", "is_same_size", "is_signed", "memory_format", "pin_memory", "promote_types",
        "result_type", "share_memory_", "storage_offset",
    },
    "compiles, or transforms functions": {"compile", "vmap", "func"},
}  # fmt: skip


def reason_of(name: str) -> str | None:
    return next((reason for reason, names in ELSEWHERE.items() if name in names), None)


def ours(x: Any, leaves: list[Any]) -> Any:
    return _converted(x, leaves, byhand)


def theirs(x: Any, leaves: list[Any]) -> Any:
    return _converted(x, leaves, torch)


def _converted(x: Any, leaves: list[Any], library: Any) -> Any:
    if isinstance(x, np.ndarray):
        turned = x.ndim > 1 and not x.flags.c_contiguous
        tensor = library.tensor(np.array(x.T if turned else x, order="C"))
        if x.dtype == np.float64:
            leaves.append(tensor.requires_grad_())
        return tensor.permute(*reversed(range(x.ndim))) if turned else tensor
    if isinstance(x, U):
        return library.tensor(x.array)
    if isinstance(x, (list, tuple)):
        return type(x)(_converted(v, leaves, library) for v in x)
    return getattr(library, x.name) if isinstance(x, D) else x


def flat(result: Any) -> list[Any]:
    """The tensors and values of a result, in order."""
    if isinstance(result, (tuple, list)):
        return [y for part in result for y in flat(part)]
    return [result]


def values(t: Any) -> Any:
    return t.detach().numpy(force=True) if hasattr(t, "detach") else t


def same_value(mine: Any, other: Any) -> None:
    if not isinstance(other, torch.Tensor):
        assert mine == other
        return
    assert isinstance(mine, Tensor)
    assert mine.shape == tuple(other.shape)
    kind = str(other.dtype).removeprefix("torch.")
    assert str(mine.dtype) == kind
    loose = {"rtol": 1e-6, "atol": 1e-6} if kind in ("float32", "float16") or mine.dtype == np.float32 else TOLERANCE
    np.testing.assert_allclose(values(mine), values(other), **loose)


def gradients(outputs: list[Any], leaves: list[Any], library: Any) -> list[list[Any]]:
    """First and second derivatives by all leaves, with fixed weights on what they are derivatives of."""
    found: list[list[Any]] = []
    tracked = [y for y in outputs if hasattr(y, "requires_grad") and y.requires_grad]
    while tracked and len(found) < 2:
        weights = [library.tensor(np.linspace(0.5, 1.5, y.numel()).reshape(tuple(y.shape))) for y in tracked]
        try:
            grads = library.autograd.grad(tracked, leaves, weights, create_graph=not found, allow_unused=True)
        except RuntimeError:  # some derivatives PyTorch does not have
            if library is byhand:
                raise
            return [*found, [None] * len(leaves)]
        found.append([np.zeros(tuple(x.shape)) if g is None else values(g) for x, g in zip(leaves, grads, strict=True)])
        tracked = [g for g in grads if g is not None and g.requires_grad]
    return found


def compare(mine: Callable[..., Any], other: Callable[..., Any], call: Call, clone: bool = False) -> None:
    leaves_a, leaves_b = [], []
    args_a, args_b = [ours(x, leaves_a) for x in call.args], [theirs(x, leaves_b) for x in call.args]
    if clone:
        args_a[0], args_b[0] = args_a[0].clone(), args_b[0].clone()
    try:
        expected = flat(other(*args_b, **{k: theirs(v, leaves_b) for k, v in call.kwargs.items()}))
    except (RuntimeError, TypeError, IndexError, ValueError, NotImplementedError) as error:
        if not clone:
            raise
        if isinstance(error, NotImplementedError):
            return
        with pytest.raises(byhand.ByhandError):
            mine(*args_a, **{k: ours(v, leaves_a) for k, v in call.kwargs.items()})
        return
    result = flat(mine(*args_a, **{k: ours(v, leaves_a) for k, v in call.kwargs.items()}))
    assert len(result) == len(expected)
    for y, z in zip(result, expected, strict=True):
        same_value(y, z)
    found, wanted = gradients(result, leaves_a, byhand), gradients(expected, leaves_b, torch)
    # where there is no graph (the other library may have one), derivatives are 0
    for order in range(2):
        for k, leaf in enumerate(leaves_a):
            zeros = np.zeros(leaf.shape)
            a, b = (g[order][k] if order < len(g) else zeros for g in (found, wanted))
            if b is None:
                return
            known = np.isfinite(b) if order else ...  # at kinks PyTorch has second derivatives that are NaN
            np.testing.assert_allclose(a[known], b[known], **TOLERANCE)


def rows(names: Iterator[str], table: dict[str, list[Call]], of_tensors: bool = True) -> Any:
    return [
        pytest.param(n, call, id=f"{n}-{i}")
        for n in names
        for i, call in enumerate(table[n], 1)
        if not of_tensors or isinstance(next(iter(call.args), None), np.ndarray)
    ]


def functions() -> Iterator[str]:
    return (n for n in CALLS if hasattr(byhand, n) and hasattr(torch, n))


def methods() -> Iterator[str]:
    return (n for n in CALLS if hasattr(Tensor, n) and hasattr(torch.Tensor, n) and n not in METHODS)


def in_place() -> Iterator[str]:
    return (n for n in CALLS if hasattr(Tensor, n + "_") and hasattr(torch.Tensor, n + "_"))


@pytest.mark.parametrize(("name", "call"), rows(functions(), CALLS, of_tensors=False))
def test_function(name: str, call: Call) -> None:
    compare(getattr(byhand, name), getattr(torch, name), call)


@pytest.mark.parametrize(("name", "call"), rows(methods(), CALLS))
def test_method(name: str, call: Call) -> None:
    compare(getattr(Tensor, name), getattr(torch.Tensor, name), call)


@pytest.mark.parametrize(("name", "call"), rows((n for n in METHODS if hasattr(Tensor, n)), METHODS))
def test_method_without_function(name: str, call: Call) -> None:
    compare(getattr(Tensor, name), getattr(torch.Tensor, name), call)


@pytest.mark.parametrize(("name", "call"), rows(in_place(), CALLS))
def test_in_place(name: str, call: Call) -> None:
    compare(getattr(Tensor, name + "_"), getattr(torch.Tensor, name + "_"), call, clone=True)


@pytest.mark.parametrize(("name", "call"), rows((n for n in IN_PLACE if hasattr(Tensor, n)), IN_PLACE))
def test_in_place_without_function(name: str, call: Call) -> None:
    compare(getattr(Tensor, name), getattr(torch.Tensor, name), call, clone=True)


def public(space: Any) -> set[str]:
    names = getattr(space, "__all__", dir(space))
    return {n for n in names if not n.startswith("_") and callable(v := getattr(space, n)) and not inspect.ismodule(v)}


def test_every_function_is_compared() -> None:
    shared = {n for n in public(byhand) if callable(getattr(torch, n, None))}
    missing = sorted(n for n in shared - set(CALLS) if reason_of(n) is None)
    assert missing == [], "add a call to parity/tensor_cases.py, or a reason to ELSEWHERE"


def test_every_method_is_compared() -> None:
    shared = {n for n in public(Tensor) if callable(getattr(torch.Tensor, n, None))}
    compared = {*CALLS, *METHODS, *IN_PLACE, *[n + "_" for n in CALLS]}
    missing = sorted(n for n in shared - compared if reason_of(n) is None)
    assert missing == [], "add a call to parity/tensor_cases.py, or a reason to ELSEWHERE"


def test_what_is_not_in_pytorch_is_known() -> None:
    """Public names of byhand that PyTorch lacks; additions are deliberate."""
    assert {n for n in public(byhand) if not hasattr(torch, n)} == {"ByhandError"}
    assert {n for n in public(Tensor) if not hasattr(torch.Tensor, n)} == {"maximum_", "minimum_"}


def test_which_dtypes_can_be_cast() -> None:
    names = ("float32", "float64", "int8", "int64", "uint8", "bool", "complex64")
    for one in names:
        for other in names:
            expected = torch.can_cast(getattr(torch, one), getattr(torch, other))
            assert byhand.can_cast(getattr(byhand, one), getattr(byhand, other)) == expected, (one, other)
