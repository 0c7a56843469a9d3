"""PyTorch's own sample inputs, put to both libraries: values, gradients and second derivatives in float64.

For results with free signs (eigenvectors, Q, U, V) magnitudes are compared. Called by the parity tests of families.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import byhand  # noqa: E402

Question = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]


@functools.cache
def database() -> dict[str, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torch.testing._internal.common_methods_invocations import op_db
    return {f"{op.name}/{op.variant_test_name}".rstrip("/"): op for op in op_db}


def questions(name: str, most: int = 8) -> Iterator[Question]:
    """PyTorch's function and the arguments of its samples."""
    op = database()[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        samples = list(op.sample_inputs("cpu", torch.float64, requires_grad=True))
    step = max(len(samples) // most, 1)
    for sample in samples[::step]:
        yield op.op, (sample.input, *sample.args), sample.kwargs


def ours(x: Any, leaves: list[tuple[Any, Any]]) -> Any:
    """PyTorch's argument as ours; tensors that ask for gradients are gathered in pairs."""
    if isinstance(x, torch.Tensor):
        made = byhand.Tensor(np.array(x.detach().resolve_conj().numpy()))
        if x.requires_grad:
            leaves.append((made.requires_grad_(), x))
        return made
    if isinstance(x, (list, tuple)):
        return type(x)(ours(part, leaves) for part in x)
    if isinstance(x, dict):
        return {key: ours(part, leaves) for key, part in x.items()}
    return getattr(byhand, str(x).removeprefix("torch.")) if isinstance(x, torch.dtype) else x


def flat(x: Any) -> list[Any]:
    return [y for part in x for y in flat(part)] if isinstance(x, (tuple, list)) else [x]


def close(mine: Any, other: Any, what: str, slack: float = 1e-9) -> None:
    b = other.detach().resolve_conj().numpy(force=True) if isinstance(other, torch.Tensor) else np.asarray(other)
    a = mine.detach().array if isinstance(mine, byhand.Tensor) else np.asarray(mine)
    assert a.shape == b.shape, f"{what}: shape {a.shape}, PyTorch's {b.shape}"
    scale = max(1.0, float(np.abs(b).max(initial=0.0)))
    np.testing.assert_allclose(a / scale, b / scale, rtol=slack, atol=slack, err_msg=what)


def total(results: list[Any], library: Any, unsigned: tuple[int, ...]) -> Any:
    """One number of all differentiable results: weighted, so that no part hides another."""
    out: Any = 0
    for k, y in enumerate(results):
        if not getattr(y, "requires_grad", False):
            continue
        if y.is_complex():
            y = library.cat([y.real.reshape(-1), 0.7 * y.imag.reshape(-1)])
        y = y.abs() if k in unsigned else y
        weights = np.linspace(0.5, 1.5, y.numel()).reshape(tuple(y.shape))
        out = out + (y * library.tensor(weights)).sum()
    return out


def squares(grads: Any, library: Any) -> Any:
    """One number of gradients, to be differentiated again."""
    parts = [library.stack([g.real, g.imag]) if g.is_complex() else g for g in grads if g is not None]
    return sum((part * part).sum() for part in parts if part.requires_grad)


def agree(mine: Callable[..., Any], question: Question, unsigned: tuple[int, ...] = (), slack: float = 1e-9) -> None:
    """Both libraries give the same value, the same gradients, and where PyTorch has any the same second derivatives."""
    other, args, kwargs = question
    expected = flat(other(*args, **kwargs))
    pairs: list[tuple[Any, Any]] = []
    found = flat(mine(*ours(args, pairs), **ours(kwargs, pairs)))
    assert len(found) == len(expected)
    for k, (y, z) in enumerate(zip(found, expected, strict=True)):
        if k in unsigned:
            y, z = y.abs(), z.abs()
        close(y, z, f"result {k}", slack)
    loss, theirs = total(found, byhand, unsigned), total(expected, torch, unsigned)
    if not isinstance(theirs, torch.Tensor) or not pairs:
        return
    leaves, other_leaves = zip(*pairs, strict=True)
    try:
        wanted = torch.autograd.grad(theirs, other_leaves, create_graph=True, allow_unused=True)
    except RuntimeError:  # some derivatives PyTorch does not have
        return
    first = byhand.autograd.grad(loss, leaves, create_graph=True, allow_unused=True)
    _same(first, wanted, "gradient", 10 * slack)
    again, theirs = squares(first, byhand), squares(wanted, torch)
    if not isinstance(theirs, torch.Tensor):
        return
    try:
        wanted = torch.autograd.grad(theirs, other_leaves, allow_unused=True)
    except RuntimeError:
        return
    if all(g is None or bool(torch.isfinite(g).all()) for g in wanted):
        _same(byhand.autograd.grad(again, leaves, allow_unused=True), wanted, "second derivative", 1000 * slack)


def _same(found: Any, wanted: Any, what: str, slack: float) -> None:
    for k, (g, w) in enumerate(zip(found, wanted, strict=True)):
        if w is None:
            assert g is None or not np.any(g.array), f"{what} {k}: PyTorch has none"
        elif g is None:
            assert not bool(w.abs().sum()), f"{what} {k} is missing"
        else:
            close(g, w, f"{what} {k}", slack)
