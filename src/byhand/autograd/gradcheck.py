"""Derivatives compared with central differences, (f(x + ε) − f(x − ε)) / 2ε, value by value; as PyTorch does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from byhand.core.errors import ByhandError, DtypeError
from byhand.core.gradient import grad
from byhand.core.tape import enable_grad, no_grad
from byhand.tensor import Tensor


class GradcheckError(ByhandError, RuntimeError):
    """The derivative that was computed is not the one that differences show."""


def _tuple(values: Any) -> tuple[Any, ...]:
    return tuple(values) if isinstance(values, (tuple, list)) else (values,)


def gradcheck(
    func: Callable[..., Any],
    inputs: Any,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
) -> bool:
    """Whether the derivatives of `func` agree with central differences, for all float inputs that require gradients.

    |computed − numerical| ≤ atol + rtol · |numerical|. Inputs are float64, since float32 is too coarse for
    differences. Raises GradcheckError with the worst place, or returns False if `raise_exception` is off.

    >>> import byhand
    >>> x = byhand.tensor([0.5, 1.0], dtype=byhand.float64, requires_grad=True)
    >>> byhand.autograd.gradcheck(lambda x: x.sin() * x, x)
    True
    """
    arguments = _tuple(inputs)
    try:
        _compare(func, arguments, eps, atol, rtol)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def _compare(func: Callable[..., Any], inputs: tuple[Any, ...], eps: float, atol: float, rtol: float) -> None:
    wanted = [i for i, x in enumerate(inputs) if isinstance(x, Tensor) and x.requires_grad]
    if not wanted:
        raise DtypeError("gradcheck: none of the inputs requires a gradient")
    for i in wanted:
        if inputs[i].dtype != np.float64:
            raise DtypeError(f"gradcheck: input {i} is {inputs[i].dtype}; differences need float64, use .double()")
    outputs = [y for y in _tuple(func(*inputs)) if isinstance(y, Tensor) and y.dtype.kind == "f"]
    numerical = {i: _differences(func, inputs, i, eps, [y.numel() for y in outputs]) for i in wanted}
    for k, y in enumerate(outputs):
        for i in wanted:
            computed = _computed(y, inputs[i])
            _judge(computed, numerical[i][k], k, i, y.shape, inputs[i].shape, atol, rtol)


def _computed(y: Tensor, x: Tensor) -> Any:
    rows = np.zeros((y.numel(), x.numel()))
    for j in range(y.numel()):
        g = np.zeros(y.shape, y.dtype)
        g.flat[j] = 1
        if y.requires_grad:
            rows[j] = grad(y, x, Tensor(g), retain_graph=True, materialize_grads=True)[0].array.ravel()
    return rows


def _differences(func: Callable[..., Any], inputs: tuple[Any, ...], i: int, eps: float, sizes: list[int]) -> list[Any]:
    x = inputs[i]
    columns: list[list[Any]] = [[] for _ in sizes]
    base = x.array.copy()
    for j in range(base.size):
        sides = []
        for sign in (1, -1):
            moved = base.copy()
            moved.flat[j] += sign * eps
            with no_grad():
                results = _tuple(func(*inputs[:i], Tensor(moved), *inputs[i + 1 :]))
            sides.append([y.array.ravel().copy() for y in results if isinstance(y, Tensor) and y.dtype.kind == "f"])
        for k in range(len(sizes)):
            columns[k].append((sides[0][k] - sides[1][k]) / (2 * eps))
    return [np.stack(c, axis=1) if c else np.zeros((n, 0)) for c, n in zip(columns, sizes, strict=True)]


def _judge(
    computed: Any, numerical: Any, k: int, i: int, out: Sequence[int], shape: Sequence[int], atol: float, rtol: float
) -> None:
    excess = np.abs(computed - numerical) - (atol + rtol * np.abs(numerical))
    excess = np.where(np.isnan(excess), np.inf, excess)
    if excess.size and excess.max() > 0:
        row, column = np.unravel_index(int(excess.argmax()), excess.shape)
        place_out = tuple(int(n) for n in np.unravel_index(row, tuple(out))) if out else ()
        place_in = tuple(int(n) for n in np.unravel_index(column, tuple(shape))) if shape else ()
        raise GradcheckError(
            f"the derivative of output {k}{list(place_out)} by input {i}{list(place_in)} is computed as "
            f"{computed[row, column]:.6g}, but differences show {numerical[row, column]:.6g}; "
            f"{int((excess > 0).sum())} of {excess.size} entries differ"
        )


def gradgradcheck(
    func: Callable[..., Any],
    inputs: Any,
    grad_outputs: Any = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
) -> bool:
    """`gradcheck` of the gradient itself: whether second derivatives agree with differences of the first."""
    arguments = _tuple(inputs)
    tracked = [i for i, x in enumerate(arguments) if isinstance(x, Tensor) and x.requires_grad]
    outputs = [y for y in _tuple(func(*arguments)) if isinstance(y, Tensor) and y.requires_grad]
    if grad_outputs is None:
        rng = np.random.default_rng(0)
        cotangents = [Tensor(rng.standard_normal(y.shape)).requires_grad_() for y in outputs]
    else:
        cotangents = list(_tuple(grad_outputs))
    count = len(arguments)

    def first(*values: Any) -> tuple[Any, ...]:
        xs, gs = values[:count], values[count:]
        leaves = tuple(x if x.requires_grad else x.requires_grad_() for i, x in enumerate(xs) if i in tracked)
        with enable_grad():
            ys = [y for y in _tuple(func(*xs)) if isinstance(y, Tensor) and y.requires_grad]
            return grad(ys, leaves, list(gs), create_graph=True, materialize_grads=True)

    return gradcheck(first, (*arguments, *cotangents), eps=eps, atol=atol, rtol=rtol, raise_exception=raise_exception)
